//! What a web server must not send: the connection is over, and the error says why.

use fcgi_core::Error;
use fcgi_core::wire::RecordType;
use fcgi_tests::hand::*;
use fcgi_tests::machines::observe::rid;

use crate::{BYSTANDER, seen_until, with_bystander};

/// The bystander is active; so is request 1, with its PARAMS open.
#[track_caller]
fn check(bytes: &[u8], expected: Error, section: &str) {
    let mut connection = with_bystander::<4>();
    let before = [begin(1, RESPONDER, KEEP), params(1, &[("A", "b")])].concat();
    assert_eq!(seen_until(&mut connection, &before).0.len(), 2);
    let (seen, outcome) = seen_until(&mut connection, bytes);
    assert_eq!((&*seen, outcome), (&[][..], Err(expected)), "{bytes:02x?}");
    let text = expected.to_string();
    assert!(text.contains(section), "{text}");
    assert!(!text.contains('\n') && !text.ends_with('.'), "{text}");
}

#[test]
fn other_versions() {
    for version in [0, 2, 3, 127, 255] {
        let bytes = record_of_version(version, STDIN, 1, b"abc", 0);
        check(&bytes, Error::Version { version }, "§3.3");
    }
    // A TLS client, and an HTTP client.
    check(
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc",
        Error::Version { version: 0x16 },
        "§3.3",
    );
    check(
        b"GET / HTTP/1.1\r\n\r\n",
        Error::Version { version: b'G' },
        "§3.3",
    );
}

#[test]
fn application_records_with_the_null_id() {
    for kind in BEGIN_REQUEST..=DATA {
        for content in [&b""[..], &[0; 8]] {
            let expected = Error::NullRequestId {
                record_type: RecordType(kind),
            };
            check(&record(kind, 0, content, 0), expected, "§3.3");
        }
    }
}

#[test]
fn a_begin_of_fewer_than_eight_bytes() {
    for content_length in 0..8 {
        for request_id in [1, 2, BYSTANDER] {
            let content = vec![0; content_length.into()];
            let expected = Error::ShortBody {
                record_type: RecordType::BEGIN_REQUEST,
                request_id,
                content_length,
            };
            check(
                &record(BEGIN_REQUEST, request_id, &content, 8),
                expected,
                "§5",
            );
        }
    }
}

#[test]
fn a_begin_of_an_active_id() {
    for id in [1, BYSTANDER] {
        for role in [RESPONDER, AUTHORIZER, FILTER, 77] {
            let expected = Error::ActiveRequest { id: rid(id) };
            check(&begin(id, role, CLOSE), expected, "§3.3");
        }
    }
}

#[test]
fn records_that_only_an_application_sends() {
    for kind in [END_REQUEST, STDOUT, STDERR] {
        for content in [&b""[..], b"abc", &[0; 8]] {
            let expected = Error::WrongDirection {
                request_id: 1,
                record_type: RecordType(kind),
            };
            check(&record(kind, 1, content, 0), expected, "§8");
        }
    }
}

#[test]
fn errors_say_which_record_and_which_request() {
    let id = rid(4711);
    let record_type = RecordType::STDIN;
    let all = [
        Error::Version { version: 2 },
        Error::NullRequestId { record_type },
        Error::ShortBody {
            record_type,
            request_id: 4711,
            content_length: 7,
        },
        Error::ActiveRequest { id },
        Error::OutOfOrder { id, record_type },
        Error::AfterEnd { id, record_type },
        Error::WrongDirection {
            request_id: 4711,
            record_type,
        },
    ];
    let texts = all.map(|error| error.to_string());
    for (at, text) in texts.iter().enumerate() {
        assert!(!texts[..at].contains(text), "{text}");
        assert!(at < 2 || text.contains("4711"), "{text}");
        assert!(at == 0 || text.contains("FCGI_"), "{text}");
    }
}
