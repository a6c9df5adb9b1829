//! One child's place.

use std::io;
use std::time::{Duration, Instant};

use crate::backoff::Backoff;
use crate::child::{End, Running};
use crate::plan::Plan;

/// A place that always has a child, or a time at which it gets the next.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) number: usize,
    state: State,
    backoff: Backoff,
}

#[derive(Debug)]
enum State {
    Running(Running),
    /// Until then; `None` is beyond what the clock can tell.
    Waiting(Option<Instant>),
}

/// A child has left its place.
pub(crate) struct Vacancy {
    pub(crate) end: End,
    /// Before the next.
    pub(crate) pause: Duration,
    /// It ended on purpose, with its requests served.
    pub(crate) was_due: bool,
}

impl Slot {
    /// A place with its first child.
    pub(crate) fn start(number: usize, plan: &Plan) -> io::Result<Self> {
        Ok(Self {
            number,
            state: State::Running(plan.start_child()?),
            backoff: Backoff::default(),
        })
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        match &self.state {
            State::Running(running) => Some(running.pid()),
            State::Waiting(_) => None,
        }
    }

    /// When [`refill`](Self::refill) has something to do.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Running(_) => None,
            State::Waiting(until) => until,
        }
    }

    /// Whether the child has ended.
    pub(crate) fn check(&mut self, plan: &Plan) -> Option<Vacancy> {
        let State::Running(running) = &mut self.state else {
            return None;
        };
        let end = running.end()?;
        let counted = plan.max_requests.is_some();
        let pause = if end.is_success() {
            self.backoff.finished(end.after, plan.pauses, counted)
        } else {
            self.backoff.failed(end.after, plan.pauses)
        };
        self.wait(pause);
        Some(Vacancy {
            end,
            pause,
            was_due: counted && end.is_success(),
        })
    }

    /// Starts the next child when its time has come; its process. If that fails, the pause before
    /// the next attempt comes with the error.
    pub(crate) fn refill(
        &mut self,
        plan: &Plan,
        now: Instant,
    ) -> Result<Option<u32>, (io::Error, Duration)> {
        if self.deadline().is_none_or(|until| until > now) {
            return Ok(None);
        }
        match plan.start_child() {
            Ok(running) => {
                self.state = State::Running(running);
                Ok(self.pid())
            }
            Err(error) => {
                let pause = self.backoff.failed(Duration::ZERO, plan.pauses);
                self.wait(pause);
                Err((error, pause))
            }
        }
    }

    /// Gives up the place; its child, if it has one.
    pub(crate) fn vacate(self) -> Option<Running> {
        match self.state {
            State::Running(running) => Some(running),
            State::Waiting(_) => None,
        }
    }

    fn wait(&mut self, pause: Duration) {
        self.state = State::Waiting(Instant::now().checked_add(pause));
    }
}
