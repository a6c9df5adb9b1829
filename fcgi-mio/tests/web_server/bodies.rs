//! Large bodies both ways, receivers that pause, bodies that come piece by piece.

use std::io::{self, Read};
use std::time::Duration;

use fcgi_core::Role;
use fcgi_mio::web_server::{Application, Request, Settings};
use fcgi_mio::{Body, Chunk, Producer};
use fcgi_tests::hand::*;
use fcgi_tests::pattern;

use crate::peer::{Door, Line, Peer};
use crate::world::*;

const LARGE: usize = 4 << 20;

/// Reads what comes in small pieces, and sends as much at the same time: neither side may wait for
/// the other to finish.
fn both_ways(door: &Door) -> Vec<Record> {
    let mut line = door.accept();
    let mut reader = Line(line.0.try_clone().unwrap());
    // What is sent before a request has begun belongs to none.
    let begin = reader.record();
    let writer = std::thread::spawn(move || {
        let mut sent = 0;
        let answer = pattern::bytes(LARGE);
        for (count, piece) in answer.chunks(30_011).enumerate() {
            let padding = u8::try_from(count % 256).unwrap();
            line.send(record(STDOUT, 1, piece, padding));
            sent += piece.len();
        }
        assert_eq!(sent, LARGE);
        line
    });
    let mut request = reader.request();
    request.insert(0, begin);
    let mut line = writer.join().unwrap();
    line.send([end_of(STDOUT, 1), end_request(1, 0, REQUEST_COMPLETE)].concat());
    request
}

fn body_of(request: &[Record]) -> Vec<u8> {
    let pieces = request.iter().filter(|record| record.kind == STDIN);
    pieces.flat_map(|record| record.content.clone()).collect()
}

struct Pattern(pattern::Source);

impl Producer for Pattern {
    fn produce(&mut self, chunk: &mut Chunk<'_>) -> io::Result<bool> {
        let mut piece = [0; 5000];
        let most = chunk.room().min(piece.len());
        let count = self.0.read(&mut piece[..most])?;
        assert_eq!(chunk.write(&piece[..count]), count);
        Ok(count > 0)
    }
}

#[test]
fn four_mib_both_ways_at_once() {
    let bodies: [fn() -> Body; 3] = [
        || pattern::bytes(LARGE).into(),
        || std::sync::Arc::<[u8]>::from(pattern::bytes(LARGE)).into(),
        || Body::producer(Pattern(pattern::Source::new(LARGE as u64))),
    ];
    for body in bodies {
        for peer in [Peer::unix(both_ways), Peer::tcp(both_ways)] {
            let mut world = World::new(Settings::new());
            let mut request = Request::new(Role::Responder);
            request.body(body());
            let (_call, log) = send(&world.application(&peer.address), request);
            world.run(&[&log]);
            let sent = peer.finish();
            assert_eq!(log.app_status(), Some(0));
            assert!(log.stdout() == pattern::bytes(LARGE));
            assert!(body_of(&sent) == pattern::bytes(LARGE));
        }
    }
}

#[test]
fn a_reader_of_single_bytes_gets_whole_records() {
    let peer = Peer::unix(|door| {
        let mut line = door.accept();
        small_buffers(&line);
        let mut bytes = Vec::new();
        // BEGIN, PARAMS of 300 KB in five records or six, STDIN of 100 KB in two, two ends.
        let mut ends = 0;
        while ends < 2 {
            let record = slow_record(&mut line);
            ends += usize::from(record.content.is_empty());
            bytes.extend(record.bytes());
        }
        line.send(crate::peer::page(1, "x"));
        parse(&bytes)
    });
    let mut world = World::new(Settings::new());
    let mut request = Request::new(Role::Responder);
    for n in 0..300 {
        request
            .param(format!("NAME_{n}"), "v".repeat(1000))
            .unwrap();
    }
    request.body(pattern::bytes(100_000));
    let (_call, log) = send(&world.application(&peer.address), request);
    world.run(&[&log]);
    assert_eq!(log.app_status(), Some(0));
    let records = peer.finish();
    let params: Vec<u8> = records
        .iter()
        .filter(|record| record.kind == PARAMS)
        .flat_map(|record| record.content.clone())
        .collect();
    let names: Vec<_> = pairs(&params).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), 300);
    assert_eq!(names[299], b"NAME_299");
    assert!(body_of(&records) == pattern::bytes(100_000));
}

fn small_buffers(line: &Line) {
    match &line.0 {
        fcgi_tests::address::Connection::Unix(stream) => {
            rustix::net::sockopt::set_socket_recv_buffer_size(stream, 1).unwrap();
        }
        fcgi_tests::address::Connection::Tcp(stream) => {
            rustix::net::sockopt::set_socket_recv_buffer_size(stream, 1).unwrap();
        }
    }
}

fn slow_record(line: &mut Line) -> Record {
    struct Slow<'a>(&'a mut Line);
    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let most = buffer.len().min(977);
            self.0.0.read(&mut buffer[..most])
        }
    }
    read_record(&mut Slow(line)).unwrap().unwrap()
}

/// Sends pages until nobody takes them.
fn flood(door: &Door) -> usize {
    let mut line = door.accept();
    line.request();
    let piece = [
        record(STDOUT, 1, &[b'x'; 8192], 0),
        record(STDERR, 1, b"e", 0),
    ]
    .concat();
    line.0.set_read_patience(Duration::from_secs(1)).unwrap();
    let mut sent = 0;
    while sent < LARGE {
        line.send(&piece);
        sent += 8192;
    }
    line.send([end_of(STDOUT, 1), end_request(1, 0, REQUEST_COMPLETE)].concat());
    sent
}

#[test]
fn a_receiver_that_pauses_holds_the_application_back() {
    let peer = Peer::unix(flood);
    let mut world = World::new(Settings::new().response_timeout(Duration::from_millis(300)));
    let application = world.application(&peer.address);
    let log = Log::default().paused();
    let call = application.send(get("/"), log.receiver());
    world.run_until("a piece", |_| log.stdout_len() > 0);
    let first = log.stdout_len();
    assert!(first <= 8192);
    // Nothing is read, nothing is called, nothing spins, and the time does not count.
    let before = world.waits;
    let started = std::time::Instant::now();
    while started.elapsed() < Duration::from_millis(500) {
        world.step(Duration::from_millis(100), |_| {});
    }
    assert!(world.waits - before < 50, "{} waits", world.waits - before);
    assert_eq!(log.stdout_len(), first);
    assert!(!log.is_over() && !peer.is_finished());
    // One piece at a time.
    call.resume();
    world.run_until("another piece", |_| log.stdout_len() > first);
    assert!(log.stdout_len() <= first + 8192);
    log.unpause();
    call.resume();
    world.run(&[&log]);
    assert_eq!(log.stdout_len(), peer.finish());
    assert_eq!(log.app_status(), Some(0));
    assert_eq!(log.stderr().len(), LARGE / 8192);
}

#[test]
fn a_paused_request_can_be_dropped() {
    let peer = Peer::unix(|door| {
        let mut line = door.accept();
        line.request();
        for _ in 0..100 {
            line.send(stream(STDOUT, 1, &[b'x'; 8192]));
        }
        assert_eq!(line.record().kind, ABORT_REQUEST);
        line.send(end_request(1, 0, REQUEST_COMPLETE));
        door.accept().serve("y");
    });
    let mut world = World::new(Settings::new().max_connections(1));
    let application = world.application(&peer.address);
    let log = Log::default().paused();
    let call = application.send(get("/"), log.receiver());
    world.run_until("a piece", |_| log.stdout_len() > 0);
    drop(call);
    let (_call, other) = send(&application, get("/"));
    world.run(&[&other]);
    assert!(log.stdout_len() <= 8192 && !log.is_over());
    peer.finish();
}

fn streamed(application: &Application) -> (fcgi_mio::web_server::Call, Log) {
    let mut request = Request::new(Role::Responder);
    request.stream();
    send(application, request)
}

#[test]
fn a_body_that_comes_piece_by_piece() {
    let peer = Peer::unix(|door| {
        let mut line = door.accept();
        let request = line.request();
        line.send(crate::peer::page(1, "x"));
        body_of(&request)
    });
    let mut world = World::new(Settings::new());
    let (call, log) = streamed(&world.application(&peer.address));
    let mut source = pattern::Source::new(1 << 20);
    let mut piece = vec![0; 64 * 1024];
    let mut rooms = 0;
    loop {
        let room = call.room();
        assert_eq!(room, 64 * 1024, "all of it was taken");
        let count = source.read(&mut piece).unwrap();
        if count == 0 {
            break;
        }
        call.write(&piece[..count]).unwrap();
        assert_eq!(call.room(), room - count);
        let error = call.write(vec![0; call.room() + 1]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        world.run_until("there is room", |_| log.rooms() > rooms);
        rooms = log.rooms();
    }
    call.finish();
    assert_eq!(call.room(), 0);
    let error = call.write("x").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    world.run(&[&log]);
    assert!(call.is_over());
    let error = call.write("x").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    assert!(peer.finish() == pattern::bytes(1 << 20));
}

#[test]
fn an_application_that_does_not_read_leaves_no_room() {
    let (tell, told) = std::sync::mpsc::channel::<()>();
    let peer = Peer::unix(move |door| {
        let mut line = door.accept();
        told.recv().unwrap();
        let request = line.request();
        line.send(crate::peer::page(1, "x"));
        body_of(&request).len()
    });
    let mut world = World::new(Settings::new());
    let (call, log) = streamed(&world.application(&peer.address));
    let mut written = 0;
    let mut idle = 0;
    // The socket's own buffers, and a bounded number of ours.
    while idle < 20 {
        idle += 1;
        let room = call.room();
        if room > 0 {
            call.write(vec![0; room]).unwrap();
            (written, idle) = (written + room, 0);
        }
        world.step(Duration::from_millis(5), |_| {});
    }
    assert!(written < 2 << 20, "{written} bytes are in memory");
    tell.send(()).unwrap();
    call.finish();
    world.run(&[&log]);
    assert_eq!(peer.finish(), written);
}

/// The application closes without reading all of a body, but it has answered.
#[test]
fn an_answer_that_comes_before_the_body_was_read_is_not_lost() {
    let peer = Peer::unix(|door| {
        let mut line = door.accept();
        line.record();
        line.send(crate::peer::page(1, "enough"));
    });
    let mut world = World::new(Settings::new());
    let request = post("/", vec![0; 8 << 20]);
    let (_call, log) = send(&world.application(&peer.address), request);
    world.run(&[&log]);
    assert_eq!(log.app_status(), Some(0));
    assert!(log.stdout().ends_with(b"enough"));
    peer.finish();
}
