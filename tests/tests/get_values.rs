//! GET_VALUES and its answer (§4.1): cut anywhere, with names that repeat, that nobody knows, with
//! values, with both forms of lengths, incomplete, and long.

use fcgi_core::web_server::{Event, Values};
use fcgi_core::{application, web_server};
use fcgi_tests::hand::Length::{Long, Minimal};
use fcgi_tests::hand::*;
use fcgi_tests::machines::observe::{check_by_bytes, check_every_pair_of_cuts};
use fcgi_tests::machines::{Seen, Transcript};

const CONNS: &str = "FCGI_MAX_CONNS";
const REQS: &str = "FCGI_MAX_REQS";
const MPXS: &str = "FCGI_MPXS_CONNS";

/// The answer to a question for some of the three, in the specification's order.
fn answer(asked: &[&str], max_conns: u32, max_reqs: u32) -> Vec<u8> {
    let all = [
        (CONNS, max_conns.to_string()),
        (REQS, max_reqs.to_string()),
        (MPXS, u32::from(max_reqs > 1).to_string()),
    ];
    let said: Vec<_> = all
        .into_iter()
        .filter(|(name, _)| asked.contains(name))
        .collect();
    aligned(&get_values_result(&said))
}

/// One question of this content, between two others.
fn transcript(content: &[u8], asked: &[&str]) -> Transcript {
    let seen = |asked: &[&str]| Seen::Reply(answer(asked, 7, 9));
    let mut t = Transcript::new();
    t.discrete(GET_VALUES, 0, &pair(REQS, ""), 3, seen(&[REQS]))
        .discrete(GET_VALUES, 0, content, 1, seen(asked))
        .discrete(GET_VALUES, 0, &pair(CONNS, ""), 0, seen(&[CONNS]));
    t
}

/// Questions, and what is to be answered.
fn questions() -> Vec<(Vec<u8>, Vec<&'static str>)> {
    let plain = |names: &[&str]| {
        names
            .iter()
            .flat_map(|name| pair(name, ""))
            .collect::<Vec<_>>()
    };
    let long = [
        pair_as(Long, Long, CONNS, ""),
        pair_as(Minimal, Long, REQS, "no matter"),
        pair_as(Long, Minimal, MPXS, ""),
    ];
    vec![
        (plain(&[CONNS, REQS, MPXS]), vec![CONNS, REQS, MPXS]),
        (plain(&[MPXS, CONNS]), vec![CONNS, MPXS]),
        (plain(&[REQS, REQS, REQS, REQS, REQS]), vec![REQS]),
        (plain(&[]), vec![]),
        (
            plain(&["", "FCGI_MAX_REQ", "FCGI_MAX_REQSS", "fcgi_max_reqs"]),
            vec![],
        ),
        // As long as the known ones, and different in the first, a middle or the last byte.
        (
            plain(&["GCGI_MAX_REQS", "FCGI_MAX-CONNS", "FCGI_MPXS_CONNZ"]),
            vec![],
        ),
        (
            plain(&["FCGI_MAX_CONNS\0", MPXS, "FCGI_MAX_REQ\0"]),
            vec![MPXS],
        ),
        (pair(REQS, "a value that is not asked for"), vec![REQS]),
        (
            [pair(CONNS, [b'v'; 200]), pair(MPXS, "")].concat(),
            vec![CONNS, MPXS],
        ),
        (long.concat(), vec![CONNS, REQS, MPXS]),
        (
            [pair([b'n'; 300], [0; 300]), pair(REQS, "")].concat(),
            vec![REQS],
        ),
        // A value that looks like a question is none.
        (pair("X", plain(&[REQS])), vec![]),
    ]
}

#[test]
fn every_question_at_every_cut() {
    for (content, asked) in questions() {
        let transcript = transcript(&content, &asked);
        check_by_bytes(&mut application::Connection::<1>::new(), &transcript);
        let from = transcript.starts()[1];
        check_every_pair_of_cuts(&application::Connection::<1>::new(), &transcript, from);
    }
}

#[test]
fn a_question_that_ends_inside_a_pair_is_answered_as_far_as_it_goes() {
    let whole = pair(REQS, "");
    let last = pair_as(Long, Long, CONNS, "value");
    for cut in 0..last.len() {
        let transcript = transcript(&[&*whole, &last[..cut]].concat(), &[REQS]);
        check_by_bytes(&mut application::Connection::<1>::new(), &transcript);
    }
    for lengths in [long_length(u32::MAX >> 1), long_length(1 << 30)] {
        let endless = [&*whole, &lengths, &lengths, &whole].concat();
        check_by_bytes(
            &mut application::Connection::<1>::new(),
            &transcript(&endless, &[REQS]),
        );
    }
}

#[test]
fn the_largest_question_gets_one_small_answer() {
    let names = pair(REQS, "").repeat(65_535 / 15);
    assert_eq!(names.len(), 65_535);
    let unknown = pair("FCGI_MAX_SOMETHING", "").repeat(65_535 / 20);
    for (content, asked) in [
        (names, vec![REQS]),
        (unknown, vec![]),
        (vec![0; 65_535], vec![]),
    ] {
        check_by_bytes(
            &mut application::Connection::<1>::new(),
            &transcript(&content, &asked),
        );
    }
}

#[test]
fn the_answer_says_the_callers_numbers() {
    let question = get_values(&[CONNS, REQS, MPXS]);
    let mut connection = application::Connection::<1>::new();
    let mut input = &*question;
    let event = connection.receive(&mut input);
    let Ok(Some(application::Event::Reply(reply))) = event else {
        panic!("{event:?}");
    };
    let numbers = [0, 1, 2, 9, 10, 99, 4_294_967_295];
    for max_conns in numbers {
        for max_reqs in numbers {
            let expected = answer(&[CONNS, REQS, MPXS], max_conns, max_reqs);
            assert_eq!(*reply.encode(max_conns, max_reqs), *expected);
        }
    }
    assert_eq!(reply.ends(), None);
}

#[test]
fn the_web_server_asks_for_all_three() {
    let connection = web_server::Connection::<1>::new();
    assert_eq!(*connection.get_values(), *get_values(&[CONNS, REQS, MPXS]));
}

/// What the web server makes of an answer, fed in two pieces cut at every place.
fn values(content: &[u8]) -> Values {
    let bytes = record(GET_VALUES_RESULT, 0, content, 5);
    let mut first = None;
    for cut in 0..=bytes.len() {
        let mut connection = web_server::Connection::<1>::new();
        let mut events = Vec::new();
        for mut slice in [&bytes[..cut], &bytes[cut..]] {
            while let Some(event) = connection.receive(&mut slice).unwrap() {
                events.push(event);
            }
        }
        let [Event::Values(values)] = events[..] else {
            panic!("{events:?} at {cut}");
        };
        assert_eq!(*first.get_or_insert(values), values, "cut at {cut}");
    }
    first.expect("there are cuts")
}

#[test]
fn answers_are_numbers_or_nothing() {
    for (value, number) in [
        ("0", Some(0)),
        ("1", Some(1)),
        ("007", Some(7)),
        ("4294967295", Some(u32::MAX)),
        // More than there can be is as many as there can be.
        ("4294967296", Some(u32::MAX)),
        ("99999999999999999999999999", Some(u32::MAX)),
        ("", None),
        ("-1", None),
        ("+1", None),
        (" 1", None),
        ("1 ", None),
        ("1\0", None),
        ("0x10", None),
        ("many", None),
        ("/", None),
        (":", None),
    ] {
        let mpxs_conns = number.map(|number| number != 0);
        let content = pair_bytes(&[(CONNS, value), (REQS, value), (MPXS, value)]);
        let expected = Values {
            max_conns: number,
            max_reqs: number,
            mpxs_conns,
        };
        assert_eq!(values(&content), expected, "{value:?}");
    }
}

#[test]
fn answers_may_repeat_leave_out_and_add() {
    let only = |max_reqs| Values {
        max_reqs,
        ..Values::default()
    };
    for (content, expected) in [
        (pair_bytes(&[("", "")]), only(None)),
        (vec![], only(None)),
        (
            pair_bytes(&[("X", "1"), (REQS, "2"), ("FCGI_MAX_REQZ", "3")]),
            only(Some(2)),
        ),
        (pair_bytes(&[(REQS, "1"), (REQS, "2")]), only(Some(2))),
        (pair_bytes(&[(REQS, "1"), (REQS, "rubbish")]), only(Some(1))),
        (pair_bytes(&[(REQS, "rubbish"), (REQS, "1")]), only(Some(1))),
        (pair_as(Long, Long, REQS, "40"), only(Some(40))),
        (
            [pair(REQS, "3"), pair(CONNS, "4")[..15].to_vec()].concat(),
            only(Some(3)),
        ),
        (pair("X", pair(REQS, "3")), only(None)),
    ] {
        assert_eq!(values(&content), expected, "{content:02x?}");
    }
}

#[test]
fn every_answer_stands_for_itself() {
    let first = get_values_result(&[(CONNS, "12"), (MPXS, "1")]);
    // Ends inside a value, which the next answer must not go on with.
    let cut = &pair(REQS, "345")[..17];
    let second = record(GET_VALUES_RESULT, 0, cut, 0);
    let third = get_values_result(&[(REQS, "6"), (CONNS, "rubbish")]);
    let bytes = [&*first, &second, &third].concat();
    let mut t = Transcript::new();
    for (content, seen) in [
        (&first[8..], Seen::Values(Some(12), None, Some(true))),
        (cut, Seen::Values(None, None, None)),
        (&third[8..], Seen::Values(None, Some(6), None)),
    ] {
        t.discrete(GET_VALUES_RESULT, 0, content, 0, seen);
    }
    assert_eq!(t.bytes(), bytes);
    check_by_bytes(&mut web_server::Connection::<1>::new(), &t);
    check_every_pair_of_cuts(&web_server::Connection::<1>::new(), &t, 0);
}

#[test]
fn an_application_that_knows_no_questions() {
    let mut connection = web_server::Connection::<1>::new();
    let bytes = unknown_type(GET_VALUES);
    let event = connection.receive(&mut &bytes[..]).unwrap();
    assert!(matches!(event, Some(Event::UnknownType { record_type }) if record_type.0 == 9));
}
