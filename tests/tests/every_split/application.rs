//! What a web server sends, at the application.

use fcgi_core::RequestId;
use fcgi_core::application::{Connection, Event};
use fcgi_tests::hand::*;
use fcgi_tests::machines::conversations::{max_reqs, requests};
use fcgi_tests::machines::observe::{check_by_bytes, check_every_pair_of_cuts, feed, rid};
use fcgi_tests::machines::{Log, Seen, Transcript};

#[test]
fn at_every_pair_of_positions() {
    check_every_pair_of_cuts(&Connection::<4>::new(), &requests(), 0);
}

#[test]
fn byte_by_byte_every_event_comes_at_once() {
    let mut connection = Connection::<4>::new();
    check_by_bytes(&mut connection, &requests());
    let mut ids: Vec<_> = connection.ids().map(RequestId::get).collect();
    ids.sort_unstable();
    assert_eq!(ids, [1, 2, 300, 0xffff]);
}

/// A record of each kind, with its padding, between what has to be before it and a BEGIN_REQUEST.
fn of_each_kind(padding: u8) -> Vec<Transcript> {
    let mut all = Vec::new();
    let mut add = |role: u16, ended: &[u8], then: &dyn Fn(&mut Transcript)| {
        let mut t = Transcript::new();
        t.begin(7, role, true, 0);
        for &kind in ended {
            t.stream(kind, 7, b"", 0);
        }
        then(&mut t);
        t.begin(8, RESPONDER, true, 0);
        all.push(t);
    };
    let mut add_responder = |then: &dyn Fn(&mut Transcript)| add(RESPONDER, &[], then);
    add_responder(&|t| _ = t.begin(9, FILTER, true, padding));
    add_responder(&|t| {
        let content = pair("FCGI_MAX_REQS", "");
        t.discrete(GET_VALUES, 0, &content, padding, max_reqs());
    });
    add_responder(&|t| {
        t.discrete(99, 0, b"abc", padding, Seen::Reply(unknown_type(99)));
    });
    add_responder(&|t| _ = t.skipped(&record(99, 7, b"abc", padding)));
    add_responder(&|t| _ = t.skipped(&record(STDIN, 9, b"abc", padding)));
    for content in [&b""[..], b"ab"] {
        add_responder(&|t| {
            t.discrete(ABORT_REQUEST, 7, content, padding, Seen::Abort(7));
        });
    }
    for content in [&b""[..], b"ab"] {
        let streams: [(u8, u16, &[u8]); 3] = [
            (PARAMS, RESPONDER, &[]),
            (STDIN, RESPONDER, &[PARAMS]),
            (DATA, FILTER, &[PARAMS, STDIN]),
        ];
        for (kind, role, ended) in streams {
            add(role, ended, &|t| _ = t.stream(kind, 7, content, padding));
        }
        add(AUTHORIZER, &[PARAMS], &|t| {
            t.skipped(&record(STDIN, 7, content, padding));
        });
    }
    add(RESPONDER, &[PARAMS], &|t| {
        t.stream_then_act(1, STDIN, 7, b"ab", padding);
    });
    all
}

#[test]
fn padding_on_every_kind_of_record_at_every_pair_of_positions() {
    for padding in [0, 1, 7, 255] {
        for transcript in of_each_kind(padding) {
            let [.., from, _begin] = *transcript.starts() else {
                unreachable!("each has at least two records");
            };
            check_by_bytes(&mut Connection::<4>::new(), &transcript);
            check_every_pair_of_cuts(&Connection::<4>::new(), &transcript, from);
        }
    }
}

#[test]
fn dirt_in_padding_and_reserved_bytes_is_not_looked_at() {
    let clean = [
        padded(3, &begin(1, RESPONDER, KEEP)),
        padded(255, &params(1, &[("A", "b")])),
        padded(7, &end_of(PARAMS, 1)),
        padded(1, &stream(STDIN, 1, b"body")),
        padded(2, &end_of(STDIN, 1)),
    ]
    .concat();
    let (mut of_clean, mut of_dirty) = (Log::new(), Log::new());
    feed(&mut Connection::<1>::new(), &clean, 0, &mut of_clean).unwrap();
    feed(
        &mut Connection::<1>::new(),
        &dirty(&clean),
        0,
        &mut of_dirty,
    )
    .unwrap();
    assert_eq!(of_clean, of_dirty);
    assert_eq!(of_clean.len(), 5);
}

#[test]
fn receive_before_begin_stops_at_every_begin_whatever_the_cut() {
    let begun = begin(1, RESPONDER, KEEP);
    let first = [
        padded(7, &end_of(PARAMS, 1)),
        stream(STDIN, 1, b"abc"),
        get_values(&["FCGI_MAX_REQS"]),
        padded(255, &abort(1)),
    ]
    .concat();
    let next = [padded(1, &begin(2, RESPONDER, KEEP)), end_of(PARAMS, 2)].concat();
    let bytes = [&*first, &next].concat();
    for cut in 0..=bytes.len() {
        let mut connection = Connection::<1>::new();
        let event = connection.receive(&mut &begun[..]);
        assert!(matches!(event, Ok(Some(Event::Begin { .. }))));
        let (mut at, mut body, mut others) = (0, Vec::new(), 0);
        for end in [cut, bytes.len()] {
            // What was not taken stays in the buffer, before what is read next.
            let mut rest = &bytes[at..end];
            while let Some(event) = connection.receive_before_begin(&mut rest).unwrap() {
                match event {
                    Event::Stdin { bytes, .. } => body.extend(bytes),
                    Event::Begin { .. } => panic!("it stops before a begin"),
                    _ => others += 1,
                }
            }
            at = end - rest.len();
        }
        assert_eq!((&*body, others), (&b"abc"[..], 3), "cut at {cut}");
        let mut rest = &bytes[at..];
        assert_eq!(rest.len(), next.len() - 8, "only the header is taken");
        assert_eq!(
            connection.receive_before_begin(&mut rest),
            Ok(None),
            "still"
        );
        assert!(!connection.end(rid(1), 0).unwrap().is_empty());
        let event = connection.receive(&mut rest);
        assert!(matches!(event, Ok(Some(Event::Begin { id, .. })) if id == rid(2)));
        let event = connection.receive_before_begin(&mut rest);
        assert_eq!(event, Ok(Some(Event::ParamsEnd { id: rid(2) })));
    }
}
