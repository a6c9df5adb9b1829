//! What an application must not send, and what a web server lets it get away with.

use fcgi_core::Error;
use fcgi_core::web_server::{Closed, Connection};
use fcgi_core::wire::{RecordType, Role};
use fcgi_tests::hand::*;
use fcgi_tests::machines::Seen;
use fcgi_tests::machines::observe::rid;

use crate::{seen, seen_until};

/// Requests 1 and 2 are active.
fn begun() -> Connection<2> {
    let mut connection = Connection::new();
    for _ in 0..2 {
        assert!(connection.begin(Role::Responder, true).is_ok());
    }
    connection
}

/// Request 2 is answered.
#[track_caller]
fn check_bystander(connection: &mut Connection<2>) {
    let bytes = [stream(STDOUT, 2, b"page"), end_request(2, 0, 0)].concat();
    let page = Seen::Bytes {
        id: 2,
        stream: STDOUT,
        bytes: b"page".to_vec(),
    };
    assert_eq!(seen(connection, &bytes), [page, Seen::Ended(2, 0, 0)]);
}

#[track_caller]
fn check(bytes: &[u8], expected: Error, section: &str) {
    let (seen, outcome) = seen_until(&mut begun(), bytes);
    assert_eq!((&*seen, outcome), (&[][..], Err(expected)), "{bytes:02x?}");
    let text = expected.to_string();
    assert!(text.contains(section), "{text}");
}

#[test]
fn other_versions() {
    for version in [0, 2, 255] {
        let bytes = record_of_version(version, STDOUT, 1, b"abc", 0);
        check(&bytes, Error::Version { version }, "§3.3");
    }
    check(
        b"HTTP/1.1 200 OK\r\n",
        Error::Version { version: b'H' },
        "§3.3",
    );
}

#[test]
fn records_that_only_a_web_server_sends() {
    for kind in [BEGIN_REQUEST, ABORT_REQUEST, PARAMS, STDIN, DATA] {
        for request_id in [0, 1, 3] {
            let expected = Error::WrongDirection {
                request_id,
                record_type: RecordType(kind),
            };
            check(&record(kind, request_id, &[0; 8], 0), expected, "§8");
        }
    }
    let expected = Error::WrongDirection {
        request_id: 0,
        record_type: RecordType::GET_VALUES,
    };
    check(&get_values(&["FCGI_MAX_REQS"]), expected, "§8");
}

#[test]
fn answers_with_the_null_id() {
    for kind in [STDOUT, STDERR, END_REQUEST] {
        for content in [&b""[..], &[0; 8]] {
            let expected = Error::NullRequestId {
                record_type: RecordType(kind),
            };
            check(&record(kind, 0, content, 0), expected, "§3.3");
        }
    }
}

#[test]
fn bodies_of_fewer_than_eight_bytes() {
    for content_length in 0..8 {
        for (kind, request_id) in [(END_REQUEST, 1), (END_REQUEST, 77), (UNKNOWN_TYPE, 0)] {
            let expected = Error::ShortBody {
                record_type: RecordType(kind),
                request_id,
                content_length,
            };
            let content = vec![0; content_length.into()];
            check(&record(kind, request_id, &content, 8), expected, "§5");
        }
    }
}

#[test]
fn streams_that_go_on_after_their_end() {
    for kind in [STDOUT, STDERR] {
        let expected = Error::AfterEnd {
            id: rid(1),
            record_type: RecordType(kind),
        };
        let mut connection = begun();
        assert_eq!(seen(&mut connection, &end_of(kind, 1)).len(), 1);
        assert_eq!(seen(&mut connection, &end_of(kind, 1)), [], "ended twice");
        let (seen, outcome) = seen_until(&mut connection, &stream(kind, 1, b"x"));
        assert_eq!((&*seen, outcome), (&[][..], Err(expected)));
    }
}

#[test]
fn what_is_skipped() {
    let mut connection = begun();
    let ended = [end_of(STDOUT, 1), end_request(1, 0, 0)].concat();
    assert_eq!(seen(&mut connection, &ended).len(), 2);
    // Late records of a request that has ended, or that never was.
    for id in [1, 3, 0xffff] {
        let late = [
            stream(STDOUT, id, b"late"),
            end_of(STDOUT, id),
            stream(STDERR, id, b"late"),
            end_request(id, 1, OVERLOADED),
        ];
        assert_eq!(seen(&mut connection, &late.concat()), []);
    }
    // Types that nobody knows, and management types with an id.
    for kind in (12..=255).chain([0]) {
        for id in [0, 1, 2] {
            assert_eq!(seen(&mut connection, &record(kind, id, b"abc", 1)), []);
        }
    }
    for kind in [GET_VALUES, GET_VALUES_RESULT, UNKNOWN_TYPE] {
        assert_eq!(seen(&mut connection, &record(kind, 2, b"abc", 1)), []);
    }
    check_bystander(&mut connection);
}

#[test]
fn an_end_says_all_of_its_numbers() {
    for (app_status, protocol_status) in [(0, 0), (1, 1), (938, 2), (u32::MAX, 3), (1 << 31, 255)] {
        let mut connection = begun();
        let bytes = end_request(1, app_status, protocol_status);
        let ended = Seen::Ended(1, app_status, protocol_status);
        assert_eq!(seen(&mut connection, &bytes), [ended]);
        assert_eq!(connection.active(), 1);
        check_bystander(&mut connection);
    }
}

/// A close without END_REQUEST completes a request only if that connection was not to be kept, and
/// STDOUT had ended (§3.5).
#[test]
fn a_close_without_an_end() {
    for (keep_conn, bytes, expected) in [
        (false, end_of(STDOUT, 1), Closed::Complete),
        (false, padded(7, &end_of(STDOUT, 1)), Closed::Complete),
        (true, end_of(STDOUT, 1), Closed::Truncated),
        (false, stream(STDOUT, 1, b"x"), Closed::Truncated),
        (false, vec![], Closed::Truncated),
        (
            false,
            [&*end_of(STDOUT, 1), &[1, 3, 0]].concat(),
            Closed::Truncated,
        ),
    ] {
        let mut connection = Connection::<2>::new();
        let (id, _) = connection.begin(Role::Responder, keep_conn).unwrap();
        seen(&mut connection, &bytes);
        assert_eq!(connection.closed(id), Some(expected), "{bytes:02x?}");
        assert_eq!(connection.closed(rid(2)), None);
    }
}
