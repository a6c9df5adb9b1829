//! What becomes of the heads that an application answers with, and of lengths that are wrong.

use std::io;
use std::time::Duration;

use fcgi_tests::hand;
use fcgi_tests::http::{Request, Response};

use crate::gateway::Gateway;
use crate::played::{answer, scripted};

/// A gateway before an application that answers every request so.
fn always(stdout: &'static [u8]) -> Gateway {
    scripted(move |heard, _| answer(heard.id, stdout))
}

#[track_caller]
fn get(stdout: &'static [u8]) -> Response {
    always(stdout).client().call(&Request::get("/"))
}

#[test]
fn documents_and_redirects() {
    for (stdout, status, field, body) in [
        (
            &b"Content-Type: text/plain\n\nhi"[..],
            200,
            ("Content-Type", "text/plain"),
            "hi",
        ),
        (
            b"Status: 404 Gone fishing\r\nContent-Type: a/b\r\n\r\nno",
            404,
            ("Content-Type", "a/b"),
            "no",
        ),
        (
            b"HTTP/1.1 201 Created\nContent-Type: a/b\n\nyes",
            201,
            ("Content-Type", "a/b"),
            "yes",
        ),
        (
            b"Location: http://example.org/\n\n",
            302,
            ("Location", "http://example.org/"),
            "",
        ),
        (
            b"Location: //example.org/\n\n",
            302,
            ("Location", "//example.org/"),
            "",
        ),
        (
            b"Status: 301\nLocation: /a\nContent-Type: a/b\n\nthere",
            301,
            ("Location", "/a"),
            "there",
        ),
        (
            b"Status: 103 Early Hints\nLink: x\n\nStatus: 200\nContent-Type: a/b\n\nhi",
            200,
            ("Content-Type", "a/b"),
            "hi",
        ),
        (
            b"Content-Type: a/b\nX-High: \xe4\nTransfer-Encoding: x\nConnection: x\n\n5",
            200,
            ("X-High", "\u{fffd}"),
            "5",
        ),
    ] {
        let page = get(stdout);
        let shown = stdout.escape_ascii().to_string();
        assert_eq!(
            (page.status, page.text().as_str()),
            (status, body),
            "{shown}"
        );
        assert_eq!(page.field(field.0).as_deref(), Some(field.1), "{shown}");
        assert_ne!(page.field("Connection").as_deref(), Some("x"), "{shown}");
        assert_eq!(page.field("Link"), None, "{shown}");
    }
    let page = get(b"Content-Type: a/b\nSet-Cookie: a=1\nSet-Cookie: b=2\n\n");
    assert_eq!(page.all("Set-Cookie"), ["a=1", "b=2"]);
}

#[test]
fn responses_without_a_body() {
    let gateway = scripted(|heard, _| {
        let stdout = match heard.param("QUERY_STRING").as_str() {
            "204" => "Status: 204\nContent-Length: 5\n\nextra",
            "304" => "Status: 304\nContent-Length: 5\n\n",
            "empty" => "Content-Type: a/b\nContent-Length: 0\n\n",
            "unannounced" => "Content-Type: a/b\n\nextra",
            _ => "Content-Type: a/b\nContent-Length: 5\n\nextra",
        };
        answer(heard.id, stdout)
    });
    // One connection for all: what was wrong with one response would show in the next.
    let mut client = gateway.client();
    for (method, target, status, length, body) in [
        ("HEAD", "/", 200, Some("5"), ""),
        ("GET", "/", 200, Some("5"), "extra"),
        ("HEAD", "/?unannounced", 200, None, ""),
        ("GET", "/?204", 204, None, ""),
        ("HEAD", "/?204", 204, None, ""),
        ("GET", "/?304", 304, None, ""),
        ("GET", "/?empty", 200, Some("0"), ""),
        ("GET", "/", 200, Some("5"), "extra"),
    ] {
        let page = client.call(&Request::new(method, target));
        assert_eq!(
            (page.status, page.text().as_str()),
            (status, body),
            "{target}"
        );
        assert_eq!(page.field("Content-Length").as_deref(), length, "{target}");
        let line = format!("access: {method} {target} {status} {} B", body.len());
        assert!(!gateway.line(&line).contains('('), "{line}");
    }
}

#[test]
fn a_body_longer_than_its_length_is_cut() {
    for stdout in [
        &b"Content-Type: a/b\nContent-Length: 2\n\nhiHTTP/1.1 200 OK\r\n\r\n"[..],
        b"Content-Type: a/b\nContent-Length: 0\n\nHTTP/1.1 200 OK\r\n\r\n",
    ] {
        let gateway = always(stdout);
        let mut client = gateway.client();
        let page = client.call(&Request::get("/"));
        assert_eq!(page.status, 200);
        assert!(page.length <= 2);
        gateway.line("error: GET /: the application sends more than");
        // The same connection, and not a byte of the surplus on it.
        assert_eq!(client.call(&Request::get("/")).body, page.body);
        assert!(!client.closed_within(Duration::from_millis(100)).unwrap());
    }
}

/// So is one whose surplus comes in a record of its own.
#[test]
fn a_surplus_that_comes_later_is_cut() {
    let gateway = scripted(|heard, _| {
        let records = [
            hand::stream(
                hand::STDOUT,
                heard.id,
                b"Content-Type: a/b\nContent-Length: 2\n\nhi",
            ),
            hand::stream(hand::STDOUT, heard.id, &[b'x'; 100_000]),
            answer(heard.id, "y"),
        ];
        records.concat()
    });
    let mut client = gateway.client();
    for _ in 0..3 {
        assert_eq!(client.call(&Request::get("/")).text(), "hi");
    }
    gateway.line("error: GET /: the application sends more than");
}

#[test]
fn a_body_shorter_than_its_length_breaks_the_connection() {
    let gateway = always(b"Content-Type: a/b\nContent-Length: 100\n\nhi");
    let mut client = gateway.client();
    let mut body = Vec::new();
    let error = client.exchange(&Request::get("/"), &mut body).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    assert_eq!(body, b"hi");
    gateway.line("error: GET /: the response is 98 bytes shorter");
    gateway.line("(cut short)");
}

/// Without a length, only the missing last chunk tells the client.
#[test]
fn an_answer_cut_short_breaks_the_connection() {
    let gateway = scripted(|heard, count| match count {
        0 => {
            let record = hand::stream(hand::STDOUT, heard.id, b"Content-Type: a/b\n\nhi");
            // A version that does not exist.
            [record, vec![2; 8]].concat()
        }
        _ => answer(heard.id, "Content-Type: a/b\n\nhi"),
    });
    let mut client = gateway.client();
    let error = client
        .exchange(&Request::get("/"), &mut Vec::new())
        .unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    gateway.line("error: GET /: the application breaks the protocol: record of version 2");
    assert_eq!(gateway.client().call(&Request::get("/")).text(), "hi");
}

#[test]
fn what_is_no_response_becomes_a_page() {
    for (stdout, text) in [
        (&b"hello\n"[..], "line 1 of the head has no colon"),
        (b"X-A: b\n\n", "head has no content-type"),
        (b"Content-Type: a/b\n", "without a complete head"),
        (b"", "without a complete head"),
        (b"Content-Type: a/b\nX: \x1b[2J\n\n", "control character"),
        (b"Status: 20\n\n", "status that is not three digits"),
    ] {
        let gateway = always(stdout);
        let mut client = gateway.client();
        let page = client.call(&Request::get("/"));
        assert_eq!(page.status, 502, "{}", stdout.escape_ascii());
        assert!(page.text().contains(text), "{text} in {}", page.text());
        let content_type = page.field("Content-Type");
        assert_eq!(content_type.as_deref(), Some("text/html; charset=utf-8"));
        let head = client.call(&Request::head("/"));
        assert_eq!((head.status, head.body.len()), (502, 0));
        gateway.line("error: GET /: ");
    }
}

#[test]
fn errors_and_exit_statuses_are_printed_with_their_request() {
    let gateway = scripted(|heard, _| {
        let id = heard.id;
        let records = [
            hand::stream(hand::STDERR, id, b"first line\nsecond \x1b[31m"),
            hand::stream(hand::STDOUT, id, b"Content-Type: a/b\n\nhi"),
            hand::stream(hand::STDERR, id, b"line\r\nthird"),
            hand::end_of(hand::STDERR, id),
            hand::end_of(hand::STDOUT, id),
            hand::end_request(id, u32::MAX, hand::REQUEST_COMPLETE),
        ];
        records.concat()
    });
    let page = gateway.client().call(&Request::get("/a?b=%1b"));
    assert_eq!(page.text(), "hi");
    for line in [
        "error: GET /a?b=%1b: first line",
        "error: GET /a?b=%1b: second \\u{1b}[31mline",
        "error: GET /a?b=%1b: third",
        "error: GET /a?b=%1b: the request ended with appStatus -1",
    ] {
        assert_eq!(gateway.line(line), line);
    }
}

#[test]
fn local_redirects_are_followed() {
    let gateway = scripted(|heard, _| {
        let stdout = match heard.param("PATH_INFO").as_str() {
            "/from" => "Location: /to?a=1\n\n".to_owned(),
            "/loop" => "Location: /loop\n\n".to_owned(),
            "/odd" => "Location: /a b\n\n".to_owned(),
            _ => {
                let names = [
                    "REQUEST_METHOD",
                    "REQUEST_URI",
                    "QUERY_STRING",
                    "CONTENT_LENGTH",
                ];
                let values = names.map(|name| heard.param(name)).join(" ");
                format!("Content-Type: a/b\n\n{values}")
            }
        };
        answer(heard.id, stdout)
    });
    let mut client = gateway.client();
    let page = client.call(&Request::get("/from"));
    assert_eq!(
        (page.status, page.text().as_str()),
        (200, "GET /to?a=1 a=1 ")
    );
    let page = client.call(&Request::post("/from", "body"));
    assert_eq!(page.text(), "GET /to?a=1 a=1 ", "not the body again");
    assert_eq!(client.call(&Request::head("/from")).status, 200);
    let page = client.call(&Request::get("/loop"));
    assert_eq!(page.status, 502);
    assert!(page.text().contains("again and again"), "{}", page.text());
    let page = client.call(&Request::get("/odd"));
    assert_eq!(page.status, 302);
    assert_eq!(page.field("Location").as_deref(), Some("/a b"));
}

/// Clients of HTTP/1.0 know no chunks: the end of the connection is the end of the body.
#[test]
fn old_clients() {
    let gateway = scripted(|heard, _| {
        let protocol = heard.param("SERVER_PROTOCOL");
        answer(heard.id, format!("Content-Type: a/b\n\n{protocol}"))
    });
    let mut client = gateway.client();
    client.send(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut body = Vec::new();
    let page = client.receive(false, &mut body).unwrap();
    assert_eq!((page.status, &body[..]), (200, &b"HTTP/1.0"[..]));
    assert_eq!(page.field("Transfer-Encoding"), None);
}
