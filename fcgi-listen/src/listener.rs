//! A listening socket.

use std::io;
use std::mem;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use socket2::{SockAddr, SockRef, Type};

use crate::accept::accept_socket;
use crate::open::{Opened, open};
use crate::path::BoundPath;
use crate::{Address, Options, Peer, Stream};

/// A listening stream socket, unix or TCP.
///
/// # Blocking or not
///
/// A socket that [`bind`](Self::bind) opened blocks; one that was inherited is left as it was
/// found. The flag belongs to the socket and not to the descriptor, so all processes that inherited
/// one socket share it. For that reason an accept loop should do right in both modes: treat
/// `WouldBlock` as "[`wait`](Self::wait), then accept again", and never switch blocking back on.
///
/// A program that waits for more than the listener, as an event loop does, must make it
/// non-blocking, also if it was inherited: of two processes that poll see ready, the second would
/// otherwise hang in accept until the next connection comes, with all its other work. The price
/// falls on a sibling that expects a blocking socket; libfcgi's accept fails with `EAGAIN` then.
/// Processes that share a socket nearly always run one program, and then there is no price.
///
/// # The path of a unix socket
///
/// Dropping the last clone of a listener that [`bind`](Self::bind) opened removes its path, unless
/// another socket has taken the path since, or this is a forked child of the process that bound it.
/// Turning a listener into an [`OwnedFd`] leaves the path where it is.
#[derive(Debug)]
pub struct Listener {
    // Before the descriptor: the path goes away while nobody can take the socket for a stale one.
    path: Option<Arc<BoundPath>>,
    socket: OwnedFd,
    family: Family,
    inherited: bool,
    // Whether accepted streams still need TCP_NODELAY. A socket opened here had it before it
    // listened; a connection that waited at another socket before we got it would miss it.
    sets_nodelay: bool,
}

/// Whether a listening socket's TCP_NODELAY is known to hold for what it accepts.
const HANDS_DOWN_NODELAY: bool = cfg!(any(target_os = "linux", target_os = "android"));

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Unix,
    Tcp,
}

impl Listener {
    /// Opens a socket, binds it and listens.
    ///
    /// In the file system, a socket that nobody listens on is replaced; it is known by its refusing
    /// a connection. Mode and owner are set between bind and listen, when nobody can connect yet.
    /// Its directory must not be writable for users who are not trusted.
    ///
    /// # Errors
    ///
    /// `AddrInUse` when another process listens there or the path is something else than a socket;
    /// `InvalidInput` for an address that no socket address can hold, a mode over `0o777`, or an
    /// owner or group 2³² − 1; else what the system says. The text names the address.
    pub fn bind(address: &Address, options: &Options) -> io::Result<Self> {
        let Opened { path, socket } = open(address, options)?;
        let family = if address.is_unix() {
            Family::Unix
        } else {
            Family::Tcp
        };
        Ok(Self {
            path: path.map(Arc::new),
            sets_nodelay: family == Family::Tcp && !HANDS_DOWN_NODELAY,
            ..Self::of(socket, family)
        })
    }

    fn of(socket: OwnedFd, family: Family) -> Self {
        Self {
            path: None,
            socket,
            family,
            inherited: false,
            sets_nodelay: family == Family::Tcp,
        }
    }

    pub(crate) fn inherit(socket: OwnedFd) -> io::Result<Self> {
        Ok(Self {
            inherited: true,
            ..Self::try_from(socket)?
        })
    }

    /// Accepts one connection: a stream that does not block, and who is at its other end.
    ///
    /// Takes one system call on Linux; one more for TCP if [`bind`](Self::bind) has not opened the
    /// socket. Waits for a connection if the listener blocks.
    ///
    /// # Errors
    ///
    /// [`AcceptAction::for_error`](crate::AcceptAction::for_error) tells what to do about each.
    pub fn accept(&self) -> io::Result<(Stream, Peer)> {
        let (socket, address) = accept_socket(self.socket.as_fd())?;
        if self.family == Family::Unix {
            return Ok((Stream::Unix(UnixStream::from(socket)), Peer::Unix));
        }
        // Some systems report a connection that was gone before it was accepted by no address.
        let address = address.ok_or(Errno::CONNABORTED)?;
        let address = SocketAddr::try_from(address)?;
        let stream = TcpStream::from(socket);
        if self.sets_nodelay {
            // Some systems say `InvalidInput` of a connection that was reset meanwhile, which of
            // accept itself would mean that this listener is none.
            stream.set_nodelay(true).map_err(|_| Errno::CONNABORTED)?;
        }
        Ok((Stream::Tcp(stream), Peer::Ip(address)))
    }

    /// Waits until a connection can be accepted. `false` when the time is over or a signal came.
    ///
    /// # Errors
    ///
    /// Out of memory.
    pub fn wait(&self, timeout: Option<Duration>) -> io::Result<bool> {
        let mut descriptors = [PollFd::new(&self.socket, PollFlags::IN)];
        // A time that the system cannot express is as good as none.
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        match rustix::event::poll(&mut descriptors, timeout.as_ref()) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::INTR) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Where this listener can be reached; with the port that the system chose for port 0.
    ///
    /// # Errors
    ///
    /// Those of getsockname(2); `InvalidData` for a unix socket without a name.
    pub fn local_address(&self) -> io::Result<Address> {
        let socket = SockRef::from(&self.socket);
        let address = socket.local_addr()?;
        match address.as_socket() {
            Some(SocketAddr::V6(ip)) if ip.ip().is_unspecified() && !socket.only_v6()? => {
                Ok(Address::AllInterfaces(ip.port()))
            }
            Some(ip) => Ok(Address::Ip(ip)),
            None => unix_address(&address),
        }
    }

    /// Makes [`accept`](Self::accept) return `WouldBlock` instead of waiting, or wait again. All
    /// processes that share the socket are affected; see "Blocking or not" above.
    ///
    /// # Errors
    ///
    /// Those of fcntl(2), which an open socket does not cause.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        SockRef::from(&self.socket).set_nonblocking(nonblocking)
    }

    /// Whether [`accept`](Self::accept) returns `WouldBlock` instead of waiting. Another process
    /// that shares the socket may change that at any time.
    ///
    /// # Errors
    ///
    /// Those of fcntl(2), which an open socket does not cause.
    pub fn is_nonblocking(&self) -> io::Result<bool> {
        SockRef::from(&self.socket).nonblocking()
    }

    /// Whether this came from [`inherited`](crate::inherited), and other processes may share it.
    #[must_use]
    pub fn is_inherited(&self) -> bool {
        self.inherited
    }

    /// Whether this listens on a unix socket.
    #[must_use]
    pub fn is_unix(&self) -> bool {
        self.family == Family::Unix
    }

    /// Another handle of the same socket, for another thread.
    ///
    /// # Errors
    ///
    /// Out of descriptors.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            path: self.path.clone(),
            socket: self.socket.try_clone()?,
            family: self.family,
            inherited: self.inherited,
            sets_nodelay: self.sets_nodelay,
        })
    }
}

fn unix_address(address: &SockAddr) -> io::Result<Address> {
    if let Some(path) = address.as_pathname() {
        return Ok(Address::Unix(path.to_owned()));
    }
    match address.as_abstract_namespace() {
        Some(name) => Ok(Address::Abstract(name.to_vec())),
        None => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the socket has no name",
        )),
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for Listener {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl From<UnixListener> for Listener {
    /// Takes over a listener; its path, which it did not bind, stays in the file system.
    fn from(listener: UnixListener) -> Self {
        Self::of(listener.into(), Family::Unix)
    }
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        Self::of(listener.into(), Family::Tcp)
    }
}

impl TryFrom<OwnedFd> for Listener {
    type Error = io::Error;

    /// Takes over a descriptor; what is not a listening stream socket, unix or TCP, is closed and
    /// gives `InvalidInput`.
    fn try_from(socket: OwnedFd) -> io::Result<Self> {
        let invalid = |text: &str| io::Error::new(io::ErrorKind::InvalidInput, text);
        if !is_listening(&socket)? {
            return Err(invalid("the descriptor is not a listening socket"));
        }
        let view = SockRef::from(&socket);
        if view.r#type()? != Type::STREAM {
            return Err(invalid("the listening socket is not a stream socket"));
        }
        let address = view.local_addr()?;
        let family = if address.is_unix() {
            Family::Unix
        } else if address.as_socket().is_some() {
            Family::Tcp
        } else {
            return Err(invalid("the listening socket is neither unix nor TCP"));
        };
        Ok(Self::of(socket, family))
    }
}

impl From<Listener> for OwnedFd {
    /// Gives the descriptor away; the path of a unix socket is nobody's to remove from now on.
    fn from(listener: Listener) -> Self {
        mem::forget(listener.path);
        listener.socket
    }
}

/// Whether a descriptor is a listening socket. Anything else, also a closed one, is not.
#[cfg(not(target_vendor = "apple"))]
pub(crate) fn is_listening(descriptor: impl AsFd) -> io::Result<bool> {
    match rustix::net::sockopt::socket_acceptconn(descriptor) {
        Ok(listening) => Ok(listening),
        Err(Errno::NOTSOCK | Errno::BADF | Errno::INVAL | Errno::NOPROTOOPT) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// Whether a descriptor is a socket without a peer, which is how FastCGI §2.2 tells a listening
/// socket; Apple's systems have no better way.
#[cfg(target_vendor = "apple")]
pub(crate) fn is_listening(descriptor: impl AsFd) -> io::Result<bool> {
    match rustix::net::getpeername(descriptor) {
        Ok(_) | Err(Errno::NOTSOCK | Errno::BADF | Errno::INVAL) => Ok(false),
        Err(Errno::NOTCONN) => Ok(true),
        Err(errno) => Err(errno.into()),
    }
}
