//! What handlers say of a response's head, as it goes over the wire.

use std::io::{self, Write};

use fcgi_std::Request;
use fcgi_tests::blocking;
use fcgi_tests::hand::{KEEP, REQUEST_COMPLETE, responder};
use fcgi_tests::responses::HEADS;

/// The case is in the query; by the method the type is chosen that has the methods.
fn make(request: &mut Request) -> io::Result<()> {
    let case = request.params.text("QUERY_STRING").into_owned();
    match &*request.params.text("REQUEST_METHOD") {
        "POST" => {
            let stdout = &mut request.stdout;
            fcgi_tests::make_head!(&*case, stdout);
        }
        _ => fcgi_tests::make_head!(&*case, &mut *request),
    }
    Ok(())
}

#[test]
fn heads_byte_for_byte() {
    let app = blocking::unix(|server| server, make);
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
    let app = blocking::unix(
        |server| server,
        |request| {
            request.header("X", "1")?;
            match &*request.params.text("QUERY_STRING") {
                "raw" => request.stdout.raw()?,
                "flush" => request.stdout.flush()?,
                _ => request.stdout.write_all(b"body")?,
            }
            fcgi_tests::assert_head_is_out!(&mut *request);
            fcgi_tests::assert_head_is_out!(&mut request.stdout);
            request.stdout.write_all(b" and more")
        },
    );
    let mut peer = app.connect();
    let head = "X: 1\r\nContent-Type: application/octet-stream";
    for (how, stdout) in [
        ("raw", " and more".to_owned()),
        ("flush", format!("{head}\r\n\r\n and more")),
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
    let app = blocking::unix(
        |server| server,
        |request| {
            make(request)?;
            let written = request.stdout.write_all(b"body");
            if request.params.text("REQUEST_METHOD") == "HEAD" {
                return written;
            }
            let error = written.expect_err("no body");
            assert_eq!(error.to_string(), "this response has no body");
            Ok(())
        },
    );
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
