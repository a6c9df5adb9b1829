//! Accepting, and what to do when it fails.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::SocketAddrAny;

/// What an accept loop does about an error of [`Listener::accept`](crate::Listener::accept).
///
/// Whoever forgets a case ends a service, or spins at full load, because of one client that went
/// away or one moment without descriptors.
///
/// ```
/// use fcgi_listen::{AcceptAction, Backoff, Listener, Stream};
///
/// fn next(listener: &Listener, backoff: &mut Backoff) -> std::io::Result<Stream> {
///     loop {
///         match listener.accept() {
///             Ok((stream, _peer)) => {
///                 backoff.reset();
///                 return Ok(stream);
///             }
///             Err(error) => match AcceptAction::for_error(&error) {
///                 AcceptAction::Retry => {}
///                 AcceptAction::WouldBlock => _ = listener.wait(None)?,
///                 AcceptAction::Pause => std::thread::sleep(backoff.pause()),
///                 AcceptAction::Fatal => return Err(error),
///             },
///         }
///     }
/// }
/// # let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap(), &Default::default()).unwrap();
/// # Stream::connect(&listener.local_address().unwrap(), None).unwrap();
/// # next(&listener, &mut Backoff::default()).unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AcceptAction {
    /// One connection was lost before it was accepted, or a signal came: accept again at once.
    Retry,
    /// Nobody is waiting: accept again when the listener is readable.
    WouldBlock,
    /// Out of descriptors or memory, or an error that nobody foresaw: accept again after a pause
    /// (see [`Backoff`]). The connection is still waiting, so the listener stays readable, and an
    /// event loop has to stop watching it meanwhile.
    Pause,
    /// This descriptor will never accept anything.
    Fatal,
}

impl AcceptAction {
    /// Tells what to do about an error of accept.
    #[must_use]
    pub fn for_error(error: &io::Error) -> Self {
        let Some(errno) = Errno::from_io_error(error) else {
            return match error.kind() {
                io::ErrorKind::WouldBlock => Self::WouldBlock,
                io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted => Self::Retry,
                _ => Self::Pause,
            };
        };
        // accept(2) of Linux lists network errors that belong to the connection being accepted.
        // EPERM and EOPNOTSUPP, named there too, can also come for ever, from a security module or
        // for a socket that is no stream, and so they fall to the pause.
        match errno {
            Errno::INTR | Errno::CONNABORTED | Errno::CONNRESET | Errno::TIMEDOUT => Self::Retry,
            Errno::PROTO | Errno::NOPROTOOPT => Self::Retry,
            Errno::NETDOWN | Errno::NETUNREACH => Self::Retry,
            Errno::HOSTDOWN | Errno::HOSTUNREACH => Self::Retry,
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Errno::NONET => Self::Retry,
            errno if errno == Errno::AGAIN || errno == Errno::WOULDBLOCK => Self::WouldBlock,
            Errno::BADF | Errno::NOTSOCK | Errno::INVAL | Errno::FAULT => Self::Fatal,
            _ => Self::Pause,
        }
    }
}

/// Whether an error of opening, accepting or connecting a socket means that this process, or the
/// machine, has no descriptor or no memory left for one: EMFILE, ENFILE, ENOBUFS or ENOMEM.
///
/// ```
/// use std::io;
///
/// assert!(!fcgi_listen::is_shortage(&io::ErrorKind::ConnectionRefused.into()));
/// ```
#[must_use]
pub fn is_shortage(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(
        errno,
        Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)
    )
}

/// The length of the pauses of an accept loop: 5 ms, doubled each time, up to 1 s.
#[derive(Clone, Debug)]
pub struct Backoff {
    next: Duration,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(5);
    const LONGEST: Duration = Duration::from_secs(1);

    /// Starts with the shortest pause.
    #[must_use]
    pub const fn new() -> Self {
        Self { next: Self::FIRST }
    }

    /// How long to pause now.
    pub fn pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = pause.saturating_mul(2).min(Self::LONGEST);
        pause
    }

    /// A connection was accepted: the next pause is the shortest again.
    pub fn reset(&mut self) {
        *self = Self::new();
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}

/// Accepts one connection; the new descriptor is closed on exec and does not block.
#[cfg(not(any(
    target_vendor = "apple",
    target_os = "aix",
    target_os = "haiku",
    target_os = "nto"
)))]
pub(crate) fn accept_socket(
    listener: BorrowedFd<'_>,
) -> Result<(OwnedFd, Option<SocketAddrAny>), Errno> {
    use rustix::net::SocketFlags;
    rustix::net::acceptfrom_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)
}

/// Accepts one connection; the new descriptor is closed on exec and does not block. Without
/// accept4 that takes three calls, and an exec of another thread in between gets the descriptor.
#[cfg(any(
    target_vendor = "apple",
    target_os = "aix",
    target_os = "haiku",
    target_os = "nto"
))]
pub(crate) fn accept_socket(
    listener: BorrowedFd<'_>,
) -> Result<(OwnedFd, Option<SocketAddrAny>), Errno> {
    let (socket, address) = rustix::net::acceptfrom(listener)?;
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    // EINVAL of a connection that was reset meanwhile is not the listener's.
    #[cfg(target_vendor = "apple")]
    rustix::net::sockopt::set_socket_nosigpipe(&socket, true).map_err(|_| Errno::CONNABORTED)?;
    Ok((socket, address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shortages() {
        for errno in [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM] {
            assert!(is_shortage(&errno.into()), "{errno}");
        }
        for errno in [Errno::CONNREFUSED, Errno::AGAIN, Errno::ADDRNOTAVAIL] {
            assert!(!is_shortage(&errno.into()), "{errno}");
        }
    }

    #[test]
    fn actions_for_errors() {
        let cases = [
            (Errno::INTR, AcceptAction::Retry),
            (Errno::CONNABORTED, AcceptAction::Retry),
            (Errno::PROTO, AcceptAction::Retry),
            (Errno::NETDOWN, AcceptAction::Retry),
            (Errno::HOSTUNREACH, AcceptAction::Retry),
            (Errno::PERM, AcceptAction::Pause),
            (Errno::AGAIN, AcceptAction::WouldBlock),
            (Errno::MFILE, AcceptAction::Pause),
            (Errno::NFILE, AcceptAction::Pause),
            (Errno::NOBUFS, AcceptAction::Pause),
            (Errno::NOMEM, AcceptAction::Pause),
            (Errno::OPNOTSUPP, AcceptAction::Pause),
            (Errno::IO, AcceptAction::Pause),
            (Errno::BADF, AcceptAction::Fatal),
            (Errno::NOTSOCK, AcceptAction::Fatal),
            (Errno::INVAL, AcceptAction::Fatal),
        ];
        for (errno, action) in cases {
            assert_eq!(AcceptAction::for_error(&errno.into()), action, "{errno:?}");
        }
        let would_block = io::Error::from(io::ErrorKind::WouldBlock);
        assert_eq!(
            AcceptAction::for_error(&would_block),
            AcceptAction::WouldBlock
        );
        let aborted = io::Error::from(io::ErrorKind::ConnectionAborted);
        assert_eq!(AcceptAction::for_error(&aborted), AcceptAction::Retry);
        assert_eq!(
            AcceptAction::for_error(&io::Error::other("?")),
            AcceptAction::Pause
        );
    }

    #[test]
    fn pauses_grow_to_a_second_and_start_again() {
        let mut backoff = Backoff::new();
        let pauses: Vec<u128> = (0..10).map(|_| backoff.pause().as_millis()).collect();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
        backoff.reset();
        assert_eq!(backoff.pause().as_millis(), 5);
    }
}
