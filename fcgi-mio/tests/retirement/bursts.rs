//! Requests that come together with the last one, or behind it.

use std::thread;

use fcgi_tests::blocking::WebServer;
use fcgi_tests::hand::*;

use super::*;

/// After the last one, also the connection that brought it brings no other.
#[test]
fn a_request_behind_the_last_one_is_refused() {
    let (handler, receiver) = holding();
    let app = Retiring::start(Shape::Server, 2, handler);
    let mut peer = app.connect();
    peer.send(request("held"));
    let first = held(&receiver);
    let answer = peer.ask(2, responder(2, KEEP, GET, b"last"));
    assert_eq!(answer.body(), b"[]last");
    is_bare(&peer.ask(3, responder(3, KEEP, GET, b"")), OVERLOADED);
    first.complete("at last").unwrap();
    assert_eq!(peer.answer(1).body(), b"at last");
    peer.expect_end();
    drop(peer);
    app.ends_after(2);
}

/// Requests that are under way when the last one begins are none to be refused.
#[test]
fn a_burst_that_passes_the_mark() {
    for shape in SHAPES {
        let app = Retiring::start(shape, 5, echo);
        let mut peer = app.connect();
        let ids = 1..=16;
        let query = |id: u16| format!("number {id}");
        let begun = ids.clone().flat_map(|id| {
            let pairs = [("QUERY_STRING", query(id))];
            [begin(id, RESPONDER, KEEP), params(id, &pairs)].concat()
        });
        peer.send(begun.collect::<Vec<u8>>());
        peer.sync();
        let rest = ids
            .clone()
            .flat_map(|id| [end_of(PARAMS, id), end_of(STDIN, id)].concat());
        peer.send(rest.collect::<Vec<u8>>());
        let answers = answers(&peer.rest());
        assert_eq!(answers.len(), 16);
        for (id, answer) in answers {
            assert_eq!(answer.body(), format!("[number {id}]").as_bytes());
            assert_eq!(answer.end, Some((0, REQUEST_COMPLETE)));
        }
        app.ends_after(16);
    }
}

/// As many as were read with the last one are served, and all that have begun.
#[test]
fn a_burst_that_is_too_long_is_served_in_part() {
    for shape in SHAPES {
        let app = Retiring::start(shape, 5, echo);
        let mut peer = app.connect();
        // More than one turn of a connection takes in.
        let body = [b'x'; 1000];
        let burst = (1..=500).flat_map(|id| responder(id, KEEP, GET, &body));
        let burst: Vec<u8> = burst.collect();
        let connection = peer.connection.try_clone().unwrap();
        let sender = thread::spawn(move || WebServer { connection }.send(burst));
        let answers = answers(&peer.rest());
        end_of_thread(sender);
        drop(peer);
        assert!(answers.keys().copied().eq((1..).take(answers.len())));
        let is_served = |answer: &&Answer| answer.end == Some((0, REQUEST_COMPLETE));
        let served = answers.values().take_while(is_served).count();
        assert!((5..500).contains(&served), "{served}");
        let expected = [b"[]", &body[..]].concat();
        assert!(
            answers
                .values()
                .take(served)
                .all(|it| it.body() == expected)
        );
        // While one that was read in part goes on.
        let refused = answers.values().skip(served);
        refused.for_each(|answer| is_bare(answer, OVERLOADED));
        app.ends_after(served as u64);
    }
}
