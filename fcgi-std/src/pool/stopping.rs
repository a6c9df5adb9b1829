//! Graceful stops: what runs may end, in a time.

use std::net::Shutdown;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::{Accepting, Pool, SWEEP_EVERY, Table};
use crate::advance::Waiting;

/// A connection that rested when a stop began has so long to send a last request: the web server
/// may have sent it, or be about to, and does not learn of a stop in any other way than by the end
/// of the connection.
const GRACE: Duration = Duration::from_secs(1);

impl Pool {
    /// Begins a graceful stop: no new connections and requests; what runs may end until then.
    pub(crate) fn stop(self: &Arc<Pool>, until: Instant) {
        self.context.stop();
        let mut table = self.table();
        if table.stop_until.is_some_and(|earlier| earlier <= until) {
            return;
        }
        let is_first = table.stop_until.replace(until).is_none();
        self.stop_begun.notify_all();
        table.sweep_by(until);
        self.set_accepting(&mut table, Accepting::Off);
        let grace = *table.grace_until.get_or_insert(Instant::now() + GRACE);
        let mut has_resting = false;
        for (_, slot) in &mut table.slots {
            if let Some((until, Waiting::Idle)) = &mut slot.parked {
                *until = grace.min(*until);
                has_resting = true;
            }
        }
        if has_resting || table.promises > 0 {
            table.sweep_by(grace);
        }
        self.finish_if_empty(&mut table);
        drop(table);
        if is_first {
            self.close_entrances();
            self.leave_doors();
            self.watch_the_clock();
        }
        // A thread that waits has to learn of the new deadline.
        let _ = self.poller.notify();
    }

    /// Looks at the deadlines of a stop in a thread of its own: those of the server may all be
    /// busy.
    fn watch_the_clock(self: &Arc<Pool>) {
        // Whoever gives the server up need not wait for this.
        let pool = Arc::downgrade(self);
        let watch = move || {
            while let Some(pool) = pool.upgrade() {
                pool.sweep();
                if pool.table().finished {
                    return;
                }
                drop(pool);
                thread::sleep(SWEEP_EVERY);
            }
        };
        let name = String::from("fastcgi clock");
        // Without it, threads look at them when they come back.
        let _ = thread::Builder::new().name(name).spawn(watch);
    }

    /// Ends a stop that has taken too long: handlers that still read or write get errors.
    pub(super) fn cut(&self, table: &mut Table) {
        for (_, slot) in &table.slots {
            // It may be closed already.
            let _ = slot.session.stream.shutdown(Shutdown::Both);
        }
        self.finish(table);
    }

    /// Waits until a stop begins.
    pub(crate) fn wait_for_stop(&self) {
        let table = self.table();
        let stopped = self
            .stop_begun
            .wait_while(table, |table| table.stop_until.is_none());
        drop(stopped);
    }

    /// Whether a stop has lasted as long as it may: what was left is cut off.
    pub(crate) fn is_cut_off(&self) -> bool {
        let table = self.table();
        let is_late = |until: Instant| until <= Instant::now();
        table.finished && table.stop_until.is_some_and(is_late)
    }

    /// When a stop that has begun is over at the latest.
    pub(crate) fn stop_until(&self) -> Option<Instant> {
        self.table().stop_until
    }
}
