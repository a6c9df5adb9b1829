//! The loop itself: its deadlines, its end, and its life as a guest.

mod kit;

use std::io::{self, Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use fcgi_mio::{Loop, Settings, whole};
use fcgi_tests::blocking::WebServer;
use fcgi_tests::hand::*;
use kit::*;

#[test]
fn deadlines() {
    let short = Duration::from_millis(60);
    let start = [begin(1, RESPONDER, KEEP), params(1, GET)].concat();
    let body = [&start[..], &end_of(PARAMS, 1), &stream(STDIN, 1, b"x")].concat();
    let huge = responder(1, KEEP, GET, b"huge");
    let cases = [
        (Settings::new().header_timeout(short), start, 1),
        (Settings::new().body_timeout(short), body, 1),
        (Settings::new().write_timeout(short), huge, 1),
        (Settings::new().idle_timeout(short), Vec::new(), 0),
    ];
    for (settings, sent, timed_out) in cases {
        let app = App::unix(settings, || {
            whole(|_, response| response.body(vec![0; 8 << 20]))
        });
        let mut peer = app.connect();
        let began = Instant::now();
        peer.send(sent);
        app.wait_until("it is closed", |c| c.closed == 1);
        assert!(began.elapsed() >= short, "too early: {:?}", began.elapsed());
        assert!(began.elapsed() < Duration::from_secs(10));
        assert_eq!(app.counters().timed_out, timed_out);
        let mut rest = Vec::new();
        let _ = peer.connection.read_to_end(&mut rest);
    }
}

#[test]
fn a_guest_in_somebody_elses_poll() {
    let address = "127.0.0.1:0".parse().unwrap();
    let listener = fcgi_listen::Listener::bind(&address, &Default::default()).unwrap();
    let fcgi_listen::Address::Ip(ip) = listener.local_address().unwrap() else {
        panic!("not what was bound");
    };
    let mut poll = mio::Poll::new().unwrap();
    let mut events = mio::Events::with_capacity(8);
    let tokens = 10..10 + 2 + 4;
    let settings = Settings::new().max_connections(4);
    let too_few = Loop::new(
        poll.registry(),
        10..14,
        Vec::new(),
        settings.clone(),
        whole(echo),
    );
    assert!(too_few.is_err_and(|error| error.kind() == std::io::ErrorKind::InvalidInput));
    let mut guest = Loop::new(
        poll.registry(),
        tokens,
        vec![listener],
        settings,
        whole(echo),
    )
    .unwrap();
    // A source of the host's, with a token of its own.
    let (mut sender, mut receiver) = mio::unix::pipe::new().unwrap();
    let mine = mio::Token(3);
    poll.registry()
        .register(&mut receiver, mine, mio::Interest::READABLE)
        .unwrap();
    let handle = guest.handle();
    let web_server = thread::spawn(move || {
        for _ in 0..20 {
            let connection = fcgi_tests::address::Address::Tcp(ip).connect().unwrap();
            let mut peer = WebServer { connection };
            lives(&mut peer);
            lives(&mut peer);
        }
        sender.write_all(b"x").unwrap();
        handle.stop(Duration::from_secs(5));
    });
    let mut heard = 0;
    while !guest.is_finished() {
        let deadline = guest.next_deadline();
        let wait = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        poll.poll(&mut events, wait).unwrap();
        for event in &events {
            let is_mine = event.token() == mine;
            assert_ne!(guest.ready(event), is_mine);
            heard += usize::from(is_mine);
        }
        guest.expired();
    }
    web_server.join().unwrap();
    assert!(heard >= 1);
    assert_eq!(guest.handle().counters().ended, 40);
}

#[test]
fn a_stop_refuses_new_requests_and_ends_what_runs() {
    let app = App::tcp(Settings::new(), || whole(echo));
    let (mut busy, mut idle) = (app.connect(), app.connect());
    lives(&mut idle);
    busy.send([begin(1, RESPONDER, KEEP), params(1, GET), end_of(PARAMS, 1)].concat());
    busy.sync();
    app.handle.stop(Duration::from_secs(20));
    idle.expect_end();
    busy.send(responder(2, KEEP, GET, b""));
    is_bare(&busy.answer(2), OVERLOADED);
    assert!(app.address.connect().is_err(), "nobody listens any more");
    busy.send([stream(STDIN, 1, b"late"), end_of(STDIN, 1)].concat());
    assert_eq!(busy.answer(1).body(), b"[]late");
    busy.expect_end();
    app.stop(Duration::from_secs(20)).expect("a graceful stop");
}

#[test]
fn a_stop_waits_for_a_request_that_comes_in_pieces() {
    let app = App::tcp(Settings::new(), || whole(echo));
    let (mut rests, mut asks) = (app.connect(), app.connect());
    lives(&mut rests);
    lives(&mut asks);
    app.handle.stop(Duration::from_secs(20));
    let request = responder(1, KEEP, GET, b"late");
    let (first, rest) = request.split_at(5);
    let before = app.counters().bytes_in;
    rests.send(first);
    app.wait_until("a piece is there", |c| c.bytes_in > before);
    rests.send(rest);
    assert_eq!(rests.answer(1).body(), b"[]late");
    rests.expect_end();
    // Questions are answered, and do not make the wait longer.
    while asks
        .connection
        .write_all(&get_values(&["FCGI_MAX_REQS"]))
        .is_ok()
    {
        thread::sleep(Duration::from_millis(20));
    }
    app.stop(Duration::from_secs(20)).expect("a graceful stop");
}

#[test]
fn a_stop_cuts_off_what_takes_too_long() {
    let app = App::tcp(Settings::new(), || whole(echo));
    let mut busy = app.connect();
    busy.send([begin(1, RESPONDER, KEEP), params(1, GET)].concat());
    busy.sync();
    let error = app
        .stop(Duration::from_millis(50))
        .expect_err("it was running");
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    busy.expect_end_or_reset();
}
