//! What is answered or skipped, so that everything else lives on.

use std::collections::BTreeMap;

use fcgi_core::application::{Connection, Event};
use fcgi_core::wire::ProtocolStatus;
use fcgi_core::{Refusal, SendError};
use fcgi_tests::hand::*;
use fcgi_tests::machines::Seen;
use fcgi_tests::machines::observe::rid;

use crate::{BYSTANDER, check_bystander, seen, with_bystander};

/// As [`answers`], for modules that have this name themselves.
pub(crate) fn by_id(sent: &[u8]) -> BTreeMap<u16, Answer> {
    answers(sent)
}

fn refused(id: u16, protocol_status: u8) -> Seen {
    Seen::Reply(end_request(id, 0, protocol_status))
}

/// A whole request for the id, of which nothing may be seen but the answer to its beginning.
fn whole(id: u16, role: u16) -> Vec<u8> {
    [
        begin(id, role, KEEP),
        params(id, &[("A", "b")]),
        end_of(PARAMS, id),
        stream(STDIN, id, b"body"),
        end_of(STDIN, id),
        abort(id),
    ]
    .concat()
}

#[test]
fn unknown_roles_are_refused() {
    for role in [0, 4, 5, 255, 256, 257, 0x8001, 0xffff] {
        let mut connection = with_bystander::<2>();
        let seen = seen(&mut connection, &whole(1, role));
        assert_eq!(seen, [refused(1, UNKNOWN_ROLE)], "role {role}");
        check_bystander(&mut connection);
    }
}

#[test]
fn without_a_free_slot_requests_are_refused() {
    let mut one = with_bystander::<1>();
    assert_eq!(
        seen(&mut one, &whole(1, RESPONDER)),
        [refused(1, CANT_MPX_CONN)]
    );
    assert_eq!(seen(&mut one, &whole(1, 77)), [refused(1, UNKNOWN_ROLE)]);
    check_bystander(&mut one);

    let mut two = with_bystander::<2>();
    assert_eq!(seen(&mut two, &begin(1, FILTER, KEEP)).len(), 1);
    for id in [2, 0xffff] {
        assert_eq!(
            seen(&mut two, &whole(id, AUTHORIZER)),
            [refused(id, OVERLOADED)]
        );
    }
    assert!(!two.end(rid(1), 0).unwrap().is_empty());
    let begun = seen(&mut two, &begin(2, RESPONDER, KEEP));
    assert!(
        matches!(begun[..], [Seen::Begin { id: 2, .. }]),
        "there is room again"
    );
    check_bystander(&mut two);
}

#[test]
fn a_connection_without_any_slot_refuses_all() {
    let mut none = Connection::<0>::new();
    assert_eq!(
        seen(&mut none, &whole(1, RESPONDER)),
        [refused(1, OVERLOADED)]
    );
}

#[test]
fn a_connection_that_is_about_to_close_refuses() {
    let mut connection = with_bystander::<4>();
    let begun = seen(&mut connection, &begin(1, RESPONDER, CLOSE));
    assert!(matches!(begun[..], [Seen::Begin { keep: false, .. }]));
    assert_eq!(
        seen(&mut connection, &whole(2, RESPONDER)),
        [refused(2, OVERLOADED)]
    );
    assert!(!connection.end(rid(1), 0).unwrap().is_empty());
    assert!(!connection.should_close(), "the bystander runs (§5.1)");
    check_bystander(&mut connection);
    assert!(connection.should_close());

    let mut stopping = with_bystander::<4>();
    stopping.stop_accepting();
    assert_eq!(
        seen(&mut stopping, &whole(2, RESPONDER)),
        [refused(2, OVERLOADED)]
    );
    check_bystander(&mut stopping);
    assert!(stopping.should_close());

    let mut refusing = Connection::<4>::new();
    assert_eq!(
        seen(&mut refusing, &begin(1, 9, CLOSE)),
        [refused(1, UNKNOWN_ROLE)]
    );
    assert!(refusing.should_close(), "a refused request counts too");
}

#[test]
fn a_begin_may_be_longer_than_its_body_and_have_other_flags() {
    for length in [8, 9, 16, 255, 65_535] {
        let mut content = vec![0xff; length];
        content[..2].copy_from_slice(&[0, 2]);
        let bytes = record(BEGIN_REQUEST, 1, &content, 1);
        let mut connection = with_bystander::<2>();
        let (id, role, keep) = (1, AUTHORIZER, true);
        assert_eq!(
            seen(&mut connection, &bytes),
            [Seen::Begin { id, role, keep }]
        );
        content[2] = 0xfe;
        let mut connection = with_bystander::<2>();
        let begun = seen(&mut connection, &record(BEGIN_REQUEST, 1, &content, 1));
        assert!(matches!(begun[..], [Seen::Begin { keep: false, .. }]));
        check_bystander(&mut connection);
    }
}

#[test]
fn unknown_management_types_are_answered() {
    let mut connection = with_bystander::<2>();
    for kind in (12..=255).chain([0]) {
        for content in [&b""[..], b"content"] {
            let seen = seen(&mut connection, &record(kind, 0, content, 1));
            assert_eq!(seen, [Seen::Reply(unknown_type(kind))]);
        }
    }
    check_bystander(&mut connection);
}

#[test]
fn what_nobody_asked_for_is_skipped() {
    let mut connection = with_bystander::<2>();
    // Answers to questions that were not put: two peers that reflect them would never stop.
    for kind in [GET_VALUES_RESULT, UNKNOWN_TYPE] {
        for content in [&b""[..], b"abc", &[0; 8]] {
            assert_eq!(seen(&mut connection, &record(kind, 0, content, 1)), []);
        }
    }
    // Types that nobody knows, and management types with an id.
    for kind in (GET_VALUES..=255).chain([0]) {
        for id in [BYSTANDER, 1] {
            assert_eq!(seen(&mut connection, &record(kind, id, b"abc", 1)), []);
        }
    }
    check_bystander(&mut connection);
}

#[test]
fn aborts_are_told_once_and_only_of_active_requests() {
    for (role, ended) in [(RESPONDER, 0), (RESPONDER, 2), (AUTHORIZER, 1), (FILTER, 2)] {
        let mut connection = with_bystander::<2>();
        assert_eq!(seen(&mut connection, &abort(1)), [], "before its begin");
        let streams = [PARAMS, STDIN].map(|kind| end_of(kind, 1));
        let bytes = [begin(1, role, KEEP), streams[..ended].concat()].concat();
        assert_eq!(seen(&mut connection, &bytes).len(), 1 + ended);
        assert_eq!(seen(&mut connection, &abort(1)), [Seen::Abort(1)]);
        assert_eq!(seen(&mut connection, &abort(1).repeat(3)), [], "twice");
        assert!(!connection.end(rid(1), 1).unwrap().is_empty());
        assert_eq!(seen(&mut connection, &abort(1)), [], "after its end");
        assert_eq!(seen(&mut connection, &begin(1, role, KEEP)).len(), 1);
        assert_eq!(
            seen(&mut connection, &abort(1)),
            [Seen::Abort(1)],
            "the next one"
        );
        check_bystander(&mut connection);
    }
}

#[test]
fn a_request_that_is_refused_by_the_caller_is_skipped_from_there_on() {
    let refusals = [
        (Refusal::CantMultiplex, 0, CANT_MPX_CONN),
        (Refusal::Overloaded, 0, OVERLOADED),
        (Refusal::UnknownRole, 0, UNKNOWN_ROLE),
        (Refusal::ParamsTooLong { limit: 1 }, 0, OVERLOADED),
        (Refusal::TooManyParams { limit: 1 }, 0, OVERLOADED),
        (Refusal::MalformedParams { at: 0 }, 1, REQUEST_COMPLETE),
    ];
    for (refusal, app_status, protocol_status) in refusals {
        let mut connection = with_bystander::<2>();
        let bytes = record(PARAMS, 1, b"\x01\x01Ab", 5);
        let mut input = &[begin(1, RESPONDER, KEEP), bytes].concat()[..];
        assert!(matches!(
            connection.receive(&mut input),
            Ok(Some(Event::Begin { .. }))
        ));
        // In the middle of a record.
        let (mut half, rest) = input.split_at(10);
        assert!(matches!(
            connection.receive(&mut half),
            Ok(Some(Event::Params { .. }))
        ));
        let reply = connection.refuse(rid(1), refusal).unwrap();
        assert_eq!(
            reply.ends(),
            Some((rid(1), ProtocolStatus(protocol_status)))
        );
        assert_eq!(
            *reply.encode(1, 1),
            *end_request(1, app_status, protocol_status)
        );
        let late = [
            rest,
            &end_of(PARAMS, 1),
            &stream(STDIN, 1, b"late"),
            &abort(1),
        ]
        .concat();
        assert_eq!(seen(&mut connection, &late), []);
        let again = connection.refuse(rid(1), refusal);
        assert_eq!(again.err(), Some(SendError::NotActive { id: rid(1) }));
        check_bystander(&mut connection);
    }
}
