//! Requests that are refused at their beginning: no slot, no such role, too many at once.

use std::sync::{Arc, Mutex};

use fcgi_tests::blocking::Gate;

use super::*;

#[test]
fn a_second_request_in_the_middle_of_the_input_cannot_be_multiplexed() {
    for readable in [true, false] {
        everywhere(
            |server| server.readable_refusals(readable),
            echo,
            |_, peer| {
                peer.send(begin(1, RESPONDER, KEEP));
                peer.send(params(1, &[("QUERY_STRING", "one")]));
                // Inside PARAMS of the first.
                peer.send(responder(2, KEEP, GET, b"two"));
                is_bare(&peer.answer(2), CANT_MPX_CONN);
                peer.send(end_of(PARAMS, 1));
                peer.send(stream(STDIN, 1, b"ab"));
                // Inside its STDIN, when a handler reads.
                peer.send(responder(2, CLOSE, GET, b"two"));
                is_bare(&peer.answer(2), CANT_MPX_CONN);
                peer.send([stream(STDIN, 1, b"cd"), end_of(STDIN, 1)].concat());
                let answer = peer.answer(1);
                assert_eq!(answer.body(), b"[one]abcd");
                assert_eq!(answer.end, Some((0, REQUEST_COMPLETE)));
                // The refused one asked for the connection's end.
                peer.expect_end();
            },
        );
    }
}

#[test]
fn after_a_refused_second_request_the_connection_is_kept() {
    everywhere(
        |server| server,
        echo,
        |_, peer| {
            let conversation = [
                begin(1, RESPONDER, KEEP),
                begin(2, RESPONDER, KEEP),
                params(1, &[("QUERY_STRING", "one")]),
                params(2, &[("QUERY_STRING", "two")]),
                end_of(PARAMS, 2),
                end_of(PARAMS, 1),
                end_of(STDIN, 2),
                end_of(STDIN, 1),
            ];
            peer.send(conversation.concat());
            is_bare(&peer.answer(2), CANT_MPX_CONN);
            assert_eq!(peer.answer(1).body(), b"[one]");
            lives(peer);
        },
    );
}

#[test]
fn an_unknown_role_is_refused() {
    for readable in [true, false] {
        everywhere(
            |server| server.readable_refusals(readable),
            echo,
            |_, peer| {
                for role in [0, 4, 9, 0xffff] {
                    peer.send(begin(1, role, KEEP));
                    is_bare(&peer.answer(1), UNKNOWN_ROLE);
                    // What was sent before the refusal was read.
                    peer.send(params(1, GET));
                    peer.send([end_of(PARAMS, 1), end_of(STDIN, 1)].concat());
                    lives(peer);
                }
            },
        );
    }
}

#[test]
fn the_refusal_of_a_role_is_not_lost_when_the_connection_closes() {
    everywhere(
        |server| server,
        echo,
        |_, peer| {
            peer.send(begin(1, 9, CLOSE));
            // A web server sends on before it reads.
            peer.wait_readable();
            peer.send(params(1, GET));
            peer.send(stream(STDIN, 1, &[b'x'; 100_000]));
            is_bare(&peer.answer(1), UNKNOWN_ROLE);
            peer.expect_end();
        },
    );
}

#[test]
fn one_request_too_many_gets_a_503() {
    for readable in [true, false] {
        for (least, most) in [(2, 2), (1, 4)] {
            let gate = Gate::default();
            let at_gate = gate.clone();
            let app = blocking::tcp(
                |s| {
                    s.workers(least, most)
                        .max_requests(1)
                        .readable_refusals(readable)
                },
                move |request: &mut Request| {
                    if request.params.text("QUERY_STRING") == "wait" {
                        at_gate.pass();
                    }
                    echo(request)
                },
            );
            let mut first = app.connect();
            first.send(responder(1, KEEP, &[("QUERY_STRING", "wait")], b""));
            gate.wait_for_one();

            let mut second = app.connect();
            second.send(begin(2, RESPONDER, KEEP));
            if readable {
                // Nothing may be answered before the end of PARAMS.
                second.send(params(2, GET));
                second.sync();
                second.send([end_of(PARAMS, 2), stream(STDIN, 2, b"body")].concat());
                is_page(&second.answer(2), "503", 0);
                second.send(end_of(STDIN, 2));
            } else {
                is_bare(&second.answer(2), OVERLOADED);
                second.send(params(2, GET));
                second.send([end_of(PARAMS, 2), end_of(STDIN, 2)].concat());
            }
            app.wait_for_incident("request 2 refused: too many requests at once");

            gate.let_through(1);
            assert_eq!(first.answer(1).body(), b"[wait]");
            // The place is free as soon as the end of the first has been read.
            lives(&mut second);
            lives(&mut first);
        }
    }
}

#[test]
fn the_place_of_a_request_is_free_when_its_end_is_read() {
    for (least, most) in WORKERS {
        let app = blocking::unix(|s| s.workers(least, most).max_requests(1), echo);
        let mut peers = [app.connect(), app.connect()];
        for turn in 0..300 {
            lives(&mut peers[turn % 2]);
        }
        assert_eq!(app.incidents(), [""; 0]);
    }
}

#[test]
fn heads_that_still_come_count_as_requests_and_give_their_place_back() {
    let app = blocking::unix(|s| s.workers(1, 1).max_requests(1), echo);
    let mut slow = app.connect();
    slow.send(begin(1, RESPONDER, KEEP));
    slow.sync();
    let mut other = app.connect();
    is_page(&other.ask(1, responder(1, KEEP, GET, b"")), "503", 0);
    // Aborted.
    slow.send(abort(1));
    assert_eq!(slow.answer(1).end, Some((1, REQUEST_COMPLETE)));
    lives(&mut other);
    // Hung up.
    slow.send(begin(1, RESPONDER, KEEP));
    slow.sync();
    is_page(&other.ask(1, responder(1, KEEP, GET, b"")), "503", 0);
    drop(slow);
    blocking::eventually(
        || other.ask(1, responder(1, KEEP, GET, b"")).body() == b"[]",
        || "the place is not given back".into(),
    );
}

#[test]
fn no_requests_at_all() {
    let handled = Arc::new(Mutex::new(0));
    let count = Arc::clone(&handled);
    let app = blocking::unix(
        |s| s.max_requests(0),
        move |_: &mut Request| {
            *count.lock().unwrap() += 1;
            Ok(())
        },
    );
    let mut peer = app.connect();
    for id in 1..4 {
        is_page(&peer.ask(id, responder(id, KEEP, GET, b"body")), "503", 0);
    }
    assert_eq!(*handled.lock().unwrap(), 0);
}
