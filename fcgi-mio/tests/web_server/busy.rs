//! A loop that has been busy elsewhere: what came meanwhile has come in time.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use fcgi_mio::web_server::{Cause, Settings};

use crate::peer::{Peer, page};
use crate::world::*;

const TIMEOUT: Duration = Duration::from_millis(200);

#[test]
fn an_answer_that_came_while_the_loop_was_busy() {
    let (has_answered, answered) = mpsc::channel();
    let peer = Peer::unix(move |door| {
        let mut line = door.accept();
        line.request();
        line.send(page(1, "in time"));
        has_answered.send(()).unwrap();
        line
    });
    let mut world = World::new(Settings::new().response_timeout(TIMEOUT));
    let application = world.application(&peer.address);
    let (_call, log) = send(&application, get("/"));
    // It is sent here, and nothing is read.
    world.outgoing.expired();
    answered.recv().unwrap();
    thread::sleep(TIMEOUT * 2);
    world.outgoing.expired();
    assert!(!log.is_over(), "not all was looked at");
    world.run(&[&log]);
    assert!(log.stdout().ends_with(b"in time"));
    peer.finish();
}

/// The same for a connection that becomes free.
#[test]
fn a_place_that_became_free_while_the_loop_was_busy() {
    let (has_answered, answered) = mpsc::channel();
    let peer = Peer::unix(move |door| {
        let mut line = door.accept();
        line.request();
        line.send(page(1, "one"));
        has_answered.send(()).unwrap();
        line.request();
        line.send(page(1, "two"));
        line
    });
    let settings = Settings::new().max_connections(1).queue_timeout(TIMEOUT);
    let mut world = World::new(settings);
    let application = world.application(&peer.address);
    let (_call, one) = send(&application, get("/1"));
    let (_call, two) = send(&application, get("/2"));
    world.outgoing.expired();
    answered.recv().unwrap();
    thread::sleep(TIMEOUT * 2);
    world.outgoing.expired();
    assert!(!two.is_over(), "not all was looked at");
    world.run(&[&one, &two]);
    assert!(two.stdout().ends_with(b"two"));
    peer.finish();
}

/// Though there is always something to do.
#[test]
fn a_deadline_is_met_after_a_wait() {
    let (is_over, wait) = mpsc::channel::<()>();
    let peer = Peer::unix(move |door| {
        let mut line = door.accept();
        line.request();
        wait.recv().unwrap();
    });
    let mut world = World::new(Settings::new().response_timeout(TIMEOUT));
    let application = world.application(&peer.address);
    let (_call, log) = send(&application, get("/"));
    world.step(Duration::ZERO, |_| panic!("nobody's event"));
    thread::sleep(TIMEOUT * 2);
    // Two waits that find nothing: the second began when the time was over.
    world.step(Duration::ZERO, |_| ());
    world.step(Duration::ZERO, |_| ());
    assert!(matches!(log.failure().2, Cause::ResponseTimedOut));
    is_over.send(()).unwrap();
    peer.finish();
}
