//! Connections: opened, kept, used again, closed.

use std::time::Duration;

use fcgi_core::Role;
use fcgi_mio::web_server::{Request, Settings};
use fcgi_tests::hand::*;

use crate::peer::{Door, Peer, page};
use crate::world::*;

#[test]
fn a_request_byte_for_byte() {
    let script = |door: &Door| {
        let mut line = door.accept();
        let request = line.request();
        line.send(
            [
                stream(STDERR, 1, b"oops"),
                stream(STDOUT, 1, b"Status: 200\n\nhi"),
            ]
            .concat(),
        );
        line.send(
            [
                end_of(STDOUT, 1),
                end_request(1, 0xdead_beef, REQUEST_COMPLETE),
            ]
            .concat(),
        );
        request
    };
    for peer in [Peer::unix(script), Peer::tcp(script)] {
        let mut world = World::new(Settings::new());
        let mut request = Request::new(Role::Responder);
        request.param("A", "b").unwrap();
        request.body("a body");
        let (_call, log) = send(&world.application(&peer.address), request);
        world.run(&[&log]);
        assert_eq!(log.stdout(), b"Status: 200\n\nhi");
        assert_eq!(log.stderr(), b"oops");
        assert_eq!(log.app_status(), Some(0xdead_beef));
        assert!(log.is_dropped());
        let expected = responder(1, KEEP, &[("A", "b")], b"a body");
        let strip = |records: Vec<Record>| -> Vec<_> {
            records
                .into_iter()
                .map(|r| (r.kind, r.id, r.content))
                .collect()
        };
        assert_eq!(strip(peer.finish()), strip(parse(&expected)));
    }
}

#[test]
fn all_roles() {
    let peer = Peer::unix(|door| {
        let mut line = door.accept();
        let authorizer = [line.record(), line.record(), line.record()];
        line.send(end_request(1, 0, REQUEST_COMPLETE));
        let mut filter = line.request();
        filter.extend([line.record(), line.record()]);
        line.send(end_request(1, 0, REQUEST_COMPLETE));
        (authorizer, filter)
    });
    let mut world = World::new(Settings::new());
    let application = world.application(&peer.address);
    let mut request = Request::new(Role::Authorizer);
    request.param("A", "b").unwrap();
    request.body("it gets none");
    let (_call, log) = send(&application, request);
    world.run(&[&log]);
    let mut request = Request::new(Role::Filter);
    request.param("A", "b").unwrap();
    request.data("a file");
    let (_call, log) = send(&application, request);
    world.run(&[&log]);
    let (authorizer, filter) = peer.finish();
    let kinds = |records: &[Record]| -> Vec<_> {
        records.iter().map(|r| (r.kind, r.content.len())).collect()
    };
    assert_eq!(
        kinds(&authorizer),
        [(BEGIN_REQUEST, 8), (PARAMS, 4), (PARAMS, 0)]
    );
    assert_eq!(authorizer[0].content[1], 2);
    assert_eq!(
        kinds(&filter),
        [
            (BEGIN_REQUEST, 8),
            (PARAMS, 4),
            (PARAMS, 0),
            (STDIN, 0),
            (DATA, 6),
            (DATA, 0)
        ]
    );
}

#[test]
fn a_connection_is_used_again_only_after_end_request() {
    let peer = Peer::unix(|door| {
        let mut line = door.accept();
        line.request();
        // All of the answer, but for its end.
        line.send(page_without_end(1, "one"));
        let mut other = door.accept();
        other.serve("two");
        line.send(end_request(1, 0, REQUEST_COMPLETE));
        // Nobody knows which of the two is taken for the third.
        (line, other)
    });
    let mut world = World::new(Settings::new().max_connections(2));
    let application = world.application(&peer.address);
    let (_call, one) = send(&application, get("/one"));
    world.run_until("the answer", |_| one.stdout_len() > 0);
    let (_call, two) = send(&application, get("/two"));
    world.run(&[&one, &two]);
    assert_eq!(world.outgoing.counters().opened, 2);
    assert_eq!(world.outgoing.counters().reused, 0);
    let (_call, three) = send(&application, get("/three"));
    world.run_until("it is sent", |outgoing| outgoing.counters().begun == 3);
    assert_eq!(world.outgoing.counters().opened, 2);
    assert_eq!(world.outgoing.counters().reused, 1);
    drop(peer.finish());
    world.run(&[&three]);
}

fn page_without_end(id: u16, body: &str) -> Vec<u8> {
    let text = format!("Content-Type: text/plain\r\n\r\n{body}");
    [stream(STDOUT, id, text.as_bytes()), end_of(STDOUT, id)].concat()
}

#[test]
fn one_connection_serves_many_requests_in_turn() {
    let script = |door: &Door| {
        let mut line = door.accept();
        for _ in 0..50 {
            line.serve("x");
        }
    };
    for peer in [Peer::unix(script), Peer::tcp(script)] {
        let mut world = World::new(Settings::new().max_connections(1));
        let application = world.application(&peer.address);
        let sent: Vec<_> = (0..50).map(|_| send(&application, get("/"))).collect();
        let logs: Vec<_> = sent.iter().map(|(_, log)| log).collect();
        world.run(&logs);
        peer.finish();
        let counters = world.outgoing.counters();
        assert_eq!((counters.opened, counters.begun), (1, 50));
        assert_eq!((counters.reused, counters.multiplexed), (49, 0));
    }
}

#[test]
fn without_keep_conn_each_request_has_its_connection() {
    let peer = Peer::unix(|door| {
        for _ in 0..2 {
            let mut line = door.accept();
            assert_eq!(line.serve("x")[0].content[2], CLOSE);
        }
        // STDOUT has ended, and END_REQUEST never comes.
        let mut line = door.accept();
        line.request();
        line.send(page_without_end(1, "x"));
    });
    let mut world = World::new(Settings::new());
    let application = world.application(&peer.address);
    for expected in [Some(0), Some(0), None] {
        let mut request = get("/");
        request.keep_conn(false);
        let (_call, log) = send(&application, request);
        world.run(&[&log]);
        assert_eq!(log.app_status(), expected);
    }
    peer.finish();
    assert_eq!(world.outgoing.counters().opened, 3);
    world.run_until("they are closed", |outgoing| {
        outgoing.counters().closed == 3
    });
}

#[test]
fn a_connection_whose_input_was_not_read_is_closed() {
    let peer = Peer::unix(|door| {
        let mut line = door.accept();
        line.record();
        line.send(page(1, "too early"));
        let mut other = door.accept();
        other.serve("y");
    });
    let mut world = World::new(Settings::new());
    let application = world.application(&peer.address);
    let mut request = get("/");
    request.stream();
    let (_call, early) = send(&application, request);
    world.run(&[&early]);
    assert_eq!(early.app_status(), Some(0));
    world.run_until("it is closed", |outgoing| outgoing.counters().closed == 1);
    let (_call, other) = send(&application, get("/"));
    world.run(&[&other]);
    peer.finish();
}

#[test]
fn idle_connections_are_closed_in_time_and_cost_no_wakeups() {
    let peer = Peer::unix(|door| {
        let mut line = door.accept();
        line.serve("x");
        line.is_closed()
    });
    let mut world = World::new(Settings::new().idle_timeout(Duration::from_millis(200)));
    let (_call, log) = send(&world.application(&peer.address), get("/"));
    world.run(&[&log]);
    let before = world.waits;
    while world.outgoing.counters().closed == 0 {
        world.step(PATIENCE, |_| {});
    }
    assert!(world.waits - before < 10, "{} waits", world.waits - before);
    assert!(peer.finish());
    assert!(world.outgoing.next_deadline().is_none());
}
