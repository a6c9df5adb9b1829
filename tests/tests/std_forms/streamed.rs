//! Parts as they come, and forms as types, through a request.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fcgi_std::form::{Error, Limits, MultipartLimits, Parts};
use fcgi_tests::blocking::{self, eventually};
use fcgi_tests::pattern;
use serde::Deserialize;

use super::*;

const LARGE: usize = 20 * 1024 * 1024;

/// Writes what comes to its own page, without a copy of the file anywhere.
#[test]
fn parts_come_while_they_are_sent() {
    let spool = tempfile::tempdir().unwrap();
    let missing = spool.path().join("missing");
    let seen = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&seen);
    let expected = pattern::bytes(LARGE);
    let app = blocking::unix(
        |server| server.spool_directory(missing),
        move |request: &mut Request| {
            let mut shown = String::new();
            let mut parts = request.multipart()?;
            while let Some(mut part) = parts.next_part()? {
                let mut length = 0;
                while let Some(chunk) = part.chunk()? {
                    assert!(chunk == &expected[length..][..chunk.len()]);
                    length += chunk.len();
                    counter.fetch_add(chunk.len() as u64, Ordering::Relaxed);
                }
                shown += &format!("{}: {length}\n", part.name().to_text());
            }
            // There is nothing left for the others.
            for taken in [
                request.post().err(),
                request.files().err(),
                request.multipart().err(),
            ] {
                assert!(matches!(taken, Some(Error::Taken)));
            }
            page(request, shown)
        },
    );
    let large = pattern::bytes(LARGE);
    let body = multipart(&[
        ("name=\"small\"", &large[..7]),
        ("name=\"large\"; filename=\"x\"", &large),
        ("name=\"none\"; filename=\"\"", b""),
    ]);
    let mut peer = app.connect();
    let whole = request(&post(MULTIPART, body.len()), &body, 65_535);
    let (first, second) = whole.split_at(whole.len() / 2);
    peer.send(first);
    // Half of it is there before the other half is sent.
    let half = u64::try_from(LARGE / 2 - 100_000).unwrap();
    eventually(
        || seen.load(Ordering::Relaxed) >= half,
        || "nothing comes".to_owned(),
    );
    peer.send(second);
    let expected = format!("small: 7\nlarge: {LARGE}\nnone: 0\n");
    assert_eq!(text(&peer.answer(1)), expected);
}

#[test]
fn stdin_alone_can_be_taken_to_parts() {
    let app = blocking::unix(
        |server| server,
        |request: &mut Request| {
            request.header("Content-Type", "text/plain")?;
            let kind = request.params.get("CONTENT_TYPE").unwrap_or_default();
            let mut parts = Parts::new(kind, &mut request.stdin, MultipartLimits::DEFAULT)?;
            while let Some(mut part) = parts.next_part()? {
                // The answer is written while the parts are read.
                io::copy(&mut part, &mut request.stdout)?;
            }
            Ok(())
        },
    );
    let body = multipart(&[
        ("name=\"a\"", b"one, "),
        ("name=\"b\"; filename=\"x\"", b"two"),
    ]);
    for piece in [1, 10, 1000] {
        let answer = app
            .connect()
            .ask(1, request(&post(MULTIPART, body.len()), &body, piece));
        assert_eq!(text(&answer), "one, two");
    }
}

#[test]
fn what_is_wrong_in_a_stream_is_answered_too() {
    let limits = Limits {
        multipart: MultipartLimits {
            file: 100,
            ..MultipartLimits::DEFAULT
        },
        ..Limits::DEFAULT
    };
    let app = blocking::unix(
        |server| server.form_limits(limits),
        |request: &mut Request| {
            let mut parts = request.multipart()?;
            while let Some(mut part) = parts.next_part()? {
                io::copy(&mut part, &mut io::sink())?;
            }
            page(request, "whole")
        },
    );
    let mut peer = app.connect();
    let whole = multipart(&[("name=\"a\"; filename=\"x\"", &[b'x'; 100])]);
    let too_long = multipart(&[("name=\"a\"; filename=\"x\"", &[b'x'; 101])]);
    assert_eq!(
        text(&peer.ask(1, request(&post(MULTIPART, whole.len()), &whole, 99))),
        "whole"
    );
    for (content_type, length, body, status) in [
        (MULTIPART, whole.len(), &whole[..whole.len() - 20], "400"),
        (MULTIPART, too_long.len(), &too_long, "413"),
        (URLENCODED, 3, b"a=1", "415"),
        ("multipart/form-data", 3, b"a=1", "400"),
    ] {
        is_page(
            &peer.ask(1, request(&post(content_type, length), body, 99)),
            status,
        );
    }
}

#[derive(Deserialize)]
struct Order {
    quantity: u32,
    #[serde(default)]
    item: Vec<String>,
}

#[test]
fn forms_as_types() {
    let app = blocking::unix(
        |server| server,
        |request: &mut Request| {
            let order: Order = request.form()?;
            page(request, format!("{} of {:?}", order.quantity, order.item))
        },
    );
    let mut peer = app.connect();
    let form = b"quantity=100&item=a&item%5B%5D=b";
    let parts = multipart(&[
        ("name=\"quantity\"", b"100"),
        ("name=\"item[]\"", b"a"),
        ("name=\"item[]\"", b"b"),
    ]);
    for (method, content_type, query, body) in [
        ("GET", "", &form[..], &b""[..]),
        ("HEAD", "", form, b""),
        ("GET", URLENCODED, form, b"quantity=1"),
        ("POST", URLENCODED, b"quantity=1", form),
        ("PUT", MULTIPART, b"quantity=1", &parts),
    ] {
        let mut pairs = post(content_type, body.len());
        pairs[0].1 = method.to_owned();
        pairs.push(("QUERY_STRING", String::from_utf8(query.to_vec()).unwrap()));
        let answer = peer.ask(1, request(&pairs, body, 10));
        let expected = if method == "HEAD" {
            ""
        } else {
            "100 of [\"a\", \"b\"]"
        };
        assert_eq!(text(&answer), expected, "{method} {content_type}");
    }
    for (content_type, body, status) in [
        (URLENCODED, &b"quantity=many"[..], "400"),
        (URLENCODED, b"item=a", "400"),
        ("application/json", b"{}", "415"),
        ("", b"", "415"),
    ] {
        is_page(
            &peer.ask(1, request(&post(content_type, body.len()), body, 10)),
            status,
        );
    }
    app.wait_for_incident("the form does not fit: quantity: invalid digit found in string");
    app.wait_for_incident("the form does not fit: missing field `quantity`");
}
