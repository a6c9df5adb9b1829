//! Processes that share a listening socket.

use std::collections::BTreeSet;

use rustix::fs::{OFlags, fcntl_getfl};
use rustix::process::Signal;

use super::*;

struct Pair {
    socket: UnixListener,
    children: [Running; 2],
    address: Address,
    _directory: TempDir,
}

/// Two children on one socket. With `1` who starts them says that both cope with its not blocking.
fn pair(mode: &str, nonblocking: &str) -> Pair {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("app.sock");
    let socket = UnixListener::bind(&path).unwrap();
    let start = || {
        let mut command = program(mode);
        command.env("FCGI_LISTENER_NONBLOCKING", nonblocking);
        Running::start(command.stdin(OwnedFd::from(socket.try_clone().unwrap())))
    };
    Pair {
        children: [start(), start()],
        socket,
        address: path.into(),
        _directory: directory,
    }
}

/// Serves one request on a new connection.
#[track_caller]
fn ask(address: &Address) {
    let answer = connect(address).ask(1, request("q", b"body"));
    assert!(answer.body().ends_with(b"body"));
    assert_eq!(answer.end, Some((0, REQUEST_COMPLETE)));
}

#[test]
fn one_of_two_stops_and_nothing_is_lost() {
    one_of_two_stops("1");
}

#[test]
fn one_of_two_stops_that_block_and_nothing_is_lost() {
    one_of_two_stops("0");
}

fn one_of_two_stops(nonblocking: &str) {
    const CONNECTIONS: usize = 2000;
    for mode in ["run", "stdio"] {
        let mut pair = pair(mode, nonblocking);
        ask(&pair.address);
        let flags = fcntl_getfl(&pair.socket).unwrap();
        let is_set = flags.contains(OFlags::NONBLOCK);
        assert_eq!(is_set, nonblocking == "1", "as the starter said");
        // Several at once, so that some are being accepted when the stop begins.
        let (counted, count) = channel();
        thread::scope(|scope| {
            for _ in 0..4 {
                let (address, counted) = (&pair.address, counted.clone());
                scope.spawn(move || {
                    for _ in 0..CONNECTIONS / 4 {
                        ask(address);
                        counted.send(()).unwrap();
                    }
                });
            }
            drop(counted);
            for _ in count.iter().take(CONNECTIONS / 2) {}
            pair.children[0].signal(Signal::TERM);
            let status = pair.children[0].wait(PATIENCE).expect("it ends");
            assert_eq!(status.code(), Some(0));
        });
        assert!(pair.children[1].exited().is_none());
        ask(&pair.address);
    }
}

#[test]
fn both_serve() {
    let pair = pair("run", "1");
    let both: BTreeSet<_> = pair.children.iter().map(Running::id).collect();
    let mut seen = BTreeSet::new();
    eventually(
        || {
            let answer = connect(&pair.address).ask(1, request("process", b""));
            let id = String::from_utf8_lossy(answer.body()).parse().unwrap();
            assert!(both.contains(&id), "{id}");
            seen.insert(id);
            seen == both
        },
        || "one of the two gets nothing".into(),
    );
}
