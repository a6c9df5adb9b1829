//! Calls that the protocol does not allow: a typed error, nothing sent, nothing changed.

use fcgi_core::application::Connection;
use fcgi_core::wire::{RecordType, Role};
use fcgi_core::{Record, Refusal, RequestId, SendError, web_server};
use fcgi_tests::hand::*;
use fcgi_tests::machines::observe::rid;

use crate::seen;

type Sent = Result<Vec<u8>, SendError>;

#[expect(
    clippy::needless_pass_by_value,
    reason = "a record that is sent is used up"
)]
fn bytes(record: Record<'_>) -> Vec<u8> {
    record.parts().concat()
}

/// Content `x`, or the end, on one of the application's streams.
fn output(connection: &mut Connection<2>, stream: RecordType, id: RequestId, end: bool) -> Sent {
    let mut content = &b"x"[..];
    match (stream, end) {
        (RecordType::STDOUT, false) => connection.stdout(id, &mut content).map(Option::unwrap),
        (RecordType::STDOUT, true) => connection.stdout_end(id),
        (_, false) => connection.stderr(id, &mut content).map(Option::unwrap),
        (_, true) => connection.stderr_end(id),
    }
    .map(bytes)
}

/// The same for the web server's streams.
fn input(
    connection: &mut web_server::Connection<3>,
    stream: RecordType,
    id: RequestId,
    end: bool,
) -> Sent {
    let mut content = &b"x"[..];
    match (stream, end) {
        (RecordType::PARAMS, false) => connection.params(id, &mut content).map(Option::unwrap),
        (RecordType::PARAMS, true) => connection.params_end(id),
        (RecordType::STDIN, false) => connection.stdin(id, &mut content).map(Option::unwrap),
        (RecordType::STDIN, true) => connection.stdin_end(id),
        (_, false) => connection.data(id, &mut content).map(Option::unwrap),
        (_, true) => connection.data_end(id),
    }
    .map(bytes)
}

const OUTPUTS: [RecordType; 2] = [RecordType::STDOUT, RecordType::STDERR];
const INPUTS: [RecordType; 3] = [RecordType::PARAMS, RecordType::STDIN, RecordType::DATA];

#[test]
fn an_application_cannot_answer_what_is_not_active() {
    let mut connection = Connection::<2>::new();
    assert_eq!(
        seen(&mut connection, &responder(2, KEEP, &[("A", "b")], b"")).len(),
        4
    );
    let check = |connection: &mut Connection<2>, id: u16| {
        let id = rid(id);
        let expected = SendError::NotActive { id };
        for stream in OUTPUTS {
            for end in [false, true] {
                assert_eq!(output(connection, stream, id, end), Err(expected));
            }
        }
        assert_eq!(connection.end(id, 0), Err(expected));
        assert_eq!(connection.refuse(id, Refusal::Overloaded), Err(expected));
        assert!(!connection.may_answer(id) && !connection.is_input_done(id));
        assert_eq!(connection.role(id), None);
    };
    check(&mut connection, 1);
    check(&mut connection, 0xffff);
    assert_eq!(
        *connection.end(rid(2), 5).unwrap(),
        *[end_of(STDOUT, 2), end_request(2, 5, 0)].concat()
    );
    check(&mut connection, 2);
    assert_eq!(connection.active(), 0);
}

#[test]
fn an_application_cannot_answer_before_its_role_may() {
    for (role, streams_needed) in [(RESPONDER, 1), (AUTHORIZER, 1), (FILTER, 2)] {
        let mut connection = Connection::<2>::new();
        assert_eq!(seen(&mut connection, &begin(1, role, KEEP)).len(), 1);
        for (ended, kind) in [PARAMS, STDIN, DATA].into_iter().enumerate() {
            for record_type in OUTPUTS {
                let mut connection = connection.clone();
                for end in [true, false] {
                    let expected = if ended < streams_needed {
                        Err(SendError::TooEarly {
                            id: rid(1),
                            record_type,
                        })
                    } else if end {
                        Ok(end_of(record_type.0, 1))
                    } else {
                        Err(SendError::Ended {
                            id: rid(1),
                            record_type,
                        })
                    };
                    assert_eq!(output(&mut connection, record_type, rid(1), end), expected);
                }
                let refused = connection.refuse(rid(1), Refusal::Overloaded);
                assert_eq!(refused.is_ok(), ended < streams_needed, "unless answered");
            }
            assert_eq!(connection.may_answer(rid(1)), ended >= streams_needed);
            assert!(seen(&mut connection, &end_of(kind, 1)).len() <= 1);
        }
    }
}

#[test]
fn an_application_cannot_go_on_after_an_end() {
    let id = rid(1);
    let mut connection = Connection::<2>::new();
    assert_eq!(
        seen(&mut connection, &responder(1, KEEP, &[("A", "b")], b"")).len(),
        4
    );
    for record_type in OUTPUTS {
        let sent = output(&mut connection, record_type, id, false).unwrap();
        assert_eq!(sent, record(record_type.0, 1, b"x", 7));
        assert_eq!(
            output(&mut connection, record_type, id, true),
            Ok(end_of(record_type.0, 1))
        );
        let expected = Err(SendError::Ended { id, record_type });
        assert_eq!(output(&mut connection, record_type, id, true), expected);
        assert_eq!(output(&mut connection, record_type, id, false), expected);
    }
    let refused = connection.refuse(id, Refusal::Overloaded);
    assert_eq!(refused, Err(SendError::AlreadyAnswered { id }));
    assert_eq!(
        *connection.end(id, 0).unwrap(),
        *end_request(1, 0, 0),
        "no end is owed"
    );
}

#[test]
fn an_application_cannot_refuse_what_it_answered() {
    for stream in OUTPUTS {
        for end in [false, true] {
            let mut connection = Connection::<2>::new();
            let request = responder(1, KEEP, &[("A", "b")], b"");
            assert_eq!(seen(&mut connection, &request).len(), 4);
            let id = rid(1);
            assert!(output(&mut connection, stream, id, end).is_ok());
            let refused = connection.refuse(id, Refusal::Overloaded);
            assert_eq!(refused, Err(SendError::AlreadyAnswered { id }));
            let ended = connection.end(id, 0).unwrap();
            let [.., last] = &parse(&ended)[..] else {
                panic!("nothing was sent");
            };
            assert_eq!(last.kind, END_REQUEST);
        }
    }
}

#[test]
fn writing_nothing_ends_nothing() {
    let mut connection = Connection::<2>::new();
    assert_eq!(
        seen(&mut connection, &responder(1, KEEP, &[("A", "b")], b"")).len(),
        4
    );
    assert!(connection.stdout(rid(1), &mut &b""[..]).unwrap().is_none());
    assert!(connection.stderr(rid(1), &mut &b""[..]).unwrap().is_none());
    let owed = [end_of(STDOUT, 1), end_request(1, 0, 0)].concat();
    assert_eq!(
        *connection.end(rid(1), 0).unwrap(),
        *owed,
        "STDERR was not used"
    );

    let mut connection = web_server::Connection::<3>::new();
    let (id, _) = connection.begin(Role::Filter, true).unwrap();
    assert!(connection.params(id, &mut &b""[..]).unwrap().is_none());
    assert_eq!(
        input(&mut connection, RecordType::PARAMS, id, false)
            .unwrap()
            .len(),
        16
    );
}

#[test]
fn a_web_server_sends_the_streams_of_the_role_in_their_order() {
    for (role, streams) in [
        (Role::Responder, 2),
        (Role::Authorizer, 1),
        (Role::Filter, 3),
    ] {
        let mut connection = web_server::Connection::<3>::new();
        let (id, _) = connection.begin(role, true).unwrap();
        for ended in 0..=streams {
            for (at, record_type) in INPUTS.into_iter().enumerate() {
                for end in [false, true] {
                    let mut connection = connection.clone();
                    let sent = input(&mut connection, record_type, id, end);
                    let expected = match (ended, at) {
                        (0, 1 | 2) => Err(SendError::TooEarly { id, record_type }),
                        _ if at >= streams => Err(SendError::NotOfRole { id, record_type }),
                        _ if at > ended => Err(SendError::TooEarly { id, record_type }),
                        _ if at < ended => Err(SendError::Ended { id, record_type }),
                        _ if end => Ok(end_of(record_type.0, 1)),
                        _ => Ok(record(record_type.0, 1, b"x", 7)),
                    };
                    assert_eq!(sent, expected, "{role}, {ended} ended, {record_type} {end}");
                }
            }
            if let Some(&next) = INPUTS[..streams].get(ended) {
                assert!(input(&mut connection, next, id, true).is_ok());
            }
        }
    }
}

#[test]
fn a_web_server_cannot_use_what_is_not_active() {
    let mut connection = web_server::Connection::<3>::new();
    for _ in 0..3 {
        assert!(connection.begin(Role::Responder, true).is_ok());
    }
    let full = connection.begin(Role::Responder, true);
    assert_eq!(full.err(), Some(SendError::Full));
    assert_eq!(seen(&mut connection, &end_request(2, 0, 0)).len(), 1);
    for id in [2, 4, 0xffff].map(rid) {
        let expected = SendError::NotActive { id };
        for stream in INPUTS {
            for end in [false, true] {
                assert_eq!(input(&mut connection, stream, id, end), Err(expected));
            }
        }
        assert_eq!(connection.abort(id).err(), Some(expected));
        assert_eq!(connection.closed(id), None);
    }
    let (id, _) = connection.begin(Role::Responder, true).unwrap();
    assert_eq!(id, rid(2), "the smallest that is free");
}

#[test]
fn an_aborted_request_keeps_its_id_until_its_end() {
    let mut connection = web_server::Connection::<3>::new();
    let (id, _) = connection.begin(Role::Responder, true).unwrap();
    assert_eq!(*connection.abort(id).unwrap(), *abort(1));
    let (next, _) = connection.begin(Role::Responder, true).unwrap();
    assert_eq!((id, next), (rid(1), rid(2)));
    assert_eq!(seen(&mut connection, &end_request(1, 0, 0)).len(), 1);
    assert_eq!(
        connection.abort(id).err(),
        Some(SendError::NotActive { id })
    );
    assert_eq!(connection.begin(Role::Filter, true).unwrap().0, id);
}

#[test]
fn misuse_says_what_and_where() {
    let (id, record_type) = (rid(4711), RecordType::STDERR);
    let all = [
        SendError::Full,
        SendError::NotActive { id },
        SendError::AlreadyAnswered { id },
        SendError::TooEarly { id, record_type },
        SendError::Ended { id, record_type },
        SendError::NotOfRole { id, record_type },
    ];
    let texts = all.map(|error| error.to_string());
    for (at, text) in texts.iter().enumerate() {
        assert!(!texts[..at].contains(text), "{text}");
        assert!(
            at == 0 || (text.contains("4711") && text.contains('§')),
            "{text}"
        );
        assert!(at < 3 || text.contains("FCGI_STDERR"), "{text}");
    }
}
