//! The loop: edge-triggered, on one thread.

use std::io;
use std::mem;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use fcgi_listen::is_shortage;
use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use super::Observer;
use super::answer::Expected;
use super::dial::Dial;
use super::plan::Plan;
use super::report::{Failure, Report};
use super::requests::Requests;
use super::slot::{Slot, Turn};
use super::tally::Tally;

/// How often the observer is shown how far the run has come.
const TICK: Duration = Duration::from_millis(100);

/// How long a place stays empty whose connection did no good.
const PAUSE: Duration = Duration::from_millis(10);

/// How long to wait for room in a unix socket's backlog, which nothing announces.
const BACKLOG_PAUSE: Duration = Duration::from_millis(1);

const BUFFER: usize = 256 * 1024;

const EVENTS: usize = 1024;

/// A run.
pub(super) struct Generator<'p> {
    plan: &'p Plan,
    poll: Poll,
    dial: Dial,
    requests: Requests,
    expected: Expected,
    slots: Vec<Slot>,
    /// Empty places, and when to fill each.
    later: Vec<(Instant, usize)>,
    /// The room for those that are looked at.
    due: Vec<(Instant, usize)>,
    tally: Tally,
    buffer: Vec<u8>,
    tick: Instant,
}

impl<'p> Generator<'p> {
    pub(super) fn new(plan: &'p Plan) -> io::Result<Generator<'p>> {
        let requests = Requests::new(plan).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "a parameter is too long")
        })?;
        let dial = Dial::new(&plan.address, plan.patience)?;
        // With it the time begins.
        let tally = Tally::new(plan);
        let slot = || Slot::new(plan.depth(), tally.now);
        Ok(Generator {
            plan,
            poll: Poll::new()?,
            dial,
            requests,
            expected: Expected::new(plan),
            slots: std::iter::repeat_with(slot)
                .take(plan.connections)
                .collect(),
            later: Vec::new(),
            due: Vec::new(),
            tick: tally.now + TICK,
            tally,
            buffer: vec![0; BUFFER],
        })
    }

    pub(super) fn run(mut self, observer: &mut dyn Observer) -> io::Result<Report> {
        if !self.tally.warms_up() {
            observer.measuring();
        }
        for index in 0..self.slots.len() {
            self.open(index)?;
        }
        let mut events = Events::with_capacity(EVENTS);
        while self.clock(observer)?.is_continue() {
            match self.poll.poll(&mut events, Some(self.wait())) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                Err(_) => continue,
                Ok(()) => {}
            }
            self.tally.now = Instant::now();
            for event in &events {
                self.ready(event)?;
            }
            self.open_late()?;
        }
        Ok(self.report(observer))
    }

    /// Looks at how far the run has come.
    fn clock(&mut self, observer: &mut dyn Observer) -> io::Result<ControlFlow<()>> {
        if self.tally.is_done() {
            if !self.tally.warms_up() {
                return Ok(ControlFlow::Break(()));
            }
            self.tally.measure(self.plan.extent);
            observer.measuring();
            self.resume()?;
        }
        if self.tally.silence() >= self.plan.patience {
            self.tally.report.gave_up = true;
            return Ok(ControlFlow::Break(()));
        }
        if self.tally.now >= self.tick {
            self.tick = self.tally.now + TICK;
            return Ok(observer.progress(self.tally.so_far()));
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Goes on in all places: each stood still if as many requests had been begun as there were to
    /// be.
    fn resume(&mut self) -> io::Result<()> {
        self.later.clear();
        for index in 0..self.slots.len() {
            if self.slots[index].fd().is_some() {
                self.fill(index)?;
            } else {
                self.open(index)?;
            }
        }
        Ok(())
    }

    /// How long to wait for an event.
    fn wait(&self) -> Duration {
        let now = self.tally.now;
        let until = |at: &Instant| at.saturating_duration_since(now);
        let late = self.later.iter().map(|(at, _)| until(at));
        late.chain(self.tally.time_left())
            .chain([self.plan.patience.saturating_sub(self.tally.silence())])
            .fold(until(&self.tick), Duration::min)
    }

    fn ready(&mut self, event: &Event) -> io::Result<()> {
        let Token(index) = event.token();
        // An event of a connection that was replaced meanwhile only costs a look.
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            let to_end = event.is_read_closed() || event.is_error();
            self.receive(index, to_end)?;
        }
        if event.is_writable() {
            self.fill(index)?;
        }
        Ok(())
    }

    /// Reads, and goes on with the next requests.
    fn receive(&mut self, index: usize, to_end: bool) -> io::Result<()> {
        let slot = &mut self.slots[index];
        if slot.fd().is_none() {
            return Ok(());
        }
        match slot.receive(
            &mut self.buffer,
            to_end,
            &mut self.expected,
            &mut self.tally,
        ) {
            Turn::Waits => self.fill(index)?,
            Turn::Over => self.replace(index),
        }
        Ok(())
    }

    /// A connection is over: the next one comes at once if this one was of use.
    fn replace(&mut self, index: usize) {
        let was_of_use = self.slots[index].has_heard();
        let pause = if was_of_use { Duration::ZERO } else { PAUSE };
        self.later.push((self.tally.now + pause, index));
    }

    /// Fills the places whose time has come. What becomes empty meanwhile waits for the next turn.
    fn open_late(&mut self) -> io::Result<()> {
        mem::swap(&mut self.later, &mut self.due);
        for at in 0..self.due.len() {
            let (when, index) = self.due[at];
            if when <= self.tally.now {
                self.open(index)?;
            } else {
                self.later.push((when, index));
            }
        }
        self.due.clear();
        Ok(())
    }

    /// Makes a connection and sends its first requests.
    fn open(&mut self, index: usize) -> io::Result<()> {
        if !self.tally.may_begin() {
            return Ok(());
        }
        self.slots[index].was_needed = true;
        match self.dial.connect() {
            Ok(stream) => {
                let fd = self.slots[index].open(stream);
                let registry = self.poll.registry();
                registry.register(&mut SourceFd(&fd), Token(index), Interest::READABLE)?;
                return self.fill(index);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.later.push((self.tally.now + BACKLOG_PAUSE, index));
            }
            // There will be no more connections, however long it waits. A machine that has run out
            // of ports gets those of former connections back, and until then the report tells how
            // many could not be made.
            Err(error) if is_shortage(&error) => return Err(error),
            Err(error) => {
                self.tally.not_connected(&error);
                self.tally.begun();
                self.tally.ended(Err(Failure::Connect), self.tally.now);
                self.later.push((self.tally.now + PAUSE, index));
            }
        }
        Ok(())
    }

    /// Begins as many requests as the connection is to carry, and sends what is taken.
    fn fill(&mut self, index: usize) -> io::Result<()> {
        let slot = &mut self.slots[index];
        let Some(fd) = slot.fd() else {
            return Ok(());
        };
        while slot.active() < self.plan.depth() && self.tally.may_begin() {
            slot.begin(&mut self.requests, self.tally.now)?;
            self.tally.begun();
        }
        match slot.flush(&mut self.tally) {
            Ok(true) => {}
            Ok(false) if slot.waits_to_write => {}
            Ok(false) => {
                slot.waits_to_write = true;
                let interest = Interest::READABLE | Interest::WRITABLE;
                let registry = self.poll.registry();
                registry.reregister(&mut SourceFd(&fd), Token(index), interest)?;
            }
            Err(error) => {
                slot.note(&error, &mut self.tally);
                // The application may have answered before it closed.
                let turn =
                    slot.receive(&mut self.buffer, true, &mut self.expected, &mut self.tally);
                if let Turn::Waits = turn {
                    slot.lose_connection(&mut self.tally);
                }
                self.replace(index);
            }
        }
        Ok(())
    }

    fn report(mut self, observer: &mut dyn Observer) -> Report {
        if self.tally.warms_up() {
            // Ended before anything counted.
            let Report {
                gave_up,
                connect_error,
                ..
            } = self.tally.report;
            self.tally.report = Report {
                gave_up,
                connect_error,
                ..Report::new()
            };
        } else {
            observer.measured();
            self.tally.so_far();
        }
        let mut report = self.tally.report;
        for slot in &self.slots {
            report.unfinished += slot.active() as u64;
            report.never_served += usize::from(slot.was_needed && !slot.was_served);
        }
        report
    }
}
