//! STDOUT and STDERR: what is sent when, and how a request ends.

use std::sync::{Arc, Mutex};

use super::*;

fn unix_stream(peer: &mut WebServer) -> &mut std::os::unix::net::UnixStream {
    match &mut peer.connection {
        fcgi_tests::address::Connection::Unix(stream) => stream,
        fcgi_tests::address::Connection::Tcp(_) => unreachable!("a unix socket"),
    }
}

/// One read on a unix socket that was empty gives what one write has put there, or more.
#[test]
fn a_small_response_is_one_write() {
    for (least, most) in WORKERS {
        let app = blocking::unix(
            |s| s.workers(least, most),
            |request: &mut Request| {
                request.header("Content-Type", "text/plain")?;
                for piece in 0..100 {
                    writeln!(request.stdout, "piece {piece}")?;
                }
                Ok(())
            },
        );
        let mut peer = app.connect();
        for _ in 0..50 {
            peer.send(responder(1, KEEP, GET, b""));
            peer.wait_readable();
            let mut buffer = [0; 10_000];
            let count = unix_stream(&mut peer).read(&mut buffer).unwrap();
            let answer = &answers(&buffer[..count])[&1];
            assert_eq!(answer.order, [STDOUT, STDOUT, END_REQUEST]);
            assert_eq!(answer.end, Some((0, REQUEST_COMPLETE)));
        }
    }
}

#[test]
fn flush_sends_now() {
    for (least, most) in WORKERS {
        let gate = Gate::default();
        let at_gate = gate.clone();
        let app = blocking::unix(
            |s| s.workers(least, most),
            move |request: &mut Request| {
                request.stdout.flush()?;
                at_gate.pass();
                write!(request.stdout, "one")?;
                request.stdout.flush()?;
                request.stdout.flush()?;
                at_gate.pass();
                write!(request.stdout, "two")
            },
        );
        let mut peer = app.connect();
        peer.send(responder(1, KEEP, GET, b""));
        let mut sent = peer.record();
        assert!(sent.content.ends_with(b"\r\n\r\n"), "the head: {sent:?}");
        gate.let_through(1);
        sent = peer.record();
        assert_eq!((sent.kind, &*sent.content), (STDOUT, &b"one"[..]));
        gate.let_through(1);
        let rest = peer.answer(1);
        assert_eq!((&*rest.stdout, rest.order.len()), (&b"two"[..], 3));
    }
}

#[test]
fn stderr_is_sent_at_once_and_ended() {
    for (least, most) in WORKERS {
        let gate = Gate::default();
        let at_gate = gate.clone();
        let app = blocking::unix(
            |s| s.workers(least, most),
            move |request: &mut Request| {
                write!(request.stdout, "page")?;
                request.stderr.write_all(b"oh")?;
                at_gate.pass();
                request.stderr.write_all(b"no")?;
                request.stderr.write_all(b"")?;
                request.stderr.flush()
            },
        );
        let mut peer = app.connect();
        peer.send(responder(1, KEEP, GET, b""));
        let first = peer.record();
        assert_eq!((first.kind, &*first.content), (STDERR, &b"oh"[..]));
        gate.let_through(1);
        let rest = peer.answer(1);
        assert_eq!(rest.stderr, b"no");
        assert!(rest.stderr_ended && rest.stdout_ended);
        assert_eq!(rest.body(), b"page");
        assert_eq!(rest.end, Some((0, REQUEST_COMPLETE)));
    }
}

#[test]
fn without_stderr_nothing_ends_it() {
    let app = blocking::unix(|s| s, |_: &mut Request| Ok(()));
    let answer = app.connect().ask(1, responder(1, KEEP, GET, b""));
    assert_eq!(answer.order, [STDOUT, STDOUT, END_REQUEST]);
}

#[test]
fn the_exit_status_is_the_last_one_that_was_set() {
    let app = blocking::unix(
        |s| s,
        |request: &mut Request| {
            request.set_exit_status(1);
            request.set_exit_status(-2);
            Ok(())
        },
    );
    let answer = app.connect().ask(1, responder(1, KEEP, GET, b""));
    assert_eq!(answer.end, Some((u32::MAX - 1, REQUEST_COMPLETE)));
}

/// What the loop style does with its requests is up to the caller.
#[test]
fn requests_that_are_dropped_are_ended() {
    let errors = Arc::<Mutex<Vec<String>>>::default();
    let kept = Arc::clone(&errors);
    let app = blocking::prepare(blocking::Socket::Unix).requests(move |requests| {
        while let Some(mut request) = requests.accept()? {
            match &*request.params.text("QUERY_STRING") {
                "drop" => {}
                "drop written" => write!(request.stdout, "page")?,
                "drop sent" => {
                    write!(request.stdout, "page")?;
                    request.stdout.flush()?;
                }
                "panic" => {
                    let loose = thread::spawn(move || {
                        write!(request.stdout, "half a page").unwrap();
                        panic!("with a request in hand");
                    });
                    assert!(loose.join().is_err());
                }
                "short" => {
                    request.header("Content-Length", "5")?;
                    write!(request.stdout, "page")?;
                    let error = request.finish().unwrap_err();
                    kept.lock().unwrap().push(error.to_string());
                }
                _ => {
                    write!(request.stdout, "page")?;
                    request.finish()?;
                }
            }
        }
        Ok(())
    });
    let mut peer = app.connect();
    let mut ask = |query: &str| peer.ask(1, responder(1, KEEP, &[("QUERY_STRING", query)], b""));
    for (query, body) in [
        ("drop", ""),
        ("drop written", "page"),
        ("drop sent", "page"),
        ("", "page"),
    ] {
        let answer = ask(query);
        assert_eq!(answer.body(), body.as_bytes(), "{query}");
        assert_eq!(answer.end, Some((0, REQUEST_COMPLETE)), "{query}");
    }
    let answer = ask("panic");
    assert!(answer.head().starts_with("Status: 500 "), "{answer:?}");
    assert_eq!(answer.end, Some((1, REQUEST_COMPLETE)));
    let answer = ask("short");
    assert!(answer.head().starts_with("Status: 500 "), "{answer:?}");
    assert_eq!(answer.end, Some((1, REQUEST_COMPLETE)));
    let expected = ["the body is shorter than its Content-Length"];
    blocking::eventually(
        || *errors.lock().unwrap() == expected,
        || format!("{:?}", errors.lock()),
    );
}
