//! On Linux: one epoll instance, on which any number of threads wait; the kernel picks the one to
//! wake.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};
use rustix::io::Errno;

use super::{Interest, Mode, NOTIFY, Wake};

pub(crate) struct Poller {
    epoll: OwnedFd,
    /// Always readable; whether it is reported depends on how it is armed.
    bell: OwnedFd,
    mode: Mode,
    interrupted: AtomicBool,
}

/// For longer it takes epoll_pwait2(2), which kernels before 5.11 and some sandboxes do not have.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

impl Poller {
    pub(crate) fn new(mode: Mode) -> io::Result<Poller> {
        let poller = Poller {
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
            bell: eventfd(1, EventfdFlags::CLOEXEC)?,
            mode,
            interrupted: AtomicBool::new(false),
        };
        let token = EventData::new_u64(NOTIFY);
        epoll::add(&poller.epoll, &poller.bell, token, EventFlags::empty())?;
        Ok(poller)
    }

    /// Registers a descriptor, armed.
    pub(crate) fn add(&self, fd: BorrowedFd<'_>, token: u64, interest: Interest) -> io::Result<()> {
        epoll::add(
            &self.epoll,
            fd,
            EventData::new_u64(token),
            self.flags(interest),
        )?;
        Ok(())
    }

    /// Changes what a registered descriptor is waited for, and arms it again.
    pub(crate) fn arm(&self, fd: BorrowedFd<'_>, token: u64, interest: Interest) -> io::Result<()> {
        epoll::modify(
            &self.epoll,
            fd,
            EventData::new_u64(token),
            self.flags(interest),
        )?;
        Ok(())
    }

    /// The descriptor is about to be closed; closing it takes it out of the epoll instance.
    #[expect(
        clippy::unused_self,
        reason = "the portable poller has work to do here"
    )]
    pub(crate) fn forget(&self, _token: u64) {}

    pub(crate) fn wait(&self, timeout: Option<Duration>) -> io::Result<Wake> {
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout.min(LONGEST)).ok());
        let mut events = [Event {
            flags: EventFlags::empty(),
            data: EventData::new_u64(NOTIFY),
        }];
        match epoll::wait(&self.epoll, &mut events, timeout.as_ref()) {
            Ok(0) | Err(Errno::INTR) => Ok(Wake::Other),
            Ok(_) => match events[0].data.u64() {
                NOTIFY => Ok(Wake::Other),
                token => Ok(Wake::Ready(token)),
            },
            Err(errno) => Err(errno.into()),
        }
    }

    /// Lets one waiting thread return.
    pub(crate) fn notify(&self) -> io::Result<()> {
        self.ring(EventFlags::IN | EventFlags::ONESHOT)?;
        if self.interrupted.load(Ordering::SeqCst) {
            // The interruption may have come first, and goes on.
            self.ring(EventFlags::IN)?;
        }
        Ok(())
    }

    /// Lets every wait return at once, from now on.
    pub(crate) fn interrupt(&self) -> io::Result<()> {
        self.interrupted.store(true, Ordering::SeqCst);
        self.ring(EventFlags::IN)
    }

    fn ring(&self, flags: EventFlags) -> io::Result<()> {
        epoll::modify(&self.epoll, &self.bell, EventData::new_u64(NOTIFY), flags)?;
        Ok(())
    }

    fn flags(&self, interest: Interest) -> EventFlags {
        let flags = match interest {
            Interest::Readable => EventFlags::IN,
            Interest::Writable => EventFlags::OUT,
            Interest::Both => EventFlags::IN | EventFlags::OUT,
            // Errors and hang-ups are reported whatever is asked for, so once at the most.
            Interest::Nothing => return EventFlags::ONESHOT,
        };
        match self.mode {
            Mode::OneShot => flags | EventFlags::ONESHOT,
            Mode::Level => flags,
        }
    }
}
