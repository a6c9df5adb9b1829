//! The harness itself: a real nginx between our client and a canned application.

use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

use fcgi_tests::app::{Canned, Seen};
use fcgi_tests::hand::{BEGIN_REQUEST, parse};
use fcgi_tests::http::{Client, Request};
use fcgi_tests::nginx::{self, Nginx};
use fcgi_tests::nginx_request::{self, Site};
use fcgi_tests::pattern;
use fcgi_tests::process::Running;

const PAGE: &str = "Content-Type: text/plain\r\nX-Canned: yes\r\n\r\nhello from the can\n";

fn param(seen: &Seen, name: &str) -> Option<String> {
    let found = seen.params.iter().find(|(n, _)| n == name.as_bytes());
    found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
}

#[test]
fn a_page_comes_through_nginx_over_unix_and_tcp_kept_or_not() {
    let directory = tempfile::tempdir().unwrap();
    for (app, kept) in [
        (Canned::unix(directory.path().join("kept"), PAGE), true),
        (Canned::unix(directory.path().join("not"), PAGE), false),
        (Canned::tcp(PAGE), true),
        (Canned::tcp(PAGE), false),
    ] {
        let setup = Nginx::before(app.address().clone());
        let nginx = if kept { setup.keep_conn(4) } else { setup }.start();
        let mut client = Client::connect(nginx.address());
        for _ in 0..3 {
            let page = client.call(&Request::get("/a/b.fcgi/more?x=1"));
            assert_eq!((page.status, page.reason.as_str()), (200, "OK"));
            assert_eq!(page.text(), "hello from the can\n");
            assert_eq!(page.field("x-canned").as_deref(), Some("yes"));
        }
        let seen = app.seen();
        assert_eq!(param(&seen[0], "SCRIPT_NAME").as_deref(), Some("/a/b.fcgi"));
        assert_eq!(param(&seen[0], "PATH_INFO").as_deref(), Some("/more"));
        assert_eq!(param(&seen[0], "HTTP_HOST").as_deref(), Some("localhost"));
        let connections: Vec<_> = seen.iter().map(|seen| seen.connection).collect();
        assert_eq!(connections, if kept { [0, 0, 0] } else { [0, 1, 2] });
        let begin = &parse(&seen[2].bytes)[0];
        assert_eq!(
            (begin.kind, begin.content[2]),
            (BEGIN_REQUEST, u8::from(kept))
        );
    }
}

#[test]
fn the_request_of_the_benches_is_what_nginx_sends() {
    let app = Canned::tcp(PAGE);
    let nginx = Nginx::before(app.address().clone()).keep_conn(1).start();
    let request = nginx_request::FIELDS.iter().fold(
        Request::get(nginx_request::TARGET),
        |request, (name, value)| request.header(name, value),
    );
    let mut client = Client::connect(nginx.address());
    assert_eq!(client.call(&request).status, 200);

    let site = Site {
        nginx_version: nginx::version(),
        server_port: nginx.address().port(),
        remote_port: client.local_address().port(),
    };
    let seen = &app.seen()[0];
    let text = |(name, value): &(Vec<u8>, Vec<u8>)| {
        (
            String::from_utf8_lossy(name).into_owned(),
            String::from_utf8_lossy(value).into_owned(),
        )
    };
    assert_eq!(
        seen.params.iter().map(text).collect::<Vec<_>>(),
        nginx_request::pairs(&site)
    );
    assert_eq!(parse(&seen.bytes), parse(&nginx_request::bytes(&site)));
    assert_eq!(seen.bytes, nginx_request::bytes(&site));
    let content = nginx_request::params(&Site::default()).len();
    assert!(
        (1250..1350).contains(&content),
        "{content} bytes of parameters"
    );
}

#[test]
fn bodies_come_through_with_a_length_and_in_chunks() {
    let app = Canned::tcp(PAGE);
    let buffered = Nginx::before(app.address().clone()).start();
    let passed_on = Nginx::before(app.address().clone())
        .unbuffered_request()
        .start();
    let length = 1 << 20;
    for (nginx, request, content_length) in [
        (&buffered, Request::post("/", "a=b"), "3"),
        (&buffered, Request::post_pattern("/", length), "1048576"),
        (
            &buffered,
            Request::post_pattern("/", length).chunked(),
            "1048576",
        ),
        (&passed_on, Request::post_pattern("/", length), "1048576"),
        (&passed_on, Request::post_pattern("/", length).chunked(), ""),
    ] {
        let before = app.seen().len();
        let answer = Client::connect(nginx.address()).call(&request);
        assert_eq!(answer.text(), "hello from the can\n");
        let seen = &app.seen()[before];
        assert_eq!(
            param(seen, "CONTENT_LENGTH").as_deref(),
            Some(content_length)
        );
        if content_length == "3" {
            assert_eq!(seen.stdin, b"a=b");
        } else {
            let mut check = pattern::Check::new();
            check.write_all(&seen.stdin).unwrap();
            check.assert(length);
        }
    }
}

#[test]
fn a_large_response_is_checked_as_it_flows() {
    let body = pattern::bytes(8 << 20);
    let head = format!("Content-Length: {}\r\n\r\n", body.len());
    for head in [head.as_bytes(), b"Content-Type: text/plain\r\n\r\n"] {
        let app = Canned::tcp([head, &body].concat());
        let nginx = Nginx::before(app.address().clone())
            .unbuffered_response()
            .start();
        let mut client = Client::connect(nginx.address());
        for request in [Request::get("/"), Request::get("/")] {
            let mut check = pattern::Check::new();
            let response = client.exchange(&request, &mut check).unwrap();
            check.assert(8 << 20);
            assert_eq!(response.length, 8 << 20);
        }
        let mut nothing = Vec::new();
        let response = client.exchange(&Request::head("/"), &mut nothing).unwrap();
        assert_eq!(
            (response.status, response.length, nothing.len()),
            (200, 0, 0)
        );
    }
}

#[test]
fn raw_bytes_and_large_heads_come_through() {
    let large = "x".repeat(20 * 1024);
    let app = Canned::tcp(format!("X-Large: {large}\r\n\r\nok"));
    let nginx = Nginx::before(app.address().clone()).large_headers().start();
    let mut client = Client::connect(nginx.address());
    let raw: Vec<u8> = (1..=255).filter(|b| !b"\r\n".contains(b)).collect();
    let value = [b"<", &raw[..], b">"].concat();
    let request = Request::get(b"/\xc3\x28?q=%00\xff")
        .header("X-Raw", &value)
        .header("X-Large", &large)
        .header("Connection", "close");
    let response = client.call(&request);
    assert_eq!(response.field("X-Large"), Some(large.clone()));
    assert!(client.closed_within(Duration::from_secs(5)).unwrap());
    let seen = &app.seen()[0];
    let field = |name: &[u8]| &seen.params.iter().find(|(n, _)| n == name).unwrap().1;
    assert_eq!(*field(b"HTTP_X_RAW"), value);
    assert_eq!(*field(b"HTTP_X_LARGE"), large.as_bytes());
    assert_eq!(field(b"QUERY_STRING"), b"q=%00\xff");
}

#[test]
fn clients_may_leave_in_the_middle() {
    let body = pattern::bytes(8 << 20);
    let app = Canned::tcp([&b"Content-Length: 8388608\r\n\r\n"[..], &body].concat());
    let nginx = Nginx::before(app.address().clone())
        .unbuffered_response()
        .start();
    for reset in [false, true] {
        let mut client = Client::connect(nginx.address());
        client.send(&Request::get("/").head_bytes()).unwrap();
        assert_eq!(client.receive_head().unwrap().status, 200);
        assert_eq!(client.receive_bytes(100_000).unwrap(), body[..100_000]);
        if reset {
            client.reset().unwrap();
        }
    }
    assert_eq!(
        Client::connect(nginx.address())
            .call(&Request::get("/"))
            .body,
        body
    );
}

#[test]
fn nginx_logs_what_an_application_did_wrong() {
    let app = Canned::tcp("no header line\r\n\r\n");
    let nginx = Nginx::before(app.address().clone()).start();
    let response = Client::connect(nginx.address()).call(&Request::get("/"));
    assert_eq!(response.status, 502);
    assert!(
        nginx.error_log().contains("upstream sent invalid header"),
        "{}",
        nginx.error_log()
    );
}

#[test]
fn nginx_ends_with_its_value() {
    let app = Canned::tcp(PAGE);
    let nginx = Nginx::before(app.address().clone()).keep_conn(1).start();
    let address = nginx.address();
    let mut client = Client::connect(address);
    assert_eq!(client.call(&Request::get("/")).status, 200);
    drop(nginx);
    assert!(client.closed_within(Duration::from_secs(5)).unwrap());
    assert!(Client::try_connect(address).is_err());
}

#[test]
fn children_are_waited_for_and_stopped() {
    let mut child =
        Running::start(Command::new("sh").args(["-c", "echo out; echo err >&2; exit 3"]));
    assert_eq!(child.wait(Duration::from_secs(5)).unwrap().code(), Some(3));
    assert_eq!(child.log(), "out\nerr\n");

    let begun = Instant::now();
    let mut child = Running::start(Command::new("sleep").arg("60"));
    assert_eq!(child.wait(Duration::from_millis(20)), None);
    drop(child);
    assert!(begun.elapsed() < Duration::from_secs(5));
}
