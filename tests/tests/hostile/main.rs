//! Bytes that nobody should send, and calls that nobody should make: each gets the typed error,
//! the refusal, the answer or the silence that the specification asks for; nothing panics, and the
//! other requests live on.

mod answers;
mod errors;
mod garbage;
mod misuse;
mod order;
mod parameters;
mod web_server;

use fcgi_core::Error;
use fcgi_core::application::Connection;
use fcgi_tests::hand::*;
use fcgi_tests::machines::observe::{Side, feed, rid};
use fcgi_tests::machines::{Log, Seen, joined};

/// What a machine sees of some bytes, the same in one piece and byte by byte, and the error that
/// ends it.
#[track_caller]
fn seen_until<S: Side>(side: &mut S, bytes: &[u8]) -> (Vec<Seen>, Result<(), Error>) {
    let mut by_bytes = side.clone();
    let mut log = Log::new();
    let outcome = feed(side, bytes, 0, &mut log);
    let mut again = Log::new();
    let mut pieces = bytes.chunks(1).enumerate();
    let other = pieces.try_for_each(|(at, piece)| feed(&mut by_bytes, piece, at, &mut again));
    assert_eq!(outcome, other, "in one piece, and byte by byte");
    let log = joined(log);
    assert_eq!(log, joined(again), "in one piece, and byte by byte");
    (log.into_iter().map(|(_, seen)| seen).collect(), outcome)
}

/// What a machine sees of some bytes that break no rule.
#[track_caller]
fn seen<S: Side>(side: &mut S, bytes: &[u8]) -> Vec<Seen> {
    let (seen, outcome) = seen_until(side, bytes);
    assert_eq!(outcome, Ok(()));
    seen
}

/// The id of the request that lives on, whatever happens to others.
const BYSTANDER: u16 = 9;

/// A connection with one request in mid-body.
fn with_bystander<const N: usize>() -> Connection<N> {
    let mut connection = Connection::new();
    let bytes = [
        begin(BYSTANDER, RESPONDER, KEEP),
        end_of(PARAMS, BYSTANDER),
        stream(STDIN, BYSTANDER, b"first half, "),
    ]
    .concat();
    assert_eq!(seen(&mut connection, &bytes).len(), 3);
    connection
}

/// The bystander's body goes on, and its answer goes out.
#[track_caller]
fn check_bystander<const N: usize>(connection: &mut Connection<N>) {
    let bytes = [
        stream(STDIN, BYSTANDER, b"second half"),
        end_of(STDIN, BYSTANDER),
    ]
    .concat();
    let piece = Seen::Bytes {
        id: BYSTANDER,
        stream: STDIN,
        bytes: b"second half".to_vec(),
    };
    let end = Seen::StreamEnd {
        id: BYSTANDER,
        stream: STDIN,
    };
    assert_eq!(seen(connection, &bytes), [piece, end]);
    let mut page = &b"page"[..];
    let record = connection.stdout(rid(BYSTANDER), &mut page).unwrap();
    let ended = connection.end(rid(BYSTANDER), 0).unwrap();
    let sent = [&record.unwrap().parts().concat(), &*ended].concat();
    let answer = &answers::by_id(&sent)[&BYSTANDER];
    assert_eq!((&*answer.stdout, answer.end), (&b"page"[..], Some((0, 0))));
}
