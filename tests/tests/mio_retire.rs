//! How a process with an event loop, or several, ends after so many requests (§7): as its starter
//! says in its environment, and under a supervisor.

use std::collections::BTreeMap;
use std::env;
use std::num::NonZeroU64;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::process::{self, Command};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use fcgi_listen::Listener;
use fcgi_mio::{Loops, Request, Response, Server, Settings, whole};
use fcgi_process::{Event, Program, Supervisor};
use fcgi_tests::address::Address;
use fcgi_tests::blocking::WebServer;
use fcgi_tests::hand::*;
use fcgi_tests::process::Running;
use tempfile::TempDir;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// By this variable [`application`] learns what to be.
const SHAPE: &str = "MIO_RETIRE_TEST";

/// One loop, and several.
const SHAPES: [&str; 2] = ["server", "loops"];

/// No test, but the application that the others start: it answers with its process id.
#[test]
#[ignore = "run by the other tests"]
fn application() {
    let shape = env::var(SHAPE).unwrap_or_default();
    let answer = |_: &Request<'_>, response: &mut Response<'_>| {
        response.header("Content-Type", "text/plain")?;
        response.write(process::id().to_string())
    };
    let address = env::var("MIO_RETIRE_ADDRESS").unwrap_or_default();
    match shape.as_str() {
        "server" | "server with two" => {
            let mut server = Server::inherited_or_bind(&address).unwrap();
            if shape == "server with two" {
                server = server.settings(Settings::new().retire_after(number(2)));
            }
            server.handle().stop_on_signals(PATIENCE).unwrap();
            server.serve(answer).unwrap();
        }
        "loops" | "loops with two" => {
            let mut loops = Loops::inherited_or_bind(&address, 2).unwrap();
            if shape == "loops with two" {
                loops = loops.settings(Settings::new().retire_after(number(2)));
            }
            let started = loops.start().unwrap();
            started.handle().stop_on_signals(PATIENCE).unwrap();
            started.run(|_| whole(answer)).unwrap();
        }
        // Somebody runs the ignored tests.
        _ => {}
    }
}

fn number(number: u64) -> NonZeroU64 {
    NonZeroU64::new(number).unwrap()
}

const ARGUMENTS: [&str; 4] = ["--exact", "application", "--ignored", "--nocapture"];

struct App {
    child: Running,
    address: Address,
    _directory: TempDir,
}

impl App {
    /// Listens on descriptor 0.
    fn start(shape: &str, max_requests: &str) -> App {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("app.sock");
        let listener = OwnedFd::from(UnixListener::bind(&path).unwrap());
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(ARGUMENTS).stdin(listener);
        command.env(SHAPE, shape);
        command.env("FCGI_MAX_REQUESTS", max_requests);
        App {
            child: Running::start(&mut command),
            address: path.into(),
            _directory: directory,
        }
    }

    #[track_caller]
    fn exit(&mut self) -> Option<i32> {
        self.child.wait(PATIENCE).expect("it ends").code()
    }
}

/// Who answers a request.
#[track_caller]
fn ask(peer: &mut WebServer) -> u32 {
    let pairs = [("REQUEST_METHOD", "GET")];
    let answer = peer.ask(1, responder(1, KEEP, &pairs, b""));
    assert_eq!(answer.end, Some((0, REQUEST_COMPLETE)));
    let body = String::from_utf8(answer.body().to_vec()).unwrap();
    body.parse().unwrap()
}

#[track_caller]
fn connect(address: &Address) -> WebServer {
    let connection = address.connect().unwrap();
    connection.set_read_patience(PATIENCE).unwrap();
    WebServer { connection }
}

/// Both connections of an application that retires after three requests.
#[track_caller]
fn retires_after_three(mut app: App) {
    let (mut first, mut second) = (connect(&app.address), connect(&app.address));
    ask(&mut first);
    ask(&mut second);
    second.sync();
    assert!(app.child.exited().is_none());
    ask(&mut second);
    second.expect_end();
    first.expect_end();
    assert_eq!(app.exit(), Some(0), "{}", app.child.log());
}

#[test]
fn the_environment_says_when() {
    for shape in SHAPES {
        retires_after_three(App::start(shape, "3"));
    }
}

#[test]
fn the_settings_know_better() {
    for shape in ["server with two", "loops with two"] {
        let mut app = App::start(shape, "3");
        let mut peer = connect(&app.address);
        ask(&mut peer);
        ask(&mut peer);
        peer.expect_end();
        assert_eq!(app.exit(), Some(0), "{}", app.child.log());
    }
}

#[test]
fn a_number_of_requests_that_is_none() {
    for number in ["0", "-1", "many", "", " 3", "3.5", "18446744073709551616"] {
        for shape in SHAPES {
            let mut app = App::start(shape, number);
            // As tests that fail do.
            assert_eq!(app.exit(), Some(101), "{number:?}");
            let log = app.child.log();
            assert!(
                log.contains("FCGI_MAX_REQUESTS is not a number from 1"),
                "{log}"
            );
        }
    }
}

/// It is for those who have inherited their listener; others have no supervisor.
#[test]
fn who_listens_by_itself_is_not_asked_to_retire() {
    for shape in SHAPES {
        for number in ["1", "0"] {
            let directory = TempDir::new().unwrap();
            let path = directory.path().join("app.sock");
            let mut command = Command::new(env::current_exe().unwrap());
            command.args(ARGUMENTS).stdin(process::Stdio::null());
            command.env(SHAPE, shape).env("FCGI_MAX_REQUESTS", number);
            command.env("MIO_RETIRE_ADDRESS", &path);
            let mut child = Running::start(&mut command);
            let address = Address::from(path);
            child.wait_for(&address);
            let mut peer = connect(&address);
            for _ in 0..3 {
                ask(&mut peer);
            }
            assert!(child.exited().is_none());
        }
    }
}

/// Each request has a connection of its own, which its client keeps for a moment.
#[test]
fn supervised_processes_that_retire_lose_no_request() {
    const CHILDREN: usize = 2;
    const CLIENTS: usize = 4;
    const EACH: usize = 75;
    const MOST: usize = 20;
    for shape in SHAPES {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("app.sock");
        let listener = Listener::from(UnixListener::bind(&path).unwrap());
        // What a test program says of itself would be taken for what this one says.
        let quiet = "exec \"$0\" \"$@\" > /dev/null";
        let program = Program::new("/bin/sh").args(["-c", quiet]);
        let program = program.arg(env::current_exe().unwrap());
        let (sender, events) = channel();
        let supervised = Supervisor::new(listener, program.args(ARGUMENTS).env(SHAPE, shape))
            .children(CHILDREN)
            .max_requests(number(MOST as u64))
            .allow_root(true)
            .backoff(Duration::from_millis(1), Duration::from_millis(1))
            .patience(PATIENCE)
            .on_event(move |event| match event {
                Event::Ended { pid, status, .. } => {
                    let code = status.and_then(|status| status.code());
                    sender.send((*pid, code)).expect("the test waits");
                }
                Event::NotStarted { .. } | Event::Killed { .. } => panic!("{event}"),
                _ => {}
            })
            .start()
            .unwrap();
        let address = Address::from(path);
        let client = || {
            let ask = |_| ask(&mut connect(&address));
            (0..EACH).map(ask).collect::<Vec<u32>>()
        };
        let mut served = BTreeMap::<u32, usize>::new();
        thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
            for pid in clients.into_iter().flat_map(|it| it.join().unwrap()) {
                *served.entry(pid).or_default() += 1;
            }
        });
        // Behind its last request a process may be ended by any signal.
        let mut ended = BTreeMap::new();
        let has_retired = |(_, count): &(&u32, &usize)| **count >= MOST;
        while !served
            .iter()
            .filter(has_retired)
            .all(|(pid, _)| ended.contains_key(pid))
        {
            let (pid, status) = events.recv_timeout(PATIENCE).expect("they end");
            ended.insert(pid, status);
        }
        supervised.stop(PATIENCE);
        supervised.wait().unwrap();
        // Those that had come in before are served as well, one of each client.
        let least = CLIENTS * EACH / (MOST + CLIENTS);
        assert!(least > CHILDREN && served.len() >= least, "{served:?}");
        // One that has just been started may not have heard of signals yet.
        ended.extend(events.try_iter());
        for pid in served.keys() {
            assert_eq!(ended.get(pid), Some(&Some(0)), "{served:?} {ended:?}");
        }
    }
}
