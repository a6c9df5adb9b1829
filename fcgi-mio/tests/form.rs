//! Forms: of whole requests as trees, and of tasks piece by piece.

mod kit;

use std::io;

use fcgi_mio::form::multipart::{self, PartHead};
use fcgi_mio::form::{Form, FormError, Limits, Parts, Upload};
use fcgi_mio::{Incident, Plan, Request, Response, Service, Settings, Task, whole};
use fcgi_tests::blocking::WebServer;
use fcgi_tests::hand::*;
use kit::*;

const URLENCODED: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data; boundary=X";

/// Answers what the query's first word names.
fn show(request: &Request<'_>, response: &mut Response<'_>) -> io::Result<()> {
    let text = match request.param("HTTP_X_KIND") {
        Some(b"get") => format!("{:?}", request.get()?),
        Some(b"post") => format!("{:?}", request.post()?),
        Some(b"cookies") => format!("{:?}", request.cookies()?),
        Some(b"files") => files(request)?,
        Some(b"limited") => {
            let mut limits = Limits::default();
            limits.tree.values = 1;
            limits.parts.value = 3;
            format!("{:?}", Form::of(request, limits)?.values)
        }
        Some(b"late") => {
            response.write("a beginning")?;
            return request.post().map(drop);
        }
        Some(b"caught") => match request.post() {
            Ok(_) => "whole".to_owned(),
            Err(error) => format!("caught: {error}"),
        },
        _ => return echo(request, response),
    };
    response.header("Content-Type", "text/plain")?;
    response.write(text)
}

/// One line for each file.
fn files(request: &Request<'_>) -> io::Result<String> {
    let ascii =
        |bytes: Option<&[u8]>| bytes.map_or_else(String::new, |b| b.escape_ascii().to_string());
    let mut text = String::new();
    for (name, node) in request.files()?.as_map() {
        for file in node.all() {
            let columns = [
                Some(name),
                Some(file.file_name()),
                file.base_name(),
                file.content_type(),
                Some(file.bytes()),
            ];
            text += &columns.map(ascii).join("|");
            text.push('\n');
        }
    }
    Ok(text)
}

/// A request with its whole body.
fn post(kind: &str, content_type: &str, body: &str) -> Vec<u8> {
    let length = body.len().to_string();
    let pairs = [
        ("REQUEST_METHOD", "POST"),
        ("CONTENT_TYPE", content_type),
        ("CONTENT_LENGTH", length.as_str()),
        ("HTTP_X_KIND", kind),
    ];
    responder(1, KEEP, &pairs, body.as_bytes())
}

/// The parts between their delimiters, with the line ends of the protocol.
fn parts(parts: &[&str]) -> String {
    let parts: String = parts.iter().map(|part| format!("--X\n{part}\n")).collect();
    format!("{parts}--X--\n").replace('\n', "\r\n")
}

fn field(name: &str, value: &str) -> String {
    format!("Content-Disposition: form-data; name=\"{name}\"\n\n{value}")
}

fn file(name: &str, file_name: &str, more: &str, bytes: &str) -> String {
    let names = format!("name=\"{name}\"; filename=\"{file_name}\"");
    format!("Content-Disposition: form-data; {names}\n{more}\n{bytes}")
}

#[track_caller]
fn body_of(answer: &Answer) -> String {
    assert_eq!(answer.end, Some((0, REQUEST_COMPLETE)), "{answer:?}");
    String::from_utf8_lossy(answer.body()).into_owned()
}

/// The rows of the Pike module's page, and names as PHP knows them.
const ROWS: [(&str, &str); 8] = [
    ("name=a", r#"{"name": "a"}"#),
    ("name=a&name=b", r#"{"name": ["a", "b"]}"#),
    (
        "user[first]=a&user[last]=b",
        r#"{"user": {"first": "a", "last": "b"}}"#,
    ),
    (
        "user[name]=a&user[pw]=b&user[pw]=c",
        r#"{"user": {"name": "a", "pw": ["b", "c"]}}"#,
    ),
    ("a[]=1", r#"{"a": ["1"]}"#),
    ("a[b][]=1&a[b][]=2", r#"{"a": {"b": ["1", "2"]}}"#),
    ("a[b][c]=1", r#"{"a": {"b": {"c": "1"}}}"#),
    ("", "{}"),
];

/// The debug text of a leaf is `Leaf("…")` and so on: what is left without those words.
fn plain(text: &str) -> String {
    let text = ["Leaf(", "List(", "Map("]
        .iter()
        .fold(text.to_owned(), |text, word| text.replace(word, ""));
    text.replace(')', "")
}

#[test]
fn rows_of_get_post_and_cookies() {
    everywhere(
        |s| s,
        show,
        |_, peer| {
            for (sent, expected) in ROWS {
                let query = [("QUERY_STRING", sent), ("HTTP_X_KIND", "get")];
                let answer = peer.ask(1, responder(1, KEEP, &query, b""));
                assert_eq!(plain(&body_of(&answer)), expected, "get {sent}");
                let answer = peer.ask(1, post("post", URLENCODED, sent));
                assert_eq!(plain(&body_of(&answer)), expected, "post {sent}");
                let pairs: Vec<_> = sent.split('&').filter(|pair| !pair.is_empty()).collect();
                let fields = pairs.iter().map(|pair| pair.split_once('=').unwrap());
                let fields: Vec<_> = fields.map(|(name, value)| field(name, value)).collect();
                let fields: Vec<_> = fields.iter().map(String::as_str).collect();
                let answer = peer.ask(1, post("post", MULTIPART, &parts(&fields)));
                assert_eq!(plain(&body_of(&answer)), expected, "multipart {sent}");
                let header = pairs.join("; ");
                let cookies = [("HTTP_COOKIE", header.as_str()), ("HTTP_X_KIND", "cookies")];
                let answer = peer.ask(1, responder(1, KEEP, &cookies, b""));
                assert_eq!(plain(&body_of(&answer)), expected, "cookies {sent}");
            }
        },
    );
}

#[test]
fn files_in_memory() {
    let body = parts(&[
        &field("note", "no file"),
        &file("f", "C:\\a b.txt", "Content-Type: text/x\n", "one\n--Y\n"),
        &file("f", "%22.bin", "", ""),
        &file("unused", "", "Content-Type: application/octet-stream\n", ""),
        &file("m[k]", "nested", "", "left out by all"),
        &file("g[]", "../..", "", "two"),
    ]);
    everywhere(
        |s| s,
        show,
        |_, peer| {
            let answer = peer.ask(1, post("files", MULTIPART, &body));
            let expected = "f|C:\\\\a b.txt|a b.txt|text/x|one\\r\\n--Y\\r\\n\n\
                f|\\\".bin|\\\".bin||\ng|../..|||two\n";
            assert_eq!(body_of(&answer), expected);
            let answer = peer.ask(1, post("post", MULTIPART, &body));
            assert_eq!(plain(&body_of(&answer)), r#"{"note": "no file"}"#);
        },
    );
}

/// A value, and a map of the same name.
const CLASH: &str = "a=1&a[k]=2";

#[test]
fn what_is_wrong_is_the_status_of_the_answer() {
    let many = "a&".repeat(1001);
    let clash = parts(&[&field("a", "1"), &field("a[k]", "2")]);
    let whole_form = parts(&[&field("a", "1")]);
    let cut = whole_form.strip_suffix("--\r\n").unwrap();
    let limited = parts(&[&field("a", "long")]);
    let cases = [
        ("post", URLENCODED, CLASH, "400"),
        ("post", URLENCODED, &many, "413"),
        ("post", "multipart/form-data", &whole_form, "400"),
        ("post", MULTIPART, &clash, "400"),
        ("post", MULTIPART, cut, "400"),
        ("post", MULTIPART, "", "400"),
        ("files", MULTIPART, cut, "400"),
        ("limited", URLENCODED, "a=1&b=2", "413"),
        ("limited", MULTIPART, &limited, "413"),
    ];
    everywhere(
        |s| s,
        show,
        |app, peer| {
            for (kind, content_type, body, status) in cases {
                let before = app.counters().failed;
                let answer = peer.ask(1, post(kind, content_type, body));
                is_page(&answer, status, 1);
                assert_eq!(app.counters().failed, before + 1);
                lives(peer);
            }
            let clash = [("QUERY_STRING", "a=1&a[k]=2"), ("HTTP_X_KIND", "get")];
            is_page(&peer.ask(1, responder(1, KEEP, &clash, b"")), "400", 1);
            let many = "a=1;".repeat(1001);
            let cookies = [("HTTP_COOKIE", many.as_str()), ("HTTP_X_KIND", "cookies")];
            is_page(&peer.ask(1, responder(1, KEEP, &cookies, b"")), "413", 1);
        },
    );
}

#[test]
fn what_is_no_form_is_an_empty_one() {
    everywhere(
        |s| s,
        show,
        |_, peer| {
            for (content_type, body) in [
                ("", ""),
                ("", "a=1"),
                ("application/json", "{}"),
                (URLENCODED, ""),
            ] {
                let answer = peer.ask(1, post("post", content_type, body));
                assert_eq!(body_of(&answer), "{}", "{content_type}");
            }
            let get = [
                ("REQUEST_METHOD", "GET"),
                ("CONTENT_TYPE", URLENCODED),
                ("HTTP_X_KIND", "post"),
            ];
            let answer = peer.ask(1, responder(1, KEEP, &get, b"a=1"));
            assert_eq!(body_of(&answer), "{}", "a body of GET");
        },
    );
}

/// An error that the handler deals with is none; one that it returns counts, whatever it wrote.
#[test]
fn errors_that_do_not_become_a_page() {
    everywhere(
        |s| s,
        show,
        |app, peer| {
            let answer = peer.ask(1, post("caught", URLENCODED, CLASH));
            let expected = format!("caught: {}", FormError::Clash);
            assert_eq!(body_of(&answer), expected);
            assert_eq!(app.counters().failed, 0);
            // What a call has written before it failed was not sent yet.
            is_page(&peer.ask(1, post("late", URLENCODED, CLASH)), "400", 1);
        },
    );
}

#[test]
fn the_operator_hears_what_was_wrong() {
    let (sender, incidents) = std::sync::mpsc::channel();
    let settings = Settings::new().on_incident(move |incident| {
        if let Incident::HandlerFailed { error, .. } = incident {
            let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
            let _ = sender.send((error.kind(), inner.copied()));
        }
    });
    let app = App::reporting("127.0.0.1:0", settings, || whole(show));
    let mut peer = app.connect();
    is_page(&peer.ask(1, post("post", URLENCODED, CLASH)), "400", 1);
    let heard = incidents.recv().unwrap();
    let expected = (io::ErrorKind::InvalidData, Some(FormError::Clash));
    assert_eq!(heard, expected);
}

/// Writes down what an upload consists of.
#[derive(Default)]
struct Record {
    text: String,
    refuses: bool,
}

impl Parts for Record {
    fn begin(&mut self, head: PartHead<'_>) -> io::Result<()> {
        if self.refuses {
            return Err(io::Error::other("no parts, please"));
        }
        let file_name = head.file_name().map(|name| name.to_text().into_owned());
        self.text += &format!("[{} {file_name:?}:", head.name().to_text());
        Ok(())
    }

    fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        assert!(!bytes.is_empty());
        self.text += &bytes.escape_ascii().to_string();
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        self.text.push(']');
        Ok(())
    }
}

struct Recording {
    upload: Upload,
    record: Record,
}

impl Task for Recording {
    fn input(&mut self, bytes: &[u8], _: &mut Response<'_>) -> io::Result<()> {
        self.upload.input(bytes, &mut self.record)
    }

    fn input_end(&mut self, response: &mut Response<'_>) -> io::Result<()> {
        self.upload.end()?;
        response.write(&self.record.text)?;
        response.end();
        Ok(())
    }
}

struct Uploads;

impl Service for Uploads {
    type Task = Recording;

    fn begin(&mut self, request: &Request<'_>) -> Plan<Recording> {
        let mut limits = multipart::Limits::DEFAULT;
        (limits.file, limits.total) = (20, 1000);
        Plan::Stream(Recording {
            upload: Upload::of(request, limits),
            record: Record {
                refuses: request.param("HTTP_X_KIND") == Some(b"refused"),
                ..Record::default()
            },
        })
    }

    fn whole(&mut self, _: &Request<'_>, _: &mut Response<'_>) -> io::Result<()> {
        Err(io::Error::other("every request streams"))
    }
}

fn uploads() -> (App, WebServer) {
    let app = App::unix(Settings::new(), || Uploads);
    let peer = app.connect();
    (app, peer)
}

#[test]
fn an_upload_in_records_of_any_size() {
    let (_app, mut peer) = uploads();
    let body = parts(&[&field("a", "1\n--X-"), &file("f", "b.txt", "", "data\n")]);
    let length = body.len().to_string();
    let pairs = [("CONTENT_TYPE", MULTIPART), ("CONTENT_LENGTH", &length)];
    for piece in 1..=body.len() {
        let request = [
            begin(1, RESPONDER, KEEP),
            params(1, &pairs),
            end_of(PARAMS, 1),
            stream_of(STDIN, 1, body.as_bytes(), piece),
            end_of(STDIN, 1),
        ];
        let answer = peer.ask(1, request.concat());
        let expected = r#"[a None:1\r\n--X-][f Some("b.txt"):data\r\n]"#;
        assert_eq!(body_of(&answer), expected, "pieces of {piece}");
    }
}

#[test]
fn an_upload_that_is_wrong() {
    let (app, mut peer) = uploads();
    let good = parts(&[&field("a", "1")]);
    let cut = good.strip_suffix("--\r\n").unwrap();
    let long = parts(&[&file("f", "long", "", &"x".repeat(21))]);
    let cases = [
        ("", "text/plain", "some text", "415"),
        ("", "", "", "415"),
        (
            "",
            "multipart/form-data; boundary=X; boundary=Y",
            &good,
            "400",
        ),
        ("", MULTIPART, cut, "400"),
        ("", MULTIPART, "", "400"),
        ("", MULTIPART, &long, "413"),
        ("refused", MULTIPART, &good, "500"),
    ];
    for (kind, content_type, body, status) in cases {
        is_page(&peer.ask(1, post(kind, content_type, body)), status, 1);
    }
    assert_eq!(app.counters().failed, 7);
    assert_eq!(
        body_of(&peer.ask(1, post("", MULTIPART, &good))),
        "[a None:1]"
    );
}

/// The answer comes with the first byte of a body that is too long, and the rest is skipped.
#[test]
fn an_upload_that_announces_too_much() {
    let (_app, mut peer) = uploads();
    let pairs = [("CONTENT_TYPE", MULTIPART), ("CONTENT_LENGTH", "1001")];
    let beginning = [
        begin(1, RESPONDER, KEEP),
        params(1, &pairs),
        end_of(PARAMS, 1),
        stream(STDIN, 1, b"-"),
    ];
    is_page(&peer.ask(1, beginning.concat()), "413", 1);
    peer.send([stream(STDIN, 1, &[b'x'; 1000]), end_of(STDIN, 1)].concat());
    let good = parts(&[&field("a", "1")]);
    assert_eq!(
        body_of(&peer.ask(1, post("", MULTIPART, &good))),
        "[a None:1]"
    );
}
