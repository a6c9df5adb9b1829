//! Several requests on one connection.

use super::*;

#[test]
fn pipelined_requests_are_served_in_order_with_any_ids() {
    everywhere(
        |s| s,
        |app| {
            for ids in [[1, 1, 1, 1, 1], [1, 2, 3, 2, 1], [7, 7, 65_535, 256, 7]] {
                let mut peer = app.connect();
                let mut all = Vec::new();
                for (turn, id) in ids.into_iter().enumerate() {
                    all.extend(request(id, KEEP, &format!("turn {turn}"), b"body"));
                }
                peer.send(all);
                for (turn, id) in ids.into_iter().enumerate() {
                    let answer = peer.answer(id);
                    assert_eq!(answer.body(), format!("[turn {turn}]body").as_bytes());
                }
                lives(&mut peer);
            }
        },
    );
}

#[test]
fn pipelined_requests_whose_bodies_nobody_reads() {
    everywhere(
        |s| s,
        |app| {
            let mut peer = app.connect();
            let requests: Vec<_> = (0..20)
                .map(|turn| request(1, KEEP, &format!("unread {turn}"), &vec![b'x'; turn * 500]))
                .collect();
            peer.send(requests.concat());
            for turn in 0..20 {
                assert_eq!(peer.answer(1).body(), format!("[unread {turn}]").as_bytes());
            }
            lives(&mut peer);
        },
    );
}

/// More in heads than what is thrown away of an unwanted body: they are no waste.
#[test]
fn many_requests_on_one_connection() {
    everywhere(
        |s| s.drain(1000, Duration::from_secs(2)),
        |app| {
            let mut peer = app.connect();
            for turn in 0..100 {
                let query = format!("turn {turn} {}", "x".repeat(100));
                let answer = peer.ask(1, request(1, KEEP, &query, b""));
                assert_eq!(answer.body(), format!("[{query}]").as_bytes());
            }
            for turn in 0..100 {
                let query = format!("unread {turn}");
                let answer = peer.ask(1, request(1, KEEP, &query, &[b'x'; 300]));
                assert_eq!(answer.body(), format!("[{query}]").as_bytes());
            }
        },
    );
}

#[test]
fn many_refusals_on_one_connection() {
    everywhere(
        |s| s.drain(1000, Duration::from_secs(2)).params_limits(100, 1),
        |app| {
            let mut peer = app.connect();
            for _ in 0..50 {
                let pairs = [("QUERY_STRING", "x"), ("A", "b")];
                let answer = peer.ask(1, responder(1, KEEP, &pairs, b"body"));
                assert!(answer.head().starts_with("Status: 431 "));
            }
            lives(&mut peer);
        },
    );
}

#[test]
fn a_connection_that_is_not_kept_is_closed_after_the_answer() {
    everywhere(
        |s| s,
        |app| {
            for body in [&b""[..], b"body"] {
                let mut peer = app.connect();
                peer.send(request(1, CLOSE, "x", body));
                assert_eq!(peer.answer(1).body(), [b"[x]", body].concat());
                peer.expect_end();
            }
            // Only the last one need not be kept.
            let mut peer = app.connect();
            lives(&mut peer);
            peer.send(request(1, CLOSE, "x", b"body"));
            assert_eq!(peer.answer(1).body(), b"[x]body");
            peer.expect_end();
        },
    );
}

#[test]
fn an_unwanted_body_is_thrown_away_while_it_is_small() {
    everywhere(
        |s| s.drain(300_000, Duration::from_secs(5)),
        |app| {
            let mut peer = app.connect();
            for late in [false, true] {
                let body = vec![b'x'; 200_000];
                let head = [
                    begin(1, RESPONDER, KEEP),
                    params(1, &[("QUERY_STRING", "unread")]),
                    end_of(PARAMS, 1),
                ];
                let body = [stream(STDIN, 1, &body), end_of(STDIN, 1)].concat();
                peer.send(head.concat());
                if !late {
                    peer.send(&body);
                }
                assert_eq!(peer.answer(1).body(), b"[unread]");
                if late {
                    peer.send(&body);
                }
                lives(&mut peer);
            }
        },
    );
}

/// The answer must not be lost by it, which over TCP takes some care.
#[test]
fn an_unwanted_body_over_the_bound_costs_the_connection_but_not_the_answer() {
    everywhere(
        |s| s.drain(10_000, Duration::from_secs(5)),
        |app| {
            for flags in [KEEP, CLOSE] {
                let mut peer = app.connect();
                let whole = request(1, flags, "unread", &vec![b'x'; 10_000_000]);
                let mut sender = peer.connection.try_clone().unwrap();
                let sending = thread::spawn(move || {
                    // It need not be taken.
                    let _ = sender.write_all(&whole);
                });
                assert_eq!(peer.answer(1).body(), b"[unread]");
                peer.expect_end();
                let _ = peer.connection.shutdown(Shutdown::Both);
                sending.join().unwrap();
            }
        },
    );
}
