//! The end of a turn: what a connection waits for from there on, and how it ends.

use std::io;
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::time::Duration;

use mio::unix::SourceFd;

use crate::Incident;
use crate::connection::Phase;
use crate::io_state::{BOTH, Stop, millis};
use crate::requests::{Req, Stage};
use crate::service::{Abort, Service};
use crate::turn::Turn;

/// A connection that rested when a stop began has so long to send a last request.
const GRACE: Duration = Duration::from_secs(1);

impl<S: Service> Turn<'_, S> {
    /// Decides what happens next: an end, a place in the queue, a deadline. `false` when the
    /// connection is over.
    pub(crate) fn settle(mut self) -> bool {
        if self.io.stop != Stop::Off {
            self.heed_stop();
        } else if self.rests() {
            self.wait_until(self.io.after(self.io.settings.idle_timeout));
            self.io.give_back_active(self.active);
            return true;
        }
        self.begin_close();
        if self.conn.phase == Phase::Broken {
            self.abort_all(Abort::Disconnected);
            self.io.give_back_active(self.active);
            return false;
        }
        if !self.conn.is_registered && self.register().is_err() {
            self.abort_all(Abort::Disconnected);
            self.io.give_back_active(self.active);
            return false;
        }
        let was_paused = std::mem::replace(&mut self.conn.is_paused, self.active.is_congested());
        if self.conn.is_paused && !was_paused {
            self.io.shared.cells.paused.add(1);
        }
        let can_go_on = self.can_go_on();
        if can_go_on && !self.conn.is_queued {
            self.conn.is_queued = true;
            self.io.ready.push_back(self.conn.place);
        }
        self.wait_until(self.due());
        if self.active.is_idle() {
            self.io.give_back_active(self.active);
        } else {
            self.conn.active = Some(self.active);
        }
        true
    }

    /// Whether the connection has nothing to do but wait for its next request, as most have after
    /// their turn.
    fn rests(&self) -> bool {
        let conn = &*self.conn;
        conn.phase == Phase::Open
            && conn.is_registered
            && !(conn.is_readable || conn.is_ended || conn.is_paused)
            && self.active.is_idle()
            && !conn.machine.should_close()
    }

    /// In a stop, only a connection that has rested since may begin a request: it may have been on
    /// its way, and most web servers send it no second time.
    #[cold]
    fn heed_stop(&mut self) {
        let is_over = match self.io.stop {
            Stop::Off => false,
            Stop::Near(place) => place == self.conn.place,
            Stop::Begun => !self.conn.rests_in_stop,
        };
        if is_over {
            self.conn.machine.stop_accepting();
        }
    }

    /// Sets the connection's deadline.
    fn wait_until(&mut self, due: u64) {
        self.conn.due = due;
        if due < self.conn.planned {
            self.conn.planned = due;
            self.io.plan(due, self.conn.place);
        }
    }

    /// Goes from serving to closing and from there to the end, as far as possible.
    fn begin_close(&mut self) {
        let conn = &mut *self.conn;
        let nobody_left = self.active.requests.is_empty();
        let is_over = conn.machine.should_close() || (conn.is_ended && nobody_left);
        if conn.phase == Phase::Open && is_over {
            conn.phase = Phase::Closing;
        }
        if conn.phase != Phase::Closing || self.active.waiting() > 0 {
            return;
        }
        let nothing_unread = self.active.rest.is_empty() && !conn.is_readable;
        self.active.rest.clear();
        if conn.is_ended || (conn.is_clean && nothing_unread) {
            conn.phase = Phase::Broken;
            return;
        }
        if conn.stream.shutdown(Shutdown::Write).is_err() || self.io.settings.drain_bytes == 0 {
            conn.phase = Phase::Broken;
            return;
        }
        conn.phase = Phase::Draining;
        conn.is_readable = true;
        conn.drain_left = self.io.settings.drain_bytes;
        conn.due = self.io.after(self.io.settings.drain_timeout);
    }

    fn register(&mut self) -> io::Result<()> {
        let token = self.io.tokens.connection(self.conn.place);
        let socket = self.conn.stream.as_raw_fd();
        self.io
            .registry
            .register(&mut SourceFd(&socket), token, BOTH)?;
        self.conn.is_registered = true;
        Ok(())
    }

    /// Whether there is something to do before the next event.
    fn can_go_on(&self) -> bool {
        let conn = &*self.conn;
        match conn.phase {
            Phase::Open | Phase::Closing => {
                let writes =
                    conn.is_writable && (self.active.waiting() > 0 || self.active.has_output());
                let is_held = conn.is_held && self.next_must_wait();
                let parses = !self.active.rest.is_empty() && !is_held;
                let reads = self.active.rest.is_empty() && conn.is_readable && !conn.is_ended;
                let takes_input = conn.phase == Phase::Open && !self.active.is_congested();
                writes || (takes_input && (parses || reads))
            }
            Phase::Draining => conn.is_readable && conn.drain_left > 0,
            Phase::Broken => false,
        }
    }

    /// When the time of what the connection waits for is over.
    fn due(&self) -> u64 {
        let settings = &self.io.settings;
        if self.conn.phase == Phase::Draining {
            return self.conn.due;
        }
        if let Some(since) = self.active.blocked_since {
            return since.saturating_add(millis(settings.write_timeout));
        }
        if self.active.requests.is_empty() {
            let idle = self.io.after(settings.idle_timeout);
            if self.io.stop == Stop::Begun {
                // What comes in the meantime and is no request does not make it longer.
                return idle.min(self.io.after(GRACE)).min(self.conn.due);
            }
            return idle;
        }
        let machine = &self.conn.machine;
        let waits = self.active.requests.iter().map(|request| {
            let timeout = match request.stage {
                Stage::Params => settings.header_timeout,
                _ if request.out.ended || machine.is_input_done(request.id) => return u64::MAX,
                _ => settings.body_timeout,
            };
            request.since.saturating_add(millis(timeout))
        });
        waits.min().unwrap_or(u64::MAX)
    }

    /// The deadline has passed: the connection is over, or begins to close. `false` when it is
    /// over.
    pub(crate) fn expire(self) -> bool {
        if self.conn.phase == Phase::Open && self.active.is_idle() {
            self.conn.phase = Phase::Closing;
            return self.settle();
        }
        if self.conn.phase != Phase::Draining {
            let waiting_for = if self.active.blocked_since.is_some() {
                "the answer was not read"
            } else if self.active.requests.iter().any(Req::waits_for_params) {
                "FCGI_PARAMS did not end"
            } else {
                "FCGI_STDIN did not end"
            };
            self.io.shared.cells.timed_out.add(1);
            let peer = self.conn.peer;
            self.io.report(&Incident::TimedOut { peer, waiting_for });
        }
        self.cut(Abort::TimedOut)
    }

    /// Ends the connection at once.
    pub(crate) fn cut(mut self, why: Abort) -> bool {
        self.abort_all(why);
        self.conn.phase = Phase::Broken;
        self.settle()
    }
}
