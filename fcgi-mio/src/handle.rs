//! What any thread may do to loops as a whole.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::counters::Counters;
use crate::deferred::Shared;
use crate::hall::Hall;
use crate::settings::FOREVER;
use crate::signals;

/// Stops a loop, or several that run together, and reads their counters, from any thread.
#[derive(Clone)]
pub struct Handle {
    loops: Vec<Arc<Shared>>,
    hall: Option<Arc<Hall>>,
}

impl Handle {
    pub(crate) fn new(loops: Vec<Arc<Shared>>, hall: Option<Arc<Hall>>) -> Handle {
        Handle { loops, hall }
    }

    /// Begins a graceful stop: no new connections; requests that run may go on for `patience` long,
    /// and what is left of them then is cut off. Returns at once.
    ///
    /// A connection that rests, new or kept, has a second for one more request: it may be on its
    /// way, and most web servers send it no second time. Then it is closed.
    ///
    /// Calling it again with less patience shortens the stop.
    pub fn stop(&self, patience: Duration) {
        let until = Instant::now() + patience.min(FOREVER);
        if let Some(hall) = &self.hall {
            hall.close();
        }
        for shared in &self.loops {
            shared.stop(until);
        }
    }

    /// Heeds the signals by which FastCGI processes are stopped (§7), in a thread of the process's
    /// own: at SIGTERM, SIGINT or SIGUSR1 a [stop](Handle::stop) of so much patience begins, and at
    /// a second one it ends. Once there is nobody in the process for whom that would change
    /// anything, they do what they do by themselves.
    ///
    /// # Errors
    ///
    /// The system gives no thread, or does not take the handlers.
    pub fn stop_on_signals(&self, patience: Duration) -> io::Result<()> {
        signals::watch(self.clone(), patience)
    }

    /// Whether nothing is left of the loops.
    pub(crate) fn is_over(&self) -> bool {
        self.loops.iter().all(|shared| shared.is_over())
    }

    /// What the loops have done so far, all together.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let mut sum = Counters::default();
        for shared in &self.loops {
            sum.add(&shared.cells.snapshot());
        }
        sum
    }

    /// What each loop has done so far.
    pub fn each(&self) -> impl Iterator<Item = Counters> {
        self.loops.iter().map(|shared| shared.cells.snapshot())
    }
}
