//! Requests that wait for a connection: how long, and for what.

use std::cell::RefCell;
use std::env;
use std::fs::File;
use std::io;
use std::iter;
use std::net::Shutdown;
use std::process::Command;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use fcgi_mio::web_server::{Application, Cause, End, Flow, Outgoing, Receiver, Settings};
use fcgi_tests::hand::*;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

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

/// Long enough for some attempts.
#[track_caller]
fn neither_ends(world: &mut World, logs: [&Log; 2]) {
    for _ in 0..10 {
        world.step(Duration::from_millis(5), |_| panic!("nobody's event"));
    }
    assert!(logs.iter().all(|log| !log.is_over()));
}

/// One token is one connection, whatever the settings say. Where it rests, it makes room for that
/// of another application; where it does not, the other waits.
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
    let mut line = peer.finish();
    let (answer, go) = channel();
    let other = Peer::unix(move |door| {
        let mut line = door.accept();
        line.request();
        go.recv().unwrap();
        line.send(page(1, "other"));
        line.is_closed()
    });
    let (_other, log) = send(&world.application(&other.address), get("/"));
    world.run_until("it is sent", |outgoing| outgoing.counters().begun == 4);
    assert!(line.is_closed());
    let third = Peer::unix(|door| drop(door.accept().serve("third")));
    let (_third, waits) = send(&world.application(&third.address), get("/"));
    neither_ends(&mut world, [&log, &waits]);
    answer.send(()).unwrap();
    world.run(&[&log, &waits]);
    assert_eq!((log.app_status(), waits.app_status()), (Some(0), Some(0)));
    assert!(other.finish());
    third.finish();
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

/// It takes all descriptors of its process, and so it has one of its own.
#[test]
fn without_a_descriptor_a_request_waits_for_the_connection_that_has_one() {
    let mut test = Command::new(env::current_exe().unwrap());
    test.args(["--ignored", "--exact", "queue::all_descriptors_are_taken"]);
    let output = test.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let is_ok = output.status.success() && said.contains("1 passed");
    assert!(is_ok, "{said}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
#[ignore = "run by the other test"]
fn all_descriptors_are_taken() {
    let limit = Rlimit {
        current: Some(64),
        ..getrlimit(Resource::Nofile)
    };
    setrlimit(Resource::Nofile, limit).unwrap();
    let (waiting, wait) = channel();
    let accepted = Arc::new(AtomicBool::new(false));
    let has_accepted = Arc::clone(&accepted);
    let peer = Peer::unix(move |door| {
        let mut line = door.accept();
        line.request();
        has_accepted.store(true, Ordering::Release);
        wait.recv().unwrap();
        line.send(page(1, "first"));
        line.serve("second");
        line.serve("third");
        line
    });
    let mut world = World::new(Settings::new());
    let application = world.application(&peer.address);
    let (_first, first) = send(&application, get("/1"));
    world.run_until("it is there", |_| accepted.load(Ordering::Acquire));
    let taken: Vec<File> = iter::from_fn(|| File::open("/dev/null").ok()).collect();

    let (_second, second) = send(&application, get("/2"));
    let (_third, third) = send(&application, get("/3"));
    neither_ends(&mut world, [&second, &third]);
    waiting.send(()).unwrap();
    world.run(&[&first, &second, &third]);
    for (log, body) in [(first, "first"), (second, "second"), (third, "third")] {
        assert!(log.stdout().ends_with(body.as_bytes()));
    }
    assert_eq!(world.outgoing.counters().opened, 1);

    // Nobody is left who could give one back.
    let line = peer.finish();
    drop(line);
    world.run_until("it is closed", |outgoing| outgoing.counters().closed == 1);
    let more: Vec<File> = iter::from_fn(|| File::open("/dev/null").ok()).collect();
    let (_lost, lost) = send(&application, get("/4"));
    world.run(&[&lost]);
    let (said, _, cause) = lost.failure();
    assert!(
        matches!(cause, Cause::Connect(_)) && said.contains("os error 24"),
        "{said}"
    );
    drop((taken, more));
}
