//! What becomes of a handler's answer, good or bad.

mod kit;

use std::io;

use fcgi_mio::{Body, Chunk, Producer};
use fcgi_tests::hand::*;
use kit::*;

#[test]
fn handlers_that_fail_or_panic() {
    fn handler(
        request: &fcgi_mio::Request<'_>,
        response: &mut fcgi_mio::Response<'_>,
    ) -> io::Result<()> {
        match request.param("QUERY_STRING").unwrap_or(b"") {
            b"fails" => Err(io::Error::other("on purpose")),
            b"panics" => panic!("on purpose"),
            b"fails late" => {
                response.write("never seen")?;
                Err(io::Error::other("on purpose"))
            }
            b"too short" => {
                response.header("Content-Length", "10")?;
                response.write("short")
            }
            b"too long" => {
                response.header("Content-Length", "1")?;
                response.write("long")
            }
            b"no body" => {
                response.status(304)?;
                response.write("body")
            }
            b"too much" => response.write(vec![0; 100_000]),
            b"bad head" => response.header("X", "a\r\nY: b"),
            b"drops" => response.defer().map(drop),
            _ => echo(request, response),
        }
    }
    let cases = [
        "fails",
        "panics",
        "fails late",
        "too short",
        "too long",
        "no body",
        "too much",
        "bad head",
        "drops",
    ];
    for case in cases {
        everywhere(
            |s| s,
            handler,
            |app, peer| {
                let request = responder(1, KEEP, &[("QUERY_STRING", case)], b"");
                is_page(&peer.ask(1, request), "500", 1);
                assert_eq!(app.counters().failed, 1);
                lives(peer);
            },
        );
    }
}

/// What was sent cannot be taken back: END_REQUEST alone says that the answer is not whole.
#[test]
fn a_failure_after_output() {
    struct Breaks(bool, bool);
    impl Producer for Breaks {
        fn produce(&mut self, chunk: &mut Chunk<'_>) -> io::Result<bool> {
            if self.1 && self.0 {
                panic!("on purpose");
            }
            if self.0 {
                return Err(io::Error::other("on purpose"));
            }
            self.0 = chunk.write(b"a beginning") > 0;
            Ok(true)
        }
    }
    everywhere(
        |s| s,
        |request, response| match request.param("QUERY_STRING") {
            Some(b"fails") => response.body(Body::producer(Breaks(false, false))),
            Some(b"panics") => response.body(Body::producer(Breaks(false, true))),
            _ => echo(request, response),
        },
        |app, peer| {
            for query in ["fails", "panics"] {
                let answer = peer.ask(1, responder(1, KEEP, &[("QUERY_STRING", query)], b""));
                assert_eq!(answer.body(), b"a beginning");
                assert_eq!(answer.end, Some((1, REQUEST_COMPLETE)));
                lives(peer);
            }
            assert_eq!(app.counters().failed, 2);
        },
    );
}

#[test]
fn an_abort_before_a_handler_was_called() {
    everywhere(
        |s| s,
        echo,
        |app, peer| {
            let steps = [
                begin(1, RESPONDER, KEEP),
                [params(1, GET), end_of(PARAMS, 1)].concat(),
                stream(STDIN, 1, b"some"),
            ];
            for (count, _) in steps.iter().enumerate() {
                peer.send(steps[..=count].concat());
                peer.send(abort(1));
                let answer = peer.answer(1);
                assert_eq!(answer.end, Some((1, REQUEST_COMPLETE)));
                assert_eq!(answer.stdout, b"");
                lives(peer);
            }
            assert_eq!(app.counters().aborted, 3);
        },
    );
}

#[test]
fn heads_follow_the_method_and_the_status() {
    everywhere(
        |s| s,
        echo,
        |_, peer| {
            let head = peer.ask(1, responder(1, KEEP, &[("REQUEST_METHOD", "HEAD")], b""));
            assert_eq!(head.stdout, b"Content-Type: text/plain\r\n\r\n");
        },
    );
    everywhere(
        |s| s,
        |request, response| match request.param("QUERY_STRING") {
            Some(b"lives") => echo(request, response),
            _ => response.status(204),
        },
        |_, peer| {
            let empty = peer.ask(1, responder(1, KEEP, GET, b""));
            assert_eq!(empty.stdout, b"Status: 204 No Content\r\n\r\n");
        },
    );
}
