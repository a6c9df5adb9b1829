//! Several loops in threads, and outgoing connections beside a loop.

mod kit;

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use fcgi_mio::{Handle, Loops, Server, Service, Settings, web_server, whole};
use fcgi_tests::address::Address;
use fcgi_tests::blocking::WebServer;
use fcgi_tests::hand::*;
use kit::*;

/// Loops in the background.
struct Running {
    address: Address,
    handle: Handle,
    thread: JoinHandle<io::Result<()>>,
}

impl Running {
    fn start<S: Service>(
        address: &str,
        loops: usize,
        settings: Settings,
        make: impl Fn(usize) -> S + Send + Sync + 'static,
    ) -> Running {
        let loops = Loops::bind(address, loops).expect("an address");
        let loops = loops.settings(settings.on_incident(|_| {}));
        let address = test_address(&loops.addresses().expect("bound")[0]);
        let started = loops.start().expect("descriptors");
        let handle = started.handle();
        let thread = std::thread::spawn(move || started.run(make));
        Running {
            address,
            handle,
            thread,
        }
    }

    fn connect(&self) -> WebServer {
        WebServer {
            connection: self.address.connect().expect("somebody listens"),
        }
    }

    #[track_caller]
    fn wait_until(&self, what: &str, is_so: impl Fn(&Handle) -> bool) {
        let patience = Instant::now() + Duration::from_secs(20);
        while !is_so(&self.handle) {
            assert!(
                Instant::now() < patience,
                "{what}: {:?}",
                self.handle.counters()
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn stop(self) -> io::Result<()> {
        self.handle.stop(Duration::from_secs(10));
        self.thread.join().expect("no panic")
    }
}

fn test_address(address: &fcgi_listen::Address) -> Address {
    match address {
        fcgi_listen::Address::Ip(ip) => Address::Tcp(*ip),
        fcgi_listen::Address::Unix(path) => Address::Unix(path.clone()),
        other => panic!("{other:?}"),
    }
}

/// A path that no other test uses.
fn path() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("fcgi-mio-many-{}-{count}.sock", std::process::id());
    let path = std::env::temp_dir().join(name);
    path.to_str().expect("a path in UTF-8").to_owned()
}

#[test]
fn the_kernel_deals_out_tcp_connections() {
    let app = Running::start("127.0.0.1:0", 3, Settings::new(), |_| whole(echo));
    let mut peers: Vec<_> = (0..60).map(|_| app.connect()).collect();
    for _ in 0..2 {
        peers.iter_mut().for_each(lives);
    }
    let each: Vec<_> = app.handle.each().collect();
    assert_eq!(each.len(), 3);
    assert!(
        each.iter().all(|counters| counters.accepted > 0),
        "{each:?}"
    );
    let all = app.handle.counters();
    assert_eq!((all.accepted, all.begun, all.ended), (60, 120, 120));
    app.stop().expect("all had ended");
    // The address is free again.
    drop(peers);
}

#[test]
fn the_acceptor_hands_out_unix_connections_evenly() {
    let app = Running::start(&path(), 3, Settings::new(), |_| whole(echo));
    let mut peers: Vec<_> = (0..30).map(|_| app.connect()).collect();
    peers.iter_mut().for_each(lives);
    let accepted: Vec<_> = app
        .handle
        .each()
        .map(|counters| counters.accepted)
        .collect();
    assert_eq!(accepted, [10, 10, 10]);
    // Whoever has the fewest gets the next ones.
    peers.clear();
    app.wait_until("all have gone", |handle| handle.counters().closed == 30);
    let mut peers: Vec<_> = (0..3).map(|_| app.connect()).collect();
    peers.iter_mut().for_each(lives);
    let accepted: Vec<_> = app
        .handle
        .each()
        .map(|counters| counters.accepted)
        .collect();
    assert_eq!(accepted, [11, 11, 11]);
    app.stop().expect("all had ended");
}

#[test]
fn newcomers_wait_while_all_loops_are_full() {
    let settings = Settings::new().max_connections(2);
    let app = Running::start(&path(), 2, settings, |_| whole(echo));
    let mut peers: Vec<_> = (0..4).map(|_| app.connect()).collect();
    peers.iter_mut().for_each(lives);
    let mut waiting: Vec<_> = (0..3).map(|_| app.connect()).collect();
    for peer in &mut waiting {
        peer.send(responder(1, KEEP, &[("QUERY_STRING", "late")], b""));
    }
    peers.iter_mut().for_each(lives);
    assert_eq!(app.handle.counters().accepted, 4);
    for mut peer in waiting {
        peers.pop();
        assert_eq!(peer.answer(1).body(), b"[late]");
    }
    app.stop().expect("all had ended");
}

#[test]
fn a_stop_lets_requests_end_in_every_loop() {
    for address in ["127.0.0.1:0", &path()] {
        let (send, receive) = mpsc::channel();
        let app = Running::start(address, 2, Settings::new(), move |_| {
            let send = send.clone();
            whole(move |_, response| {
                send.send(response.defer()?).expect("the test waits");
                Ok(())
            })
        });
        let mut peers: Vec<_> = (0..8).map(|_| app.connect()).collect();
        for peer in &mut peers {
            peer.send(responder(1, KEEP, GET, b""));
        }
        let deferred: Vec<_> = (0..8).map(|_| receive.recv().expect("a request")).collect();
        app.handle.stop(Duration::from_secs(10));
        for one in deferred {
            one.complete("late, but in time").expect("it waits");
        }
        for peer in &mut peers {
            assert_eq!(peer.answer(1).body(), b"late, but in time");
        }
        app.stop().expect("all had ended");
    }
}

#[test]
fn a_loop_that_fails_stops_the_others() {
    for address in ["127.0.0.1:0", &path()] {
        let app = Running::start(address, 3, Settings::new(), |index| {
            assert!(index != 1, "this one fails");
            whole(echo)
        });
        let error = app
            .thread
            .join()
            .expect("no panic")
            .expect_err("one has failed");
        assert!(error.to_string().contains("panicked"), "{error}");
    }
}

#[test]
fn a_server_with_outgoing_connections() {
    let behind = App::unix(Settings::new(), || whole(echo));
    let Address::Unix(path) = behind.address.clone() else {
        panic!("a unix socket");
    };
    let server = Server::bind("127.0.0.1:0").expect("a port");
    let front = test_address(&server.addresses().expect("bound")[0]);
    let handle = server.handle();
    let thread = std::thread::spawn(move || {
        server.run_with(web_server::Settings::new(), |outgoing| {
            let application = outgoing.application(fcgi_listen::Address::Unix(path));
            whole(move |request, response| {
                let mut passed_on = web_server::Request::new(request.role());
                passed_on.params(request.params())?;
                passed_on.body(request.body().to_vec());
                let deferred = response.defer()?;
                let receiver = web_server::whole(1 << 20, move |answer| {
                    let body = answer.map_or_else(
                        |error| error.to_string().into(),
                        web_server::Answer::into_body,
                    );
                    deferred.complete(body).expect("it waits");
                });
                application.send(passed_on, receiver).detach();
                Ok(())
            })
        })
    });
    let mut peers: Vec<_> = (0..4)
        .map(|_| WebServer {
            connection: front.connect().expect("it listens"),
        })
        .collect();
    for _ in 0..5 {
        peers.iter_mut().for_each(lives);
    }
    assert_eq!(behind.counters().begun, 20);
    assert_eq!(
        behind.counters().accepted,
        1,
        "one after the other, on one connection"
    );
    handle.stop(Duration::from_secs(5));
    thread.join().expect("no panic").expect("all had ended");
}

#[test]
fn a_report_that_panics_costs_no_acceptor() {
    let (path, any) = (path(), "127.0.0.1:0");
    let listeners = [any, &path].map(|address| {
        let address = address.parse().expect("an address");
        fcgi_listen::Listener::bind(&address, &fcgi_listen::Options::new()).expect("free")
    });
    let [tcp, unix] = listeners
        .each_ref()
        .map(|listener| test_address(&listener.local_address().expect("bound")));
    let nobody: fcgi_listen::WebServerAddrs = "192.0.2.1".parse().expect("an address");
    let settings = Settings::new()
        .allow(nobody.allow_unix(true))
        .on_incident(|incident| panic!("{incident}, on purpose"));
    let loops = Loops::new(listeners.into(), 2).settings(settings);
    let started = loops.start().expect("descriptors");
    let handle = started.handle();
    let thread = std::thread::spawn(move || started.run(|_| whole(echo)));
    for _ in 0..3 {
        let connection = tcp.connect().expect("somebody listens");
        WebServer { connection }.expect_end_or_reset();
        let connection = unix.connect().expect("somebody listens");
        lives(&mut WebServer { connection });
    }
    handle.stop(Duration::from_secs(10));
    end_of_thread(thread).expect("a stop");
}

#[test]
fn a_crowd_at_one_listener_keeps_nobody_waiting_at_another() {
    let listeners = [path(), path()].map(|path| {
        let address = path.parse().expect("an address");
        fcgi_listen::Listener::bind(&address, &fcgi_listen::Options::new()).expect("free")
    });
    let [crowded, other] = listeners
        .each_ref()
        .map(|listener| test_address(&listener.local_address().expect("bound")));
    let (sender, served) = mpsc::channel();
    let server = Server::new(listeners.into()).expect("descriptors");
    let server = server.settings(Settings::new().max_connections(1));
    let handle = server.handle();
    let connect = |address: &Address, query: &str| {
        let connection = address.connect().expect("somebody listens");
        let mut peer = WebServer { connection };
        peer.send(responder(1, CLOSE, &[("QUERY_STRING", query)], b""));
        peer
    };
    let mut peers: Vec<_> = (0..10).map(|_| connect(&crowded, "crowd")).collect();
    peers.push(connect(&other, "other"));
    let thread = std::thread::spawn(move || {
        server.serve(|request, response| {
            let query = request.param("QUERY_STRING").unwrap_or(b"").to_vec();
            sender.send(query).expect("the test runs");
            echo(request, response)
        })
    });
    for peer in &mut peers {
        assert_eq!(peer.answer(1).end, Some((0, REQUEST_COMPLETE)));
    }
    let order: Vec<_> = served.iter().take(peers.len()).collect();
    assert!(order[..2].contains(&b"other".to_vec()), "{order:?}");
    handle.stop(Duration::ZERO);
    end_of_thread(thread).expect("a stop");
}
