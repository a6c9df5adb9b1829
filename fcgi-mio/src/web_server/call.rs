//! The handles: what anybody on the loop's thread may do, at any moment.
//!
//! They only leave notes for the [`Outgoing`](super::Outgoing), which it reads when it is called
//! next. So nothing that a receiver, a producer or the drop of anything does can come back into it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;

use fcgi_listen::Address;

use super::failure::Cause;
use super::job::Job;
use super::receiver::Receiver;
use super::request::{Input, Request};

/// The most of a body that waits in a handle, in bytes.
pub(super) const ROOM: usize = 64 * 1024;

/// What was left for the [`Outgoing`](super::Outgoing).
#[derive(Default)]
pub(super) struct Mailbox {
    notes: RefCell<VecDeque<Note>>,
    is_closed: Cell<bool>,
}

pub(super) enum Note {
    /// A new request.
    Send(Job),
    /// Something about a request has changed.
    Look(Rc<State>),
}

impl Mailbox {
    fn leave(&self, note: Note) {
        self.notes.borrow_mut().push_back(note);
    }

    pub(super) fn take(&self) -> Option<Note> {
        self.notes.borrow_mut().pop_front()
    }

    pub(super) fn len(&self) -> usize {
        self.notes.borrow().len()
    }

    pub(super) fn close(&self) {
        self.is_closed.set(true);
    }
}

/// Where a request is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In the mailbox.
    Mail,
    /// In the queue of a pool.
    Queue(usize),
    /// On a connection.
    Connection(usize),
    /// It has ended, or nobody waits for its end.
    Over,
}

/// What a request and its handle share.
pub(super) struct State {
    pub(super) place: Cell<Place>,
    pub(super) is_dropped: Cell<bool>,
    pub(super) is_resumed: Cell<bool>,
    /// What was written and not taken yet.
    pub(super) written: RefCell<Vec<u8>>,
    pub(super) is_finished: Cell<bool>,
    /// Whether a note is left already.
    pub(super) is_noted: Cell<bool>,
}

/// An application to which requests are sent: where it is. Cheap to clone and to keep.
#[derive(Clone)]
pub struct Application {
    mail: Rc<Mailbox>,
    address: Rc<Address>,
}

impl Application {
    pub(super) fn new(mail: Rc<Mailbox>, address: Address) -> Application {
        Application {
            mail,
            address: Rc::new(address),
        }
    }

    /// Another application, by the same [`Outgoing`](super::Outgoing).
    #[must_use]
    pub fn at(&self, address: Address) -> Application {
        Application::new(Rc::clone(&self.mail), address)
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Sends a request; `receiver` gets the answer.
    ///
    /// It is sent when the [`Outgoing`](super::Outgoing) is called next, and fails nowhere but
    /// through the receiver.
    pub fn send(&self, request: Request, receiver: impl Receiver + 'static) -> Call {
        let state = Rc::new(State {
            place: Cell::new(Place::Mail),
            is_dropped: Cell::new(false),
            is_resumed: Cell::new(false),
            written: RefCell::default(),
            is_finished: Cell::new(!matches!(request.stdin, Input::Handle)),
            is_noted: Cell::new(false),
        });
        let call = Call {
            mail: Rc::clone(&self.mail),
            state: Rc::clone(&state),
            is_detached: false,
        };
        let address = Rc::clone(&self.address);
        let job = Job::new(state, address, request, Box::new(receiver));
        if self.mail.is_closed.get() {
            job.end(Err(Cause::Stopped));
        } else {
            self.mail.leave(Note::Send(job));
        }
        call
    }
}

/// One request that was sent. Dropping it before the end aborts the request: its receiver hears
/// nothing any more.
///
/// On a connection that is to be kept the application is asked to end it (ABORT_REQUEST, §5.4). When
/// it has, a connection that several requests share is good for others; one that serves one at a
/// time is closed, as such applications may take the question for an error. Without a connection
/// that is to be kept, it is closed at once.
#[must_use = "dropping it aborts the request; it can be detached"]
pub struct Call {
    mail: Rc<Mailbox>,
    state: Rc<State>,
    is_detached: bool,
}

impl Call {
    /// Lets the request go on without a handle. A body that is streamed is complete with that.
    pub fn detach(mut self) {
        self.finish();
        self.is_detached = true;
    }

    /// Whether the request has ended.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.state.place.get() == Place::Over
    }

    /// Goes on after [`Flow::Pause`](super::Flow::Pause).
    pub fn resume(&self) {
        self.state.is_resumed.set(true);
        self.note();
    }

    /// How many bytes of a streamed body [`write`](Call::write) takes now; 0 when the body is
    /// complete or the request is over.
    #[must_use]
    pub fn room(&self) -> usize {
        if self.state.is_finished.get() || self.is_over() {
            return 0;
        }
        ROOM - self.state.written.borrow().len()
    }

    /// Writes a piece of a body that is [streamed](Request::stream).
    ///
    /// # Errors
    ///
    /// `BrokenPipe` when the request is over, `StorageFull` beyond [`room`](Call::room),
    /// `InvalidInput` when the body is complete.
    pub fn write(&self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        let bytes = bytes.as_ref();
        if self.is_over() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if self.state.is_finished.get() {
            let why = "the body of the request is complete";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        if bytes.len() > self.room() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.state.written.borrow_mut().extend_from_slice(bytes);
        self.note();
        Ok(())
    }

    /// The body that is streamed is complete.
    pub fn finish(&self) {
        self.state.is_finished.set(true);
        self.note();
    }

    fn note(&self) {
        let is_in_reach = matches!(
            self.state.place.get(),
            Place::Queue(_) | Place::Connection(_)
        );
        if is_in_reach && !self.state.is_noted.replace(true) {
            self.mail.leave(Note::Look(Rc::clone(&self.state)));
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.is_detached {
            self.state.is_dropped.set(true);
            self.note();
        }
    }
}
