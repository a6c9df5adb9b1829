//! What is a form and what is not, and what the client gets when a form cannot be had.

use std::io::Read;
use std::time::Duration;

use fcgi_std::form::{Error, FormError, Limits, MultipartLimits};
use fcgi_tests::blocking;

use super::*;

/// Shows the values and the files, and what is left in STDIN.
fn form_and_rest(request: &mut Request) -> io::Result<()> {
    let (values, files) = (request.post()?.len(), request.files()?.len());
    let mut rest = String::new();
    request.stdin.read_to_string(&mut rest)?;
    page(request, format!("{values} {files} {rest}"))
}

#[test]
fn a_body_that_is_no_form_is_left_alone() {
    let app = blocking::unix(|server| server, form_and_rest);
    let mut peer = app.connect();
    let body = b"a=1&b=2";
    for (method, content_type, expected) in [
        ("POST", URLENCODED, "2 0 "),
        ("PUT", URLENCODED, "2 0 "),
        ("POST", "application/json", "0 0 a=1&b=2"),
        ("POST", "", "0 0 a=1&b=2"),
        ("POST", "multipart/mixed; boundary=x", "0 0 a=1&b=2"),
        (
            "POST",
            "application/x-www-form-urlencoded-not",
            "0 0 a=1&b=2",
        ),
        ("GET", URLENCODED, "0 0 a=1&b=2"),
        ("GET", MULTIPART, "0 0 a=1&b=2"),
    ] {
        let mut pairs = post(content_type, body.len());
        pairs[0].1 = method.to_owned();
        let answer = peer.ask(1, request(&pairs, body, 3));
        assert_eq!(text(&answer), expected, "{method} {content_type}");
    }
    // An Authorizer has no body, whatever its parameters say (§6.3).
    let pairs = post(MULTIPART, 100);
    let authorizer = [
        begin(1, AUTHORIZER, KEEP),
        params(1, &pairs),
        end_of(PARAMS, 1),
    ];
    assert_eq!(text(&peer.ask(1, authorizer.concat())), "0 0 ");
}

#[test]
fn malformed_cut_and_too_long() {
    let whole = multipart(&[("name=\"a\"", b"1")]);
    let cut = &whole[..whole.len() - 4];
    let app = blocking::unix(|server| server, form_and_rest);
    let mut peer = app.connect();
    let no_boundary = "multipart/form-data";
    let two = "multipart/form-data; boundary=a; boundary=b";
    for (content_type, length, body, status) in [
        // Cut by the client, with and without a web server that knows how long it should be.
        (MULTIPART, Some(whole.len()), cut, "400"),
        (MULTIPART, None, cut, "400"),
        (MULTIPART, Some(cut.len()), cut, "400"),
        (MULTIPART, Some(whole.len() + 1), &whole[..], "400"),
        (URLENCODED, Some(4), b"a=1", "400"),
        (MULTIPART, Some(0), b"", "400"),
        (no_boundary, Some(whole.len()), &whole, "400"),
        (two, Some(whole.len()), &whole, "400"),
        (MULTIPART, Some(9), b"--XxX\r\n\r\n", "400"),
    ] {
        let mut pairs = post(content_type, length.unwrap_or(0));
        pairs.retain(|(name, _)| length.is_some() || *name != "CONTENT_LENGTH");
        let answer = peer.ask(1, request(&pairs, body, 65_535));
        is_page(&answer, status);
    }
    // The length that is announced is enough to know.
    for (content_type, limit) in [(URLENCODED, 2 << 20), (MULTIPART, 128 << 20)] {
        is_page(
            &peer.ask(1, request(&post(content_type, limit + 1), b"", 1)),
            "413",
        );
    }
}

/// One limit after the other.
#[test]
fn limits_of_parts() {
    let body = multipart(&[
        ("name=\"a\"", b"12345678"),
        (
            "name=\"f\"; filename=\"x\"",
            b"123456789012345678901234567890",
        ),
    ]);
    let narrow = |change: fn(&mut MultipartLimits)| {
        let mut multipart = MultipartLimits::DEFAULT;
        change(&mut multipart);
        Limits {
            multipart,
            ..Limits::DEFAULT
        }
    };
    for (limits, incident) in [
        (
            narrow(|limits| limits.parts = 1),
            "form has more than 1 parts",
        ),
        (
            narrow(|limits| limits.value = 7),
            "value in part 1 is longer than 7 bytes",
        ),
        (
            narrow(|limits| limits.file = 29),
            "file in part 2 is longer than 29 bytes",
        ),
        (
            narrow(|limits| limits.head = 40),
            "head of part 1 is longer than 40 bytes",
        ),
        (
            narrow(|limits| limits.total = 150),
            "form is longer than 150 bytes",
        ),
        (
            Limits {
                values: 9,
                ..Limits::DEFAULT
            },
            "form is longer than 9 bytes",
        ),
    ] {
        let app = blocking::unix(|server| server.form_limits(limits), form_and_rest);
        let mut peer = app.connect();
        for piece in [1, 20, 65_535] {
            for announced in [true, false] {
                let mut pairs = post(MULTIPART, body.len());
                pairs.retain(|(name, _)| announced || *name != "CONTENT_LENGTH");
                is_page(&peer.ask(1, request(&pairs, &body, piece)), "413");
            }
        }
        app.wait_for_incident(incident);
    }
}

#[test]
fn the_limit_of_all_bodies_holds_too() {
    let app = blocking::unix(|server| server.max_body(10), form_and_rest);
    let mut peer = app.connect();
    let pairs = [
        ("REQUEST_METHOD", "POST".to_owned()),
        ("CONTENT_TYPE", URLENCODED.to_owned()),
    ];
    is_page(&peer.ask(1, request(&pairs, b"a=123456789", 4)), "413");
    assert_eq!(
        text(&peer.ask(1, request(&pairs, b"a=12345678", 4))),
        "1 0 "
    );
}

#[test]
fn a_form_that_does_not_come() {
    let app = blocking::unix(
        |server| server.body_timeout(Duration::from_millis(100)),
        form_and_rest,
    );
    for (content_type, half) in [
        (URLENCODED, &b"a=1&b"[..]),
        (MULTIPART, b"--XxX\r\nContent-Disp"),
        (
            MULTIPART,
            b"--XxX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nhalf",
        ),
    ] {
        let mut peer = app.connect();
        let whole = request(&post(content_type, 200), half, 100);
        let end = whole.len() - end_of(STDIN, 1).len();
        is_page(&peer.ask(1, &whole[..end]), "408");
        app.wait_for_incident("the body with the form did not come");
    }
}

#[test]
fn a_handler_may_answer_by_itself() {
    let app = blocking::unix(
        |server| server,
        |request: &mut Request| {
            let wrong = match request.post() {
                Ok(_) => return page(request, "fine"),
                Err(Error::Form(FormError::Clash)) => "say it once",
                Err(error) => return Err(error.into()),
            };
            request.status(422)?;
            page(request, wrong)
        },
    );
    let mut peer = app.connect();
    let body = b"a=1&a[b]=2";
    let answer = peer.ask(1, request(&post(URLENCODED, body.len()), body, 9));
    assert!(answer.head().contains("Status: 422 "), "{}", answer.head());
    assert_eq!(answer.body(), b"say it once");
    assert_eq!(answer.end, Some((0, REQUEST_COMPLETE)));
    assert_eq!(app.incidents(), [""; 0]);
    assert_eq!(
        text(&peer.ask(1, request(&post(URLENCODED, 3), b"a=1", 9))),
        "fine"
    );
}

#[test]
fn a_body_that_was_begun_is_no_form_any_more() {
    let app = blocking::unix(
        |server| server,
        |request: &mut Request| {
            request.stdin.read_exact(&mut [0])?;
            assert!(matches!(request.multipart(), Err(Error::Taken)));
            request.post().map(drop)?;
            page(request, "no form")
        },
    );
    let mut peer = app.connect();
    for (content_type, body) in [
        (URLENCODED, b"a=1".to_vec()),
        (MULTIPART, multipart(&[("name=\"a\"", b"1")])),
    ] {
        let pairs = post(content_type, body.len());
        is_page(&peer.ask(1, request(&pairs, &body, 9)), "500");
    }
    app.wait_for_incident("the body was given out before");
    let pairs = post("text/plain", 3);
    assert_eq!(text(&peer.ask(1, request(&pairs, b"a=1", 9))), "no form");
}

#[test]
fn what_was_sent_before_stays() {
    let app = blocking::unix(
        |server| server,
        |request: &mut Request| {
            page(request, "so far")?;
            request.stdout.flush()?;
            request.post()?;
            Ok(())
        },
    );
    let body = b"a=1&a[b]=2";
    let answer = app
        .connect()
        .ask(1, request(&post(URLENCODED, body.len()), body, 9));
    assert_eq!(answer.body(), b"so far");
    assert_eq!(answer.end, Some((1, REQUEST_COMPLETE)));
}
