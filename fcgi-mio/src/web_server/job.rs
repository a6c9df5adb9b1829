//! One request on its way, and its answer.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use fcgi_core::{RequestId, Role};
use fcgi_listen::Address;

use super::call::{Place, State};
use super::failure::{Cause, Failure};
use super::receiver::{End, Flow, Receiver};
use super::request::{Input, Request};

/// A request that was sent and has not ended.
pub(super) struct Job {
    pub(super) state: Rc<State>,
    pub(super) address: Rc<Address>,
    pub(super) request: Request,
    /// `None` when the request was given up: its id is taken until END_REQUEST comes.
    receiver: Option<Box<dyn Receiver>>,
    /// Its id, from BEGIN_REQUEST on.
    pub(super) id: Option<RequestId>,
    pub(super) stage: Stage,
    /// How much of the body that is being sent was taken.
    pub(super) at: usize,
    /// When it last came further.
    pub(super) since: u64,
    /// How often it was given to a connection.
    pub(super) attempts: u8,
    /// Whether its connection had served others before.
    pub(super) was_kept: bool,
    /// Whether it was begun while others were active on its connection.
    pub(super) is_shared: bool,
    /// Whether the socket may have taken a byte of it.
    pub(super) is_touched: bool,
    /// Whether anything of it was taken that is not in memory any more.
    pub(super) is_used_up: bool,
    pub(super) is_answered: bool,
    pub(super) is_paused: bool,
    /// Whether ABORT_REQUEST is to be sent, if the request does not end before.
    pub(super) owes_abort: bool,
}

/// The input stream that is being sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Stdin,
    Data,
    Done,
}

/// Where the next bytes of the input come from.
pub(super) enum Source {
    Memory,
    Producer,
    Handle,
    /// There are none.
    Done,
}

/// Runs code of the user; `None` when it panicked.
pub(super) fn guard<T>(code: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(code)).ok()
}

impl Job {
    pub(super) fn new(
        state: Rc<State>,
        address: Rc<Address>,
        request: Request,
        receiver: Box<dyn Receiver>,
    ) -> Job {
        Job {
            state,
            address,
            request,
            receiver: Some(receiver),
            id: None,
            stage: Stage::Stdin,
            at: 0,
            since: 0,
            attempts: 0,
            was_kept: false,
            is_shared: false,
            is_touched: false,
            is_used_up: false,
            is_answered: false,
            is_paused: false,
            owes_abort: false,
        }
    }

    /// The body that is being sent.
    pub(super) fn input(&mut self) -> Option<&mut Input> {
        match self.stage {
            Stage::Stdin => Some(&mut self.request.stdin),
            Stage::Data => Some(&mut self.request.data),
            Stage::Done => None,
        }
    }

    pub(super) fn source(&self) -> Source {
        let input = match self.stage {
            _ if self.id.is_none() || self.is_given_up() => return Source::Done,
            Stage::Stdin => &self.request.stdin,
            Stage::Data => &self.request.data,
            Stage::Done => return Source::Done,
        };
        match input {
            Input::Handle => Source::Handle,
            input if input.bytes().is_some() => Source::Memory,
            _ => Source::Producer,
        }
    }

    /// What is left of a body that lies in memory.
    pub(super) fn bytes(&self) -> &[u8] {
        let input = match self.stage {
            Stage::Stdin => &self.request.stdin,
            Stage::Data => &self.request.data,
            Stage::Done => return &[],
        };
        let bytes = input.bytes().unwrap_or(&[]);
        bytes.get(self.at..).unwrap_or(&[])
    }

    /// The stream that is being sent has ended.
    pub(super) fn next_stage(&mut self) {
        self.at = 0;
        self.stage = match (self.stage, self.request.role) {
            (Stage::Stdin, Role::Filter) => Stage::Data,
            _ => Stage::Done,
        };
    }

    /// Whether there is something to be sent now.
    pub(super) fn has_output(&self) -> bool {
        match self.source() {
            Source::Memory | Source::Producer => true,
            Source::Handle => self.state.is_finished.get() || self.is_written(),
            Source::Done => self.id.is_none() || self.owes_abort,
        }
    }

    pub(super) fn is_written(&self) -> bool {
        !self.state.written.borrow().is_empty()
    }

    /// Whether the application has to wait for the handle.
    pub(super) fn waits_for_handle(&self) -> bool {
        matches!(self.source(), Source::Handle) && !self.has_output()
    }

    /// Whether all its input was sent, or put into the outbox, or the application knows that there
    /// is no more.
    pub(super) fn is_input_done(&self) -> bool {
        self.stage == Stage::Done || self.has_sent_abort()
    }

    pub(super) fn is_given_up(&self) -> bool {
        self.receiver.is_none()
    }

    /// Whether the application was told, or is being told, that nobody waits.
    pub(super) fn has_sent_abort(&self) -> bool {
        self.is_given_up() && !self.owes_abort
    }

    /// Whether nobody waits for the answer any more.
    pub(super) fn is_unwanted(&self) -> bool {
        self.state.is_dropped.get()
    }

    /// Whether it may go out again on another connection, after this one broke; `is_closed` says
    /// that the application closed it, and not inside a record.
    pub(super) fn may_go_again(&self, is_closed: bool) -> bool {
        let is_repeatable = is_closed && self.was_kept && self.request.repeatable;
        self.may_be_refused_again() && (is_repeatable || !self.is_touched)
    }

    /// As [`may_go_again`](Job::may_go_again), when the application said that it has not run it.
    pub(super) fn may_be_refused_again(&self) -> bool {
        let is_wanted = !self.is_given_up() && !self.is_unwanted();
        is_wanted && self.attempts < 2 && !self.is_answered && !self.is_used_up
    }

    /// Makes it as if it had never been sent.
    pub(super) fn rewind(&mut self) {
        (self.id, self.stage, self.at) = (None, Stage::Stdin, 0);
        self.is_touched = false;
    }
}

/// Calls of the receiver.
impl Job {
    pub(super) fn stdout(&mut self, bytes: &[u8]) -> Result<(), Option<Cause>> {
        self.is_answered = true;
        let Some(receiver) = &mut self.receiver else {
            return Ok(());
        };
        self.state.is_resumed.set(false);
        match guard(|| receiver.stdout(bytes)) {
            Some(Ok(flow)) => {
                self.is_paused = flow == Flow::Pause && !self.state.is_resumed.get();
                Ok(())
            }
            Some(Err(error)) => Err(Some(Cause::Receiver(error.into()))),
            None => Err(None),
        }
    }

    /// Whether it came back.
    pub(super) fn stderr(&mut self, bytes: &[u8]) -> bool {
        self.is_answered = true;
        let receiver = self.receiver.as_mut();
        receiver.is_none_or(|receiver| guard(|| receiver.stderr(bytes)).is_some())
    }

    /// Whether it came back.
    pub(super) fn room(&mut self) -> bool {
        let receiver = self.receiver.as_mut();
        receiver.is_none_or(|receiver| guard(|| receiver.room()).is_some())
    }

    /// The request is over, unless it was given up before.
    pub(super) fn end(mut self, result: Result<End, Cause>) {
        self.tell(result);
        self.release();
    }

    fn tell(&mut self, result: Result<End, Cause>) {
        self.state.place.set(Place::Over);
        let Some(mut receiver) = self.receiver.take() else {
            return;
        };
        if self.is_unwanted() {
            guard(|| drop(receiver));
            return;
        }
        let result = result.and_then(|end| match guard(|| receiver.check()) {
            Some(Ok(())) => Ok(end),
            Some(Err(error)) => Err(Cause::Receiver(error.into())),
            None => Err(Cause::Receiver(io::Error::other("it panicked").into())),
        });
        let result = result.map_err(|cause| Failure::error(&self.request, &self.address, cause));
        guard(|| receiver.end(result));
    }

    /// Nobody waits for the end any more, but for END_REQUEST.
    pub(super) fn give_up(&mut self, why: Option<Cause>) {
        match why {
            Some(cause) => self.tell(Err(cause)),
            None => {
                self.state.place.set(Place::Over);
                let receiver = self.receiver.take();
                guard(|| drop(receiver));
            }
        }
        self.release();
        self.is_paused = false;
    }

    /// Lets go of all that END_REQUEST does not need.
    fn release(&mut self) {
        let stdin = std::mem::replace(&mut self.request.stdin, Input::Empty);
        let data = std::mem::replace(&mut self.request.data, Input::Empty);
        guard(|| drop((stdin, data)));
        self.request.params = Vec::new();
    }
}
