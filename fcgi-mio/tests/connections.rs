//! Connections: multiplexed, paused, half-closed, deserted and kept.

mod kit;

use std::net::Shutdown;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use fcgi_mio::{Deferred, Gone, Settings, Whole, whole};
use fcgi_tests::hand::*;
use kit::*;

/// A service that hands every request whose QUERY_STRING is not "lives" to the test.
fn deferring() -> (
    impl FnOnce() -> Whole<Box<Handler>> + Send + 'static,
    Receiver<Deferred>,
) {
    let (sender, receiver) = channel();
    let make = move || {
        let handler: Box<Handler> = Box::new(move |request, response| {
            if request.param("QUERY_STRING") == Some(b"lives") {
                return echo(request, response);
            }
            let deferred = response.defer()?;
            sender.send(deferred).expect("the test still runs");
            Ok(())
        });
        whole(handler)
    };
    (make, receiver)
}

type Handler =
    dyn FnMut(&fcgi_mio::Request<'_>, &mut fcgi_mio::Response<'_>) -> std::io::Result<()>;

fn patiently(receiver: &Receiver<Deferred>) -> Deferred {
    receiver
        .recv_timeout(Duration::from_secs(20))
        .expect("the handler is called")
}

#[test]
fn sixteen_requests_interleaved_byte_by_byte() {
    everywhere(
        |s| s,
        echo,
        |app, peer| {
            let requests: Vec<Vec<u8>> = (1..=16)
                .map(|id| {
                    let query = format!("number {id}");
                    responder(
                        id,
                        KEEP,
                        &[("QUERY_STRING", query.as_str())],
                        query.as_bytes(),
                    )
                })
                .collect();
            // Record by record in turn, and then the same bytes cut everywhere.
            let records: Vec<_> = requests.iter().map(|request| parse(request)).collect();
            let mut sent = Vec::new();
            for at in 0..records[0].len() {
                sent.extend(records.iter().flat_map(|records| records[at].bytes()));
            }
            for piece in [sent.len(), 1, 7, 100] {
                for piece in sent.chunks(piece) {
                    peer.send(piece);
                }
                let mut bytes = Vec::new();
                while answers(&bytes)
                    .values()
                    .filter(|answer| answer.end.is_some())
                    .count()
                    < 16
                {
                    bytes.extend(peer.record().bytes());
                }
                for (id, answer) in answers(&bytes) {
                    let expected = format!("[number {id}]number {id}");
                    assert_eq!(answer.body(), expected.as_bytes());
                    assert_eq!(answer.end, Some((0, REQUEST_COMPLETE)));
                }
            }
            assert_eq!(app.counters().multiplexed, 4 * 15);
        },
    );
}

#[test]
fn large_answers_share_the_connection() {
    let app = App::unix(Settings::new(), || {
        whole(|request, response| {
            let id = u8::try_from(request.id().get()).expect("a small id");
            response.body(vec![id; 1 << 20])
        })
    });
    let mut peer = app.connect();
    peer.send(
        (1..=3)
            .flat_map(|id| responder(id, KEEP, GET, b""))
            .collect::<Vec<u8>>(),
    );
    let mut bytes = Vec::new();
    let mut ended = Vec::new();
    let mut turns = Vec::new();
    while ended.len() < 3 {
        let record = peer.record();
        if record.kind == END_REQUEST {
            ended.push(record.id);
        }
        if record.content.len() > 1000 && ended.is_empty() {
            turns.push(record.id);
        }
        bytes.extend(record.bytes());
    }
    for id in 1..=3 {
        assert!(
            turns.windows(6).all(|window| window.contains(&id)),
            "{id} waits in {turns:?}"
        );
    }
    for (id, answer) in answers(&bytes) {
        assert_eq!(answer.body().len(), 1 << 20);
        assert!(answer.body().iter().all(|byte| u16::from(*byte) == id));
    }
}

#[test]
fn reading_pauses_in_the_middle_of_a_slice_and_goes_on() {
    everywhere(
        |s| s,
        |request, response| {
            echo(request, response)?;
            let lives = request.param("QUERY_STRING") == Some(b"lives");
            response.write(vec![b'.'; if lives { 0 } else { 50_000 }])
        },
        |app, peer| {
            // All of them fit into one read, their answers into no socket.
            let count = 300;
            let all: Vec<u8> = (1..=count)
                .flat_map(|id| responder(id, KEEP, GET, b"abc"))
                .collect();
            assert!(all.len() < 65_536);
            peer.send(all);
            app.wait_until("it pauses", |c| c.paused > 0);
            assert!(app.counters().begun < u64::from(count));
            for id in 1..=count {
                let answer = peer.answer(id);
                assert!(answer.body().starts_with(b"[]abc."));
                assert_eq!(answer.body().len(), 50_005);
            }
        },
    );
}

#[test]
fn another_thread_completes_a_request() {
    let (make, receiver) = deferring();
    let app = App::tcp(Settings::new(), make);
    let mut peer = app.connect();
    peer.send([responder(1, KEEP, GET, b""), responder(2, KEEP, GET, b"")].concat());
    let (first, mut second) = (patiently(&receiver), patiently(&receiver));
    // Neither of them stops another request, on their own connection or elsewhere.
    lives(&mut peer);
    second.status(404).unwrap();
    second.header("Content-Type", "text/plain").unwrap();
    second.app_status(7);
    assert!(!second.is_gone());
    second.complete("not here").unwrap();
    let answer = peer.answer(2);
    assert!(answer.head().starts_with("Status: 404 "));
    assert_eq!(
        (answer.body(), answer.end),
        (&b"not here"[..], Some((7, REQUEST_COMPLETE)))
    );
    first.complete(vec![b'x'; 300_000]).unwrap();
    assert_eq!(peer.answer(1).body().len(), 300_000);
    lives(&mut peer);
}

#[test]
fn a_late_completion_is_gone_also_when_the_id_is_used_again() {
    let (make, receiver) = deferring();
    let app = App::tcp(Settings::new(), make);
    let mut peer = app.connect();
    peer.send(responder(1, KEEP, GET, b""));
    let late = patiently(&receiver);
    peer.send(abort(1));
    assert_eq!(peer.answer(1).end, Some((1, REQUEST_COMPLETE)));
    assert!(late.is_gone());
    peer.send(responder(1, KEEP, GET, b""));
    let current = patiently(&receiver);
    assert_eq!(late.complete("for the first"), Err(Gone));
    current.complete("for the second").unwrap();
    assert_eq!(peer.answer(1).body(), b"for the second");
    // Another connection in the same slot.
    peer.send(responder(1, CLOSE, GET, b""));
    let late = patiently(&receiver);
    drop(peer);
    app.wait_until("it is closed", |c| c.closed >= 1 || c.bytes_out > 0);
    let mut next = app.connect();
    next.send(responder(1, KEEP, GET, b""));
    patiently(&receiver).complete("next").unwrap();
    // Whether or not the first is known to have gone: nothing of it reaches the second.
    let _ = late.complete("for nobody");
    assert_eq!(next.answer(1).body(), b"next");
    lives(&mut next);
}

#[test]
fn a_hang_up_reaches_what_runs() {
    let (make, receiver) = deferring();
    let app = App::unix(Settings::new(), make);
    let mut peer = app.connect();
    peer.send(responder(1, KEEP, GET, b""));
    let deferred = patiently(&receiver);
    drop(peer);
    app.wait_until("it is aborted", |c| c.aborted == 1 && c.closed == 1);
    assert!(deferred.is_gone());
    assert_eq!(deferred.complete("late"), Err(Gone));
}

#[test]
fn the_end_of_a_loop_leaves_no_handle_in_doubt() {
    let (make, receiver) = deferring();
    let app = App::unix(Settings::new(), make);
    let mut peer = app.connect();
    peer.send(responder(1, KEEP, GET, b""));
    let deferred = patiently(&receiver);
    app.stop(Duration::ZERO).expect_err("a request was running");
    assert_eq!(deferred.complete("late"), Err(Gone));
}

#[test]
fn after_a_half_close_answers_go_on() {
    for unix in [false, true] {
        let (make, receiver) = deferring();
        let app = match unix {
            true => App::unix(Settings::new(), make),
            false => App::tcp(Settings::new(), make),
        };
        let mut peer = app.connect();
        peer.send([responder(1, KEEP, GET, b""), begin(2, RESPONDER, KEEP)].concat());
        peer.send(params(2, GET));
        peer.connection.shutdown(Shutdown::Write).unwrap();
        let deferred = patiently(&receiver);
        // The one whose input was cut off is over.
        assert_eq!(peer.answer(2).end, Some((1, REQUEST_COMPLETE)));
        deferred.complete("still here").unwrap();
        assert_eq!(peer.answer(1).body(), b"still here");
        peer.expect_end();
        app.wait_until("it is closed", |c| c.closed == 1);
    }
}

#[test]
fn data_and_end_before_the_wait() {
    for app in [
        App::unix(Settings::new(), || whole(echo)),
        App::tcp(Settings::new(), || whole(echo)),
    ] {
        for size in [0, 60_000] {
            let mut peer = app.connect();
            peer.send(responder(1, KEEP, GET, &vec![b'x'; size]));
            peer.connection.shutdown(Shutdown::Write).unwrap();
            assert_eq!(peer.answer(1).body().len(), size + 2);
            peer.expect_end();
        }
        // Not the first request of its connection.
        let mut peer = app.connect();
        lives(&mut peer);
        peer.send(responder(1, KEEP, GET, b""));
        peer.connection.shutdown(Shutdown::Write).unwrap();
        assert_eq!(peer.answer(1).body(), b"[]");
        peer.expect_end();
    }
}

#[test]
fn input_cut_off_ends_its_request() {
    let steps = [
        begin(1, RESPONDER, KEEP),
        params(1, GET),
        end_of(PARAMS, 1),
        stream(STDIN, 1, b"some"),
    ];
    let app = App::tcp(Settings::new(), || whole(echo));
    for count in 1..=steps.len() {
        let mut peer = app.connect();
        peer.send(steps[..count].concat());
        peer.connection.shutdown(Shutdown::Write).unwrap();
        let answer = peer.answer(1);
        assert_eq!(
            (answer.end, &*answer.stdout),
            (Some((1, REQUEST_COMPLETE)), &b""[..])
        );
        peer.expect_end();
    }
}

#[test]
fn the_last_answer_is_not_lost_with_unread_input() {
    let app = App::tcp(Settings::new().max_body(10), || whole(echo));
    let mut peer = app.connect();
    peer.send(
        [
            begin(1, RESPONDER, CLOSE),
            params(1, GET),
            end_of(PARAMS, 1),
        ]
        .concat(),
    );
    peer.send(stream(STDIN, 1, &[b'x'; 500_000]));
    std::thread::sleep(Duration::from_millis(50));
    is_page(&peer.answer(1), "413", 0);
    peer.expect_end();
}

#[test]
fn five_hundred_kept_connections() {
    let app = App::unix(Settings::new(), || whole(echo));
    let mut peers: Vec<_> = (0..500).map(|_| app.connect()).collect();
    for _ in 0..4 {
        for peer in &mut peers {
            peer.send(responder(1, KEEP, &[("QUERY_STRING", "kept")], b"!"));
        }
        for peer in &mut peers {
            assert_eq!(peer.answer(1).body(), b"[kept]!");
        }
    }
    assert_eq!((app.counters().accepted, app.counters().ended), (500, 2000));
}

#[test]
fn one_connection_more_than_there_may_be_waits() {
    let app = App::unix(Settings::new().max_connections(2), || whole(echo));
    let (mut first, mut second, mut third) = (app.connect(), app.connect(), app.connect());
    lives(&mut first);
    lives(&mut second);
    third.send(responder(1, KEEP, GET, b""));
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(app.counters().accepted, 2);
    drop(first);
    assert_eq!(third.answer(1).body(), b"[]");
}
