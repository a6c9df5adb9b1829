//! Graceful stops. Where a test waits for less than a stop's patience, it shows that the stop did.

use std::sync::{Arc, Mutex};

use super::*;

/// Longer than any test waits.
const LONG: Duration = Duration::from_secs(3600);

/// A server whose handlers wait at the gate when asked to.
fn gated(workers: (usize, usize)) -> (App, Gate) {
    let gate = Gate::default();
    let at_gate = gate.clone();
    let app = blocking::tcp(
        |s| s.workers(workers.0, workers.1),
        move |request: &mut Request| {
            if request.params.text("QUERY_STRING") == "wait" {
                at_gate.pass();
            }
            answer(request)
        },
    );
    (app, gate)
}

#[test]
fn an_idle_server_stops_at_once() {
    for workers in WORKERS {
        let (app, _) = gated(workers);
        let mut peers = [app.connect(), app.connect(), app.connect()];
        lives(&mut peers[0]);
        lives(&mut peers[1]);
        peers[2].sync();
        app.handle().stop(LONG);
        peers.iter_mut().for_each(WebServer::expect_end);
        let address = app.address().clone();
        app.join().unwrap();
        assert!(address.connect().is_err(), "nobody listens any more");
    }
}

#[test]
fn a_server_that_served_nobody_stops_at_once() {
    for workers in WORKERS {
        let (app, _) = gated(workers);
        app.handle().stop(LONG);
        app.join().unwrap();
    }
}

#[test]
fn a_stop_before_the_start() {
    for (least, most) in WORKERS {
        let prepared = blocking::prepare(Socket::Unix).rules(|s| s.workers(least, most));
        prepared.server.handle().stop(LONG);
        prepared.serve(answer).join().unwrap();
    }
    let prepared = blocking::prepare(Socket::Unix);
    prepared.server.handle().stop(LONG);
    let app = prepared.requests(|requests| {
        assert!(requests.accept()?.is_none());
        assert!(requests.accept()?.is_none(), "and so it stays");
        Ok(())
    });
    app.join().unwrap();
}

#[test]
fn a_running_request_is_finished() {
    for workers in WORKERS {
        let (app, gate) = gated(workers);
        let (mut busy, mut idle) = (app.connect(), app.connect());
        lives(&mut idle);
        busy.send(request(1, KEEP, "wait", b"body"));
        gate.wait_for_one();
        let handle = app.handle();
        thread::spawn(move || handle.stop(LONG)).join().unwrap();
        idle.expect_end();
        gate.let_through(1);
        assert_eq!(busy.answer(1).body(), b"[wait]body");
        busy.expect_end();
        app.join().unwrap();
    }
}

#[test]
fn a_request_whose_head_has_begun_is_served() {
    for workers in WORKERS {
        let (app, _) = gated(workers);
        let mut peer = app.connect();
        let whole = request(1, KEEP, "x", b"body");
        let (begun, rest) = whole.split_at(30);
        peer.send(begun);
        // It has been taken in when something behind it was answered: not inside a record.
        let mut other = app.connect();
        other.send(begin(1, RESPONDER, KEEP));
        other.sync();
        lives(&mut app.connect());
        app.handle().stop(LONG);
        other.send([end_of(PARAMS, 1), end_of(STDIN, 1)].concat());
        assert_eq!(other.answer(1).body(), b"[]");
        other.expect_end();
        peer.send(rest);
        assert_eq!(peer.answer(1).body(), b"[x]body");
        peer.expect_end();
        app.join().unwrap();
    }
}

#[test]
fn requests_that_come_after_the_stop_are_refused() {
    for workers in WORKERS {
        let (app, gate) = gated(workers);
        let mut peer = app.connect();
        peer.send([request(1, KEEP, "wait", b""), request(2, KEEP, "late", b"")].concat());
        gate.wait_for_one();
        app.handle().stop(LONG);
        gate.let_through(1);
        assert_eq!(peer.answer(1).body(), b"[wait]");
        let late = peer.answer(2);
        assert_eq!(
            (late.order, late.end),
            (vec![END_REQUEST], Some((0, OVERLOADED)))
        );
        peer.expect_end();
        drop(peer);
        app.join().unwrap();
    }
}

/// An answer that is on its way when the stop begins.
#[test]
fn an_unread_answer_survives_the_stop() {
    for workers in WORKERS {
        let (app, _) = gated(workers);
        let mut peer = app.connect();
        let head = [
            begin(1, RESPONDER, CLOSE),
            params(1, &[("QUERY_STRING", "unread")]),
            end_of(PARAMS, 1),
            stream(STDIN, 1, &[b'x'; 50_000]),
        ];
        peer.send(head.concat());
        peer.wait_readable();
        app.handle().stop(LONG);
        thread::sleep(Duration::from_millis(20));
        peer.send(stream(STDIN, 1, &[b'x'; 50_000]));
        assert_eq!(peer.answer(1).body(), b"[unread]");
        peer.expect_end();
        drop(peer);
        app.join().unwrap();
    }
}

#[test]
fn a_second_stop_shortens_the_first_and_never_lengthens_it() {
    for workers in WORKERS {
        let (app, _) = gated(workers);
        let mut peer = app.connect();
        // Its handler waits for a body that does not come.
        peer.send([begin(1, RESPONDER, KEEP), end_of(PARAMS, 1)].concat());
        peer.sync();
        app.handle().stop(LONG);
        app.handle().stop(Duration::from_millis(50));
        app.handle().stop(LONG);
        peer.expect_end_or_reset();
        app.join().unwrap();
    }
}

#[test]
fn what_is_left_after_the_patience_is_cut_off() {
    for workers in WORKERS {
        for head in [
            // A handler that reads, a head that trickles, an answer that nobody reads.
            [begin(1, RESPONDER, KEEP), end_of(PARAMS, 1)].concat(),
            begin(1, RESPONDER, KEEP),
            request(1, KEEP, "large", b""),
        ] {
            let app = blocking::unix(
                |s| s.workers(workers.0, workers.1),
                |request: &mut Request| {
                    if request.params.text("QUERY_STRING") == "large" {
                        request.stdout.write_all(&vec![b'x'; 4_000_000])?;
                    }
                    answer(request)
                },
            );
            let mut peer = app.connect();
            peer.send(&head);
            thread::sleep(Duration::from_millis(20));
            app.handle().stop(Duration::from_millis(50));
            app.join().unwrap();
            let _ = peer.connection.read_to_end(&mut Vec::new());
        }
    }
}

#[test]
fn a_handler_that_ignores_the_end_is_left_behind_with_an_error() {
    let (app, gate) = gated((2, 2));
    let mut peer = app.connect();
    peer.send(request(1, KEEP, "wait", b""));
    gate.wait_for_one();
    app.handle().stop(Duration::from_millis(20));
    let error = app.join().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert!(
        error.to_string().ends_with("the end of a stop: 1"),
        "{error}"
    );
    gate.let_through(1);
}

#[test]
fn a_stop_from_a_handler() {
    for (least, most) in WORKERS {
        let prepared = blocking::prepare(Socket::Unix).rules(|s| s.workers(least, most));
        let handle = prepared.server.handle();
        let app = prepared.serve(move |request: &mut Request| {
            handle.stop(LONG);
            answer(request)
        });
        let mut peer = app.connect();
        assert_eq!(peer.ask(1, request(1, KEEP, "last", b"")).body(), b"[last]");
        peer.expect_end();
        app.join().unwrap();
    }
}

#[test]
fn a_stop_from_the_report_of_an_incident() {
    for (least, most) in WORKERS {
        let prepared = blocking::prepare(Socket::Unix);
        let handle = prepared.server.handle();
        let app = prepared
            .rules(|s| {
                s.workers(least, most)
                    .on_incident(move |_| handle.stop(LONG))
            })
            .serve(answer);
        let mut idle = app.connect();
        lives(&mut idle);
        let mut broken = app.connect();
        broken.send([2; 8]);
        broken.expect_end_or_reset();
        drop(broken);
        idle.expect_end();
        app.join().unwrap();
    }
}

#[test]
fn a_loop_in_several_threads_ends_in_all_of_them() {
    let held = Arc::<Mutex<Vec<Request>>>::default();
    let keep = Arc::clone(&held);
    let app = blocking::prepare(Socket::Unix).requests(move |requests| {
        thread::scope(|scope| {
            for _ in 0..3 {
                let (requests, keep) = (&requests, &keep);
                scope.spawn(move || {
                    while let Some(request) = requests.accept().unwrap() {
                        keep.lock().unwrap().push(request);
                    }
                });
            }
        });
        Ok(())
    });
    let mut peer = app.connect();
    peer.send([request(1, KEEP, "x", b""), request(1, KEEP, "late", b"")].concat());
    blocking::eventually(|| held.lock().unwrap().len() == 1, || "no request".into());
    app.handle().stop(LONG);
    let mut request = held.lock().unwrap().pop().unwrap();
    answer(&mut request).unwrap();
    request.finish().unwrap();
    assert_eq!(peer.answer(1).body(), b"[x]");
    assert_eq!(peer.answer(1).end, Some((0, OVERLOADED)));
    peer.expect_end();
    app.join().unwrap();
}

/// The threads that wait had no deadline when they began to.
#[test]
fn a_loop_ends_when_the_patience_is_over_though_a_request_is_not() {
    let held = Arc::<Mutex<Vec<Request>>>::default();
    let keep = Arc::clone(&held);
    let app = blocking::prepare(Socket::Unix).requests(move |requests| {
        thread::scope(|scope| {
            for _ in 0..2 {
                let (requests, keep) = (&requests, &keep);
                scope.spawn(move || {
                    while let Some(request) = requests.accept().unwrap() {
                        keep.lock().unwrap().push(request);
                    }
                });
            }
        });
        Ok(())
    });
    let mut peer = app.connect();
    peer.send([request(1, KEEP, "x", b""), request(1, KEEP, "late", b"")].concat());
    blocking::eventually(|| held.lock().unwrap().len() == 1, || "no request".into());
    app.handle().stop(Duration::from_millis(50));
    app.join().unwrap();
    let mut request = held.lock().unwrap().pop().unwrap();
    let cut = request
        .stdin
        .read(&mut [0])
        .and_then(|_| request.stdout.flush());
    assert!(cut.is_err() || request.finish().is_err(), "it was cut off");
    peer.expect_end_or_reset();
}

/// The only thread that there is waits for a body that does not come.
#[test]
fn a_loop_is_cut_off_inside_its_last_request() {
    let app = blocking::prepare(Socket::Unix).requests(|requests| {
        while let Some(mut request) = requests.accept()? {
            assert!(answer(&mut request).is_err(), "it was cut off");
        }
        Ok(())
    });
    let mut peer = app.connect();
    peer.send([begin(1, RESPONDER, KEEP), end_of(PARAMS, 1)].concat());
    peer.sync();
    app.handle().stop(LONG);
    app.handle().stop(Duration::from_millis(50));
    peer.expect_end_or_reset();
    app.join().unwrap();
}
