//! Bytes into records and pairs.

use std::fmt;
use std::io::{self, Read};

use super::END_REQUEST;

/// A name and a value.
pub type Pair = (Vec<u8>, Vec<u8>);

/// One record of version 1.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// The type (§8).
    pub kind: u8,
    /// The request's id, 0 for management records.
    pub id: u16,
    /// The content.
    pub content: Vec<u8>,
    /// How many bytes of padding followed the content.
    pub padding: u8,
}

impl Record {
    /// The record's bytes, reserved byte and padding zero.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        super::record(self.kind, self.id, &self.content, self.padding)
    }
}

/// In the notation of the specification's appendix B, so that failed assertions can be read.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [&str; 12] = [
            "type 0",
            "FCGI_BEGIN_REQUEST",
            "FCGI_ABORT_REQUEST",
            "FCGI_END_REQUEST",
            "FCGI_PARAMS",
            "FCGI_STDIN",
            "FCGI_STDOUT",
            "FCGI_STDERR",
            "FCGI_DATA",
            "FCGI_GET_VALUES",
            "FCGI_GET_VALUES_RESULT",
            "FCGI_UNKNOWN_TYPE",
        ];
        match NAMES.get(usize::from(self.kind)) {
            Some(name) => write!(f, "{{{name}, ")?,
            None => write!(f, "{{type {}, ", self.kind)?,
        }
        write!(f, "{}, \"{}\"", self.id, self.content.escape_ascii())?;
        if self.padding > 0 {
            write!(f, ", padding {}", self.padding)?;
        }
        f.write_str("}")
    }
}

/// Cuts `bytes` into records.
///
/// # Panics
///
/// If the bytes do not form whole records of version 1, or if a reserved byte or a byte of padding
/// is not zero. Senders must not leak memory there, so a test that reads dirt has found a bug.
#[must_use]
#[track_caller]
pub fn parse(bytes: &[u8]) -> Vec<Record> {
    let mut rest = bytes;
    let mut records = Vec::new();
    while !rest.is_empty() {
        let offset = bytes.len() - rest.len();
        let Some((&header, after)) = rest.split_first_chunk::<8>() else {
            panic!(
                "a header is cut at offset {offset}: {} of 8 bytes",
                rest.len()
            );
        };
        let [version, kind, id @ .., l1, l0, padding, reserved] = header;
        assert_eq!(version, 1, "version of the record at offset {offset}");
        assert_eq!(
            reserved, 0,
            "reserved byte of the record at offset {offset}"
        );
        let length = usize::from(u16::from_be_bytes([l1, l0]));
        let needed = length + usize::from(padding);
        assert!(
            after.len() >= needed,
            "the record of type {kind} at offset {offset} is cut: {} of {needed} bytes \
             (content {length}, padding {padding})",
            after.len(),
        );
        let (body, after) = after.split_at(needed);
        let (content, filler) = body.split_at(length);
        assert!(
            filler.iter().all(|&byte| byte == 0),
            "padding of the record of type {kind} at offset {offset} is not zero: {filler:02x?}",
        );
        let id = u16::from_be_bytes(id);
        records.push(Record {
            kind,
            id,
            content: content.to_vec(),
            padding,
        });
        rest = after;
    }
    records
}

/// Reads one record from a connection; `None` at its end.
///
/// # Errors
///
/// What reading returns, `UnexpectedEof` when the connection ends inside a record.
///
/// # Panics
///
/// As [`parse`] does.
#[track_caller]
pub fn read_record(connection: &mut impl Read) -> io::Result<Option<Record>> {
    let mut bytes = vec![0; 8];
    let first = loop {
        match connection.read(&mut bytes[..1]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => break result?,
        }
    };
    if first == 0 {
        return Ok(None);
    }
    connection.read_exact(&mut bytes[1..])?;
    let length = u16::from_be_bytes([bytes[4], bytes[5]]);
    bytes.resize(8 + usize::from(length) + usize::from(bytes[6]), 0);
    connection.read_exact(&mut bytes[8..])?;
    Ok(parse(&bytes).pop())
}

/// Reads up to and with the END_REQUEST of request `id`, and returns the bytes read.
///
/// # Panics
///
/// If the connection fails or ends before, and as [`parse`] does.
#[must_use]
#[track_caller]
pub fn read_to_end_of(connection: &mut impl Read, id: u16) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let record = match read_record(connection) {
            Ok(Some(record)) => record,
            Ok(None) => panic!("the connection ended after {:?}", parse(&bytes)),
            Err(error) => panic!("{error} after {:?}", parse(&bytes)),
        };
        bytes.extend(record.bytes());
        if (record.kind, record.id) == (END_REQUEST, id) {
            return bytes;
        }
    }
}

/// Cuts a stream of name-value pairs (§3.4); both forms of lengths are read.
///
/// # Panics
///
/// If the bytes end inside a pair.
#[must_use]
#[track_caller]
pub fn pairs(bytes: &[u8]) -> Vec<Pair> {
    let mut rest = bytes;
    let mut pairs = Vec::new();
    while !rest.is_empty() {
        let offset = bytes.len() - rest.len();
        let Some((pair, after)) = first_pair(rest) else {
            panic!(
                "the pair at offset {offset} is cut: \"{}\"",
                rest.escape_ascii()
            );
        };
        pairs.push(pair);
        rest = after;
    }
    pairs
}

/// The first pair of a stream, and what follows it; `None` if the bytes end inside it.
#[must_use]
pub fn first_pair(bytes: &[u8]) -> Option<(Pair, &[u8])> {
    let (name_length, rest) = length(bytes)?;
    let (value_length, rest) = length(rest)?;
    let (name, rest) = rest.split_at_checked(name_length)?;
    let (value, rest) = rest.split_at_checked(value_length)?;
    Some(((name.to_vec(), value.to_vec()), rest))
}

fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match *bytes {
        [short, ref rest @ ..] if short < 128 => Some((usize::from(short), rest)),
        [a, b, c, d, ref rest @ ..] => {
            let length = u32::from_be_bytes([a - 128, b, c, d]);
            Some((usize::try_from(length).ok()?, rest))
        }
        _ => None,
    }
}
