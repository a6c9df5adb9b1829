//! Stopping a server from outside.

use std::ffi::c_int;
use std::io;
use std::mem;
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

    /// The server has stopped.
    pub(super) fn end(&self) {
        self.control().is_over = true;
    }

    /// Whether the server has stopped, or was given up without it. What was cut off counts as that:
    /// a handler that does not notice must not keep the process from being ended.
    fn is_over(&self) -> bool {
        let control = self.control();
        let is_gone = |pool: &Weak<Pool>| pool.upgrade().is_none_or(|pool| pool.is_cut_off());
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
        heeding.forget_the_dead();
        heeding.servers.push(Heeder {
            handle: self.clone(),
            patience,
        });
        Ok(())
    }
}

/// A server that heeds signals.
struct Heeder {
    handle: Handle,
    /// That of its stop at the next signal.
    patience: Duration,
}

/// The servers of this process that heed signals.
struct Heeding {
    servers: Vec<Heeder>,
    /// One thread waits for the signals of all: each by itself could not tell whether another
    /// server still runs.
    has_thread: bool,
}

static HEEDING: Mutex<Heeding> = Mutex::new(Heeding {
    servers: Vec::new(),
    has_thread: false,
});

impl Heeding {
    fn forget_the_dead(&mut self) {
        self.servers.retain(|server| !server.handle.is_over());
    }
}

/// A signal came.
fn heed(signal: c_int) {
    let mut heeding = HEEDING.lock().unwrap_or_else(PoisonError::into_inner);
    heeding.forget_the_dead();
    if heeding.servers.is_empty() {
        // There is nothing left to wait for: let it do what it does by itself.
        let _ = emulate_default_handler(signal);
    }
    for Heeder { handle, patience } in &mut heeding.servers {
        // A second one ends it.
        handle.stop(mem::take(patience));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use fcgi_listen::WebServerAddrs;

    use crate::context::Context;
    use crate::poller::Mode;
    use crate::rules::Rules;

    const HOUR: Duration = Duration::from_secs(3600);

    /// One that the program began, or a request that was the last one.
    #[test]
    fn the_first_signal_has_its_patience_in_a_stop_too() {
        for is_by_handle in [true, false] {
            let context = Context::new(Rules::default(), Box::new(|_| ()));
            let any = WebServerAddrs::any();
            let pool = Arc::new(Pool::new(context, Mode::OneShot, Vec::new(), any).unwrap());
            let handle = Handle::new();
            handle.attach(&pool);
            handle.watch_signals(HOUR).unwrap();
            if is_by_handle {
                handle.stop(FOREVER);
            } else {
                pool.stop(Instant::now() + FOREVER);
            }
            let left = || {
                let until = pool.stop_until().unwrap();
                until.saturating_duration_since(Instant::now())
            };
            heed(SIGTERM);
            assert!(left() > HOUR / 2 && left() <= HOUR, "{is_by_handle}");
            heed(SIGTERM);
            assert!(left().is_zero(), "{is_by_handle}");
            handle.end();
        }
    }
}
