//! The exit codes, each with the application that deserves it.

use fcgi_tests::hand::{
    GET_VALUES, OVERLOADED, REQUEST_COMPLETE, STDERR, STDIN, STDOUT, end_of, end_request,
    get_values_result, read_record, record, stream, unknown_type,
};
use serde_json::Value;
use std::io::Write;

use crate::peer::Peer;
use crate::tool::{fcgi, fcgi_with};

const PAGE: &[u8] = b"Content-Type: text/plain\r\n\r\nthe page";

fn answer(stdout: &[u8], app_status: u32, protocol_status: u8) -> Vec<u8> {
    let stdout = if stdout.is_empty() {
        Vec::new()
    } else {
        stream(STDOUT, 1, stdout)
    };
    [stdout, end_request(1, app_status, protocol_status)].concat()
}

/// Sends these bytes when a request is complete, and closes.
fn answering(answer: Vec<u8>) -> Peer {
    Peer::start(move |mut stream| {
        while let Ok(Some(record)) = read_record(&mut stream) {
            if record.kind == STDIN && record.content.is_empty() {
                // The other side may have given up.
                let _ = stream.write_all(&answer);
                return;
            }
        }
    })
}

/// Asks such an application, with and without JSON: the code, and what is complained of.
#[track_caller]
fn check(answer: Vec<u8>, options: &[&str], code: i32, complaint: &str) {
    let peer = answering(answer);
    check_at(&peer.address(), options, code, complaint);
}

#[track_caller]
fn check_at(address: &str, options: &[&str], code: i32, complaint: &str) {
    let arguments = [&["request", address, "/"][..], options].concat();
    let ran = fcgi_with(b"", &arguments);
    assert_eq!(ran.code, Some(code), "{ran:?}");
    assert!(ran.stderr.contains(complaint), "{complaint:?} in {ran:?}");
    assert_eq!(ran.stderr.is_empty(), code == 0, "{ran:?}");
    let ran = fcgi_with(b"", &[&arguments[..], &["--json"]].concat());
    assert_eq!(ran.code, Some(code), "{ran:?}");
    assert_eq!(ran.json()["verdict"], code, "{ran:?}");
    assert_eq!(ran.stderr, "", "{ran:?}");
}

#[test]
fn good() {
    check(answer(PAGE, 0, REQUEST_COMPLETE), &[], 0, "");
    check(
        answer(PAGE, 0, REQUEST_COMPLETE),
        &["--expect-text", "he pag"],
        0,
        "",
    );
    let redirect = b"Location: /elsewhere\n\n";
    check(
        answer(redirect, 0, REQUEST_COMPLETE),
        &["--expect-status", "302"],
        0,
        "",
    );
    // Some applications close the connection instead of ending the request.
    check(
        [stream(STDOUT, 1, PAGE), end_of(STDOUT, 1)].concat(),
        &[],
        0,
        "",
    );
}

#[test]
fn status() {
    let missing = b"Status: 404\nContent-Type: text/plain\n\nnot there";
    let missing = answer(missing, 0, REQUEST_COMPLETE);
    check(missing.clone(), &[], 3, "the status is 404 Not Found");
    check(missing, &["--expect-status", "404"], 0, "");
    let page = answer(PAGE, 0, REQUEST_COMPLETE);
    check(page, &["--expect-status", "404"], 3, "the status is 200 OK");
    let both = answer(b"Status: 500\n\n", 1, REQUEST_COMPLETE);
    check(both, &[], 3, "the status is 500");
}

#[test]
fn app_status() {
    check(
        answer(PAGE, 0xffff_ffff, REQUEST_COMPLETE),
        &[],
        4,
        "appStatus 4294967295",
    );
    check(answer(b"", 7, REQUEST_COMPLETE), &[], 4, "appStatus 7");
}

/// A line of ours stands apart from what the application wrote, with or without a line end.
#[test]
fn a_line_of_its_own() {
    for error in [&b"no script"[..], b"no script\n"] {
        let missing = answer(b"Status: 404\n\n", 0, REQUEST_COMPLETE);
        let peer = answering([record(STDERR, 1, error, 0), missing].concat());
        let ran = fcgi_with(b"", &["request", &peer.address()]);
        let told = "no script\nfcgi: the status is 404 Not Found\n";
        assert_eq!((ran.code, &*ran.stderr), (Some(3), told));
    }
}

#[test]
fn refused() {
    check(answer(b"", 0, OVERLOADED), &[], 5, "FCGI_OVERLOADED");
    check(answer(b"", 0, 99), &[], 5, "protocolStatus 99");
}

#[test]
fn protocol() {
    check(
        record(STDOUT, 0, b"x", 0),
        &[],
        6,
        "FCGI_STDOUT with the null request id",
    );
    check(
        b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
        &[],
        6,
        "version 72",
    );
    check(Vec::new(), &[], 6, "closed the connection before");
    check(answer(b"", 0, REQUEST_COMPLETE), &[], 6, "malformed answer");
    check(
        answer(b"no head\n\n", 0, REQUEST_COMPLETE),
        &[],
        6,
        "no colon",
    );
    let mut cut = answer(PAGE, 0, REQUEST_COMPLETE);
    cut.truncate(20);
    check(cut, &[], 6, "closed the connection before");
}

#[test]
fn connect() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("none.sock");
    check_at(path.to_str().unwrap(), &[], 7, "cannot connect to unix:");
}

#[test]
fn timeout() {
    let peer = Peer::start(std::mem::forget);
    check_at(&peer.address(), &["--timeout", "100ms"], 8, "took too long");
    let ran = fcgi_with(
        b"",
        &["request", &peer.address(), "--values", "-t", "100ms"],
    );
    assert_eq!(ran.code, Some(8), "{ran:?}");
}

/// Sends a record again and again until the other side has gone.
fn flooding(records: Vec<u8>) -> Peer {
    Peer::start(move |mut stream| while stream.write_all(&records).is_ok() {})
}

/// An application that never stops is given up all the same, and fills no memory.
#[test]
fn floods() {
    let errors = flooding(stream(STDERR, 1, &[b'e'; 50_000]));
    for option in ["--json", "--values"] {
        let ran = fcgi(["request", &errors.address(), "-t", "300ms", option]);
        assert_eq!(ran.code, Some(8), "{option}: {}", ran.stderr);
        assert!(ran.stdout.len() < 2 << 20, "{} bytes", ran.stdout.len());
    }
    let body = flooding(stream(STDOUT, 1, &[PAGE, &[b'b'; 50_000]].concat()));
    let ran = fcgi(["request", &body.address(), "--json"]);
    let json = ran.json();
    assert_eq!((ran.code, &json["status"]), (Some(1), &Value::Null));
    let error = json["error"].as_str().unwrap();
    assert!(error.ends_with("the body is longer than 64 MiB"), "{error}");
}

#[test]
fn text() {
    let page = answer(PAGE, 0, REQUEST_COMPLETE);
    check(
        page,
        &["--expect-text", "the pages"],
        9,
        "does not have the expected text",
    );
}

#[test]
fn values_of_others() {
    for (result, expected) in [
        (
            get_values_result(&[("FCGI_MAX_REQS", "50"), ("FCGI_MPXS_CONNS", "1")]),
            "FCGI_MAX_CONNS is not told\nFCGI_MAX_REQS = 50\nFCGI_MPXS_CONNS = 1\n",
        ),
        (
            unknown_type(9),
            "FCGI_MAX_CONNS is not told\nFCGI_MAX_REQS is not told\nFCGI_MPXS_CONNS is not told\n",
        ),
    ] {
        let peer = Peer::start(move |mut stream| {
            // Answers as libfcgi does, when something comes behind the question.
            for _ in 0..2 {
                let question = read_record(&mut stream).unwrap().unwrap();
                assert_eq!((question.kind, question.id), (GET_VALUES, 0));
            }
            stream.write_all(&result).unwrap();
        });
        let ran = fcgi_with(b"", &["request", &peer.address(), "--values"]);
        assert_eq!((ran.code, ran.text()), (Some(0), expected), "{ran:?}");
    }
}
