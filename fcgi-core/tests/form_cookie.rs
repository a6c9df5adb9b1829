//! New cookies: every attribute, every rule, every byte.

use fcgi_core::form::cookie::{CookieError, SameSite, SetCookie};

fn written(cookie: SetCookie<'_>) -> Result<String, CookieError> {
    let mut out = heapless::Vec::<u8, 256>::new();
    let result = cookie.write(&mut out);
    assert_eq!(cookie.check(), result);
    assert!(result.is_ok() || out.is_empty(), "refused and written");
    result.map(|()| String::from_utf8(out.to_vec()).unwrap())
}

#[test]
fn all_attributes() {
    let cookie = SetCookie::new("a", "b")
        .partitioned()
        .same_site(SameSite::None)
        .http_only()
        .secure()
        .path("/app")
        .domain("example.org")
        .expires("Sun, 06 Nov 1994 08:49:37 GMT")
        .max_age(u64::MAX);
    assert_eq!(
        written(cookie).unwrap(),
        "a=b; Max-Age=18446744073709551615; Expires=Sun, 06 Nov 1994 08:49:37 GMT; \
         Domain=example.org; Path=/app; Secure; HttpOnly; SameSite=None; Partitioned"
    );
    assert_eq!(written(SetCookie::new("a", "")).unwrap(), "a=");
    assert_eq!(written(SetCookie::new("a", "\"b\"")).unwrap(), "a=\"b\"");
    assert_eq!(
        written(SetCookie::removal("a").path("/")).unwrap(),
        "a=; Max-Age=0; Path=/"
    );
    let strict = SetCookie::new("a", "b").same_site(SameSite::Strict);
    assert_eq!(written(strict).unwrap(), "a=b; SameSite=Strict");
}

#[test]
fn every_byte_in_its_class() {
    for byte in 0..=127_u8 {
        let text = String::from_utf8([b'x', byte, b'x'].to_vec()).unwrap();
        let control = byte.is_ascii_control();
        let in_name = !control && !b"()<>@,;:\\\"/[]?={} ".contains(&byte);
        let expected = if in_name {
            Ok(())
        } else {
            Err(CookieError::Name { at: 1 })
        };
        assert_eq!(SetCookie::new(&text, "").check(), expected, "{byte:#x}");
        let in_value = !control && !b" \",;\\".contains(&byte);
        let expected = if in_value {
            Ok(())
        } else {
            Err(CookieError::Value { at: 1 })
        };
        assert_eq!(SetCookie::new("a", &text).check(), expected, "{byte:#x}");
        let path = format!("/{text}");
        let in_path = !control && byte != b';';
        let expected = if in_path {
            Ok(())
        } else {
            Err(CookieError::Path { at: 2 })
        };
        assert_eq!(
            SetCookie::new("a", "").path(&path).check(),
            expected,
            "{byte:#x}"
        );
        let in_domain = byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let expected = if in_domain {
            Ok(())
        } else {
            Err(CookieError::Domain { at: 1 })
        };
        assert_eq!(
            SetCookie::new("a", "").domain(&text).check(),
            expected,
            "{byte:#x}"
        );
    }
    for (at, text) in [(0, "é"), (1, "\"é\""), (0, "\""), (1, "\"\"\"")] {
        let refused = SetCookie::new("a", text).check();
        assert_eq!(refused, Err(CookieError::Value { at }), "{text}");
    }
}

#[test]
fn alone_or_together() {
    let needs = |what| Err(CookieError::NeedsSecure { what });
    let cookie = |name| SetCookie::new(name, "1");
    for (cookie, expected) in [
        (cookie(""), Err(CookieError::EmptyName)),
        (cookie("a").domain(""), Err(CookieError::EmptyDomain)),
        (cookie("a").path(""), Err(CookieError::RelativePath)),
        (cookie("a").path("app"), Err(CookieError::RelativePath)),
        (
            cookie("a").same_site(SameSite::None),
            needs("samesite=none"),
        ),
        (cookie("a").same_site(SameSite::Lax), Ok(())),
        (cookie("a").partitioned(), needs("partitioned")),
        (cookie("__Secure-a"), needs("the prefix __secure-")),
        (cookie("__sEcure-a"), needs("the prefix __secure-")),
        (cookie("__Secure-a").secure(), Ok(())),
        (cookie("__Secure"), Ok(())),
        (cookie("__Host-a").path("/"), needs("the prefix __host-")),
        (cookie("__Host-a").secure(), Err(CookieError::HostPrefix)),
        (
            cookie("__host-a").secure().path("/x"),
            Err(CookieError::HostPrefix),
        ),
        (
            cookie("__Host-a").secure().path("/").domain("a.org"),
            Err(CookieError::HostPrefix),
        ),
        (cookie("__Host-a").secure().path("/"), Ok(())),
    ] {
        assert_eq!(cookie.check(), expected, "{cookie:?}");
    }
}

#[test]
fn sizes() {
    let value = "v".repeat(4096);
    let (fits, long) = (&value[1..], &value[..]);
    assert_eq!(SetCookie::new("a", fits).check(), Ok(()));
    let refused = SetCookie::new("a", long).check();
    assert_eq!(refused, Err(CookieError::TooLong { limit: 4096 }));
    let mut room = heapless::Vec::<u8, 8>::new();
    let refused = SetCookie::new("a", "12345").path("/").write(&mut room);
    assert_eq!(refused, Err(CookieError::StorageFull));
}

#[test]
fn dates() {
    let good = "Sun, 06 Nov 1994 08:49:37 GMT";
    for (date, ok) in [
        (good, true),
        ("Thu, 31 Dec 9999 23:59:60 GMT", true),
        ("Sunday, 06-Nov-94 08:49:37 GMT", false),
        ("Sun Nov  6 08:49:37 1994", false),
        ("Sun, 32 Nov 1994 08:49:37 GMT", false),
        ("Sun, 00 Nov 1994 08:49:37 GMT", false),
        ("Son, 06 Nov 1994 08:49:37 GMT", false),
        ("Sun, 06 nov 1994 08:49:37 GMT", false),
        ("Sun, 06 Nov 1994 24:49:37 GMT", false),
        ("Sun, 06 Nov 1994 08:60:37 GMT", false),
        ("Sun, 06 Nov 1994 08:49:61 GMT", false),
        ("Sun, 06 Nov 1994 08:49:37 CET", false),
        ("Sun, +6 Nov 1994 08:49:37 GMT", false),
        ("", false),
    ] {
        let checked = SetCookie::new("a", "").expires(date).check();
        assert_eq!(checked.is_ok(), ok, "{date}");
    }
    for at in 0..good.len() {
        let date = format!("{};{}", &good[..at], &good[at + 1..]);
        let refused = SetCookie::new("a", "").expires(&date).check();
        assert_eq!(refused, Err(CookieError::Expires), "{date}");
    }
}
