//! Ten thousand idle connections and two thousand busy ones on one event loop, in a process of its
//! own.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use fcgi_tests::address::Address;
use fcgi_tests::blocking::WebServer;
use fcgi_tests::hand::*;
use fcgi_tests::process::{Running, memory, raise_descriptor_limit};

const IDLE: usize = 10_000;
const BUSY: usize = 2_000;
const ROUNDS: usize = 5;

/// How long the application may take to see what has happened.
const PATIENCE: Duration = Duration::from_secs(20);

/// The application: on a unix socket and on TCP.
struct App {
    process: Running,
    addresses: [Address; 2],
    /// A connection for questions.
    control: WebServer,
}

impl App {
    fn start(directory: &std::path::Path) -> App {
        let addresses = [
            Address::Unix(directory.join("app.sock")),
            Address::free_tcp(),
        ];
        let mut command = Command::new(env!("CARGO_BIN_EXE_mio-app"));
        for address in &addresses {
            command.arg(address.to_string());
        }
        let mut process = Running::start(&mut command);
        // The one that it listens on last.
        process.wait_for(&addresses[1]);
        let control = WebServer {
            connection: addresses[0].connect().unwrap(),
        };
        let mut app = App {
            process,
            addresses,
            control,
        };
        // The connection that found out that it listens is no part of what is counted.
        app.wait_for_closed(1);
        app
    }

    /// Waits until so many connections have ended.
    fn wait_for_closed(&mut self, count: usize) {
        let begun = Instant::now();
        while self.counters()[1] < count {
            assert!(begun.elapsed() < PATIENCE, "{:?}", self.counters());
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Every other connection over TCP.
    fn connect(&self, number: usize) -> WebServer {
        WebServer {
            connection: self.addresses[number % 2].connect().unwrap(),
        }
    }

    /// Connections accepted and closed, requests begun and ended, and requests aborted.
    fn counters(&mut self) -> [usize; 5] {
        let question = responder(1, KEEP, &[("QUERY_STRING", "counters")], b"");
        let answer = self.control.ask(1, question);
        let text = String::from_utf8_lossy(answer.body()).into_owned();
        let numbers = text.split(' ').map(|number| number.parse().unwrap());
        numbers.collect::<Vec<_>>().try_into().unwrap()
    }

    fn allocated(&self) -> u64 {
        memory(self.process.id(), "RssAnon")
    }
}

fn send(peer: &mut WebServer, query: &str) {
    let pairs = [("REQUEST_METHOD", "POST"), ("QUERY_STRING", query)];
    peer.send(responder(1, KEEP, &pairs, query.as_bytes()));
}

#[track_caller]
fn expect(peer: &mut WebServer, query: &str) {
    let answer = peer.answer(1);
    let expected = format!("[{query}]{query}");
    assert_eq!(String::from_utf8_lossy(answer.body()), expected);
    assert_eq!(answer.end, Some((0, REQUEST_COMPLETE)));
}

/// Two threads, each with half of the connections: all of a half have sent a request before the
/// first answer is read.
fn keep_busy(peers: &mut [WebServer]) {
    thread::scope(|scope| {
        for (half, peers) in peers.chunks_mut(BUSY / 2).enumerate() {
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let query = |number| format!("busy {half} {round} {number}");
                    for (number, peer) in peers.iter_mut().enumerate() {
                        send(peer, &query(number));
                    }
                    for (number, peer) in peers.iter_mut().enumerate() {
                        expect(peer, &query(number));
                    }
                }
            });
        }
    });
}

#[test]
fn ten_thousand_idle_and_two_thousand_busy() {
    let needed = IDLE + BUSY + 100;
    let most = raise_descriptor_limit();
    assert!(
        most >= needed as u64,
        "this test needs {needed} descriptors a process and may have {most}: `ulimit -Hn {needed}`"
    );
    let directory = tempfile::tempdir().unwrap();
    let mut app = App::start(directory.path());
    let mut after = Vec::new();
    for _ in 0..2 {
        let [accepted, closed, begun, ended, aborted] = app.counters();
        let mut idle: Vec<_> = (0..IDLE).map(|number| app.connect(number)).collect();
        for (number, peer) in idle.iter_mut().enumerate() {
            send(peer, &format!("idle {number}"));
            expect(peer, &format!("idle {number}"));
        }
        let resting = app.allocated();
        let mut busy: Vec<_> = (0..BUSY).map(|number| app.connect(number)).collect();
        keep_busy(&mut busy);
        // They have been kept all the while.
        for (number, peer) in idle.iter_mut().enumerate().step_by(10) {
            send(peer, &format!("idle {number}"));
            expect(peer, &format!("idle {number}"));
        }
        let requests = IDLE + BUSY * ROUNDS + IDLE / 10;
        // The question that is being answered has begun and not ended, the one before has ended.
        let expected = [
            accepted + IDLE + BUSY,
            closed,
            begun + requests + 1,
            ended + requests + 1,
            aborted,
        ];
        assert_eq!(app.counters(), expected);
        drop((idle, busy));
        app.wait_for_closed(closed + IDLE + BUSY);
        after.push((resting, app.allocated()));
    }
    // What the first round has left is enough for the second one.
    let [(resting, first), (_, second)] = after[..] else {
        unreachable!("two rounds");
    };
    assert!(first < resting + 4096, "{after:?} KiB");
    assert!(second < first + 1024, "{after:?} KiB");
}
