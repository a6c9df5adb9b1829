//! Management records (§4): answered between requests, in the middle of one, and while a handler
//! runs.

use std::time::Instant;

use super::*;

const ALL: [&str; 4] = [
    "FCGI_MAX_CONNS",
    "FCGI_MAX_REQS",
    "FCGI_MPXS_CONNS",
    "FCGI_OTHER",
];

#[track_caller]
fn is_answered(peer: &mut WebServer) {
    let record = peer.record();
    assert_eq!((record.kind, record.id), (GET_VALUES_RESULT, 0));
    let mut pairs = pairs(&record.content);
    pairs.sort();
    let expected = [
        ("FCGI_MAX_CONNS", "77"),
        ("FCGI_MAX_REQS", "1"),
        ("FCGI_MPXS_CONNS", "0"),
    ];
    let expected = expected.map(|(name, value)| (name.into(), value.into()));
    assert_eq!(pairs, expected);
}

#[test]
fn before_between_and_in_the_middle_of_requests() {
    for (least, most) in WORKERS {
        for buffered in [0, 1000] {
            let app = blocking::unix(
                |s| {
                    s.workers(least, most)
                        .max_connections(77)
                        .buffer_body(buffered)
                },
                echo,
            );
            let mut peer = app.connect();
            let ask = get_values(&ALL);
            for _ in 0..2 {
                for part in [
                    vec![],
                    begin(1, RESPONDER, KEEP),
                    params(1, GET),
                    end_of(PARAMS, 1),
                    stream(STDIN, 1, b"bo"),
                    stream(STDIN, 1, b"dy"),
                ] {
                    peer.send([&*part, &ask].concat());
                    is_answered(&mut peer);
                }
                peer.send(end_of(STDIN, 1));
                assert_eq!(peer.answer(1).body(), b"body");
            }
        }
    }
}

#[test]
fn an_unknown_type_is_answered_everywhere_too() {
    let app = blocking::unix(|s| s, echo);
    let mut peer = app.connect();
    for part in [vec![], head(1, GET), stream(STDIN, 1, b"body")] {
        peer.send([&*part, &record(77, 0, b"whatever", 3)].concat());
        assert_eq!(peer.record().bytes(), unknown_type(77));
    }
    peer.send(end_of(STDIN, 1));
    assert_eq!(peer.answer(1).body(), b"body");
}

/// A handler that only writes, and one that only asks whether it is aborted.
#[test]
fn while_a_handler_does_not_read() {
    for (least, most) in WORKERS {
        for writes in [true, false] {
            let gate = Gate::default();
            let at_gate = gate.clone();
            let app = blocking::unix(
                |s| s.workers(least, most).max_connections(77),
                move |request: &mut Request| {
                    at_gate.pass();
                    // Longer than the test waits.
                    let until = Instant::now() + 2 * blocking::PATIENCE;
                    while request.stdin.announced() == Some(0) && Instant::now() < until {
                        if writes {
                            request.stderr.write_all(b".")?;
                        } else if request.is_aborted() {
                            break;
                        }
                        thread::sleep(Duration::from_millis(1));
                    }
                    Ok(())
                },
            );
            let mut peer = app.connect();
            peer.send([head(1, &[("CONTENT_LENGTH", "0")]), end_of(STDIN, 1)].concat());
            gate.wait_for_one();
            gate.let_through(1);
            peer.send(get_values(&ALL));
            let answer = loop {
                let record = peer.record();
                if record.kind != STDERR {
                    break record;
                }
            };
            assert_eq!(answer.kind, GET_VALUES_RESULT, "writes: {writes}");
            peer.send(abort(1));
            assert!(peer.answer(1).end.is_some());
        }
    }
}

#[test]
fn while_a_handler_does_nothing_at_all_it_is_answered_afterwards() {
    for (least, most) in WORKERS {
        let gate = Gate::default();
        let at_gate = gate.clone();
        let app = blocking::unix(
            |s| s.workers(least, most).max_connections(77),
            move |_: &mut Request| {
                at_gate.pass();
                Ok(())
            },
        );
        let mut peer = app.connect();
        peer.send(responder(1, KEEP, GET, b""));
        gate.wait_for_one();
        peer.send(get_values(&ALL));
        gate.let_through(1);
        assert_eq!(peer.answer(1).end, Some((0, REQUEST_COMPLETE)));
        is_answered(&mut peer);
    }
}

#[test]
fn many_questions_that_nobody_reads_are_no_way_to_fill_the_memory() {
    let app = blocking::unix(
        |s| s.workers(1, 1).write_timeout(Duration::from_millis(100)),
        echo,
    );
    let mut peer = app.connect();
    let questions = get_values(&ALL).repeat(1000);
    let taken = blocking::PATIENCE;
    let begun = Instant::now();
    while peer.connection.write_all(&questions).is_ok() {
        assert!(
            begun.elapsed() < taken,
            "everything is taken in and answered"
        );
    }
    app.wait_for_incident("the answer was not read");
    lives(&mut app.connect());
}

/// Nor are they while a handler waits for the rest of a body.
#[test]
fn many_questions_inside_a_body_are_none_either() {
    const MOST: usize = 100_000_000;
    for (least, most) in WORKERS {
        let app = blocking::unix(
            |s| {
                s.workers(least, most)
                    .write_timeout(Duration::from_millis(100))
            },
            echo,
        );
        let mut peer = app.connect();
        peer.send(head(1, GET));
        let questions = get_values(&ALL).repeat(1000);
        let mut sent = 0;
        while peer.connection.write_all(&questions).is_ok() {
            sent += questions.len();
            assert!(sent < MOST, "everything is taken in and answered");
        }
        app.wait_for_incident("was given up by the web server");
        lives(&mut app.connect());
    }
}

/// They only have to be answered in time.
#[test]
fn many_questions_inside_a_body_that_are_read_late() {
    const COUNT: usize = 20_000;
    for (least, most) in WORKERS {
        let app = blocking::unix(|s| s.workers(least, most).max_connections(77), echo);
        let mut peer = app.connect();
        let mut sender = peer.connection.try_clone().unwrap();
        let sending = thread::spawn(move || {
            let questions = get_values(&ALL).repeat(COUNT);
            let body = [stream(STDIN, 1, b"body"), end_of(STDIN, 1)].concat();
            let whole = [head(1, GET), questions, body].concat();
            sender.write_all(&whole).unwrap();
        });
        thread::sleep(Duration::from_millis(50));
        for _ in 0..COUNT {
            is_answered(&mut peer);
        }
        assert_eq!(peer.answer(1).body(), b"body");
        sending.join().unwrap();
    }
}
