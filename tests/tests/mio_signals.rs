//! How an event loop ends by signals (§7), in a process of its own.

use std::env;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use fcgi_mio::{Server, Settings};
use fcgi_tests::address::Address;
use fcgi_tests::blocking::WebServer;
use fcgi_tests::hand::*;
use fcgi_tests::process::Running;
use rustix::process::Signal;
use tempfile::TempDir;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);

const SIGNALS: [Signal; 3] = [Signal::TERM, Signal::INT, Signal::USR1];

/// By this variable [`application`] learns where it listens, one server after the other.
const ADDRESSES: &str = "MIO_SIGNALS_TEST";

/// By this one, how long its connections may rest.
const IDLE_MILLIS: &str = "MIO_SIGNALS_IDLE";

/// No test, but an application that others start: it answers `page`, and lingers in the end.
#[test]
#[ignore = "run by the other tests"]
fn application() {
    // Else somebody runs the ignored tests.
    let Ok(addresses) = env::var(ADDRESSES) else {
        return;
    };
    for address in addresses.split(' ') {
        let settings = match env::var(IDLE_MILLIS) {
            Ok(text) => Settings::new().idle_timeout(Duration::from_millis(text.parse().unwrap())),
            Err(_) => Settings::new(),
        };
        let server = Server::bind(address).unwrap().settings(settings);
        // An hour, for all that a test knows.
        server.handle().stop_on_signals(100 * PATIENCE).unwrap();
        server.serve(|_, response| response.write("page")).unwrap();
        eprintln!("over");
    }
    thread::sleep(100 * PATIENCE);
}

struct App {
    child: Running,
    address: Address,
    _directory: TempDir,
}

fn app() -> App {
    app_with(&[])
}

/// Listens on descriptor 0, with these variables in its environment.
fn app_with(variables: &[(&str, &str)]) -> App {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("app.sock");
    let listener = OwnedFd::from(UnixListener::bind(&path).unwrap());
    let mut command = Command::new(env!("CARGO_BIN_EXE_responder-app"));
    App {
        child: Running::start(command.arg("mio").envs(variables.to_vec()).stdin(listener)),
        address: path.into(),
        _directory: directory,
    }
}

/// [`application`] with so many servers, one after the other, and where they listen.
fn one_after_the_other(count: usize, variables: &[(&str, &str)]) -> (App, Vec<Address>) {
    let directory = TempDir::new().unwrap();
    let paths: Vec<_> = (0..count)
        .map(|index| directory.path().join(index.to_string()))
        .collect();
    let names: Vec<_> = paths.iter().map(|path| path.to_str().unwrap()).collect();
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", "application", "--ignored", "--nocapture"])
        .envs(variables.to_vec())
        .env(ADDRESSES, names.join(" "));
    let addresses: Vec<Address> = paths.iter().map(|path| path.clone().into()).collect();
    let app = App {
        child: Running::start(&mut command),
        address: addresses[0].clone(),
        _directory: directory,
    };
    (app, addresses)
}

impl App {
    /// A connection to an application that heeds signals by now.
    #[track_caller]
    fn connect(&mut self) -> WebServer {
        self.child.wait_for(&self.address);
        let connection = self.address.connect().unwrap();
        connection.set_read_patience(PATIENCE).unwrap();
        let mut peer = WebServer { connection };
        peer.sync();
        peer
    }

    /// A connection over which one request was served, and which is kept.
    #[track_caller]
    fn kept(&self) -> WebServer {
        let connection = self.address.connect().unwrap();
        connection.set_read_patience(PATIENCE).unwrap();
        let mut peer = WebServer { connection };
        assert!(peer.ask(1, request(b"first")).body().ends_with(b"first"));
        peer
    }

    #[track_caller]
    fn exit(&mut self) -> Option<i32> {
        self.child.wait(PATIENCE).expect("it ends").code()
    }
}

fn request(body: &[u8]) -> Vec<u8> {
    let length = body.len().to_string();
    let pairs = [("REQUEST_METHOD", "POST"), ("CONTENT_LENGTH", &length)];
    responder(1, KEEP, &pairs, body)
}

#[test]
fn requests_are_completed() {
    for signal in SIGNALS {
        let mut app = app();
        let (mut busy, mut resting) = (app.kept(), app.kept());
        let whole = request(b"body");
        let (begun, rest) = whole.split_at(whole.len() - 20);
        busy.send(begun);
        busy.sync();
        app.child.signal(signal);
        // A request that is on its way over a connection that rests, too.
        assert!(resting.ask(1, request(b"last")).body().ends_with(b"last"));
        busy.send(rest);
        assert!(busy.answer(1).body().ends_with(b"body"));
        busy.expect_end();
        resting.expect_end();
        assert_eq!(app.exit(), Some(0), "{signal:?}");
    }
}

#[test]
fn a_second_signal_cuts_off() {
    let mut app = app();
    let mut busy = app.kept();
    let whole = request(b"body");
    busy.send(&whole[..whole.len() - 20]);
    busy.sync();
    app.child.signal(Signal::TERM);
    app.child.signal(Signal::INT);
    busy.expect_end_or_reset();
    // It says that requests were still running.
    assert_eq!(app.exit(), Some(1), "{}", app.child.log());
}

/// A process that is about to end by itself (its request takes its time) is told to hurry.
#[test]
fn a_retirement_is_cut_off() {
    let mut app = app_with(&[("FCGI_MAX_REQUESTS", "3")]);
    let (mut busy, mut resting) = (app.kept(), app.kept());
    let whole = request(b"body");
    busy.send(&whole[..whole.len() - 20]);
    // The stop has begun.
    resting.expect_end();
    busy.sync();
    app.child.signal(Signal::TERM);
    app.child.signal(Signal::INT);
    busy.expect_end_or_reset();
    assert_eq!(app.exit(), Some(1), "{}", app.child.log());
}

/// Then signals do again what they do by themselves.
#[test]
fn after_the_stop_a_signal_ends_the_process() {
    for signal in SIGNALS {
        let (mut app, _) = one_after_the_other(1, &[]);
        let mut resting = app.connect();
        app.child.signal(Signal::TERM);
        resting.expect_end();
        let deadline = Instant::now() + PATIENCE;
        while !app.child.log().contains("over\n") {
            assert!(Instant::now() < deadline, "it goes on");
            thread::sleep(Duration::from_millis(5));
        }
        assert!(app.child.exited().is_none());
        app.child.signal(signal);
        let status = app.child.wait(PATIENCE).expect("it ends");
        assert_eq!(status.signal(), Some(signal.as_raw()));
    }
}

/// What came for servers that are over does not count for the next one.
#[test]
fn each_server_has_its_own_first_signal() {
    let (mut app, addresses) = one_after_the_other(4, &[]);
    for (index, address) in addresses.into_iter().enumerate() {
        app.address = address;
        let mut busy = app.connect();
        let whole = request(b"body");
        let (begun, rest) = whole.split_at(whole.len() - 20);
        busy.send(begun);
        busy.sync();
        app.child.signal(Signal::USR1);
        busy.send(rest);
        assert_eq!(busy.answer(1).body(), b"page", "server {index}");
        busy.expect_end();
    }
}

/// Those of a profiler, say. Each one ends epoll_wait(2), and so does a stop of the whole process.
#[test]
fn signals_put_no_deadline_off() {
    let (mut app, _) = one_after_the_other(1, &[(IDLE_MILLIS, "2000")]);
    let mut resting = app.connect();
    let closed = thread::spawn(move || resting.expect_end());
    let deadline = Instant::now() + PATIENCE;
    while !closed.is_finished() {
        assert!(Instant::now() < deadline, "it is still open");
        app.child.signal(Signal::STOP);
        // Else the second one undoes the first.
        thread::sleep(Duration::from_millis(10));
        app.child.signal(Signal::CONT);
        thread::sleep(Duration::from_millis(50));
    }
    closed.join().unwrap();
    app.child.signal(Signal::KILL);
}
