//! The order of one request's streams, for each role, as the application judges it (§6.1).

use fcgi_core::Error;
use fcgi_core::wire::RecordType;
use fcgi_tests::hand::*;
use fcgi_tests::machines::Seen;
use fcgi_tests::machines::observe::rid;

use crate::{check_bystander, seen, seen_until, with_bystander};

/// What comes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It is an event.
    Taken,
    /// It is skipped, and the request goes on.
    Skipped,
    /// It ends the connection: before the stream's turn.
    TooEarly,
    /// It ends the connection: the stream has ended.
    TooLate,
}

use Fate::{Skipped, Taken, TooEarly, TooLate};

/// Role, how many streams have ended, and what comes of PARAMS, STDIN and DATA: first of records
/// with content, then of empty ones.
type Row = (u16, usize, [Fate; 3], [Fate; 3]);

#[rustfmt::skip]
const TABLE: [Row; 9] = [
    (RESPONDER, 0, [Taken, TooEarly, TooEarly], [Taken, TooEarly, TooEarly]),
    (RESPONDER, 1, [TooLate, Taken, Skipped], [TooLate, Taken, Skipped]),
    (RESPONDER, 2, [TooLate, TooLate, Skipped], [TooLate, Skipped, Skipped]),
    // Some web servers send an Authorizer an empty STDIN, and some a body.
    (AUTHORIZER, 0, [Taken, TooEarly, TooEarly], [Taken, TooEarly, TooEarly]),
    (AUTHORIZER, 1, [TooLate, Skipped, Skipped], [TooLate, Skipped, Skipped]),
    (FILTER, 0, [Taken, TooEarly, TooEarly], [Taken, TooEarly, TooEarly]),
    (FILTER, 1, [TooLate, Taken, TooEarly], [TooLate, Taken, TooEarly]),
    (FILTER, 2, [TooLate, TooLate, Taken], [TooLate, Skipped, Taken]),
    (FILTER, 3, [TooLate, TooLate, TooLate], [TooLate, Skipped, Skipped]),
];

const STREAMS: [u8; 3] = [PARAMS, STDIN, DATA];

#[test]
fn every_stream_at_every_moment_of_every_role() {
    for (role, ended, with_content, empty) in TABLE {
        for (content, fates) in [(&b"abc"[..], with_content), (b"", empty)] {
            for (stream, fate) in STREAMS.into_iter().zip(fates) {
                check(role, ended, stream, content, fate);
            }
        }
    }
}

fn check(role: u16, ended: usize, stream: u8, content: &[u8], fate: Fate) {
    let case = format!("role {role}, {ended} ended, stream {stream}, {content:?}");
    let mut connection = with_bystander::<2>();
    let id = 1;
    let before: Vec<_> = STREAMS[..ended]
        .iter()
        .flat_map(|&kind| end_of(kind, id))
        .collect();
    let before = [begin(id, role, KEEP), before].concat();
    assert_eq!(seen(&mut connection, &before).len(), 1 + ended, "{case}");

    let (seen, outcome) = seen_until(&mut connection, &record(stream, id, content, 3));
    let record_type = RecordType(stream);
    let expected = match fate {
        Taken | Skipped => Ok(()),
        TooEarly => Err(Error::OutOfOrder {
            id: rid(id),
            record_type,
        }),
        TooLate => Err(Error::AfterEnd {
            id: rid(id),
            record_type,
        }),
    };
    assert_eq!(outcome, expected, "{case}");
    let bytes = content.to_vec();
    let event = match content {
        [] => Seen::StreamEnd { id, stream },
        _ => Seen::Bytes { id, stream, bytes },
    };
    let events = if fate == Taken { vec![event] } else { vec![] };
    assert_eq!(seen, events, "{case}");
    if outcome.is_ok() {
        assert_eq!(connection.active(), 2, "{case}");
        check_bystander(&mut connection);
    }
}

#[test]
fn nothing_is_out_of_order_for_an_inactive_id() {
    let mut connection = with_bystander::<2>();
    for kind in (ABORT_REQUEST..=DATA).chain(12..=255) {
        for content in [&b""[..], b"abc", &[0; 8]] {
            assert_eq!(seen(&mut connection, &record(kind, 1, content, 1)), []);
        }
    }
    check_bystander(&mut connection);
}
