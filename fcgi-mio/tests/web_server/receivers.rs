//! Receivers and producers: what they refuse, and what they do wrong.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use fcgi_core::Role;
use fcgi_mio::web_server::{End, Flow, Receiver, Request, Settings, whole};
use fcgi_mio::{Body, Chunk, Producer};
use fcgi_tests::hand::*;

use crate::peer::Peer;
use crate::world::*;

#[test]
fn a_whole_answer_must_be_one() {
    let cases: [(&[u8], &str); 4] = [
        (b"no head at all\n\n", "line 1 of the head has no colon"),
        (
            b"Content-Type: text/plain\n",
            "output ended inside line 2 of the head",
        ),
        (b"", "output ended inside line 1 of the head"),
        (b"Status: 200\n\n12345", "the body is longer than 4 bytes"),
    ];
    for (stdout, said) in cases {
        let peer = Peer::unix(move |door| {
            let mut line = door.accept();
            line.request();
            line.send([stream(STDOUT, 1, stdout), end_of(STDOUT, 1)].concat());
            line.send(end_request(1, 0, REQUEST_COMPLETE));
        });
        let mut world = World::new(Settings::new());
        let result = Rc::new(RefCell::new(None));
        let place = Rc::clone(&result);
        let receiver = whole(4, move |answer| {
            *place.borrow_mut() = Some(answer.map(|_| ()).map_err(|error| error.to_string()));
        });
        let application = world.application(&peer.address);
        let _call = application.send(get("/p"), receiver);
        world.run_until("the end", |_| result.borrow().is_some());
        peer.finish();
        let text = result.take().unwrap().unwrap_err();
        let expected = format!(
            "GET /p to {}: the answer was not taken: {said}",
            application.address()
        );
        assert_eq!(text, expected);
    }
}

#[test]
fn a_receiver_or_producer_that_panics_costs_its_own_request() {
    struct Panics;
    impl Receiver for Panics {
        fn stdout(&mut self, _: &[u8]) -> io::Result<Flow> {
            panic!("on purpose");
        }
        fn end(self: Box<Self>, _: io::Result<End>) {}
    }
    impl Producer for Panics {
        fn produce(&mut self, _: &mut Chunk<'_>) -> io::Result<bool> {
            panic!("on purpose");
        }
    }
    let peer = Peer::unix(|door| {
        let mut line = door.accept();
        line.serve("x");
        line.request(); // up to ABORT_REQUEST
        line.send(end_request(1, 0, REQUEST_COMPLETE));
        door.accept().serve("y");
    });
    let mut world = World::new(Settings::new().max_connections(1));
    let application = world.application(&peer.address);
    let call = application.send(get("/"), Panics);
    world.run_until("it is over", |_| call.is_over());
    let mut request = Request::new(Role::Responder);
    request.body(Body::producer(Panics));
    let (_call, log) = send(&application, request);
    world.run(&[&log]);
    assert!(
        log.failure()
            .0
            .ends_with("the body of the request failed: it panicked")
    );
    let (_call, log) = send(&application, get("/"));
    world.run(&[&log]);
    assert_eq!(log.app_status(), Some(0));
    peer.finish();
}

/// Where a receiver, or the body that comes with it, panics.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Stdout,
    Stderr,
    Room,
    Check,
    End,
    Drop,
    BodyDrop,
}

/// Panics there.
struct At(Place, Rc<RefCell<Vec<&'static str>>>);

impl At {
    fn pass(&self, name: &'static str, place: Place) {
        self.1.borrow_mut().push(name);
        assert_ne!(self.0, place, "on purpose");
    }
}

impl Receiver for At {
    fn stdout(&mut self, _: &[u8]) -> io::Result<Flow> {
        self.pass("stdout", Place::Stdout);
        Ok(Flow::More)
    }
    fn stderr(&mut self, _: &[u8]) {
        self.pass("stderr", Place::Stderr);
    }
    fn room(&mut self) {
        self.pass("room", Place::Room);
    }
    fn check(&mut self) -> io::Result<()> {
        self.pass("check", Place::Check);
        Ok(())
    }
    fn end(self: Box<Self>, result: io::Result<End>) {
        let name = if result.is_ok() { "end" } else { "failure" };
        self.pass(name, Place::End);
    }
}

impl Drop for At {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.pass("drop", Place::Drop);
        }
    }
}

/// A file that panics when it is let go.
struct File(Place);

impl Producer for File {
    fn produce(&mut self, chunk: &mut Chunk<'_>) -> io::Result<bool> {
        chunk.write(b"file");
        Ok(false)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        assert_ne!(self.0, Place::BodyDrop, "on purpose");
    }
}

#[test]
fn wherever_a_receiver_panics_the_others_go_on() {
    let all = ["room", "stdout", "stderr", "check", "end", "drop"];
    for (place, heard) in [
        (Place::Room, &["room", "drop"][..]),
        (Place::Stdout, &["room", "stdout", "drop"]),
        (Place::Stderr, &["room", "stdout", "stderr", "drop"]),
        (
            Place::Check,
            &["room", "stdout", "stderr", "check", "failure", "drop"],
        ),
        (Place::End, &all[..5]),
        (Place::Drop, &all),
        (Place::BodyDrop, &all),
    ] {
        let peer = Peer::unix(move |door| {
            let mut line = door.accept();
            let is_aborted = line.request().last().unwrap().kind == ABORT_REQUEST;
            if !is_aborted {
                while !line.record().content.is_empty() {}
            }
            line.send([stream(STDOUT, 1, b"x"), stream(STDERR, 1, b"e")].concat());
            line.send([end_of(STDOUT, 1), end_request(1, 0, REQUEST_COMPLETE)].concat());
            // It may come behind ABORT_REQUEST, and then on another connection.
            loop {
                match read_record(&mut line.0) {
                    Ok(Some(record)) if record.kind == BEGIN_REQUEST => break,
                    Ok(Some(_)) => {}
                    Ok(None) | Err(_) => line = door.accept(),
                }
            }
            line.serve("y");
        });
        let mut world = World::new(Settings::new().max_connections(1));
        let application = world.application(&peer.address);
        let notes = Rc::default();
        let mut request = Request::new(Role::Filter);
        request.stream();
        request.data(Body::producer(File(place)));
        let call = application.send(request, At(place, Rc::clone(&notes)));
        call.write("a piece").unwrap();
        world.run_until("room", |_| {
            call.room() > 0 && !notes.borrow().is_empty() || call.is_over()
        });
        call.finish();
        let (_call, log) = send(&application, get("/"));
        world.run(&[&log]);
        assert_eq!(log.app_status(), Some(0), "{place:?}");
        assert!(call.is_over());
        assert_eq!(*notes.borrow(), heard, "{place:?}");
        peer.finish();
        assert!(world.outgoing.is_idle());
    }
}
