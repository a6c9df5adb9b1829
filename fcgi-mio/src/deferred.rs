//! What other threads may do to a loop: complete requests, hand connections over, and stop it.

use std::fmt;
use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use fcgi_core::cgi::ResponseHead;
use fcgi_listen::{Peer, Stream};
use mio::unix::pipe;
use slab::Slab;

use crate::body::Body;
use crate::call::discard;
use crate::counters::Cells;
use crate::response::{final_status, invalid};

/// Completes one request later, from any thread; see [`Response::defer`](crate::Response::defer).
///
/// A request may end before: the web server aborts it or goes away. From then on the handle is
/// good for nothing, also if another request has its id by now. Dropping a handle gives the client
/// a 500.
#[must_use = "dropping it fails the request"]
pub struct Deferred {
    shared: Arc<Shared>,
    place: Place,
    ticket: Ticket,
    pub(crate) head: ResponseHead<Vec<u8>>,
    app_status: u32,
    is_done: bool,
}

/// One deferred request of a loop, never another one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Ticket {
    slot: usize,
    serial: u64,
}

/// The request has ended before it was completed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gone;

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request has ended")
    }
}

impl std::error::Error for Gone {}

impl Deferred {
    pub(crate) fn new(
        shared: &Arc<Shared>,
        place: Place,
        head: ResponseHead<Vec<u8>>,
        app_status: u32,
    ) -> Deferred {
        let mut state = shared.lock();
        state.last_serial += 1;
        let serial = state.last_serial;
        let slot = state.tickets.insert(serial);
        drop(state);
        Deferred {
            shared: Arc::clone(shared),
            place,
            ticket: Ticket { slot, serial },
            head,
            app_status,
            is_done: false,
        }
    }

    pub(crate) fn ticket(&self) -> Ticket {
        self.ticket
    }

    /// Sets the status of the response.
    ///
    /// # Errors
    ///
    /// `InvalidInput` when the code has not three digits or is one of 1xx.
    pub fn status(&mut self, code: u16) -> io::Result<()> {
        self.head.set_status(final_status(code)?);
        Ok(())
    }

    /// Adds a field to the head of the response, as
    /// [`Response::header`](crate::Response::header) does.
    ///
    /// # Errors
    ///
    /// `InvalidInput` with a `HeadError` when CGI does not allow it.
    pub fn header(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> io::Result<()> {
        self.head.add(name, value).map_err(invalid)
    }

    /// What END_REQUEST says as appStatus (§5.5).
    pub fn app_status(&mut self, app_status: u32) {
        self.app_status = app_status;
    }

    /// Whether the request has ended meanwhile, so that the work for it is in vain.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        !self.shared.lock().waits_for(self.ticket)
    }

    /// Completes the response.
    ///
    /// # Errors
    ///
    /// [`Gone`] when the request has ended; nothing was sent.
    pub fn complete(mut self, body: impl Into<Body>) -> Result<(), Gone> {
        self.finish(Some(body.into()))
    }

    fn finish(&mut self, body: Option<Body>) -> Result<(), Gone> {
        self.is_done = true;
        let mut state = self.shared.lock();
        if !state.waits_for(self.ticket) {
            return Err(Gone);
        }
        state.tickets.remove(self.ticket.slot);
        state.done.push(Completion {
            place: self.place,
            ticket: self.ticket,
            head: mem::replace(&mut self.head, ResponseHead::new(Vec::new())),
            app_status: self.app_status,
            body,
        });
        self.shared.wake(state);
        Ok(())
    }
}

impl Drop for Deferred {
    fn drop(&mut self) {
        if !self.is_done {
            // Gone is as good as dropped.
            let _ = self.finish(None);
        }
    }
}

/// Which connection of a loop, never its successor in the same slot.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Place {
    slot: u32,
    pub(crate) generation: u32,
}

impl Place {
    /// A place in a slot below 2^24, the most connections that a loop may have.
    pub(crate) fn new(key: usize, generation: u32) -> Place {
        let slot = u32::try_from(key).unwrap_or(u32::MAX);
        Place { slot, generation }
    }

    pub(crate) fn key(self) -> usize {
        usize::try_from(self.slot).unwrap_or(usize::MAX)
    }
}

/// A response that another thread has completed; without a body it has failed.
pub(crate) struct Completion {
    pub(crate) place: Place,
    pub(crate) ticket: Ticket,
    pub(crate) head: ResponseHead<Vec<u8>>,
    pub(crate) app_status: u32,
    pub(crate) body: Option<Body>,
}

/// What a loop shares with its handles.
pub(crate) struct Shared {
    state: Mutex<State>,
    sender: pipe::Sender,
    pub(crate) cells: Cells,
}

#[derive(Default)]
struct State {
    done: Vec<Completion>,
    /// Connections that an acceptor has taken in.
    handed: Vec<(Stream, Peer)>,
    /// The requests that wait for a handle.
    tickets: Slab<u64>,
    last_serial: u64,
    stop_until: Option<Instant>,
    /// Whether the loop has been told and has not looked yet.
    is_woken: bool,
    /// Whether there is no loop any more.
    is_over: bool,
}

impl State {
    fn waits_for(&self, ticket: Ticket) -> bool {
        self.tickets.get(ticket.slot) == Some(&ticket.serial)
    }
}

/// The loop's end of what it shares. When it is dropped, also by a loop that never ran, the loop is
/// over.
pub(crate) struct Inbox {
    shared: Arc<Shared>,
    pub(crate) receiver: pipe::Receiver,
}

impl Drop for Inbox {
    /// Handles of requests that are lost with the loop say so.
    fn drop(&mut self) {
        self.shared.end();
    }
}

impl Shared {
    /// A pipe of its own, since there can be only one `mio::Waker` in a `Poll`, and that is the
    /// user's where the loop is a guest.
    pub(crate) fn new() -> io::Result<(Arc<Shared>, Inbox)> {
        let (sender, receiver) = pipe::new()?;
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            sender,
            cells: Cells::default(),
        });
        let inbox = Inbox {
            shared: Arc::clone(&shared),
            receiver,
        };
        Ok((shared, inbox))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here can panic half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self, mut state: MutexGuard<'_, State>) {
        if !mem::replace(&mut state.is_woken, true) {
            drop(state);
            // A full pipe wakes as well, and without a loop there is nobody to wake.
            let _ = (&self.sender).write(&[1]);
        }
    }

    /// Has the loop look whether it is over.
    pub(crate) fn nudge(&self) {
        self.wake(self.lock());
    }

    /// What was completed, into `done`, the connections that were handed over, and until when a
    /// stop may take.
    pub(crate) fn collect(
        &self,
        done: &mut Vec<Completion>,
    ) -> (Vec<(Stream, Peer)>, Option<Instant>) {
        let mut state = self.lock();
        state.is_woken = false;
        mem::swap(done, &mut state.done);
        (mem::take(&mut state.handed), state.stop_until)
    }

    /// Hands a connection over to the loop.
    pub(crate) fn hand(&self, stream: Stream, peer: Peer) {
        let mut state = self.lock();
        state.handed.push((stream, peer));
        self.wake(state);
    }

    /// Begins a stop, or shortens one.
    pub(crate) fn stop(&self, until: Instant) {
        let mut state = self.lock();
        let earlier = state.stop_until.map_or(until, |before| before.min(until));
        state.stop_until = Some(earlier);
        self.wake(state);
    }

    /// A request has ended before its handle was used.
    pub(crate) fn forget(&self, ticket: Ticket) {
        let mut state = self.lock();
        if state.waits_for(ticket) {
            state.tickets.remove(ticket.slot);
        }
    }
}

impl Shared {
    pub(crate) fn is_over(&self) -> bool {
        self.lock().is_over
    }

    /// The loop is over, and so is every request.
    fn end(&self) {
        let mut state = self.lock();
        state.is_over = true;
        state.tickets.clear();
        // Bodies and producers are the application's; drop them without the lock.
        let (done, handed) = (mem::take(&mut state.done), mem::take(&mut state.handed));
        drop(state);
        drop(handed);
        done.into_iter().for_each(discard);
    }
}
