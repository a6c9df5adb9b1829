//! Conversions to and from the types of the `http` crate.

use fcgi_core::cgi::{HeadError, ResponseHead};
use fcgi_core::params::{self, Params};
use fcgi_http::{RawUri, fill_head, request_parts};
use http::{HeaderValue, Method, Response, Version, request};

fn stream(pairs: &[(&str, &[u8])]) -> Vec<u8> {
    let mut stream = Vec::new();
    for (name, value) in pairs {
        params::append(&mut stream, name.as_bytes(), value).unwrap();
    }
    stream
}

fn parts(pairs: &[(&str, &[u8])]) -> std::io::Result<request::Parts> {
    let stream = stream(pairs);
    request_parts(&Params::parse(&stream, 100).unwrap())
}

#[test]
fn a_request_as_nginx_describes_it() {
    let parts = parts(&[
        ("QUERY_STRING", b"q=%C3%A4"),
        ("REQUEST_METHOD", b"POST"),
        ("CONTENT_TYPE", b"text/plain"),
        ("CONTENT_LENGTH", b"12"),
        ("SCRIPT_NAME", b"/a b"),
        ("REQUEST_URI", b"/a%20b?q=%C3%A4"),
        ("SERVER_PROTOCOL", b"HTTP/2.0"),
        ("HTTP_HOST", b"example.org"),
        ("HTTP_CONTENT_TYPE", b"text/evil"),
        ("HTTP_CONTENT_LENGTH", b"99"),
        ("HTTP_X_FORWARDED_FOR", b"192.0.2.1"),
        ("HTTP_X_FORWARDED_FOR", b"192.0.2.2"),
        ("HTTP_X_LATIN", b"K\xe4se\t"),
        ("HTTP_X_EMPTY", b""),
        ("HTTP_PROXY", b"http://evil.example/"),
    ])
    .unwrap();
    assert_eq!(parts.method, Method::POST);
    assert_eq!(parts.uri, "/a%20b?q=%C3%A4");
    assert_eq!(parts.version, Version::HTTP_2);
    let raw = parts.extensions.get::<RawUri>();
    assert_eq!(raw, Some(&RawUri(b"/a%20b?q=%C3%A4".to_vec())));
    let mut fields: Vec<_> = parts.headers.iter().collect();
    fields.sort_by_key(|(name, _)| name.as_str().to_owned());
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    assert_eq!(
        fields,
        [
            ("content-length", &b"12"[..]),
            ("content-type", b"text/plain"),
            ("host", b"example.org"),
            ("x-empty", b""),
            ("x-forwarded-for", b"192.0.2.1"),
            ("x-forwarded-for", b"192.0.2.2"),
            ("x-latin", b"K\xe4se\t"),
        ]
    );
}

/// Caddy sends -1 for a chunked upload, nginx nothing: no field says so in HTTP.
#[test]
fn a_length_that_is_no_number_is_no_field() {
    for (sent, field) in [
        (&b"-1"[..], None),
        (b"", None),
        (b"1x", None),
        (b"18446744073709551616", None),
        (b"0", Some("0")),
        (b"18446744073709551615", Some("18446744073709551615")),
    ] {
        let parts = parts(&[("REQUEST_METHOD", b"PUT"), ("CONTENT_LENGTH", sent)]).unwrap();
        let found = parts.headers.get("Content-Length");
        assert_eq!(found.map(|value| value.to_str().unwrap()), field);
    }
}

#[test]
fn targets() {
    let get: (&str, &[u8]) = ("REQUEST_METHOD", b"GET");
    let uri = |pairs: &[(&str, &[u8])]| parts(&[&[get], pairs].concat()).unwrap();
    for (raw, expected) in [
        (&b"/"[..], "/"),
        (b"*", "*"),
        (b"//host/path", "//host/path"),
        (b"/a/../b/./?x=/..", "/a/../b/./?x=/.."),
        (b"http://example.org/a?b", "http://example.org/a?b"),
        (b"/a b\x01", "/a%20b%01"),
        (b"/K\xe4se?\xff<>", "/K%E4se?%FF%3C%3E"),
        // No fragment, of which some web servers know and others do not.
        (b"/a#b?c=1#d", "/a%23b?c=1%23d"),
        (b"/a #?", "/a%20%23?"),
    ] {
        let parts = uri(&[("REQUEST_URI", raw), ("SCRIPT_NAME", b"/other")]);
        assert_eq!(parts.uri.to_string(), expected);
        assert_eq!(parts.extensions.get(), Some(&RawUri(raw.to_vec())));
    }
    for (script, path, query, expected) in [
        ("", "", "", "/"),
        ("/app", "", "", "/app"),
        ("/app", "/100% K\u{e4}se?", "", "/app/100%25%20K%C3%A4se%3F"),
        ("", "/p", "a=%20&b=<", "/p?a=%20&b=%3C"),
        ("", "/p#", "a=#1&b=%23", "/p%23?a=%231&b=%23"),
        ("x", "", "", "/x"),
    ] {
        let parts = uri(&[
            ("SCRIPT_NAME", script.as_bytes()),
            ("PATH_INFO", path.as_bytes()),
            ("QUERY_STRING", query.as_bytes()),
        ]);
        assert_eq!(parts.uri.to_string(), expected);
        assert_eq!(parts.extensions.get::<RawUri>(), None);
    }
    // What is empty was not sent (RFC 3875 §4.1).
    let parts = uri(&[("REQUEST_URI", b""), ("PATH_INFO", b"/p")]);
    assert_eq!(parts.uri, "/p");
    assert_eq!(parts.extensions.get::<RawUri>(), None);
}

#[test]
fn versions() {
    for (protocol, expected) in [
        (&b"HTTP/1.0"[..], Version::HTTP_10),
        (b"HTTP/1.1", Version::HTTP_11),
        (b"HTTP/2", Version::HTTP_2),
        (b"HTTP/3.0", Version::HTTP_3),
        (b"INCLUDED", Version::HTTP_11),
        (b"", Version::HTTP_11),
    ] {
        let parts = parts(&[("REQUEST_METHOD", b"GET"), ("SERVER_PROTOCOL", protocol)]);
        assert_eq!(parts.unwrap().version, expected);
    }
}

#[test]
fn what_http_does_not_have() {
    let get: (&str, &[u8]) = ("REQUEST_METHOD", b"GET");
    let long = [b'/'; 70_000];
    let table: [&[(&str, &[u8])]; 7] = [
        &[],
        &[("REQUEST_METHOD", b"G T")],
        &[get, ("HTTP_X", b"\x01")],
        &[get, ("HTTP_X Y", b"1")],
        &[get, ("HTTP_", b"1")],
        &[get, ("CONTENT_TYPE", b"a\nb")],
        &[get, ("REQUEST_URI", &long)],
    ];
    for pairs in table {
        let error = parts(pairs).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidData, "{pairs:?}");
    }
}

/// A header map has a limit of its own, where a careless `append` panics.
#[test]
fn more_fields_than_a_map_holds() {
    let names: Vec<String> = (0..40_000).map(|n| format!("HTTP_X{n}")).collect();
    let mut pairs: Vec<(&str, &[u8])> = vec![("REQUEST_METHOD", b"GET")];
    pairs.extend(names.iter().map(|name| (&**name, &b"1"[..])));
    let stream = stream(&pairs);
    let params = Params::parse(&stream, 50_000).unwrap();
    let error = request_parts(&params).unwrap_err();
    assert_eq!(error.to_string(), "more fields than a header map holds");
}

fn filled(response: http::response::Builder) -> Result<String, HeadError> {
    let mut head = ResponseHead::new(Vec::new());
    head.add("X-Before", "1")?;
    fill_head(&mut head, &response.body(()).unwrap().into_parts().0)?;
    let mut out = Vec::new();
    head.write(&mut out).unwrap();
    Ok(String::from_utf8_lossy(&out).into_owned())
}

#[test]
fn responses() {
    let response = Response::builder()
        .status(404)
        .header("Content-Type", "text/plain")
        .header("Set-Cookie", "a=1")
        .header("Set-Cookie", "b=2")
        .header("Status", "200 OK");
    assert_eq!(
        filled(response).unwrap(),
        "Status: 404 Not Found\r\nX-Before: 1\r\ncontent-type: text/plain\r\n\
         set-cookie: a=1\r\nset-cookie: b=2\r\n\r\n"
    );
    let response = Response::builder().status(200).header("Location", "/a");
    assert!(filled(response).unwrap().starts_with("Status: 200 OK\r\n"));
    let response = Response::builder().header("X", HeaderValue::from_bytes(b"\xe4").unwrap());
    assert!(filled(response).is_ok());
    for (response, error) in [
        (Response::builder().status(100), HeadError::Status),
        (
            Response::builder().header("Connection", "close"),
            HeadError::HopByHop,
        ),
        (
            Response::builder().header("Transfer-Encoding", "chunked"),
            HeadError::HopByHop,
        ),
        (
            Response::builder().header("Content-Length", "x"),
            HeadError::ContentLength,
        ),
        (
            Response::builder()
                .header("Content-Type", "a/b")
                .header("Content-Type", "c/d"),
            HeadError::Duplicate {
                field: "content-type",
            },
        ),
    ] {
        assert_eq!(filled(response), Err(error));
    }
}
