//! Heads of requests and responses: sizes, bytes, and what CGI fields become.

use fcgi_tests::http::{self, Client, Response};

use crate::exchange::{bytes, text};
use crate::site::{App, Way, eight_ways};

eight_ways! {
    twenty_kib_of_header_fields, every_byte_of_a_header_value, every_byte_of_a_query,
    statuses, repeated_fields, redirects, large_response_head, raw_response_head,
    text_for_the_error_log,
}

fn twenty_kib_of_header_fields(way: Way) {
    let app = App::start(way, |request| {
        let (mut names, mut bytes) = (0, 0);
        for pair in request.params() {
            let (name, value) = (pair.name, pair.value);
            if let Some(number) = name.strip_prefix(b"HTTP_X_FIELD_") {
                assert!(value.starts_with(number) && value.ends_with(b"!"));
                names += 1;
                bytes += value.len();
            }
        }
        text(request, &format!("{names} fields, {bytes} bytes"))
    });
    let nginx = app.nginx().start();
    for (fields, length) in [(1, 20_480), (80, 256), (20, 1024)] {
        let mut request = http::Request::get("/");
        for number in 0..fields {
            let number = number.to_string();
            let filling = "x".repeat(length - number.len() - 1);
            request = request.header(format!("X-Field-{number}"), format!("{number}{filling}!"));
        }
        let page = Client::connect(nginx.address()).call(&request);
        assert_eq!(page.text(), format!("{fields} fields, 20480 bytes"));
    }
}

/// All but NUL, CR and LF, which are the web server's affair, reach the application; those that a
/// response's field may have come back in one.
fn every_byte_of_a_header_value(way: Way) {
    let app = App::start(way, |request| {
        let value = request.param("HTTP_X_RAW");
        let back = request.header("X-Back", &value);
        let allowed = value
            .iter()
            .all(|byte| matches!(byte, b'\t' | b' '..=b'~' | 0x80..));
        assert_eq!(back.is_ok(), allowed, "{value:?}");
        bytes(request, &value)
    });
    let nginx = app.nginx().start();
    let mut client = Client::connect(nginx.address());
    let bytes: Vec<u8> = (0..=255).filter(|byte| !b"\0\r\n".contains(byte)).collect();
    let values = bytes.iter().map(|&byte| vec![b'<', byte, b'>']);
    let all = [b"<", &bytes[..], b">"].concat();
    for value in values.chain([all]) {
        let page = client.call(&http::Request::get("/").header("X-Raw", &value));
        assert_eq!(page.body, value);
        if let Some((_, back)) = page.fields.iter().find(|(name, _)| name == "X-Back") {
            assert_eq!(*back, value);
        }
    }
}

fn every_byte_of_a_query(way: Way) {
    let app = App::start(way, |request| {
        let query = request.param("QUERY_STRING");
        bytes(request, &query)
    });
    let nginx = app.nginx().start();
    let mut client = Client::connect(nginx.address());
    let escaped = |hex: fn(u8) -> String| (0..=255).map(hex).collect::<String>();
    // What may stand in a target as it is; a number sign ends it.
    let raw: Vec<u8> = (b'!'..=b'~')
        .chain(0x80..=0xff)
        .filter(|byte| *byte != b'#')
        .collect();
    for query in [
        escaped(|byte| format!("%{byte:02X}")).into_bytes(),
        escaped(|byte| format!("%{byte:02x}")).into_bytes(),
        raw,
        Vec::new(),
    ] {
        let page = client.call(&http::Request::get([b"/?", &query[..]].concat()));
        assert_eq!(page.status, 200);
        assert_eq!(page.body, query, "{}", query.escape_ascii());
    }
}

fn statuses(way: Way) {
    let app = App::start(way, |request| {
        let status = request.text_param("QUERY_STRING").parse().unwrap();
        request.status(status)?;
        if matches!(status, 204 | 304) {
            let error = request.write(b"a body").unwrap_err();
            assert_eq!(error.to_string(), "this response has no body");
            return Ok(());
        }
        text(request, &format!("this is {status}"))
    });
    let nginx = app.nginx().start();
    let mut client = Client::connect(nginx.address());
    for status in [200, 201, 204, 304, 400, 403, 404, 410, 429, 500, 503, 599] {
        let page = client.call(&http::Request::get(format!("/?{status}")));
        assert_eq!(page.status, status);
        let expected = match status {
            204 | 304 => String::new(),
            _ => format!("this is {status}"),
        };
        assert_eq!(page.text(), expected);
    }
}

fn repeated_fields(way: Way) {
    let app = App::start(way, |request| {
        for cookie in ["a=1; Path=/", "b=2, with a comma", "a=3"] {
            request.header("Set-Cookie", cookie.as_bytes())?;
        }
        request.header("Content-Type", b"text/plain")?;
        request.header("Link", b"</style>; rel=preload")?;
        request.header("Link", b"</script>; rel=preload")?;
        assert!(request.header("Content-Type", b"text/html").is_err());
        Ok(())
    });
    let nginx = app.nginx().start();
    let page = Client::connect(nginx.address()).call(&http::Request::get("/"));
    assert_eq!(
        page.all("Set-Cookie"),
        ["a=1; Path=/", "b=2, with a comma", "a=3"]
    );
    assert_eq!(page.all("Link").len(), 2);
    assert_eq!(
        (page.all("Content-Type").len(), page.text().as_str()),
        (1, "")
    );
}

fn redirects(way: Way) {
    let app = App::start(way, |request| {
        let query = request.text_param("QUERY_STRING");
        let (status, location) = query.split_once(',').unwrap();
        if !status.is_empty() {
            request.status(status.parse().unwrap())?;
        }
        request.header("Location", location.as_bytes())
    });
    let nginx = app.nginx().start();
    let mut client = Client::connect(nginx.address());
    for (status, location, expected) in [
        ("", "https://example.com/there?a=b", 302),
        ("302", "https://example.com/there?a=b", 302),
        ("301", "https://example.com/", 301),
        ("303", "/local/path", 303),
        ("308", "https://example.com/", 308),
        ("201", "https://example.com/new", 201),
    ] {
        let page = client.call(&http::Request::get(format!("/?{status},{location}")));
        assert_eq!(page.status, expected, "{status} {location}");
        // A path alone becomes a URI of nginx's own.
        let seen = page.field("Location").unwrap();
        assert!(seen.ends_with(location), "{seen} for {location}");
    }
}

/// nginx takes a head of a page, 4 KiB, records and all, unless it is told to take more.
fn large_response_head(way: Way) {
    let app = App::start(way, |request| {
        let length = request.text_param("QUERY_STRING").parse().unwrap();
        request.header("X-Large", &vec![b'x'; length])?;
        text(request, &"body ".repeat(10_000))
    });
    let nginx = app.nginx().start();
    let large = app.nginx().large_headers().start();
    let call = |nginx: &fcgi_tests::nginx::Nginx, length: usize| -> Response {
        Client::connect(nginx.address()).call(&http::Request::get(format!("/?{length}")))
    };
    for (nginx, length) in [
        (&nginx, 1),
        (&nginx, 4000),
        (&large, 4000),
        (&large, 60_000),
    ] {
        let page = call(nginx, length);
        assert_eq!(page.status, 200, "{length}");
        assert_eq!(page.field("X-Large").map(|value| value.len()), Some(length));
        assert_eq!(page.body.len(), 50_000);
    }
    // More than that is nginx's error, and no harm to the application.
    assert_eq!(call(&nginx, 5000).status, 502);
    assert!(nginx.error_log().contains("upstream sent too big header"));
    assert_eq!(call(&nginx, 4000).status, 200);
    drop((nginx, large));
    // With nginx gone in the middle, the application may notice.
    for incident in app.stop() {
        assert!(
            incident.starts_with("handler of request 1 failed: "),
            "{incident}"
        );
    }
}

fn raw_response_head(way: Way) {
    let app = App::start(way, |request| {
        request.raw()?;
        assert!(request.header("X-Late", b"too late").is_err());
        request.write(b"Status: 418 A Teapot\r\nX-Raw: yes\r\n")?;
        request.write(b"Content-Type: text/plain\r\n\r\nshort and stout")
    });
    let nginx = app.nginx().start();
    let page = Client::connect(nginx.address()).call(&http::Request::get("/"));
    assert_eq!((page.status, page.reason.as_str()), (418, "A Teapot"));
    assert_eq!(page.field("X-Raw").as_deref(), Some("yes"));
    assert_eq!(page.text(), "short and stout");
}

fn text_for_the_error_log(way: Way) {
    let app = App::start(way, |request| {
        request.complain(b"a complaint\n")?;
        text(request, "a page")?;
        request.complain(b"another one\n")
    });
    let nginx = app.nginx().start();
    let mut client = Client::connect(nginx.address());
    for _ in 0..3 {
        assert_eq!(client.call(&http::Request::get("/")).text(), "a page");
    }
    let log = nginx.error_log();
    assert_eq!(
        log.matches("FastCGI sent in stderr: \"a complaint").count(),
        3,
        "{log}"
    );
    assert!(log.contains("another one"), "{log}");
}
