//! Parameters over their caps or malformed, bodies over their limit.

use std::io::BufRead;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// A parameter of so many bytes in all, lengths included.
fn long_parameter(bytes: usize) -> Vec<u8> {
    let value = "v".repeat(bytes - 6 - "LONG".len() + 1);
    let pair = pair("LONG", value);
    assert_eq!(pair.len(), bytes);
    pair
}

/// PARAMS that are refused at their end or before it, then a good request with the same id. What
/// was refused must not show up in it.
#[test]
fn parameters_over_a_cap() {
    let bytes = long_parameter(300);
    let pairs = pair_bytes(&[("A", "b"); 7]);
    for (refused, readable) in [
        (&bytes, true),
        (&bytes, false),
        (&pairs, true),
        (&pairs, false),
    ] {
        let head = [stream(PARAMS, 1, refused), end_of(PARAMS, 1)];
        let at_end = refused == &pairs;
        everywhere(
            |s| s.params_limits(200, 6).readable_refusals(readable),
            echo,
            |app, peer| {
                peer.send(begin(1, RESPONDER, KEEP));
                peer.send(&head[0]);
                if readable {
                    peer.sync();
                }
                if readable || at_end {
                    peer.send(&head[1]);
                }
                let answer = peer.answer(1);
                if readable {
                    is_page(&answer, "431", 0);
                } else {
                    is_bare(&answer, OVERLOADED);
                }
                // The rest of it, which is skipped.
                if !readable && !at_end {
                    peer.send(&head[1]);
                }
                peer.send([stream(STDIN, 1, b"body"), end_of(STDIN, 1)].concat());
                let good = peer.ask(1, responder(1, KEEP, &[("QUERY_STRING", "good")], b""));
                assert_eq!(good.body(), b"[good]");
                app.wait_for_incident("request 1 refused: more than");
            },
        );
    }
}

#[test]
fn what_was_refused_is_not_part_of_the_next_request_however_it_is_cut() {
    let refused = [
        begin(1, RESPONDER, KEEP),
        stream(PARAMS, 1, b"\x0c\x05QUERY_STRING"),
        stream(PARAMS, 1, &[b'x'; 300]),
        end_of(PARAMS, 1),
        end_of(STDIN, 1),
    ];
    let good = responder(1, KEEP, &[("QUERY_STRING", "good")], b"");
    for readable in [true, false] {
        let app = blocking::unix(
            |s| s.params_limits(200, 9).readable_refusals(readable),
            |request: &mut Request| {
                assert_eq!(request.params.iter().count(), 1);
                echo(request)
            },
        );
        // After this many records there is a pause in which all before is taken in.
        for pause in 0..=refused.len() {
            let mut peer = app.connect();
            peer.send(refused[..pause].concat());
            if readable && pause < 4 {
                peer.sync();
            }
            peer.send([&*refused[pause..].concat(), &good].concat());
            let records = read_to_end_of(&mut peer.connection, 1);
            let second = peer.answer(1);
            assert_eq!(answers(&records).len(), 1);
            assert_eq!(second.body(), b"[good]", "{second:?}");
        }
    }
}

#[test]
fn an_aborted_head_is_not_part_of_the_next_request() {
    let app = blocking::unix(|s| s, echo);
    let aborted = [
        begin(1, RESPONDER, KEEP),
        stream(PARAMS, 1, &pair("QUERY_STRING", "aborted")),
    ];
    let good = responder(1, KEEP, &[("QUERY_STRING", "good")], b"");
    for pauses in [false, true] {
        let mut peer = app.connect();
        peer.send(aborted.concat());
        if pauses {
            peer.sync();
        }
        peer.send([abort(1), good.clone()].concat());
        assert_eq!(peer.answer(1).end, Some((1, REQUEST_COMPLETE)));
        assert_eq!(peer.answer(1).body(), b"[good]");
    }
}

#[test]
fn malformed_parameters_get_a_400_and_no_handler() {
    let handled = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&handled);
    let handler = move |request: &mut Request| {
        if request.params.text("QUERY_STRING") != "lives" {
            count.fetch_add(1, Ordering::Relaxed);
        }
        echo(request)
    };
    let whole = pair("QUERY_STRING", "never");
    for readable in [true, false] {
        everywhere(
            |s| s.readable_refusals(readable),
            handler.clone(),
            |app, peer| {
                for cut in [1, 2, whole.len() - 1] {
                    let request = [
                        begin(1, RESPONDER, KEEP),
                        stream_of(PARAMS, 1, &whole[..cut], 5),
                        end_of(PARAMS, 1),
                        stream(STDIN, 1, b"body"),
                        end_of(STDIN, 1),
                    ];
                    is_page(&peer.ask(1, request.concat()), "400", 1);
                }
                app.wait_for_incident("FCGI_PARAMS end inside the pair");
                lives(peer);
            },
        );
    }
    assert_eq!(handled.load(Ordering::Relaxed), 0);
}

#[test]
fn a_body_that_is_announced_too_long_gets_a_413_at_once() {
    for readable in [true, false] {
        everywhere(
            |s| s.max_body(10).readable_refusals(readable),
            |request: &mut Request| {
                assert_ne!(request.params.content_length(), Some(11), "it was refused");
                echo(request)
            },
            |_, peer| {
                peer.send(begin(1, RESPONDER, KEEP));
                peer.send(params(1, &[("CONTENT_LENGTH", "11")]));
                peer.send(end_of(PARAMS, 1));
                is_page(&peer.answer(1), "413", 0);
                peer.send([stream(STDIN, 1, b"12345678901"), end_of(STDIN, 1)].concat());
                let fits = responder(1, KEEP, &[("CONTENT_LENGTH", "10")], b"1234567890");
                assert_eq!(peer.ask(1, fits).body(), b"[]1234567890");
            },
        );
    }
}

#[test]
fn a_body_that_turns_out_too_long_gets_a_413() {
    for buffered in [0, 4, 100] {
        everywhere(
            |s| s.max_body(10).buffer_body(buffered),
            echo,
            |app, peer| {
                for (piece, last) in [(1, "1"), (11, "1"), (3, "12345")] {
                    let body = format!("1234567890{last}");
                    let request = [
                        begin(1, RESPONDER, KEEP),
                        params(1, GET),
                        end_of(PARAMS, 1),
                        stream_of(STDIN, 1, body.as_bytes(), piece),
                        end_of(STDIN, 1),
                    ];
                    is_page(&peer.ask(1, request.concat()), "413", 1);
                }
                app.wait_for_incident("longer than this server takes");
                assert_eq!(
                    peer.ask(1, responder(1, KEEP, GET, b"1234567890")).body(),
                    b"[]1234567890"
                );
            },
        );
    }
}

#[test]
fn a_body_over_its_limit_stays_over_it() {
    let app = blocking::unix(
        |s| s.max_body(10),
        |request: &mut Request| {
            let mut buffer = [0; 8];
            request.stdin.read_exact(&mut buffer)?;
            for room in [8, 1, 1] {
                let read = request.stdin.read(&mut buffer[..room]);
                let error = read.map_err(|error| error.kind());
                assert_eq!(error, Err(io::ErrorKind::FileTooLarge));
            }
            for _ in 0..3 {
                let error = request.stdin.fill_buf().map_err(|error| error.kind());
                assert_eq!(error, Err(io::ErrorKind::FileTooLarge));
            }
            Ok(())
        },
    );
    let mut peer = app.connect();
    let request = [
        begin(1, RESPONDER, KEEP),
        end_of(PARAMS, 1),
        stream_of(STDIN, 1, &[b'x'; 24], 8),
        end_of(STDIN, 1),
    ];
    peer.send(request.concat());
    let answer = peer.answer(1);
    assert_eq!(answer.end, Some((0, REQUEST_COMPLETE)), "{answer:?}");
}

#[test]
fn a_body_over_its_limit_after_the_head_was_sent_cuts_the_answer() {
    everywhere(
        |s| s.max_body(10),
        |request: &mut Request| {
            if request.params.text("QUERY_STRING") == "lives" {
                return echo(request);
            }
            request.stdout.flush()?;
            io::copy(&mut request.stdin, &mut io::sink()).map(drop)
        },
        |_, peer| {
            let answer = peer.ask(1, responder(1, KEEP, GET, b"12345678901"));
            assert!(!answer.head().contains("Status"), "{}", answer.head());
            assert_eq!(
                (answer.body(), answer.end),
                (&b""[..], Some((1, REQUEST_COMPLETE)))
            );
            lives(peer);
        },
    );
}

/// A Filter may be answered only after its STDIN (§6.1).
#[test]
fn a_filter_is_refused_when_it_may_be_answered() {
    everywhere(
        |s| s.params_limits(200, 6).max_body(10),
        echo,
        |_, peer| {
            let long = long_parameter(300);
            let announced = pair("CONTENT_LENGTH", "11");
            for (bytes, status, app_status) in [
                (&*long, "431", 0),
                (&*announced, "413", 0),
                (b"\x01", "400", 1),
            ] {
                peer.send(begin(1, FILTER, KEEP));
                peer.send([stream(PARAMS, 1, bytes), end_of(PARAMS, 1)].concat());
                peer.send(stream(STDIN, 1, b"12345678901"));
                peer.sync();
                peer.send(end_of(STDIN, 1));
                is_page(&peer.answer(1), status, app_status);
                peer.send([stream(DATA, 1, b"file"), end_of(DATA, 1)].concat());
            }
            lives(peer);
        },
    );
}
