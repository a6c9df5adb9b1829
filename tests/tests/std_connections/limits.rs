//! How many connections, from whom, and how many threads.

use std::sync::Mutex;
use std::sync::mpsc::channel;

use fcgi_tests::hand;

use super::*;

/// Longer than any test waits.
const LONG: Duration = Duration::from_secs(60);

#[test]
fn one_connection_too_many_closes_the_one_that_is_idle_longest() {
    for (least, most) in WORKERS {
        let app = blocking::unix(|s| s.workers(least, most).max_connections(2), answer);
        let (mut a, mut b) = (app.connect(), app.connect());
        lives(&mut a);
        thread::sleep(Duration::from_millis(2));
        lives(&mut b);
        thread::sleep(Duration::from_millis(2));
        lives(&mut a);
        thread::sleep(Duration::from_millis(2));
        // B has rested longer, although it came later.
        let mut c = app.connect();
        lives(&mut c);
        b.expect_end();
        lives(&mut a);
        lives(&mut c);
    }
}

#[test]
fn one_connection_too_many_waits_while_none_is_idle() {
    for (least, most, is_kept) in [(2, 2, true), (2, 2, false), (1, 4, true), (1, 4, false)] {
        let gate = Gate::default();
        let at_gate = gate.clone();
        let app = blocking::unix(
            |s| s.workers(least, most).max_connections(2),
            move |request: &mut Request| {
                if request.params.text("QUERY_STRING") == "wait" {
                    at_gate.pass();
                }
                answer(request)
            },
        );
        let (mut busy, mut slow) = (app.connect(), app.connect());
        busy.send(request(1, KEEP, "wait", b""));
        gate.wait_for_one();
        slow.send(begin(1, RESPONDER, KEEP));
        slow.sync();
        let mut third = app.connect();
        third.send(request(1, KEEP, "x", b""));
        third
            .connection
            .set_read_patience(Duration::from_millis(50))
            .unwrap();
        let early = hand::read_record(&mut third.connection);
        assert!(early.is_err(), "{early:?} although there are two");
        third
            .connection
            .set_read_patience(blocking::PATIENCE)
            .unwrap();
        // As soon as one is idle or gone, it comes in.
        gate.let_through(1);
        assert_eq!(busy.answer(1).body(), b"[wait]");
        if is_kept {
            busy.expect_end();
        }
        drop(busy);
        assert_eq!(third.answer(1).body(), b"[x]");
        slow.send([end_of(PARAMS, 1), end_of(STDIN, 1)].concat());
        assert_eq!(slow.answer(1).body(), b"[]");
    }
}

#[test]
fn strangers_are_turned_away() {
    for (list, welcome) in [
        ("127.0.0.1", true),
        ("10.1.2.3, 127.0.0.1", true),
        ("10.1.2.3", false),
        ("::1", false),
        ("", true),
    ] {
        let web_servers: fcgi_std::WebServerAddrs = list.parse().unwrap();
        let app = blocking::tcp(|s| s.allow(web_servers), answer);
        let mut peer = app.connect();
        if welcome {
            lives(&mut peer);
        } else {
            peer.expect_end();
            app.wait_for_incident("is not in FCGI_WEB_SERVER_ADDRS");
        }
    }
}

#[test]
fn unix_peers_pass_a_list_only_when_it_says_so() {
    for allow in [false, true] {
        let web_servers: fcgi_std::WebServerAddrs = "127.0.0.1".parse().unwrap();
        let app = blocking::unix(|s| s.allow(web_servers.allow_unix(allow)), answer);
        if allow {
            lives(&mut app.connect());
        } else {
            app.connect().expect_end();
        }
    }
}

#[test]
fn the_pool_grows_as_long_as_all_are_busy_up_to_its_maximum() {
    let gate = Gate::default();
    let at_gate = gate.clone();
    let app = blocking::unix(
        |s| s.workers(1, 3),
        move |request: &mut Request| {
            at_gate.pass();
            answer(request)
        },
    );
    let mut peers: Vec<_> = (0..5).map(|_| app.connect()).collect();
    for peer in &mut peers {
        peer.send(request(1, KEEP, "x", b""));
    }
    for _ in 0..3 {
        gate.wait_for_one();
    }
    // The other two wait for a worker, and come when there is one.
    gate.let_through(1);
    gate.wait_for_one();
    gate.let_through(1);
    gate.wait_for_one();
    gate.let_through(3);
    for peer in &mut peers {
        assert_eq!(peer.answer(1).body(), b"[x]");
    }
}

/// An extra worker leaves when it has had nothing to do for ten seconds, but not the last one that
/// is not busy.
#[test]
fn somebody_waits_for_connections_while_one_request_takes_long() {
    let (release, released) = channel::<()>();
    let (arrived, arrival) = channel();
    let (released, arrived) = (Mutex::new(released), Mutex::new(arrived));
    let app = blocking::unix(
        |s| s.workers(1, 2),
        move |request: &mut Request| {
            if request.params.text("QUERY_STRING") == "long" {
                arrived.lock().unwrap().send(()).unwrap();
                let _ = released.lock().unwrap().recv_timeout(LONG);
            }
            answer(request)
        },
    );
    let mut long = app.connect();
    long.send(request(1, KEEP, "long", b""));
    arrival.recv_timeout(blocking::PATIENCE).unwrap();
    thread::sleep(Duration::from_secs(11));
    lives(&mut app.connect());
    release.send(()).unwrap();
    assert_eq!(long.answer(1).body(), b"[long]");
}
