//! The cases: each starts a supervisor, sends it signals, and reads what it tells.

use std::collections::HashSet;
use std::env;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use fcgi_listen::{Address, Stream};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::child::{FINISHED, GRANDCHILD_KNOWS, TERMINATED};

const PATIENCE: Duration = Duration::from_secs(60);

const CASES: &[(&str, fn())] = &[
    ("sigterm_and_sigint_stop", sigterm_and_sigint_stop),
    ("sigusr1_is_passed_on", sigusr1_is_passed_on),
    ("sigterm_follows_sigusr1", sigterm_follows_sigusr1),
    (
        "a_second_signal_kills_at_once",
        a_second_signal_kills_at_once,
    ),
    ("patience_ends", patience_ends),
    ("sighup_replaces_the_children", sighup_replaces_the_children),
    ("signals_by_the_thousand", signals_by_the_thousand),
    (
        "a_replacement_loses_no_connection",
        a_replacement_loses_no_connection,
    ),
    ("blocked_signals_are_heeded", blocked_signals_are_heeded),
    (
        "a_childs_child_is_not_supervised",
        a_childs_child_is_not_supervised,
    ),
];

/// Runs the cases whose names contain one of the arguments, or all.
pub(crate) fn run(arguments: &[String]) {
    let words: Vec<_> = arguments
        .iter()
        .filter(|word| !word.starts_with('-'))
        .collect();
    for (name, case) in CASES {
        if words.is_empty() || words.iter().any(|word| name.contains(word.as_str())) {
            println!("test {name}");
            case();
        }
    }
}

/// A supervisor with two children; it is killed if a test fails.
struct Supervisor {
    child: Child,
    lines: Receiver<String>,
    address: Address,
    _folder: TempDir,
}

impl Supervisor {
    /// With children that answer.
    fn start(mode: &str, settings: &[(&str, &str)]) -> Self {
        let supervisor = Self::spawn(mode, settings);
        supervisor.read_until("child 2 started");
        // Children that answer have installed their handlers; each does in its turn.
        let mut ready = HashSet::new();
        let deadline = Instant::now() + PATIENCE;
        while ready.len() < 2 {
            assert!(Instant::now() < deadline, "a child does not answer");
            ready.insert(answer(&supervisor.address));
        }
        supervisor
    }

    fn spawn(mode: &str, settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = Address::Unix(folder.path().join("app.sock"));
        let mut child = Command::new(env::current_exe().unwrap())
            .args([mode, &address.to_string()])
            .env("FCGI_PROCESS_TEST", "supervisor")
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = mpsc::channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || {
            for line in output.lines() {
                // The test may have had enough; the supervisor must not be hindered by that.
                let _ = sender.send(line.unwrap());
            }
        });
        Self {
            child,
            lines,
            address,
            _folder: folder,
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// The lines up to one that contains this.
    fn read_until(&self, text: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
                panic!("{text:?} does not come after {lines:#?}");
            };
            let found = line.contains(text);
            lines.push(line);
            if found {
                return lines;
            }
        }
    }

    /// The lines up to the supervisor's end, which must be a good one.
    fn finish(mut self) -> Vec<String> {
        let lines = self.read_until("all children have ended");
        let ended = self.lines.recv_timeout(PATIENCE);
        assert_eq!(ended, Err(RecvTimeoutError::Disconnected));
        assert!(self.child.wait().unwrap().success());
        assert!(Stream::connect(&self.address, None).is_err());
        lines
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        if thread::panicking() {
            // Twice, as its children would survive a SIGKILL of their supervisor.
            for _ in 0..2 {
                let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
                thread::sleep(Duration::from_millis(500));
            }
        }
    }
}

/// Connects; the process that answers.
fn answer(address: &Address) -> u32 {
    let mut stream = Stream::connect(address, Some(PATIENCE)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text.trim_end().parse().unwrap()
}

/// Asserts that this is told of both children.
fn assert_both(lines: &[String], what: &str) {
    let count = lines.iter().filter(|line| line.ends_with(what)).count();
    assert_eq!(count, 2, "{what:?} in {lines:#?}");
}

fn sigterm_and_sigint_stop() {
    for signal in [Signal::TERM, Signal::INT] {
        let supervisor = Supervisor::start("obedient", &[]);
        supervisor.signal(signal);
        assert_both(&supervisor.finish(), &format!(", status {TERMINATED}"));
    }
}

fn sigusr1_is_passed_on() {
    let supervisor = Supervisor::start("obedient", &[]);
    supervisor.signal(Signal::USR1);
    assert_both(&supervisor.finish(), &format!(", status {FINISHED}"));
}

fn sigterm_follows_sigusr1() {
    let supervisor = Supervisor::start("unfinished", &[]);
    supervisor.signal(Signal::USR1);
    supervisor.read_until("told to end");
    // That was not the second signal yet.
    supervisor.signal(Signal::TERM);
    assert_both(&supervisor.finish(), &format!(", status {TERMINATED}"));
}

fn a_second_signal_kills_at_once() {
    for (first, second) in [(Signal::TERM, Signal::INT), (Signal::INT, Signal::INT)] {
        let supervisor = Supervisor::start("stubborn", &[]);
        supervisor.signal(first);
        supervisor.read_until("told to end");
        supervisor.signal(second);
        assert_both(&supervisor.finish(), ", by signal 9");
    }
}

fn patience_ends() {
    let supervisor = Supervisor::start("stubborn", &[("PATIENCE", "100")]);
    supervisor.signal(Signal::TERM);
    let lines = supervisor.finish();
    assert_both(&lines, ", killed, as it did not end");
    assert_both(&lines, ", by signal 9");
}

fn sighup_replaces_the_children() {
    let supervisor = Supervisor::start("obedient", &[("SETTLE", "500")]);
    supervisor.signal(Signal::HUP);
    let lines = supervisor.read_until("new children have settled");
    assert!(
        !lines.iter().any(|line| line.contains("ended")),
        "{lines:#?}"
    );
    let lines = supervisor.read_until("replacement of the children done");
    assert_both(&lines, &format!(", status {TERMINATED}"));
    supervisor.signal(Signal::TERM);
    supervisor.finish();
}

fn signals_by_the_thousand() {
    let supervisor = Supervisor::start("obedient", &[("SETTLE", "300")]);
    supervisor.signal(Signal::HUP);
    supervisor.read_until("replacement of the children begun");
    for _ in 0..2_000 {
        supervisor.signal(Signal::HUP);
        supervisor.signal(Signal::CHILD);
    }
    // Those are a second one.
    supervisor.read_until("replacement of the children done");
    supervisor.read_until("replacement of the children begun");
    supervisor.read_until("replacement of the children done");
    supervisor.signal(Signal::TERM);
    supervisor.finish();
}

fn a_replacement_loses_no_connection() {
    const CLIENTS: usize = 4;
    let supervisor = Supervisor::start("obedient", &[("SETTLE", "100")]);
    let stop = AtomicBool::new(false);
    let (stop, address) = (&stop, supervisor.address.clone());
    let pids = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                scope.spawn(|| {
                    let mut pids = HashSet::new();
                    while !stop.load(Ordering::Relaxed) {
                        pids.insert(answer(&address));
                    }
                    pids
                })
            })
            .collect();
        for _ in 0..5 {
            supervisor.signal(Signal::HUP);
            supervisor.read_until("replacement of the children done");
            // The new ones serve.
            answer(&address);
        }
        stop.store(true, Ordering::Relaxed);
        let pids = clients.into_iter().map(|client| client.join().unwrap());
        pids.reduce(|one, other| &one | &other).unwrap()
    });
    assert!(pids.len() > 2, "only {pids:?} have served");
    supervisor.signal(Signal::TERM);
    supervisor.finish();
}

/// As a process inherits them from a careless starter.
fn blocked_signals_are_heeded() {
    let supervisor = Supervisor::start("obedient", &[("BLOCKED", "1")]);
    let child = answer(&supervisor.address);
    let child = Pid::from_raw(i32::try_from(child).unwrap()).unwrap();
    kill_process(child, Signal::KILL).unwrap();
    supervisor.read_until("by signal 9; restarting");
    supervisor.read_until("started");
    supervisor.signal(Signal::HUP);
    supervisor.read_until("replacement of the children begun");
    supervisor.signal(Signal::TERM);
    supervisor.finish();
}

fn a_childs_child_is_not_supervised() {
    let supervisor = Supervisor::spawn("nested", &[]);
    supervisor.read_until(&format!(", status {GRANDCHILD_KNOWS}; restarting"));
    supervisor.signal(Signal::TERM);
    supervisor.finish();
}
