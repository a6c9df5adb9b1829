//! The types of the `http` crate, from request to response, over the wire.

use std::io;

use fcgi_std::{RawUri, Request};
use fcgi_tests::blocking;
use fcgi_tests::hand::{KEEP, REQUEST_COMPLETE, responder};
use http::{Response, StatusCode};

/// Answers with what it was asked, and with a body that the query asks for.
fn handler(request: &mut Request) -> io::Result<()> {
    let parts = request.http_parts()?;
    let raw = parts.extensions.get().map(|RawUri(raw)| raw.clone());
    let response = Response::builder()
        .status(match parts.uri.query() {
            Some("empty") => StatusCode::NO_CONTENT,
            _ => StatusCode::ACCEPTED,
        })
        .header("X-Method", parts.method.as_str())
        .header("X-Path", parts.uri.path())
        .header("X-Host", &parts.headers["host"])
        .header("X-Proxy", parts.headers.contains_key("proxy").to_string())
        .header("Set-Cookie", "a=1")
        .header("Set-Cookie", "b=2");
    request.set_header("Content-Type", "text/plain")?;
    match parts.uri.query() {
        Some("empty") => request.respond(response.body(b"").map_err(io::Error::other)?),
        Some("hop") => {
            let response = response.header("Transfer-Encoding", "chunked");
            let refused = request.respond(response.body("0\r\n\r\n").map_err(io::Error::other)?);
            assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::InvalidInput);
            Err(io::Error::other("refused"))
        }
        _ => request.respond(
            response
                .body(raw.unwrap_or_default())
                .map_err(io::Error::other)?,
        ),
    }
}

#[test]
fn requests_and_responses() {
    let app = blocking::unix(|server| server, handler);
    let mut peer = app.connect();
    let mut ask = |method: &str, target: &[u8]| {
        let params = [
            ("REQUEST_METHOD", method.as_bytes()),
            ("REQUEST_URI", target),
            ("HTTP_HOST", b"K\xe4se"),
            ("HTTP_PROXY", b"evil.example"),
        ];
        peer.ask(1, responder(1, KEEP, &params, b""))
    };
    let fields = |method: &str, path: &str| {
        format!(
            "x-method: {method}\r\nx-path: {path}\r\nx-host: K\u{fffd}se\r\nx-proxy: false\r\n\
             set-cookie: a=1\r\nset-cookie: b=2"
        )
    };
    let typed = "Content-Type: text/plain\r\n";
    for (method, target, body) in [
        ("GET", &b"/a?b"[..], &b"/a?b"[..]),
        ("HEAD", b"/a?b", b""),
        ("GET", b"/a?\xff", b"/a?\xff"),
    ] {
        let answer = ask(method, target);
        let expected = format!("Status: 202 Accepted\r\n{typed}{}", fields(method, "/a"));
        assert_eq!((answer.head(), answer.body()), (expected, body));
        assert_eq!(answer.end, Some((0, REQUEST_COMPLETE)));
    }
    let answer = ask("PATCH", b"/a|b?empty");
    let expected = format!(
        "Status: 204 No Content\r\n{typed}{}",
        fields("PATCH", "/a|b")
    );
    assert_eq!((answer.head(), answer.body()), (expected, &b""[..]));
    let answer = ask("GET", b"/?hop");
    assert!(
        answer.head().starts_with("Status: 500 "),
        "{}",
        answer.head()
    );
    assert_eq!(answer.end, Some((1, REQUEST_COMPLETE)));
    // No target of HTTP, and no method.
    assert!(
        ask("GET", &b"/".repeat(70_000))
            .head()
            .starts_with("Status: 500 ")
    );
    assert!(ask("G T", b"/").head().starts_with("Status: 500 "));
}
