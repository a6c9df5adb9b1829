//! Threads that wait, and what wakes them.

use super::*;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use fcgi_tests::hand::{KEEP, RESPONDER, begin, responder};
use tempfile::TempDir;

use crate::incident::Incident;
use crate::rules::Rules;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);

struct Served {
    pool: Arc<Pool>,
    directory: TempDir,
}

fn served(change: impl FnOnce(&mut Rules)) -> Served {
    let directory = tempfile::tempdir().unwrap();
    let listener = listener(&directory, "socket");
    let mut rules = Rules::default();
    change(&mut rules);
    let pool = pool(rules, Mode::OneShot, vec![listener]);
    Served { pool, directory }
}

fn listener(directory: &TempDir, name: &str) -> Listener {
    let socket = UnixListener::bind(directory.path().join(name)).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket.into()
}

pub(super) fn pool(rules: Rules, mode: Mode, listeners: Vec<Listener>) -> Arc<Pool> {
    pool_with(rules, mode, listeners, |_| ())
}

fn pool_with(
    rules: Rules,
    mode: Mode,
    listeners: Vec<Listener>,
    report: impl Fn(&Incident) + Send + Sync + 'static,
) -> Arc<Pool> {
    let context = Context::new(rules, Box::new(report));
    Arc::new(Pool::new(context, mode, listeners, WebServerAddrs::any()).unwrap())
}

impl Served {
    fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(self.directory.path().join("socket")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Threads that wait for one request each, without an end, and are gone with it.
    fn threads(&self, count: usize) -> Receiver<Request> {
        let (sender, taken) = channel();
        for _ in 0..count {
            let (pool, sender) = (Arc::clone(&self.pool), sender.clone());
            thread::spawn(move || {
                if let Ok(Next::Request(request)) = pool.next(None) {
                    let _ = sender.send(request);
                }
            });
        }
        eventually(|| self.pool.waiting() == count);
        // So that they are in there, most likely.
        thread::sleep(Duration::from_millis(20));
        taken
    }
}

#[track_caller]
pub(super) fn eventually(done: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "it takes too long");
        thread::sleep(Duration::from_millis(1));
    }
}

fn request() -> Vec<u8> {
    responder(1, KEEP, &[("REQUEST_METHOD", "GET")], b"")
}

#[test]
fn a_deadline_passes_though_all_threads_that_saw_it_coming_are_busy() {
    let served = served(|rules| {
        rules.header_timeout = Duration::from_millis(300);
        rules.drain_timeout = Duration::from_millis(300);
    });
    let taken = served.threads(8);
    let mut slow = served.connect();
    slow.write_all(&begin(1, RESPONDER, KEEP)).unwrap();
    let busy = [(); 7].map(|()| {
        let mut peer = served.connect();
        peer.write_all(&request()).unwrap();
        (taken.recv_timeout(PATIENCE).unwrap(), peer)
    });
    assert_eq!(slow.read(&mut [0]).unwrap(), 0);
    drop(busy);
}

/// The thread that ran out of descriptors may have a request by the time that there are some.
#[test]
fn a_pause_in_accepting_ends_though_the_thread_that_made_it_is_busy() {
    let served = served(|_| ());
    let taken = served.threads(1);
    served.pool.accept_failed(rustix::io::Errno::MFILE.into());
    let mut peer = served.connect();
    peer.write_all(&request()).unwrap();
    taken.recv_timeout(PATIENCE).unwrap();
}

#[test]
fn a_stop_is_over_in_time_though_the_thread_that_it_woke_is_busy() {
    let served = served(|rules| {
        rules.header_timeout = FOREVER;
        rules.idle_timeout = FOREVER;
        rules.body_timeout = FOREVER;
        rules.write_timeout = FOREVER;
        rules.drain_timeout = FOREVER;
    });
    let taken = served.threads(8);
    let mut resting = [(); 8].map(|()| served.connect());
    eventually(|| served.pool.table().slots.len() == 8);
    served.pool.stop(Instant::now() + FOREVER);
    let (last, others) = resting.split_last_mut().unwrap();
    let busy = others.iter_mut().map(|peer| {
        peer.write_all(&request()).unwrap();
        taken.recv_timeout(PATIENCE).unwrap()
    });
    let busy: Vec<_> = busy.collect();
    assert_eq!(last.read(&mut [0]).unwrap(), 0);
    drop(busy);
}

/// A connection that rests costs no work, however short the time for another thing is.
#[test]
fn no_timeout_makes_threads_spin() {
    let served = served(|rules| rules.drain_timeout = Duration::ZERO);
    served.pool.table().sweep_by(Instant::now() + PATIENCE);
    let timeout = served.pool.timeout(false, None).unwrap();
    assert!(timeout >= SWEEP_EVERY, "{timeout:?}");
}

/// As by another process that shares it.
#[test]
fn a_listener_that_was_shut_down_leaves_the_others_alone() {
    for (mode, is_unix) in [
        (Mode::OneShot, true),
        (Mode::OneShot, false),
        (Mode::Level, true),
        (Mode::Level, false),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let first = if is_unix {
            listener(&directory, "dead")
        } else {
            let socket = TcpListener::bind("127.0.0.1:0").unwrap();
            socket.set_nonblocking(true).unwrap();
            socket.into()
        };
        let listeners = vec![first, listener(&directory, "socket")];
        let dead = listeners[0].try_clone().unwrap();
        // One at a time: what makes room has it accept again.
        let rules = Rules {
            max_connections: 1,
            ..Rules::default()
        };
        let (report, reports) = channel();
        let pool = pool_with(rules, mode, listeners, move |incident| {
            let _ = report.send(incident.to_string());
        });
        let served = Served { pool, directory };
        rustix::net::shutdown(&dead, rustix::net::Shutdown::Both).unwrap();
        let looked = served.pool.next(Some(Duration::ZERO)).unwrap();
        assert!(matches!(looked, Next::Idle));
        for _ in 0..3 {
            let taken = served.threads(1);
            let mut peer = served.connect();
            peer.write_all(&request()).unwrap();
            drop(taken.recv_timeout(PATIENCE).unwrap());
        }
        let reports: Vec<_> = reports.try_iter().collect();
        assert_eq!(reports.len(), 1, "{reports:?}");
    }
}
