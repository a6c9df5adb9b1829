//! Long random conversations, cut at random places and byte by byte.

use std::collections::BTreeMap;

use fcgi_core::{application, web_server};
use fcgi_tests::hand::*;
use fcgi_tests::machines::conversations::{begin_body, max_reqs, refused};
use fcgi_tests::machines::observe::{check_by_bytes, run};
use fcgi_tests::machines::{Seen, Transcript, joined};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// How many requests the connections take at the same time.
const CAPACITY: usize = 4;

/// More ids than there is room for.
const IDS: [u16; 6] = [1, 2, 3, 256, 0x7fff, 0xffff];

/// One step of a conversation; what it means depends on what came before.
#[derive(Clone, Debug)]
struct Op {
    what: u8,
    which: usize,
    content: Vec<u8>,
    padding: u8,
}

fn op() -> impl Strategy<Value = Op> {
    let padding = prop_oneof![Just(0), Just(1), Just(7), Just(255), any::<u8>()];
    let content = prop_oneof![8 => vec(any::<u8>(), 1..20), 1 => vec(any::<u8>(), 200..400)];
    (0..16u8, 0..IDS.len(), content, padding).prop_map(|(what, which, content, padding)| Op {
        what,
        which,
        content,
        padding,
    })
}

/// An active request as the application knows it: the streams that are to come, and whether it was
/// aborted.
struct Active {
    streams: Vec<u8>,
    aborted: bool,
}

/// What a web server may send, and what the application has to see of it.
fn requests(ops: &[Op]) -> Transcript {
    let mut t = Transcript::new();
    let mut active = BTreeMap::<u16, Active>::new();
    for op in ops {
        let (id, padding, content) = (IDS[op.which], op.padding, &*op.content);
        let room = active.len() < CAPACITY;
        match (op.what, active.get_mut(&id)) {
            (0..=2, None) if room => {
                let role = op.what + 1;
                t.begin(id, role.into(), true, padding);
                let streams = match u16::from(role) {
                    RESPONDER => vec![STDIN, PARAMS],
                    AUTHORIZER => vec![PARAMS],
                    _ => vec![DATA, STDIN, PARAMS],
                };
                let aborted = false;
                active.insert(id, Active { streams, aborted });
            }
            (0..=2, None) => {
                let seen = refused(id, OVERLOADED);
                t.discrete(BEGIN_REQUEST, id, &begin_body(1), padding, seen);
            }
            (0..=2, Some(_)) | (3, None) => {
                let mut role = begin_body(0);
                role[0] = op.content[0] | 1;
                let other = IDS.iter().find(|id| !active.contains_key(id));
                let other = *other.expect("there are more ids than room");
                let seen = refused(other, UNKNOWN_ROLE);
                t.discrete(BEGIN_REQUEST, other, &role, padding, seen);
            }
            (4, _) => {
                let content = [pair_bytes(&[("FCGI_MAX_REQS", "")]), pair("Z", content)].concat();
                t.discrete(GET_VALUES, 0, &content, padding, max_reqs());
            }
            (5, _) => {
                let kind = 12 | op.content[0];
                let seen = Seen::Reply(unknown_type(kind));
                t.discrete(kind, 0, content, padding, seen);
            }
            (6, _) => _ = t.skipped(&record(12 | op.content[0], id, content, padding)),
            (7, Some(request)) if !request.aborted => {
                request.aborted = true;
                t.discrete(ABORT_REQUEST, id, &[], padding, Seen::Abort(id));
            }
            (7, _) => _ = t.skipped(&padded(padding, &abort(id))),
            (8, Some(_)) => {
                t.act(id);
                active.remove(&id);
            }
            (9, Some(request)) if !request.streams.is_empty() => {
                let kind = request.streams[request.streams.len() - 1];
                t.stream_then_act(content.len() / 2, kind, id, content, padding);
                active.remove(&id);
            }
            (10, Some(request)) => match request.streams.pop() {
                Some(kind) => _ = t.stream(kind, id, b"", padding),
                None => _ = t.skipped(&padded(padding, &end_of(STDIN, id))),
            },
            (_, Some(request)) => match request.streams.last() {
                Some(&kind) => _ = t.stream(kind, id, content, padding),
                None => _ = t.skipped(&padded(padding, &end_of(DATA, id))),
            },
            (_, None) => _ = t.skipped(&record(op.what % 5 + 4, id, content, padding)),
        }
    }
    t
}

/// What an application may send, and what the web server has to see of it. The value is the streams
/// of a request that are open.
fn answers(ops: &[Op]) -> Transcript {
    let mut t = Transcript::new();
    let mut active = BTreeMap::<u16, Vec<u8>>::new();
    for op in ops {
        let id = u16::try_from(op.which).unwrap() + 1;
        let (padding, content) = (op.padding, &*op.content);
        match (op.what, active.get_mut(&id)) {
            (0..=2, _) => {
                let free = (1..).find(|id| !active.contains_key(id));
                let free = free.expect("few are active");
                if active.len() < CAPACITY {
                    t.act(free);
                    active.insert(free, vec![STDERR, STDOUT]);
                }
            }
            (3, _) => {
                let content = [pair("FCGI_MAX_CONNS", "12"), pair("Z", content)].concat();
                let seen = Seen::Values(Some(12), None, None);
                t.discrete(GET_VALUES_RESULT, 0, &content, padding, seen);
            }
            (4, _) => {
                let body = [op.content[0], 0, 0, 0, 0, 0, 0, 0];
                let seen = Seen::UnknownType(op.content[0]);
                t.discrete(UNKNOWN_TYPE, 0, &body, padding, seen);
            }
            (5, _) => {
                let kind = 12 | op.content[0];
                t.skipped(&record(kind, op.content[0].into(), content, padding));
            }
            (6, Some(_)) => {
                let body = [1, 2, 3, op.content[0], 0, 0, 0, 0];
                let seen = Seen::Ended(id, u32::from_be_bytes([1, 2, 3, op.content[0]]), 0);
                t.discrete(END_REQUEST, id, &body, padding, seen);
                active.remove(&id);
            }
            (7, Some(open)) => {
                if let Some(kind) = open.pop() {
                    t.stream(kind, id, b"", padding);
                }
            }
            (what, Some(open)) => {
                if let Some(&kind) = open.get(usize::from(what % 2)).or(open.first()) {
                    t.stream(kind, id, content, padding);
                }
            }
            (6, None) => _ = t.skipped(&padded(padding, &end_request(id, 1, 0))),
            (what, None) => _ = t.skipped(&record(STDOUT + what % 2, id, content, padding)),
        }
    }
    t
}

fn positions(transcript: &Transcript, cuts: &[Index]) -> Vec<usize> {
    let size = transcript.bytes().len() + 1;
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(size)).collect();
    cuts.sort_unstable();
    cuts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn requests_at_random_cuts(ops in vec(op(), 0..150), cuts in vec(any::<Index>(), 0..40)) {
        let transcript = requests(&ops);
        let cuts = positions(&transcript, &cuts);
        let mut connection = application::Connection::<CAPACITY>::new();
        let log = run(&mut connection, &transcript, &cuts).unwrap();
        prop_assert_eq!(joined(log), joined(transcript.events().clone()));
        check_by_bytes(&mut application::Connection::<CAPACITY>::new(), &transcript);
    }

    #[test]
    fn answers_at_random_cuts(ops in vec(op(), 0..150), cuts in vec(any::<Index>(), 0..40)) {
        let transcript = answers(&ops);
        let cuts = positions(&transcript, &cuts);
        let mut connection = web_server::Connection::<CAPACITY>::new();
        let log = run(&mut connection, &transcript, &cuts).unwrap();
        prop_assert_eq!(joined(log), joined(transcript.events().clone()));
        check_by_bytes(&mut web_server::Connection::<CAPACITY>::new(), &transcript);
    }
}
