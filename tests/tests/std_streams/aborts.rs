//! ABORT_REQUEST (§5.4), whatever the handler is doing.

use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};

use super::*;

type Result = std::result::Result<(), io::ErrorKind>;

/// Does what QUERY_STRING says, and reports how it ended.
fn act(request: &mut Request, gate: &Gate, ended: &Mutex<Sender<Result>>) -> io::Result<()> {
    let result = match &*request.params.text("QUERY_STRING") {
        "read" => io::copy(&mut request.stdin, &mut io::sink()).map(drop),
        "write" => loop {
            if let Err(error) = request.stdout.write_all(&[b'x'; 1000]) {
                break Err(error);
            }
        },
        "flush" => loop {
            let flushed = request
                .stdout
                .write_all(b"x")
                .and_then(|()| request.stdout.flush());
            if let Err(error) = flushed {
                break Err(error);
            }
            thread::sleep(Duration::from_millis(1));
        },
        "work" => {
            assert!(!request.is_aborted());
            gate.pass();
            blocking::eventually(|| request.is_aborted(), || "no abort is seen".into());
            assert!(request.is_aborted(), "it stays so");
            Err(io::ErrorKind::ConnectionAborted.into())
        }
        "ignore" => {
            write!(request.stdout, "page")?;
            gate.pass();
            Ok(())
        }
        _ => return echo(request),
    };
    let kind = result.as_ref().map_err(io::Error::kind).copied();
    ended.lock().unwrap().send(kind).unwrap();
    result
}

/// Every way of running the server; the case gets a connection, the gate and the handlers' results.
fn everywhere(case: impl Fn(&mut WebServer, &Gate, &dyn Fn() -> Result)) {
    for (least, most) in WORKERS {
        let gate = Gate::default();
        let at_gate = gate.clone();
        let (sender, results) = channel();
        let sender = Mutex::new(sender);
        let app = blocking::unix(
            |s| s.workers(least, most),
            move |request: &mut Request| act(request, &at_gate, &sender),
        );
        let mut peer = app.connect();
        case(&mut peer, &gate, &|| {
            results
                .recv_timeout(blocking::PATIENCE)
                .expect("the handler ends")
        });
        lives(&mut peer);
        lives(&mut app.connect());
    }
}

fn query(how: &str) -> Vec<u8> {
    head(1, &[("QUERY_STRING", how)])
}

#[test]
fn while_the_handler_reads() {
    everywhere(|peer, _, result| {
        peer.send([query("read"), stream(STDIN, 1, b"half a bo")].concat());
        peer.sync();
        let answer = peer.ask(1, abort(1));
        assert_eq!(answer.end, Some((1, REQUEST_COMPLETE)));
        assert_eq!(result(), Err(io::ErrorKind::ConnectionAborted));
        // Some web servers send the rest all the same.
        peer.send([stream(STDIN, 1, b"dy"), end_of(STDIN, 1)].concat());
    });
}

#[test]
fn while_the_handler_streams() {
    everywhere(|peer, _, result| {
        for how in ["write", "flush"] {
            peer.send([query(how), end_of(STDIN, 1)].concat());
            let first = peer.record();
            assert_eq!(first.kind, STDOUT);
            peer.send(abort(1));
            assert_eq!(peer.answer(1).end, Some((1, REQUEST_COMPLETE)));
            assert_eq!(result(), Err(io::ErrorKind::ConnectionAborted), "{how}");
        }
    });
}

/// The abort comes while the handler waits for the web server to read.
#[test]
fn while_the_handler_is_stalled_in_a_write() {
    everywhere(|peer, _, result| {
        peer.send([query("write"), end_of(STDIN, 1)].concat());
        peer.wait_readable();
        // Long enough for all buffers to be full.
        thread::sleep(Duration::from_millis(100));
        peer.send(abort(1));
        assert_eq!(result(), Err(io::ErrorKind::ConnectionAborted));
        assert_eq!(peer.answer(1).end, Some((1, REQUEST_COMPLETE)));
    });
}

#[test]
fn while_the_handler_works_and_asks() {
    everywhere(|peer, gate, result| {
        for stdin in [end_of(STDIN, 1), vec![]] {
            peer.send([query("work"), stdin].concat());
            gate.wait_for_one();
            gate.let_through(1);
            peer.send(abort(1));
            assert_eq!(peer.answer(1).end, Some((1, REQUEST_COMPLETE)));
            assert_eq!(result(), Err(io::ErrorKind::ConnectionAborted));
        }
    });
}

/// A hang-up is as good as an abort, as soon as it can be told from a half-close.
#[test]
fn a_web_server_that_goes_away() {
    for how in ["read", "write", "flush"] {
        let (sender, results) = channel();
        let sender = Mutex::new(sender);
        let app = blocking::tcp(
            |s| s,
            move |request: &mut Request| act(request, &Gate::default(), &sender),
        );
        let mut peer = app.connect();
        peer.send(query(how));
        if how != "read" {
            peer.send(end_of(STDIN, 1));
            peer.wait_readable();
        }
        drop(peer);
        let result = results.recv_timeout(blocking::PATIENCE);
        assert!(result.expect("the handler ends").is_err(), "{how}");
        app.wait_for_incident("was given up by the web server");
        lives(&mut app.connect());
    }
}

#[test]
fn a_handler_that_does_not_care_is_ended_all_the_same() {
    everywhere(|peer, gate, result| {
        peer.send([query("ignore"), end_of(STDIN, 1)].concat());
        gate.wait_for_one();
        peer.send(abort(1));
        gate.let_through(1);
        let answer = peer.answer(1);
        assert!(
            answer
                .end
                .is_some_and(|(_, status)| status == REQUEST_COMPLETE)
        );
        assert_eq!(result(), Ok(()));
    });
}

#[test]
fn before_the_handler_has_the_request() {
    everywhere(|peer, _, _| {
        for before in [
            begin(1, RESPONDER, KEEP),
            [begin(1, RESPONDER, KEEP), params(1, GET)].concat(),
            begin(1, FILTER, KEEP),
        ] {
            for pauses in [false, true] {
                peer.send(&before);
                if pauses {
                    peer.sync();
                }
                let answer = peer.ask(1, abort(1));
                // §5.4, §6.1: STDOUT is always ended.
                assert_eq!(answer.order, [STDOUT, END_REQUEST]);
                assert_eq!(answer.end, Some((1, REQUEST_COMPLETE)));
                // What was on its way.
                peer.send([end_of(PARAMS, 1), end_of(STDIN, 1)].concat());
            }
        }
    });
}

#[test]
fn while_the_body_is_collected() {
    let app = blocking::unix(|s| s.workers(1, 1).buffer_body(100), echo);
    let mut peer = app.connect();
    peer.send([head(1, GET), stream(STDIN, 1, b"half a bo")].concat());
    peer.sync();
    assert_eq!(peer.ask(1, abort(1)).end, Some((1, REQUEST_COMPLETE)));
    peer.send([stream(STDIN, 1, b"dy"), end_of(STDIN, 1)].concat());
    lives(&mut peer);
}

#[test]
fn of_no_request_is_nothing() {
    everywhere(|peer, _, _| {
        peer.send([abort(1), abort(7)].concat());
        peer.sync();
    });
}
