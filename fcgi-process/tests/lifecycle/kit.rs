//! A supervisor whose events are received one by one.

use std::fs;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use fcgi_listen::{Address, Listener, Options};
use fcgi_process::{Event, Program, Supervised, Supervisor};

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// An [`Event`] without what cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Started(u32),
    NotStarted(io::ErrorKind, Option<Duration>),
    Ended(u32, End, Option<Duration>),
    Begun,
    Settled,
    Done,
    GivenUp,
    Stopping,
    Killed(u32),
    Stopped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Status(i32),
    Signal(i32),
    Unknown,
}

impl Seen {
    pub(crate) fn of(event: &Event) -> Seen {
        match event {
            Event::Started { pid, .. } => Seen::Started(*pid),
            Event::NotStarted { error, restart, .. } => Seen::NotStarted(error.kind(), *restart),
            Event::Ended {
                pid,
                status,
                restart,
                ..
            } => {
                let end = match status.map(|status| (status.code(), status.signal())) {
                    Some((Some(code), _)) => End::Status(code),
                    Some((None, Some(signal))) => End::Signal(signal),
                    _ => End::Unknown,
                };
                Seen::Ended(*pid, end, *restart)
            }
            Event::ReplacementBegun => Seen::Begun,
            Event::ReplacementSettled => Seen::Settled,
            Event::ReplacementDone => Seen::Done,
            Event::ReplacementGivenUp => Seen::GivenUp,
            Event::Stopping { .. } => Seen::Stopping,
            Event::Killed { pid, .. } => Seen::Killed(*pid),
            Event::Stopped => Seen::Stopped,
            other => panic!("an event that the tests do not know: {other}"),
        }
    }
}

/// A supervisor's settings for tests, which may run as root.
pub(crate) fn supervisor(program: Program) -> Supervisor {
    let address: Address = "127.0.0.1:0".parse().unwrap();
    let listener = Listener::bind(&address, &Options::new()).unwrap();
    Supervisor::new(listener, program).allow_root(true)
}

/// A child that runs until it is told to end.
pub(crate) fn sleeper() -> Program {
    Program::new("sleep").arg("1000")
}

pub(crate) fn shell(script: &str) -> Program {
    Program::new("/bin/sh").arg("-c").arg(script)
}

pub(crate) struct Watched {
    pub(crate) supervised: Supervised,
    pub(crate) events: Events,
}

pub(crate) struct Events(Receiver<Seen>);

impl Watched {
    pub(crate) fn start(supervisor: Supervisor) -> Watched {
        let (sender, receiver) = mpsc::channel();
        let supervised = supervisor
            .on_event(move |event| {
                let _ = sender.send(Seen::of(event));
            })
            .start()
            .unwrap();
        Watched {
            supervised,
            events: Events(receiver),
        }
    }

    pub(crate) fn next(&self) -> Seen {
        self.events.next()
    }

    /// The processes of as many children that are started now.
    pub(crate) fn started(&self, count: usize) -> Vec<u32> {
        let pid = |_| match self.next() {
            Seen::Started(pid) => pid,
            other => panic!("{other:?} instead of a start"),
        };
        (0..count).map(pid).collect()
    }

    /// The end of a child, by whatever status it says.
    pub(crate) fn ended(&self) -> (u32, End, Option<Duration>) {
        match self.next() {
            Seen::Ended(pid, end, restart) => (pid, end, restart),
            other => panic!("{other:?} instead of an end"),
        }
    }

    /// Waits for the supervisor's end; what was left of events.
    pub(crate) fn wait(self) -> Vec<Seen> {
        self.supervised.wait().unwrap();
        self.events.rest()
    }
}

impl Events {
    pub(crate) fn next(&self) -> Seen {
        self.try_next().expect("an event")
    }

    /// `None` when the supervisor has ended.
    fn try_next(&self) -> Option<Seen> {
        let seen = match self.0.recv_timeout(PATIENCE) {
            Ok(seen) => seen,
            Err(mpsc::RecvTimeoutError::Disconnected) => return None,
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("nothing happens"),
        };
        if let Seen::Ended(pid, ..) = seen {
            assert!(!is_ours(pid), "{pid} is left as a zombie");
        }
        Some(seen)
    }

    pub(crate) fn rest(&self) -> Vec<Seen> {
        std::iter::from_fn(|| self.try_next()).collect()
    }
}

/// A field of /proc/PID/status.
pub(crate) fn status_of(pid: u32, field: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    Some(line.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn is_ours(pid: u32) -> bool {
    status_of(pid, "PPid") == Some(process::id().to_string())
}

/// Whether a process runs; a zombie, of whomever, does not.
pub(crate) fn runs(pid: u32) -> bool {
    status_of(pid, "State").is_some_and(|state| !state.starts_with('Z'))
}

pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "never came: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Waits for a file with a whole line in it; the line.
pub(crate) fn line_of(file: &Path) -> String {
    let mut text = String::new();
    wait_until("a line in a file", || {
        text = fs::read_to_string(file).unwrap_or_default();
        text.ends_with('\n')
    });
    text.trim_end().to_owned()
}
