//! Streams of both transports: connecting, reading, writing, ending.

use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::os::unix::net::UnixListener;
use std::thread;
use std::time::{Duration, Instant};

use fcgi_listen::{Address, Listener, Options, Stream};
use socket2::{Domain, SockRef, Socket, Type};

/// Two connected streams of each transport, both blocking.
fn pairs() -> Vec<(Stream, Stream)> {
    let folder = tempfile::tempdir().unwrap();
    [
        Address::Ip(([127, 0, 0, 1], 0).into()),
        Address::Unix(folder.path().join("socket")),
    ]
    .iter()
    .map(|address| {
        let listener = Listener::bind(address, &Options::new()).unwrap();
        let client = Stream::connect(&listener.local_address().unwrap(), None).unwrap();
        let (server, _) = listener.accept().unwrap();
        server.set_nonblocking(false).unwrap();
        (client, server)
    })
    .collect()
}

#[test]
fn pieces_are_gathered_and_scattered_in_order() {
    for (client, mut server) in pairs() {
        let pieces = [
            IoSlice::new(b"re"),
            IoSlice::new(b""),
            IoSlice::new(b"cords"),
        ];
        assert_eq!((&client).write_vectored(&pieces).unwrap(), 7);
        let (mut first, mut second) = ([0; 3], [0; 9]);
        let mut buffers = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
        assert_eq!(server.read_vectored(&mut buffers).unwrap(), 7);
        assert_eq!((&first, &second[..4]), (b"rec", &b"ords"[..]));
    }
}

#[test]
fn more_pieces_than_the_system_takes_are_a_short_write() {
    for (mut client, mut server) in pairs() {
        let pieces = vec![IoSlice::new(b"x"); 5000];
        let written = client.write_vectored(&pieces).unwrap();
        assert_eq!(written, 1024);
        drop(client);
        let mut text = Vec::new();
        server.read_to_end(&mut text).unwrap();
        assert_eq!(text, b"x".repeat(written));
    }
}

#[test]
fn one_direction_can_end_before_the_other() {
    for (mut client, mut server) in pairs() {
        client.write_all(b"request").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut text = String::new();
        server.read_to_string(&mut text).unwrap();
        assert_eq!(text, "request");
        server.write_all(b"response").unwrap();
        drop(server);
        text.clear();
        client.read_to_string(&mut text).unwrap();
        assert_eq!(text, "response");
    }
}

#[test]
fn writing_to_a_peer_that_is_gone_is_an_error() {
    for (mut client, server) in pairs() {
        drop(server);
        // Over TCP the first writes may pass before the peer's reset arrives.
        let kind = (0..1000).find_map(|turn| {
            thread::sleep(Duration::from_millis(u64::from(turn > 0)));
            let result = match turn % 2 {
                0 => client.write(b"x"),
                _ => client.write_vectored(&[IoSlice::new(b"x")]),
            };
            result.err().map(|error| error.kind())
        });
        assert!(
            matches!(
                kind,
                Some(ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
            ),
            "{kind:?}"
        );
        let error = client.write_vectored(&[IoSlice::new(b"x")]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        assert_eq!(
            client.write(b"x").unwrap_err().kind(),
            ErrorKind::BrokenPipe
        );
    }
}

#[test]
fn reading_stops_at_its_timeout_and_never_waits_without_blocking() {
    for (mut client, server) in pairs() {
        client
            .set_read_timeout(Some(Duration::from_millis(20)))
            .unwrap();
        let start = Instant::now();
        assert_eq!(
            client.read(&mut [0]).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
        assert!(start.elapsed() >= Duration::from_millis(15));
        server.set_nonblocking(true).unwrap();
        assert_eq!(
            (&server).read(&mut [0]).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
    }
}

#[test]
fn writing_stops_at_its_timeout() {
    for (mut client, _server) in pairs() {
        client
            .set_write_timeout(Some(Duration::from_millis(20)))
            .unwrap();
        let block = vec![0; 1 << 20];
        let error = (0..1000).find_map(|_| client.write(&block).err()).unwrap();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    }
}

#[test]
fn clones_are_one_connection() {
    for (client, mut server) in pairs() {
        let mut clone = client.try_clone().unwrap();
        drop(client);
        clone.write_all(b"x").unwrap();
        server.read_exact(&mut [0]).unwrap();
        drop(clone);
        assert_eq!(server.read(&mut [0]).unwrap(), 0);
    }
}

#[test]
fn connecting_where_nobody_listens_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    drop(UnixListener::bind(&path).unwrap());
    // Bound, so that nobody else gets the port, and not listening.
    let bound = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    bound
        .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    let closed = bound.local_addr().unwrap().as_socket().unwrap();
    for address in [Address::Unix(path), Address::Ip(closed)] {
        for timeout in [None, Some(Duration::from_secs(10))] {
            let error = Stream::connect(&address, timeout).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{address}");
        }
    }
}

#[test]
fn a_timeout_that_was_not_needed_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let address = Address::Unix(folder.path().join("socket"));
    let _listener = Listener::bind(&address, &Options::new()).unwrap();
    let stream = Stream::connect(&address, Some(Duration::from_secs(10))).unwrap();
    assert_eq!(SockRef::from(&stream).write_timeout().unwrap(), None);
    assert!(!SockRef::from(&stream).nonblocking().unwrap());
}

#[test]
fn connecting_waits_for_room_no_longer_than_its_timeout() {
    let folder = tempfile::tempdir().unwrap();
    let path = Address::Unix(folder.path().join("socket"));
    for address in [path, Address::Ip(([127, 0, 0, 1], 0).into())] {
        let listener = Listener::bind(&address, &Options::new().backlog(0)).unwrap();
        let address = listener.local_address().unwrap();
        let start = Instant::now();
        let timeout = Duration::from_millis(50);
        // The kernel rounds the length of a backlog as it likes, but not to a hundred.
        let mut waiting = Vec::new();
        let error = loop {
            match Stream::connect(&address, Some(timeout)) {
                Ok(stream) => waiting.push(stream),
                Err(error) => break error,
            }
            assert!(waiting.len() < 100);
        };
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{address}");
        assert!(start.elapsed() >= timeout);
    }
    let error = Stream::connect(&Address::AllInterfaces(1), Some(Duration::ZERO)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}
