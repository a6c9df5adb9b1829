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
        line.serve("y");
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
