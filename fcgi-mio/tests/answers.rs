//! What goes over the wire when requests are served, and when they cannot be.

mod kit;

use std::io;
use std::panic::resume_unwind;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::Duration;

use fcgi_mio::{Settings, whole};
use fcgi_tests::hand::*;
use kit::*;

#[test]
fn a_request_in_one_piece_and_byte_by_byte() {
    everywhere(
        |s| s,
        echo,
        |_, peer| {
            let request = responder(1, KEEP, &[("QUERY_STRING", "q")], b"body");
            let whole = peer.ask(1, &request);
            assert_eq!(whole.body(), b"[q]body");
            assert_eq!(whole.order, [STDOUT, STDOUT, END_REQUEST]);
            for byte in aligned(&request) {
                peer.send([byte]);
            }
            assert_eq!(peer.answer(1), whole);
            let cut = [
                begin(2, RESPONDER, CLOSE),
                stream_of(PARAMS, 2, &pair("QUERY_STRING", "in pieces"), 3),
                end_of(PARAMS, 2),
                stream_of(STDIN, 2, b"some more", 2),
                end_of(STDIN, 2),
            ];
            assert_eq!(peer.ask(2, cut.concat()).body(), b"[in pieces]some more");
            peer.expect_end();
        },
    );
}

#[test]
fn all_roles() {
    everywhere(
        |s| s,
        echo,
        |_, peer| {
            peer.send(
                [
                    begin(1, AUTHORIZER, KEEP),
                    params(1, &[("QUERY_STRING", "may I")]),
                ]
                .concat(),
            );
            peer.send(end_of(PARAMS, 1));
            assert_eq!(peer.answer(1).body(), b"[may I]");
            // Web servers send this to Authorizers, too.
            peer.send(end_of(STDIN, 1));
            let filter = [
                begin(2, FILTER, KEEP),
                params(2, GET),
                end_of(PARAMS, 2),
                stream(STDIN, 2, b" stdin"),
                end_of(STDIN, 2),
                stream(DATA, 2, b" file"),
                end_of(DATA, 2),
            ];
            assert_eq!(peer.ask(2, filter.concat()).body(), b"[] file stdin");
        },
    );
}

#[test]
fn an_authorizer_is_not_refused_for_the_length_of_a_body() {
    everywhere(
        |s| s.max_body(10),
        echo,
        |_, peer| {
            let head = [
                begin(1, AUTHORIZER, KEEP),
                params(1, &[("CONTENT_LENGTH", "11")]),
                end_of(PARAMS, 1),
            ];
            for stdin in [vec![], stream(STDIN, 1, b"12345678901")] {
                let answer = peer.ask(1, [&*head.concat(), &stdin].concat());
                assert_eq!(answer.body(), b"[]");
            }
        },
    );
}

#[test]
fn limits_are_answered_truly() {
    for (multiplex, mpxs) in [(16, "1"), (3, "1"), (1, "0")] {
        everywhere(
            |s| s.multiplex(multiplex).max_connections(77),
            echo,
            |_, peer| {
                let names = ["FCGI_MAX_CONNS", "FCGI_MAX_REQS", "FCGI_MPXS_CONNS"];
                peer.send(get_values(&names));
                let values = pairs(&peer.record().content);
                let expected = ["77", &multiplex.to_string(), mpxs];
                for ((name, value), expected) in values.iter().zip(names.iter().zip(expected)) {
                    assert_eq!(
                        (&**name, &**value),
                        (expected.0.as_bytes(), expected.1.as_bytes())
                    );
                }
                assert_eq!(values.len(), 3);
                peer.send(record(42, 0, b"?", 0));
                assert_eq!(peer.record().bytes(), unknown_type(42));
            },
        );
    }
}

#[test]
fn a_second_request_where_only_one_may_be() {
    everywhere(
        |s| s.multiplex(1),
        echo,
        |_, peer| {
            peer.send(
                [
                    begin(1, RESPONDER, KEEP),
                    params(1, &[("QUERY_STRING", "one")]),
                ]
                .concat(),
            );
            peer.send(responder(2, KEEP, GET, b"two"));
            is_bare(&peer.answer(2), CANT_MPX_CONN);
            peer.send([end_of(PARAMS, 1), stream(STDIN, 1, b"ab")].concat());
            peer.send(responder(2, KEEP, GET, b"two"));
            is_bare(&peer.answer(2), CANT_MPX_CONN);
            peer.send(end_of(STDIN, 1));
            assert_eq!(peer.answer(1).body(), b"[one]ab");
        },
    );
}

#[test]
fn one_request_more_than_a_connection_takes() {
    everywhere(
        |s| s.multiplex(2),
        echo,
        |_, peer| {
            peer.send([begin(1, RESPONDER, KEEP), begin(2, RESPONDER, KEEP)].concat());
            peer.send(responder(3, KEEP, GET, b""));
            is_bare(&peer.answer(3), OVERLOADED);
        },
    );
}

#[test]
fn an_unknown_role() {
    for readable in [true, false] {
        everywhere(
            |s| s.readable_refusals(readable),
            echo,
            |_, peer| {
                for role in [0, 4, 0xffff] {
                    peer.send(begin(1, role, KEEP));
                    is_bare(&peer.answer(1), UNKNOWN_ROLE);
                    peer.send([params(1, GET), end_of(PARAMS, 1), end_of(STDIN, 1)].concat());
                    lives(peer);
                }
            },
        );
    }
}

#[test]
fn one_request_more_than_the_loop_takes() {
    for readable in [true, false] {
        everywhere(
            |s| s.max_requests(1).readable_refusals(readable),
            echo,
            |app, peer| {
                peer.send(begin(1, RESPONDER, KEEP));
                app.wait_until("it has begun", |c| c.begun == 2);
                let mut second = app.connect();
                second.send(begin(1, RESPONDER, KEEP));
                if readable {
                    second.send([params(1, GET), end_of(PARAMS, 1)].concat());
                    is_page(&second.answer(1), "503", 0);
                } else {
                    is_bare(&second.answer(1), OVERLOADED);
                }
                second.send(end_of(STDIN, 1));
                peer.send([end_of(PARAMS, 1), end_of(STDIN, 1)].concat());
                assert_eq!(peer.answer(1).body(), b"[]");
                lives(&mut second);
            },
        );
    }
}

#[test]
fn parameters_over_a_limit() {
    let many: Vec<_> = (0..5).map(|i| (format!("P{i}"), "x")).collect();
    let long = [("P", "x".repeat(300))];
    for readable in [true, false] {
        for stream in [pair_bytes(&many), pair_bytes(&long)] {
            everywhere(
                |s| s.params_limits(200, 4).readable_refusals(readable),
                echo,
                |_, peer| {
                    peer.send(
                        [begin(1, RESPONDER, KEEP), stream_of(PARAMS, 1, &stream, 7)].concat(),
                    );
                    peer.send([end_of(PARAMS, 1), end_of(STDIN, 1)].concat());
                    if readable {
                        is_page(&peer.answer(1), "431", 0);
                    } else {
                        is_bare(&peer.answer(1), OVERLOADED);
                    }
                    lives(peer);
                },
            );
        }
    }
}

#[test]
fn parameters_that_end_inside_a_pair() {
    for readable in [true, false] {
        everywhere(
            |s| s.readable_refusals(readable),
            echo,
            |_, peer| {
                peer.send(
                    [
                        begin(1, RESPONDER, KEEP),
                        stream(PARAMS, 1, b"\x05\x05half"),
                    ]
                    .concat(),
                );
                peer.send([end_of(PARAMS, 1), end_of(STDIN, 1)].concat());
                is_page(&peer.answer(1), "400", 1);
                lives(peer);
            },
        );
    }
}

#[test]
fn a_body_over_its_limit() {
    everywhere(
        |s| s.max_body(100),
        echo,
        |_, peer| {
            // Announced: known at once.
            peer.send(
                [
                    begin(1, RESPONDER, KEEP),
                    params(1, &[("CONTENT_LENGTH", "101")]),
                ]
                .concat(),
            );
            peer.send(end_of(PARAMS, 1));
            is_page(&peer.answer(1), "413", 0);
            // Not announced.
            peer.send([stream(STDIN, 1, &[b'x'; 101]), end_of(STDIN, 1)].concat());
            is_page(
                &peer.ask(2, responder(2, KEEP, GET, &[b'x'; 101])),
                "413",
                0,
            );
            let most = peer.ask(3, responder(3, KEEP, GET, &[b'x'; 100]));
            assert_eq!(most.body().len(), 102);
            lives(peer);
        },
    );
}

#[test]
fn a_body_that_is_not_as_long_as_announced() {
    everywhere(
        |s| s,
        echo,
        |_, peer| {
            let announced = |length| [("CONTENT_LENGTH", length)];
            is_page(
                &peer.ask(1, responder(1, KEEP, &announced("5"), b"four")),
                "400",
                1,
            );
            assert_eq!(
                peer.ask(1, responder(1, KEEP, &announced("3"), b"four"))
                    .body(),
                b"[]fou"
            );
        },
    );
}

/// A Filter may not answer before the end of its STDIN (§6.1), not even with a refusal.
#[test]
fn a_filter_is_refused_after_its_stdin() {
    let cases = [
        (stream_of(PARAMS, 1, &[b'x'; 300], 100), "431", 0),
        (stream(PARAMS, 1, b"\x05\x05half"), "400", 1),
        (params(1, &[("CONTENT_LENGTH", "101")]), "413", 0),
    ];
    for (sent, status, app_status) in cases {
        everywhere(
            |s| s.params_limits(200, 10).max_body(100),
            echo,
            |_, peer| {
                peer.send([begin(1, FILTER, KEEP), sent.clone(), end_of(PARAMS, 1)].concat());
                peer.send(stream(STDIN, 1, b"some"));
                // The answer to this is the first.
                peer.sync();
                peer.send(end_of(STDIN, 1));
                is_page(&peer.answer(1), status, app_status);
                peer.send([stream(DATA, 1, b"file"), end_of(DATA, 1)].concat());
                lives(peer);
            },
        );
    }
}

/// What a browser cannot see is told to the operator, one line each.
#[test]
fn the_operator_is_told() {
    let (tell, told) = channel();
    let settings = Settings::new()
        .params_limits(200, 10)
        .on_incident(move |incident| tell.send(incident.to_string()).expect("a listener"));
    let app = App::reporting("127.0.0.1:0", settings, || {
        whole(|request, response| match request.param("QUERY_STRING") {
            Some(b"fails") => Err(io::Error::other("no\nluck")),
            Some(b"panics") => resume_unwind(Box::new("on purpose")),
            Some(b"formats") => resume_unwind(Box::new("on\npurpose".to_owned())),
            Some(b"throws") => resume_unwind(Box::new(7)),
            _ => echo(request, response),
        })
    });
    let expect = |line: &str| {
        let incident = told.recv_timeout(Duration::from_secs(20));
        assert_eq!(
            incident.as_deref().map(|text| text.contains(line)),
            Ok(true),
            "{incident:?}"
        );
        assert!(!incident.unwrap().contains('\n'));
    };
    let mut peer = app.connect();
    for (query, line) in [
        ("fails", "handler of request 1 failed: no\\nluck"),
        ("panics", "handler of request 1 panicked: on purpose"),
        ("formats", "handler of request 1 panicked: on\\npurpose"),
        (
            "throws",
            "handler of request 1 panicked: a value that is no text",
        ),
    ] {
        is_page(
            &peer.ask(1, responder(1, KEEP, &[("QUERY_STRING", query)], b"")),
            "500",
            1,
        );
        expect(line);
    }
    let long = "x".repeat(300);
    is_page(
        &peer.ask(1, responder(1, KEEP, &[("QUERY_STRING", &long)], b"")),
        "431",
        0,
    );
    expect("request 1 refused: ");
    peer.send(stream(DATA, 0, b"null id"));
    peer.expect_end_or_reset();
    expect("protocol error of 127.0.0.1");
    assert!(told.try_recv().is_err(), "nothing else");
}

#[test]
fn breaches_of_the_protocol_close_the_connection() {
    let open = [begin(1, RESPONDER, KEEP), params(1, GET), end_of(PARAMS, 1)].concat();
    let breaches = [
        record_of_version(2, BEGIN_REQUEST, 1, &[0; 8], 0),
        begin(1, RESPONDER, KEEP),
        params(1, GET),
        [end_of(STDIN, 1), stream(STDIN, 1, b"more")].concat(),
        stream(DATA, 0, b"null id"),
        record(BEGIN_REQUEST, 2, b"short", 0),
        record(STDOUT, 1, b"wrong way", 0),
    ];
    for (at, breach) in breaches.iter().enumerate() {
        let breach = &breach[..];
        for app in [
            App::tcp(Settings::new(), || whole(wait_for_ever)),
            App::unix(Settings::new(), || whole(wait_for_ever)),
        ] {
            let mut peer = app.connect();
            peer.send(&open);
            peer.send(breach);
            peer.expect_end_or_reset();
            drop(peer);
            app.wait_until("closed", |c| c.closed == 1);
            assert_eq!(app.counters().protocol_errors, 1, "breach {at}");
        }
    }
}

/// Keeps the request open; its handle lives as long as the process.
fn wait_for_ever(
    _: &fcgi_mio::Request<'_>,
    response: &mut fcgi_mio::Response<'_>,
) -> io::Result<()> {
    static KEPT: Mutex<Vec<fcgi_mio::Deferred>> = Mutex::new(Vec::new());
    KEPT.lock().unwrap().push(response.defer()?);
    Ok(())
}
