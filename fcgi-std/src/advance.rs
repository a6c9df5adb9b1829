//! A connection that no handler works on: everything that can be done for it without waiting.

use std::io;
use std::mem;
use std::net::Shutdown;
use std::time::Instant;

use fcgi_core::Error;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::buffer::{Filled, Input, Outbox};
use crate::context::Context;
use crate::incident::Incident;
use crate::intake::{Parts, Pending, Ready};
use crate::poller::Interest;
use crate::session::Session;
use crate::state::State;

/// What to do next with a connection.
pub(crate) enum Step {
    /// Run a handler.
    Run(Ready),
    /// Wait until the socket is ready, no longer than until this moment, and say what for.
    Wait(Interest, Instant, Waiting),
    /// There is more to do, but other connections should have their turn first.
    Yield,
    /// It is over.
    Close,
}

/// What a connection waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Waiting {
    /// The next request, which may be on its way.
    Idle,
    Head,
    Body,
    /// The peer's reading.
    Write,
    /// The end of what the peer still sends.
    Drain,
}

/// So many reads from one connection, then it is another one's turn.
const READS_PER_TURN: usize = 16;

impl Session {
    /// Does what can be done now: takes in heads, sends what waits, closes. Reads from the socket
    /// unless it is known to have nothing.
    pub(crate) fn advance(&self, context: &Context, socket_is_ready: bool) -> Step {
        let mut state = self.lock();
        let failed = match state.advance(self, context, socket_is_ready) {
            Ok(step) => return step,
            Err(failed) => failed,
        };
        let Some(error) = failed
            .get_ref()
            .and_then(|error| error.downcast_ref::<Error>())
        else {
            return Step::Close;
        };
        context.report(&Incident::Protocol {
            peer: self.peer,
            error: *error,
        });
        // The peer still has to read what was answered before.
        state.clean = false;
        state.begin_to_close(self, context)
    }
}

impl State {
    fn advance(
        &mut self,
        session: &Session,
        context: &Context,
        socket_is_ready: bool,
    ) -> io::Result<Step> {
        if let Some(error) = self.violation.take() {
            // The socket is sound.
            self.broken = None;
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        if self.is_broken() {
            return Ok(Step::Close);
        }
        self.heed_stop(context);
        for _ in 0..READS_PER_TURN {
            if let Some(ready) = self.take_in(context)? {
                return Ok(Step::Run(ready));
            }
            self.heed_stop(context);
            if self.flush(&session.stream)? > 0 {
                self.stalled = None;
            }
            if !self.outbox.is_empty() {
                return self.wait_for_reader(session, context);
            }
            self.stalled = None;
            if self.draining.is_some() {
                return self.drain(session, context);
            }
            if self.machine.should_close() || self.skipped > context.rules.drain_bytes {
                return Ok(self.begin_to_close(session, context));
            }
            if !self.input.is_empty() {
                // The outbox was full, and is not any more.
                continue;
            }
            if !socket_is_ready {
                return Ok(self.wait_for_input(context));
            }
            if !self.input.is_reusable() {
                self.input = context.buffer();
            }
            match self.input.fill(&session.stream, Input::SIZE)? {
                Filled::Bytes { drained: false } => {}
                Filled::Bytes { drained: true } => {
                    if let Some(step) = self.last_read(session, context)? {
                        return Ok(step);
                    }
                }
                Filled::WouldBlock => return Ok(self.wait_for_input(context)),
                Filled::End | Filled::Full => return Ok(Step::Close),
            }
        }
        Ok(Step::Yield)
    }

    /// In a stop, only a connection that rests since before it may begin a request.
    fn heed_stop(&mut self, context: &Context) {
        if context.is_stopping() && !self.is_resting {
            self.machine.stop_accepting();
        }
    }

    /// All that has come so far was read: saves the read that would only say so, unless there is
    /// something to send or to close.
    fn last_read(&mut self, session: &Session, context: &Context) -> io::Result<Option<Step>> {
        if let Some(ready) = self.take_in(context)? {
            return Ok(Some(Step::Run(ready)));
        }
        self.flush(&session.stream)?;
        let done = self.outbox.is_empty()
            && self.input.is_empty()
            && !self.machine.should_close()
            && self.skipped <= context.rules.drain_bytes;
        Ok(done.then(|| self.wait_for_input(context)))
    }

    /// The web server does not take the answer now. It may want to send all that it has first, so
    /// that is read, within a bound.
    fn wait_for_reader(&mut self, session: &Session, context: &Context) -> io::Result<Step> {
        let rules = &context.rules;
        let stalled = *self.stalled.get_or_insert_with(Instant::now);
        let most = rules.read_ahead.max(Input::SIZE);
        let interest = match self.input.fill(&session.stream, most)? {
            Filled::Bytes { .. } | Filled::WouldBlock => Interest::Both,
            Filled::End | Filled::Full => Interest::Writable,
        };
        let until = stalled + rules.write_timeout;
        Ok(Step::Wait(interest, until, Waiting::Write))
    }

    fn wait_for_input(&mut self, context: &Context) -> Step {
        if self.input.is_empty() {
            context.give_back(mem::take(&mut self.input));
        }
        let rules = &context.rules;
        let (until, waiting) = match self.intake.pending() {
            Pending::Nothing => {
                self.is_resting = true;
                // A connection that rests holds no memory for output either.
                self.outbox = Outbox::default();
                (Instant::now() + rules.idle_timeout, Waiting::Idle)
            }
            Pending::Params { since } => (since + rules.header_timeout, Waiting::Head),
            Pending::Body { since } => (since + rules.body_timeout, Waiting::Body),
        };
        Step::Wait(Interest::Readable, until, waiting)
    }

    /// Parses what was read, up to the end of a head.
    fn take_in(&mut self, context: &Context) -> io::Result<Option<Ready>> {
        if self.draining.is_some() || self.input.is_empty() {
            return Ok(None);
        }
        let State {
            machine,
            input,
            outbox,
            intake,
            clean,
            max_conns,
            ..
        } = self;
        let mut parts = Parts {
            machine,
            outbox,
            clean,
            max_conns: *max_conns,
        };
        let mut rest = input.unread();
        let ready = intake.take_in(&mut rest, &mut parts, context);
        let (before, left) = (input.unread().len(), rest.len());
        input.parsed(left, 0);
        let has_begun = intake.has_begun();
        self.is_resting &= !has_begun;
        if has_begun || intake.pending() != Pending::Nothing {
            self.skipped = 0;
        } else {
            self.skipped += before - left;
        }
        ready.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    /// Closes at once if nothing can be lost by it. Else stops sending and reads on for a while:
    /// input that is left unread at the close becomes a reset, which can cost the peer the answer.
    pub(crate) fn begin_to_close(&mut self, session: &Session, context: &Context) -> Step {
        // After an error, something may wait that was answered before it.
        let _ = self.flush(&session.stream);
        self.outbox = Outbox::default();
        let nothing_waits = self.clean && self.input.is_empty();
        if nothing_waits || session.stream.shutdown(Shutdown::Write).is_err() {
            return Step::Close;
        }
        let until = Instant::now() + context.rules.drain_timeout;
        self.draining = Some(until);
        self.skipped = 0;
        Step::Wait(Interest::Readable, until, Waiting::Drain)
    }

    fn drain(&mut self, session: &Session, context: &Context) -> io::Result<Step> {
        for _ in 0..READS_PER_TURN {
            self.skipped += self.input.unread().len();
            self.input.parsed(0, 0);
            if self.skipped > context.rules.drain_bytes {
                return Ok(self.wait_for_hang_up(session));
            }
            match self.input.fill(&session.stream, Input::SIZE)? {
                Filled::Bytes { .. } => {}
                Filled::WouldBlock => {
                    let until = self.draining.unwrap_or_else(Instant::now);
                    return Ok(Step::Wait(Interest::Readable, until, Waiting::Drain));
                }
                Filled::End | Filled::Full => return Ok(Step::Close),
            }
        }
        Ok(Step::Yield)
    }

    /// Reads no more, so that a peer that sends on and on comes to a halt, and finds the answer.
    /// Closing instead would fail its next write, and cost it the answer.
    fn wait_for_hang_up(&self, session: &Session) -> Step {
        let mut polled = [PollFd::new(&session.stream, PollFlags::empty())];
        let hung_up = poll(&mut polled, Some(&Timespec::default()));
        match (hung_up, self.draining) {
            (Ok(0) | Err(Errno::INTR), Some(until)) => {
                Step::Wait(Interest::Nothing, until, Waiting::Drain)
            }
            _ => Step::Close,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    use fcgi_listen::Peer;

    use crate::rules::Rules;

    #[test]
    fn a_connection_that_rests_holds_no_memory_for_output() {
        let (near, mut far) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        let context = Context::new(Rules::default(), Box::new(|_| ()));
        let session = Session::new(0, near.into(), Peer::Unix, &context.rules);
        let mut answer = vec![1; 30_000];
        session.lock().outbox.push(&answer);
        let step = session.advance(&context, true);
        assert!(matches!(
            step,
            Step::Wait(Interest::Readable, _, Waiting::Idle)
        ));
        assert_eq!(session.lock().outbox.capacity(), 0);
        far.read_exact(&mut answer).unwrap();
    }
}
