//! Listeners that this process opens, and the addresses they can have.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use fcgi_listen::{AcceptAction, Address, Listener, Options, Peer, Stream, WebServerAddrs};
use rustix::io::FdFlags;
use socket2::{Domain, SockRef, Socket, Type};

fn bind(text: &str) -> io::Result<Listener> {
    Listener::bind(&text.parse().unwrap(), &Options::new())
}

fn bind_path(path: &Path) -> io::Result<Listener> {
    Listener::bind(&Address::Unix(path.into()), &Options::new())
}

fn connect(listener: &Listener) -> Stream {
    Stream::connect(&listener.local_address().unwrap(), None).unwrap()
}

fn port(listener: &Listener) -> u16 {
    match listener.local_address().unwrap() {
        Address::Ip(address) => address.port(),
        Address::AllInterfaces(port) => port,
        other => panic!("{other} has no port"),
    }
}

fn is_cloexec(descriptor: impl AsFd) -> bool {
    rustix::io::fcntl_getfd(descriptor)
        .unwrap()
        .contains(FdFlags::CLOEXEC)
}

fn assert_in_use(result: io::Result<Listener>) -> String {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse, "{error}");
    error.to_string()
}

/// One byte there and one byte back.
fn exchange(client: &mut Stream, server: &mut Stream) {
    server.set_nonblocking(false).unwrap();
    let mut byte = [0];
    client.write_all(b"?").unwrap();
    server.read_exact(&mut byte).unwrap();
    assert_eq!(&byte, b"?");
    server.write_all(b"!").unwrap();
    client.read_exact(&mut byte).unwrap();
    assert_eq!(&byte, b"!");
}

#[test]
fn tcp_streams_come_ready_for_use() {
    let listener = bind("127.0.0.1:0").unwrap();
    assert!(is_cloexec(&listener));
    assert!(!listener.is_unix() && !listener.is_inherited());
    let mut client = connect(&listener);
    let (mut stream, peer) = listener.accept().unwrap();
    assert!(is_cloexec(&stream) && is_cloexec(&client));
    assert!(SockRef::from(&stream).nonblocking().unwrap());
    assert!(SockRef::from(&stream).tcp_nodelay().unwrap());
    assert!(SockRef::from(&client).tcp_nodelay().unwrap());
    assert!(!SockRef::from(&stream).keepalive().unwrap());
    assert_eq!(stream.peer().unwrap(), peer);
    let Stream::Tcp(socket) = &client else {
        panic!("not TCP")
    };
    assert_eq!(peer, Peer::Ip(socket.local_addr().unwrap()));
    exchange(&mut client, &mut stream);
}

#[test]
fn nodelay_also_on_what_waited_before_the_listener_was_taken_over() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let _early = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let listener = Listener::from(listener);
    let _late = connect(&listener);
    for _ in 0..2 {
        let (stream, _) = listener.accept().unwrap();
        assert!(SockRef::from(&stream).tcp_nodelay().unwrap());
    }
}

#[test]
fn accepted_streams_have_the_keepalive_of_the_options() {
    let options = Options::new().keepalive(Some(Duration::from_secs(77)));
    let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap(), &options).unwrap();
    let client = connect(&listener);
    let (stream, _) = listener.accept().unwrap();
    assert!(SockRef::from(&stream).keepalive().unwrap());
    assert_eq!(
        SockRef::from(&stream).tcp_keepalive_time().unwrap(),
        Duration::from_secs(77)
    );
    client.set_keepalive(Some(Duration::from_secs(99))).unwrap();
    assert_eq!(
        SockRef::from(&client).tcp_keepalive_time().unwrap(),
        Duration::from_secs(99)
    );
    client.set_keepalive(None).unwrap();
    assert!(!SockRef::from(&client).keepalive().unwrap());
}

#[test]
fn all_interfaces_take_both_families() {
    let listener = bind(":0").unwrap();
    let port = port(&listener);
    let mut client = Stream::connect(&Address::AllInterfaces(port), None).unwrap();
    let (mut stream, peer) = listener.accept().unwrap();
    assert_eq!(peer.ip(), Some([127, 0, 0, 1].into()));
    exchange(&mut client, &mut stream);
    if has_ipv6() {
        assert_eq!(
            listener.local_address().unwrap(),
            Address::AllInterfaces(port)
        );
        let mut client = Stream::connect(&format!("[::1]:{port}").parse().unwrap(), None).unwrap();
        let (mut stream, peer) = listener.accept().unwrap();
        assert_eq!(peer.ip(), Some("::1".parse().unwrap()));
        exchange(&mut client, &mut stream);
    }
}

#[test]
fn the_unspecified_ipv6_address_is_ipv6_alone() {
    if !has_ipv6() {
        return;
    }
    let listener = bind("[::]:0").unwrap();
    let port = port(&listener);
    assert_eq!(
        listener.local_address().unwrap(),
        format!("[::]:{port}").parse().unwrap()
    );
    TcpStream::connect(("::1", port)).unwrap();
    let refused = TcpStream::connect(("127.0.0.1", port)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
}

fn has_ipv6() -> bool {
    TcpListener::bind("[::1]:0").is_ok()
}

#[test]
fn a_name_is_looked_up() {
    let listener = bind("localhost:0").unwrap();
    let address = format!("localhost:{}", port(&listener)).parse().unwrap();
    Stream::connect(&address, Some(Duration::from_secs(10))).unwrap();
    let error = bind("nowhere.invalid:80").unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("cannot listen on nowhere.invalid:80: "),
        "{error}"
    );
}

#[test]
fn a_port_is_shared_only_on_request() {
    let shared = Options::new().reuse_port(true);
    let first = Listener::bind(&"127.0.0.1:0".parse().unwrap(), &shared).unwrap();
    let address = first.local_address().unwrap();
    assert_in_use(Listener::bind(&address, &Options::new()));
    Listener::bind(&address, &shared).unwrap();

    let alone = bind("127.0.0.1:0").unwrap();
    assert_in_use(Listener::bind(&alone.local_address().unwrap(), &shared));
}

#[test]
fn a_port_with_connections_in_time_wait_can_be_bound_again() {
    let listener = bind("127.0.0.1:0").unwrap();
    let address = listener.local_address().unwrap();
    let mut client = connect(&listener);
    let (stream, _) = listener.accept().unwrap();
    // Who closes first keeps the connection in TIME_WAIT.
    drop(stream);
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    drop(client);
    drop(listener);
    Listener::bind(&address, &Options::new()).unwrap();
}

#[test]
#[cfg(target_os = "linux")]
fn abstract_names_serve_and_are_exclusive() {
    let text = format!("unix:@fcgi-listen-test-{}", std::process::id());
    let listener = bind(&text).unwrap();
    assert_eq!(listener.local_address().unwrap(), text.parse().unwrap());
    let mut client = connect(&listener);
    let (mut stream, peer) = listener.accept().unwrap();
    assert_eq!(peer, Peer::Unix);
    exchange(&mut client, &mut stream);
    assert_in_use(bind(&text));
}

#[test]
fn a_path_serves_and_goes_away_with_the_last_clone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let listener = bind_path(&path).unwrap();
    assert!(is_cloexec(&listener) && listener.is_unix());
    assert_eq!(
        listener.local_address().unwrap(),
        Address::Unix(path.clone())
    );
    let mut client = connect(&listener);
    let (mut stream, peer) = listener.accept().unwrap();
    assert!(is_cloexec(&stream) && is_cloexec(&client));
    assert!(SockRef::from(&stream).nonblocking().unwrap());
    assert_eq!((peer, stream.peer().unwrap()), (Peer::Unix, Peer::Unix));
    exchange(&mut client, &mut stream);

    let clone = listener.try_clone().unwrap();
    drop(listener);
    assert!(path.exists());
    connect(&clone);
    drop(clone);
    assert!(!path.exists());
}

#[test]
fn a_path_stays_when_its_descriptor_is_given_away() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let descriptor = OwnedFd::from(bind_path(&path).unwrap());
    let listener = Listener::try_from(descriptor).unwrap();
    connect(&listener);
    drop(listener);
    assert!(path.exists());
}

#[test]
fn a_stale_path_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    drop(UnixListener::bind(&path).unwrap());
    let before = fs::symlink_metadata(&path).unwrap();
    assert!(before.file_type().is_socket());
    let listener = bind_path(&path).unwrap();
    connect(&listener);
}

#[test]
fn a_live_path_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let listener = bind_path(&path).unwrap();
    let inode = fs::symlink_metadata(&path).unwrap().ino();
    let text = assert_in_use(bind_path(&path));
    assert_eq!(
        text,
        format!(
            "cannot listen on unix:{}: another process listens there",
            path.display()
        )
    );
    assert_eq!(fs::symlink_metadata(&path).unwrap().ino(), inode);
    // The probe is what was accepted first.
    connect(&listener);
    listener.accept().unwrap();
    listener.accept().unwrap();
}

#[test]
fn a_live_path_with_a_full_backlog_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let address = Address::Unix(path.clone());
    let listener = Listener::bind(&address, &Options::new().backlog(0)).unwrap();
    let _waiting = connect(&listener);
    let inode = fs::symlink_metadata(&path).unwrap().ino();
    assert_in_use(bind_path(&path));
    assert_eq!(fs::symlink_metadata(&path).unwrap().ino(), inode);
}

#[test]
fn what_is_no_stream_socket_is_never_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "precious").unwrap();
    let text = assert_in_use(bind_path(&path));
    assert!(
        text.ends_with("the path exists and is not a socket"),
        "{text}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");

    let path = folder.path().join("folder");
    fs::create_dir(&path).unwrap();
    assert_in_use(bind_path(&path));
    assert!(path.is_dir());

    let path = folder.path().join("datagrams");
    let _datagrams = UnixDatagram::bind(&path).unwrap();
    assert_in_use(bind_path(&path));
    assert!(path.exists());

    let (stale, path) = (folder.path().join("stale"), folder.path().join("link"));
    drop(UnixListener::bind(&stale).unwrap());
    symlink(&stale, &path).unwrap();
    assert_in_use(bind_path(&path));
    assert!(path.is_symlink() && stale.exists());
}

#[test]
fn impossible_requests_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    for options in [
        Options::new().unix_mode(0o1777),
        // To chown(2) these say: leave it as it is.
        Options::new().unix_owner(Some(u32::MAX), None),
        Options::new().unix_owner(None, Some(u32::MAX)),
    ] {
        let error = Listener::bind(&Address::Unix(path.clone()), &options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{options:?}");
        assert!(!path.exists());
    }

    for address in [
        Address::Unix("".into()),
        Address::Unix("\0abstract".into()),
        Address::Unix("x".repeat(300).into()),
        Address::Abstract(Vec::new()),
    ] {
        let error = Listener::bind(&address, &Options::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{address:?}");
        let error = Stream::connect(&address, None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{address:?}");
    }
    let error = bind_path(&folder.path().join("missing/socket")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn a_listener_that_does_not_block_says_so_and_can_be_waited_for() {
    let listener = bind("127.0.0.1:0").unwrap();
    assert!(!listener.is_nonblocking().unwrap());
    listener.set_nonblocking(true).unwrap();
    assert!(listener.is_nonblocking().unwrap());
    let error = listener.accept().unwrap_err();
    assert_eq!(AcceptAction::for_error(&error), AcceptAction::WouldBlock);
    assert!(!listener.wait(Some(Duration::from_millis(5))).unwrap());
    let _client = connect(&listener);
    assert!(listener.wait(None).unwrap());
    listener.accept().unwrap();
}

#[test]
fn a_listener_that_was_shut_down_is_a_fatal_error() {
    let listener = bind("127.0.0.1:0").unwrap();
    SockRef::from(&listener)
        .shutdown(std::net::Shutdown::Both)
        .unwrap();
    let error = listener.accept().unwrap_err();
    assert_eq!(AcceptAction::for_error(&error), AcceptAction::Fatal);
}

#[test]
fn only_listening_stream_sockets_become_listeners() {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = Address::from(tcp.local_addr().unwrap());
    let listener = Listener::try_from(OwnedFd::from(tcp)).unwrap();
    assert_eq!(listener.local_address().unwrap(), address);
    assert!(!listener.is_unix());

    let not_listening = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    not_listening
        .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    let others: [OwnedFd; 4] = [
        io::pipe().unwrap().0.into(),
        UnixStream::pair().unwrap().0.into(),
        UnixDatagram::unbound().unwrap().into(),
        not_listening.into(),
    ];
    for other in others {
        assert_eq!(
            Listener::try_from(other).unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let packets = Socket::new(Domain::UNIX, Type::SEQPACKET, None).unwrap();
    packets
        .bind(&socket2::SockAddr::unix(folder.path().join("socket")).unwrap())
        .unwrap();
    packets.listen(1).unwrap();
    let error = Listener::try_from(OwnedFd::from(packets)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the listening socket is not a stream socket"
    );
}

/// `main` prints the error that it returns with `Debug`.
#[test]
fn errors_can_be_read_where_main_returns_them() {
    let nowhere: Address = "/no/such/folder/app.sock".parse().unwrap();
    let not_bound = Listener::bind(&nowhere, &Options::new()).unwrap_err();
    let no_port = io::Error::from("localhost".parse::<Address>().unwrap_err());
    let no_list = io::Error::from("one".parse::<WebServerAddrs>().unwrap_err());
    for (error, told) in [
        (
            not_bound,
            "cannot listen on unix:/no/such/folder/app.sock: ",
        ),
        (no_port, "port"),
        (no_list, "FCGI_WEB_SERVER_ADDRS: "),
    ] {
        let (text, shown) = (error.to_string(), format!("{error:?}"));
        assert!(text.contains(told), "{text}");
        assert!(shown.contains(&text.replace('"', "\\\"")), "{shown}");
    }
}
