//! Applications that take nothing any more, and what becomes of the requests on their way.

use std::sync::mpsc;
use std::time::Duration;

use fcgi_core::Role;
use fcgi_mio::web_server::{Cause, Request, Settings};
use fcgi_tests::hand::*;

use crate::multiplexing::says_yes;
use crate::peer::{Peer, page};
use crate::world::*;

/// However slowly a body comes: nothing of it is taken. What had not left goes elsewhere.
#[test]
fn a_connection_that_takes_nothing_is_given_up_whatever_is_added_to_it() {
    let (is_over, wait) = mpsc::channel();
    let peer = Peer::unix(move |door| {
        let line = says_yes(door);
        let requests = door.accept().serve("elsewhere").len();
        wait.recv().unwrap();
        drop(line);
        requests
    });
    let timeout = Duration::from_millis(1500);
    let settings = Settings::new().multiplex(3).max_connections(2);
    let mut world = World::new(settings.response_timeout(timeout));
    let application = world.application(&peer.address);
    let (_call, large) = send(&application, post("/large", vec![0; 16 << 20]));
    let mut request = Request::new(Role::Responder);
    request.stream();
    let (call, streamed) = send(&application, request);
    world.run_until("both are sent", |outgoing| outgoing.counters().begun == 2);
    let (_call, other) = send(&application, get("/other"));
    world.run_until("the end", |_| {
        let _ = call.write("x");
        large.is_over() && streamed.is_over() && other.is_over()
    });
    for log in [&large, &streamed] {
        assert!(matches!(log.failure().2, Cause::ResponseTimedOut));
    }
    assert!(other.stdout().ends_with(b"elsewhere"));
    is_over.send(()).unwrap();
    peer.finish();
    let counters = world.outgoing.counters();
    assert_eq!((counters.repeated, counters.timed_out), (1, 2));
}

#[test]
fn of_a_peer_that_has_stopped_reading_the_others_are_taken_away_at_once() {
    let (has_stopped, wait) = mpsc::channel();
    let peer = Peer::unix(move |door| {
        let mut line = says_yes(door);
        line.request();
        line.0.shutdown(std::net::Shutdown::Read).unwrap();
        has_stopped.send(()).unwrap();
        door.accept().serve("two");
        line.send(page(1, "one"));
    });
    let mut world = World::new(Settings::new().multiplex(2).max_connections(2));
    let application = world.application(&peer.address);
    let (_call, one) = send(&application, get("/1"));
    world.run_until("it has stopped", |_| wait.try_recv().is_ok());
    let (_call, two) = send(&application, get("/2"));
    world.run(&[&one, &two]);
    assert!(one.stdout().ends_with(b"one") && two.stdout().ends_with(b"two"));
    peer.finish();
}

/// The body cannot arrive any more, so it is not waited for.
#[test]
fn a_body_that_nobody_takes_does_not_stop_the_clock() {
    let (is_over, wait) = mpsc::channel();
    let peer = Peer::unix(move |door| {
        let mut line = door.accept();
        while line.record().kind != STDIN {}
        line.0.shutdown(std::net::Shutdown::Read).unwrap();
        line.send(stream(STDOUT, 1, b"Status: 200\n\n"));
        wait.recv().unwrap();
    });
    let timeout = Duration::from_millis(200);
    let mut world = World::new(Settings::new().response_timeout(timeout));
    let mut request = Request::new(Role::Responder);
    request.stream();
    let (call, log) = send(&world.application(&peer.address), request);
    call.write("a piece").unwrap();
    world.run_until("an answer", |_| log.stdout_len() > 0);
    call.write("another").unwrap();
    world.run(&[&log]);
    assert!(matches!(log.failure().2, Cause::ResponseTimedOut));
    is_over.send(()).unwrap();
    peer.finish();
}

#[test]
fn each_request_whose_time_is_over_counts_and_idle_connections_do_not() {
    let peer = Peer::unix(|door| {
        let mut line = says_yes(door);
        line.request();
        line.request();
        line.is_closed()
    });
    let timeout = Duration::from_millis(100);
    let settings = Settings::new().multiplex(2).max_connections(1);
    let mut world = World::new(settings.response_timeout(timeout));
    let application = world.application(&peer.address);
    let sent = ["/1", "/2"].map(|path| send(&application, get(path)));
    world.run(&sent.each_ref().map(|(_, log)| log));
    peer.finish();
    assert_eq!(world.outgoing.counters().timed_out, 2);

    let peer = Peer::tcp(|door| {
        for _ in 0..50 {
            door.accept().serve("x");
        }
    });
    let mut world = World::new(Settings::new().idle_timeout(Duration::ZERO));
    let application = world.application(&peer.address);
    for _ in 0..50 {
        let mut request = get("/");
        request.keep_conn(false);
        let (_call, log) = send(&application, request);
        world.run(&[&log]);
    }
    peer.finish();
    assert_eq!(world.outgoing.counters().timed_out, 0);
}
