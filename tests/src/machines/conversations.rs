//! Conversations of a few hundred bytes with one of everything, for every cut and as seeds.

use super::{Seen, Transcript};
use crate::hand::*;

/// What [`Seen::Reply`] holds for a refusal.
#[must_use]
pub fn refused(id: u16, protocol_status: u8) -> Seen {
    Seen::Reply(end_request(id, 0, protocol_status))
}

/// What it holds for FCGI_MAX_REQS, which the driver says to be 9.
#[must_use]
pub fn max_reqs() -> Seen {
    Seen::Reply(aligned(&get_values_result(&[("FCGI_MAX_REQS", "9")])))
}

/// The body of BEGIN_REQUEST.
#[must_use]
pub fn begin_body(role: u8) -> [u8; 8] {
    [0, role, KEEP, 0, 0, 0, 0, 0]
}

/// What a web server may send to an application with room for 4 requests: all three roles at the
/// same time, and everything else that may come between their records. Requests 1, 2, 300 and 65535
/// are active in the end.
#[must_use]
pub fn requests() -> Transcript {
    let question = pair_bytes(&[("FCGI_MAX_REQS", ""), ("X", "")]);
    let mut t = Transcript::new();
    t.begin(1, RESPONDER, true, 1)
        .begin(2, AUTHORIZER, true, 0)
        .stream(PARAMS, 1, b"\x03\x02AB", 7)
        .begin(300, FILTER, true, 7)
        .skipped(&padded(1, &stream(STDIN, 77, b"late")))
        .stream(PARAMS, 300, b"\x01\x01Ab", 0)
        .discrete(GET_VALUES, 0, &question, 7, max_reqs())
        .stream(PARAMS, 1, b"Cde", 0)
        .stream(PARAMS, 2, b"\0\0", 1)
        .stream(PARAMS, 1, b"", 1)
        .discrete(200, 0, b"what", 1, Seen::Reply(unknown_type(200)))
        .skipped(&record(100, 1, b"whatever", 7))
        .stream(STDIN, 1, b"one", 0)
        .stream(PARAMS, 300, b"", 7)
        .discrete(0, 0, b"", 0, Seen::Reply(unknown_type(0)))
        .stream(PARAMS, 2, b"", 0)
        .skipped(&record(UNKNOWN_TYPE, 0, b"echo", 1))
        .stream(STDIN, 300, b"three", 1)
        .skipped(&padded(1, &stream(STDIN, 2, b"no such stream")));
    t.discrete(
        BEGIN_REQUEST,
        9,
        &begin_body(4),
        0,
        refused(9, UNKNOWN_ROLE),
    )
    .skipped(&stream(PARAMS, 9, b"\x01\x01"))
    .stream(STDIN, 300, b"", 0)
    .begin(0xffff, RESPONDER, true, 255)
    .discrete(BEGIN_REQUEST, 5, &begin_body(1), 7, refused(5, OVERLOADED))
    .stream(DATA, 300, b"file", 7)
    .stream_then_act(2, STDIN, 1, b"ended early", 7)
    .skipped(&padded(1, &end_of(STDIN, 1)))
    .discrete(ABORT_REQUEST, 0xffff, b"?", 1, Seen::Abort(0xffff))
    .skipped(&abort(0xffff))
    .begin(1, AUTHORIZER, true, 0)
    .stream(DATA, 300, b"", 1)
    .skipped(&padded(7, &end_of(DATA, 300)));
    t
}

/// What an application may send to a web server with room for 3 requests, of which request 2 is
/// active in the end.
#[must_use]
pub fn answers() -> Transcript {
    let values = [
        ("FCGI_MPXS_CONNS", "1"),
        ("X", "y"),
        ("FCGI_MAX_REQS", "40"),
    ];
    let values = (
        pair_bytes(&values),
        Seen::Values(None, Some(40), Some(true)),
    );
    let mut t = Transcript::new();
    t.act(1)
        .act(2)
        .stream(STDOUT, 1, b"Status: 200\r\n", 3)
        .skipped(&padded(7, &stream(STDOUT, 3, b"not begun yet")))
        .act(3)
        .stream(STDERR, 2, b"oh", 7)
        .discrete(GET_VALUES_RESULT, 0, &values.0, 1, values.1)
        .stream(STDOUT, 3, b"three", 0)
        .stream(STDOUT, 1, b"\r\nbody", 255)
        .stream(STDERR, 2, b"", 1)
        .stream(STDOUT, 2, b"", 7)
        .discrete(
            UNKNOWN_TYPE,
            0,
            &[9, 0, 0, 0, 0, 0, 0, 0],
            0,
            Seen::UnknownType(9),
        )
        .skipped(&record(200, 3, b"whatever", 1))
        .skipped(&record(77, 0, b"whatever", 0))
        .discrete(
            END_REQUEST,
            2,
            &[0xff, 1, 2, 3, 0, 0, 0, 0],
            7,
            Seen::Ended(2, 0xff01_0203, 0),
        )
        .skipped(&padded(1, &stream(STDOUT, 2, b"late")))
        .skipped(&end_request(2, 9, 0))
        .stream(STDOUT, 3, b"", 0)
        .act(2)
        .stream(STDOUT, 1, b"", 1)
        .stream(STDOUT, 2, b"again", 7)
        .discrete(END_REQUEST, 1, &[0; 9], 1, Seen::Ended(1, 0, 0))
        .discrete(
            END_REQUEST,
            3,
            &[0, 0, 0, 1, 2, 0, 0, 0],
            0,
            Seen::Ended(3, 1, 2),
        );
    t
}
