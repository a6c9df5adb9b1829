//! Bodies larger than all buffers, in both directions.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fcgi_tests::pattern::{self, Check, Source};

use super::*;

const MIB: usize = 1024 * 1024;
const LARGE: usize = 10 * MIB;

fn is_pattern(body: &[u8], length: usize) {
    let mut check = Check::new();
    check.write_all(body).unwrap();
    check.assert(length as u64);
}

fn large_request(id: u16) -> Vec<u8> {
    let body = pattern::bytes(LARGE);
    [head(id, GET), stream(STDIN, id, &body), end_of(STDIN, id)].concat()
}

/// It writes from one thread and reads in another.
fn talk(peer: &mut WebServer, request: Vec<u8>, id: u16) -> Answer {
    let mut sender = WebServer {
        connection: peer.connection.try_clone().unwrap(),
    };
    let sending = thread::spawn(move || sender.send(request));
    let answer = peer.answer(id);
    sending.join().unwrap();
    answer
}

#[test]
fn echoed_to_a_web_server_that_reads_while_it_writes() {
    let unix = WORKERS.map(|(least, most)| blocking::unix(|s| s.workers(least, most), echo));
    let tcp = blocking::tcp(|s| s, echo);
    for app in unix.iter().chain([&tcp]) {
        let mut peer = app.connect();
        let answer = talk(&mut peer, large_request(1), 1);
        is_pattern(answer.body(), LARGE);
        lives(&mut peer);
    }
}

#[test]
fn echoed_to_a_web_server_that_sends_all_before_it_reads() {
    for (least, most) in WORKERS {
        let app = blocking::unix(|s| s.workers(least, most).read_ahead(LARGE + MIB), echo);
        let mut peer = app.connect();
        let answer = peer.ask(1, large_request(1));
        is_pattern(answer.body(), LARGE);
        lives(&mut peer);
    }
}

#[test]
fn answered_before_it_is_read() {
    for (least, most) in WORKERS {
        let app = blocking::unix(
            |s| s.workers(least, most),
            |request: &mut Request| {
                if request.params.content_length().is_some() {
                    return echo(request);
                }
                io::copy(&mut Source::new(LARGE as u64), &mut request.stdout)?;
                let mut check = Check::new();
                io::copy(&mut request.stdin, &mut check)?;
                check.assert(LARGE as u64);
                Ok(())
            },
        );
        let mut peer = app.connect();
        let answer = talk(&mut peer, large_request(1), 1);
        is_pattern(answer.body(), LARGE);
        assert_eq!(answer.end, Some((0, REQUEST_COMPLETE)));
        lives(&mut peer);
    }
}

/// The answer is larger than the socket's buffers, and nobody reads it before all of the body has
/// been sent, which the handler did not want.
#[test]
fn an_answer_waits_for_a_web_server_that_first_sends_its_unwanted_body() {
    for (least, most) in WORKERS {
        for length in [100, 300_000, 900_000] {
            let app = blocking::unix(
                |s| {
                    s.workers(least, most)
                        .drain(2 * LARGE, Duration::from_secs(5))
                },
                move |request: &mut Request| {
                    if request.params.content_length().is_some() {
                        return echo(request);
                    }
                    request.stdout.write_all(&pattern::bytes(length))
                },
            );
            let mut peer = app.connect();
            let body = vec![b'x'; MIB];
            let answer = peer.ask(1, responder(1, KEEP, GET, &body));
            is_pattern(answer.body(), length);
            lives(&mut peer);
        }
    }
}

#[test]
fn pieces_of_any_size_are_written_in_order() {
    for piece in [1, 1000, 65_527, 65_528, 65_529, 200_000] {
        let length = if piece == 1 { 100_000 } else { MIB };
        let app = blocking::unix(
            |s| s,
            move |request: &mut Request| {
                for piece in pattern::bytes(length).chunks(piece) {
                    request.stdout.write_all(piece)?;
                }
                Ok(())
            },
        );
        let answer = app.connect().ask(1, responder(1, KEEP, GET, b""));
        is_pattern(answer.body(), length);
        // Collected into large records.
        assert!(answer.order.len() < 40, "{} records", answer.order.len());
    }
}

#[test]
fn a_stalled_writer_goes_on_when_the_web_server_reads_again() {
    for (least, most) in WORKERS {
        let written = Arc::new(AtomicUsize::new(0));
        let so_far = Arc::clone(&written);
        let app = blocking::unix(
            |s| s.workers(least, most),
            move |request: &mut Request| {
                let mut source = Source::new(LARGE as u64);
                let mut piece = vec![0; 100_000];
                loop {
                    let count = source.read(&mut piece)?;
                    if count == 0 {
                        return Ok(());
                    }
                    request.stdout.write_all(&piece[..count])?;
                    so_far.fetch_add(count, Ordering::Relaxed);
                }
            },
        );
        let mut peer = app.connect();
        peer.send(responder(1, KEEP, GET, b""));
        // It stops far from the end, whatever the kernel takes.
        let mut before = 0;
        blocking::eventually(
            || {
                thread::sleep(Duration::from_millis(50));
                let now = written.load(Ordering::Relaxed);
                now > 0 && std::mem::replace(&mut before, now) == now
            },
            || "the writer does not stop".into(),
        );
        assert!(before < LARGE / 2, "{before} bytes are on their way");
        is_pattern(peer.answer(1).body(), LARGE);
    }
}
