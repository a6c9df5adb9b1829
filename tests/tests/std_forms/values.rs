//! Names and values, the same four ways: query, cookies, urlencoded bodies, multipart bodies.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fcgi_std::form::{Limits, tree};
use fcgi_tests::blocking;

use super::*;

/// Pairs of names and values, and the tree that they make.
type Row = (&'static [(&'static str, &'static str)], &'static str);

const ROWS: [Row; 13] = [
    // The four kinds of the Pike module's documentation.
    (&[("name", "a")], "name=a"),
    (&[("name", "a"), ("name", "b")], "name=[a,b]"),
    (
        &[("user[first]", "a"), ("user[last]", "b")],
        "user={first=a,last=b}",
    ),
    (
        &[("user[name]", "a"), ("user[pw]", "b"), ("user[pw]", "c")],
        "user={name=a,pw=[b,c]}",
    ),
    // And what PHP's names add.
    (&[], ""),
    (&[("a[]", "1")], "a=[1]"),
    (&[("a[]", "1"), ("a[]", "2"), ("a", "3")], "a=[1,2,3]"),
    (&[("a[b][]", "1"), ("a[b][]", "2")], "a={b=[1,2]}"),
    (&[("a[b][c]", "1"), ("a[b][d]", "2")], "a={b={c=1,d=2}}"),
    (&[("a[][k]", "1"), ("a[][k]", "2")], "a=[{k=1},{k=2}]"),
    (
        &[("b", ""), ("a[0]", "x"), ("a[10]", "y")],
        "a={0=x,10=y} b=",
    ),
    (
        &[("a[", "1"), ("b]c", "2"), ("[d]", "3")],
        "[d]=3 a[=1 b]c=2",
    ),
    (&[("a.b", "1"), ("a_b", "2")], "a.b=1 a_b=2"),
];

/// As browsers do it: brackets are escaped too.
fn urlencoded(pairs: &[(&str, &str)]) -> String {
    let escaped = |text: &str| text.replace('[', "%5B").replace(']', "%5d");
    let pairs = pairs.iter();
    let pairs = pairs.map(|(name, value)| format!("{}={}", escaped(name), escaped(value)));
    pairs.collect::<Vec<_>>().join("&")
}

fn as_parts(pairs: &[(&str, &str)]) -> Vec<u8> {
    let heads = pairs.iter().map(|(name, _)| format!("name=\"{name}\""));
    let heads: Vec<_> = heads.collect();
    let parts = heads.iter().zip(pairs);
    let parts: Vec<_> = parts
        .map(|(head, (_, value))| (&head[..], value.as_bytes()))
        .collect();
    multipart(&parts)
}

/// Shows query, cookies, and values in the body, each asked for twice.
fn show_all(request: &mut Request) -> io::Result<()> {
    let (get, cookies, post) = (request.get()?, request.cookies()?, request.post()?);
    assert!(Arc::ptr_eq(&get, &request.get()?));
    assert!(Arc::ptr_eq(&cookies, &request.cookies()?));
    assert!(Arc::ptr_eq(&post, &request.post()?));
    assert!(request.files()?.is_empty());
    let all = format!("{}|{}|{}", shown(&get), shown(&cookies), shown(&post));
    page(request, all)
}

#[test]
fn every_kind_of_name_in_queries_cookies_and_bodies() {
    let app = blocking::unix(|server| server, show_all);
    let mut peer = app.connect();
    for (pairs, expected) in ROWS {
        let cookies = pairs.iter().map(|(name, value)| format!("{name}={value}"));
        let cookies = cookies.collect::<Vec<_>>().join("; ");
        let get = [
            ("REQUEST_METHOD", "GET".to_owned()),
            ("QUERY_STRING", urlencoded(pairs)),
            ("HTTP_COOKIE", cookies),
        ];
        let answer = peer.ask(1, request(&get, b"", 1));
        assert_eq!(
            text(&answer),
            format!("{expected}|{expected}|"),
            "{pairs:?}"
        );

        let bodies = [
            (URLENCODED, urlencoded(pairs).into_bytes()),
            (
                "Application/X-WWW-Form-Urlencoded ; charset=utf-8",
                urlencoded(pairs).into_bytes(),
            ),
            (MULTIPART, as_parts(pairs)),
        ];
        for (content_type, body) in bodies {
            // Cut into records of every length that matters.
            for piece in [1, 2, 3, 5, 7, 31, 65_535] {
                let pairs = post(content_type, body.len());
                let answer = peer.ask(1, request(&pairs, &body, piece));
                assert_eq!(
                    text(&answer),
                    format!("||{expected}"),
                    "{content_type} {piece}"
                );
            }
        }
    }
    assert_eq!(app.incidents(), [""; 0]);
}

#[test]
fn query_and_body_are_apart() {
    let app = blocking::unix(|server| server, show_all);
    let mut pairs = post(URLENCODED, 3);
    pairs.push(("QUERY_STRING", "a=1&a[]=2".to_owned()));
    pairs.push(("HTTP_COOKIE", "c=5".to_owned()));
    // A header that came twice, from a web server that does not join.
    pairs.push(("HTTP_COOKIE", "c=6; d=7".to_owned()));
    let answer = app.connect().ask(1, request(&pairs, b"a=3", 1));
    assert_eq!(text(&answer), "a=[1,2]|c=[5,6] d=7|a=3");
}

#[test]
fn values_are_bytes_of_any_kind() {
    let app = blocking::unix(
        |server| server,
        |request: &mut Request| {
            let form = request.post()?;
            let value = form.first("ü").expect("it was sent");
            assert_eq!(value.as_bytes(), b"a\0\xff\r\nb");
            assert_eq!(form.len(), 1);
            page(request, "ok")
        },
    );
    let mut peer = app.connect();
    for (kind, body) in [
        (URLENCODED, b"%C3%BC=a%00%ff%0d%0Ab".to_vec()),
        (MULTIPART, multipart(&[("name=\"ü\"", b"a\0\xff\r\nb")])),
    ] {
        let answer = peer.ask(1, request(&post(kind, body.len()), &body, 4));
        assert_eq!(text(&answer), "ok");
    }
}

/// Whether the form of each row is refused, and how: for the client, and for the operator.
#[test]
fn clashes_and_limits() {
    let handled = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&handled);
    let limits = Limits {
        tree: tree::Limits {
            values: 3,
            depth: 2,
        },
        values: 40,
        ..Limits::DEFAULT
    };
    let app = blocking::unix(
        |server| server.form_limits(limits),
        move |request: &mut Request| {
            // The second time it is the same.
            for _ in 0..2 {
                let forms = [request.get(), request.post()];
                let [get, post] = forms.map(|form| form.map_err(|error| error.status().code()));
                counted.fetch_add(
                    usize::from(get.is_err() || post.is_err()),
                    Ordering::Relaxed,
                );
            }
            let form = [request.get()?, request.post()?]
                .map(|form| shown(&form))
                .concat();
            page(request, form)
        },
    );
    let mut peer = app.connect();
    let rows: [(&[(&str, &str)], &str); 9] = [
        (&[("a", "1"), ("b", "2"), ("c", "3")], ""),
        (&[("a[b][c]", "1")], ""),
        (&[("a", "1"), ("a[k]", "2")], "400"),
        (&[("a[k]", "1"), ("a", "2")], "400"),
        (&[("a[k]", "1"), ("a[]", "2")], "400"),
        (&[("a[]", "1"), ("a[k]", "2")], "400"),
        (&[("a[b][c][d]", "1")], "400"),
        (&[("a", "1"), ("a", "2"), ("b", "3"), ("b", "4")], "413"),
        (&[("a", "0123456789012345678901234567890123456789")], "413"),
    ];
    for (pairs, status) in rows {
        let query = urlencoded(pairs);
        for (kind, body) in [
            (URLENCODED, query.clone().into_bytes()),
            (MULTIPART, as_parts(pairs)),
        ] {
            for announced in [true, false] {
                let mut post = post(kind, body.len());
                post.retain(|(name, _)| announced || *name != "CONTENT_LENGTH");
                let before = handled.load(Ordering::Relaxed);
                let answer = peer.ask(1, request(&post, &body, 9));
                let refused = handled.load(Ordering::Relaxed) - before;
                if status.is_empty() {
                    assert!(!text(&answer).is_empty());
                    assert_eq!(refused, 0);
                } else {
                    is_page(&answer, status);
                    assert_eq!(refused, 2);
                }
            }
        }
        let get = [
            ("REQUEST_METHOD", "GET".to_owned()),
            ("QUERY_STRING", query),
        ];
        let answer = peer.ask(1, request(&get, b"", 1));
        // A query has the limit of the parameters.
        if status.is_empty() || pairs.len() == 1 && status == "413" {
            assert!(!text(&answer).is_empty());
        } else {
            is_page(&answer, status);
        }
    }
    app.wait_for_incident("a name of the form is used for a map and for a value");
    app.wait_for_incident("form has more than 3 values");
    app.wait_for_incident("a name of the form has more than 2 pairs of brackets");
    app.wait_for_incident("form is longer than 40 bytes");
}

#[test]
fn cookies_do_not_keep_a_user_out() {
    let app = blocking::unix(
        |server| server,
        |request: &mut Request| {
            let cookies = shown(&*request.cookies()?);
            page(request, cookies)
        },
    );
    let get = |cookies: String| {
        [
            ("REQUEST_METHOD", "GET".to_owned()),
            ("HTTP_COOKIE", cookies),
        ]
    };
    let mut peer = app.connect();
    let answer = peer.ask(
        1,
        request(&get("id=mine; id[x]=evil; id=other".into()), b"", 1),
    );
    assert_eq!(text(&answer), "id=[mine,other]");
    let many = "c=1; ".repeat(1001);
    is_page(&peer.ask(1, request(&get(many), b"", 1)), "413");
}
