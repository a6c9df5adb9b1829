//! The types of the `http` crate, from request to response, over the wire.

mod kit;

use std::io;
use std::thread;

use fcgi_mio::{Body, Gone, RawUri, Request, Response, Settings, whole};
use fcgi_tests::hand::{KEEP, REQUEST_COMPLETE, abort, responder};
use http::StatusCode;
use kit::App;

/// Answers with what it was asked, and with a body that the query asks for.
fn handler(request: &Request<'_>, response: &mut Response<'_>) -> io::Result<()> {
    let parts = request.http_parts()?;
    let raw = parts.extensions.get().map(|RawUri(raw)| raw.clone());
    let answer = http::Response::builder()
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
    response.set_header("Content-Type", "text/plain")?;
    let whole = |body: Body| answer.body(body).map_err(io::Error::other);
    match parts.uri.query() {
        Some("empty") => response.respond(whole(Body::from(""))?),
        Some("later") => {
            let (deferred, answer) = (response.defer()?, whole(Body::from("later"))?);
            thread::spawn(move || deferred.respond(answer).expect("the request waits"));
            Ok(())
        }
        Some("later_hop") => {
            let deferred = response.defer()?;
            let mut answer = whole(Body::from("never"))?;
            let connection = http::HeaderValue::from_static("close");
            answer.headers_mut().insert("Connection", connection);
            let refused = deferred.respond(answer).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
            Ok(())
        }
        _ => response.respond(whole(Body::from(raw.unwrap_or_default()))?),
    }
}

#[test]
fn requests_and_responses() {
    let app = App::unix(Settings::new(), || whole(handler));
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
            "Content-Type: text/plain\r\nx-method: {method}\r\nx-path: {path}\r\n\
             x-host: K\u{fffd}se\r\nx-proxy: false\r\nset-cookie: a=1\r\nset-cookie: b=2"
        )
    };
    for (method, target, body) in [
        ("GET", &b"/a?b"[..], &b"/a?b"[..]),
        ("HEAD", b"/a?b", b""),
        ("GET", b"/a?\xff", b"/a?\xff"),
        ("POST", b"/a?later", b"later"),
    ] {
        let answer = ask(method, target);
        let expected = format!("Status: 202 Accepted\r\n{}", fields(method, "/a"));
        assert_eq!((answer.head(), answer.body()), (expected, body));
        assert_eq!(answer.end, Some((0, REQUEST_COMPLETE)));
    }
    let answer = ask("PATCH", b"/a|b?empty");
    let expected = format!("Status: 204 No Content\r\n{}", fields("PATCH", "/a|b"));
    assert_eq!((answer.head(), answer.body()), (expected, &b""[..]));
    // A field about the connection, no target of HTTP, and no method.
    let long = b"/".repeat(50_000).repeat(2);
    let refused: [(&str, &[u8]); 3] = [("GET", b"/?later_hop"), ("GET", &long), ("G T", b"/")];
    for (method, target) in refused {
        let answer = ask(method, target);
        assert!(
            answer.head().starts_with("Status: 500 "),
            "{}",
            answer.head()
        );
        assert_eq!(answer.end, Some((1, REQUEST_COMPLETE)));
    }
}

#[test]
fn an_answer_for_a_request_that_is_gone() {
    let (sender, deferred) = std::sync::mpsc::channel();
    let app = App::unix(Settings::new(), move || {
        whole(move |_: &Request<'_>, response: &mut Response<'_>| {
            sender.send(response.defer()?).map_err(io::Error::other)
        })
    });
    let mut peer = app.connect();
    peer.send(responder(1, KEEP, kit::GET, b""));
    let deferred = deferred.recv().expect("the handler runs");
    peer.send(abort(1));
    assert!(peer.answer(1).end.is_some());
    let error = deferred.respond(http::Response::new("late")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
    let source = error.get_ref().and_then(|source| source.downcast_ref());
    assert_eq!(source, Some(&Gone));
}
