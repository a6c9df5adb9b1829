//! What can go wrong, and what is said about it.

use std::io::ErrorKind;
use std::net::Shutdown;
use std::time::Duration;

use fcgi_listen::Address;
use fcgi_mio::web_server::{Cause, Settings};
use fcgi_tests::hand::*;

use crate::peer::{Door, Line, Peer, narrow_door, page, remove, unix_path};
use crate::world::*;

/// Sends one request to an application that does as said.
#[track_caller]
fn failure_of(settings: Settings, script: fn(&Door, Line)) -> (String, ErrorKind, Cause) {
    let peer = Peer::unix(move |door| {
        let mut line = door.accept();
        line.request();
        script(door, line);
    });
    let mut world = World::new(settings);
    let (_call, log) = send(&world.application(&peer.address), get("/a\x1b[2Jb"));
    world.run(&[&log]);
    peer.finish();
    let (text, kind, cause) = log.failure();
    // Which request, which application, and nothing that a terminal would obey.
    assert!(text.starts_with("GET /a\\x1b[2Jb to unix:/"), "{text}");
    world.run_until("it is closed", |outgoing| {
        outgoing.is_idle() && outgoing.counters().closed == outgoing.counters().opened
    });
    (text, kind, cause)
}

#[test]
fn an_application_that_is_not_there() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    for (address, kind) in [
        (Address::Ip(address), ErrorKind::ConnectionRefused),
        (Address::Unix(unix_path()), ErrorKind::NotFound),
    ] {
        let mut world = World::new(Settings::new());
        let application = world.application(&address);
        // Each says so, and none waits for another.
        let sent: Vec<_> = (0..40).map(|_| send(&application, get("/x"))).collect();
        let logs: Vec<_> = sent.iter().map(|(_, log)| log).collect();
        world.run(&logs);
        for log in logs {
            let (text, found, cause) = log.failure();
            assert_eq!(found, kind);
            assert!(matches!(cause, Cause::Connect(_)));
            let begins = format!("GET /x to {address}: can't connect: ");
            assert!(text.starts_with(&begins), "{text}");
        }
    }
}

#[test]
fn other_addresses_of_a_name_are_tried() {
    // `:PORT` stands for IPv4 and IPv6 of this machine.
    let Ok(listener) = std::net::TcpListener::bind("[::1]:0") else {
        return; // a machine without IPv6
    };
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || {
        let mut line = Door::Tcp(listener).accept();
        line.serve("x");
    });
    let mut world = World::new(Settings::new());
    let application = world.application(&Address::AllInterfaces(port));
    let (_call, log) = send(&application, get("/"));
    world.run(&[&log]);
    assert_eq!(log.app_status(), Some(0));
    thread.join().unwrap();
}

#[test]
fn nothing_but_the_end_of_the_connection() {
    let (text, kind, cause) = failure_of(Settings::new(), |_, _| {});
    assert!(matches!(cause, Cause::NotAnswered));
    assert_eq!(kind, ErrorKind::UnexpectedEof);
    assert!(
        text.ends_with("closed the connection before it answered"),
        "{text}"
    );
}

#[test]
fn an_answer_without_its_end() {
    let whole = page(1, "x");
    for cut in [
        1,
        7,
        8,
        9,
        20,
        whole.len() - 16,
        whole.len() - 15,
        whole.len() - 1,
    ] {
        let peer = Peer::unix(move |door| {
            let mut line = door.accept();
            line.request();
            line.send(&page(1, "x")[..cut]);
        });
        let mut world = World::new(Settings::new());
        let (_call, log) = send(&world.application(&peer.address), get("/"));
        world.run(&[&log]);
        peer.finish();
        let (text, kind, cause) = log.failure();
        assert!(matches!(cause, Cause::CutShort), "{cut}: {cause}");
        assert_eq!(kind, ErrorKind::UnexpectedEof);
        assert!(text.contains("without FCGI_END_REQUEST"), "{text}");
    }
}

#[test]
fn a_breach_of_the_protocol() {
    let cases: [fn(&mut Line); 3] = [
        |line| line.send(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        |line| line.send(record(BEGIN_REQUEST, 1, &[0; 8], 0)),
        |line| line.send([end_of(STDOUT, 1), stream(STDOUT, 1, b"x")].concat()),
    ];
    for (case, said) in cases
        .into_iter()
        .zip(["version 72", "direction", "after the end"])
    {
        let peer = Peer::unix(move |door| {
            let mut line = door.accept();
            line.request();
            case(&mut line);
            line.is_closed()
        });
        let mut world = World::new(Settings::new());
        let (_call, log) = send(&world.application(&peer.address), get("/"));
        world.run(&[&log]);
        let (text, kind, cause) = log.failure();
        assert!(matches!(cause, Cause::Protocol(_)));
        assert_eq!(kind, ErrorKind::InvalidData);
        assert!(
            text.contains("broke the protocol") && text.contains(said),
            "{text}"
        );
        assert!(peer.finish(), "closed");
    }
}

#[test]
fn refusals() {
    for (status, kind, said) in [
        (CANT_MPX_CONN, ErrorKind::ResourceBusy, "FCGI_CANT_MPX_CONN"),
        (OVERLOADED, ErrorKind::ResourceBusy, "FCGI_OVERLOADED"),
        (UNKNOWN_ROLE, ErrorKind::Unsupported, "FCGI_UNKNOWN_ROLE"),
        (9, ErrorKind::ResourceBusy, "protocolStatus 9"),
    ] {
        let peer = Peer::unix(move |door| {
            let mut line = door.accept();
            line.request();
            line.send(end_request(1, 0, status));
            // The connection is as good as before.
            line.serve("x");
        });
        let mut world = World::new(Settings::new());
        let application = world.application(&peer.address);
        let (_call, log) = send(&application, get("/"));
        world.run(&[&log]);
        let (text, found, cause) = log.failure();
        assert!(matches!(cause, Cause::Refused(_)));
        assert_eq!(found, kind);
        assert!(text.ends_with(&format!("refused it: {said}")), "{text}");
        let (_call, other) = send(&application, get("/"));
        world.run(&[&other]);
        assert_eq!(other.app_status(), Some(0));
        peer.finish();
    }
}

#[test]
fn an_application_that_is_silent() {
    let short = Duration::from_millis(50);
    let (text, kind, _) = failure_of(Settings::new().response_timeout(short), |_, mut line| {
        assert!(line.is_closed());
    });
    assert_eq!(kind, ErrorKind::TimedOut);
    assert!(text.ends_with("was silent for too long"), "{text}");
}

#[test]
fn progress_is_no_silence() {
    let peer = Peer::unix(|door| {
        let mut line = door.accept();
        line.request();
        for _ in 0..8 {
            std::thread::sleep(Duration::from_millis(100));
            line.send(stream(STDOUT, 1, b"."));
        }
        line.send(page(1, "x"));
    });
    let timeout = Duration::from_millis(600);
    let mut world = World::new(Settings::new().response_timeout(timeout));
    let (_call, log) = send(&world.application(&peer.address), get("/"));
    world.run(&[&log]);
    assert_eq!(log.app_status(), Some(0));
    peer.finish();
}

#[test]
fn a_request_that_finds_no_room() {
    let short = Duration::from_millis(50);
    let peer = Peer::unix(|door| {
        let mut line = door.accept();
        line.request();
        line.is_closed()
    });
    let settings = Settings::new().max_connections(1).max_waiting(2);
    let mut world = World::new(settings.queue_timeout(short));
    let application = world.application(&peer.address);
    let (first, first_log) = send(&application, get("/0"));
    let waiting = [1, 2, 3, 4].map(|n| send(&application, get(&format!("/{n}"))));
    world.run(&waiting.each_ref().map(|(_, log)| log));
    for (_, log) in &waiting[..2] {
        let (text, kind, cause) = log.failure();
        assert!(matches!(cause, Cause::NoRoomInTime));
        assert_eq!(kind, ErrorKind::TimedOut);
        assert!(
            text.ends_with("no connection had room for it in time"),
            "{text}"
        );
    }
    for (_, log) in &waiting[2..] {
        let (text, kind, _) = log.failure();
        assert_eq!(kind, ErrorKind::QuotaExceeded);
        assert!(text.ends_with("2 requests are waiting already"), "{text}");
    }
    assert!(!first_log.is_over());
    drop((first, world));
    assert!(peer.finish());
    assert!(!first_log.is_over(), "dropped before");
}

#[test]
fn a_backlog_that_is_full_is_waited_for() {
    let (door, address) = narrow_door();
    let mut world = World::new(Settings::new());
    let application = world.application(&address);
    let sent: Vec<_> = (0..5).map(|_| send(&application, get("/"))).collect();
    let logs: Vec<_> = sent.iter().map(|(_, log)| log).collect();
    for _ in 0..20 {
        world.step(Duration::from_millis(5), |_| {});
    }
    let opened = world.outgoing.counters().opened;
    assert!(opened < 5, "the backlog takes {opened}");
    let thread = std::thread::spawn(move || {
        let mut lines: Vec<Line> = Vec::new();
        for _ in 0..5 {
            let mut line = door.accept();
            line.serve("x");
            lines.push(line);
        }
    });
    // Connections that came through may serve more than one of them.
    world.run_until("some are answered", |_| {
        logs.iter().filter(|log| log.is_over()).count() > usize::try_from(opened).unwrap()
            || thread.is_finished()
    });
    remove(&address);
}

/// A TCP application that does not accept: when its backlog is full, the system drops the rest.
#[cfg(target_os = "linux")]
#[test]
fn an_application_that_does_not_accept() {
    let socket = rustix::net::socket(
        rustix::net::AddressFamily::INET,
        rustix::net::SocketType::STREAM,
        None,
    )
    .unwrap();
    let any: std::net::SocketAddrV4 = "127.0.0.1:0".parse().unwrap();
    rustix::net::bind(&socket, &any).unwrap();
    rustix::net::listen(&socket, 0).unwrap();
    let listener = std::net::TcpListener::from(socket);
    let address = Address::Ip(listener.local_addr().unwrap());
    let dial = || fcgi_listen::Stream::dial(&address).unwrap().next().unwrap();
    let fillers = [(); 3].map(|()| dial().unwrap());
    let settings = Settings::new().connect_timeout(Duration::from_millis(100));
    let mut world = World::new(settings);
    let (_call, log) = send(&world.application(&address), get("/"));
    world.run(&[&log]);
    let (text, kind, cause) = log.failure();
    assert!(matches!(cause, Cause::ConnectTimedOut));
    assert_eq!(kind, ErrorKind::TimedOut);
    assert!(text.ends_with("connecting took too long"), "{text}");
    assert_eq!(world.outgoing.counters().timed_out, 1);
    drop((fillers, listener));
}

#[test]
fn a_connection_that_breaks_fails_all_its_requests() {
    let peer = Peer::tcp(|door| {
        let mut line = door.accept();
        line.request();
        line.send(stream(STDOUT, 1, b"Status: 200\n"));
        line.0.shutdown(Shutdown::Both).unwrap();
    });
    let mut world = World::new(Settings::new());
    let (_call, log) = send(&world.application(&peer.address), get("/"));
    world.run(&[&log]);
    peer.finish();
    assert!(log.failure().0.contains("without FCGI_END_REQUEST"));
    assert_eq!(log.stdout(), b"Status: 200\n");
}

#[test]
fn the_end_of_the_loop_is_told() {
    let peer = Peer::unix(|door| {
        let mut line = door.accept();
        line.request();
        line.is_closed()
    });
    let mut world = World::new(Settings::new().max_connections(1));
    let application = world.application(&peer.address);
    let (_call, running) = send(&application, get("/1"));
    let (_other_call, waiting) = send(&application, get("/2"));
    world.run_until("it is sent", |outgoing| outgoing.counters().begun == 1);
    drop(world);
    assert!(peer.finish());
    let (call, late) = send(&application, get("/3"));
    assert!(call.is_over());
    for log in [running, waiting, late] {
        assert!(matches!(log.failure().2, Cause::Stopped));
    }
}
