//! Deadlines: each fires, says so, and frees the connection.

use std::sync::Mutex;
use std::sync::mpsc::channel;

use super::*;

const SHORT: Duration = Duration::from_millis(100);

#[test]
fn a_head_that_does_not_end() {
    for (least, most) in WORKERS {
        let app = blocking::unix(|s| s.workers(least, most).header_timeout(SHORT), echo);
        let mut slow = app.connect();
        slow.send([begin(1, RESPONDER, KEEP), params(1, GET)].concat());
        slow.expect_end_or_reset();
        app.wait_for_incident("FCGI_PARAMS did not end");
        lives(&mut app.connect());
    }
}

/// Signs of life do not put the deadline of a head off.
#[test]
fn a_head_that_trickles() {
    for (least, most) in WORKERS {
        let app = blocking::unix(|s| s.workers(least, most).header_timeout(SHORT), echo);
        let mut slow = app.connect();
        slow.send(begin(1, RESPONDER, KEEP));
        let mut sent = 0;
        blocking::eventually(
            || {
                thread::sleep(Duration::from_millis(5));
                sent += 1;
                slow.connection
                    .write_all(&record(PARAMS, 1, b"x", 0))
                    .is_err()
            },
            || "the head is waited for without end".into(),
        );
        assert!(sent > 1);
        app.wait_for_incident("FCGI_PARAMS did not end");
    }
}

#[test]
fn a_connection_that_rests() {
    for (least, most) in WORKERS {
        let app = blocking::unix(|s| s.workers(least, most).idle_timeout(SHORT), echo);
        // One that never said anything, and one that was used.
        let mut fresh = app.connect();
        let mut used = app.connect();
        lives(&mut used);
        fresh.expect_end();
        used.expect_end();
        assert_eq!(app.incidents(), [""; 0], "nothing is wrong with that");
    }
}

/// The thread that saw the connection is busy when its time comes; another one is not.
#[test]
fn a_deadline_passes_while_the_thread_that_set_it_is_busy() {
    let gate = Gate::default();
    let at_gate = gate.clone();
    let app = blocking::unix(
        |s| s.workers(2, 2).header_timeout(SHORT).idle_timeout(SHORT),
        move |request: &mut Request| {
            at_gate.pass();
            echo(request)
        },
    );
    // Both threads have waited without a deadline until now.
    thread::sleep(Duration::from_millis(20));
    let mut slow = app.connect();
    slow.send(begin(1, RESPONDER, KEEP));
    slow.sync();
    let mut busy = app.connect();
    busy.send(responder(1, KEEP, GET, b""));
    gate.wait_for_one();
    slow.expect_end_or_reset();
    gate.let_through(1);
    let _ = busy.answer(1);
}

#[test]
fn a_body_that_does_not_come() {
    for (least, most) in WORKERS {
        let (sender, kinds) = channel();
        let sender = Mutex::new(sender);
        let app = blocking::unix(
            |s| s.workers(least, most).body_timeout(SHORT),
            move |request: &mut Request| {
                let result = echo(request);
                if let Err(error) = &result {
                    sender.lock().unwrap().send(error.kind()).unwrap();
                }
                result
            },
        );
        let mut slow = app.connect();
        slow.send([head(1, GET), stream(STDIN, 1, b"half a bo")].concat());
        let answer = slow.answer(1);
        assert_eq!(answer.end, Some((1, REQUEST_COMPLETE)));
        assert_eq!(
            kinds.recv_timeout(blocking::PATIENCE),
            Ok(io::ErrorKind::TimedOut)
        );
        // The rest of the body may still come.
        slow.send([stream(STDIN, 1, b"dy"), end_of(STDIN, 1)].concat());
        lives(&mut slow);
    }
}

#[test]
fn a_body_that_is_collected_and_does_not_come() {
    for (least, most) in WORKERS {
        let app = blocking::unix(
            |s| s.workers(least, most).body_timeout(SHORT).buffer_body(100),
            echo,
        );
        let mut slow = app.connect();
        slow.send([head(1, GET), stream(STDIN, 1, b"half a bo")].concat());
        slow.expect_end_or_reset();
        app.wait_for_incident("FCGI_STDIN did not end");
        lives(&mut app.connect());
    }
}

/// A web server that reads nothing costs the handler an error and nobody anything else.
#[test]
fn an_answer_that_is_not_read() {
    for (least, most) in WORKERS {
        let (sender, kinds) = channel();
        let sender = Mutex::new(sender);
        let app = blocking::unix(
            |s| s.workers(least, most).write_timeout(SHORT),
            move |request: &mut Request| {
                if request.params.content_length().is_some() {
                    return echo(request);
                }
                let result = request.stdout.write_all(&vec![b'x'; 4_000_000]);
                let kind = result.as_ref().map_err(io::Error::kind).copied();
                sender.lock().unwrap().send(kind).unwrap();
                result
            },
        );
        let mut deaf = app.connect();
        deaf.send(responder(1, KEEP, GET, b""));
        assert_eq!(
            kinds.recv_timeout(blocking::PATIENCE),
            Ok(Err(io::ErrorKind::TimedOut))
        );
        lives(&mut app.connect());
        // What was sent before can be read, then the connection is over.
        let mut rest = Vec::new();
        let _ = deaf.connection.read_to_end(&mut rest);
        assert!(rest.len() < 4_000_000);
    }
}

/// The handlers are done, and only the connection waits for the web server to read.
#[test]
fn the_end_of_an_answer_that_is_not_read() {
    for (least, most) in WORKERS {
        let app = blocking::unix(
            |s| s.workers(least, most).write_timeout(SHORT),
            |request: &mut Request| {
                if request.params.content_length().is_some() {
                    return echo(request);
                }
                request.stdout.write_all(&[b'x'; 10_000])
            },
        );
        let mut deaf = app.connect();
        // Small answers until the socket is full.
        let requests = responder(1, KEEP, GET, b"").repeat(200);
        let mut sender = deaf.connection.try_clone().unwrap();
        let sending = thread::spawn(move || {
            // Once the application has closed, it fails.
            let _ = sender.write_all(&requests);
        });
        app.wait_for_incident("the answer was not read");
        lives(&mut app.connect());
        let mut rest = Vec::new();
        let _ = deaf.connection.read_to_end(&mut rest);
        assert!(rest.len() < 200 * 10_000);
        sending.join().unwrap();
    }
}

#[test]
fn endless_deadlines_are_no_mistake() {
    let app = blocking::unix(
        |s| {
            s.header_timeout(Duration::MAX)
                .idle_timeout(Duration::MAX)
                .body_timeout(Duration::MAX)
                .write_timeout(Duration::MAX)
                .drain(1000, Duration::MAX)
        },
        echo,
    );
    let mut peer = app.connect();
    peer.send(begin(1, RESPONDER, KEEP));
    peer.sync();
    peer.send([end_of(PARAMS, 1), stream(STDIN, 1, b"bo")].concat());
    peer.sync();
    peer.send([stream(STDIN, 1, b"dy"), end_of(STDIN, 1)].concat());
    assert_eq!(peer.answer(1).body(), b"body");
    lives(&mut peer);
    app.handle().stop(Duration::MAX);
    app.join().unwrap();
}
