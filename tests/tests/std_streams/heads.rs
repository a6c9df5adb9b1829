//! The head of a response.

use super::*;

/// How a handler answers, and what comes of it.
struct Case {
    name: &'static str,
    method: &'static str,
    handler: fn(&mut Request) -> io::Result<()>,
    head: &'static str,
    body: &'static str,
    app_status: u32,
}

const DEFAULT: &str = "Content-Type: application/octet-stream";
const FAILED: &str =
    "Status: 500 Internal Server Error\r\nContent-Type: text/plain\r\nContent-Length: 26";

fn case(name: &'static str, handler: fn(&mut Request) -> io::Result<()>) -> Case {
    Case {
        name,
        method: "GET",
        handler,
        head: DEFAULT,
        body: "",
        app_status: 0,
    }
}

fn cases() -> Vec<Case> {
    let page = |r: &mut Request| r.stdout.write_all(b"page");
    let failed = |name, handler| Case {
        head: FAILED,
        body: "500 Internal Server Error\n",
        app_status: 1,
        ..case(name, handler)
    };
    vec![
        case("nothing at all", |_| Ok(())),
        Case {
            body: "page",
            ..case("no type", page)
        },
        Case {
            method: "HEAD",
            ..case("the body of HEAD is swallowed", page)
        },
        Case {
            head: "Status: 404 Not Found\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Type: text/plain",
            body: "page",
            ..case("status and fields", |r| {
                r.status(500)?;
                r.header("Set-Cookie", "a=1")?;
                r.header("Set-Cookie", "b=2")?;
                r.header("Content-Type", "text/plain")?;
                r.status(404)?;
                r.stdout.write_all(b"page")
            })
        },
        Case {
            head: "Content-Length: 4\r\nContent-Type: application/octet-stream",
            body: "page",
            ..case("kept length", |r| {
                r.header("Content-Length", "4")?;
                r.stdout.write_all(b"pa")?;
                r.stdout.write_all(b"ge")
            })
        },
        Case {
            method: "HEAD",
            head: "Content-Length: 400\r\nContent-Type: application/octet-stream",
            ..case("the length of HEAD is that of GET", |r| {
                r.header("Content-Length", "400")
            })
        },
        Case {
            head: "Status: 204 No Content",
            ..case("204", |r| r.status(204))
        },
        Case {
            head: "Status: 304 Not Modified\r\nETag: \"a\"\r\nContent-Length: 400",
            ..case("304", |r| {
                r.status(304)?;
                r.header("ETag", "\"a\"")?;
                r.header("Content-Length", "400")
            })
        },
        Case {
            head: "Location: /there",
            ..case("redirect", |r| r.header("Location", "/there"))
        },
        Case {
            head: "Status: 299\r\nX: y",
            body: "page",
            ..case("raw", |r| {
                r.stdout.raw()?;
                r.stdout.write_all(b"Status: 299\r\nX: y\r\n\r\npage")
            })
        },
        Case {
            method: "HEAD",
            head: "X: y",
            body: "page",
            ..case("raw is not looked at", |r| {
                r.stdout.raw()?;
                r.stdout.write_all(b"X: y\n\npage")
            })
        },
        Case {
            head: "",
            ..case("raw and empty", |r| r.stdout.raw())
        },
        failed("too long", |r| {
            r.header("Content-Length", "4")?;
            r.stdout.write_all(b"pages")
        }),
        failed("204 with a body", |r| {
            r.status(204)?;
            r.stdout.write_all(b"page")
        }),
        failed("304 with a body", |r| {
            r.status(304)?;
            r.stdout.write_all(b"page")
        }),
    ]
}

#[test]
fn heads_and_bodies() {
    for (least, most) in WORKERS {
        let app = blocking::unix(
            |s| s.workers(least, most),
            |request: &mut Request| {
                let index: usize = request.params.text("CASE").parse().unwrap();
                (cases()[index].handler)(request)
            },
        );
        let mut peer = app.connect();
        for (index, case) in cases().into_iter().enumerate() {
            let index = index.to_string();
            let pairs = [("REQUEST_METHOD", case.method), ("CASE", &index)];
            let answer = peer.ask(1, responder(1, KEEP, &pairs, b""));
            let body = String::from_utf8_lossy(answer.body()).into_owned();
            assert_eq!(answer.head(), case.head, "{}", case.name);
            assert_eq!(body, case.body, "{}", case.name);
            assert_eq!(
                answer.end,
                Some((case.app_status, REQUEST_COMPLETE)),
                "{}",
                case.name
            );
        }
    }
}

#[test]
fn what_cgi_does_not_allow_is_an_error_and_changes_nothing() {
    let app = blocking::unix(
        |s| s,
        |request: &mut Request| {
            let kind = |result: io::Result<()>| result.unwrap_err().kind();
            for code in [0, 99, 100, 101, 199, 1000, u16::MAX] {
                assert_eq!(
                    kind(request.status(code)),
                    io::ErrorKind::InvalidInput,
                    "{code}"
                );
            }
            for (name, value) in [
                ("", "x"),
                ("a b", "x"),
                ("X:", "x"),
                ("X", "a\r\nY: b"),
                ("X", "a\nb"),
                ("X", "a\0b"),
                ("Content-Length", "x"),
                ("Content-Length", "-1"),
                ("Transfer-Encoding", "chunked"),
                ("Connection", "close"),
                ("Status", "what"),
            ] {
                let refused = request.header(name, value);
                assert_eq!(
                    kind(refused),
                    io::ErrorKind::InvalidInput,
                    "{name:?} {value:?}"
                );
            }
            request.header("Content-Type", "text/plain")?;
            let again = request.header("Content-Type", "text/html");
            assert_eq!(kind(again), io::ErrorKind::InvalidInput);
            request.stdout.write_all(b"page")?;
            for late in [
                request.status(404),
                request.header("X", "y"),
                request.stdout.raw(),
            ] {
                assert_eq!(kind(late), io::ErrorKind::InvalidInput);
            }
            Ok(())
        },
    );
    let answer = app.connect().ask(1, responder(1, KEEP, GET, b""));
    assert_eq!(answer.head(), "Content-Type: text/plain");
    assert_eq!(
        (answer.body(), answer.end),
        (&b"page"[..], Some((0, REQUEST_COMPLETE)))
    );
}

/// A length that is not kept to would break the connection between web server and client.
#[test]
fn a_body_shorter_than_its_length_is_a_failure() {
    for (least, most) in WORKERS {
        let app = blocking::unix(
            |s| s.workers(least, most),
            |request: &mut Request| {
                if request.params.content_length().is_some() {
                    return echo(request);
                }
                request.header("Content-Length", "5")?;
                request.stdout.write_all(b"page")?;
                if request.params.text("REQUEST_METHOD") == "SENT" {
                    request.stdout.flush()?;
                }
                Ok(())
            },
        );
        let mut peer = app.connect();
        let answer = peer.ask(1, responder(1, KEEP, GET, b""));
        assert_eq!(answer.end, Some((1, REQUEST_COMPLETE)));
        assert!(
            answer.head().starts_with("Status: 500 "),
            "nothing was sent"
        );
        let sent = [("REQUEST_METHOD", "SENT")];
        let answer = peer.ask(1, responder(1, KEEP, &sent, b""));
        assert_eq!(answer.body(), b"page", "too late for another one");
        assert_eq!(answer.end, Some((1, REQUEST_COMPLETE)));
        app.wait_for_incident("shorter than its Content-Length");
    }
}
