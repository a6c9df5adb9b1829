//! A head as a multimap, against a model that is a list, and the facts that depend on its fields.

use fcgi_core::cgi::{HeadError, ResponseHead, Status, escape_path};
use fcgi_core::form::cookie::{CookieError, SetCookie};
use proptest::prelude::*;

type Head = ResponseHead<heapless::Vec<u8, 4096>>;

const OCTETS: (&str, &str) = ("Content-Type", "application/octet-stream");

fn empty() -> Head {
    ResponseHead::new(heapless::Vec::new())
}

fn head(fields: &[(&str, &str)]) -> Head {
    let mut head = empty();
    for (name, value) in fields {
        assert_eq!(head.add(name, value), Ok(()), "{name}: {value}");
    }
    head
}

fn written<const N: usize>(head: &ResponseHead<heapless::Vec<u8, N>>) -> String {
    let mut out = heapless::Vec::<u8, 8192>::new();
    head.write(&mut out).unwrap();
    String::from_utf8(out.to_vec()).unwrap()
}

fn lines(fields: &[(&str, &str)]) -> String {
    let lines = fields
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"));
    lines.collect::<String>() + "\r\n"
}

#[derive(Debug, Clone)]
enum Step {
    Add(&'static str, String),
    Set(&'static str, String),
    Remove(&'static str),
    Reason(u16, String),
    Status(u16),
}

/// What a head is, told as simply as possible.
#[derive(Default)]
struct Model {
    fields: Vec<(&'static str, String)>,
    length: Option<u64>,
    status: Option<(u16, String)>,
}

impl Model {
    fn has(&self, name: &str) -> bool {
        self.fields
            .iter()
            .any(|field| field.0.eq_ignore_ascii_case(name))
    }

    fn remove(&mut self, name: &str) -> bool {
        if name.eq_ignore_ascii_case("Status") {
            return self.status.take().is_some();
        }
        if name.eq_ignore_ascii_case("Content-Length") {
            return self.length.take().is_some();
        }
        let before = self.fields.len();
        self.fields
            .retain(|field| !field.0.eq_ignore_ascii_case(name));
        self.fields.len() < before
    }

    /// Whether the step is allowed, and what it changes then.
    fn take(&mut self, step: &Step) -> bool {
        match step {
            Step::Status(code) => self.status = Some((*code, String::new())),
            Step::Reason(code, reason) => self.status = Some((*code, reason.clone())),
            Step::Remove(name) => return self.remove(name),
            Step::Add(name, value) | Step::Set(name, value) => {
                let is_set = matches!(step, Step::Set(..));
                let is_length = name.eq_ignore_ascii_case("Content-Length");
                let single = ["Content-Type", "Location"]
                    .iter()
                    .any(|single| name.eq_ignore_ascii_case(single));
                if single && value.is_empty() || is_length && value.parse::<u64>().is_err() {
                    return false;
                }
                let there = if is_length {
                    self.length.is_some()
                } else {
                    self.has(name)
                };
                if (single || is_length) && there && !is_set {
                    return false;
                }
                if is_set {
                    self.remove(name);
                }
                match is_length {
                    true => self.length = value.parse().ok(),
                    false => self.fields.push((name, value.clone())),
                }
            }
        }
        true
    }

    fn get(&self, name: &str) -> Vec<String> {
        if name.eq_ignore_ascii_case("Content-Length") {
            return self.length.iter().map(u64::to_string).collect();
        }
        let fields = self.fields.iter();
        let named = fields.filter(|field| field.0.eq_ignore_ascii_case(name));
        named.map(|field| field.1.clone()).collect()
    }

    /// The head as a new one that was never changed.
    fn anew(&self) -> Head {
        let mut head = empty();
        for (name, value) in &self.fields {
            head.add(name, value).unwrap();
        }
        if let Some(length) = self.length {
            head.set_content_length(length);
        }
        if let Some((code, reason)) = &self.status {
            let status = Status::new(*code).unwrap();
            head.set_status_with_reason(status, reason).unwrap();
        }
        head
    }
}

const NAMES: [&str; 11] = [
    "A",
    "a",
    "Ab",
    "Set-Cookie",
    "X-Sendfile",
    "X-Accel-Redirect",
    "Content-Type",
    "location",
    "Content-Length",
    "Statu",
    "Status-X",
];

fn step() -> impl Strategy<Value = Step> {
    let name = || prop::sample::select(&NAMES[..]);
    let value = || prop_oneof!["[a-z:]{0,9}", "/[a-z]{0,40}", "[0-9]{1,5}"];
    let code = || prop::sample::select(&[200_u16, 204, 302, 404, 499][..]);
    prop_oneof![
        4 => (name(), value()).prop_map(|(name, value)| Step::Add(name, value)),
        3 => (name(), value()).prop_map(|(name, value)| Step::Set(name, value)),
        3 => prop::sample::select([&NAMES[..], &["Status"]].concat()).prop_map(Step::Remove),
        2 => (code(), "[a-zA-Z]{0,12}").prop_map(|(code, reason)| Step::Reason(code, reason)),
        1 => code().prop_map(Step::Status),
    ]
}

proptest! {
    /// After any steps, a head is what it would be if it had been made so at once.
    #[test]
    fn as_a_list(steps in prop::collection::vec(step(), 0..40)) {
        let (mut head, mut model) = (empty(), Model::default());
        for step in &steps {
            let done = match step {
                Step::Add(name, value) => head.add(name, value).is_ok(),
                Step::Set(name, value) => head.set(name, value).is_ok(),
                Step::Remove(name) => head.remove(name),
                Step::Reason(code, reason) => {
                    let status = Status::new(*code).unwrap();
                    head.set_status_with_reason(status, reason).is_ok()
                }
                Step::Status(code) => {
                    head.set_status(Status::new(*code).unwrap());
                    true
                }
            };
            prop_assert_eq!(done, model.take(step), "{:?}", step);
            let anew = model.anew();
            prop_assert_eq!(written(&head), written(&anew));
            prop_assert_eq!(head.status(), anew.status());
            prop_assert_eq!(head.content_length(), model.length);
            prop_assert_eq!(head.body_allowed(false), anew.body_allowed(false));
            for name in NAMES {
                let found: Vec<_> = head.get_all(name).map(<[u8]>::to_vec).collect();
                let expected: Vec<_> = model.get(name).into_iter().map(String::into_bytes).collect();
                prop_assert_eq!(head.get(name), found.first().map(Vec::as_slice));
                prop_assert_eq!(found, expected, "{}", name);
            }
            prop_assert_eq!(head.get("Status"), None);
        }
    }
}

#[test]
fn what_is_set_takes_the_place_of_all() {
    let mut head = head(&[("X", "1"), ("Y", "2"), ("x", "3")]);
    assert_eq!(head.set("x", "\t4 "), Ok(()));
    assert!(head.fields().eq([(&b"Y"[..], &b"2"[..]), (b"x", b"4")]));
    assert_eq!(head.set("Y", ""), Ok(()));
    assert_eq!(head.set("Content-Length", "7"), Ok(()));
    assert_eq!(head.set("Content-Length", "8"), Ok(()));
    assert_eq!(head.set("Status", "404 Gone Away"), Ok(()));
    assert_eq!(head.set("status", "404 Lost"), Ok(()));
    let expected = lines(&[
        ("Status", "404 Lost"),
        ("x", "4"),
        ("Y", ""),
        ("Content-Length", "8"),
        OCTETS,
    ]);
    assert_eq!(written(&head), expected);
    for (name, value, error) in [
        ("", "x", HeadError::EmptyName),
        ("X Y", "x", HeadError::Name { at: 1 }),
        ("X", "a\n", HeadError::Value { at: 1 }),
        ("TE", "trailers", HeadError::HopByHop),
        ("Status", "20", HeadError::Status),
        ("Content-Length", "-1", HeadError::ContentLength),
        (
            "Content-Type",
            " ",
            HeadError::EmptyValue {
                field: "content-type",
            },
        ),
        ("Location", "", HeadError::EmptyValue { field: "location" }),
    ] {
        assert_eq!(head.set(name, value), Err(error), "{name}: {value}");
        assert_eq!(written(&head), expected, "{name}: {value}");
    }
}

#[test]
fn what_is_no_name_removes_nothing() {
    let mut head = head(&[("Location", "http://example.org/"), ("X", "a: b")]);
    let before = written(&head);
    for name in [
        "",
        ":",
        "Location: http",
        "X: a",
        "X: ",
        "X:",
        "X: a: b\r\n",
        "Loc",
    ] {
        assert!(!head.remove(name), "{name:?}");
        assert_eq!(written(&head), before, "{name:?}");
    }
    assert!(head.remove("location") && head.remove("x"));
    assert!(head.is_empty());
}

#[test]
fn a_full_storage_takes_what_fits() {
    let mut head = ResponseHead::new(heapless::Vec::<u8, 30>::new());
    head.add("X", "0123456789").unwrap(); // 15 bytes
    let before = written(&head);
    for (name, value) in [("Y", "0123456789x"), ("X", "0123456789x")] {
        assert_eq!(head.set(name, value), Err(HeadError::StorageFull));
        assert_eq!(head.add(name, value), Err(HeadError::StorageFull));
        assert_eq!(written(&head), before);
    }
    let full = head.set_status_with_reason(Status::NOT_FOUND, "Gone Away");
    assert_eq!(full, Err(HeadError::StorageFull));
    assert_eq!(head.x_sendfile("/abc"), Err(HeadError::StorageFull));
    let cookie = SetCookie::new("a", "1");
    assert_eq!(head.set_cookie(&cookie), Err(HeadError::StorageFull));
    assert_eq!(
        head.redirect(Status::FOUND, "/abc"),
        Err(HeadError::StorageFull)
    );
    assert_eq!((written(&head), head.status()), (before, Status::OK));
    assert!(head.body_allowed(false));
    assert_eq!(head.set("X", "9876543210"), Ok(()));
    assert_eq!(head.add("Y", "0123456789"), Ok(()));
    assert_eq!(head.add("Y", ""), Err(HeadError::StorageFull));
    assert!(head.remove("x"));
    assert_eq!(head.add("Z", "0123456789"), Ok(()));
    assert_eq!(
        written(&head),
        lines(&[("Y", "0123456789"), ("Z", "0123456789"), OCTETS])
    );
}

#[test]
fn every_other_of_thousands_is_removed() {
    let mut head = ResponseHead::new(heapless::Vec::<u8, { 64 * 1024 }>::new());
    while head.add("A", "1").is_ok() && head.add("B", "22").is_ok() {}
    assert!(head.remove("a"));
    let count = head.get_all("B").count();
    assert!(count > 4000);
    assert_eq!(head.fields().count(), count);
    assert!(head.get_all("b").all(|value| value == b"22"));
}

#[test]
fn redirects() {
    for code in 100..=999 {
        let status = Status::new(code).unwrap();
        let mut head = head(&[("Location", "/old"), ("Status", "404 Old")]);
        let result = head.redirect(status, "../new?a=[b]#c");
        if [301, 302, 303, 307, 308].contains(&code) {
            let line = status.to_string();
            let fields = [("Status", &*line), ("Location", "../new?a=[b]#c"), OCTETS];
            assert_eq!((written(&head), result), (lines(&fields), Ok(())));
            assert!(head.body_allowed(false), "a document may follow");
        } else {
            assert_eq!(result, Err(HeadError::NotRedirect));
            assert_eq!(head.get("Location"), Some(&b"/old"[..]));
        }
    }
    for (location, error) in [
        ("", HeadError::EmptyValue { field: "location" }),
        ("/a\r\nX: y", HeadError::Uri { at: 2 }),
        ("/\\evil.example", HeadError::Uri { at: 1 }),
        ("/100%", HeadError::Uri { at: 4 }),
        ("/ä", HeadError::Uri { at: 1 }),
        (" /", HeadError::Uri { at: 0 }),
    ] {
        assert_eq!(empty().redirect(Status::FOUND, location), Err(error));
    }
}

#[test]
fn local_redirects() {
    let mut alone = head(&[("Location", "/old")]);
    assert_eq!(alone.local_redirect("/new?a=b"), Ok(()));
    assert_eq!(written(&alone), lines(&[("Location", "/new?a=b")]));
    assert!(!alone.body_allowed(false));
    for (path, error) in [
        ("", HeadError::RelativePath),
        ("new", HeadError::RelativePath),
        ("//host/", HeadError::RelativePath),
        ("https://host/", HeadError::RelativePath),
        ("/a#b", HeadError::Uri { at: 2 }),
        ("/a b", HeadError::Uri { at: 2 }),
    ] {
        assert_eq!(alone.local_redirect(path), Err(error), "{path}");
    }
    for field in [
        ("Status", "200"),
        ("Content-Type", "a/b"),
        ("Content-Length", "0"),
        ("X-Sendfile", "/a"),
        ("X", "1"),
    ] {
        let mut head = head(&[field]);
        assert_eq!(head.local_redirect("/"), Err(HeadError::NotAlone));
        assert!(head.remove(field.0));
        assert_eq!(head.local_redirect("/"), Ok(()), "{}", field.0);
    }
}

#[test]
fn files_that_the_web_server_sends() {
    type Send = fn(&mut Head, &str) -> Result<(), HeadError>;
    let both: [(&str, Send); 2] = [
        ("X-Accel-Redirect", |head, path| head.x_accel_redirect(path)),
        ("X-Sendfile", |head, path| head.x_sendfile(path)),
    ];
    for (name, send) in both {
        let mut head = head(&[(name, "/old"), ("Set-Cookie", "a=1")]);
        assert_eq!(send(&mut head, "/a b/100%?#ä"), Ok(()));
        let line = (name, "/a%20b/100%25%3F%23%C3%A4");
        let fields = [("Status", "200 OK"), ("Set-Cookie", "a=1"), line];
        assert_eq!(written(&head), lines(&fields));
        assert!(!head.body_allowed(false));
        for (path, error) in [
            ("", HeadError::RelativePath),
            ("a", HeadError::RelativePath),
            ("//a", HeadError::RelativePath),
            ("/a/../b", HeadError::ParentPath),
            ("/a\0", HeadError::Value { at: 2 }),
        ] {
            assert_eq!(send(&mut head, path), Err(error), "{path}");
        }
        assert_eq!(written(&head), lines(&fields));
        // With a type there is what CGI asks for.
        head.set("Content-Type", "a/b").unwrap();
        assert!(!written(&head).contains("Status"));
        assert!(head.remove(name));
        assert!(head.body_allowed(false));
        assert!(head.remove("Content-Type"));
        assert_eq!(written(&head), lines(&[("Set-Cookie", "a=1"), OCTETS]));
    }
}

#[test]
fn cookies() {
    let mut head = empty();
    for value in ["1", "2"] {
        let cookie = SetCookie::new("a", value).path("/");
        assert_eq!(head.set_cookie(&cookie), Ok(()));
    }
    let refused = head.set_cookie(&SetCookie::new("a", "3;4"));
    assert_eq!(
        refused,
        Err(HeadError::Cookie(CookieError::Value { at: 1 }))
    );
    let cookies = [("Set-Cookie", "a=1; Path=/"), ("Set-Cookie", "a=2; Path=/")];
    assert_eq!(written(&head), lines(&[cookies[0], cookies[1], OCTETS]));
    head.set("Location", "/a").unwrap();
    assert_eq!(head.status(), Status::FOUND);
    assert!(head.body_allowed(false), "a cookie is beside the location");
    assert!(head.remove("set-cookie"));
    assert!(!head.body_allowed(false));
}

#[test]
fn an_escaped_path_is_a_location() {
    let every: Vec<u8> = (0..=u8::MAX).collect();
    let mut path = heapless::Vec::<u8, 800>::from_slice(b"/").unwrap();
    escape_path(every, &mut path).unwrap();
    assert_eq!(empty().redirect(Status::FOUND, &path), Ok(()));
    let mut small = heapless::Vec::<u8, 3>::new();
    assert!(escape_path("/ ", &mut small).is_err());
}
