//! Heads that handlers make by the methods that both frontends have: each by its name, and the
//! bytes that are expected of every type with these methods.

/// What [`make_head!`](crate::make_head) makes: the name of a case, and the head without the empty
/// line.
pub const HEADS: &[(&str, &str)] = &[
    (
        "fields",
        "Y: 2\r\nX: 4\r\nContent-Type: application/octet-stream",
    ),
    (
        "type and length",
        "Content-Type: text/b\r\nContent-Length: 0",
    ),
    (
        "cookies",
        "Set-Cookie: a=1; Path=/; HttpOnly\r\nSet-Cookie: b=2\r\nContent-Type: text/plain",
    ),
    (
        "dates",
        "Expires: Thu, 01 Jan 1970 00:00:00 GMT\r\n\
         Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
         X-Until: Fri, 31 Dec 9999 23:59:59 GMT\r\n\
         Content-Type: application/octet-stream",
    ),
    (
        "redirects",
        "Status: 308 Permanent Redirect\r\nLocation: //host/%20?q#f\r\n\
         Content-Type: application/octet-stream",
    ),
    ("local redirect", "Location: /other?a=b"),
    (
        "nginx's file",
        "Status: 200 OK\r\nX-Accel-Redirect: /files/100%25%20K%C3%A4se%3F",
    ),
    (
        "lighttpd's file",
        "Content-Type: text/x\r\nX-Sendfile: /srv/a%20b",
    ),
    ("not modified", "Status: 304 Not Modified\r\nETag: \"1\""),
    ("no content", "Status: 204 No Content"),
];

/// Makes one of [`HEADS`], and asserts what is refused on the way. Returns an `io::Result<()>` from
/// the function around it where a method fails that should not.
#[macro_export]
macro_rules! make_head {
    ($case:expr, $response:expr) => {{
        use std::time::{Duration, UNIX_EPOCH};
        let (case, response) = ($case, $response);
        match case {
            "fields" => {
                response.header("x", "1")?;
                response.header("Y", "2")?;
                response.header("X", "3")?;
                assert_eq!(response.field("X"), Some(&b"1"[..]));
                response.set_header("X", "4")?;
                response.header("Z", "5")?;
                assert!(response.set_header("Z", "5\r\nEvil: 6").is_err());
                assert!(response.remove_header("z")?);
                assert!(!response.remove_header("z")?);
                let fields = [(&b"Y"[..], &b"2"[..]), (b"X", b"4")];
                assert!(response.fields().eq(fields));
            }
            "type and length" => {
                response.content_type("text/a")?;
                response.content_type("text/b")?;
                response.content_length(7)?;
                response.content_length(0)?;
                assert_eq!(response.field("content-length"), Some(&b"0"[..]));
            }
            "cookies" => {
                let cookie = fcgi_core::form::cookie::SetCookie::new("a", "1");
                response.set_cookie(&cookie.path("/").http_only())?;
                let cookie = fcgi_core::form::cookie::SetCookie::new("b", "2");
                response.set_cookie(&cookie)?;
                let evil = fcgi_core::form::cookie::SetCookie::new("c", "3; Domain=com");
                assert!(response.set_cookie(&evil).is_err());
                response.content_type("text/plain")?;
            }
            "dates" => {
                response.expires(UNIX_EPOCH + Duration::from_secs(99))?;
                response.expires(UNIX_EPOCH)?;
                response.last_modified(UNIX_EPOCH + Duration::from_secs(784_111_777))?;
                let last = UNIX_EPOCH + Duration::from_secs(253_402_300_799);
                response.date_header("X-Until", last)?;
                assert!(response.expires(last + Duration::from_secs(1)).is_err());
                assert!(
                    response
                        .expires(UNIX_EPOCH - Duration::from_secs(1))
                        .is_err()
                );
            }
            "redirects" => {
                for status in [0, 99, 200, 204, 300, 304, 305, 306, 309, 400, 1000] {
                    assert!(response.redirect(status, "/").is_err(), "{status}");
                }
                for location in [
                    "",
                    "/a b",
                    "/a\r\nEvil: 6",
                    "/\\host",
                    "/\u{e4}",
                    "/%",
                    "/\"",
                ] {
                    assert!(response.redirect(302, location).is_err(), "{location}");
                }
                for status in [301, 302, 303, 307, 308] {
                    response.redirect(status, "//host/%20?q#f")?;
                }
            }
            "local redirect" => {
                for path in [
                    "",
                    "other",
                    "//host/",
                    "https://host/",
                    "/a#b",
                    "/a b",
                    "/\n",
                ] {
                    assert!(response.local_redirect(path).is_err(), "{path}");
                }
                response.header("X", "1")?;
                assert!(response.local_redirect("/other").is_err());
                response.remove_header("X")?;
                response.local_redirect("/other?a=b")?;
            }
            "nginx's file" => {
                for path in ["", "files", "//host/", "/a/../b", "/a\0b"] {
                    assert!(response.x_accel_redirect(path).is_err(), "{path}");
                }
                response.x_accel_redirect("/else")?;
                response.x_accel_redirect("/files/100% K\u{e4}se?")?;
            }
            "lighttpd's file" => {
                assert!(response.x_sendfile("a").is_err());
                response.content_type("text/x")?;
                response.x_sendfile("/srv/a b")?;
            }
            "not modified" => {
                response.header("ETag", "\"1\"")?;
                response.not_modified()?;
            }
            "no content" => response.no_content()?,
            other => panic!("no case of the name {other}"),
        }
    }};
}

/// Asserts that no method changes a head that is out; what was set can still be read.
#[macro_export]
macro_rules! assert_head_is_out {
    ($response:expr) => {{
        let response = $response;
        let cookie = fcgi_core::form::cookie::SetCookie::new("a", "1");
        let now = std::time::SystemTime::now();
        let before = response.fields().count();
        let refused = [
            response.status(404),
            response.header("X", "1"),
            response.set_header("X", "1"),
            response.remove_header("X").map(|_| ()),
            response.content_type("text/plain"),
            response.content_length(1),
            response.redirect(302, "/"),
            response.local_redirect("/"),
            response.set_cookie(&cookie),
            response.date_header("X", now),
            response.last_modified(now),
            response.expires(now),
            response.x_accel_redirect("/"),
            response.x_sendfile("/"),
            response.not_modified(),
            response.no_content(),
        ];
        for (at, result) in refused.into_iter().enumerate() {
            let error = result.expect_err(&format!("method {at}"));
            let text = "the head of the response is out already";
            assert_eq!(error.to_string(), text, "method {at}");
        }
        assert_eq!(response.fields().count(), before);
    }};
}
