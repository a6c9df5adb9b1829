//! How much memory connections and events take, and that so many requests really fit.

use std::mem::size_of;

use fcgi_core::application::{self, Event};
use fcgi_core::wire::Role;
use fcgi_core::{Reply, RequestId, SendError, web_server};
use fcgi_tests::hand::*;
use fcgi_tests::machines::observe::rid;

const ROLES: [Role; 3] = [Role::Responder, Role::Authorizer, Role::Filter];

#[test]
fn connections_take_no_more_than_promised() {
    assert!(size_of::<application::Connection<1>>() <= 64);
    assert!(size_of::<application::Connection<16>>() <= 128);
    assert!(size_of::<application::Connection<256>>() <= 1200);
    assert!(size_of::<web_server::Connection<1>>() <= 64);
    assert!(size_of::<web_server::Connection<16>>() <= 128);
    assert!(size_of::<web_server::Connection<256>>() <= 1200);
}

/// The formulas in the documentation of both types.
#[test]
fn a_request_takes_four_bytes() {
    fn application<const N: usize>() -> usize {
        assert!(size_of::<application::Connection<N>>() <= 60 + 4 * N);
        size_of::<application::Connection<N>>()
    }
    fn web_server<const N: usize>() -> usize {
        assert!(size_of::<web_server::Connection<N>>() <= 64 + 4 * (N - 1));
        size_of::<web_server::Connection<N>>()
    }
    let sizes = [
        application::<1>(),
        application::<16>(),
        application::<256>(),
    ];
    assert_eq!(sizes.map(|size| size - sizes[0]), [0, 60, 1020]);
    let sizes = [web_server::<1>(), web_server::<16>(), web_server::<256>()];
    assert_eq!(sizes.map(|size| size - sizes[0]), [0, 60, 1020]);
}

#[test]
fn events_are_small() {
    assert!(size_of::<Event<'_>>() <= 32);
    assert!(size_of::<Option<Event<'_>>>() <= 32);
    assert!(size_of::<web_server::Event<'_>>() <= 32);
    assert!(size_of::<Reply>() <= 8);
}

/// Ids from 1 to 65535, evenly spread, both ends among them.
fn spread(at: usize, count: usize) -> u16 {
    let id = if count == 1 {
        65_535
    } else {
        1 + at * 65_534 / (count - 1)
    };
    u16::try_from(id).expect("at most 65535")
}

/// Feeds bytes of which one event is to come.
fn one_event<'i, const N: usize>(
    connection: &mut application::Connection<N>,
    bytes: &'i [u8],
) -> Event<'i> {
    let mut input = bytes;
    let event = connection.receive(&mut input).unwrap();
    assert_eq!(connection.receive(&mut input), Ok(None));
    event.expect("one event")
}

/// Runs `N` requests of all roles at the same time, through all their streams, to their ends.
fn run_application<const N: usize>() {
    let mut connection = application::Connection::<N>::new();
    let requests: Vec<_> = (0..N).map(|at| (spread(at, N), ROLES[at % 3])).collect();
    for &(id, role) in &requests {
        let bytes = begin(id, role.number(), KEEP);
        let begun = Event::Begin {
            id: rid(id),
            role,
            keep_conn: true,
        };
        assert_eq!(one_event(&mut connection, &bytes), begun);
    }
    assert_eq!(connection.active(), N);
    let refused = begin(2, RESPONDER, KEEP);
    let event = one_event(&mut connection, &refused);
    assert!(
        matches!(event, Event::Reply(reply) if reply.ends().is_some()),
        "it is full"
    );

    for kind in [PARAMS, STDIN, DATA] {
        for &(id, role) in &requests {
            let streams = match role {
                Role::Authorizer => 1,
                Role::Responder => 2,
                Role::Filter => 3,
            };
            if [PARAMS, STDIN, DATA][..streams].contains(&kind) {
                let body = id.to_be_bytes();
                let piece = stream(kind, id, &body);
                let (event_id, bytes) = match one_event(&mut connection, &piece) {
                    Event::Params { id, bytes } => (id, bytes),
                    Event::Stdin { id, bytes } | Event::Data { id, bytes } => (id, bytes),
                    other => panic!("{other:?}"),
                };
                assert_eq!((event_id.get(), bytes), (id, &body[..]));
                one_event(&mut connection, &end_of(kind, id));
            }
        }
    }
    let mut output = Vec::new();
    for &(id, role) in &requests {
        assert_eq!(connection.role(rid(id)), Some(role));
        assert!(connection.is_input_done(rid(id)) && connection.may_answer(rid(id)));
        let body = id.to_be_bytes();
        let record = connection.stdout(rid(id), &mut &body[..]).unwrap().unwrap();
        output.extend(record.parts().concat());
    }
    for &(id, _) in requests.iter().rev() {
        output.extend_from_slice(&connection.end(rid(id), id.into()).unwrap());
    }
    assert_eq!(connection.active(), 0);
    let answers = answers(&output);
    assert_eq!(answers.len(), N);
    for (id, answer) in answers {
        assert_eq!(answer.stdout, id.to_be_bytes());
        assert_eq!(answer.end, Some((id.into(), REQUEST_COMPLETE)));
    }
}

#[test]
fn so_many_requests_run_at_the_same_time_in_an_application() {
    run_application::<1>();
    run_application::<16>();
    run_application::<256>();
}

/// The same at the web server, which chooses the smallest ids.
fn run_web_server<const N: usize>() {
    let mut connection = web_server::Connection::<N>::new();
    let mut sent = Vec::new();
    for at in 0..N {
        let (id, begin) = connection.begin(ROLES[at % 3], true).unwrap();
        assert_eq!(usize::from(id.get()), at + 1);
        sent.extend_from_slice(&begin);
    }
    assert_eq!(
        connection.begin(Role::Responder, true).err(),
        Some(SendError::Full)
    );
    let expected: Vec<_> = (0..N)
        .flat_map(|at| begin(u16::try_from(at + 1).unwrap(), ROLES[at % 3].number(), KEEP))
        .collect();
    assert_eq!(sent, expected);
    let mut ids: Vec<RequestId> = connection.ids().collect();
    ids.sort_unstable();
    for &id in &ids {
        let bytes = [stream(STDOUT, id.get(), b"x"), end_request(id.get(), 3, 0)].concat();
        let mut input = &*bytes;
        let event = connection.receive(&mut input).unwrap();
        assert!(matches!(event, Some(web_server::Event::Stdout { .. })));
        let event = connection.receive(&mut input).unwrap();
        assert!(matches!(event, Some(web_server::Event::End { id: ended, .. }) if ended == id));
    }
    assert_eq!((ids.len(), connection.active()), (N, 0));
}

#[test]
fn so_many_requests_run_at_the_same_time_in_a_web_server() {
    run_web_server::<1>();
    run_web_server::<16>();
    run_web_server::<256>();
}
