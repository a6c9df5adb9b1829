//! Requests that wait for a connection: how long, and for what.

use std::cell::RefCell;
use std::io;
use std::net::Shutdown;
use std::rc::Rc;
use std::time::{Duration, Instant};

use fcgi_listen::Address;
use fcgi_mio::web_server::{Application, End, Flow, Outgoing, Receiver, Settings};
use fcgi_tests::hand::*;

use crate::multiplexing::says_yes;
use crate::peer::{Peer, fill_backlog, narrow_door, page, remove};
use crate::world::*;

/// Notes its name when it ends.
struct Named(&'static str, Rc<RefCell<Vec<&'static str>>>);

impl Receiver for Named {
    fn stdout(&mut self, _: &[u8]) -> io::Result<Flow> {
        Ok(Flow::More)
    }

    fn end(self: Box<Self>, result: io::Result<End>) {
        assert!(result.is_err());
        self.1.borrow_mut().push(self.0);
    }
}

#[test]
fn a_request_that_goes_out_again_does_not_prolong_the_wait_of_others() {
    let timeout = Duration::from_secs(1);
    let (door, address) = narrow_door();
    let settings = Settings::new().max_connections(1).queue_timeout(timeout);
    let mut world = World::new(settings);
    let application = world.application(&address);
    let (_call, first) = send(&application, get("/first"));
    world.run_until("it is sent", |outgoing| outgoing.counters().begun == 1);
    let mut line = door.accept();
    line.serve("first");
    world.run(&[&first]);

    let ended = Rc::default();
    let receiver = |name| Named(name, Rc::clone(&ended));
    let mut again = get("/again");
    again.repeatable(true);
    let _again = application.send(again, receiver("again"));
    let _other = application.send(get("/other"), receiver("other"));
    world.run_until("it is sent", |outgoing| outgoing.counters().begun == 2);
    line.request();
    let fillers = fill_backlog(&address);
    let gap = Instant::now() + timeout / 2;
    world.run_until("the time", |_| Instant::now() > gap);
    line.0.shutdown(Shutdown::Both).unwrap();
    world.run_until("both ended", |_| ended.borrow().len() == 2);
    assert_eq!(world.outgoing.counters().repeated, 1);
    assert_eq!(*ended.borrow(), ["other", "again"]);
    drop(fillers);
    remove(&address);
}

/// Three requests at once.
#[track_caller]
fn three_end_well(world: &mut World, application: &Application) {
    let sent = ["/1", "/2", "/3"].map(|path| send(application, get(path)));
    world.run(&sent.each_ref().map(|(_, log)| log));
    for (_, log) in &sent {
        assert_eq!(log.app_status(), Some(0));
    }
}

/// One token is one connection, whatever the settings say.
#[test]
fn without_a_token_a_request_waits_for_the_connection_that_has_one() {
    let peer = Peer::unix(|door| {
        let mut line = door.accept();
        for _ in 0..3 {
            line.serve("x");
        }
        line
    });
    let mut world = World::new(Settings::new());
    world.outgoing = Outgoing::new(world.poll.registry(), 7..8, Settings::new()).unwrap();
    let application = world.application(&peer.address);
    three_end_well(&mut world, &application);
    // It is kept, and so there is none for another application.
    let line = peer.finish();
    let other = Address::Ip(([127, 0, 0, 1], 9).into());
    let (_call, log) = send(&world.application(&other), get("/"));
    world.run(&[&log]);
    let said = log.failure().0;
    assert!(
        said.ends_with("no token is left for another connection"),
        "{said}"
    );
    drop(line);
}

/// An application that claims to multiplex, and refuses all but the first.
#[test]
fn all_that_are_refused_on_a_shared_connection_go_out_again() {
    let peer = Peer::unix(|door| {
        let mut line = says_yes(door);
        for id in 1..=3 {
            assert_eq!(line.request()[0].id, id);
        }
        line.send(
            [
                end_request(3, 0, CANT_MPX_CONN),
                end_request(2, 0, CANT_MPX_CONN),
            ]
            .concat(),
        );
        let mut others = [door.accept(), door.accept()];
        for other in &mut others {
            other.serve("x");
        }
        line.send(page(1, "x"));
    });
    let mut world = World::new(Settings::new().multiplex(16).max_connections(3));
    let application = world.application(&peer.address);
    three_end_well(&mut world, &application);
    peer.finish();
}

/// Until the receiver goes on nothing is read there, and that may be when the new one has ended.
#[test]
fn a_new_request_does_not_join_one_whose_receiver_pauses() {
    let peer = Peer::unix(|door| {
        let mut line = says_yes(door);
        line.request();
        line.send(stream(STDOUT, 1, b"Status: 200\n\n"));
        door.accept().serve("the other");
        line.send(end_request(1, 0, REQUEST_COMPLETE));
    });
    let mut world = World::new(Settings::new().multiplex(2).max_connections(2));
    let application = world.application(&peer.address);
    let paused = Log::default().paused();
    let call = application.send(get("/1"), paused.receiver());
    world.run_until("a piece", |_| paused.stdout_len() > 0);
    let (_call, other) = send(&application, get("/2"));
    world.run(&[&other]);
    assert!(other.stdout().ends_with(b"the other") && !paused.is_over());
    call.resume();
    world.run(&[&paused]);
    peer.finish();
}

#[test]
fn any_number_of_requests_may_be_allowed_to_wait() {
    let peer = Peer::tcp(|door| {
        let mut line = door.accept();
        for _ in 0..3 {
            line.serve("x");
        }
    });
    let settings = Settings::new().max_connections(1);
    let mut world = World::new(settings.max_waiting(usize::MAX));
    let application = world.application(&peer.address);
    three_end_well(&mut world, &application);
    peer.finish();
}

/// It cannot use the connection that there is.
#[test]
fn without_a_token_a_request_that_goes_out_again_gets_that_of_a_connection_at_rest() {
    let peer = Peer::unix(|door| {
        let mut line = says_yes(door);
        line.request();
        line.request();
        line.send([end_request(2, 0, CANT_MPX_CONN), page(1, "one")].concat());
        assert!(line.is_closed());
        door.accept().serve("two");
    });
    let settings = Settings::new().multiplex(2);
    let mut world = World::new(settings.clone());
    world.outgoing = Outgoing::new(world.poll.registry(), 7..8, settings).unwrap();
    let application = world.application(&peer.address);
    let sent = ["/1", "/2"].map(|path| send(&application, get(path)));
    world.run(&sent.each_ref().map(|(_, log)| log));
    assert!(sent[0].1.stdout().ends_with(b"one") && sent[1].1.stdout().ends_with(b"two"));
    peer.finish();
}
