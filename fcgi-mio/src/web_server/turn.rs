//! One connection's turn: read, deliver, write, and decide what it waits for.

use std::io::{self, Read};
use std::sync::Arc;

use fcgi_core::web_server::{Closed, Event, Values};
use fcgi_core::{ProtocolStatus, RequestId};

use super::connection::{Conn, Phase};
use super::failure::Cause;
use super::io_state::{Io, Who};
use super::job::Job;
use super::receiver::End;

/// So often a connection may read or fill its socket before it goes to the back of the queue.
const BUDGET: usize = 4;

/// A short read means that nothing else is waiting where the event queue promises another event for
/// everything that comes later.
const SHORT_READ_DRAINS: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// Everything that one connection's work may touch.
pub(super) struct Turn<'a> {
    pub(super) io: &'a mut Io,
    pub(super) conn: &'a mut Conn,
}

impl Turn<'_> {
    /// Does what can be done without waiting, within the budget. `false` when the connection is
    /// over.
    pub(super) fn run(mut self, buffer: &mut [u8]) -> bool {
        self.connect();
        self.hear_handles();
        for _ in 0..BUDGET {
            let more_input = self.input(buffer);
            let more_output = self.pump();
            if !self.conn.is_connected() || !(more_input || more_output) {
                break;
            }
        }
        self.settle()
    }

    /// Finds out what has become of an attempt to connect; if nothing, begins the next one.
    fn connect(&mut self) {
        let Phase::Connecting(attempts) = &mut self.conn.phase else {
            return;
        };
        if !self.conn.is_writable {
            return;
        }
        let mut error = match self.conn.stream.take_error() {
            Ok(None) if self.conn.stream.peer().is_ok() => return self.conn.connected(),
            Ok(None) => {
                self.conn.is_writable = false;
                return;
            }
            Ok(Some(error)) | Err(error) => error,
        };
        for attempt in attempts {
            let registered = attempt.and_then(|stream| {
                self.io.register(self.conn.key, &stream)?;
                Ok(stream)
            });
            match registered {
                Ok(stream) => {
                    self.conn.stream = stream;
                    (self.conn.is_readable, self.conn.is_writable) = (false, false);
                    self.conn.is_ending = false;
                    return;
                }
                Err(next) => error = next,
            }
        }
        self.conn.fail(Cause::Connect(Arc::new(error)));
    }

    /// Looks at what handles have said.
    fn hear_handles(&mut self) {
        for at in (0..self.conn.jobs.len()).rev() {
            let job = &mut self.conn.jobs[at];
            if job.is_unwanted() {
                self.give_up(at, None);
            } else if job.is_paused && job.state.is_resumed.get() {
                job.is_paused = false;
                self.forgive();
            }
        }
    }

    /// After a pause: whoever shares the connection had to wait as well. All clocks start anew.
    pub(super) fn forgive(&mut self) {
        let now = self.io.now;
        self.conn.moved = now;
        self.conn.jobs.iter_mut().for_each(|job| job.since = now);
    }

    /// Nothing arrives any more. The application may have answered before it closed: reading finds
    /// out, and what is wrong. Those of which it has nothing need not wait for that.
    pub(super) fn deafen(&mut self) {
        (self.conn.is_deaf, self.conn.is_last) = (true, true);
        self.conn.is_readable = true;
        (self.conn.sent, self.conn.outbox) = (0, Vec::new());
        self.send_back(false);
        self.forgive();
    }

    /// Takes in what there is, one buffer of it; whether there may be more.
    fn input(&mut self, buffer: &mut [u8]) -> bool {
        if !self.conn.is_connected() || self.conn.is_paused() {
            return false;
        }
        if !self.conn.rest.is_empty() {
            let rest = std::mem::take(&mut self.conn.rest);
            self.conn.rest_at += self.parse(&rest[self.conn.rest_at..]);
            if self.conn.rest_at < rest.len() {
                self.conn.rest = rest;
            } else {
                self.conn.rest_at = 0;
                self.io.give_back(rest);
            }
            return true;
        }
        if !self.conn.is_readable {
            return false;
        }
        match self.read(buffer) {
            Ok(0) => self.conn.fail(Cause::NotAnswered),
            Ok(count) => {
                self.conn.moved = self.io.now;
                let used = self.parse(&buffer[..count]);
                if used < count {
                    self.conn.rest = self.io.buffer();
                    self.conn.rest.extend_from_slice(&buffer[used..count]);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.conn.is_readable = false;
            }
            Err(error) => self.conn.fail(Cause::Broken(Arc::new(error))),
        }
        self.conn.is_readable
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match (&self.conn.stream).read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(count) => {
                    let is_short = SHORT_READ_DRAINS && count < buffer.len() && count > 0;
                    if is_short && !self.conn.is_ending {
                        self.conn.is_readable = false;
                    }
                    return Ok(count);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Delivers as much as is wanted now; how many bytes that was.
    fn parse(&mut self, slice: &[u8]) -> usize {
        let mut rest = slice;
        while !self.conn.is_broken() && !self.conn.is_paused() {
            match self.conn.machine.receive(&mut rest) {
                Ok(Some(event)) => self.event(event),
                Ok(None) => break,
                Err(error) => self.conn.fail(Cause::Protocol(error)),
            }
        }
        if self.conn.is_broken() {
            return slice.len();
        }
        slice.len() - rest.len()
    }

    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Stdout { id, bytes } => self.stdout(id, bytes),
            Event::Stderr { id, bytes } => self.stderr(id, bytes),
            Event::StdoutEnd { id } | Event::StderrEnd { id } => {
                if let Some(at) = self.wanted(id) {
                    self.conn.jobs[at].is_answered = true;
                }
            }
            Event::End {
                id,
                app_status,
                protocol_status,
            } => self.ended(id, app_status, protocol_status),
            Event::Values(values) => self.answered(values),
            Event::UnknownType { .. } => self.answered(Values::default()),
        }
    }

    fn answered(&mut self, values: Values) {
        if matches!(self.conn.phase, Phase::Asking) {
            self.conn.phase = Phase::Open;
            self.conn.values = Some(values);
            self.conn.since = self.io.now;
            // Some close it then, and a request on its way would be lost.
            self.conn.is_last |= values.mpxs_conns != Some(true);
        }
    }

    fn find(&self, id: RequestId) -> Option<usize> {
        self.conn.jobs.iter().position(|job| job.id == Some(id))
    }

    /// The job of a record that is for somebody.
    fn wanted(&mut self, id: RequestId) -> Option<usize> {
        let at = self.find(id)?;
        let job = &mut self.conn.jobs[at];
        if job.is_given_up() {
            return None;
        }
        if job.is_unwanted() {
            self.give_up(at, None);
            return None;
        }
        job.since = self.io.now;
        Some(at)
    }

    fn stdout(&mut self, id: RequestId, bytes: &[u8]) {
        if let Some(at) = self.wanted(id) {
            if let Err(why) = self.conn.jobs[at].stdout(bytes) {
                self.give_up(at, why);
            }
        }
    }

    fn stderr(&mut self, id: RequestId, bytes: &[u8]) {
        if let Some(at) = self.wanted(id) {
            if !self.conn.jobs[at].stderr(bytes) {
                self.give_up(at, None);
            }
        }
    }

    /// END_REQUEST: the id is free again.
    fn ended(&mut self, id: RequestId, app_status: u32, protocol_status: ProtocolStatus) {
        let Some(at) = self.find(id) else {
            return;
        };
        let mut job = self.conn.jobs.swap_remove(at);
        self.conn.has_served = true;
        self.conn.since = self.io.now;
        // An application that serves one request at a time may still wait for the rest of the body;
        // or take ABORT_REQUEST for an error and close behind its answer, as libfcgi does.
        let is_spoilt = !job.is_input_done() || job.has_sent_abort();
        self.conn.is_last |= is_spoilt && self.conn.limit == 1 || !job.request.keep_conn;
        if protocol_status == ProtocolStatus::REQUEST_COMPLETE {
            let app_status = Some(app_status);
            return job.end(Ok(End { app_status }));
        }
        if protocol_status == ProtocolStatus::CANT_MPX_CONN && job.is_shared {
            self.conn.limit = 1;
            self.conn.values = Some(Values::default());
            if job.may_be_refused_again() {
                job.rewind();
                self.io.returned.push(job);
                return;
            }
        }
        job.end(Err(Cause::Refused(protocol_status)));
    }

    /// Nobody waits for this request any more, but for its END_REQUEST, which frees its place.
    pub(super) fn give_up(&mut self, at: usize, why: Option<Cause>) {
        let job = &mut self.conn.jobs[at];
        if job.is_given_up() {
            return;
        }
        let was_paused = job.is_paused;
        job.give_up(why);
        job.since = self.io.now;
        if was_paused {
            self.forgive();
        }
        let job = &mut self.conn.jobs[at];
        if job.id.is_none() {
            self.conn.jobs.swap_remove(at);
            return;
        }
        self.io.counters.aborted += 1;
        job.owes_abort = job.request.keep_conn;
        if !job.owes_abort {
            // It has the connection to itself.
            self.conn.fail(Cause::Stopped);
        }
    }

    /// Decides what happens next: an end, a place in the queue, a deadline. `false` when the
    /// connection is over.
    pub(super) fn settle(mut self) -> bool {
        if self.conn.is_last && self.conn.jobs.is_empty() {
            self.conn.fail(Cause::Stopped);
        }
        if self.conn.is_broken() {
            self.disband();
            return false;
        }
        if self.conn.can_go_on() {
            self.conn.queue(self.io);
        }
        let due = self.due();
        if due < self.conn.planned {
            self.conn.planned = due;
            self.io.plan(due, Who::Connection(self.conn.key));
        }
        if self.conn.is_idle() {
            (self.conn.sent, self.conn.jobs) = (0, Vec::new());
            let outbox = std::mem::take(&mut self.conn.outbox);
            self.io.give_back(outbox);
        }
        true
    }

    /// Ends all requests of a connection that is over, or sends them back to the queue.
    fn disband(&mut self) {
        let Phase::Broken(cause) = &self.conn.phase else {
            return;
        };
        let cause = cause.clone();
        let is_gone = matches!(cause, Cause::NotAnswered | Cause::Broken(_));
        let is_between = self.conn.machine.is_between_records();
        self.send_back(is_gone && is_between);
        for job in std::mem::take(&mut self.conn.jobs) {
            let closed = job.id.and_then(|id| self.conn.machine.closed(id));
            if is_gone && closed == Some(Closed::Complete) {
                job.end(Ok(End { app_status: None }));
            } else if matches!(cause, Cause::NotAnswered) && (job.is_answered || !is_between) {
                job.end(Err(Cause::CutShort));
            } else {
                let is_late = matches!(cause, Cause::ResponseTimedOut) && !job.is_given_up();
                self.io.counters.timed_out += u64::from(is_late);
                job.end(Err(cause.clone()));
            }
        }
    }

    /// Has those go out again on other connections that may.
    pub(super) fn send_back(&mut self, is_closed: bool) {
        let may_go = |job: &mut Job| job.may_go_again(is_closed);
        for mut job in self.conn.jobs.extract_if(.., may_go) {
            job.rewind();
            self.io.counters.repeated += 1;
            self.io.returned.push(job);
        }
    }
}
