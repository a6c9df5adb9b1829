//! Servers and loops that end after so many requests.

mod bursts;
#[path = "../kit/mod.rs"]
mod kit;

use std::io::{self, Write};
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use fcgi_listen::{Listener, Options};
use fcgi_mio::{Deferred, Handle, Loop, Loops, Request, Response, Server, Settings, whole};
use fcgi_tests::address::Address;
use fcgi_tests::blocking::WebServer;
use fcgi_tests::hand::*;
use kit::*;

/// What serves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Shape {
    Server,
    /// So many loops, and a thread that accepts.
    Handed(usize),
    /// So many loops that accept.
    Dealt(usize),
}

const SHAPES: [Shape; 4] = [
    Shape::Server,
    Shape::Handed(1),
    Shape::Handed(3),
    Shape::Dealt(3),
];

/// It retires after so many requests.
struct Retiring {
    address: Address,
    handle: Handle,
    thread: JoinHandle<io::Result<()>>,
}

impl Retiring {
    fn start<F>(shape: Shape, most: u64, handler: F) -> Retiring
    where
        F: Fn(&Request<'_>, &mut Response<'_>) -> io::Result<()> + Send + Sync + 'static,
    {
        let local = "127.0.0.1:0";
        if let Shape::Dealt(loops) = shape {
            return Retiring::run(Loops::bind(local, loops).unwrap(), most, handler);
        }
        let listener = Listener::bind(&local.parse().unwrap(), &Options::new()).unwrap();
        Retiring::on(listener, shape, most, handler)
    }

    /// On a listener that is open.
    fn on<F>(listener: Listener, shape: Shape, most: u64, handler: F) -> Retiring
    where
        F: Fn(&Request<'_>, &mut Response<'_>) -> io::Result<()> + Send + Sync + 'static,
    {
        if let Shape::Handed(loops) | Shape::Dealt(loops) = shape {
            return Retiring::run(Loops::new(vec![listener], loops), most, handler);
        }
        let server = Server::new(vec![listener]).unwrap();
        let server = server.settings(settings(most));
        Retiring {
            address: address_of(&server.addresses().unwrap()[0]),
            handle: server.handle(),
            thread: thread::spawn(move || server.serve(handler)),
        }
    }

    fn run<F>(loops: Loops, most: u64, handler: F) -> Retiring
    where
        F: Fn(&Request<'_>, &mut Response<'_>) -> io::Result<()> + Send + Sync + 'static,
    {
        let address = address_of(&loops.addresses().unwrap()[0]);
        let started = loops.settings(settings(most)).start().unwrap();
        Retiring {
            address,
            handle: started.handle(),
            thread: thread::spawn(move || started.run(|_| whole(&handler))),
        }
    }

    #[track_caller]
    fn connect(&self) -> WebServer {
        let connection = self.address.connect().unwrap();
        WebServer { connection }
    }

    /// A connection that has been accepted.
    #[track_caller]
    fn accepted(&self) -> WebServer {
        let mut peer = self.connect();
        peer.sync();
        peer
    }

    /// It ends by itself, after so many requests, and has answered all of them.
    #[track_caller]
    fn ends_after(self, requests: u64) {
        end_of_thread(self.thread).unwrap();
        let counters = self.handle.counters();
        assert_eq!(counters.begun, requests, "{counters:?}");
        assert_eq!((counters.ended, counters.aborted), (requests, 0));
        assert_eq!(counters.accepted, counters.closed);
    }
}

fn settings(most: u64) -> Settings {
    // Nobody's slowness is to cost an answer.
    let drain = Duration::from_secs(60);
    let settings = Settings::new().on_incident(|_| {}).drain(1 << 20, drain);
    settings.retire_after(NonZeroU64::new(most).unwrap())
}

fn address_of(address: &fcgi_listen::Address) -> Address {
    match address {
        fcgi_listen::Address::Ip(ip) => Address::Tcp(*ip),
        fcgi_listen::Address::Unix(path) => Address::Unix(path.clone()),
        other => panic!("{other:?}"),
    }
}

/// A listener that the test keeps, as a supervisor does.
fn kept_listener() -> (Listener, Address) {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("fcgi-mio-retirement-{}-{count}.sock", std::process::id());
    let path = std::env::temp_dir().join(name);
    let address = path.to_str().unwrap().parse().unwrap();
    let listener = Listener::bind(&address, &Options::new()).unwrap();
    (listener, path.into())
}

fn request(query: &str) -> Vec<u8> {
    responder(1, KEEP, &[("QUERY_STRING", query)], b"")
}

#[track_caller]
fn is_served(peer: &mut WebServer, query: &str) {
    let answer = peer.answer(1);
    assert_eq!(answer.body(), format!("[{query}]").as_bytes());
    assert_eq!(answer.end, Some((0, REQUEST_COMPLETE)));
}

/// Requests with the query `held` are for the test to complete.
fn holding() -> (
    impl Fn(&Request<'_>, &mut Response<'_>) -> io::Result<()> + Send + Sync + 'static,
    Receiver<Deferred>,
) {
    let (sender, receiver) = mpsc::channel();
    let handler = move |request: &Request<'_>, response: &mut Response<'_>| {
        if request.param("QUERY_STRING") == Some(b"held") {
            sender.send(response.defer()?).expect("the test waits");
            return Ok(());
        }
        echo(request, response)
    };
    (handler, receiver)
}

fn held(receiver: &Receiver<Deferred>) -> Deferred {
    let patience = Duration::from_secs(60);
    receiver.recv_timeout(patience).expect("a request")
}

#[test]
fn one_connection_brings_all_requests() {
    for shape in SHAPES {
        let app = Retiring::start(shape, 3, echo);
        let mut peer = app.connect();
        for query in ["first", "second", "third"] {
            peer.send(request(query));
            is_served(&mut peer, query);
        }
        // It does not rest: it has ended, or is about to.
        let _ = peer.connection.write_all(&request("beyond"));
        peer.expect_end_or_reset();
        drop(peer);
        app.ends_after(3);
    }
}

/// All loops count together: none of them gets nine requests by itself.
#[test]
fn each_connection_brings_one_request() {
    for shape in SHAPES {
        let app = Retiring::start(shape, 9, echo);
        let mut peers: Vec<_> = (0..9).map(|_| app.accepted()).collect();
        let mut all = peers.iter_mut();
        for peer in all.by_ref().take(8) {
            peer.send(request("q"));
            is_served(peer, "q");
        }
        let last = all.next().unwrap();
        last.send(request("last"));
        is_served(last, "last");
        last.expect_end();
        // They have rested for a moment, in which nothing was on its way.
        peers[..8].iter_mut().for_each(WebServer::expect_end);
        app.ends_after(9);
    }
}

/// One less than enough.
#[test]
fn nothing_ends_before() {
    for shape in SHAPES {
        let app = Retiring::start(shape, 4, echo);
        let mut peer = app.connect();
        for _ in 0..3 {
            peer.send(request("q"));
            is_served(&mut peer, "q");
        }
        let mut another = app.accepted();
        peer.sync();
        assert!(!app.thread.is_finished());
        another.send(request("last"));
        is_served(&mut another, "last");
        app.ends_after(4);
    }
}

#[test]
fn what_runs_has_all_its_time() {
    for shape in SHAPES {
        let (handler, receiver) = holding();
        let app = Retiring::start(shape, 2, handler);
        let (mut busy, mut resting) = (app.connect(), app.accepted());
        busy.send(request("held"));
        let first = held(&receiver);
        let mut last = app.connect();
        last.send(request("last"));
        is_served(&mut last, "last");
        last.expect_end();
        // That took a moment.
        resting.expect_end();
        assert!(!app.thread.is_finished());
        first.complete("at last").unwrap();
        assert_eq!(busy.answer(1).body(), b"at last");
        busy.expect_end();
        app.ends_after(2);
    }
}

/// A stop that somebody else asks for is not longer for it.
#[test]
fn a_stop_cuts_the_retirement_short() {
    for shape in SHAPES {
        let (handler, receiver) = holding();
        let app = Retiring::start(shape, 1, handler);
        let mut busy = app.connect();
        busy.send(request("held"));
        let only = held(&receiver);
        busy.sync();
        app.handle.stop(Duration::ZERO);
        busy.expect_end_or_reset();
        let error = end_of_thread(app.thread).expect_err("it was running");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(only.is_gone());
    }
}

/// While the last request begins, two requests come over connections that are known, and one over
/// a new connection, which is for whoever comes next.
#[test]
fn what_has_come_is_served_and_nothing_else_accepted() {
    let (listener, address) = kept_listener();
    let (calls, called) = mpsc::channel();
    let (go_on, waits) = mpsc::channel::<()>();
    let mut server = Server::new(vec![listener.try_clone().unwrap()]).unwrap();
    server = server.settings(settings(3));
    let handle = server.handle();
    let thread = thread::spawn(move || {
        server.serve(|request, response| {
            if request.param("QUERY_STRING") == Some(b"last") {
                calls.send(()).expect("the test waits");
                waits.recv().expect("the test goes on");
            }
            echo(request, response)
        })
    });
    let app = Retiring {
        address,
        handle,
        thread,
    };
    let (mut kept, mut new, mut last) = (app.accepted(), app.accepted(), app.accepted());
    for peer in [&mut kept, &mut last] {
        peer.send(request("q"));
        is_served(peer, "q");
    }
    last.send(request("last"));
    called.recv().unwrap();
    kept.send(request("kept"));
    new.send(request("new"));
    let mut next = app.connect();
    next.send(request("next"));
    go_on.send(()).unwrap();
    is_served(&mut last, "last");
    is_served(&mut kept, "kept");
    is_served(&mut new, "new");
    for peer in [&mut last, &mut kept, &mut new] {
        peer.expect_end();
    }
    app.ends_after(5);
    let server = Server::new(vec![listener]).unwrap().settings(settings(1));
    let successor = thread::spawn(move || server.serve(echo));
    is_served(&mut next, "next");
    end_of_thread(successor).unwrap();
}

/// One process after the other, as it were, on one listening socket.
#[test]
fn generations_lose_no_request() {
    const CLIENTS: u64 = 4;
    const EACH: u64 = 150;
    for shape in [Shape::Server, Shape::Handed(2)] {
        let (listener, address) = kept_listener();
        let client = move |address: Address| {
            for number in 0..EACH {
                let connection = address.connect().unwrap();
                let mut peer = WebServer { connection };
                let pairs = [("QUERY_STRING", number.to_string())];
                let answer = peer.ask(1, responder(1, CLOSE, &pairs, b""));
                assert_eq!(answer.body(), format!("[{number}]").as_bytes());
                assert_eq!(answer.end, Some((0, REQUEST_COMPLETE)));
                peer.expect_end();
            }
        };
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let address = address.clone();
                thread::spawn(move || client(address))
            })
            .collect();
        let mut generations = 0;
        let mut ended = 0;
        let all_left = || clients.iter().all(JoinHandle::is_finished);
        while !all_left() {
            let listener = listener.try_clone().unwrap();
            let app = Retiring::on(listener, shape, 6, echo);
            while !app.thread.is_finished() && !all_left() {
                thread::sleep(Duration::from_millis(1));
            }
            app.handle.stop(Duration::from_secs(60));
            end_of_thread(app.thread).unwrap();
            ended += app.handle.counters().ended;
            generations += 1;
        }
        clients.into_iter().for_each(end_of_thread);
        assert_eq!(ended, CLIENTS * EACH);
        // Those that had come in before are served as well, one of each client.
        assert!(
            generations >= CLIENTS * EACH / (6 + CLIENTS),
            "{generations}"
        );
    }
}

#[test]
fn a_guest_retires() {
    let (listener, address) = kept_listener();
    let mut poll = mio::Poll::new().unwrap();
    let mut events = mio::Events::with_capacity(8);
    let mut guest = Loop::new(
        poll.registry(),
        0..usize::MAX,
        vec![listener.try_clone().unwrap()],
        settings(2),
        whole(echo),
    )
    .unwrap();
    let web_server = thread::spawn(move || {
        let connection = address.connect().unwrap();
        let mut peer = WebServer { connection };
        lives(&mut peer);
        lives(&mut peer);
        peer.expect_end();
        // The listener is still there, and the guest is not.
        address.connect().unwrap();
    });
    while !guest.is_finished() {
        let deadline = guest.next_deadline();
        let wait = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        poll.poll(&mut events, wait).unwrap();
        for event in &events {
            assert!(guest.ready(event));
        }
        guest.expired();
    }
    end_of_thread(web_server);
    assert_eq!(guest.handle().counters().ended, 2);
    assert!(listener.accept().is_ok());
}
