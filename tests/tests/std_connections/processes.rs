//! Servers in processes of their own: inherited and shared listeners, limits, the environment.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use fcgi_tests::address::Address;
use fcgi_tests::process::Running;
use tempfile::TempDir;

use super::*;

fn app() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_std-app"));
    command.stdin(Stdio::null());
    command
}

fn connect(address: &Address) -> WebServer {
    let connection = address.connect().unwrap();
    connection.set_read_patience(blocking::PATIENCE).unwrap();
    WebServer { connection }
}

/// Asks once, and returns the number of the process that answered.
#[track_caller]
fn ask(peer: &mut WebServer) -> u32 {
    let answer = peer.ask(1, request(1, KEEP, "x", b"body"));
    let body = String::from_utf8(answer.body().to_vec()).unwrap();
    let rest = body.strip_prefix("[x] ").expect("the query string");
    rest.strip_suffix(" body")
        .expect("the body")
        .parse()
        .unwrap()
}

fn listeners(directory: &Path) -> [(OwnedFd, Address); 2] {
    let path = directory.join("app.sock");
    let unix = UnixListener::bind(&path).unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = Address::Tcp(tcp.local_addr().unwrap());
    [(unix.into(), path.into()), (tcp.into(), address)]
}

#[test]
fn an_inherited_listener_on_descriptor_0_that_blocks_or_not() {
    for nonblocking in [false, true] {
        let directory = TempDir::new().unwrap();
        for (socket, address) in listeners(directory.path()) {
            rustix::io::ioctl_fionbio(&socket, nonblocking).unwrap();
            let copy = socket.try_clone().unwrap();
            for workers in ["1", "3"] {
                let mut command = app();
                command
                    .args(["--workers", workers, workers])
                    .stdin(socket.try_clone().unwrap());
                let child = Running::start(&mut command);
                let mut kept = connect(&address);
                for _ in 0..3 {
                    assert_eq!(ask(&mut kept), child.id());
                    assert_eq!(ask(&mut connect(&address)), child.id());
                }
                let flags = rustix::fs::fcntl_getfl(&copy).unwrap();
                let still = flags.contains(rustix::fs::OFlags::NONBLOCK);
                assert_eq!(still, nonblocking, "the mode belongs to all who share it");
            }
        }
    }
}

/// Another thread accepts there, while the workers wait without a deadline.
#[test]
fn a_connection_that_rests_at_an_inherited_listener() {
    let directory = TempDir::new().unwrap();
    for (socket, address) in listeners(directory.path()) {
        let _child = Running::start(app().args(["--idle", "100"]).stdin(socket));
        // After one that came and went, they wait without a deadline again.
        let _ = ask(&mut connect(&address));
        thread::sleep(Duration::from_millis(300));
        let mut peer = connect(&address);
        let less = Duration::from_secs(5);
        peer.connection.set_read_patience(less).unwrap();
        peer.expect_end();
    }
}

#[test]
fn two_processes_share_a_listener() {
    for nonblocking in [false, true] {
        let directory = TempDir::new().unwrap();
        for (socket, address) in listeners(directory.path()) {
            rustix::io::ioctl_fionbio(&socket, nonblocking).unwrap();
            let start = || Running::start(app().stdin(socket.try_clone().unwrap()));
            let children = [start(), start()];
            let both: BTreeSet<u32> = children.iter().map(Running::id).collect();
            let mut seen = BTreeSet::new();
            let mut kept = Vec::new();
            blocking::eventually(
                || {
                    let mut peer = connect(&address);
                    seen.insert(ask(&mut peer));
                    if kept.len() < 50 {
                        kept.push(peer);
                    }
                    seen == both
                },
                || "one of the two gets nothing".into(),
            );
            // When one of them ends, the other one goes on alone.
            let [first, second] = children;
            drop(first);
            for _ in 0..20 {
                assert_eq!(ask(&mut connect(&address)), second.id());
            }
        }
    }
}

#[test]
fn an_address_is_for_programs_that_inherit_nothing() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("own.sock");
    let mut child = Running::start(app().arg(&path));
    let address = Address::Unix(path);
    child.wait_for(&address);
    assert_eq!(ask(&mut connect(&address)), child.id());
}

/// Without descriptors, accepting pauses; it ends neither the server nor the connections it has.
#[test]
fn out_of_descriptors() {
    for workers in ["1", "2"] {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("app.sock");
        let mut command = app();
        command
            .arg(&path)
            .args(["--files", "20", "--workers", workers, workers]);
        let mut child = Running::start(&mut command);
        let address = Address::Unix(path);
        child.wait_for(&address);
        let mut peers: Vec<_> = (0..40).map(|_| connect(&address)).collect();
        blocking::eventually(
            || child.log().contains("accepting failed: "),
            || format!("it never runs out: {}", child.log()),
        );
        // Those that came in are served again and again.
        for _ in 0..3 {
            assert_eq!(ask(&mut peers[0]), child.id());
        }
        // The others come in as soon as there are descriptors.
        let late = peers.split_off(20);
        drop(peers);
        for mut peer in late.into_iter().take(8) {
            assert_eq!(ask(&mut peer), child.id());
        }
        let failures = child.log().matches("accepting failed: ").count();
        assert!(failures < 200, "it spins: {failures} attempts");
    }
}

#[test]
fn web_servers_are_checked_against_the_environment() {
    for (list, welcome) in [("127.0.0.1", true), ("10.1.2.3,10.1.2.4", false)] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = Address::Tcp(listener.local_addr().unwrap());
        let mut command = app();
        command
            .env("FCGI_WEB_SERVER_ADDRS", list)
            .stdin(OwnedFd::from(listener));
        let child = Running::start(&mut command);
        let mut peer = connect(&address);
        if welcome {
            assert_eq!(ask(&mut peer), child.id());
        } else {
            peer.expect_end();
            blocking::eventually(
                || child.log().contains("is not in FCGI_WEB_SERVER_ADDRS"),
                || child.log(),
            );
        }
    }
}

#[test]
fn a_list_of_web_servers_that_makes_no_sense_is_an_error() {
    let directory = TempDir::new().unwrap();
    let mut command = app();
    command
        .arg(directory.path().join("app.sock"))
        .env("FCGI_WEB_SERVER_ADDRS", "localhost");
    let mut child = Running::start(&mut command);
    let status = child.wait(blocking::PATIENCE).expect("it ends by itself");
    assert!(!status.success());
    assert!(child.log().contains("localhost"), "{}", child.log());
}

/// Incidents are printed; when nobody reads them, that stops nothing.
#[test]
fn standard_error_that_is_gone_costs_no_worker() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("app.sock");
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let mut child = app()
        .arg(&path)
        .args(["--workers", "1", "1"])
        .stdout(Stdio::null())
        .stderr(writer)
        .spawn()
        .unwrap();
    let address = Address::Unix(path);
    blocking::eventually(|| address.connect().is_ok(), || "it does not listen".into());
    for _ in 0..3 {
        let mut broken = connect(&address);
        broken.send([2; 8]);
        broken.expect_end_or_reset();
        assert_eq!(ask(&mut connect(&address)), child.id());
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Threads of the process that serve requests.
fn workers(child: &Running) -> usize {
    let tasks = fs::read_dir(format!("/proc/{}/task", child.id())).unwrap();
    tasks
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .filter(|name| name.trim() == "fastcgi")
        .count()
}

/// An extra worker ends after ten seconds without work.
#[test]
fn the_pool_shrinks_again() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("app.sock");
    let mut command = app();
    command.arg(&path).args(["--workers", "1", "4"]);
    let mut child = Running::start(&mut command);
    let address = Address::Unix(path);
    child.wait_for(&address);
    // Handlers that wait for their bodies.
    let mut peers: Vec<_> = (0..4).map(|_| connect(&address)).collect();
    for peer in &mut peers {
        peer.send([begin(1, RESPONDER, KEEP), end_of(PARAMS, 1)].concat());
        peer.sync();
    }
    blocking::eventually(
        || workers(&child) == 4,
        || format!("{} workers", workers(&child)),
    );
    for peer in &mut peers {
        peer.send(end_of(STDIN, 1));
        assert!(peer.answer(1).body().starts_with(b"[]"));
    }
    let deadline = Instant::now() + Duration::from_secs(25);
    while workers(&child) > 1 && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(workers(&child), 1);
    assert_eq!(ask(&mut peers[0]), child.id());
}
