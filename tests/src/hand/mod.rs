//! FastCGI records built and read by hand, from the specification's numbers (§3.3, §3.4, §4, §5,
//! §8).
//!
//! Builders return the bytes of one or more records, and a conversation is their concatenation:
//!
//! ```
//! use fcgi_tests::hand::*;
//!
//! let sent = [
//!     begin(1, RESPONDER, KEEP),
//!     padded(7, &params(1, &[("A", "b")])),
//!     end_of(PARAMS, 1),
//!     end_of(STDIN, 1),
//! ]
//! .concat();
//! assert_eq!(sent.len(), 16 + 8 + 4 + 7 + 8 + 8);
//! ```
//!
//! Padding is none unless [`padded`] or [`aligned`] adds it. [`parse`], [`answers`] and
//! [`exchanges`] read what an application sent back, and panic at anything the specification does
//! not allow.

mod answers;
mod records;

pub use answers::{Answer, answers, exchanges, management};
pub use records::{Pair, Record, first_pair, pairs, parse, read_record, read_to_end_of};

/// Record type (§8): begins a request (§5.1).
pub const BEGIN_REQUEST: u8 = 1;
/// Record type: the web server wants a request ended (§5.4).
pub const ABORT_REQUEST: u8 = 2;
/// Record type: the application's last record of a request (§5.5).
pub const END_REQUEST: u8 = 3;
/// Record type: stream of name-value pairs (§5.2).
pub const PARAMS: u8 = 4;
/// Record type: stream of the request's body (§5.3).
pub const STDIN: u8 = 5;
/// Record type: stream of the response (§5.3).
pub const STDOUT: u8 = 6;
/// Record type: stream of error messages (§5.3).
pub const STDERR: u8 = 7;
/// Record type: stream of a Filter's file (§5.3).
pub const DATA: u8 = 8;
/// Record type: query for the application's limits (§4.1).
pub const GET_VALUES: u8 = 9;
/// Record type: answer to that query (§4.1).
pub const GET_VALUES_RESULT: u8 = 10;
/// Record type: answer to a management record of unknown type (§4.2).
pub const UNKNOWN_TYPE: u8 = 11;

/// Role of a request (§5.1): Responder.
pub const RESPONDER: u16 = 1;
/// Role of a request (§5.1): Authorizer.
pub const AUTHORIZER: u16 = 2;
/// Role of a request (§5.1): Filter.
pub const FILTER: u16 = 3;

/// Flag `FCGI_KEEP_CONN` of a begin record (§5.1).
pub const KEEP: u8 = 1;
/// No flags: the application closes the connection after this request (§5.1).
pub const CLOSE: u8 = 0;

/// `protocolStatus` (§5.5): the request was served.
pub const REQUEST_COMPLETE: u8 = 0;
/// `protocolStatus` (§5.5): refused, one request at a time on this connection.
pub const CANT_MPX_CONN: u8 = 1;
/// `protocolStatus` (§5.5): refused, out of some resource.
pub const OVERLOADED: u8 = 2;
/// `protocolStatus` (§5.5): refused, a role the application does not play.
pub const UNKNOWN_ROLE: u8 = 3;

/// One record of version 1: header, content, and `padding` zero bytes (§3.3).
///
/// # Panics
///
/// If the content is longer than 65,535 bytes.
#[must_use]
pub fn record(kind: u8, id: u16, content: &[u8], padding: u8) -> Vec<u8> {
    record_of_version(1, kind, id, content, padding)
}

/// As [`record`], with any version byte.
#[must_use]
pub fn record_of_version(version: u8, kind: u8, id: u16, content: &[u8], padding: u8) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("a record holds at most 65535 bytes");
    let mut bytes = vec![version, kind];
    bytes.extend(id.to_be_bytes());
    bytes.extend(length.to_be_bytes());
    bytes.extend([padding, 0]);
    bytes.extend(content);
    bytes.resize(bytes.len() + usize::from(padding), 0);
    bytes
}

/// Begins a request (§5.1).
#[must_use]
pub fn begin(id: u16, role: u16, flags: u8) -> Vec<u8> {
    let [high, low] = role.to_be_bytes();
    record(BEGIN_REQUEST, id, &[high, low, flags, 0, 0, 0, 0, 0], 0)
}

/// Asks for a request's end (§5.4).
#[must_use]
pub fn abort(id: u16) -> Vec<u8> {
    record(ABORT_REQUEST, id, &[], 0)
}

/// Ends a request, as an application does (§5.5).
#[must_use]
pub fn end_request(id: u16, app_status: u32, protocol_status: u8) -> Vec<u8> {
    let [a, b, c, d] = app_status.to_be_bytes();
    record(END_REQUEST, id, &[a, b, c, d, protocol_status, 0, 0, 0], 0)
}

/// Records of a stream that carry `bytes`, each but the last of 65,535 bytes; none for no bytes.
/// The stream stays open: see [`end_of`].
#[must_use]
pub fn stream(kind: u8, id: u16, bytes: &[u8]) -> Vec<u8> {
    stream_of(kind, id, bytes, 65_535)
}

/// As [`stream`], cut into records of at most `piece` bytes of content.
#[must_use]
pub fn stream_of(kind: u8, id: u16, bytes: &[u8], piece: usize) -> Vec<u8> {
    bytes
        .chunks(piece)
        .flat_map(|piece| record(kind, id, piece, 0))
        .collect()
}

/// The empty record that ends a stream (§3.3).
#[must_use]
pub fn end_of(kind: u8, id: u16) -> Vec<u8> {
    record(kind, id, &[], 0)
}

/// The parameters in as few records as possible; the stream stays open.
#[must_use]
pub fn params<N: AsRef<[u8]>, V: AsRef<[u8]>>(id: u16, pairs: &[(N, V)]) -> Vec<u8> {
    stream(PARAMS, id, &pair_bytes(pairs))
}

/// A whole Responder request: begin, parameters, body, and the ends of both streams.
#[must_use]
pub fn responder<N: AsRef<[u8]>, V: AsRef<[u8]>>(
    id: u16,
    flags: u8,
    pairs: &[(N, V)],
    body: &[u8],
) -> Vec<u8> {
    [
        begin(id, RESPONDER, flags),
        params(id, pairs),
        end_of(PARAMS, id),
        stream(STDIN, id, body),
        end_of(STDIN, id),
    ]
    .concat()
}

/// Asks for the values of `names` (§4.1).
#[must_use]
pub fn get_values<N: AsRef<[u8]>>(names: &[N]) -> Vec<u8> {
    let pairs: Vec<_> = names.iter().map(|name| (name, "")).collect();
    record(GET_VALUES, 0, &pair_bytes(&pairs), 0)
}

/// An application's answer to [`get_values`] (§4.1).
#[must_use]
pub fn get_values_result<N: AsRef<[u8]>, V: AsRef<[u8]>>(pairs: &[(N, V)]) -> Vec<u8> {
    record(GET_VALUES_RESULT, 0, &pair_bytes(pairs), 0)
}

/// An application's answer to a management record of a type that it does not know (§4.2).
#[must_use]
pub fn unknown_type(kind: u8) -> Vec<u8> {
    record(UNKNOWN_TYPE, 0, &[kind, 0, 0, 0, 0, 0, 0, 0], 0)
}

/// The records of `bytes` again, each with `padding` zero bytes.
#[must_use]
#[track_caller]
pub fn padded(padding: u8, bytes: &[u8]) -> Vec<u8> {
    repadded(bytes, |_| padding)
}

/// The records of `bytes` again, each padded to a multiple of eight bytes (§3.3).
#[must_use]
#[track_caller]
pub fn aligned(bytes: &[u8]) -> Vec<u8> {
    repadded(bytes, |length| [0, 7, 6, 5, 4, 3, 2, 1][length % 8])
}

#[track_caller]
fn repadded(bytes: &[u8], padding: impl Fn(usize) -> u8) -> Vec<u8> {
    let again = |r: Record| record(r.kind, r.id, &r.content, padding(r.content.len()));
    parse(bytes).into_iter().flat_map(again).collect()
}

/// The records of `bytes` again, with 0xA5 in every reserved byte and in all padding: receivers
/// must not look at these (§3.3).
#[must_use]
#[track_caller]
pub fn dirty(bytes: &[u8]) -> Vec<u8> {
    const DIRT: u8 = 0xa5;
    let mut all = Vec::new();
    for record in parse(bytes) {
        let mut bytes = record.bytes();
        bytes[7] = DIRT;
        let end = 8 + record.content.len();
        bytes[end..].fill(DIRT);
        match record.kind {
            BEGIN_REQUEST => bytes[8 + 3..end].fill(DIRT),
            END_REQUEST => bytes[8 + 5..end].fill(DIRT),
            UNKNOWN_TYPE => bytes[8 + 1..end].fill(DIRT),
            _ => {}
        }
        all.extend(bytes);
    }
    all
}

/// How a length of a name-value pair is written (§3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// One byte for 0 to 127, else four.
    Minimal,
    /// Always four bytes.
    Long,
}

/// One pair, both lengths minimal (§3.4).
#[must_use]
pub fn pair(name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Vec<u8> {
    pair_as(Length::Minimal, Length::Minimal, name, value)
}

/// One pair, the forms of its two lengths chosen (§3.4).
#[must_use]
pub fn pair_as(
    name_length: Length,
    value_length: Length,
    name: impl AsRef<[u8]>,
    value: impl AsRef<[u8]>,
) -> Vec<u8> {
    let (name, value) = (name.as_ref(), value.as_ref());
    [
        &*length_as(name_length, name),
        &*length_as(value_length, value),
        name,
        value,
    ]
    .concat()
}

/// Pairs one after the other, all lengths minimal.
#[must_use]
pub fn pair_bytes<N: AsRef<[u8]>, V: AsRef<[u8]>>(pairs: &[(N, V)]) -> Vec<u8> {
    pairs
        .iter()
        .flat_map(|(name, value)| pair(name, value))
        .collect()
}

/// A length in four bytes, whatever follows it: for hostile pairs. At most 2^31 − 1.
#[must_use]
pub fn long_length(length: u32) -> [u8; 4] {
    assert!(length < 1 << 31, "a length has 31 bits");
    (length | 1 << 31).to_be_bytes()
}

fn length_as(form: Length, bytes: &[u8]) -> Vec<u8> {
    match u8::try_from(bytes.len()) {
        Ok(short) if short < 128 && form == Length::Minimal => vec![short],
        _ => long_length(u32::try_from(bytes.len()).expect("a length has 31 bits")).to_vec(),
    }
}
