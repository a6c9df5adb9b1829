//! The parameters as an application sees them; tables of the details are in the crate's own tests.

use std::io::Write;

use fcgi_tests::http::Request;
use fcgi_tools::serve::{Options, Site};

use crate::app::{App, Way, both_ways};

both_ways! { of_a_post, of_a_php_site, large_headers, every_byte, not_passed_on }

/// Prints every parameter: name and value, each on a line of its own.
fn show() -> impl Fn(&mut fcgi_std::Request) -> std::io::Result<()> {
    |request| {
        request.header("Content-Type", "application/octet-stream")?;
        for (name, value) in request.params.iter() {
            request
                .stdout
                .write_all(&[name, b"=", value, b"\n"].concat())?;
        }
        Ok(())
    }
}

fn of_a_post(way: Way) {
    let app = App::start(way, show());
    let site = Site::default().param("APP_ENV=dev").unwrap();
    let gateway = app.gateway_with(|options| Options { site, ..options });
    let mut client = gateway.client();
    let request = Request::post("/a%2Fb?c=%20", "body")
        .header("Host", "example.org:81")
        .header("Content-Type", "text/x")
        .header("Cookie", "a=1")
        .header("Cookie", "b=2")
        .header("X-Twice", "1")
        .header("X-Twice", "2");
    let page = client.call(&request);
    let mut lines: Vec<String> = page.text().lines().map(str::to_owned).collect();
    lines.sort();
    let (remote, local) = (client.local_address(), gateway.address);
    let expected = [
        "APP_ENV=dev".to_owned(),
        "CONTENT_LENGTH=4".to_owned(),
        "CONTENT_TYPE=text/x".to_owned(),
        "GATEWAY_INTERFACE=CGI/1.1".to_owned(),
        "HTTP_COOKIE=a=1; b=2".to_owned(),
        "HTTP_HOST=example.org:81".to_owned(),
        "HTTP_X_TWICE=1".to_owned(),
        "HTTP_X_TWICE=2".to_owned(),
        "PATH_INFO=/a/b".to_owned(),
        "QUERY_STRING=c=%20".to_owned(),
        "REDIRECT_STATUS=200".to_owned(),
        "REMOTE_ADDR=127.0.0.1".to_owned(),
        format!("REMOTE_PORT={}", remote.port()),
        "REQUEST_METHOD=POST".to_owned(),
        "REQUEST_SCHEME=http".to_owned(),
        "REQUEST_URI=/a%2Fb?c=%20".to_owned(),
        "SCRIPT_NAME=".to_owned(),
        "SERVER_ADDR=127.0.0.1".to_owned(),
        "SERVER_NAME=example.org".to_owned(),
        format!("SERVER_PORT={}", local.port()),
        "SERVER_PROTOCOL=HTTP/1.1".to_owned(),
        format!("SERVER_SOFTWARE=fcgi-tools/{}", env!("CARGO_PKG_VERSION")),
    ];
    assert_eq!(lines, expected);
}

fn of_a_php_site(way: Way) {
    let app = App::start(way, show());
    let site = Site::default().document_root("/srv/www").unwrap();
    let gateway = app.gateway_with(|options| Options { site, ..options });
    let page = gateway.client().call(&Request::get("/d/a.php/x")).text();
    for line in [
        "DOCUMENT_ROOT=/srv/www",
        "SCRIPT_NAME=/d/a.php",
        "SCRIPT_FILENAME=/srv/www/d/a.php",
        "PATH_INFO=/x",
        "PATH_TRANSLATED=/srv/www/x",
    ] {
        assert!(page.lines().any(|other| other == line), "{line} in {page}");
    }
}

fn large_headers(way: Way) {
    let app = App::start(way, show());
    let gateway = app.gateway();
    let (long, many) = ("v".repeat(20 * 1024), "w".repeat(400));
    let mut request = Request::get("/").header("X-Long", &long);
    for number in 0..50 {
        request = request.header(format!("X-{number}"), &many);
    }
    let page = gateway.client().call(&request);
    assert_eq!(page.status, 200);
    let page = page.text();
    assert!(page.contains(&format!("HTTP_X_LONG={long}\n")));
    for number in 0..50 {
        assert!(
            page.contains(&format!("HTTP_X_{number}={many}\n")),
            "{number}"
        );
    }
}

/// All bytes that a field's value may have (RFC 9110 §5.5), and all that a query may have (RFC 3986
/// §3.4).
fn every_byte(way: Way) {
    let app = App::start(way, show());
    let gateway = app.gateway();
    let text = (0..=u8::MAX).filter(|byte| matches!(byte, b'\t' | b' '..=b'~' | 0x80..));
    let value: Vec<u8> = [b'x'].into_iter().chain(text).chain([b'x']).collect();
    let query = (b'!'..=b'~')
        .filter(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%".contains(byte))
        .collect::<Vec<u8>>();
    let target = [b"/?", &query[..]].concat();
    let page = gateway
        .client()
        .call(&Request::get(&target).header("X-Bytes", &value));
    let lines: Vec<&[u8]> = page.body.split(|&byte| byte == b'\n').collect();
    for line in [
        [b"HTTP_X_BYTES=", &value[..]].concat(),
        [b"QUERY_STRING=", &query[..]].concat(),
        [b"REQUEST_URI=", &target[..]].concat(),
    ] {
        assert!(lines.contains(&&line[..]), "{}", line.escape_ascii());
    }
}

fn not_passed_on(way: Way) {
    let app = App::start(way, show());
    let site = Site::default().script_name("/app").unwrap();
    let gateway = app.gateway_with(|options| Options { site, ..options });
    let request = Request::get("/app")
        .header("Proxy", "http://evil")
        .header("X_Forwarded_For", "6.6.6.6")
        .header("Connection", "keep-alive, X-Hop")
        .header("X-Hop", "1");
    let page = gateway.client().call(&request).text();
    for name in [
        "HTTP_PROXY",
        "FORWARDED",
        "HOP",
        "HTTP_CONNECTION",
        "PATH_INFO",
        "HTTPS",
    ] {
        assert!(!page.contains(name), "{name} in {page}");
    }
    for (target, status) in [
        ("/elsewhere", 404),
        ("/app/%00", 400),
        ("/app/../..", 400),
        ("*", 400),
    ] {
        let page = gateway.client().call(&Request::new("OPTIONS", target));
        assert_eq!(page.status, status, "{target}");
    }
    let page = gateway
        .client()
        .call(&Request::get("/app").header("Host", "a b"));
    assert_eq!(page.status, 400);
}

/// The path of a target that names a host may be left out (RFC 9110 §4.2.3).
#[test]
fn targets_with_a_host() {
    let app = App::start(Way::Unix, show());
    let gateway = app.gateway();
    for (target, uri, path) in [
        ("http://b:81/p?q", "/p?q", "/p"),
        ("http://b:81?q", "/?q", "/"),
        ("http://b:81", "/", "/"),
    ] {
        let page = gateway.client().call(&Request::get(target)).text();
        for line in [
            format!("REQUEST_URI={uri}"),
            format!("PATH_INFO={path}"),
            "HTTP_HOST=b:81".to_owned(),
            "SERVER_NAME=b".to_owned(),
        ] {
            assert!(page.lines().any(|other| other == line), "{line} in {page}");
        }
    }
}

/// The application would take what is coded for the body.
#[test]
fn transfer_codings_other_than_chunked_are_refused() {
    let app = App::start(Way::Unix, show());
    let gateway = app.gateway();
    for (codings, status) in [
        ("Transfer-Encoding: Chunked", 200),
        ("Transfer-Encoding: gzip, chunked", 501),
        ("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", 501),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            501,
        ),
    ] {
        let mut client = gateway.client();
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\n{codings}\r\n\r\n");
        client.send(head.as_bytes()).unwrap();
        client.send(b"4\r\nbody\r\n0\r\n\r\n").unwrap();
        let page = client.receive(false, &mut Vec::new()).unwrap();
        assert_eq!(page.status, status, "{codings}");
    }
}
