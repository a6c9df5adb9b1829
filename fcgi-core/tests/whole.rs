//! `receive_whole` is a shorter way to the place where `receive` arrives.

use fcgi_core::application::{Connection, Event};
use fcgi_core::{Error, RequestId};

/// A record: type, id, content, padding.
fn record(kind: u8, id: u8, content: &[u8], padding: u8) -> Vec<u8> {
    let length = u8::try_from(content.len()).expect("a short content");
    let mut bytes = vec![1, kind, 0, id, 0, length, padding, 0];
    bytes.extend_from_slice(content);
    bytes.extend(vec![0; usize::from(padding)]);
    bytes
}

fn begin(id: u8, role: u8, flags: u8) -> Vec<u8> {
    record(1, id, &[0, role, flags, 0, 0, 0, 0, 0], 0)
}

fn params(id: u8, content: &[u8]) -> Vec<u8> {
    record(4, id, content, 3)
}

fn stdin(id: u8, content: &[u8]) -> Vec<u8> {
    record(5, id, content, 0)
}

/// A request with both streams in one record each.
fn small(id: u8, flags: u8, body: &[u8]) -> Vec<u8> {
    let mut request = [
        begin(id, 1, flags),
        params(id, b"\x01\x01ab"),
        params(id, b""),
    ]
    .concat();
    if !body.is_empty() {
        request.extend(stdin(id, body));
    }
    request.extend(stdin(id, b""));
    request
}

/// What an application has seen of one connection: the pieces of each stream put together.
#[derive(Default, PartialEq, Debug)]
struct Seen {
    log: Vec<(String, Vec<u8>)>,
    error: Option<Error>,
}

impl Seen {
    fn note(&mut self, what: String, bytes: &[u8]) {
        match self.log.last_mut() {
            Some((last, so_far)) if *last == what => so_far.extend_from_slice(bytes),
            _ => self.log.push((what, bytes.to_vec())),
        }
    }

    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Params { id, bytes } => self.note(format!("params {id}"), bytes),
            Event::Stdin { id, bytes } => self.note(format!("stdin {id}"), bytes),
            Event::Data { id, bytes } => self.note(format!("data {id}"), bytes),
            other => self.log.push((format!("{other:?}"), Vec::new())),
        }
    }

    fn whole(&mut self, connection: &Connection<2>, input: &mut &[u8]) -> Option<RequestId> {
        let mut connection = connection.clone();
        let whole = connection.receive_whole(input)?;
        let (id, keep_conn) = (whole.id, whole.keep_conn);
        let role = fcgi_core::Role::Responder;
        self.event(&Event::Begin {
            id,
            role,
            keep_conn,
        });
        if !whole.params.is_empty() {
            self.note(format!("params {id}"), whole.params);
        }
        self.event(&Event::ParamsEnd { id });
        if !whole.stdin.is_empty() {
            self.note(format!("stdin {id}"), whole.stdin);
        }
        self.event(&Event::StdinEnd { id });
        Some(id)
    }
}

/// Feeds the slices, answering each request whose input is whole, and returns all there was to see.
fn run(slices: &[&[u8]], by_whole: bool) -> (Seen, Vec<u8>, usize) {
    let mut connection = Connection::<2>::new();
    let (mut seen, mut answers, mut wholes) = (Seen::default(), Vec::new(), 0);
    for slice in slices {
        let mut input = *slice;
        loop {
            let mut copy = input;
            if by_whole && seen.whole(&connection, &mut copy).is_some() {
                let whole = connection
                    .receive_whole(&mut input)
                    .expect("as the copy did");
                assert_eq!(input, copy);
                assert!(connection.is_input_done(whole.id) && connection.may_answer(whole.id));
                assert!(connection.is_between_records());
                answers.extend_from_slice(&connection.end(whole.id, 7).expect("active"));
                wholes += 1;
                continue;
            }
            match connection.receive(&mut input) {
                Ok(None) => break,
                Ok(Some(event)) => {
                    seen.event(&event);
                    if let Event::StdinEnd { id } = event {
                        answers.extend_from_slice(&connection.end(id, 7).expect("active"));
                    }
                }
                Err(error) => {
                    seen.error = Some(error);
                    break;
                }
            }
        }
        answers.push(u8::from(connection.should_close()));
        answers.push(u8::try_from(connection.active()).expect("two at most"));
    }
    (seen, answers, wholes)
}

#[test]
fn the_same_is_seen_whichever_way_is_taken() {
    let cases = [
        // How often the short way is there, if nothing is cut.
        (small(1, 1, b""), 1),
        (small(1, 1, b"body"), 1),
        (small(200, 0, b"body"), 1),
        (
            [small(1, 1, b""), small(1, 1, b"x"), small(2, 0, b"")].concat(),
            3,
        ),
        ([small(1, 0, b""), small(1, 1, b"")].concat(), 1),
        ([begin(1, 1, 1), params(1, b""), stdin(1, b"")].concat(), 1),
        // Other requests are under way, in the same slots.
        (
            [
                begin(3, 1, 1),
                small(1, 1, b""),
                params(3, b""),
                stdin(3, b""),
            ]
            .concat(),
            1,
        ),
        (
            [begin(3, 1, 1), begin(4, 1, 1), small(1, 1, b"")].concat(),
            0,
        ),
        ([begin(1, 1, 1), small(1, 1, b"")].concat(), 0),
        // Another order, other roles, other records between.
        ([begin(1, 2, 1), params(1, b""), stdin(1, b"")].concat(), 0),
        ([begin(1, 3, 1), params(1, b""), stdin(1, b"")].concat(), 0),
        ([begin(1, 9, 1), params(1, b""), stdin(1, b"")].concat(), 0),
        (
            [
                begin(1, 1, 1),
                params(1, b"a"),
                params(1, b"b"),
                params(1, b""),
            ]
            .concat(),
            0,
        ),
        (
            [
                begin(1, 1, 1),
                params(1, b""),
                stdin(1, b"a"),
                stdin(1, b"b"),
                stdin(1, b""),
            ]
            .concat(),
            0,
        ),
        (
            [
                begin(1, 1, 1),
                params(1, b""),
                record(2, 1, b"", 0),
                stdin(1, b""),
            ]
            .concat(),
            0,
        ),
        (
            [
                begin(1, 1, 1),
                params(2, b""),
                stdin(2, b""),
                small(2, 1, b""),
            ]
            .concat(),
            // What is skipped leads on to the next event, which is that request's first.
            0,
        ),
        (
            [record(9, 0, b"\x0f\0FCGI_MAX_CONNS", 0), small(1, 1, b"")].concat(),
            1,
        ),
        ([record(1, 1, &[0, 1, 1], 0), small(1, 1, b"")].concat(), 0),
        (
            [
                record(1, 1, &[0, 1, 1, 0, 0, 0, 0, 0, 0, 0], 5),
                params(1, b""),
                stdin(1, b""),
            ]
            .concat(),
            1,
        ),
        ([begin(0, 1, 1), params(0, b""), stdin(0, b"")].concat(), 0),
        (
            small(1, 1, b"body")
                .iter()
                .map(|byte| byte ^ u8::from(*byte == 1) << 1)
                .collect(),
            0,
        ),
    ];
    for (at, (input, wholes)) in cases.iter().enumerate() {
        assert_eq!(run(&[input], true).2, *wholes, "case {at}");
        for cut in 0..=input.len() {
            let (front, back) = input.split_at(cut);
            let (seen, answers, _) = run(&[front, back], true);
            let (expected, expected_answers, _) = run(&[front, back], false);
            assert_eq!(seen, expected, "case {at}, cut at {cut}");
            assert_eq!(answers, expected_answers, "case {at}, cut at {cut}");
        }
    }
}
