//! Any bytes as a form: a query, a multipart body, cookies.

use fcgi_core::form::FormError;
use fcgi_core::form::brackets::Path;
use fcgi_core::form::cookie::{SameSite, SetCookie, cookies};
use fcgi_core::form::decode_in_place;
use fcgi_core::form::multipart::{Boundary, Event, Limits, Parser};
use fcgi_core::form::tree::{self, Tree, Value};
use fcgi_core::form::urlencoded::pairs;

use super::{byte, part};

type Pair = (Vec<u8>, Vec<u8>);

/// The pairs against a reader by hand, and the tree of them. The first bytes are the limits of the
/// tree, the rest is the query.
pub fn form_urlencoded(mut input: &[u8]) {
    let limits = tree::Limits {
        values: usize::from(byte(&mut input)),
        depth: byte(&mut input),
    };
    let expected: Vec<Pair> = input
        .split(|&byte| byte == b'&')
        .filter(|piece| !piece.is_empty())
        .map(|piece| {
            let mut halves = piece.splitn(2, |&byte| byte == b'=');
            let mut half = || decoded(halves.next().unwrap_or_default());
            (half(), half())
        })
        .collect();
    let found: Vec<Pair> = pairs(input)
        .map(|pair| (pair.name.bytes().collect(), pair.value.bytes().collect()))
        .collect();
    assert_eq!(found, expected);
    for pair in pairs(input) {
        for half in [pair.name, pair.value] {
            let one_by_one: Vec<u8> = half.bytes().collect();
            let mut place = half.raw().to_vec();
            assert_eq!(decode_in_place(&mut place), one_by_one);
            let mut room = vec![0; half.raw().len()];
            assert_eq!(half.decode_to(&mut room), Ok(&one_by_one[..]));
            assert_eq!(*half.decode(), one_by_one[..]);
            assert!(half.to_text().len() >= one_by_one.len());
        }
    }
    plant(&found, limits, input);
}

/// The characters of "%XX" by the standard library.
fn decoded(sent: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut at = 0;
    while at < sent.len() {
        let digits = sent.get(at + 1..at + 3).filter(|_| sent[at] == b'%');
        let digits = digits.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                at += 3;
            }
            None => {
                bytes.push(if sent[at] == b'+' { b' ' } else { sent[at] });
                at += 1;
            }
        }
    }
    bytes
}

fn plant(pairs: &[Pair], limits: tree::Limits, query: &[u8]) {
    let mut tree: Tree = Tree::new(limits);
    let mut first_error = None;
    for (name, value) in pairs {
        let before = (tree.len() < 20).then(|| tree.clone());
        match tree.insert(name, value.clone().into()) {
            Ok(()) => {
                assert!(Path::of(name).depth() <= usize::from(limits.depth));
                let last = tree.all(name).last().map(Value::as_bytes);
                // What is under `a[]` may be nested, and then is not directly there.
                let nested = name.windows(2).any(|window| window == b"[]");
                assert!(nested || last == Some(&value[..]));
            }
            Err(error) => {
                assert!(before.is_none_or(|before| before == tree), "{error}");
                first_error = first_error.or(Some(error));
            }
        }
    }
    assert!(tree.len() <= limits.values);
    let whole = Tree::from_urlencoded(query, limits);
    assert_eq!(whole.as_ref().err(), first_error.as_ref());
    assert!(whole.is_err() || whole.is_ok_and(|whole| whole == tree));
}

/// What was read of a multipart form, and how it ended.
#[derive(Debug, PartialEq)]
struct Outcome {
    parts: Vec<(Vec<Pair>, Vec<u8>)>,
    /// Whether the last body is whole.
    whole: bool,
    end: Result<(), FormError>,
}

/// The boundaries that a form may have here: some repeat what is before a boundary.
pub(super) const BOUNDARIES: [&str; 4] = ["X", "--", "X-X", "XX X"];

/// The parser in one piece and in many, and, where it finds nothing wrong, against a splitter by
/// hand. The first bytes are the size of the pieces, the boundary and the limits, the rest is the
/// form.
pub fn form_multipart(mut input: &[u8]) {
    let piece = 1 + usize::from(byte(&mut input));
    let flags = byte(&mut input);
    let small = u64::from(byte(&mut input));
    let mut limits = Limits {
        bare_lf: flags & 1 != 0,
        ..Limits::default()
    };
    if flags & 2 != 0 {
        limits.parts = usize::from(flags >> 5);
        limits.fields = usize::from(flags >> 6);
        limits.value = small;
        limits.file = small / 2;
        limits.preamble = small / 4;
        limits.epilogue = small / 4;
        limits.total = small * 4;
        limits.head = usize::from(flags) * 2;
    }
    let boundary = BOUNDARIES[usize::from(flags >> 2 & 3)];
    let whole = read(boundary, [input].into_iter(), limits);
    assert_eq!(read(boundary, input.chunks(piece), limits), whole);
    assert_eq!(read(boundary, input.chunks(1), limits), whole);
    if whole.end.is_ok() {
        let bodies: Vec<&[u8]> = whole.parts.iter().map(|(_, body)| &body[..]).collect();
        assert_eq!(bodies, split(boundary, input, limits.bare_lf));
    }
}

fn read<'i>(boundary: &str, pieces: impl Iterator<Item = &'i [u8]>, limits: Limits) -> Outcome {
    let boundary = Boundary::new(boundary).expect("a boundary");
    let mut parser = Parser::new(&boundary, Vec::new(), limits);
    let mut parts = Vec::new();
    let mut whole = true;
    let mut ended = false;
    for mut input in pieces {
        loop {
            match parser.receive(&mut input) {
                Ok(None) => break,
                Ok(Some(Event::Part(head))) => {
                    assert!(whole && !ended);
                    let fields = head.fields();
                    let fields = fields.map(|(name, value)| (name.to_vec(), value.to_vec()));
                    parts.push((fields.collect::<Vec<Pair>>(), Vec::new()));
                    whole = false;
                }
                Ok(Some(Event::Body(bytes))) => {
                    assert!(!whole && !bytes.is_empty());
                    let (_, body) = parts.last_mut().expect("a part");
                    body.extend_from_slice(bytes);
                }
                Ok(Some(Event::PartEnd)) => whole = true,
                Ok(Some(Event::End)) => {
                    assert!(whole && !ended);
                    ended = true;
                }
                Err(error) => {
                    assert_eq!(parser.finish(), Err(error), "the same again");
                    let end = Err(error);
                    return Outcome { parts, whole, end };
                }
            }
        }
        assert!(input.is_empty());
    }
    let end = parser.finish();
    assert_eq!(end.is_ok(), ended);
    Outcome { parts, whole, end }
}

/// The bodies of a form in which nothing is wrong.
fn split<'i>(boundary: &str, form: &'i [u8], bare_lf: bool) -> Vec<&'i [u8]> {
    let delimiter = format!("--{boundary}");
    let mut bodies = Vec::new();
    // Where what is being read began: none in the preamble.
    let mut body = None;
    let mut at = 0;
    loop {
        let begins_line = at == 0 || body == Some(at);
        let line = after_line_end(&form[at..], bare_lf);
        let mut tail = line.and_then(|line| line.strip_prefix(delimiter.as_bytes()));
        if begins_line {
            tail = tail.or(form[at..].strip_prefix(delimiter.as_bytes()));
        }
        let closes = tail.is_some_and(|tail| tail.starts_with(b"--"));
        let blank = |byte: &&u8| b" \t".contains(byte);
        let head = tail.and_then(|tail| {
            let blanks = tail.iter().take_while(blank).count();
            after_line_end(&tail[blanks..], bare_lf)
        });
        if !closes && head.is_none() {
            at += 1;
            continue;
        }
        bodies.extend(body.map(|body| &form[body..at]));
        let Some(mut rest) = head.filter(|_| !closes) else {
            return bodies;
        };
        // Over the head's lines, and over the empty one.
        let body_begins = loop {
            if let Some(after) = after_line_end(rest, true) {
                break after;
            }
            let end = rest.iter().position(|&byte| byte == b'\n');
            rest = &rest[end.expect("the head is whole") + 1..];
        };
        at = form.len() - body_begins.len();
        body = Some(at);
    }
}

/// What follows the line end at the front.
fn after_line_end(bytes: &[u8], bare_lf: bool) -> Option<&[u8]> {
    let after = bytes.strip_prefix(b"\r\n");
    after.or(bytes.strip_prefix(b"\n").filter(|_| bare_lf))
}

/// The cookies of a request against a reader by hand, and a new cookie. The first bytes are the
/// lengths of the new cookie's strings, the rest are these and the header.
pub fn form_cookie(mut input: &[u8]) {
    let flags = byte(&mut input);
    let lengths = [(); 5].map(|()| usize::from(byte(&mut input)));
    let strings = lengths.map(|length| String::from_utf8_lossy(part(&mut input, length)));
    let [name, value, path, domain, expires] = strings.each_ref().map(|text| &**text);
    let mut cookie = SetCookie::new(name, value);
    for (bit, change) in [
        (1, cookie.path(path)),
        (2, cookie.domain(domain)),
        (4, cookie.expires(expires)),
    ] {
        if flags & bit != 0 {
            check_new(change, name, value, 1);
        }
    }
    if flags & 8 != 0 {
        cookie = cookie.secure().http_only().partitioned();
        cookie = cookie
            .path(path)
            .max_age(u64::from(flags))
            .same_site(SameSite::None);
        check_new(cookie, name, value, 6);
    } else {
        check_new(cookie, name, value, 0);
    }
    check_header(input);
}

/// A cookie that is written has nothing in it but what was asked for.
fn check_new(cookie: SetCookie<'_>, name: &str, value: &str, attributes: usize) {
    let mut out = Vec::new();
    if cookie.write(&mut out).is_err() {
        assert!(out.is_empty());
        return;
    }
    assert!(out.iter().all(|byte| matches!(byte, b' '..=b'~')));
    let mut pieces = cookies(&out);
    let first = pieces.next().expect("the cookie");
    assert_eq!(
        (first.name, first.value),
        (name.as_bytes(), value.as_bytes())
    );
    assert_eq!(pieces.count(), attributes);
}

fn check_header(header: &[u8]) {
    let expected: Vec<Pair> = header
        .split(|&byte| byte == b';')
        .map(trim)
        .filter(|piece| !piece.is_empty())
        .map(|piece| match piece.iter().position(|&byte| byte == b'=') {
            Some(at) => (piece[..at].to_vec(), piece[at + 1..].to_vec()),
            None => (Vec::new(), piece.to_vec()),
        })
        .collect();
    let found = cookies(header);
    let pairs = found
        .clone()
        .map(|cookie| (cookie.name.to_vec(), cookie.value.to_vec()));
    assert_eq!(pairs.collect::<Vec<_>>(), expected);
    let tree = Tree::from_cookies(header, tree::Limits::default());
    match tree {
        Ok(tree) => assert!(tree.len() <= expected.len()),
        Err(error) => assert_eq!(error, FormError::TooManyValues { limit: 1000 }),
    }
    for (name, _) in expected.iter().take(20) {
        let same = expected.iter().filter(|(other, _)| other == name);
        assert!(found.get_all(name).eq(same.map(|(_, value)| &value[..])));
    }
}

fn trim(text: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = text
        .iter()
        .position(|byte| !blank(byte))
        .unwrap_or(text.len());
    let end = text
        .iter()
        .rposition(|byte| !blank(byte))
        .map_or(start, |last| last + 1);
    &text[start..end]
}
