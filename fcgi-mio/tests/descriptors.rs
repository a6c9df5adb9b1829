//! A process without free descriptors, alone in its process since it takes them all.

mod kit;

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fcgi_listen::Listener;
use fcgi_mio::{Incident, Loops, Server, Settings, whole};
use fcgi_tests::address::Address;
use fcgi_tests::blocking::WebServer;
use fcgi_tests::hand::*;
use kit::*;
use rustix::process::{Resource, Rlimit, setrlimit};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn without_descriptors_the_loop_serves_on_and_does_not_spin() {
    let limit = Rlimit {
        current: Some(200),
        maximum: Some(200),
    };
    setrlimit(Resource::Nofile, limit).expect("a lower limit");
    serves_on(false);
    serves_on(true);
}

/// A loop that accepts by itself, or has an acceptor.
fn serves_on(has_acceptor: bool) {
    let failures = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&failures);
    let settings = Settings::new().on_incident(move |incident| {
        if let Incident::Accept(_) = incident {
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    let any_port = "127.0.0.1:0".parse().unwrap();
    let listener = Listener::bind(&any_port, &Default::default()).unwrap();
    let fcgi_listen::Address::Ip(ip) = listener.local_address().unwrap() else {
        panic!("not what was bound");
    };
    let address = Address::Tcp(ip);
    let (handle, thread) = if has_acceptor {
        let loops = Loops::new(vec![listener], 1).settings(settings);
        let started = loops.start().unwrap();
        let handle = started.handle();
        (handle, thread::spawn(|| started.run(|_| whole(echo))))
    } else {
        let server = Server::new(vec![listener]).unwrap().settings(settings);
        (server.handle(), thread::spawn(|| server.serve(echo)))
    };
    let connect = || WebServer {
        connection: address.connect().expect("the kernel completes connections"),
    };
    // A descriptor of the application is free again only when it has noticed.
    let leaves = |peer: WebServer| {
        let closed = handle.counters().closed;
        drop(peer);
        let began = Instant::now();
        while handle.counters().closed == closed {
            assert!(began.elapsed() < PATIENCE, "it is not closed");
            thread::sleep(Duration::from_millis(2));
        }
    };
    // The loop has all that it needs when it has served somebody.
    let mut first = connect();
    lives(&mut first);
    leaves(first);
    let failed = || failures.load(Ordering::Relaxed);
    let without_descriptors = |then: &mut dyn FnMut()| {
        let (before, failed_before) = (handle.counters(), failed());
        let mut taken = Vec::new();
        while let Ok(file) = File::open("/dev/null") {
            taken.push(file);
        }
        // One is left for the web server's end; the application's has none.
        taken.pop();
        let mut waiting = connect();
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(500) || failed() < failed_before + 2 {
            assert!(began.elapsed() < PATIENCE, "accepting is not tried again");
            then();
            thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(handle.counters().accepted, before.accepted);
        // A pause before each attempt, and not a short one.
        let most = 10 + began.elapsed().as_millis() / 40;
        let attempts = failed() - failed_before;
        assert!(attempts as u128 <= most, "{attempts} attempts");
        drop(taken);
        lives(&mut waiting);
        assert_eq!(handle.counters().accepted, before.accepted + 1);
        leaves(waiting);
    };
    // Nobody is connected, and nothing but the pause wakes the loop.
    without_descriptors(&mut || {});
    // One is kept, and served meanwhile.
    let mut served = connect();
    lives(&mut served);
    without_descriptors(&mut || lives(&mut served));
    // A request runs, and ends meanwhile.
    let mut running = connect();
    lives(&mut running);
    let request = responder(1, KEEP, GET, b"some input");
    let (beginning, rest) = request.split_at(request.len() - 1);
    without_descriptors(&mut || {
        running.send(beginning);
        lives(&mut served);
        assert_eq!(running.ask(1, rest).body(), b"[]some input");
    });
    handle.stop(Duration::ZERO);
    thread.join().unwrap().unwrap();
}
