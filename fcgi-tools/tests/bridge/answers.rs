//! What comes out, and with which exit status.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

use fcgi_tests::hand;

use crate::kit::{Place, Ran, cgi_fcgi, run, run_with};
use crate::peer::{Heard, play};

/// A request to an application that answers with these bytes.
fn answered(bytes: Vec<u8>) -> Ran {
    let place = Place::new();
    let peer = play(&place, move |talk| {
        talk.request();
        talk.send(&bytes);
    });
    let ran = run(&mut cgi_fcgi(&["-bind", "-connect", &place.socket()]));
    peer.join().unwrap();
    ran
}

/// What the application hears of a request.
fn heard(stdin: &[u8], set: impl FnOnce(&mut Command)) -> Heard {
    let place = Place::new();
    let peer = play(&place, |talk| {
        let heard = talk.request();
        talk.answer(b"", 0);
        heard
    });
    let mut command = cgi_fcgi(&["-bind", "-connect", &place.socket()]);
    set(&mut command);
    let ran = run_with(&mut command, stdin);
    assert_eq!((ran.status, &ran.stderr[..]), (0, ""));
    peer.join().unwrap()
}

#[track_caller]
fn assert_error(ran: &Ran, status: i32, page: &str, log: &str) {
    assert_eq!(ran.status, status, "{ran:?}");
    let head = format!("Status: {page}\r\nContent-Type: text/plain; charset=utf-8\r\n");
    let text = String::from_utf8_lossy(&ran.stdout);
    assert!(text.starts_with(&head), "{text}");
    assert!(ran.text().starts_with(page), "{text}");
    assert!(
        !text.contains("/cgi-fcgi-"),
        "the client sees a path: {text}"
    );
    assert!(ran.stderr.starts_with("cgi-fcgi: "), "{}", ran.stderr);
    assert!(ran.stderr.contains(log), "{}", ran.stderr);
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
}

#[test]
fn the_exit_status_is_the_applications() {
    for (app_status, wanted) in [
        (0, 0),
        (1, 1),
        (255, 255),
        (256, 255),
        (258, 2),
        (u32::MAX, 255),
    ] {
        let end = hand::end_request(1, app_status, hand::REQUEST_COMPLETE);
        let page = hand::stream(hand::STDOUT, 1, b"Status: 404\r\n\r\npage");
        let ran = answered([page, end].concat());
        assert_eq!(ran.status, wanted, "{app_status}");
        assert_eq!(ran.stdout, b"Status: 404\r\n\r\npage");
        assert_eq!(ran.stderr, "");
    }
}

/// An application may close the connection instead of ending the request.
#[test]
fn no_exit_status() {
    let whole = [
        hand::stream(hand::STDOUT, 1, b"\r\n\r\npage"),
        hand::end_of(hand::STDOUT, 1),
    ];
    let ran = answered(whole.concat());
    assert_eq!((ran.status, ran.body()), (0, &b"page"[..]));
}

#[test]
fn standard_error_is_apart() {
    let page = [
        hand::stream(hand::STDERR, 1, b"first\n"),
        hand::stream(hand::STDOUT, 1, b"\r\n\r\npage"),
        hand::stream(hand::STDERR, 1, b"second\n"),
        hand::end_request(1, 0, hand::REQUEST_COMPLETE),
    ];
    let ran = answered(page.concat());
    assert_eq!(ran.stderr, "first\nsecond\n");
    assert_eq!(ran.body(), b"page");
}

#[test]
fn nobody_listens() {
    let place = Place::new();
    let ran = run(&mut cgi_fcgi(&["-bind", "-connect", &place.socket()]));
    let page = "503 Service Unavailable";
    assert_error(&ran, 69, page, "cannot connect to unix:");
    // What an application that has died leaves behind.
    drop(std::os::unix::net::UnixListener::bind(place.socket()).unwrap());
    let ran = run(&mut cgi_fcgi(&["-bind", "-connect", &place.socket()]));
    assert_error(&ran, 69, page, "refused");
}

#[test]
fn the_request_is_refused() {
    let refused = |status| answered(hand::end_request(1, 0, status));
    let overloaded = "503 Service Unavailable";
    assert_error(
        &refused(hand::OVERLOADED),
        69,
        overloaded,
        "FCGI_OVERLOADED",
    );
    assert_error(
        &refused(hand::CANT_MPX_CONN),
        69,
        overloaded,
        "FCGI_CANT_MPX_CONN",
    );
    assert_error(
        &refused(hand::UNKNOWN_ROLE),
        69,
        "502 Bad Gateway",
        "FCGI_UNKNOWN_ROLE",
    );
}

#[test]
fn the_application_fails() {
    let early = "closed the connection before it had answered";
    assert_error(&answered(Vec::new()), 76, "502 Bad Gateway", early);
    let garbage = b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec();
    assert_error(
        &answered(garbage),
        76,
        "502 Bad Gateway",
        "broke the protocol",
    );

    // What it had said before is out already; nothing is put behind it.
    let ran = answered(hand::stream(hand::STDOUT, 1, b"\r\n\r\nhalf a p"));
    assert_eq!((ran.status, ran.body()), (76, &b"half a p"[..]));
    assert!(ran.stderr.contains(early), "{}", ran.stderr);
}

#[test]
fn roles() {
    let as_role = |role: &str| {
        heard(b"body and data", |command| {
            command.env("FCGI_ROLE", role).env("CONTENT_LENGTH", "4");
        })
    };
    let responder = as_role("RESPONDER");
    assert_eq!((responder.role, &responder.stdin[..]), (1, &b"body"[..]));
    assert_eq!(as_role("AUTHORIZER").role, 2);
    let filter = as_role("FILTER");
    assert_eq!((filter.role, &filter.stdin[..]), (3, &b"body"[..]));
    assert_eq!(filter.data, b" and data");

    let ran = run(cgi_fcgi(&["-bind", "-connect", "/nowhere"]).env("FCGI_ROLE", "JUDGE"));
    assert_error(&ran, 70, "500 Internal Server Error", "JUDGE");
}

#[test]
fn variables() {
    let request = heard(b"", |command| {
        command
            .env("QUERY_STRING", "a=b")
            .env("EMPTY", "")
            .env("BYTES", OsStr::from_bytes(b"\xff\xfe"))
            .env("HTTP_PROXY", "http://evil.example")
            .env("HTTP_PROXY_X", "kept");
    });
    assert_eq!(request.params.len(), 4, "{request:?}");
    assert_eq!(request.param("QUERY_STRING"), Some(&b"a=b"[..]));
    assert_eq!(request.param("EMPTY"), Some(&b""[..]));
    assert_eq!(request.param("BYTES"), Some(&b"\xff\xfe"[..]));
    assert_eq!(request.param("HTTP_PROXY_X"), Some(&b"kept"[..]));
}

#[test]
fn bodies() {
    for (name, value, body) in [
        ("CONTENT_LENGTH", "4", "body"),
        ("CONTENT_LENGTH", "0", ""),
        ("CONTENT_LENGTH", "100", "body and more"),
        ("CONTENT_LENGTH", "four", ""),
        ("CONTENT_LENGTH", "-1", "body and more"),
        ("HTTP_TRANSFER_ENCODING", "chunked", "body and more"),
        ("NO_LENGTH", "", ""),
    ] {
        let request = heard(b"body and more", |command| {
            command.env(name, value);
        });
        let stdin = String::from_utf8(request.stdin).unwrap();
        assert_eq!(stdin, body, "{name}={value}");
    }
}

/// A web server, or a supervisor, may leave some of the three out.
#[test]
fn closed_descriptors() {
    for closed in ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"] {
        let place = Place::new();
        let peer = play(&place, |talk| {
            talk.request();
            talk.send(&hand::stream(hand::STDERR, 1, b"error"));
            talk.answer(b"page", 7);
        });
        let line = format!("exec \"$@\" {closed}");
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &line, "sh", env!("CARGO_BIN_EXE_cgi-fcgi")]);
        shell.args(["-bind", "-connect", &place.socket()]);
        shell.env_clear().env("CONTENT_LENGTH", "10");
        let ran = run_with(&mut shell, b"0123456789");
        assert_eq!(ran.status, 7, "{closed}: {ran:?}");
        peer.join().unwrap();
    }
}

#[test]
fn usage() {
    for arguments in [&[][..], &["-bind"], &["-connect", "/a"], &["-f"]] {
        let ran = run(&mut cgi_fcgi(arguments));
        assert_eq!(ran.status, 2, "{ran:?}");
        assert!(ran.stdout.is_empty());
        assert!(ran.stderr.contains("try '--help'"), "{}", ran.stderr);
    }
    let help = run(&mut cgi_fcgi(&["-h"]));
    assert_eq!(help.status, 0);
    assert!(
        String::from_utf8(help.stdout)
            .unwrap()
            .contains("--socket-mode")
    );
    let version = run(&mut cgi_fcgi(&["--version"]));
    let wanted = format!("cgi-fcgi {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(version.stdout, wanted.as_bytes());
}

/// A client sees that a CGI program was given wrong arguments; who types them sees more.
#[test]
fn wrong_arguments() {
    let page = "500 Internal Server Error";
    let place = Place::new();
    let file = place.write("file", "-bind -conect /a\n");
    let arguments = ["-f", file.to_str().unwrap()];
    let ran = run(cgi_fcgi(&arguments).env("GATEWAY_INTERFACE", "CGI/1.1"));
    let told = format!("{}: unexpected argument '--conect' found", file.display());
    assert_error(&ran, 2, page, &told);
    let ran = run(cgi_fcgi(&["-connect", "/a"]).env("GATEWAY_INTERFACE", "CGI/1.1"));
    assert_error(&ran, 2, page, "were not provided: <APP>");

    let ran = run(&mut cgi_fcgi(&["-connect", "/a"]));
    assert_eq!((ran.status, ran.stdout.len()), (2, 0), "{ran:?}");
    assert!(ran.stderr.contains("Usage: "), "{}", ran.stderr);
}
