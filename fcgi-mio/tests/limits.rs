//! Limits and deadlines in combinations.

mod kit;

use std::io;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::Duration;

use fcgi_mio::{
    Body, Chunk, Deferred, Plan, Producer, Request, Response, Service, Settings, Task, whole,
};
use fcgi_tests::hand::*;
use kit::*;

#[test]
fn a_refused_request_makes_no_room_for_another() {
    let (sender, deferred) = channel();
    let app = App::unix(Settings::new().max_requests(2), move || {
        whole(move |request, response| {
            if request.param("QUERY_STRING") == Some(b"lives") {
                return echo(request, response);
            }
            sender.send(response.defer()?).expect("the test runs");
            Ok(())
        })
    });
    let held = |receiver: &Receiver<Deferred>| {
        let patience = Duration::from_secs(20);
        receiver.recv_timeout(patience).expect("it is served")
    };
    let (mut one, mut two) = (app.connect(), app.connect());
    one.send([responder(1, KEEP, GET, b""), responder(2, KEEP, GET, b"")].concat());
    for _ in 1..=2 {
        let handle = held(&deferred);
        handle.complete("").expect("it waits");
    }
    let _ = (one.record(), one.record());
    app.wait_until("both have ended", |c| c.ended == 2);
    one = app.connect();
    one.send(responder(1, KEEP, GET, b""));
    let first = held(&deferred);
    two.send(responder(1, KEEP, GET, b""));
    let second = held(&deferred);
    for _ in 0..5 {
        is_page(&one.ask(3, responder(3, KEEP, GET, b"")), "503", 0);
    }
    for (peer, handle) in [(&mut one, first), (&mut two, second)] {
        handle.complete("done").expect("it waits");
        assert_eq!(peer.answer(1).body(), b"done");
        lives(peer);
    }
    let counters = app.counters();
    assert_eq!((counters.begun, counters.ended), (11, 11));
}

#[test]
fn a_request_more_than_a_connection_takes_is_reported() {
    for multiplex in [1, 3, 16] {
        let reports = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&reports);
        let settings = Settings::new()
            .multiplex(multiplex)
            .on_incident(move |incident| {
                kept.lock().unwrap().push(incident.to_string());
            });
        let app = App::reporting("127.0.0.1:0", settings, || whole(echo));
        let mut peer = app.connect();
        let most = u16::try_from(multiplex).unwrap();
        peer.send(
            (1..=most)
                .flat_map(|id| begin(id, RESPONDER, KEEP))
                .collect::<Vec<u8>>(),
        );
        let status = if most == 1 { CANT_MPX_CONN } else { OVERLOADED };
        is_bare(&peer.ask(99, begin(99, RESPONDER, KEEP)), status);
        for id in 1..=most {
            peer.send([params(id, GET), end_of(PARAMS, id), end_of(STDIN, id)].concat());
            assert_eq!(peer.answer(id).body(), b"[]");
        }
        let reports = reports.lock().unwrap();
        assert!(
            reports.len() == 1 && reports[0].starts_with("request 99 refused"),
            "{reports:?}"
        );
        let counters = app.counters();
        assert_eq!((counters.begun, counters.ended), (most.into(), most.into()));
        assert_eq!(counters.refused, 1);
    }
}

/// Answers its first piece of input with a body, and ends with its input.
struct Answers;

struct Answering(Option<Body>);

impl Service for Answers {
    type Task = Answering;

    fn begin(&mut self, request: &Request<'_>) -> Plan<Answering> {
        Plan::Stream(Answering(Some(match request.param("QUERY_STRING") {
            Some(b"slow") => Body::producer(Slow(200)),
            _ => vec![b'x'; 8 << 20].into(),
        })))
    }

    fn whole(&mut self, _: &Request<'_>, _: &mut Response<'_>) -> io::Result<()> {
        Err(io::Error::other("every request streams"))
    }
}

impl Task for Answering {
    fn input(&mut self, bytes: &[u8], response: &mut Response<'_>) -> io::Result<()> {
        if let Some(body) = self.0.take() {
            response.body(body)?;
        }
        if bytes == b"last" {
            response.end();
        }
        Ok(())
    }

    fn input_end(&mut self, response: &mut Response<'_>) -> io::Result<()> {
        response.end();
        Ok(())
    }
}

/// So many pieces, for each of which the whole loop has to wait a little.
struct Slow(usize);

impl Producer for Slow {
    fn produce(&mut self, chunk: &mut Chunk<'_>) -> io::Result<bool> {
        sleep(Duration::from_millis(5));
        chunk.write(&[b'x'; 20_000]);
        self.0 -= 1;
        Ok(self.0 > 0)
    }
}

#[test]
fn time_in_which_an_answer_is_not_read_does_not_count_for_the_body() {
    let app = App::tcp(Settings::new().body_timeout(Duration::from_secs(3)), || {
        Answers
    });
    let mut peer = app.connect();
    peer.send([begin(1, RESPONDER, KEEP), params(1, GET), end_of(PARAMS, 1)].concat());
    peer.send(stream(STDIN, 1, b"one"));
    // What is measured is the patience of the server.
    sleep(Duration::from_secs(4));
    let mut read = 0;
    while read < 8 << 20 {
        read += peer.record().content.len();
    }
    peer.send([stream(STDIN, 1, b"two"), end_of(STDIN, 1)].concat());
    assert_eq!(peer.answer(1).end, Some((0, REQUEST_COMPLETE)));
    assert_eq!(app.counters().timed_out, 0);
}

#[test]
fn a_request_that_has_its_answer_waits_for_no_body() {
    let app = App::tcp(
        Settings::new().body_timeout(Duration::from_millis(200)),
        || Answers,
    );
    let mut peer = app.connect();
    let slow = [("QUERY_STRING", "slow")];
    peer.send(
        [
            begin(1, RESPONDER, KEEP),
            params(1, &slow),
            end_of(PARAMS, 1),
        ]
        .concat(),
    );
    peer.send(stream(STDIN, 1, b"last"));
    let answer = peer.answer(1);
    assert_eq!(answer.body().len(), 200 * 20_000);
    assert_eq!(answer.end, Some((0, REQUEST_COMPLETE)));
    assert_eq!(app.counters().timed_out, 0);
}

#[test]
fn a_refused_upload_keeps_the_connection_open_for_its_rest() {
    let app = App::tcp(Settings::new().max_body(10), || whole(echo));
    let mut peer = app.connect();
    let long = [("CONTENT_LENGTH", "500000")];
    peer.send([begin(1, RESPONDER, KEEP), begin(2, RESPONDER, CLOSE)].concat());
    peer.send([params(1, &long), end_of(PARAMS, 1)].concat());
    is_page(&peer.answer(1), "413", 0);
    peer.send([params(2, GET), end_of(PARAMS, 2), end_of(STDIN, 2)].concat());
    assert_eq!(peer.answer(2).body(), b"[]");
    for _ in 0..10 {
        peer.send(stream(STDIN, 1, &[b'x'; 50_000]));
    }
    peer.send(end_of(STDIN, 1));
    peer.expect_end();
}

#[test]
fn a_file_that_was_cut_does_not_pass_for_a_short_one() {
    everywhere(
        |s| s,
        echo,
        |_, peer| {
            let mut filter = |length: &str| {
                let pairs = [("CONTENT_LENGTH", "2"), ("FCGI_DATA_LENGTH", length)];
                let head = [begin(1, FILTER, KEEP), params(1, &pairs), end_of(PARAMS, 1)];
                let stdin = [stream(STDIN, 1, b"in"), end_of(STDIN, 1)];
                let data = [stream(DATA, 1, b"file"), end_of(DATA, 1)];
                peer.ask(1, [head.concat(), stdin.concat(), data.concat()].concat())
            };
            assert_eq!(filter("4").body(), b"[]filein");
            assert_eq!(filter("3").body(), b"[]filin");
            assert_eq!(filter("").body(), b"[]filein");
            is_page(&filter("5"), "400", 1);
        },
    );
}

#[test]
fn the_most_of_everything() {
    let most = (usize::MAX, Duration::MAX);
    let settings = Settings::new()
        .max_connections(most.0)
        .max_requests(most.0)
        .multiplex(most.0)
        .params_limits(most.0, most.0)
        .max_body(most.0)
        .header_timeout(most.1)
        .idle_timeout(most.1)
        .body_timeout(most.1)
        .write_timeout(most.1)
        .drain(most.0, most.1);
    let app = App::tcp(settings, || whole(echo));
    let mut busy = app.connect();
    lives(&mut busy);
    let head = [begin(1, RESPONDER, KEEP), end_of(PARAMS, 1)].concat();
    busy.send([head, stream(STDIN, 1, b"body")].concat());
    busy.sync();
    app.handle.stop(Duration::MAX);
    busy.send(end_of(STDIN, 1));
    assert_eq!(busy.answer(1).body(), b"[]body");
    busy.expect_end();
    app.stop(Duration::MAX).expect("nothing was cut off");
}

#[test]
fn the_least_of_everything() {
    let settings = Settings::new()
        .max_connections(0)
        .multiplex(0)
        .header_timeout(Duration::ZERO)
        .body_timeout(Duration::ZERO)
        .write_timeout(Duration::ZERO)
        .drain(0, Duration::ZERO);
    let app = App::unix(settings, || whole(echo));
    let (mut first, mut second) = (app.connect(), app.connect());
    lives(&mut first);
    drop(first);
    lives(&mut second);
    second.send(begin(1, RESPONDER, KEEP));
    second.expect_end_or_reset();
    assert_eq!(app.counters().timed_out, 1);
    // Refusals, after which the connection is as it was.
    let head = begin(1, RESPONDER, KEEP);
    let bare = [head, end_of(PARAMS, 1), end_of(STDIN, 1)].concat();
    let with_body = responder(1, KEEP, &[("CONTENT_LENGTH", "1")], b"1");
    for (settings, refused, status, is_served) in [
        (Settings::new().max_requests(0), &bare, "503", false),
        (Settings::new().params_limits(0, 0), &with_body, "431", true),
        (Settings::new().max_body(0), &with_body, "413", true),
    ] {
        let app = App::unix(settings, || whole(echo));
        let mut peer = app.connect();
        is_page(&peer.ask(1, refused), status, 0);
        assert_eq!(peer.ask(1, &bare).body() == b"[]", is_served);
    }
}
