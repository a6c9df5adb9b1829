//! Kept connections that the application has closed.

use std::io::{Read, Write};
use std::net::Shutdown;

use fcgi_core::Role;
use fcgi_mio::web_server::{Request, Settings};
use fcgi_tests::hand::*;

use crate::peer::{Door, Peer};
use crate::world::*;

/// Serves one request, takes the second on the same connection, sends `answered` for it and closes;
/// then serves what comes on another.
fn script(answered: Vec<u8>) -> impl Fn(&Door) -> usize {
    move |door| {
        let mut line = door.accept();
        line.serve("first");
        line.request();
        line.send(&answered);
        drop(line);
        let mut line = door.accept();
        let mut count = 0;
        loop {
            let mut first = [0];
            if line.0.read(&mut first).unwrap() == 0 {
                return count;
            }
            // The first byte is the version of a record.
            let mut rest = vec![0; 7];
            line.0.read_exact(&mut rest).unwrap();
            let length = usize::from(rest[3]) << 8 | usize::from(rest[4]);
            let mut content = vec![0; length + usize::from(rest[5])];
            line.0.read_exact(&mut content).unwrap();
            if rest[0] == STDIN && length == 0 {
                count += 1;
                line.send(crate::peer::page(1, "again"));
            }
        }
    }
}

/// What comes of a second request, and how many reach the second connection.
fn second(request: Request, answered: Vec<u8>) -> (Log, u64, usize) {
    let peer = Peer::unix(script(answered));
    let mut world = World::new(Settings::new());
    let application = world.application(&peer.address);
    let (_call, first) = send(&application, get("/first"));
    world.run(&[&first]);
    let (_call, log) = send(&application, request);
    world.run(&[&log]);
    // The peer waits for another connection in any case.
    let mut last = get("/last");
    last.keep_conn(false);
    let (_call, last_log) = send(&application, last);
    world.run(&[&last_log]);
    let repeated = world.outgoing.counters().repeated;
    drop(world);
    (log, repeated, peer.finish())
}

fn repeatable(mut request: Request) -> Request {
    request.repeatable(true);
    request
}

#[test]
fn a_repeatable_request_goes_out_again_once() {
    for request in [get("/"), post("/", vec![1; 100_000])] {
        let (log, repeated, served) = second(repeatable(request), Vec::new());
        assert_eq!(log.app_status(), Some(0));
        assert!(log.stdout().ends_with(b"again"));
        assert_eq!((repeated, served), (1, 2));
    }
}

#[test]
fn others_fail() {
    let mut streamed = repeatable(get("/"));
    streamed.body(fcgi_mio::Body::producer(Once));
    for request in [get("/"), streamed] {
        let (log, repeated, served) = second(request, Vec::new());
        let (text, ..) = log.failure();
        assert!(
            text.ends_with("closed the connection before it answered"),
            "{text}"
        );
        assert_eq!((repeated, served), (0, 1));
    }
}

/// A body that can be made only once.
struct Once;

impl fcgi_mio::Producer for Once {
    fn produce(&mut self, chunk: &mut fcgi_mio::Chunk<'_>) -> std::io::Result<bool> {
        chunk.write(b"x");
        Ok(false)
    }
}

#[test]
fn after_a_byte_of_the_answer_no_request_goes_out_again() {
    let head = stream(STDOUT, 1, b"Status: 200\n");
    for answered in [
        head[..1].to_vec(),
        head[..9].to_vec(),
        head,
        stream(STDERR, 1, b"x"),
    ] {
        let (log, repeated, served) = second(repeatable(get("/")), answered);
        assert!(log.failure().0.contains("the answer is cut short"));
        assert_eq!((repeated, served), (0, 1));
    }
}

#[test]
fn a_fresh_connection_that_breaks_is_no_stale_one() {
    let peer = Peer::unix(|door| {
        door.accept().request();
        door.accept().serve("x");
    });
    let mut world = World::new(Settings::new());
    let application = world.application(&peer.address);
    let (_call, log) = send(&application, repeatable(get("/")));
    world.run(&[&log]);
    assert!(
        log.failure()
            .0
            .ends_with("closed the connection before it answered")
    );
    let (_call, other) = send(&application, get("/"));
    world.run(&[&other]);
    peer.finish();
}

/// On a unix socket a write to a peer that has gone fails at once: nobody has seen the request.
#[test]
fn a_request_of_which_nothing_was_taken_goes_out_again_whatever_it_is() {
    let (mut ours, mut theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let peer = Peer::unix(move |door| {
        let mut line = door.accept();
        line.serve("first");
        theirs.read_exact(&mut [0]).unwrap();
        line.0.shutdown(Shutdown::Both).unwrap();
        theirs.write_all(b"x").unwrap();
        door.accept().serve("again").len()
    });
    let mut world = World::new(Settings::new());
    let application = world.application(&peer.address);
    let (_call, first) = send(&application, get("/first"));
    world.run(&[&first]);
    ours.write_all(b"x").unwrap();
    ours.read_exact(&mut [0]).unwrap();
    // It is closed, and no event was looked at since.
    let mut request = Request::new(Role::Responder);
    request.stream();
    let (call, log) = send(&application, request);
    world.outgoing.expired();
    call.write("not repeatable").unwrap();
    call.finish();
    world.run(&[&log]);
    assert!(log.stdout().ends_with(b"again"));
    assert!(peer.finish() > 3);
    assert_eq!(world.outgoing.counters().opened, 2);
}

#[test]
fn all_kept_connections_may_be_stale() {
    let (mut ours, mut theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let peer = Peer::unix(move |door| {
        let mut lines = [door.accept(), door.accept(), door.accept()];
        for line in &mut lines {
            line.serve("first");
        }
        theirs.read_exact(&mut [0]).unwrap();
        for line in &mut lines {
            line.0.shutdown(Shutdown::Both).unwrap();
        }
        theirs.write_all(b"x").unwrap();
        door.accept().serve("again").len()
    });
    let mut world = World::new(Settings::new().max_connections(3));
    let application = world.application(&peer.address);
    let sent = [(); 3].map(|()| send(&application, get("/")));
    world.run(&sent.each_ref().map(|(_, log)| log));
    ours.write_all(b"x").unwrap();
    ours.read_exact(&mut [0]).unwrap();
    let (_call, log) = send(&application, get("/"));
    // They are closed, and no event was looked at since.
    world.outgoing.expired();
    world.run(&[&log]);
    assert!(log.stdout().ends_with(b"again"));
    peer.finish();
    assert_eq!(world.outgoing.counters().repeated, 1);
}
