//! Response heads as the web server's side reads them (RFC 3875 §6).

use std::time::{Duration, Instant};

use fcgi_core::cgi::{HeadLimits, HeadParser, Kind, ParseError, Status};
use fcgi_core::{Storage, StorageFull};

/// Grows without a bound; the parser has its own.
#[derive(Debug, Default)]
struct Growing(Vec<u8>);

impl Storage for Growing {
    fn append(&mut self, bytes: &[u8]) -> Result<(), StorageFull> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn as_mut_bytes(&mut self) -> &mut [u8] {
        &mut self.0
    }

    fn truncate(&mut self, length: usize) {
        self.0.truncate(length);
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}

fn parser(limits: HeadLimits) -> HeadParser<Growing> {
    HeadParser::new(Growing::default(), limits)
}

/// All that a parser says of a response.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    status: u16,
    kind: Kind,
    fields: Vec<(String, String)>,
    content_length: Option<u64>,
    body: Vec<u8>,
}

fn read(pieces: &[&[u8]], limits: HeadLimits) -> Result<Seen, ParseError> {
    let mut parser = parser(limits);
    let mut body = Vec::new();
    for mut piece in pieces.iter().copied() {
        let complete = parser.push(&mut piece)?;
        assert!(complete || piece.is_empty());
        assert_eq!(complete, parser.head().is_some());
        body.extend_from_slice(piece);
    }
    parser.finish()?;
    let head = parser.head().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Seen {
        status: head.status().code(),
        kind: head.kind(),
        fields: head
            .fields()
            .map(|(name, value)| (text(name), text(value)))
            .collect(),
        content_length: head.content_length(),
        body,
    })
}

fn read_whole(response: &str) -> Result<Seen, ParseError> {
    read(&[response.as_bytes()], HeadLimits::DEFAULT)
}

use Kind::{ClientRedirect, Document, LocalRedirect};

/// Responses, with what they mean: status, kind, fields, body.
type Good = (
    &'static str,
    u16,
    Kind,
    &'static [(&'static str, &'static str)],
    &'static str,
);

const GOOD: &[Good] = &[
    (
        "Content-Type: a/b\r\n\r\nbody",
        200,
        Document,
        &[("Content-Type", "a/b")],
        "body",
    ),
    (
        "Content-Type:a/b\n\nbody",
        200,
        Document,
        &[("Content-Type", "a/b")],
        "body",
    ),
    (
        "Status: 404 Not Found\nX:\t y z \r\n\n\r\n\r\n",
        404,
        Document,
        &[("X", "y z")],
        "\r\n\r\n",
    ),
    ("Status: 404\r\n\r\n", 404, Document, &[], ""),
    (
        "status:500 \nX:\n\r\nA: b\n",
        500,
        Document,
        &[("X", "")],
        "A: b\n",
    ),
    (
        "X: a:b\nSTATUS: 999 x\nY: \u{e9}\n\n",
        999,
        Document,
        &[("X", "a:b"), ("Y", "\u{e9}")],
        "",
    ),
    (
        "Set-Cookie: a=1\nContent-Type: a/b\nset-cookie: b=2\n\n",
        200,
        Document,
        &[
            ("Set-Cookie", "a=1"),
            ("Content-Type", "a/b"),
            ("set-cookie", "b=2"),
        ],
        "",
    ),
    // Fields about the connection are not given out and change nothing.
    (
        "Connection: close\nTransfer-Encoding: chunked\nKeep-Alive: 1\nTE: x\nUpgrade: y\n\
         Trailer: z\nProxy-Connection: close\nLocation: /a\n\n",
        302,
        LocalRedirect,
        &[("Location", "/a")],
        "",
    ),
    // Redirects.
    (
        "Location: /a?b\n\n",
        302,
        LocalRedirect,
        &[("Location", "/a?b")],
        "",
    ),
    (
        "Location: /a\nX: y\n\n",
        302,
        ClientRedirect,
        &[("Location", "/a"), ("X", "y")],
        "",
    ),
    (
        "Location: //h/a\n\n",
        302,
        ClientRedirect,
        &[("Location", "//h/a")],
        "",
    ),
    (
        "Location: https://h/\n\n",
        302,
        ClientRedirect,
        &[("Location", "https://h/")],
        "",
    ),
    (
        "Location: a\n\n",
        302,
        ClientRedirect,
        &[("Location", "a")],
        "",
    ),
    (
        "Status: 301\nLocation: /a\n\n",
        301,
        ClientRedirect,
        &[("Location", "/a")],
        "",
    ),
    (
        "Status: 201\nLocation: /a\n\n",
        201,
        Document,
        &[("Location", "/a")],
        "",
    ),
    (
        "Status: 304\nLocation: /a\n\n",
        304,
        Document,
        &[("Location", "/a")],
        "",
    ),
    (
        "Content-Type: a/b\nLocation: /a\n\n<p>",
        302,
        ClientRedirect,
        &[("Content-Type", "a/b"), ("Location", "/a")],
        "<p>",
    ),
    (
        "Location: /a\nContent-Length: 0\n\n",
        302,
        ClientRedirect,
        &[("Location", "/a"), ("Content-Length", "0")],
        "",
    ),
    // A status line of HTTP.
    (
        "HTTP/1.1 404 Not: Found\r\nX: y\r\n\r\nb",
        404,
        Document,
        &[("X", "y")],
        "b",
    ),
    ("HTTP/1.0 200\n\n", 200, Document, &[], ""),
    // 1xx heads before the response.
    (
        "Status: 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\n\n\
         Status: 200\nX: y\n\nb",
        200,
        Document,
        &[("X", "y")],
        "b",
    ),
];

#[test]
fn good_heads_at_every_cut() {
    for &(response, status, kind, fields, body) in GOOD {
        let fields: Vec<_> = fields
            .iter()
            .map(|&(n, v)| (n.to_owned(), v.to_owned()))
            .collect();
        let seen = read_whole(response).unwrap();
        let length = fields.iter().find(|(name, _)| name == "Content-Length");
        let content_length = length.map(|(_, value)| value.parse().unwrap());
        let body = body.as_bytes().to_vec();
        let expected = Seen {
            status,
            kind,
            fields,
            content_length,
            body,
        };
        assert_eq!(seen, expected, "{response:?}");
        assert_every_cut(response.as_bytes(), HeadLimits::DEFAULT, &Ok(expected));
    }
}

/// Whole, in two and in three pieces, and byte by byte, the response reads the same.
fn assert_every_cut(response: &[u8], limits: HeadLimits, expected: &Result<Seen, ParseError>) {
    for first in 0..=response.len() {
        let (one, rest) = response.split_at(first);
        for second in 0..=rest.len() {
            let (two, three) = rest.split_at(second);
            assert_eq!(
                &read(&[one, two, three], limits),
                expected,
                "{first}, {second}"
            );
        }
    }
    let bytes: Vec<&[u8]> = response.chunks(1).collect();
    assert_eq!(&read(&bytes, limits), expected);
}

#[test]
fn bad_heads_at_every_cut() {
    let twice = |line, field| ParseError::Duplicate { line, field };
    for (response, error) in [
        ("", ParseError::UnexpectedEnd { line: 1 }),
        ("Status: 200", ParseError::UnexpectedEnd { line: 1 }),
        ("Status: 200\r\n", ParseError::UnexpectedEnd { line: 2 }),
        ("Status: 200\r\n\r", ParseError::UnexpectedEnd { line: 2 }),
        ("Status: 100\n\n", ParseError::UnexpectedEnd { line: 1 }),
        ("\r\nbody", ParseError::NoCgiField),
        ("X: y\n\n", ParseError::NoCgiField),
        ("Content-Length: 1\n\nx", ParseError::NoCgiField),
        ("<html>\n", ParseError::NoColon { line: 1 }),
        (
            "Status: 200\nhello world\n",
            ParseError::NoColon { line: 2 },
        ),
        (": x\n", ParseError::EmptyName { line: 1 }),
        ("X : y\n", ParseError::BlankInName { line: 1, at: 1 }),
        ("X\t: y\n", ParseError::BlankInName { line: 1, at: 1 }),
        ("X Y: y\n", ParseError::BlankInName { line: 1, at: 1 }),
        ("X\0: y\n", ParseError::Name { line: 1, at: 1 }),
        ("Na\u{ef}ve: y\n", ParseError::Name { line: 1, at: 2 }),
        ("X: y\n z: a\n", ParseError::Folded { line: 2 }),
        ("X: y\n\tz\n", ParseError::Folded { line: 2 }),
        (" X: y\n", ParseError::Folded { line: 1 }),
        ("X: a\0b\n", ParseError::Value { line: 1, at: 4 }),
        ("X: a\rb\r\n", ParseError::Value { line: 1, at: 4 }),
        ("X: a\r\r\n", ParseError::Value { line: 1, at: 4 }),
        ("X: a\u{7f}\n", ParseError::Value { line: 1, at: 4 }),
        ("X: a\n\r\r\n", ParseError::NoColon { line: 2 }),
        ("Status: 20\n", ParseError::Status { line: 1 }),
        ("Status: 2000\n", ParseError::Status { line: 1 }),
        ("Status: 200OK\n", ParseError::Status { line: 1 }),
        ("Status: 020 x\n", ParseError::Status { line: 1 }),
        ("Status:\n", ParseError::Status { line: 1 }),
        ("Status: OK\n", ParseError::Status { line: 1 }),
        ("HTTP/1.1 20 x\n", ParseError::StatusLine),
        ("HTTP/1.1 200 \0\n", ParseError::StatusLine),
        ("HTTP/1.x 200 OK\n", ParseError::StatusLine),
        ("X: y\nHTTP/1.1 200 OK\n", ParseError::NoColon { line: 2 }),
        ("Status: 200\nX: y\nstatus: 200\n", twice(3, "status")),
        ("HTTP/1.1 200 OK\nStatus: 200\n", twice(2, "status")),
        (
            "Content-Type: a\nContent-type: a\n",
            twice(2, "content-type"),
        ),
        ("Location: /\nLocation: /\n", twice(2, "location")),
        (
            "Content-Length: 1\nContent-Length: 1\n",
            twice(2, "content-length"),
        ),
        (
            "Content-Length: +1\n",
            ParseError::ContentLength { line: 1 },
        ),
        ("Content-Length:\n", ParseError::ContentLength { line: 1 }),
        (
            "Content-Length: 1 1\n",
            ParseError::ContentLength { line: 1 },
        ),
        (
            "Content-Length: 18446744073709551616\n",
            ParseError::ContentLength { line: 1 },
        ),
        (
            "Status: 103\n\nX Y: z\n",
            ParseError::BlankInName { line: 1, at: 1 },
        ),
    ] {
        assert_eq!(read_whole(response), Err(error), "{response:?}");
        assert_every_cut(response.as_bytes(), HeadLimits::DEFAULT, &Err(error));
    }
}

#[test]
fn every_byte_in_a_name_and_in_a_value() {
    let tokens = "!#$%&'*+-.^_`|~0123456789";
    for byte in 0..=u8::MAX {
        let name = [b"Status: 200\na", &[byte][..], b"b: c\n\n"].concat();
        let seen = read(&[&name], HeadLimits::DEFAULT);
        let (line, at) = (2, 1);
        if byte.is_ascii_alphabetic() || tokens.as_bytes().contains(&byte) {
            let expected = format!("a{}b", char::from(byte));
            assert_eq!(seen.unwrap().fields, [(expected, "c".to_owned())]);
        } else {
            let error = match byte {
                b'\n' => ParseError::NoColon { line },
                b' ' | b'\t' => ParseError::BlankInName { line, at },
                b':' => {
                    assert_eq!(seen.unwrap().fields, [("a".to_owned(), "b: c".to_owned())]);
                    continue;
                }
                _ => ParseError::Name { line, at },
            };
            assert_eq!(seen, Err(error), "{byte:#x}");
        }

        let value = [b"Status: 200\nX: a", &[byte][..], b"b\n\n"].concat();
        let mut parser = parser(HeadLimits::DEFAULT);
        let pushed = parser.push(&mut &value[..]);
        let error = match byte {
            b'\n' => ParseError::NoColon { line: 3 },
            0..=8 | 11..=31 | 127 => ParseError::Value { line, at: 4 },
            _ => {
                assert_eq!(pushed, Ok(true), "{byte:#x}");
                assert_eq!(
                    parser.head().unwrap().get("x"),
                    Some(&[b'a', byte, b'b'][..])
                );
                continue;
            }
        };
        assert_eq!(pushed, Err(error), "{byte:#x}");
    }
}

#[test]
fn limits_at_their_edges_and_at_every_cut() {
    let response = b"Status: 103\n\nStatus: 200\r\nX: y\n\r\nbody";
    let head = b"Status: 200\r\nX: y\n\r\n".len();
    let exact = HeadLimits {
        bytes: head,
        fields: 2,
        interim: 1,
    };
    let seen = read(&[response], exact);
    assert_eq!(seen.as_ref().map(|seen| seen.status), Ok(200));
    assert_every_cut(response, exact, &seen);
    for bytes in 0..head {
        let error = Err(ParseError::TooManyBytes { limit: bytes });
        assert_every_cut(response, HeadLimits { bytes, ..exact }, &error);
    }
    for fields in 0..2 {
        let error = Err(ParseError::TooManyFields { limit: fields });
        assert_every_cut(response, HeadLimits { fields, ..exact }, &error);
    }
    let none = HeadLimits {
        interim: 0,
        ..exact
    };
    assert_every_cut(
        response,
        none,
        &Err(ParseError::TooManyInterim { limit: 0 }),
    );

    // A status line is no field.
    let line = HeadLimits { fields: 0, ..exact };
    assert!(read(&[b"HTTP/1.1 200 OK\n\n"], line).is_ok());

    let default = HeadLimits::default();
    assert_eq!(
        (default.bytes, default.fields, default.interim),
        (65_536, 100, 8)
    );
    let hints = "Status: 103\n\n";
    assert!(read_whole(&(hints.repeat(8) + "Status: 200\n\n")).is_ok());
    let flood = read_whole(&(hints.repeat(9) + "Status: 200\n\n"));
    assert_eq!(flood, Err(ParseError::TooManyInterim { limit: 8 }));
    let endless = read_whole(&"x".repeat(70_000));
    assert_eq!(endless, Err(ParseError::TooManyBytes { limit: 65_536 }));
}

#[test]
fn a_small_storage_is_an_error_at_every_cut() {
    let response = b"Status: 200\nX: 12345678\n\n";
    for cut in 0..=response.len() {
        let mut parser = HeadParser::new(heapless::Vec::<u8, 16>::new(), HeadLimits::DEFAULT);
        let (mut one, mut two) = response.split_at(cut);
        let pushed = parser.push(&mut one).and_then(|_| parser.push(&mut two));
        assert_eq!(pushed, Err(ParseError::StorageFull), "{cut}");
    }
    let mut exact = HeadParser::new(heapless::Vec::<u8, 25>::new(), HeadLimits::DEFAULT);
    assert_eq!(exact.push(&mut &response[..]), Ok(true));
}

#[test]
fn errors_stay_until_cleared() {
    let mut parser = parser(HeadLimits::DEFAULT);
    let error = ParseError::NoColon { line: 1 };
    assert_eq!(parser.push(&mut &b"oops\nStatus: 200\n\n"[..]), Err(error));
    let mut more = &b"Status: 200\n\n"[..];
    assert_eq!(parser.push(&mut more), Err(error));
    assert_eq!(more.len(), 13);
    assert_eq!(parser.finish(), Err(error));
    assert!(parser.head().is_none());

    parser.clear();
    assert_eq!(parser.push(&mut more), Ok(true));
    let mut body = &b"Status: 500\n\n"[..];
    assert_eq!(parser.push(&mut body), Ok(true));
    assert_eq!(body.len(), 13, "a complete head takes nothing more");
    assert_eq!(parser.head().unwrap().status(), Status::OK);

    parser.clear();
    assert_eq!(parser.finish(), Err(ParseError::UnexpectedEnd { line: 1 }));
    assert_eq!(parser.push(&mut body), Ok(true));
    assert_eq!(
        parser.head().unwrap().status(),
        Status::INTERNAL_SERVER_ERROR
    );
}

#[test]
fn interim_heads_are_reported_on_request() {
    let mut limits = HeadLimits::DEFAULT;
    limits.interim = 2;
    let mut parser = parser(limits).reporting_interim();
    let mut input = &b"Status: 103\nLink: </a>\n\nStatus: 102\n\nStatus: 200\n\nbody"[..];
    for (status, link) in [(103, Some(&b"</a>"[..])), (102, None), (200, None)] {
        assert_eq!(parser.push(&mut input), Ok(true));
        let head = parser.head().unwrap();
        assert_eq!((head.status().code(), head.get("LINK")), (status, link));
        assert_eq!(head.body_allowed(false), status == 200);
        assert_eq!(parser.finish().is_ok(), status == 200);
        parser.skip_interim();
        assert_eq!(parser.head().is_some(), status == 200);
    }
    assert_eq!(input, b"body");

    parser.clear();
    let mut input = &b"Status: 103\n\nStatus: 103\n\nStatus: 103\n\n"[..];
    for result in [
        Ok(true),
        Ok(true),
        Err(ParseError::TooManyInterim { limit: 2 }),
    ] {
        assert_eq!(parser.push(&mut input), result);
        parser.skip_interim();
    }
}

#[test]
fn look_ups_and_bodies() {
    let mut parser = parser(HeadLimits::DEFAULT);
    let mut input = &b"Status: 204\nX: 1\nx: 2\nConnection: close\nContent-Length: 9\n\n"[..];
    assert_eq!(parser.push(&mut input), Ok(true));
    let head = parser.head().unwrap();
    assert_eq!(head.get("x"), Some(&b"1"[..]));
    assert_eq!(head.get("Status"), None);
    assert_eq!(head.get("Connection"), None);
    assert_eq!(head.content_length(), Some(9));
    assert!(!head.body_allowed(false));
    assert_eq!(parser.into_storage().0.len(), 59);

    for (response, allowed) in [("Status: 200\n\n", true), ("Status: 304\n\n", false)] {
        let mut parser = self::parser(HeadLimits::DEFAULT);
        assert_eq!(parser.push(&mut response.as_bytes()), Ok(true));
        let head = parser.head().unwrap();
        assert_eq!(
            (head.body_allowed(false), head.body_allowed(true)),
            (allowed, false)
        );
    }
}

/// Byte by byte, work that grew with the square of the size would take many minutes here: 4 MiB in
/// one line are 9 * 10^12 bytes if each push looked at all of the line, and as many if each line's
/// end looked at all of the head.
#[test]
fn the_work_is_linear_for_the_worst_cut() {
    const SIZE: usize = 4 << 20;
    let limits = HeadLimits {
        bytes: 2 * SIZE,
        fields: SIZE,
        interim: 0,
    };
    let one_line = ["Status: 200\nX: ", &"x".repeat(SIZE), "\n\n"].concat();
    let many_lines = ["Status: 200\n", &"X:\n".repeat(SIZE / 3), "\n"].concat();
    let started = Instant::now();
    for response in [one_line, many_lines] {
        let mut parser = parser(limits);
        let complete = response
            .bytes()
            .filter(|&byte| parser.push(&mut &[byte][..]).unwrap());
        assert_eq!(complete.count(), 1);
    }
    assert!(
        started.elapsed() < Duration::from_secs(60),
        "{:?}",
        started.elapsed()
    );
}
