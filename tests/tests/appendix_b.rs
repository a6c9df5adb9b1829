//! The message flows of the specification's Appendix B, byte for byte, in both directions.
//!
//! The text of the flows is read by a small reader of its own, made into bytes by hand, and held
//! against what the machines take, give and print. Messages to the web server are indented, as in
//! the specification; its "..." for what is too long to show is left out, so the texts end there.

use fcgi_core::application::{self, Connection};
use fcgi_core::params::{Collector, Held, Limits};
use fcgi_core::web_server;
use fcgi_core::wire::Role;
use fcgi_tests::hand::{self, *};
use fcgi_tests::machines::observe::{Side, check_by_bytes, check_every_pair_of_cuts, feed, rid};
use fcgi_tests::machines::{Log, Seen, Transcript};

/// No body, and a page.
const EXAMPLE_1: &str = r#"
{FCGI_BEGIN_REQUEST, 1, {FCGI_RESPONDER, 0}}
{FCGI_PARAMS, 1, "\013\002SERVER_PORT80\013\016SERVER_ADDR199.170.183.42"}
{FCGI_PARAMS, 1, ""}
{FCGI_STDIN, 1, ""}
    {FCGI_STDOUT, 1, "Content-type: text/html\r\n\r\n<html>\n<head>"}
    {FCGI_STDOUT, 1, ""}
    {FCGI_END_REQUEST, 1, {0, FCGI_REQUEST_COMPLETE}}
"#;

/// A body, and parameters that are cut inside a name.
const EXAMPLE_2: &str = r#"
{FCGI_BEGIN_REQUEST, 1, {FCGI_RESPONDER, 0}}
{FCGI_PARAMS, 1, "\013\002SERVER_PORT80\013\016SER"}
{FCGI_PARAMS, 1, "VER_ADDR199.170.183.42"}
{FCGI_PARAMS, 1, ""}
{FCGI_STDIN, 1, "quantity=100&item=3047936"}
{FCGI_STDIN, 1, ""}
    {FCGI_STDOUT, 1, "Content-type: text/html\r\n\r\n<html>\n<head>"}
    {FCGI_STDOUT, 1, ""}
    {FCGI_END_REQUEST, 1, {0, FCGI_REQUEST_COMPLETE}}
"#;

/// A failure: both output streams, and an exit status.
const EXAMPLE_3: &str = r#"
{FCGI_BEGIN_REQUEST, 1, {FCGI_RESPONDER, 0}}
{FCGI_PARAMS, 1, "\013\002SERVER_PORT80\013\016SERVER_ADDR199.170.183.42"}
{FCGI_PARAMS, 1, ""}
{FCGI_STDIN, 1, ""}
    {FCGI_STDOUT, 1, "Content-type: text/html\r\n\r\n<ht"}
    {FCGI_STDERR, 1, "config error: missing SI_UID\n"}
    {FCGI_STDOUT, 1, "ml>\n<head>"}
    {FCGI_STDOUT, 1, ""}
    {FCGI_STDERR, 1, ""}
    {FCGI_END_REQUEST, 1, {938, FCGI_REQUEST_COMPLETE}}
"#;

/// Two requests on one connection, answered out of order.
const EXAMPLE_4: &str = r#"
{FCGI_BEGIN_REQUEST, 1, {FCGI_RESPONDER, FCGI_KEEP_CONN}}
{FCGI_PARAMS, 1, "\013\002SERVER_PORT80\013\016SERVER_ADDR199.170.183.42"}
{FCGI_PARAMS, 1, ""}
{FCGI_BEGIN_REQUEST, 2, {FCGI_RESPONDER, FCGI_KEEP_CONN}}
{FCGI_PARAMS, 2, "\013\002SERVER_PORT80\013\016SERVER_ADDR199.170.183.42"}
{FCGI_STDIN, 1, ""}
    {FCGI_STDOUT, 1, "Content-type: text/html\r\n\r\n"}
{FCGI_PARAMS, 2, ""}
{FCGI_STDIN, 2, ""}
    {FCGI_STDOUT, 2, "Content-type: text/html\r\n\r\n<html>\n<head>"}
    {FCGI_STDOUT, 2, ""}
    {FCGI_END_REQUEST, 2, {0, FCGI_REQUEST_COMPLETE}}
    {FCGI_STDOUT, 1, "<html>\n<head>"}
    {FCGI_STDOUT, 1, ""}
    {FCGI_END_REQUEST, 1, {0, FCGI_REQUEST_COMPLETE}}
"#;

const EXAMPLES: [&str; 4] = [EXAMPLE_1, EXAMPLE_2, EXAMPLE_3, EXAMPLE_4];

/// One message of a flow.
struct Message {
    text: &'static str,
    to_web_server: bool,
    kind: u8,
    id: u16,
    content: Vec<u8>,
}

impl Message {
    /// The record's bytes: padded to a multiple of eight, as this library sends them.
    fn bytes(&self) -> Vec<u8> {
        aligned(&self.unpadded())
    }

    fn unpadded(&self) -> Vec<u8> {
        record(self.kind, self.id, &self.content, 0)
    }

    /// What the other side sees of it.
    fn seen(&self) -> Seen {
        let (id, stream) = (self.id, self.kind);
        let bytes = self.content.clone();
        match *self.content {
            [0, role, flags, ..] if self.kind == BEGIN_REQUEST => Seen::Begin {
                id,
                role: role.into(),
                keep: flags == KEEP,
            },
            [a, b, c, d, status, ..] if self.kind == END_REQUEST => {
                Seen::Ended(id, u32::from_be_bytes([a, b, c, d]), status)
            }
            [] => Seen::StreamEnd { id, stream },
            _ => Seen::Bytes { id, stream, bytes },
        }
    }
}

/// Reads the notation: `{type, id, "text"}` and `{type, id, {word, word}}`.
fn messages(flow: &'static str) -> Vec<Message> {
    let message = |line: &'static str| {
        let text = line.trim_start();
        let inner = text
            .strip_prefix('{')
            .and_then(|text| text.strip_suffix('}'));
        let mut fields = inner.expect("in braces").splitn(3, ", ");
        let mut field = || fields.next().expect("three fields");
        let kind = match field() {
            "FCGI_BEGIN_REQUEST" => BEGIN_REQUEST,
            "FCGI_PARAMS" => PARAMS,
            "FCGI_STDIN" => STDIN,
            "FCGI_STDOUT" => STDOUT,
            "FCGI_STDERR" => STDERR,
            "FCGI_END_REQUEST" => END_REQUEST,
            other => panic!("{other}"),
        };
        let id = field().parse().expect("an id");
        let content = match field() {
            "{FCGI_RESPONDER, 0}" => vec![0, 1, 0, 0, 0, 0, 0, 0],
            "{FCGI_RESPONDER, FCGI_KEEP_CONN}" => vec![0, 1, 1, 0, 0, 0, 0, 0],
            "{0, FCGI_REQUEST_COMPLETE}" => vec![0; 8],
            "{938, FCGI_REQUEST_COMPLETE}" => vec![0, 0, 3, 0xaa, 0, 0, 0, 0],
            text => unescaped(text),
        };
        Message {
            text,
            to_web_server: line.starts_with(' '),
            kind,
            id,
            content,
        }
    };
    flow.trim_matches('\n').lines().map(message).collect()
}

/// A string of C: the escapes that the appendix uses.
fn unescaped(text: &str) -> Vec<u8> {
    let quoted = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    let mut rest = quoted.expect("in quotes").as_bytes();
    let mut bytes = Vec::new();
    while let Some((&first, after)) = rest.split_first() {
        let (byte, after) = match (first, after) {
            (b'\\', [b'r', after @ ..]) => (b'\r', after),
            (b'\\', [b'n', after @ ..]) => (b'\n', after),
            (b'\\', [a, b, c, after @ ..]) => {
                let octal = (a - b'0') * 64 + (b - b'0') * 8 + (c - b'0');
                (octal, after)
            }
            _ => (first, after),
        };
        bytes.push(byte);
        rest = after;
    }
    bytes
}

#[test]
fn the_reader_of_the_notation_reads() {
    let flow = messages(EXAMPLE_2);
    assert_eq!(flow.len(), 9);
    assert_eq!(flow[1].content, b"\x0b\x02SERVER_PORT80\x0b\x0eSER");
    assert_eq!(flow[4].bytes()[..9], [1, 5, 0, 1, 0, 25, 7, 0, b'q']);
    assert_eq!(messages(EXAMPLE_3)[9].unpadded(), end_request(1, 938, 0));
    assert!(flow[6].to_web_server && !flow[5].to_web_server);
}

#[test]
fn records_print_as_the_appendix_writes_them() {
    for message in EXAMPLES.into_iter().flat_map(messages) {
        for bytes in [message.unpadded(), message.bytes()] {
            let (rest, record) = fcgi_core::wire::Record::parse(&bytes).unwrap();
            assert!(rest.is_empty());
            assert_eq!(record.to_string(), message.text);
        }
    }
}

/// Feeds one record; what is seen must be this message and nothing else.
#[track_caller]
fn receives<S: Side>(side: &mut S, message: &Message) {
    let mut of_unpadded = side.clone();
    let (unpadded, padded) = (message.unpadded(), message.bytes());
    for (side, bytes) in [(&mut of_unpadded, unpadded), (side, padded)] {
        let mut log = Log::new();
        feed(side, &bytes, 0, &mut log).unwrap();
        let seen: Vec<_> = log.into_iter().map(|(_, seen)| seen).collect();
        assert_eq!(seen, [message.seen()], "{}", message.text);
    }
}

#[test]
fn the_application_takes_and_gives_every_message() {
    for flow in EXAMPLES.map(messages) {
        let mut connection = Connection::<2>::new();
        for message in &flow {
            let id = rid(message.id);
            let mut content = &*message.content;
            if !message.to_web_server {
                receives(&mut connection, message);
                continue;
            }
            let sent = match (message.kind, content.is_empty()) {
                (STDOUT, false) => connection.stdout(id, &mut content).unwrap().unwrap(),
                (STDERR, false) => connection.stderr(id, &mut content).unwrap().unwrap(),
                (STDOUT, true) => connection.stdout_end(id).unwrap(),
                (STDERR, true) => connection.stderr_end(id).unwrap(),
                _ => {
                    let status = u32::from_be_bytes([0, 0, content[2], content[3]]);
                    let sent = connection.end(id, status).unwrap();
                    assert_eq!(*sent, *message.bytes(), "{}", message.text);
                    continue;
                }
            };
            assert_eq!(sent.parts().concat(), message.bytes(), "{}", message.text);
        }
        assert_eq!(connection.active(), 0);
        let keeps = flow[0].content[2] == KEEP;
        assert_eq!(connection.should_close(), !keeps, "§5.1");
    }
}

#[test]
fn the_web_server_gives_and_takes_every_message() {
    for flow in EXAMPLES.map(messages) {
        let mut connection = web_server::Connection::<2>::new();
        for message in &flow {
            let id = rid(message.id);
            let mut content = &*message.content;
            if message.to_web_server {
                receives(&mut connection, message);
                continue;
            }
            let sent = match (message.kind, content.is_empty()) {
                (PARAMS, false) => connection.params(id, &mut content).unwrap().unwrap(),
                (STDIN, false) => connection.stdin(id, &mut content).unwrap().unwrap(),
                (PARAMS, true) => connection.params_end(id).unwrap(),
                (STDIN, true) => connection.stdin_end(id).unwrap(),
                _ => {
                    let keep_conn = content[2] == KEEP;
                    let (begun, sent) = connection.begin(Role::Responder, keep_conn).unwrap();
                    assert_eq!((begun, &*sent), (id, &*message.bytes()));
                    continue;
                }
            };
            assert_eq!(sent.parts().concat(), message.bytes(), "{}", message.text);
        }
        assert_eq!(connection.active(), 0);
    }
}

#[test]
fn an_application_that_only_ends_gives_the_same_bytes() {
    for flow in [EXAMPLE_1, EXAMPLE_2].map(messages) {
        let (answer, request): (Vec<_>, Vec<_>) = flow.iter().partition(|m| m.to_web_server);
        let mut connection = Connection::<1>::new();
        for message in request {
            receives(&mut connection, message);
        }
        let mut page = &*answer[0].content;
        let page = connection.stdout(rid(1), &mut page).unwrap().unwrap();
        let end = connection.end(rid(1), 0).unwrap();
        let expected: Vec<_> = answer.iter().flat_map(|message| message.bytes()).collect();
        assert_eq!([&page.parts().concat(), &*end].concat(), expected);
    }
}

/// The requests of example 2, with what an application sees of them.
fn example_2() -> Transcript {
    let mut t = Transcript::new();
    for message in messages(EXAMPLE_2) {
        match message.kind {
            BEGIN_REQUEST => _ = t.begin(1, RESPONDER, false, 0),
            PARAMS | STDIN => _ = t.stream(message.kind, 1, &message.content, 0),
            _ => {}
        }
    }
    t
}

#[test]
fn example_2_gives_the_same_at_every_cut() {
    check_by_bytes(&mut Connection::<1>::new(), &example_2());
    check_every_pair_of_cuts(&Connection::<1>::new(), &example_2(), 0);
}

#[test]
fn example_2_gives_the_same_parameters_at_every_cut() {
    let transcript = example_2();
    let bytes = transcript.bytes();
    for cut in 0..=bytes.len() {
        let mut connection = Connection::<1>::new();
        let mut collector = Collector::new(heapless::Vec::<u8, 64>::new(), Limits::default());
        let mut pairs = None;
        for mut slice in [&bytes[..cut], &bytes[cut..]] {
            let mut held = Held::new();
            while let Some(event) = connection.receive(&mut slice).unwrap() {
                match event {
                    application::Event::Params { bytes, .. } => {
                        collector.push(&mut held, bytes).unwrap();
                    }
                    application::Event::ParamsEnd { .. } => {
                        let params = collector.finish(&mut held).unwrap();
                        pairs = Some(hand::pairs(params.as_bytes()));
                        assert_eq!(params.get("SERVER_PORT"), Some(&b"80"[..]));
                        assert_eq!(params.get("SERVER_ADDR"), Some(&b"199.170.183.42"[..]));
                        assert_eq!(params.iter().count(), 2);
                    }
                    _ => {}
                }
            }
            collector.keep(held).unwrap();
        }
        assert_eq!(
            pairs.map(|pairs: Vec<_>| pairs.len()),
            Some(2),
            "cut at {cut}"
        );
    }
}
