//! How long a connection may wait for what, and what happens then.

use super::connection::Phase;
use super::failure::Cause;
use super::io_state::later;
use super::job::Job;
use super::turn::Turn;

impl Turn<'_> {
    /// When the time of what the connection waits for is over.
    pub(super) fn due(&self) -> u64 {
        let settings = &self.io.settings;
        if !matches!(self.conn.phase, Phase::Open) {
            return later(self.conn.since, settings.connect_timeout);
        }
        if self.conn.jobs.is_empty() {
            return later(self.conn.since, settings.idle_timeout);
        }
        if self.conn.is_paused() {
            return u64::MAX;
        }
        let jobs = self.conn.jobs.iter();
        if self.conn.jobs.iter().all(Job::is_given_up) {
            let last = jobs.map(|job| job.since).max().unwrap_or(0);
            return later(last, settings.abort_timeout);
        }
        jobs.map(|job| self.response_due(job))
            .fold(self.stuck_at(), u64::min)
    }

    /// When the application has been silent for too long about a request.
    fn response_due(&self, job: &Job) -> u64 {
        // What comes of a body that cannot arrive is not waited for.
        let waits = job.waits_for_handle() && !self.conn.is_deaf;
        if job.is_given_up() || waits {
            return u64::MAX;
        }
        later(job.since, self.io.settings.response_timeout)
    }

    /// When the application has neither taken nor sent anything for too long, though something
    /// waits for it: then the connection is of no use to any request.
    fn stuck_at(&self) -> u64 {
        if self.conn.waiting() == 0 {
            return u64::MAX;
        }
        later(self.conn.moved, self.io.settings.response_timeout)
    }

    /// A deadline has come, which may have been put off. `false` when the connection is over.
    pub(super) fn expire(mut self) -> bool {
        let now = self.io.seen_until;
        if self.due() > now {
            return self.settle();
        }
        if !matches!(self.conn.phase, Phase::Open) {
            self.io.counters.timed_out += 1;
            self.conn.fail(Cause::ConnectTimedOut);
        } else if self.conn.jobs.iter().all(Job::is_given_up) {
            // There may be none at all.
            self.io.counters.timed_out += u64::from(!self.conn.jobs.is_empty());
            self.conn.fail(Cause::Stopped);
        } else if self.stuck_at() <= now {
            self.conn.fail(Cause::ResponseTimedOut);
        } else {
            self.time_out_requests();
        }
        self.settle()
    }

    fn time_out_requests(&mut self) {
        for at in (0..self.conn.jobs.len()).rev() {
            if self.response_due(&self.conn.jobs[at]) <= self.io.seen_until {
                self.io.counters.timed_out += 1;
                self.give_up(at, Some(Cause::ResponseTimedOut));
            }
        }
        // A silent connection is not worth asking; nobody else is to suffer from it.
        if self.conn.jobs.iter().all(Job::is_given_up) {
            self.conn.fail(Cause::Stopped);
        }
    }
}
