//! One starter at a time.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Instant;

use fcgi_listen::Address;
use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use rustix::io::Errno;

use super::connect::Pauses;

/// The right to bind a socket in the file system, until it is dropped.
///
/// It is a lock on a file beside the socket, which stays there empty: were it removed, one starter
/// could hold the lock of the old file while another creates a new one. Sockets elsewhere need
/// none, as binding is exclusive there: no stale ones are replaced.
#[derive(Debug)]
pub(super) struct Lock {
    _file: Option<OwnedFd>,
}

impl Lock {
    /// Waits for the lock until the deadline.
    pub(super) fn take(address: &Address, deadline: Instant) -> io::Result<Lock> {
        let Address::Unix(socket) = address else {
            return Ok(Lock { _file: None });
        };
        let path = beside(socket);
        let told = |error: io::Error| {
            io::Error::new(
                error.kind(),
                format!("cannot lock {}: {error}", path.display()),
            )
        };
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file =
            open(&path, flags, Mode::RUSR | Mode::WUSR).map_err(|errno| told(errno.into()))?;
        let mut pauses = Pauses::until(deadline);
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Lock { _file: Some(file) }),
                Err(Errno::INTR) => {}
                Err(Errno::WOULDBLOCK) if pauses.pause() => {}
                Err(Errno::WOULDBLOCK) => {
                    let why = io::Error::new(io::ErrorKind::TimedOut, "another starter holds it");
                    return Err(told(why));
                }
                Err(errno) => return Err(told(errno.into())),
            }
        }
    }
}

/// `/run/app.sock.lock`
fn beside(socket: &Path) -> PathBuf {
    let mut path = OsString::from(socket);
    path.push(".lock");
    path.into()
}
