//! Response heads as the application's side writes them (RFC 3875 §6).

use fcgi_core::cgi::{HeadError, ResponseHead, Status};
use fcgi_core::{Storage, StorageFull};

/// Takes `room` bytes and no more.
#[derive(Debug, Clone)]
struct Limited {
    bytes: Vec<u8>,
    room: usize,
}

impl Limited {
    fn new(room: usize) -> Self {
        Self {
            bytes: Vec::new(),
            room,
        }
    }
}

impl Storage for Limited {
    fn append(&mut self, bytes: &[u8]) -> Result<(), StorageFull> {
        if bytes.len() > self.room - self.bytes.len() {
            return Err(StorageFull);
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn as_mut_bytes(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    fn truncate(&mut self, length: usize) {
        self.bytes.truncate(length);
    }

    fn clear(&mut self) {
        self.bytes.clear();
    }
}

type Head = ResponseHead<Limited>;

fn empty() -> Head {
    ResponseHead::new(Limited::new(4096))
}

/// A head with these fields; `Status` may be one of them.
fn head(fields: &[(&str, &str)]) -> Head {
    let mut head = empty();
    for (name, value) in fields {
        assert_eq!(head.add(name, value), Ok(()), "{name}: {value}");
    }
    head
}

fn written(head: &Head) -> String {
    let mut out = Limited::new(4096);
    head.write(&mut out).unwrap();
    String::from_utf8_lossy(&out.bytes).into_owned()
}

const STREAM: &str = "Content-Type: application/octet-stream";

#[test]
fn heads_byte_for_byte() {
    let long = "https://example.org/";
    for (fields, lines) in [
        // Documents.
        (vec![], vec![STREAM]),
        (
            vec![("Content-Type", "text/html")],
            vec!["Content-Type: text/html"],
        ),
        (vec![("Status", "200 OK")], vec![STREAM]),
        (vec![("Status", "200")], vec![STREAM]),
        (
            vec![("Status", "200 Fine")],
            vec!["Status: 200 Fine", STREAM],
        ),
        (
            vec![("STATUS", "404")],
            vec!["Status: 404 Not Found", STREAM],
        ),
        (
            vec![("Status", "\t404 Not Found ")],
            vec!["Status: 404 Not Found", STREAM],
        ),
        (vec![("Status", "299")], vec!["Status: 299", STREAM]),
        (
            vec![("Status", "404"), ("Status", "410 ")],
            vec!["Status: 410 Gone", STREAM],
        ),
        (
            vec![
                ("Status", "404 A"),
                ("X", "1"),
                ("Status", "410 B"),
                ("Y", "2"),
            ],
            vec!["Status: 410 B", "X: 1", "Y: 2", STREAM],
        ),
        (
            vec![("X", "1"), ("Status", "404 A"), ("Status", "404")],
            vec!["Status: 404 Not Found", "X: 1", STREAM],
        ),
        // Fields: as they are, in order, never joined; blanks around a value dropped.
        (
            vec![
                ("Set-Cookie", "a=1"),
                ("Content-Type", "x/y"),
                ("set-cookie", "b=2"),
            ],
            vec!["Set-Cookie: a=1", "Content-Type: x/y", "set-cookie: b=2"],
        ),
        (
            vec![
                ("X-Empty", ""),
                ("X-Blank", " \t "),
                ("X-Text", "\t a \tb "),
            ],
            vec!["X-Empty: ", "X-Blank: ", "X-Text: a \tb", STREAM],
        ),
        (
            vec![("Content-Length", "0042")],
            vec!["Content-Length: 42", STREAM],
        ),
        (
            vec![("Content-Length", "0")],
            vec!["Content-Length: 0", STREAM],
        ),
        // No body, no type; no length with 1xx and 204.
        (
            vec![("Status", "204"), ("Content-Length", "5")],
            vec!["Status: 204 No Content"],
        ),
        (
            vec![
                ("Status", "304"),
                ("Content-Length", "5"),
                ("ETag", "\"a\""),
            ],
            vec![
                "Status: 304 Not Modified",
                "ETag: \"a\"",
                "Content-Length: 5",
            ],
        ),
        (
            vec![("Status", "103"), ("Link", "</a>"), ("Content-Length", "5")],
            vec!["Status: 103 Early Hints", "Link: </a>"],
        ),
        // Redirects.
        (vec![("Location", "/a?b")], vec!["Location: /a?b"]),
        (
            vec![("Location", long)],
            vec!["Location: https://example.org/"],
        ),
        (
            vec![("Location", "//example.org/")],
            vec!["Status: 302 Found", "Location: //example.org/", STREAM],
        ),
        (
            vec![("Location", "/a"), ("Set-Cookie", "a=1")],
            vec![
                "Status: 302 Found",
                "Location: /a",
                "Set-Cookie: a=1",
                STREAM,
            ],
        ),
        (
            vec![("Content-Type", "text/plain"), ("Location", long)],
            vec![
                "Status: 302 Found",
                "Content-Type: text/plain",
                "Location: https://example.org/",
            ],
        ),
        (
            vec![("Location", "/a"), ("Content-Length", "0")],
            vec!["Status: 302 Found", "Location: /a", "Content-Length: 0"],
        ),
        (
            vec![
                ("Status", "303"),
                ("Location", "/a"),
                ("Content-Length", "0"),
            ],
            vec!["Status: 303 See Other", "Location: /a", "Content-Length: 0"],
        ),
        (
            vec![("Status", "303"), ("Location", "/a")],
            vec!["Status: 303 See Other", "Location: /a", STREAM],
        ),
        (
            vec![("Status", "201"), ("Location", "/a")],
            vec!["Status: 201 Created", "Location: /a", STREAM],
        ),
        (
            vec![("Status", "200"), ("Location", "/a")],
            vec!["Status: 200 OK", "Location: /a", STREAM],
        ),
    ] {
        let expected: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        assert_eq!(written(&head(&fields)), expected + "\r\n", "{fields:?}");
    }
}

#[test]
fn refusals() {
    let single = |field| HeadError::Duplicate { field };
    let empty_value = |field| HeadError::EmptyValue { field };
    for (name, value, error) in [
        ("", "x", HeadError::EmptyName),
        ("X Y", "x", HeadError::Name { at: 1 }),
        ("X:", "x", HeadError::Name { at: 1 }),
        (" X", "x", HeadError::Name { at: 0 }),
        ("X\r\nY", "x", HeadError::Name { at: 1 }),
        ("Naïve", "x", HeadError::Name { at: 2 }),
        ("X", "a\r\nb", HeadError::Value { at: 1 }),
        ("X", "  a\n", HeadError::Value { at: 3 }),
        ("X", "\0", HeadError::Value { at: 0 }),
        ("Content-Length", "1\r\n", HeadError::Value { at: 1 }),
        ("Connection", "close", HeadError::HopByHop),
        ("keep-alive", "timeout=5", HeadError::HopByHop),
        ("Proxy-Connection", "close", HeadError::HopByHop),
        ("TE", "trailers", HeadError::HopByHop),
        ("Trailer", "X", HeadError::HopByHop),
        ("TRANSFER-ENCODING", "chunked", HeadError::HopByHop),
        ("Upgrade", "h2c", HeadError::HopByHop),
        ("Status", "", HeadError::Status),
        ("Status", "OK", HeadError::Status),
        ("Status", "20", HeadError::Status),
        ("Status", "2000", HeadError::Status),
        ("Status", "099 Low", HeadError::Status),
        ("Status", "HTTP/1.1 200 OK", HeadError::Status),
        ("Content-Type", "a/b", single("content-type")),
        ("content-type", "c/d", single("content-type")),
        ("LOCATION", "/b", single("location")),
        ("Content-Length", "7", single("content-length")),
        ("Content-Length", "", HeadError::ContentLength),
        ("Content-Length", "+7", HeadError::ContentLength),
        ("Content-Length", "-7", HeadError::ContentLength),
        ("Content-Length", "7, 7", HeadError::ContentLength),
        (
            "Content-Length",
            "18446744073709551616",
            HeadError::ContentLength,
        ),
    ] {
        let mut head = head(&[
            ("Status", "302 Look There"),
            ("Content-Type", "a/b"),
            ("Location", "/a"),
            ("Content-Length", "7"),
        ]);
        let before = written(&head);
        assert_eq!(head.add(name, value), Err(error), "{name:?}: {value:?}");
        assert_eq!(written(&head), before, "{name:?}: {value:?}");
        assert_eq!(
            (head.status(), head.content_length()),
            (Status::FOUND, Some(7))
        );
    }
    for (name, field) in [("Content-Type", "content-type"), ("Location", "location")] {
        let mut head = empty();
        assert_eq!(head.add(name, " \t"), Err(empty_value(field)));
        assert_eq!(
            head.add(name, "/a"),
            Ok(()),
            "nothing was set by the refused one"
        );
    }
    let mut head = empty();
    let reason = head.set_status_with_reason(Status::NOT_FOUND, "a\r\nX: y");
    assert_eq!(reason, Err(HeadError::Reason { at: 1 }));
    assert_eq!(head.status(), Status::OK);
    head.set_content_length(5);
    head.set_content_length(6);
    assert_eq!(head.content_length(), Some(6));
}

#[test]
fn every_byte_in_a_name_and_in_a_value() {
    let tokens = "!#$%&'*+-.^_`|~0123456789";
    for byte in 0..=u8::MAX {
        let is_token = byte.is_ascii_alphabetic() || tokens.as_bytes().contains(&byte);
        for (name, at) in [
            (vec![byte], 0),
            (vec![b'a', byte, b'b'], 1),
            (vec![b'a', byte], 1),
        ] {
            let expected = if is_token {
                Ok(())
            } else {
                Err(HeadError::Name { at })
            };
            assert_eq!(empty().add(&name, "x"), expected, "{byte:#x}");
        }

        let is_control = (byte < b' ' && byte != b'\t') || byte == 0x7f;
        let expected = if is_control {
            Err(HeadError::Value { at: 1 })
        } else {
            Ok(())
        };
        let value = [b'a', byte, b'b'];
        let mut head = empty();
        assert_eq!(head.add("X", value), expected, "{byte:#x}");
        let mut out = Limited::new(100);
        head.write(&mut out).unwrap();
        let mut line = b"X: ".to_vec();
        line.extend_from_slice(&value);
        line.extend_from_slice(b"\r\n");
        assert_eq!(out.bytes.starts_with(&line), !is_control, "{byte:#x}");
    }
}

#[test]
fn whether_a_body_may_follow() {
    for (fields, allowed) in [
        (vec![], true),
        (vec![("Status", "404")], true),
        (vec![("Status", "205")], true),
        (vec![("Status", "100")], false),
        (vec![("Status", "199 x")], false),
        (vec![("Status", "204")], false),
        (vec![("Status", "304")], false),
        (vec![("Location", "/a")], false),
        (vec![("Location", "https://example.org/")], false),
        (
            vec![("Location", "/a"), ("Content-Type", "text/plain")],
            true,
        ),
        (vec![("Location", "/a"), ("Status", "302")], true),
    ] {
        assert_eq!(head(&fields).body_allowed(false), allowed, "{fields:?}");
        assert!(!head(&fields).body_allowed(true), "{fields:?}");
    }
}

#[test]
fn a_full_storage_leaves_whole_fields() {
    let fields = [
        ("Status", "404 Gone Away"),
        ("Content-Type", "a/b"),
        ("X", "1"),
    ];
    let lines = [
        "Status: 404 Gone Away\r\n",
        "Content-Type: a/b\r\n",
        "X: 1\r\n",
    ];
    for room in 0..=lines.concat().len() {
        let mut head = ResponseHead::new(Limited::new(room));
        let mut expected = String::new();
        for ((name, value), line) in fields.iter().zip(lines) {
            let fits = expected.len() + line.len() <= room;
            if fits {
                expected.push_str(line);
            }
            let result = fits.then_some(()).ok_or(HeadError::StorageFull);
            assert_eq!(head.add(name, value), result, "{name} in {room}");
        }
        if !expected.contains("a/b") {
            expected = format!("{expected}{STREAM}\r\n");
        }
        assert_eq!(written(&head), format!("{expected}\r\n"), "{room}");
    }
}

#[test]
fn a_full_output_is_an_error() {
    let mut fields = vec![("Status", "299"), ("X", "1"), ("Content-Length", "10")];
    for _ in 0..2 {
        let head = head(&fields);
        let whole = written(&head);
        for room in 0..whole.len() {
            let mut out = Limited::new(room);
            assert_eq!(head.write(&mut out), Err(StorageFull));
            assert!(whole.as_bytes().starts_with(&out.bytes));
        }
        assert_eq!(head.write(&mut Limited::new(whole.len())), Ok(()));
        fields.push(("Status", "404 Own Words"));
    }
}

#[test]
fn a_cleared_head_is_a_new_one() {
    let mut head = ResponseHead::new(Limited {
        bytes: b"old".to_vec(),
        room: 40,
    });
    head.add("Location", "/a").unwrap();
    head.add("Status", "301 Own Words").unwrap();
    head.add("Content-Length", "1").unwrap();
    assert_eq!(head.add("Content-Type", "a/b"), Err(HeadError::StorageFull));
    assert_eq!(
        written(&head),
        format!("Status: 301 Own Words\r\nLocation: /a\r\nContent-Length: 1\r\n{STREAM}\r\n\r\n")
    );
    head.clear();
    assert_eq!(written(&head), format!("{STREAM}\r\n\r\n"));
    assert_eq!((head.status(), head.content_length()), (Status::OK, None));
    head.add("Content-Type", "a/b").unwrap();
    assert_eq!(written(&head), "Content-Type: a/b\r\n\r\n");
    assert_eq!(head.into_storage().room, 40);
}
