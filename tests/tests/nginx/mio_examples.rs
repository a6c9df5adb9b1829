//! The example programs of the event loop, each a process of its own.

use std::io::{self, Read};
use std::process::{Command, Stdio};
use std::thread;

use fcgi_tests::address::Address;
use fcgi_tests::blocking::WebServer;
use fcgi_tests::hand::*;
use fcgi_tests::http::{self, Client};
use fcgi_tests::pattern::Source;
use fcgi_tests::process::memory;

use crate::examples::Example;
use crate::site::{Frontend, Way, four_ways};

four_ways! {
    hello_greets, upload_is_summed_up, stream_of_numbers, guest_is_served_beside_its_host,
    primes_are_found_elsewhere,
}

const MIB: u64 = 1 << 20;

/// Where the way does not matter.
const DIRECT: Way = Way {
    frontend: Frontend::Mio,
    unix: true,
    kept: true,
};

fn hello_greets(way: Way) {
    let hello = Example::start(way, "mio-hello");
    let mut client = Client::connect(hello.address());
    for _ in 0..20 {
        let page = client.call(&http::Request::get("/"));
        assert_eq!((page.status, &*page.text()), (200, "Hello, 127.0.0.1!\n"));
        assert_eq!(page.field("Content-Type").as_deref(), Some("text/plain"));
    }
}

/// What POSIX cksum prints of these bytes.
fn cksum(mut bytes: impl Read) -> String {
    let mut cksum = Command::new("cksum")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("cksum is everywhere");
    io::copy(&mut bytes, &mut cksum.stdin.take().unwrap()).unwrap();
    String::from_utf8(cksum.wait_with_output().unwrap().stdout).unwrap()
}

/// Uploads the pattern's first bytes.
fn sum_up(upload: &Example, length: u64) {
    let request = http::Request::post_pattern("/", length);
    let page = Client::connect(upload.address()).call(&request);
    assert_eq!(
        (page.status, page.text()),
        (200, cksum(Source::new(length)))
    );
}

fn upload_is_summed_up(way: Way) {
    let upload = Example::start(way, "mio-upload");
    for length in [0, 1, 1000, 3 * MIB] {
        sum_up(&upload, length);
    }
}

#[test]
fn large_upload_is_summed_up() {
    sum_up(&Example::start(DIRECT, "mio-upload"), 64 * MIB);
}

#[test]
fn memory_does_not_grow_with_an_upload() {
    let upload = Example::start(DIRECT, "mio-upload");
    let mut peer = WebServer {
        connection: upload.application.connect().unwrap(),
    };
    let mut send = |length: u64| {
        let announced = length.to_string();
        let head = [
            begin(1, RESPONDER, KEEP),
            params(1, &[("CONTENT_LENGTH", announced.as_str())]),
            end_of(PARAMS, 1),
        ];
        peer.send(head.concat());
        let piece = stream(STDIN, 1, &[b'x'; 32_768]);
        for _ in 0..length / 32_768 {
            peer.send(&piece);
        }
        let answer = peer.ask(1, end_of(STDIN, 1));
        assert_eq!(answer.end, Some((0, REQUEST_COMPLETE)));
        let expected = cksum(io::repeat(b'x').take(length));
        assert_eq!(String::from_utf8_lossy(answer.body()), expected);
    };
    // The code has been loaded and the buffers filled by then.
    send(MIB);
    let figures = || ["VmHWM", "RssAnon"].map(|line| memory(upload.process.id(), line));
    let [peak, allocated] = figures();
    send(256 * MIB);
    let [peak_after, allocated_after] = figures();
    assert!(peak_after - peak < 1024, "{peak} to {peak_after} KiB");
    let grown = allocated_after.saturating_sub(allocated);
    assert!(grown < 1024, "{allocated} to {allocated_after} KiB");
}

fn stream_of_numbers(way: Way) {
    let stream = Example::start(way, "mio-stream");
    let mut client = Client::connect(stream.address());
    for count in [0, 1, 1000, 500_000] {
        let page = client.call(&http::Request::get(format!("/?{count}")));
        let expected: String = (1..=count).map(|number| format!("{number}\n")).collect();
        assert_eq!((page.status, page.text() == expected), (200, true));
    }
    assert_eq!(client.call(&http::Request::get("/?many")).status, 400);
    // A client that has seen enough of something endless leaves others alone.
    let mut leaver = Client::connect(stream.address());
    let endless = http::Request::get("/?18446744073709551614");
    leaver.send(&endless.head_bytes()).unwrap();
    leaver.receive_head().unwrap();
    leaver.receive_bytes(100_000).unwrap();
    drop(leaver);
    assert_eq!(client.call(&http::Request::get("/?2")).text(), "1\n2\n");
}

fn guest_is_served_beside_its_host(way: Way) {
    let Address::Tcp(status) = Address::free_tcp() else {
        unreachable!("free_tcp returns a TCP address");
    };
    let embed = Example::with(way, "mio-embed", &[&status.to_string()]);
    let counters = || {
        let mut line = String::new();
        let mut connection = Address::Tcp(status).connect().unwrap();
        connection.read_to_string(&mut line).unwrap();
        line
    };
    let mut client = Client::connect(embed.address());
    for number in 1..=5 {
        let page = client.call(&http::Request::get("/"));
        assert_eq!(page.text(), "Served by a guest.\n");
        let line = counters();
        let expected = format!("{number} requests, {number} answered\n");
        assert!(line.ends_with(&expected), "{line}");
    }
    // The one that waited for the example to listen is among them.
    let connections = if way.kept {
        "2 connections"
    } else {
        "6 connections"
    };
    assert!(counters().starts_with(connections), "{}", counters());
}

fn primes_are_found_elsewhere(way: Way) {
    let deferred = Example::start(way, "mio-deferred");
    let address = deferred.address();
    let numbers: [(u64, bool); 7] = [
        (0, false),
        (1, false),
        (2, true),
        (9, false),
        (1_000_003, true),
        (1_000_000_000_039, true),
        (1_000_006_000_009, false),
    ];
    thread::scope(|scope| {
        for (number, is_prime) in numbers.into_iter().cycle().take(70) {
            scope.spawn(move || {
                let request = http::Request::get(format!("/?{number}"));
                let page = Client::connect(address).call(&request);
                let is = if is_prime { "is" } else { "is not" };
                assert_eq!(page.text(), format!("{number} {is} prime\n"));
            });
        }
    });
    let page = Client::connect(address).call(&http::Request::get("/?seventeen"));
    assert_eq!(page.status, 400);
}

/// Four workers and a queue of a hundred take no more than 104 jobs that take long.
#[test]
fn a_full_queue_is_said_at_once() {
    let deferred = Example::start(DIRECT, "mio-deferred");
    let long = [("QUERY_STRING", "9223372036854775783")];
    let sixteen: Vec<u8> = (1..=16)
        .flat_map(|id| responder(id, KEEP, &long, b""))
        .collect();
    let connect = || WebServer {
        connection: deferred.application.connect().unwrap(),
    };
    let mut busy: Vec<_> = (0..6).map(|_| connect()).collect();
    for peer in &mut busy {
        peer.send(&sixteen);
        peer.sync();
    }
    let mut peer = connect();
    peer.send(&sixteen);
    let refused = peer.record();
    let text = String::from_utf8_lossy(&refused.content);
    assert!(text.starts_with("Status: 503 "), "{text}");
    assert!(
        text.ends_with("Too busy, please come back later.\n"),
        "{text}"
    );
}
