//! `fcgi dump`: what passes it, and what it prints.

#[path = "../cli/tool.rs"]
mod tool;

#[path = "../request/peer.rs"]
mod peer;

mod command;
mod proxied;

use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use fcgi_tests::blocking::{App, unix};
use fcgi_tests::hand::{
    self, CLOSE, KEEP, PARAMS, REQUEST_COMPLETE, RESPONDER, STDIN, STDOUT, end_of, end_request,
    record, stream,
};
use fcgi_tests::pattern;
use fcgi_tools::dump::Style;
use peer::Peer;
use proxied::Proxied;

/// Gives each body back.
fn echo() -> App {
    unix(
        |server| server.workers(4, 4),
        |request| {
            request.header("Content-Type", "text/plain")?;
            std::io::copy(&mut request.stdin, &mut request.stdout).map(|_| ())
        },
    )
}

/// An application that answers the end of the first request with these bytes, and closes when the
/// web server has; and all that it was sent.
fn saying(answer: &[u8]) -> (Peer, Arc<Mutex<Vec<u8>>>) {
    let (answer, heard) = (answer.to_vec(), Arc::new(Mutex::new(Vec::new())));
    let hears = Arc::clone(&heard);
    let peer = Peer::start(move |mut stream| {
        let mut all = Vec::new();
        let mut buffer = [0; 1000];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            all.extend_from_slice(&buffer[..count]);
        }
        *hears.lock().unwrap() = all;
        let _ = stream.write_all(&answer);
    });
    (peer, heard)
}

/// Sends, half-closes, and reads to the end.
fn exchange(proxied: &Proxied, sent: &[u8]) -> Vec<u8> {
    let mut connection = proxied.connect();
    connection.write_all(sent).unwrap();
    connection.shutdown(Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).unwrap();
    answer
}

/// The first example of Appendix B, with content of our own.
#[test]
fn an_exchange_in_the_notation() {
    let answer = [
        record(STDOUT, 1, b"Content-type: text/html\r\n\r\n<html>\n", 6),
        end_of(STDOUT, 1),
        end_request(1, 938, REQUEST_COMPLETE),
    ]
    .concat();
    let (peer, heard) = saying(&answer);
    let proxied = Proxied::before(&peer.address(), Style::new(), None);
    let sent = [
        hand::begin(1, RESPONDER, CLOSE),
        hand::params(1, &[("SERVER_PORT", "80")]),
        end_of(PARAMS, 1),
        record(STDIN, 1, b"quantity=100&item=3047936", 7),
        end_of(STDIN, 1),
    ]
    .concat();
    assert_eq!(exchange(&proxied, &sent), answer);
    assert_eq!(*heard.lock().unwrap(), sent);
    assert_eq!(
        proxied.direction(1, '>'),
        [
            "{FCGI_BEGIN_REQUEST, 1, {FCGI_RESPONDER, 0}}",
            r#"{FCGI_PARAMS, 1, "\013\002SERVER_PORT80"}"#,
            r#"{FCGI_PARAMS, 1, ""}"#,
            r#"{FCGI_STDIN, 1, "quantity=100&item=3047936"}"#,
            r#"{FCGI_STDIN, 1, ""}"#,
            "(end)",
        ]
    );
    assert_eq!(
        proxied.direction(1, '<'),
        [
            r#"{FCGI_STDOUT, 1, "Content-type: text/html\r\n\r\n<html>\n"}"#,
            r#"{FCGI_STDOUT, 1, ""}"#,
            "{FCGI_END_REQUEST, 1, {938, FCGI_REQUEST_COMPLETE}}",
            "(end)",
        ]
    );
    let (summary, lines) = proxied.end();
    assert_eq!(lines[0], "#1 connected");
    assert_eq!(
        (summary.connections, summary.records, summary.faults),
        (1, 8, 0)
    );
    assert_eq!(summary.bytes, (sent.len() + answer.len()) as u64);
}

#[test]
fn parameters_as_pairs() {
    let (peer, _) = saying(&end_request(1, 0, REQUEST_COMPLETE));
    let mut style = Style::new();
    (style.decode, style.max_content) = (true, 6);
    let proxied = Proxied::before(&peer.address(), style, None);
    let sent = [
        hand::begin(1, RESPONDER, CLOSE),
        hand::params(1, &[("A", "1"), ("LONG", "value of\n many bytes")]),
        end_of(PARAMS, 1),
        end_of(STDIN, 1),
    ]
    .concat();
    exchange(&proxied, &sent);
    proxied.direction(1, '<');
    let (_, lines) = proxied.end();
    let at = lines
        .iter()
        .position(|line| line.contains("FCGI_PARAMS"))
        .unwrap();
    assert_eq!(
        lines[at..at + 3],
        [
            "#1 > {FCGI_PARAMS, 1, 30 bytes}",
            r#""A" = "1""#,
            r#""LONG" = "value "... 14 more"#,
        ]
    );
}

/// What is sent on the way there and back is not FastCGI, or not in order, or cut; it passes.
#[test]
fn a_broken_stream_passes_and_is_said_to_be_broken() {
    let answer = [
        stream(STDOUT, 1, b"x"),
        b"\x1b[31mwhat is this?\r\n".to_vec(),
    ]
    .concat();
    let (peer, heard) = saying(&answer);
    let proxied = Proxied::before(&peer.address(), Style::new(), None);
    let in_order = [
        hand::begin(1, RESPONDER, KEEP),
        record(STDIN, 1, b"\x1b]0;title\x07", 0),
        record(STDIN, 1, b"cut", 0)[..10].to_vec(),
    ]
    .concat();
    assert_eq!(exchange(&proxied, &in_order), answer);
    assert_eq!(*heard.lock().unwrap(), in_order);
    assert_eq!(
        proxied.direction(1, '>'),
        [
            "{FCGI_BEGIN_REQUEST, 1, {FCGI_RESPONDER, FCGI_KEEP_CONN}}",
            r#"{FCGI_STDIN, 1, "\033]0;title\007"}"#,
            "(broken: FCGI_STDIN of request 1 before its turn (§6.1))",
            "(truncated: 10 of 11 bytes of the record at byte 34)",
            "(end)",
        ]
    );
    assert_eq!(
        proxied.direction(1, '<'),
        [
            r#"{FCGI_STDOUT, 1, "x"}"#,
            "(broken: record of version 27, only version 1 exists (§3.3) at byte 9; what follows \
             is passed on unread)",
            "(end)",
        ]
    );
    let http = b"GET / HTTP/1.1\r\n\r\n".repeat(10_000);
    assert_eq!(exchange(&proxied, &http), answer);
    assert_eq!(*heard.lock().unwrap(), http);
    proxied.direction(2, '<');
    let (summary, lines) = proxied.end();
    assert_eq!((summary.connections, summary.faults), (2, 4));
    let is_plain = |line: &String| !line.chars().any(char::is_control);
    assert!(lines.iter().all(is_plain), "{lines:#?}");
}

/// Large bodies both ways, on many connections at once.
#[test]
fn much_at_once() {
    let app = echo();
    let mut style = Style::new();
    style.max_content = 0;
    let proxied = Proxied::before(&app.address().to_string(), style, None);
    let body = pattern::bytes(3_000_000);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut connection = proxied.connect();
                let mut writer = connection.try_clone().unwrap();
                let pairs = [("CONTENT_LENGTH", body.len().to_string())];
                let request = hand::responder(1, KEEP, &pairs, &body);
                scope.spawn(move || writer.write_all(&request).unwrap());
                let answer = hand::read_to_end_of(&mut connection, 1);
                let answer = hand::answers(&answer).remove(&1).unwrap();
                assert!(answer.body() == body, "{} bytes", answer.body().len());
            });
        }
    });
    let (summary, lines) = proxied.end();
    assert_eq!((summary.connections, summary.faults), (8, 0));
    assert!(summary.bytes > 8 * 2 * 3_000_000);
    assert!(
        lines.iter().all(|line| !line.contains("left out")),
        "{lines:#?}"
    );
}

/// Nothing waits for a terminal that was stopped, and nothing piles up.
#[test]
fn output_that_nobody_takes() {
    /// Takes nothing until it may.
    struct Stopped(Receiver<()>, Arc<Mutex<Vec<u8>>>);

    impl Write for Stopped {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            // The sender goes away in order to let all pass.
            let _ = self.0.recv();
            self.1.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let app = echo();
    let mut style = Style::new();
    style.max_content = usize::MAX;
    let (go, wait) = channel();
    let printed = Arc::new(Mutex::new(Vec::new()));
    let out = Stopped(wait, Arc::clone(&printed));
    let proxied = Proxied::to(&app.address().to_string(), style, None, out);
    // Printed, each of its bytes takes up to four.
    let body = pattern::bytes(10 << 20);
    let pairs = [("CONTENT_LENGTH", body.len().to_string())];
    let request = hand::responder(1, CLOSE, &pairs, &body);
    let mut connection = proxied.connect();
    let mut writer = connection.try_clone().unwrap();
    let answer = thread::scope(|scope| {
        scope.spawn(|| writer.write_all(&request).unwrap());
        hand::read_to_end_of(&mut connection, 1)
    });
    assert!(hand::answers(&answer)[&1].body() == body);
    drop(go);
    let (summary, _) = proxied.end();
    assert!(summary.bytes > 2 * (10 << 20));
    let printed = printed.lock().unwrap();
    assert!(printed.len() < 40 << 20, "{}", printed.len());
    let printed = String::from_utf8_lossy(&printed);
    assert!(printed.contains("records or notes left out: they came faster than they were printed"));
}

/// The application ends its direction first, and goes on to read.
#[test]
fn half_closed_the_other_way() {
    let (read, was_read) = std::sync::mpsc::channel();
    let peer = Peer::start(move |mut stream| {
        stream.write_all(b"early").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut late = Vec::new();
        stream.read_to_end(&mut late).unwrap();
        read.send(late).unwrap();
    });
    let proxied = Proxied::before(&peer.address(), Style::new(), None);
    let mut connection = proxied.connect();
    let mut early = Vec::new();
    connection.read_to_end(&mut early).unwrap();
    assert_eq!(early, b"early");
    connection.write_all(b"late").unwrap();
    drop(connection);
    assert_eq!(was_read.recv().unwrap(), b"late");
    proxied.end();
}

/// The application goes away while the web server still sends.
#[test]
fn an_application_that_closes() {
    let peer = Peer::start(drop);
    let proxied = Proxied::before(&peer.address(), Style::new(), None);
    let mut connection = proxied.connect();
    let piece = record(STDIN, 1, &[b'x'; 60_000], 0);
    // Sooner or later it is noticed, as without a proxy.
    while connection.write_all(&piece).is_ok() {}
    proxied.end();
}

#[test]
fn nobody_behind() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("none.sock").display().to_string();
    let proxied = Proxied::before(&path, Style::new(), None);
    assert_eq!(exchange(&proxied, b""), b"");
    proxied.wait_for(1, "#1 (given up: unix:");
    let (summary, _) = proxied.end();
    assert_eq!(summary.connections, 1);
}

/// Stopping closes what is open, on both sides.
#[test]
fn the_end_of_the_proxy_is_the_end_of_its_connections() {
    let (peer, _) = saying(b"");
    let proxied = Proxied::before(&peer.address(), Style::new(), None);
    let mut connection = proxied.connect();
    connection
        .write_all(&hand::begin(1, RESPONDER, KEEP))
        .unwrap();
    proxied.wait_for(1, "FCGI_BEGIN_REQUEST");
    proxied.end();
    assert!(matches!(connection.read(&mut [0; 10]), Ok(0) | Err(_)));
}

#[test]
fn saved_connections_are_what_was_sent() {
    let answer = stream(STDOUT, 1, b"Content-Type: text/plain\n\n");
    let (peer, _) = saying(&answer);
    let directory = tempfile::tempdir().unwrap();
    let save = directory.path().join("new");
    let proxied = Proxied::before(&peer.address(), Style::new(), Some(save.clone()));
    let sent = hand::responder(1, CLOSE, &[("A", "b")], b"body");
    for _ in 0..2 {
        assert_eq!(exchange(&proxied, &sent), answer);
    }
    proxied.end();
    for number in 1..=2 {
        let file = |sender| fs::read(save.join(format!("0000{number}-{sender}.fcgi"))).unwrap();
        assert_eq!(file("web-server"), sent);
        assert_eq!(file("application"), answer);
    }
    let mut options = fcgi_tools::dump::Options::new(
        "127.0.0.1:0".parse().unwrap(),
        "127.0.0.1:1".parse().unwrap(),
    );
    options.save = Some(save);
    let error = fcgi_tools::dump::Proxy::bind(options).unwrap_err();
    assert!(error.to_string().ends_with("is not empty"), "{error}");
}
