//! How an event loop ends by signals (§7), in a process of its own.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::time::Duration;

use fcgi_tests::address::Address;
use fcgi_tests::blocking::WebServer;
use fcgi_tests::hand::*;
use fcgi_tests::process::Running;
use rustix::process::Signal;
use tempfile::TempDir;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);

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

impl App {
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
    for signal in [Signal::TERM, Signal::INT, Signal::USR1] {
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
