//! One connection, over either transport.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendFlags};
use socket2::{Domain, SockAddr, SockRef, Socket, TcpKeepalive, Type};

use crate::address::{abstract_socket_address, path_socket_address};
use crate::{Address, Peer};

/// One connection between a web server and an application.
///
/// Writing never raises `SIGPIPE`: each call says `MSG_NOSIGNAL`, or on Apple's systems the socket
/// says `SO_NOSIGPIPE`. The standard library's streams rely on the signal being ignored, which its
/// start-up code arranges in a Rust program, but nobody does in a library that C code loads.
///
/// Reading and writing take `&Stream` too, so that one thread can read while another writes.
#[derive(Debug)]
pub enum Stream {
    /// Over a unix socket.
    Unix(UnixStream),
    /// Over TCP.
    Tcp(TcpStream),
}

impl Stream {
    /// Connects to an application, trying all addresses of a name in turn. The stream blocks, and
    /// over TCP it has `TCP_NODELAY` set.
    ///
    /// `timeout` bounds the whole attempt except for the look-up of a name. On a unix socket it is
    /// the time to wait for room in the application's backlog.
    ///
    /// # Errors
    ///
    /// `TimedOut` after the timeout; `InvalidInput` for an address that no socket address can hold;
    /// else what the system says, for the last address tried.
    pub fn connect(address: &Address, timeout: Option<Duration>) -> io::Result<Self> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        match address {
            Address::Unix(path) => connect_unix(&path_socket_address(path)?, deadline),
            Address::Abstract(name) => connect_unix(&abstract_socket_address(name)?, deadline),
            Address::Ip(_) | Address::AllInterfaces(_) | Address::Name { .. } => {
                connect_tcp(&address.resolve()?, deadline)
            }
        }
    }

    /// Begins to connect without waiting: one attempt for each address of a name, begun when the
    /// iterator is asked for it.
    ///
    /// A stream that comes out does not block, over TCP it has `TCP_NODELAY` set. A unix socket is
    /// connected at once; TCP is when the stream is writable, [`take_error`](Stream::take_error)
    /// has none, and [`peer`](Stream::peer) knows the other end. A name is looked up here, and that
    /// does block.
    ///
    /// # Errors
    ///
    /// As [`connect`](Stream::connect). An item that is `WouldBlock` says that the application's
    /// backlog is full (unix sockets alone); no event tells when to try again.
    pub fn dial(address: &Address) -> io::Result<impl Iterator<Item = io::Result<Self>> + use<>> {
        let targets = match address {
            Address::Unix(path) => vec![path_socket_address(path)?],
            Address::Abstract(name) => vec![abstract_socket_address(name)?],
            Address::Ip(_) | Address::AllInterfaces(_) | Address::Name { .. } => {
                let resolved = address.resolve()?;
                resolved.into_iter().map(SockAddr::from).collect()
            }
        };
        Ok(targets.into_iter().map(|target| dial(&target)))
    }

    /// The error that the socket has met since the last call, such as that of an attempt to
    /// connect, which is thereby forgotten.
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2), which an open socket does not cause.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        match self {
            Self::Unix(stream) => stream.take_error(),
            Self::Tcp(stream) => stream.take_error(),
        }
    }

    /// Who is at the other end. [`Listener::accept`](crate::Listener::accept) says it too, without
    /// a system call and also if the peer has gone again already.
    ///
    /// # Errors
    ///
    /// `NotConnected` when the peer has reset the connection.
    pub fn peer(&self) -> io::Result<Peer> {
        match self {
            Self::Unix(_) => Ok(Peer::Unix),
            Self::Tcp(stream) => stream.peer_addr().map(Peer::Ip),
        }
    }

    /// Makes reads and writes return `WouldBlock` instead of waiting, or wait again.
    ///
    /// # Errors
    ///
    /// Those of fcntl(2), which an open socket does not cause.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        match self {
            Self::Unix(stream) => stream.set_nonblocking(nonblocking),
            Self::Tcp(stream) => stream.set_nonblocking(nonblocking),
        }
    }

    /// How long a blocking read waits before it fails with `WouldBlock`; `None`: for ever.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a duration of zero.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        match self {
            Self::Unix(stream) => stream.set_read_timeout(timeout),
            Self::Tcp(stream) => stream.set_read_timeout(timeout),
        }
    }

    /// How long a blocking write waits before it fails with `WouldBlock`; `None`: for ever.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a duration of zero.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        match self {
            Self::Unix(stream) => stream.set_write_timeout(timeout),
            Self::Tcp(stream) => stream.set_write_timeout(timeout),
        }
    }

    /// Probes a TCP peer after this time of silence, in whole seconds; `None`: never. Does nothing
    /// on a unix socket, where no peer can vanish unnoticed.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a time that the system does not take; on Linux 1 to 32,767 seconds.
    pub fn set_keepalive(&self, idle: Option<Duration>) -> io::Result<()> {
        match (self, idle) {
            (Self::Unix(_), _) => Ok(()),
            (Self::Tcp(stream), None) => SockRef::from(stream).set_keepalive(false),
            (Self::Tcp(stream), Some(idle)) => {
                SockRef::from(stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(idle))
            }
        }
    }

    /// Ends one direction, or both. After [`Shutdown::Write`] the peer reads to the end and can
    /// still send.
    ///
    /// # Errors
    ///
    /// `NotConnected` when the peer has reset the connection.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match self {
            Self::Unix(stream) => stream.shutdown(how),
            Self::Tcp(stream) => stream.shutdown(how),
        }
    }

    /// Another handle of the same connection.
    ///
    /// # Errors
    ///
    /// Out of descriptors.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Unix(stream) => Self::Unix(stream.try_clone()?),
            Self::Tcp(stream) => Self::Tcp(stream.try_clone()?),
        })
    }
}

fn connect_unix(address: &SockAddr, deadline: Option<Instant>) -> io::Result<Stream> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    loop {
        // A connect that finds the backlog full waits as long as a write would.
        socket.set_write_timeout(remaining(deadline)?)?;
        match socket.connect(address) {
            Ok(()) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(io::ErrorKind::TimedOut.into());
            }
            Err(error) => return Err(error),
        }
    }
    if deadline.is_some() {
        socket.set_write_timeout(None)?;
    }
    Ok(Stream::Unix(socket.into()))
}

fn connect_tcp(addresses: &[SocketAddr], deadline: Option<Instant>) -> io::Result<Stream> {
    let mut last = io::Error::new(io::ErrorKind::AddrNotAvailable, "the name has no address");
    for address in addresses {
        let attempt = match remaining(deadline)? {
            Some(timeout) => TcpStream::connect_timeout(address, timeout),
            None => TcpStream::connect(address),
        };
        match attempt {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(Stream::Tcp(stream));
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn dial(target: &SockAddr) -> io::Result<Stream> {
    let socket = Socket::new(target.domain(), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    if !target.is_unix() {
        socket.set_tcp_nodelay(true)?;
    }
    match socket.connect(target) {
        Err(error) if !is_under_way(&error) => Err(error),
        _ if target.is_unix() => Ok(Stream::Unix(socket.into())),
        _ => Ok(Stream::Tcp(socket.into())),
    }
}

/// An interrupted connect goes on by itself (connect(2)).
fn is_under_way(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::INPROGRESS | Errno::INTR)
    )
}

/// The time that is left, at least a millisecond, as the system takes zero for "no limit".
fn remaining(deadline: Option<Instant>) -> io::Result<Option<Duration>> {
    let Some(deadline) = deadline else {
        return Ok(None);
    };
    match deadline.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(io::ErrorKind::TimedOut.into()),
        left => Ok(Some(left.max(Duration::from_millis(1)))),
    }
}

#[cfg(not(target_vendor = "apple"))]
const SEND_FLAGS: SendFlags = SendFlags::NOSIGNAL;
#[cfg(target_vendor = "apple")]
const SEND_FLAGS: SendFlags = SendFlags::empty();

/// The most pieces that one call may gather: the smallest IOV_MAX of the systems in use.
const MOST_PIECES: usize = 1024;

impl Read for &Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Unix(stream) => (&mut &*stream).read(buffer),
            Stream::Tcp(stream) => (&mut &*stream).read(buffer),
        }
    }

    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        match self {
            Stream::Unix(stream) => (&mut &*stream).read_vectored(buffers),
            Stream::Tcp(stream) => (&mut &*stream).read_vectored(buffers),
        }
    }
}

impl Write for &Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::net::send(self, bytes, SEND_FLAGS)?)
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let pieces = pieces.get(..MOST_PIECES).unwrap_or(pieces);
        let mut control = SendAncillaryBuffer::default();
        Ok(rustix::net::sendmsg(
            self,
            pieces,
            &mut control,
            SEND_FLAGS,
        )?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buffer)
    }

    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        (&*self).read_vectored(buffers)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self).write(bytes)
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self).write_vectored(pieces)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Unix(stream) => stream.as_fd(),
            Self::Tcp(stream) => stream.as_fd(),
        }
    }
}

impl AsRawFd for Stream {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl From<UnixStream> for Stream {
    fn from(stream: UnixStream) -> Self {
        Self::Unix(stream)
    }
}

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Self {
        Self::Tcp(stream)
    }
}

impl From<Stream> for OwnedFd {
    fn from(stream: Stream) -> Self {
        match stream {
            Stream::Unix(stream) => stream.into(),
            Stream::Tcp(stream) => stream.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn attempts(address: &str) -> Vec<io::Result<Stream>> {
        let address: Address = address.parse().unwrap();
        Stream::dial(&address).unwrap().collect()
    }

    /// Waits until a stream that was dialed is connected or has failed.
    fn settle(stream: &Stream) -> io::Result<Peer> {
        loop {
            if let Some(error) = stream.take_error()? {
                return Err(error);
            }
            match stream.peer() {
                Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                result => return result,
            }
        }
    }

    #[test]
    fn dialing_tries_all_addresses_and_does_not_wait() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        // IPv4 and IPv6 of this machine, of which one is listened to.
        let mut dialed = attempts(&format!(":{port}")).into_iter();
        let mut stream = dialed.next().unwrap().unwrap();
        assert_eq!(
            settle(&stream).unwrap(),
            Peer::Ip(([127, 0, 0, 1], port).into())
        );
        assert!(matches!(&stream, Stream::Tcp(tcp) if tcp.nodelay().unwrap()));
        let error = stream.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        let other = dialed.next().unwrap().and_then(|stream| settle(&stream));
        assert!(other.is_err());
        assert!(dialed.next().is_none());
    }

    #[test]
    fn dialing_a_socket_that_is_not_there() {
        let path = std::env::temp_dir().join(format!("fcgi-listen-none-{}", std::process::id()));
        let [Err(error)] = &attempts(path.to_str().unwrap())[..] else {
            panic!("it is there");
        };
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
