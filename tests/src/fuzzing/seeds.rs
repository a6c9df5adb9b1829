//! Where fuzzing starts: small inputs that reach every state, made from the tests' conversations.

use std::fs;
use std::path::PathBuf;

use super::form_seeds;
use crate::hand::*;
use crate::machines::conversations;

/// One input of a target's corpus.
#[derive(Clone, Debug)]
pub struct Seed {
    /// The target's name.
    pub target: &'static str,
    /// The file's name.
    pub name: String,
    /// The input.
    pub bytes: Vec<u8>,
}

impl Seed {
    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        corpus(self.target).join(&self.name)
    }
}

/// The directory of a target's corpus.
#[must_use]
pub fn corpus(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .with_file_name("fuzz")
        .join("corpus")
        .join(target)
}

/// The files of a target's corpus and what is in them, in the same order on every machine.
///
/// # Panics
///
/// If they cannot be read, or there are none: a corpus that is gone or empty would check nothing.
#[must_use]
pub fn inputs(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let corpus = corpus(target);
    let entries = fs::read_dir(&corpus);
    let entries = entries.unwrap_or_else(|error| panic!("{}: {error}", corpus.display()));
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry of the corpus").path())
        .collect();
    assert!(!files.is_empty(), "{} is empty", corpus.display());
    files.sort();
    let read = |path: PathBuf| {
        let input = fs::read(&path).expect("an input of the corpus");
        (path, input)
    };
    files.into_iter().map(read).collect()
}

/// The seeds of all targets.
#[must_use]
pub fn all() -> Vec<Seed> {
    let mut seeds = Vec::new();
    let mut add = |target, inputs: Vec<(&str, Vec<u8>)>| {
        for (name, bytes) in inputs {
            let name = name.to_owned();
            seeds.push(Seed {
                target,
                name,
                bytes,
            });
        }
    };
    add("application_receive", application_receive());
    add("web_server_receive", web_server_receive());
    add("params", params());
    add("cgi_head", cgi_head());
    add("pair_talk", pair_talk());
    add("form_urlencoded", form_seeds::form_urlencoded());
    add("form_multipart", form_seeds::form_multipart());
    add("form_cookie", form_seeds::form_cookie());
    seeds
}

/// Operations, as [`super::application_receive`] and its mirror read them, before the wire.
fn operated(operations: &[u8], wire: &[u8]) -> Vec<u8> {
    let count = u8::try_from(operations.len()).expect("few operations");
    [&[count], operations, wire].concat()
}

/// Receive 8 bytes, and 64.
const EIGHT: u8 = 1;
const SIXTY_FOUR: u8 = 2;

fn application_receive() -> Vec<(&'static str, Vec<u8>)> {
    let request = responder(1, KEEP, &[("A", "b")], b"body");
    let filter = [
        begin(2, FILTER, CLOSE),
        end_of(PARAMS, 2),
        end_of(STDIN, 2),
        padded(7, &stream(DATA, 2, b"file")),
        end_of(DATA, 2),
    ]
    .concat();
    let questions = [
        get_values(&["FCGI_MAX_REQS", "FCGI_MPXS_CONNS", "X"]),
        record(200, 0, b"?", 1),
        record(END_REQUEST, 9, &[], 0),
    ]
    .concat();
    let too_many: Vec<_> = (1..6).flat_map(|id| begin(id, AUTHORIZER, KEEP)).collect();
    let (end, stdout, stdout_end, stderr, refuse) = (4, 5, 0xc5, 6, 7);
    vec![
        (
            "everything",
            operated(&[], conversations::requests().bytes()),
        ),
        (
            "everything-in-pieces",
            operated(&[0x78; 250], conversations::requests().bytes()),
        ),
        (
            "responder",
            operated(&[3, stdout, stdout, stdout_end, stderr, end], &request),
        ),
        ("ended-early", operated(&[SIXTY_FOUR, end], &request)),
        (
            "refused",
            operated(&[EIGHT, EIGHT, EIGHT, refuse], &request),
        ),
        (
            "refused-too-late",
            operated(&[SIXTY_FOUR, stdout, refuse], &request),
        ),
        ("filter", operated(&[EIGHT; 20], &filter)),
        ("pipelined", operated(&[3, end], &request.repeat(2))),
        ("questions", operated(&[3], &questions)),
        ("too-many", operated(&[3, end, end | 8], &too_many)),
        (
            "aborted",
            operated(&[3, end], &[begin(3, RESPONDER, KEEP), abort(3)].concat()),
        ),
        (
            "bad-version",
            operated(&[], &record_of_version(2, STDIN, 1, b"x", 0)),
        ),
        (
            "short-begin",
            operated(&[], &record(BEGIN_REQUEST, 1, &[0; 7], 0)),
        ),
        (
            "out-of-order",
            operated(&[], &[begin(1, FILTER, KEEP), end_of(DATA, 1)].concat()),
        ),
    ]
}

fn web_server_receive() -> Vec<(&'static str, Vec<u8>)> {
    let (begin, abort, send, closed) = (4, 5, 6, 7);
    let answer = [
        stream(STDOUT, 1, b"Status: 204\r\n\r\n"),
        padded(255, &stream(STDERR, 1, b"oh")),
        end_of(STDERR, 1),
        end_of(STDOUT, 1),
        end_request(1, 938, REQUEST_COMPLETE),
    ]
    .concat();
    let values = get_values_result(&[("FCGI_MAX_CONNS", "99999999999"), ("FCGI_MPXS_CONNS", "x")]);
    let sends = [
        begin,
        send,
        0x46,
        0x86,
        0xc6,
        begin | 0x10,
        send | 8,
        abort,
        closed,
    ];
    vec![
        (
            "everything",
            operated(&[begin; 3], conversations::answers().bytes()),
        ),
        (
            "everything-in-pieces",
            operated(
                &[&[begin; 3][..], &[0x78; 200]].concat(),
                conversations::answers().bytes(),
            ),
        ),
        ("responder", operated(&[begin, EIGHT, EIGHT, 3], &answer)),
        (
            "reused",
            operated(&[begin, SIXTY_FOUR, begin, 3], &answer.repeat(2)),
        ),
        ("sends", operated(&sends, &answer)),
        (
            "overloaded",
            operated(&[begin], &end_request(1, 0, OVERLOADED)),
        ),
        ("values", operated(&[EIGHT], &values)),
        (
            "unknown-type",
            operated(&[], &padded(7, &unknown_type(GET_VALUES))),
        ),
        ("wrong-direction", operated(&[begin], &end_of(STDIN, 1))),
        (
            "after-end",
            operated(&[begin], &end_of(STDOUT, 1).repeat(2)),
        ),
        (
            "short-end",
            operated(&[begin], &record(END_REQUEST, 1, &[0; 3], 5)),
        ),
    ]
}

fn params() -> Vec<(&'static str, Vec<u8>)> {
    let limited = |limits: [u8; 4], stream: &[u8]| [&limits, stream].concat();
    let wide = [255, 255, 63, 15];
    let both_forms = [
        pair_as(Length::Long, Length::Minimal, "CONTENT_LENGTH", "42"),
        pair("HTTP_PROXY", "evil"),
        pair("HTTP_COOKIE", [b'c'; 200]),
        pair("", ""),
    ]
    .concat();
    let numbers = [
        ("FCGI_DATA_LENGTH", "18446744073709551615"),
        ("FCGI_DATA_LAST_MOD", "18446744073709551616"),
        ("CONTENT_LENGTH", "007"),
        ("CONTENT_LENGTH", "-1"),
        ("REQUEST_METHOD", "HEAD"),
        ("REQUEST_METHOD", "GET"),
    ];
    let numbers = numbers.map(|(name, value)| pair(name, value)).concat();
    let huge = [long_length(0x7fff_ffff), long_length(0x7fff_ffff)].concat();
    vec![
        ("empty", limited(wide, b"")),
        ("both-forms", limited(wide, &both_forms)),
        (
            "nginx",
            limited(wide, &pair_bytes(&crate::nginx_request::FASTCGI_PARAMS)),
        ),
        ("numbers", limited(wide, &numbers)),
        ("repeated", limited(wide, &pair("A", "b").repeat(20))),
        (
            "too-many",
            limited([255, 3, 9, 2], &pair("A", "b").repeat(20)),
        ),
        ("too-long", limited([1, 255, 9, 2], &both_forms)),
        ("cut", limited(wide, &both_forms[..100])),
        ("cut-at-the-limit", limited([255, 0, 0, 0], b"\xff")),
        ("huge", limited(wide, &huge)),
        ("byte-by-byte", limited([255, 255, 0, 0], &both_forms)),
    ]
}

fn cgi_head() -> Vec<(&'static str, Vec<u8>)> {
    let limited = |limits: [u8; 4], stdout: &str| [&limits, stdout.as_bytes()].concat();
    let wide = [7, 255, 100, 0];
    vec![
        (
            "document",
            limited(wide, "Content-Type: text/plain\r\n\r\nhi"),
        ),
        (
            "status",
            limited(wide, "Status: 404 Not Found\nContent-type:text/html\n\n"),
        ),
        ("local-redirect", limited(wide, "Location: /path?query\n\n")),
        (
            "client-redirect",
            limited(wide, "Status: 303\r\nLocation: http://h/\r\n\r\n"),
        ),
        (
            "cookies",
            limited(wide, "Set-Cookie: a=1\nSet-Cookie: b=2\nStatus: 200 OK\n\n"),
        ),
        (
            "length",
            limited(wide, "Content-Length: 2\r\nContent-Type: x/y\r\n\r\nhi"),
        ),
        (
            "http",
            limited(
                wide,
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: a/b\r\n\r\n",
            ),
        ),
        (
            "interim",
            limited([3, 9, 9, 1], "Status: 103\nLink: x\n\nStatus: 204\n\n"),
        ),
        ("folded", limited(wide, "Content-Type: a\n b\n\n")),
        ("duplicate", limited(wide, "Status: 200\nStatus: 201\n\n")),
        ("too-many", limited([1, 255, 2, 0], "A: 1\nB: 2\nC: 3\n\n")),
        (
            "too-long",
            limited([1, 1, 9, 0], "X: a very long value of many bytes\n\n"),
        ),
        ("no-colon", limited(wide, "nonsense\n\n")),
    ]
}

fn pair_talk() -> Vec<(&'static str, Vec<u8>)> {
    let (aborted, early) = (0x40, 0x80);
    vec![
        ("nothing", vec![0]),
        ("one", vec![1, 0, 3, 10, 0, 100, 5, 9, 1, 2, 3, 4, 5]),
        ("authorizer", vec![1, 1, 1, 10, 0, 100, 0]),
        ("filter", vec![1, 2, 1, 10, 20, 30, 40, 200, 100]),
        (
            "large",
            vec![2, 0, 255, 255, 0, 250, 0, 2, 0, 0, 255, 240, 0, 7],
        ),
        (
            "aborted",
            vec![2, aborted, 1, 230, 0, 230, 0, 0, 1, 9, 0, 9, 9, 77],
        ),
        (
            "early",
            vec![2, early, 1, 230, 0, 230, 0, 2 | early, 1, 9, 0, 9, 9, 78],
        ),
        (
            "crowd",
            [
                &[6][..],
                &[0, 2, 9, 9, 9, 9, 1, 2, 9, 9, 9, 9, 2, 2, 9, 9, 9, 9].repeat(2),
            ]
            .concat(),
        ),
    ]
}
