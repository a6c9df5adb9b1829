//! STDIN of a request: its length, its pieces, its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// Answers with what reading to the end gave: the body, or how it failed.
fn report(request: &mut Request) -> io::Result<()> {
    let mut body = Vec::new();
    let announced = request.stdin.announced();
    match request.stdin.read_to_end(&mut body) {
        Ok(_) => {
            assert_eq!(request.stdin.read(&mut [0])?, 0, "the end is the end");
            assert!(request.stdin.fill_buf()?.is_empty(), "the end is the end");
            write!(request.stdout, "{announced:?} ")?;
            request.stdout.write_all(&body)
        }
        Err(error) => write!(request.stdout, "{:?} after {}", error.kind(), body.len()),
    }
}

#[test]
fn content_length_bounds_the_body_when_it_is_a_number() {
    for buffered in [0, 3, 1000] {
        let app = blocking::unix(|s| s.buffer_body(buffered), report);
        let mut peer = app.connect();
        for (length, body, expected) in [
            (Some("4"), "body", "Some(4) body"),
            (Some("4"), "body and more", "Some(4) body"),
            (Some("0"), "body", "Some(0) "),
            (Some("0"), "", "Some(0) "),
            (Some("5"), "body", "UnexpectedEof after 4"),
            (Some("1"), "", "UnexpectedEof after 0"),
            (
                Some("18446744073709551615"),
                "body",
                "UnexpectedEof after 4",
            ),
            (Some("18446744073709551616"), "body", "None body"),
            (Some(""), "body", "None body"),
            (Some("-1"), "body", "None body"),
            (Some("four"), "body", "None body"),
            (None, "body", "None body"),
            (None, "", "None "),
        ] {
            let pairs: Vec<_> = length
                .map(|value| ("CONTENT_LENGTH", value))
                .into_iter()
                .collect();
            for piece in [1, 3, 100] {
                let request = [
                    head(1, &pairs),
                    stream_of(STDIN, 1, body.as_bytes(), piece),
                    end_of(STDIN, 1),
                ];
                let answer = peer.ask(1, request.concat());
                let found = String::from_utf8_lossy(answer.body());
                assert_eq!(found, expected, "{length:?} {body:?} in pieces of {piece}");
                assert_eq!(answer.end, Some((0, REQUEST_COMPLETE)));
            }
        }
    }
}

#[test]
fn records_of_any_size_and_padding() {
    let body = fcgi_tests::pattern::bytes(70_000);
    for (least, most) in WORKERS {
        let app = blocking::unix(|s| s.workers(least, most), echo);
        let mut peer = app.connect();
        for piece in [7, 8, 1000, 65_527, 65_528, 65_535] {
            for padding in [0, 1, 255] {
                let stdin = padded(padding, &stream_of(STDIN, 1, &body, piece));
                let answer = peer.ask(1, [head(1, GET), stdin, end_of(STDIN, 1)].concat());
                assert!(
                    answer.body() == body,
                    "pieces of {piece}, padding {padding}"
                );
            }
        }
    }
}

#[test]
fn a_body_that_comes_byte_by_byte() {
    let app = blocking::tcp(|s| s, echo);
    let mut peer = app.connect();
    for byte in dirty(&padded(3, &responder(1, KEEP, GET, b"a body"))) {
        peer.send([byte]);
    }
    assert_eq!(peer.answer(1).body(), b"a body");
    lives(&mut peer);
}

#[test]
fn lines() {
    let app = blocking::unix(
        |s| s,
        |request: &mut Request| {
            let mut lines = Vec::new();
            for line in (&mut request.stdin).lines() {
                lines.push(line?);
            }
            write!(request.stdout, "{lines:?}")
        },
    );
    let mut peer = app.connect();
    for piece in [1, 2, 5, 100] {
        let request = [
            head(1, GET),
            stream_of(STDIN, 1, b"one\ntwo\r\n\nlast", piece),
            end_of(STDIN, 1),
        ];
        let answer = peer.ask(1, request.concat());
        assert_eq!(answer.body(), br#"["one", "two", "", "last"]"#);
    }
}

#[test]
fn buffered_and_plain_reading_can_be_mixed() {
    let app = blocking::unix(
        |s| s,
        |request: &mut Request| {
            let mut line = String::new();
            request.stdin.read_line(&mut line)?;
            let announced = request.stdin.announced();
            let mut two = [0; 2];
            request.stdin.read_exact(&mut two)?;
            let filled = request.stdin.fill_buf()?.len();
            request.stdin.consume(1.min(filled));
            let mut rest = String::new();
            request.stdin.read_to_string(&mut rest)?;
            assert_eq!(request.stdin.announced(), Some(0));
            write!(request.stdout, "{line:?} {announced:?} {two:?} {rest:?}")
        },
    );
    let mut peer = app.connect();
    for piece in [1, 3, 100] {
        let request = [
            head(1, &[("CONTENT_LENGTH", "12")]),
            stream_of(STDIN, 1, b"line\n\x01\x02xrest and more", piece),
            end_of(STDIN, 1),
        ];
        let answer = peer.ask(1, request.concat());
        let body = String::from_utf8_lossy(answer.body()).into_owned();
        assert_eq!(
            body, r#""line\n" Some(7) [1, 2] "rest""#,
            "in pieces of {piece}"
        );
    }
}

#[test]
fn a_slow_body_is_collected_before_a_worker_has_the_request() {
    let gate = Gate::default();
    let at_gate = gate.clone();
    let app = blocking::unix(
        |s| s.workers(1, 1).buffer_body(10),
        move |request: &mut Request| {
            at_gate.pass();
            echo(request)
        },
    );
    gate.let_through(100);
    let mut slow = app.connect();
    slow.send([head(1, GET), stream(STDIN, 1, b"slow")].concat());
    slow.sync();
    // The only worker serves others meanwhile.
    lives(&mut app.connect());
    gate.wait_for_one();
    slow.send(stream(STDIN, 1, b" body"));
    slow.sync();
    lives(&mut app.connect());
    gate.wait_for_one();
    // Beyond what is collected, the handler gets it.
    slow.send(stream(STDIN, 1, b", but long"));
    gate.wait_for_one();
    slow.send(end_of(STDIN, 1));
    assert_eq!(slow.answer(1).body(), b"slow body, but long");
}

/// The web server goes away inside the request.
#[test]
fn a_cut_body_is_no_short_body() {
    for (least, most) in WORKERS {
        for buffered in [0, 1000] {
            let app = blocking::unix(
                |s| s.workers(least, most).buffer_body(buffered),
                |request: &mut Request| {
                    let mut body = Vec::new();
                    let error = request.stdin.read_to_end(&mut body).unwrap_err();
                    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
                    Err(error)
                },
            );
            let mut peer = app.connect();
            peer.send([head(1, GET), stream(STDIN, 1, b"half a bo")].concat());
            peer.connection.shutdown(std::net::Shutdown::Write).unwrap();
            // Without the request, nobody waits for an answer; with it, a 500 is tried.
            let rest = peer.rest();
            if let Some(answer) = answers(&rest).get(&1) {
                assert!(answer.head().starts_with("Status: 500"), "{answer:?}");
            }
            assert!(buffered == 0 || rest.is_empty());
        }
    }
}

/// The writer waits for the web server to read, and reads ahead meanwhile; it must not take from
/// the reader what that one waits for.
#[test]
fn one_thread_reads_while_another_one_writes() {
    const PIECES: usize = 200;
    for (least, most) in WORKERS {
        let came = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&came);
        let app = blocking::unix(
            |s| s.workers(least, most),
            move |request: &mut Request| {
                let (stdin, stdout) = (&mut request.stdin, &mut request.stdout);
                thread::scope(|scope| {
                    let writing = scope.spawn(|| stdout.write_all(&vec![b'x'; 2_000_000]));
                    while stdin.read(&mut [0; 10])? > 0 {
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                    writing.join().unwrap()
                })
            },
        );
        let mut peer = app.connect();
        peer.send(head(1, GET));
        peer.wait_readable();
        for piece in 1..=PIECES {
            peer.send(stream(STDIN, 1, b"piece"));
            blocking::eventually(
                || came.load(Ordering::Relaxed) == piece,
                || format!("piece {piece} of the body does not reach the reader"),
            );
        }
        peer.send(end_of(STDIN, 1));
        let answer = peer.answer(1);
        assert_eq!(answer.body().len(), 2_000_000);
        assert_eq!(answer.end, Some((0, REQUEST_COMPLETE)));
    }
}
