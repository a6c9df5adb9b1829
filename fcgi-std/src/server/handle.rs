//! Stopping a server from outside.

use std::ffi::c_int;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::pool::Pool;
use crate::rules::FOREVER;

/// Stops a server from any thread; see [`Server::handle`](super::Server::handle).
#[derive(Clone)]
pub struct Handle(Arc<Mutex<Control>>);

/// What a handle and its server share.
#[derive(Default)]
struct Control {
    /// `None` until the server runs.
    pool: Option<Weak<Pool>>,
    stop_until: Option<Instant>,
    /// The server has stopped, whoever still holds on to it.
    is_over: bool,
}

impl Handle {
    pub(super) fn new() -> Handle {
        Handle(Arc::default())
    }

    /// Begins a graceful stop: no new connections; requests that run may go on for `patience` long,
    /// and what is left of them then is cut off. Returns at once; the server's own call returns
    /// when all is over.
    ///
    /// A connection that rests, new or kept, has a second for one more request: it may be on its
    /// way, and most web servers send it no second time. Then it is closed.
    ///
    /// Calling it again with less patience shortens the stop.
    pub fn stop(&self, patience: Duration) {
        let until = Instant::now() + patience.min(FOREVER);
        let pool = {
            let mut control = self.control();
            let earlier = control
                .stop_until
                .map_or(until, |earlier| earlier.min(until));
            control.stop_until = Some(earlier);
            control.pool.as_ref().and_then(Weak::upgrade)
        };
        if let Some(pool) = pool {
            pool.stop(until);
        }
    }

    /// The server runs.
    pub(super) fn attach(&self, pool: &Arc<Pool>) {
        let mut control = self.control();
        control.pool = Some(Arc::downgrade(pool));
        if let Some(until) = control.stop_until {
            pool.stop(until);
        }
    }

    fn is_stopping(&self) -> bool {
        self.control().stop_until.is_some()
    }

    /// The server has stopped.
    pub(super) fn end(&self) {
        self.control().is_over = true;
    }

    /// Whether the server has stopped, or was given up without it.
    fn is_over(&self) -> bool {
        let control = self.control();
        let is_gone = |pool: &Weak<Pool>| pool.strong_count() == 0;
        control.is_over || control.pool.as_ref().is_some_and(is_gone)
    }

    fn control(&self) -> MutexGuard<'_, Control> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops the server when a signal asks for it; see
    /// [`Server::stop_on_signals`](super::Server::stop_on_signals).
    pub(super) fn watch_signals(&self, patience: Duration) -> io::Result<()> {
        let mut heeding = HEEDING.lock().unwrap_or_else(PoisonError::into_inner);
        if !heeding.has_thread {
            let mut signals = Signals::new([SIGTERM, SIGINT, SIGUSR1])?;
            let name = String::from("fastcgi signals");
            thread::Builder::new()
                .name(name)
                .spawn(move || signals.forever().for_each(heed))?;
            heeding.has_thread = true;
        }
        heeding.servers.retain(|(handle, _)| !handle.is_over());
        heeding.servers.push((self.clone(), patience));
        Ok(())
    }
}

/// The servers of this process that heed signals, and how patient their stops are.
struct Heeding {
    servers: Vec<(Handle, Duration)>,
    /// One thread waits for the signals of all: each by itself could not tell whether another
    /// server still runs.
    has_thread: bool,
}

static HEEDING: Mutex<Heeding> = Mutex::new(Heeding {
    servers: Vec::new(),
    has_thread: false,
});

/// A signal came.
fn heed(signal: c_int) {
    let mut heeding = HEEDING.lock().unwrap_or_else(PoisonError::into_inner);
    heeding.servers.retain(|(handle, _)| !handle.is_over());
    if heeding.servers.is_empty() {
        // There is nothing left to wait for: let it do what it does by itself.
        let _ = emulate_default_handler(signal);
    }
    for (handle, patience) in &heeding.servers {
        let is_second = handle.is_stopping();
        handle.stop(if is_second { Duration::ZERO } else { *patience });
    }
}
