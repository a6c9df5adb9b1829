//! The fuzz targets on inputs near those of their corpora: a short fuzzing that every check does,
//! the same one each time. `PROPTEST_CASES` makes it longer; what it finds is shrunk.

use fcgi_tests::fuzzing::{self, seeds};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Bytes that are limits of something: of lengths, of fields of records, of lines.
const EDGES: [u8; 14] = [
    0, 1, 2, 4, 5, 8, 11, 0x7f, 0x80, 0xff, b'\r', b'\n', b'=', b'-',
];

/// One change of an input.
#[derive(Clone, Debug)]
enum Change {
    Replace(Index, u8),
    Insert(Index, u8),
    Remove(Index, Index),
    /// A part again, somewhere else.
    Repeat(Index, Index, Index),
    Cut(Index),
}

impl Change {
    fn apply(&self, input: &mut Vec<u8>) {
        if let Change::Insert(at, byte) = self {
            return input.insert(at.index(input.len() + 1), *byte);
        }
        if input.is_empty() {
            return;
        }
        let length = input.len();
        let part = |one: &Index, other: &Index| {
            let (one, other) = (one.index(length), other.index(length));
            one.min(other)..one.max(other)
        };
        match self {
            Change::Insert(..) => {}
            Change::Replace(at, byte) => input[at.index(length)] = *byte,
            Change::Remove(from, to) => drop(input.drain(part(from, to))),
            Change::Repeat(from, to, at) => {
                let copied = input[part(from, to)].to_vec();
                let at = at.index(length);
                drop(input.splice(at..at, copied));
            }
            Change::Cut(at) => input.truncate(at.index(length)),
        }
    }
}

fn change() -> impl Strategy<Value = Change> {
    let index = any::<Index>;
    let byte = || prop_oneof![any::<u8>(), select(&EDGES[..])];
    prop_oneof![
        4 => (index(), byte()).prop_map(|(at, byte)| Change::Replace(at, byte)),
        2 => (index(), byte()).prop_map(|(at, byte)| Change::Insert(at, byte)),
        2 => (index(), index()).prop_map(|(from, to)| Change::Remove(from, to)),
        2 => (index(), index(), index()).prop_map(|(from, to, at)| Change::Repeat(from, to, at)),
        1 => index().prop_map(Change::Cut),
    ]
}

fn mutate(target: &str) {
    let run = fuzzing::target(target);
    let corpus: Vec<_> = seeds::inputs(target).into_iter().map(|it| it.1).collect();
    let config = Config::default();
    let config = Config {
        cases: 8 * config.cases,
        // What is found belongs into the corpus.
        failure_persistence: None,
        ..config
    };
    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let inputs = (select(corpus), vec(change(), 1..12));
    let result = TestRunner::new_with_rng(config, random).run(&inputs, |(mut input, changes)| {
        for change in &changes {
            change.apply(&mut input);
        }
        run(&input);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

#[test]
fn application_receive() {
    mutate("application_receive");
}

#[test]
fn web_server_receive() {
    mutate("web_server_receive");
}

#[test]
fn params() {
    mutate("params");
}

#[test]
fn cgi_head() {
    mutate("cgi_head");
}

#[test]
fn pair_talk() {
    mutate("pair_talk");
}

#[test]
fn form_urlencoded() {
    mutate("form_urlencoded");
}

#[test]
fn form_multipart() {
    mutate("form_multipart");
}

#[test]
fn form_cookie() {
    mutate("form_cookie");
}
