//! What handlers say of a response's head, as it goes over the wire.

mod kit;

use std::io;
use std::thread;

use fcgi_mio::{Deferred, Request, Response, Settings, whole};
use fcgi_tests::hand::{KEEP, REQUEST_COMPLETE, responder};
use fcgi_tests::responses::HEADS;
use kit::App;

fn text(request: &Request<'_>, name: &str) -> String {
    String::from_utf8_lossy(request.param(name).unwrap_or_default()).into_owned()
}

fn make(case: &str, response: &mut Response<'_>) -> io::Result<()> {
    fcgi_tests::make_head!(case, response);
    Ok(())
}

fn make_later(case: &str, mut deferred: Deferred) -> io::Result<()> {
    fcgi_tests::make_head!(case, &mut deferred);
    deferred.complete("").map_err(io::Error::other)
}

/// The case is in the query; by the method the type is chosen that has the methods.
fn answer(request: &Request<'_>, response: &mut Response<'_>) -> io::Result<()> {
    let case = text(request, "QUERY_STRING");
    if request.param("REQUEST_METHOD") != Some(b"POST") {
        return make(&case, response);
    }
    let deferred = response.defer()?;
    thread::spawn(move || make_later(&case, deferred).expect("the request waits"));
    Ok(())
}

#[test]
fn heads_byte_for_byte() {
    let app = App::unix(Settings::new(), || whole(answer));
    let mut peer = app.connect();
    for method in ["GET", "POST", "HEAD"] {
        for (case, head) in HEADS {
            let params = [("REQUEST_METHOD", method), ("QUERY_STRING", case)];
            let answer = peer.ask(1, responder(1, KEEP, &params, b""));
            assert_eq!(answer.head(), *head, "{case}");
            assert_eq!(answer.body(), b"", "{case}");
            assert_eq!(answer.end, Some((0, REQUEST_COMPLETE)), "{case}");
        }
    }
}

#[test]
fn a_head_that_is_out_is_not_changed_in_silence() {
    let handler = |request: &Request<'_>, response: &mut Response<'_>| {
        response.header("X", "1")?;
        match &*text(request, "QUERY_STRING") {
            "raw" => response.raw()?,
            _ => response.write("body")?,
        }
        fcgi_tests::assert_head_is_out!(&mut *response);
        response.write(" and more")
    };
    let app = App::unix(Settings::new(), move || whole(handler));
    let mut peer = app.connect();
    let head = "X: 1\r\nContent-Type: application/octet-stream";
    for (how, stdout) in [
        ("raw", " and more".to_owned()),
        ("write", format!("{head}\r\n\r\nbody and more")),
    ] {
        let answer = peer.ask(1, responder(1, KEEP, &[("QUERY_STRING", how)], b""));
        assert_eq!(String::from_utf8_lossy(&answer.stdout), stdout, "{how}");
        assert_eq!(answer.end, Some((0, REQUEST_COMPLETE)));
    }
}

/// 204, 304, a bare redirect and a file of the web server's have no body; HEAD swallows one.
#[test]
fn where_no_body_may_be() {
    let handler = |request: &Request<'_>, response: &mut Response<'_>| {
        make(&text(request, "QUERY_STRING"), response)?;
        let written = response.write("body");
        if request.param("REQUEST_METHOD") == Some(b"HEAD") {
            return written;
        }
        let error = written.expect_err("no body");
        assert_eq!(error.to_string(), "this response has no body");
        Ok(())
    };
    let app = App::unix(Settings::new(), move || whole(handler));
    let mut peer = app.connect();
    let mut seen = 0;
    for (case, head) in HEADS {
        let bare = ["not modified", "no content", "local redirect"].contains(case);
        let methods: &[&str] = match bare || case.ends_with("file") {
            true => &["GET", "HEAD"],
            false => &["HEAD"],
        };
        for method in methods {
            let params = [("REQUEST_METHOD", *method), ("QUERY_STRING", case)];
            let answer = peer.ask(1, responder(1, KEEP, &params, b""));
            assert_eq!(answer.head(), *head, "{case}");
            assert_eq!(answer.body(), b"", "{case}");
            assert_eq!(answer.end, Some((0, REQUEST_COMPLETE)), "{case}");
            seen += 1;
        }
    }
    assert_eq!(seen, HEADS.len() + 5);
}
