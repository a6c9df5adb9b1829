//! Listeners that other processes share.

mod kit;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use fcgi_listen::Listener;
use fcgi_mio::{Handle, Loops, Server, Settings};
use fcgi_tests::address::Address;
use fcgi_tests::blocking::WebServer;
use kit::*;
use rustix::net::{Shutdown, shutdown};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A listener, another process's hold on it, and where it is.
fn listener(is_unix: bool) -> (Listener, Listener, Address) {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("fcgi-mio-listeners-{}-{count}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let address = match is_unix {
        true => fcgi_listen::Address::Unix(path),
        false => "127.0.0.1:0".parse().unwrap(),
    };
    let listener = Listener::bind(&address, &Default::default()).unwrap();
    let other = listener.try_clone().unwrap();
    let address = match listener.local_address().unwrap() {
        fcgi_listen::Address::Ip(ip) => Address::Tcp(ip),
        fcgi_listen::Address::Unix(path) => Address::Unix(path),
        other => panic!("{other:?}"),
    };
    (listener, other, address)
}

/// Serves in a loop, or in two behind an acceptor.
fn serve(
    has_acceptor: bool,
    listeners: Vec<Listener>,
    settings: Settings,
) -> (Handle, JoinHandle<std::io::Result<()>>) {
    if has_acceptor {
        let loops = Loops::new(listeners, 2).settings(settings).start().unwrap();
        let handle = loops.handle();
        (
            handle,
            thread::spawn(|| loops.run(|_| fcgi_mio::whole(echo))),
        )
    } else {
        let server = Server::new(listeners).unwrap().settings(settings);
        (server.handle(), thread::spawn(|| server.serve(echo)))
    }
}

/// It is reported, and nobody else suffers.
#[test]
fn one_that_another_process_shuts_down_leaves_the_others_alone() {
    for (has_acceptor, is_unix) in [(false, false), (false, true), (true, false), (true, true)] {
        for is_late in [true, false] {
            let (first, other, dead) = listener(is_unix);
            let (second, _, alive) = listener(true);
            let reports = Arc::new(Mutex::new(Vec::new()));
            let kept = Arc::clone(&reports);
            let settings = Settings::new().on_incident(move |incident| {
                kept.lock().unwrap().push(incident.to_string());
            });
            if !is_late {
                shutdown(&other, Shutdown::Both).unwrap();
            }
            let (handle, thread) = serve(has_acceptor, vec![first, second], settings);
            let connect = || WebServer {
                connection: alive.connect().unwrap(),
            };
            lives(&mut connect());
            if is_late {
                shutdown(&other, Shutdown::Both).unwrap();
            }
            let until = Instant::now() + PATIENCE;
            while reports.lock().unwrap().is_empty() {
                assert!(Instant::now() < until, "{dead:?}, late: {is_late}");
                thread::sleep(Duration::from_millis(2));
            }
            for _ in 0..3 {
                assert!(dead.connect().is_err());
                lives(&mut connect());
            }
            let reports = reports.lock().unwrap().clone();
            assert_eq!(reports.len(), 1, "{reports:?}");
            assert!(reports[0].starts_with("accepting failed"), "{reports:?}");
            handle.stop(Duration::ZERO);
            end_of_thread(thread).unwrap();
        }
    }
}
