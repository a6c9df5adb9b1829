//! One connection, over either transport.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

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
