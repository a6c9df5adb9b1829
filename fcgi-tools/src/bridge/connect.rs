//! A connection to the application, which may have to be started first.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use fcgi_listen::{Address, Stream};

use super::arguments::Arguments;
use super::lock::Lock;
use super::problem::Problem;
use super::starter::{self, StartError};

/// How long it may take until the application accepts, its start included.
const PATIENCE: Duration = Duration::from_secs(15);

/// Growing pauses up to a deadline.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pauses {
    next: Duration,
    deadline: Instant,
}

impl Pauses {
    pub(super) fn until(deadline: Instant) -> Pauses {
        Pauses {
            next: Duration::from_millis(5),
            deadline,
        }
    }

    /// Sleeps, or says that the time is over.
    pub(super) fn pause(&mut self) -> bool {
        let left = self.deadline.saturating_duration_since(Instant::now());
        thread::sleep(self.next.min(left));
        self.next = (self.next * 2).min(Duration::from_millis(200));
        !left.is_zero()
    }
}

/// Connects, and starts the application if that is asked for and nobody listens.
pub(super) fn open(arguments: &Arguments) -> Result<Stream, Problem> {
    let deadline = Instant::now() + PATIENCE;
    // Required by the definition of the command line.
    let Some(address) = &arguments.connect else {
        return Err(Problem::NotStarted(StartError::no_address()));
    };
    let unreachable = |error| Problem::Unreachable(address.clone(), error);
    let nobody = match attempt(address, deadline).map_err(unreachable)? {
        Ok(stream) => return Ok(stream),
        Err(nobody) => nobody,
    };
    if arguments.startable().is_none() {
        return Err(unreachable(nobody));
    }
    let not_started = |error| Problem::NotStarted(StartError::from(error));
    let lock = Lock::take(address, deadline).map_err(not_started)?;
    // Another starter may have done it while this one waited for the lock.
    if let Ok(stream) = attempt(address, deadline).map_err(unreachable)? {
        return Ok(stream);
    }
    let started = starter::start_locked(arguments, deadline, &lock);
    drop(lock);
    let mut pauses = Pauses::until(deadline);
    loop {
        let nobody = match attempt(address, deadline).map_err(unreachable)? {
            Ok(stream) => return Ok(stream),
            Err(nobody) => nobody,
        };
        match started {
            Err(error) if !error.is_busy() || !pauses.pause() => {
                return Err(Problem::NotStarted(error));
            }
            Ok(_) if !pauses.pause() => return Err(unreachable(nobody)),
            _ => {}
        }
    }
}

/// Connects once. Within `Ok`, an error says that nobody listens.
fn attempt(address: &Address, deadline: Instant) -> io::Result<io::Result<Stream>> {
    let left = deadline.saturating_duration_since(Instant::now());
    match Stream::connect(address, Some(left.max(Duration::from_millis(1)))) {
        Ok(stream) => Ok(Ok(stream)),
        Err(error) => match error.kind() {
            io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => Ok(Err(error)),
            _ => Err(error),
        },
    }
}
