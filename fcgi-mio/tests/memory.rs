//! Bounds on memory, in a process of their own: it is the process that is measured.

mod kit;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fcgi_mio::{Body, Chunk, Producer, Server, Settings, whole};
use fcgi_tests::blocking::WebServer;
use fcgi_tests::hand::*;
use kit::*;
use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_send_buffer_size};

/// One measurement at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// Bytes of memory in which this process resides.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages = text.split(' ').nth(1).expect("the second number");
    pages.parse::<usize>().expect("a number") * 4096
}

#[test]
fn a_thousand_pipelined_requests_of_a_peer_that_does_not_read() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let app = App::tcp(Settings::new(), || {
        whole(|_, response| response.body(vec![b'x'; 1 << 20]))
    });
    let before = resident();
    let mut peer = app.connect();
    let mut sender = WebServer {
        connection: peer.connection.try_clone().expect("another handle"),
    };
    let writer = std::thread::spawn(move || {
        for id in 1..=1000 {
            sender.send(responder(id, KEEP, GET, b""));
        }
    });
    app.wait_until("sixteen run", |c| c.begun - c.ended == 16);
    std::thread::sleep(Duration::from_millis(300));
    let counters = app.counters();
    // What the socket has taken is over; beyond that a connection has its sixteen.
    assert!(counters.begun - counters.ended <= 16, "{counters:?}");
    assert!(counters.begun < 60, "{counters:?}");
    let grown = resident().saturating_sub(before);
    assert!(grown < 40 << 20, "{grown} bytes for one connection");
    for id in 1..=1000 {
        let mut length = 0;
        let mut ended = false;
        while !ended {
            let record = peer.record();
            ended = record.kind == END_REQUEST;
            length += record.content.len();
        }
        assert!(length > 0, "answer {id}");
    }
    writer.join().expect("everything was taken");
    app.wait_until("all are answered", |c| c.ended == 1000);
    assert_eq!(app.counters().failed, 0);
}

/// Makes bytes for ever, as far as the test is concerned.
struct Zeros(u64);

impl Producer for Zeros {
    fn produce(&mut self, chunk: &mut Chunk<'_>) -> std::io::Result<bool> {
        let count = chunk.room().min(usize::try_from(self.0).expect("64 bits"));
        self.0 -= u64::try_from(chunk.write(&vec![0; count])).expect("64 bits");
        Ok(self.0 > 0)
    }
}

#[test]
fn fifty_peers_that_ask_for_64_mib_and_do_not_read() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let app = App::unix(Settings::new(), || {
        whole(|_, response| response.body(Body::producer(Zeros(64 << 20))))
    });
    let before = resident();
    let mut peers: Vec<_> = (0..50).map(|_| app.connect()).collect();
    for peer in &mut peers {
        peer.send(responder(1, KEEP, GET, b""));
    }
    app.wait_until("all have begun", |c| c.begun == 50);
    std::thread::sleep(Duration::from_millis(300));
    let grown = resident().saturating_sub(before);
    assert!(
        grown < 50 * (512 << 10) + (4 << 20),
        "{grown} bytes for fifty connections"
    );
    let answer = peers[0].answer(1);
    assert_eq!(answer.body().len(), 64 << 20);
    drop(peers);
    app.wait_until("the others are aborted", |c| c.aborted == 49);
}

#[test]
fn a_long_answer_to_a_peer_that_reads_slowly_does_not_pile_up() {
    const LENGTH: u64 = 48 << 20;
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    // A socket that never has room for all that waits, as over a slow line.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    set_socket_send_buffer_size(&listener, 16 << 10).expect("a small buffer");
    let mut peer = TcpStream::connect(listener.local_addr().expect("bound")).expect("it listens");
    set_socket_recv_buffer_size(&peer, 16 << 10).expect("a small buffer");
    let server = Server::new(vec![listener.into()]).expect("descriptors");
    let handle = server.handle();
    let thread = std::thread::spawn(move || {
        server.serve(|_, response| response.body(Body::producer(Zeros(LENGTH))))
    });
    peer.write_all(&responder(1, KEEP, GET, b""))
        .expect("it reads");
    let (before, mut grown, mut count, mut buffer) = (resident(), 0, 0, [0; 4096]);
    while count < LENGTH {
        count += u64::try_from(peer.read(&mut buffer).expect("more")).expect("64 bits");
        if count % 1024 < 4 {
            grown = resident().saturating_sub(before).max(grown);
        }
    }
    grown = resident().saturating_sub(before).max(grown);
    assert!(grown < 8 << 20, "{grown} bytes for one connection");
    handle.stop(Duration::ZERO);
    let _ = end_of_thread(thread);
}
