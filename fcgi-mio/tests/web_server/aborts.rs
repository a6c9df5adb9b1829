//! Requests that are given up.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use fcgi_mio::web_server::{Call, End, Flow, Receiver, Settings};
use fcgi_tests::hand::*;

use crate::peer::{Peer, page};
use crate::world::*;

#[test]
fn a_dropped_handle_sends_abort_request_and_the_connection_goes_after_its_end() {
    let peer = Peer::unix(|door| {
        let mut line = door.accept();
        line.request();
        line.send(stream(STDOUT, 1, b"Status: 200\n\n"));
        let abort = line.record();
        // What still comes is nobody's.
        line.send([stream(STDOUT, 1, b"late"), stream(STDERR, 1, b"late")].concat());
        line.send([end_of(STDOUT, 1), end_request(1, 1, REQUEST_COMPLETE)].concat());
        assert!(line.is_closed());
        door.accept().serve("second");
        abort
    });
    let mut world = World::new(Settings::new().max_connections(1));
    let application = world.application(&peer.address);
    let (call, log) = send(&application, get("/"));
    let (_call, second) = send(&application, get("/second"));
    world.run_until("the head", |_| log.stdout_len() > 0);
    drop(call);
    world.run(&[&second]);
    assert_eq!(log.stdout(), b"Status: 200\n\n");
    assert!(!log.is_over() && log.is_dropped());
    let abort = peer.finish();
    assert_eq!(
        (abort.kind, abort.id, abort.content.len()),
        (ABORT_REQUEST, 1, 0)
    );
    let counters = world.outgoing.counters();
    assert_eq!(
        (counters.opened, counters.aborted, counters.reused),
        (2, 1, 0)
    );
}

#[test]
fn in_the_middle_of_a_body_the_records_stay_whole() {
    let peer = Peer::unix(|door| {
        let mut line = door.accept();
        let request = line.request();
        line.send(end_request(1, 1, REQUEST_COMPLETE));
        assert!(line.is_closed());
        door.accept().serve("next");
        request
    });
    let mut world = World::new(Settings::new().max_connections(1));
    let application = world.application(&peer.address);
    let (call, _log) = send(&application, post("/", vec![7; 16 << 20]));
    world.run_until("it is sent", |outgoing| outgoing.counters().begun == 1);
    drop(call);
    let (_call, next) = send(&application, get("/"));
    world.run(&[&next]);
    let request = peer.finish();
    let length: usize = request
        .iter()
        .filter(|r| r.kind == STDIN)
        .map(|r| r.content.len())
        .sum();
    assert!(length > 0 && length < 16 << 20, "{length}");
    assert_eq!(request.last().unwrap().kind, ABORT_REQUEST);
}

#[test]
fn without_keep_conn_the_connection_is_closed() {
    let peer = Peer::unix(|door| {
        let mut line = door.accept();
        line.request();
        line.send(stream(STDOUT, 1, b"Status: 200\n\n"));
        line.is_closed()
    });
    let mut world = World::new(Settings::new());
    let mut request = get("/");
    request.keep_conn(false);
    let (call, log) = send(&world.application(&peer.address), request);
    world.run_until("the head", |_| log.stdout_len() > 0);
    drop(call);
    world.run_until("it is closed", |outgoing| outgoing.counters().closed == 1);
    assert!(peer.finish());
}

#[test]
fn before_it_was_sent_nothing_is() {
    let peer = Peer::unix(|door| door.accept().serve("the other")[0].id);
    let mut world = World::new(Settings::new());
    let application = world.application(&peer.address);
    let (call, log) = send(&application, get("/"));
    drop(call);
    let (_call, other) = send(&application, get("/"));
    world.run(&[&other]);
    assert!(log.is_dropped() && !log.is_over());
    assert_eq!(world.outgoing.counters().begun, 1);
    peer.finish();
}

#[test]
fn in_the_queue_nobody_waits_for_it() {
    let peer = Peer::unix(|door| {
        let mut line = door.accept();
        [line.serve("one").len(), line.serve("three").len()]
    });
    let mut world = World::new(Settings::new().max_connections(1));
    let application = world.application(&peer.address);
    let (_call, one) = send(&application, get("/one"));
    let (two_call, two) = send(&application, get("/two"));
    world.outgoing.expired();
    let (_call, three) = send(&application, get("/three"));
    drop(two_call);
    world.run(&[&one, &three]);
    assert!(two.is_dropped() && !two.is_over());
    assert_eq!(world.outgoing.counters().begun, 2);
    assert_eq!(world.outgoing.counters().aborted, 0);
    peer.finish();
}

#[test]
fn an_application_that_does_not_end_it_loses_the_connection() {
    let peer = Peer::unix(|door| {
        let mut line = door.accept();
        line.request();
        let abort = line.record();
        (abort.kind, line.is_closed())
    });
    let mut world = World::new(Settings::new().abort_timeout(Duration::from_millis(50)));
    let (call, _log) = send(&world.application(&peer.address), get("/"));
    world.run_until("it is sent", |outgoing| outgoing.counters().begun == 1);
    drop(call);
    world.run_until("it is closed", |outgoing| outgoing.counters().closed == 1);
    assert_eq!(peer.finish(), (ABORT_REQUEST, true));
}

#[test]
fn a_detached_request_goes_on() {
    let peer = Peer::unix(|door| door.accept().serve("x").len());
    let mut world = World::new(Settings::new());
    let (call, log) = send(&world.application(&peer.address), get("/"));
    call.detach();
    world.run(&[&log]);
    assert_eq!(log.app_status(), Some(0));
    peer.finish();
}

/// Drops its own handle at the first piece, and sends another request.
struct Fickle {
    own: Rc<RefCell<Option<Call>>>,
    application: fcgi_mio::web_server::Application,
    other: Log,
    others: Rc<RefCell<Vec<Call>>>,
}

impl Receiver for Fickle {
    fn stdout(&mut self, _: &[u8]) -> std::io::Result<Flow> {
        let own = self.own.take().expect("it is called only once");
        drop(own);
        let call = self.application.send(get("/other"), self.other.receiver());
        self.others.borrow_mut().push(call);
        Ok(Flow::More)
    }

    fn end(self: Box<Self>, _: std::io::Result<End>) {
        panic!("its handle was dropped");
    }
}

#[test]
fn a_receiver_may_drop_its_own_handle_and_send_others() {
    let peer = Peer::unix(|door| {
        let mut line = door.accept();
        line.request();
        // Several pieces in one read, and the end.
        line.send(
            [
                stream(STDOUT, 1, b"a"),
                stream(STDOUT, 1, b"b"),
                page(1, "c"),
            ]
            .concat(),
        );
        let next = line.request();
        line.send(page(next.last().unwrap().id, "other"));
        next[0].kind
    });
    let mut world = World::new(Settings::new().max_connections(1));
    let application = world.application(&peer.address);
    let (own, others, other) = (Rc::default(), Rc::default(), Log::default());
    let receiver = Fickle {
        own: Rc::clone(&own),
        application: application.clone(),
        other: other.clone(),
        others: Rc::clone(&others),
    };
    *own.borrow_mut() = Some(application.send(get("/"), receiver));
    world.run_until("the other one is under way", |outgoing| {
        outgoing.counters().begun == 2
    });
    let _ = peer.finish();
    world.run_until("the end", fcgi_mio::web_server::Outgoing::is_idle);
}

/// Takes nothing of an answer.
struct Refuses;

impl Receiver for Refuses {
    fn stdout(&mut self, _: &[u8]) -> std::io::Result<Flow> {
        Err(std::io::Error::other("no"))
    }

    fn end(self: Box<Self>, _: std::io::Result<End>) {}
}

/// The application ends the request before it could be asked to: it may wait for the rest of the
/// body.
#[test]
fn a_request_that_ends_by_itself_before_its_body_is_complete_costs_the_connection() {
    let peer = Peer::unix(|door| {
        let mut line = door.accept();
        let begun = [(); 3].map(|()| line.record().kind);
        line.send(page(1, "early"));
        let is_closed = line.is_closed();
        door.accept().serve("next");
        (begun, is_closed)
    });
    let mut world = World::new(Settings::new().max_connections(1));
    let application = world.application(&peer.address);
    let mut request = fcgi_mio::web_server::Request::new(fcgi_core::Role::Responder);
    request.param("A", "b").unwrap();
    request.stream();
    let call = application.send(request, Refuses);
    world.run_until("it is over", |_| call.is_over());
    let (_call, next) = send(&application, get("/"));
    world.run(&[&next]);
    assert_eq!(peer.finish(), ([BEGIN_REQUEST, PARAMS, PARAMS], true));
}
