//! Who closes when, and what must not be lost by it.

use fcgi_tests::address::Connection;

use super::*;

/// TCP resets the connection, and takes the answer with it, when input is unread at the close.
#[test]
fn the_answer_is_not_lost_when_the_body_is_unread() {
    everywhere(
        |s| s,
        |app| {
            for length in [0, 1, 1000, 100_000, 500_000] {
                let mut peer = app.connect();
                peer.send(request(1, CLOSE, "unread", &vec![b'x'; length]));
                // All of it has been sent, and the answer is there, before anything is read.
                peer.wait_readable();
                thread::sleep(Duration::from_millis(5));
                assert_eq!(peer.answer(1).body(), b"[unread]");
                peer.expect_end();
            }
        },
    );
}

/// The body comes after the answer and the application's end.
#[test]
fn a_body_that_comes_late_finds_nobody_and_breaks_nothing() {
    everywhere(
        |s| s,
        |app| {
            let mut peer = app.connect();
            let whole = request(1, CLOSE, "unread", &[b'x'; 50_000]);
            let (head, body) = whole.split_at(whole.len() - 50_000 - 16);
            peer.send(head);
            peer.wait_readable();
            peer.send(&body[..20_000]);
            peer.send(&body[20_000..]);
            assert_eq!(peer.answer(1).body(), b"[unread]");
            peer.expect_end();
        },
    );
}

#[test]
fn a_half_close_after_the_request_does_not_cost_the_answer() {
    everywhere(
        |s| s,
        |app| {
            for flags in [KEEP, CLOSE] {
                for (query, length) in [("x", 0), ("x", 10), ("x", 300_000), ("unread", 1000)] {
                    let body = vec![b'x'; length];
                    let mut peer = app.connect();
                    let mut sender = peer.connection.try_clone().unwrap();
                    let whole = request(1, flags, query, &body);
                    let sending = thread::spawn(move || {
                        sender.write_all(&whole).unwrap();
                        sender.shutdown(Shutdown::Write).unwrap();
                    });
                    let rest = peer.rest();
                    sending.join().unwrap();
                    let answer = &answers(&rest)[&1];
                    assert!(answer.body().starts_with(format!("[{query}]").as_bytes()));
                    let echoed = if query == "x" { length } else { 0 };
                    assert_eq!(answer.body().len(), query.len() + 2 + echoed);
                    assert_eq!(answer.end, Some((0, REQUEST_COMPLETE)));
                }
            }
        },
    );
}

#[test]
fn a_half_close_after_pipelined_requests_costs_none_of_the_answers() {
    everywhere(
        |s| s,
        |app| {
            let mut peer = app.connect();
            let requests: Vec<_> = (1..=10).map(|id| request(id, KEEP, "x", b"body")).collect();
            peer.send(requests.concat());
            peer.connection.shutdown(Shutdown::Write).unwrap();
            let all = answers(&peer.rest());
            assert_eq!(all.len(), 10);
            assert!(all.values().all(|answer| answer.body() == b"[x]body"));
        },
    );
}

/// In a header, in PARAMS, in STDIN, in padding, and between records.
#[test]
fn an_end_in_every_state() {
    let whole = padded(3, &request(1, KEEP, "x", b"body"));
    let head = whole.len() - (8 + 3) - (8 + 4 + 3);
    for (least, most) in WORKERS {
        let app = blocking::unix(|s| s.workers(least, most), answer);
        for cut in 0..=whole.len() {
            let mut peer = app.connect();
            lives(&mut peer);
            peer.send(&whole[..cut]);
            peer.connection.shutdown(Shutdown::Write).unwrap();
            let rest = peer.rest();
            let found = answers(&rest);
            if cut + 3 >= whole.len() {
                // The padding of the last record says nothing.
                assert_eq!(found[&1].body(), b"[x]body", "cut at {cut}");
            } else if cut < head - 3 {
                assert!(found.is_empty(), "cut at {cut}: {found:?}");
            } else if let Some(answer) = found.get(&1) {
                assert_ne!(answer.end, Some((0, REQUEST_COMPLETE)), "cut at {cut}");
            }
        }
        lives(&mut app.connect());
    }
}

/// Gone without a word, as a crashed web server is.
#[test]
fn a_reset_in_every_state() {
    let whole = request(1, KEEP, "x", b"body");
    for (least, most) in WORKERS {
        let app = blocking::tcp(|s| s.workers(least, most), answer);
        for cut in 0..=whole.len() {
            let mut peer = app.connect();
            peer.send(&whole[..cut]);
            let Connection::Tcp(stream) = peer.connection else {
                unreachable!("it is TCP");
            };
            rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
        }
        lives(&mut app.connect());
        // Nothing is left that a stop would have to wait for.
        app.handle().stop(Duration::from_secs(60));
        app.join().unwrap();
    }
}
