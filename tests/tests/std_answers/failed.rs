//! Handlers that panic or return errors.

use super::*;

/// What the handler does is in QUERY_STRING.
fn fail(request: &mut Request) -> io::Result<()> {
    let how = request.params.text("QUERY_STRING").into_owned();
    let (when, how) = how.split_once(' ').unwrap_or(("", &how));
    match when {
        "buffered" => request.stdout.write_all(b"half a page")?,
        "sent" => {
            request.stdout.write_all(b"half a page")?;
            request.stdout.flush()?;
        }
        "large" => request.stdout.write_all(&[b'x'; 200_000])?,
        "stderr" => request.stderr.write_all(b"oh")?,
        "raw" => request.stdout.raw()?,
        "status" => {
            request.status(404)?;
            request.header("X-Secret", "1")?;
        }
        "exit" => request.set_exit_status(-7),
        _ => {}
    }
    match how {
        "panics" => panic!("for a\ntest"),
        "fails" => Err(io::Error::other("out of\ncheese")),
        _ => echo(request),
    }
}

#[test]
fn a_failure_before_anything_was_sent_is_a_500() {
    for how in ["panics", "fails"] {
        for when in ["", "buffered", "raw", "status", "stderr"] {
            everywhere(
                |s| s,
                fail,
                |app, peer| {
                    let query = format!("{when} {how}");
                    let answer =
                        peer.ask(1, responder(1, KEEP, &[("QUERY_STRING", query)], b"body"));
                    is_page(&answer, "500", 1);
                    assert!(!answer.head().contains("X-Secret"));
                    let said = if when == "stderr" { &b"oh"[..] } else { b"" };
                    assert_eq!(answer.stderr, said);
                    app.wait_for_incident(match how {
                        "panics" => r"handler of request 1 panicked: for a\ntest",
                        _ => r"handler of request 1 failed: out of\ncheese",
                    });
                    lives(peer);
                },
            );
        }
    }
}

#[test]
fn a_failure_after_something_was_sent_cuts_the_answer() {
    for how in ["panics", "fails"] {
        everywhere(
            |s| s,
            fail,
            |_, peer| {
                let request = |query| responder(1, KEEP, &[("QUERY_STRING", query)], b"body");
                let answer = peer.ask(1, request(format!("sent {how}")));
                assert_eq!(answer.body(), b"half a page");
                assert_eq!(answer.end, Some((1, REQUEST_COMPLETE)));
                let answer = peer.ask(1, request(format!("large {how}")));
                assert!(answer.body().len() <= 200_000);
                assert!(answer.body().iter().all(|&byte| byte == b'x'));
                assert_eq!(answer.end, Some((1, REQUEST_COMPLETE)));
                lives(peer);
            },
        );
    }
}

#[test]
fn an_exit_status_that_was_set_survives_a_failure() {
    everywhere(
        |s| s,
        fail,
        |_, peer| {
            for how in ["panics", "fails"] {
                let query = format!("exit {how}");
                let answer = peer.ask(1, responder(1, KEEP, &[("QUERY_STRING", query)], b""));
                is_page(&answer, "500", (-7i32).cast_unsigned());
            }
            lives(peer);
        },
    );
}

#[test]
fn workers_live_on_after_many_failures() {
    for (least, most) in WORKERS {
        let app = blocking::unix(|s| s.workers(least, most), fail);
        let mut peer = app.connect();
        for turn in 0..60 {
            let query = ["panics", "fails", "sent panics"][turn % 3];
            let answer = peer.ask(1, responder(1, KEEP, &[("QUERY_STRING", query)], b""));
            assert_eq!(answer.end, Some((1, REQUEST_COMPLETE)));
        }
        lives(&mut peer);
        blocking::eventually(
            || app.incidents().len() == 60,
            || format!("{} incidents", app.incidents().len()),
        );
    }
}

#[test]
fn a_failure_closes_the_connection_when_it_is_not_kept() {
    everywhere(
        |s| s,
        fail,
        |_, peer| {
            // With input that the handler has not read.
            let head = [
                begin(1, RESPONDER, CLOSE),
                params(1, &[("QUERY_STRING", "panics")]),
                end_of(PARAMS, 1),
            ];
            peer.send(head.concat());
            peer.send(stream(STDIN, 1, &[b'x'; 100_000]));
            is_page(&peer.answer(1), "500", 1);
            peer.expect_end();
        },
    );
}

#[test]
fn an_incident_report_that_panics_costs_nothing() {
    for (least, most) in WORKERS {
        let app = blocking::unix(
            |s| {
                s.workers(least, most)
                    .on_incident(|_| panic!("a bad report"))
            },
            fail,
        );
        for _ in 0..3 {
            let mut broken = app.connect();
            broken.send([2; 8]);
            broken.expect_end_or_reset();
            let mut peer = app.connect();
            let answer = peer.ask(1, responder(1, KEEP, &[("QUERY_STRING", "fails")], b""));
            is_page(&answer, "500", 1);
            is_page(&peer.ask(1, malformed()), "400", 1);
            lives(&mut peer);
        }
        app.handle().stop(std::time::Duration::from_secs(5));
        app.join().unwrap();
    }
}

fn malformed() -> Vec<u8> {
    [
        begin(1, RESPONDER, KEEP),
        stream(PARAMS, 1, b"\x01"),
        end_of(PARAMS, 1),
        end_of(STDIN, 1),
    ]
    .concat()
}
