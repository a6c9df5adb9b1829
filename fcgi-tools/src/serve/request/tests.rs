use fcgi_core::params::Params;
use hyper::header::HeaderValue;

use super::*;

/// What a browser sends, to be varied.
struct Case {
    site: Site,
    method: &'static str,
    authority: Option<&'static str>,
    target: &'static str,
    version: Version,
    headers: Vec<(&'static str, &'static [u8])>,
    local: &'static str,
    content_length: Option<u64>,
}

impl Default for Case {
    fn default() -> Case {
        Case {
            site: Site::default(),
            method: "GET",
            authority: None,
            target: "/",
            version: Version::HTTP_11,
            headers: vec![("host", b"localhost:8080")],
            local: "127.0.0.1:8080",
            content_length: None,
        }
    }
}

impl Case {
    fn pairs(&self) -> Result<Vec<(String, Vec<u8>)>, Rejection> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            headers.append(*name, HeaderValue::from_bytes(value).unwrap());
        }
        let stream = params(
            &self.site,
            &Facts {
                method: self.method,
                authority: self.authority,
                target: self.target,
                version: self.version,
                headers: &headers,
                remote: "192.0.2.7:40000".parse().unwrap(),
                local: self.local.parse().unwrap(),
                content_length: self.content_length,
            },
        )?;
        let params = Params::parse(&stream, 1000).unwrap();
        let text = |name: &[u8]| String::from_utf8(name.to_vec()).unwrap();
        Ok(params
            .iter()
            .map(|pair| (text(pair.name), pair.value.to_vec()))
            .collect())
    }

    /// All values of the named variables, in the order of the names.
    #[track_caller]
    fn assert(&self, expected: &[(&str, &[&[u8]])]) {
        let pairs = self.pairs().unwrap();
        for (name, values) in expected {
            let named = pairs.iter().filter(|(other, _)| other == name);
            let found: Vec<&[u8]> = named.map(|(_, value)| &value[..]).collect();
            assert_eq!(found, *values, "{name} of {} among {pairs:?}", self.target);
        }
    }
}

#[test]
fn a_plain_request() {
    let mut pairs = Case {
        target: "/a%20b/c?d=%2F&e",
        ..Case::default()
    }
    .pairs()
    .unwrap();
    pairs.sort();
    let expected = [
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("HTTP_HOST", "localhost:8080"),
        ("PATH_INFO", "/a b/c"),
        ("QUERY_STRING", "d=%2F&e"),
        ("REDIRECT_STATUS", "200"),
        ("REMOTE_ADDR", "192.0.2.7"),
        ("REMOTE_PORT", "40000"),
        ("REQUEST_METHOD", "GET"),
        ("REQUEST_SCHEME", "http"),
        ("REQUEST_URI", "/a%20b/c?d=%2F&e"),
        ("SCRIPT_NAME", ""),
        ("SERVER_ADDR", "127.0.0.1"),
        ("SERVER_NAME", "localhost"),
        ("SERVER_PORT", "8080"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("SERVER_SOFTWARE", SOFTWARE),
    ];
    let expected: Vec<_> = expected
        .map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()))
        .into();
    assert_eq!(pairs, expected, "these, and nothing else");
}

#[test]
fn a_body_has_a_length() {
    for (content_length, expected) in [
        (None, &[][..]),
        (Some(0), &[&b"0"[..]][..]),
        (Some(u64::MAX), &[b"18446744073709551615"]),
    ] {
        Case {
            method: "POST",
            content_length,
            headers: vec![
                ("host", b""),
                // What the gateway knows counts, not what the client says.
                ("content-length", b"77"),
                ("content-type", b"text/plain"),
                ("content-type", b"text/html"),
            ],
            ..Case::default()
        }
        .assert(&[
            ("CONTENT_LENGTH", expected),
            ("CONTENT_TYPE", &[b"text/plain"]),
            ("HTTP_CONTENT_LENGTH", &[]),
            ("HTTP_CONTENT_TYPE", &[]),
            ("SERVER_NAME", &[b"127.0.0.1"]),
        ]);
    }
}

#[test]
fn scripts_below_a_document_root() {
    let site = Site::default().document_root("/srv/www/").unwrap();
    for (target, name, path_info, file, translated) in [
        ("/", "/index.php", None, "/srv/www/index.php", None),
        ("/a.php?b", "/a.php", None, "/srv/www/a.php", None),
        (
            "/d/a.php/x%2fy",
            "/d/a.php",
            Some("/x/y"),
            "/srv/www/d/a.php",
            Some("/srv/www/x/y"),
        ),
        (
            "/d/../a.php/",
            "/a.php",
            Some("/"),
            "/srv/www/a.php",
            Some("/srv/www/"),
        ),
    ] {
        let one = |value: Option<&'static str>| value.map(str::as_bytes).into_iter().collect();
        let (path_info, translated): (Vec<_>, Vec<_>) = (one(path_info), one(translated));
        Case {
            site: site.clone(),
            target,
            ..Case::default()
        }
        .assert(&[
            ("DOCUMENT_ROOT", &[b"/srv/www"]),
            ("SCRIPT_NAME", &[name.as_bytes()]),
            ("SCRIPT_FILENAME", &[file.as_bytes()]),
            ("PATH_INFO", &path_info),
            ("PATH_TRANSLATED", &translated),
            ("REQUEST_URI", &[target.as_bytes()]),
        ]);
    }
}

#[test]
fn mounted_at_a_path() {
    let site = Site::default().script_name("/app").unwrap();
    let case = |target| Case {
        site: site.clone(),
        target,
        ..Case::default()
    };
    case("/app/x").assert(&[
        ("SCRIPT_NAME", &[b"/app"]),
        ("PATH_INFO", &[b"/x"]),
        ("SCRIPT_FILENAME", &[]),
        ("PATH_TRANSLATED", &[]),
        ("DOCUMENT_ROOT", &[]),
    ]);
    case("/app").assert(&[("SCRIPT_NAME", &[b"/app"]), ("PATH_INFO", &[])]);
    assert_eq!(case("/other").pairs(), Err(Rejection::Outside));
}

#[test]
fn headers_that_pass_and_those_that_do_not() {
    Case {
        headers: vec![
            ("host", b"h"),
            ("x-bytes", b"\t\x20~\x80\xff"),
            ("accept", b"a"),
            ("accept", b"b"),
            ("cookie", b"a=1"),
            ("cookie", b"b=2"),
            ("proxy", b"http://evil"),
            ("proxy-authorization", b"kept"),
            ("authorization", b"Basic x"),
            ("x-forwarded-for", b"1.2.3.4"),
            ("x_forwarded_for", b"6.6.6.6"),
            ("x.forwarded.for", b"6.6.6.6"),
            ("connection", b"close, X-Hop , Host"),
            ("connection", b"cookie"),
            ("x-hop", b"1"),
            ("keep-alive", b"5"),
            ("te", b"trailers"),
            ("transfer-encoding", b"chunked"),
            ("upgrade", b"h2c"),
            ("trailer", b"x"),
            ("expect", b"100-continue"),
            ("proxy-connection", b"x"),
        ],
        ..Case::default()
    }
    .assert(&[
        ("HTTP_HOST", &[b"h"]),
        ("HTTP_X_BYTES", &[b"\t\x20~\x80\xff"]),
        ("HTTP_ACCEPT", &[b"a", b"b"]),
        ("HTTP_COOKIE", &[b"a=1; b=2"]),
        ("HTTP_PROXY", &[]),
        ("HTTP_PROXY_AUTHORIZATION", &[b"kept"]),
        ("HTTP_AUTHORIZATION", &[b"Basic x"]),
        ("HTTP_X_FORWARDED_FOR", &[b"1.2.3.4"]),
        ("HTTP_X.FORWARDED.FOR", &[]),
        ("HTTP_CONNECTION", &[]),
        ("HTTP_X_HOP", &[]),
        ("HTTP_KEEP_ALIVE", &[]),
        ("HTTP_TE", &[]),
        ("HTTP_TRANSFER_ENCODING", &[]),
        ("HTTP_UPGRADE", &[]),
        ("HTTP_TRAILER", &[]),
        ("HTTP_EXPECT", &[]),
        ("HTTP_PROXY_CONNECTION", &[]),
        ("HTTPS", &[]),
    ]);
}

#[test]
fn parameters_of_the_operator_win() {
    let site = Site::default();
    let site = site.param("SERVER_NAME=example.org").unwrap();
    let site = site.param("HTTP_ACCEPT=z").unwrap();
    let site = site.param("APP_ENV=dev").unwrap();
    Case {
        site,
        headers: vec![("host", b"h"), ("accept", b"a"), ("accept", b"b")],
        ..Case::default()
    }
    .assert(&[
        ("SERVER_NAME", &[b"example.org"]),
        ("HTTP_ACCEPT", &[b"z"]),
        ("APP_ENV", &[b"dev"]),
    ]);
}

#[test]
fn names_of_the_server() {
    let ok = |name: &'static str| Ok(name);
    for (host, authority, expected) in [
        (Some(&b"example.org"[..]), None, ok("example.org")),
        (Some(b"example.org:8080"), None, ok("example.org")),
        (Some(b"[::1]:8080"), None, ok("[::1]")),
        (Some(b"[::1]"), None, ok("[::1]")),
        (Some(b"a_b.c-d"), None, ok("a_b.c-d")),
        (Some(b""), None, ok("[2001:db8::1]")),
        (Some(b"a"), Some("b:1"), ok("b")),
        (None, Some("b"), ok("b")),
        (None, None, Err(Rejection::Host)),
        (Some(b"a b"), None, Err(Rejection::Host)),
        (Some(b"a/b"), None, Err(Rejection::Host)),
        (Some(b"<script>"), None, Err(Rejection::Host)),
        (Some(b"a:b"), None, Err(Rejection::Host)),
        (Some(b"[::1"), None, Err(Rejection::Host)),
        (Some(b"[]"), None, Err(Rejection::Host)),
        (Some(b"::1"), None, Err(Rejection::Host)),
        (Some(b"\xff"), None, Err(Rejection::Host)),
        (Some(b"a"), Some("u@b"), Err(Rejection::Host)),
    ] {
        let case = Case {
            headers: host.map(|host| ("host", host)).into_iter().collect(),
            authority,
            local: "[2001:db8::1]:80",
            ..Case::default()
        };
        let name = case.pairs().map(|pairs| {
            let pair = pairs.into_iter().find(|(name, _)| name == "SERVER_NAME");
            String::from_utf8(pair.unwrap().1).unwrap()
        });
        assert_eq!(
            name.as_deref(),
            expected.as_deref(),
            "{host:?} {authority:?}"
        );
    }
}

#[test]
fn hosts_that_repeat_and_old_clients() {
    let twice = Case {
        headers: vec![("host", b"a"), ("host", b"a")],
        ..Case::default()
    };
    assert_eq!(twice.pairs(), Err(Rejection::Host));
    Case {
        version: Version::HTTP_10,
        headers: vec![],
        // As a socket for both families shows an IPv4 peer.
        local: "[::ffff:127.0.0.1]:80",
        ..Case::default()
    }
    .assert(&[
        ("SERVER_NAME", &[b"127.0.0.1"]),
        ("SERVER_ADDR", &[b"127.0.0.1"]),
        ("SERVER_PROTOCOL", &[b"HTTP/1.0"]),
    ]);
    Case {
        headers: vec![("host", b"a")],
        authority: Some("b:8080"),
        ..Case::default()
    }
    .assert(&[("HTTP_HOST", &[b"b:8080"]), ("SERVER_NAME", &[b"b"])]);
}
