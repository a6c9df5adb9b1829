//! Many connections and few threads.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use fcgi_tests::address::Address;
use fcgi_tests::process::Running;
use tempfile::TempDir;

use super::*;

/// A server with one worker in a process of its own, so that neither side runs out of descriptors.
fn one_worker() -> (Running, Address, TempDir) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("app.sock");
    let mut command = Command::new(env!("CARGO_BIN_EXE_std-app"));
    command.arg(&path).args(["--workers", "1", "1"]);
    command.stdin(std::process::Stdio::null());
    let mut app = Running::start(&mut command);
    let address = Address::Unix(path);
    app.wait_for(&address);
    (app, address, directory)
}

fn connect(address: &Address) -> WebServer {
    let connection = address.connect().unwrap();
    connection.set_read_patience(blocking::PATIENCE).unwrap();
    WebServer { connection }
}

#[track_caller]
fn is_answered(peer: &mut WebServer, app: &Running) {
    let expected = format!("[lives] {} body", app.id());
    let answer = peer.ask(9, request(9, KEEP, "lives", b"body"));
    assert_eq!(answer.body(), expected.as_bytes());
}

#[test]
fn one_worker_and_500_kept_connections() {
    let (app, address, _directory) = one_worker();
    let mut peers: Vec<_> = (0..500).map(|_| connect(&address)).collect();
    for peer in &mut peers {
        is_answered(peer, &app);
    }
    // All at once, in the other order.
    for peer in peers.iter_mut().rev() {
        peer.send(request(9, KEEP, "again", b""));
    }
    for peer in &mut peers {
        assert!(peer.answer(9).body().starts_with(b"[again]"));
    }
    is_answered(&mut connect(&address), &app);
}

#[test]
fn one_worker_and_500_heads_that_trickle_beside_a_good_connection() {
    let (app, address, _directory) = one_worker();
    let mut peers: Vec<_> = (0..500).map(|_| connect(&address)).collect();
    let mut good = connect(&address);
    let whole = request(1, KEEP, "slow", b"");
    // The last byte of the head comes with the rest.
    let (head, rest) = whole.split_at(whole.len() - 9);
    for byte in head {
        for peer in &mut peers {
            peer.send([*byte]);
        }
        is_answered(&mut good, &app);
    }
    for peer in &mut peers {
        peer.send(rest);
    }
    for peer in &mut peers {
        assert!(peer.answer(1).body().starts_with(b"[slow]"));
    }
}

/// What occupies a worker is a handler; the answer's last bytes do not.
#[test]
fn one_worker_and_web_servers_that_do_not_read() {
    let app = blocking::unix(
        |s| s.workers(1, 1),
        |request: &mut Request| {
            if request.params.text("QUERY_STRING") != "large" {
                return answer(request);
            }
            request.stdout.write_all(&[b'x'; 60_000])
        },
    );
    // Until the socket is full and the rest of an answer waits in the application.
    let requests = request(1, KEEP, "large", b"").repeat(4);
    let mut deaf: Vec<_> = (0..20).map(|_| app.connect()).collect();
    for peer in &mut deaf {
        peer.send(&requests);
    }
    lives(&mut app.connect());
    for peer in &mut deaf {
        for _ in 0..4 {
            assert_eq!(peer.answer(1).body().len(), 60_000);
        }
    }
}

/// A connection that always has something to do does not keep the others from their turn.
#[test]
fn one_worker_and_a_greedy_connection() {
    for (least, most) in WORKERS {
        let app = blocking::unix(|s| s.workers(least, most), answer);
        let greedy = app.connect();
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let mut sender = greedy.connection.try_clone().unwrap();
            let mut receiver = greedy.connection;
            let stop = &stop;
            scope.spawn(move || {
                let flood = request(1, KEEP, "unread", b"x").repeat(500);
                while !stop.load(Ordering::Relaxed) {
                    if sender.write_all(&flood).is_err() {
                        break;
                    }
                }
                let _ = sender.shutdown(Shutdown::Both);
            });
            scope.spawn(move || {
                let mut buffer = vec![0; 1 << 16];
                while !stop.load(Ordering::Relaxed)
                    && receiver.read(&mut buffer).is_ok_and(|count| count > 0)
                {}
            });
            let mut others: Vec<_> = (0..5).map(|_| app.connect()).collect();
            for _ in 0..20 {
                others.iter_mut().for_each(lives);
            }
            stop.store(true, Ordering::Relaxed);
        });
    }
}
