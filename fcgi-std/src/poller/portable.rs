//! On other unixes: poll(2) over all descriptors, by one thread at a time. Simple rather than fast.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, FdFlags, fcntl_dupfd_cloexec, fcntl_setfd, ioctl_fionbio, read, write};
use rustix::pipe::pipe;

use super::{Interest, Mode, Wake};

pub(crate) struct Poller {
    mode: Mode,
    sources: Mutex<Sources>,
    /// Held by the thread that polls; the others wait for their turn.
    turn: Mutex<()>,
    /// A byte in this pipe makes the polling thread look at the sources again.
    bell: (OwnedFd, OwnedFd),
}

#[derive(Default)]
struct Sources {
    by_token: BTreeMap<u64, (Arc<OwnedFd>, Interest)>,
    /// The token that was reported last: those behind it have their turn before it.
    last: u64,
    notified: bool,
    interrupted: bool,
}

impl Poller {
    pub(crate) fn new(mode: Mode) -> io::Result<Poller> {
        let bell = pipe()?;
        for end in [&bell.0, &bell.1] {
            ioctl_fionbio(end, true)?;
            // Not every system has a call that makes a pipe so.
            fcntl_setfd(end, FdFlags::CLOEXEC)?;
        }
        Ok(Poller {
            mode,
            sources: Mutex::default(),
            turn: Mutex::new(()),
            bell,
        })
    }

    /// Registers a descriptor, armed.
    pub(crate) fn add(&self, fd: BorrowedFd<'_>, token: u64, interest: Interest) -> io::Result<()> {
        let own = Arc::new(fcntl_dupfd_cloexec(fd, 3)?);
        self.sources().by_token.insert(token, (own, interest));
        self.ring()
    }

    /// Changes what a registered descriptor is waited for, and arms it again.
    pub(crate) fn arm(&self, _: BorrowedFd<'_>, token: u64, interest: Interest) -> io::Result<()> {
        if let Some((_, armed)) = self.sources().by_token.get_mut(&token) {
            *armed = interest;
        }
        self.ring()
    }

    /// The descriptor is about to be closed.
    pub(crate) fn forget(&self, token: u64) {
        self.sources().by_token.remove(&token);
        // A thread that polls holds it open as well. A bell that cannot be rung is no reason to
        // keep the connection: then the thread lets go of it when it is woken otherwise.
        let _ = self.ring();
    }

    pub(crate) fn wait(&self, timeout: Option<Duration>) -> io::Result<Wake> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let deadline = timeout.map(|timeout| std::time::Instant::now() + timeout);
        loop {
            let left = deadline.map(|at| at.saturating_duration_since(std::time::Instant::now()));
            if let Some(wake) = self.poll_once(left)? {
                return Ok(wake);
            }
        }
    }

    /// `None` when only the bell rang.
    fn poll_once(&self, timeout: Option<Duration>) -> io::Result<Option<Wake>> {
        let mut tokens = Vec::new();
        let mut fds = Vec::new();
        let last = {
            let mut sources = self.sources();
            if sources.interrupted || std::mem::take(&mut sources.notified) {
                return Ok(Some(Wake::Other));
            }
            for (&token, (fd, interest)) in &sources.by_token {
                let flags = match interest {
                    Interest::Readable => PollFlags::IN,
                    Interest::Writable => PollFlags::OUT,
                    Interest::Both => PollFlags::IN | PollFlags::OUT,
                    Interest::Nothing => continue,
                };
                tokens.push(token);
                fds.push((Arc::clone(fd), flags));
            }
            sources.last
        };
        let mut polled = vec![PollFd::new(&self.bell.0, PollFlags::IN)];
        polled.extend(fds.iter().map(|(fd, flags)| PollFd::new(fd, *flags)));
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        match poll(&mut polled, timeout.as_ref()) {
            Ok(0) | Err(Errno::INTR) => return Ok(Some(Wake::Other)),
            Ok(_) => {}
            Err(errno) => return Err(errno.into()),
        }
        if !polled[0].revents().is_empty() {
            while matches!(read(&self.bell.0, &mut [0; 64]), Ok(1..)) {}
        }
        let ready = tokens
            .into_iter()
            .zip(&polled[1..])
            .filter(|(_, source)| !source.revents().is_empty());
        let Some(token) = ready
            .map(|(token, _)| token)
            .min_by_key(|&at| (at <= last, at))
        else {
            return Ok(None);
        };
        let mut sources = self.sources();
        sources.last = token;
        if self.mode == Mode::OneShot {
            if let Some((_, armed)) = sources.by_token.get_mut(&token) {
                *armed = Interest::Nothing;
            }
        }
        Ok(Some(Wake::Ready(token)))
    }

    /// Lets one waiting thread return.
    pub(crate) fn notify(&self) -> io::Result<()> {
        self.sources().notified = true;
        self.ring()
    }

    /// Lets every wait return at once, from now on.
    pub(crate) fn interrupt(&self) -> io::Result<()> {
        self.sources().interrupted = true;
        self.ring()
    }

    fn ring(&self) -> io::Result<()> {
        match write(&self.bell.1, &[1]) {
            // A full pipe rings as well.
            Ok(_) | Err(Errno::AGAIN) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    fn sources(&self) -> MutexGuard<'_, Sources> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
