//! All connections of a server: those that wait, in the idle set, and those that a handler works
//! on.

mod accept;
mod blocking;
mod deadlines;
mod stopping;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use fcgi_listen::{Backoff, Listener, WebServerAddrs};
use slab::Slab;

use self::blocking::Door;
use crate::advance::{Step, Waiting};
use crate::context::Context;
use crate::intake::Ready;
use crate::poller::{Interest, Mode, Poller, Wake};
use crate::request::Request;
use crate::rules::FOREVER;
use crate::session::Session;

/// The connections and listeners of a server, and the threads that serve them.
pub(crate) struct Pool {
    context: Context,
    poller: Poller,
    mode: Mode,
    entrances: Vec<Entrance>,
    /// Those of them that block.
    doors: Vec<Arc<Door>>,
    allowed: WebServerAddrs,
    table: Mutex<Table>,
    /// Rung when a stop begins.
    stop_begun: Condvar,
    /// What is to be done without a socket being ready.
    ready: Mutex<VecDeque<Work>>,
    /// Whether the next turn belongs to `ready`, if there is any.
    ready_turn: AtomicBool,
    waiting: AtomicUsize,
    /// How many requests have begun; counted only where that many make the process retire.
    begun: AtomicU64,
}

struct Entrance {
    /// `None` once a stop has begun, if this process has opened it: who connects is refused then.
    listener: RwLock<Option<Listener>>,
    /// Whether it will never accept anything any more.
    is_dead: AtomicBool,
}

struct Table {
    slots: Slab<Slot>,
    /// How many threads are about to accept; what they get will be served.
    promises: usize,
    /// No deadline passes before this moment.
    next_sweep: Option<Instant>,
    accepting: Accepting,
    backoff: Backoff,
    /// Set by a graceful stop: when it is over at the latest.
    stop_until: Option<Instant>,
    /// In a stop: so long it waits for promises, and for requests on connections that rest.
    grace_until: Option<Instant>,
    finished: bool,
}

struct Slot {
    session: Arc<Session>,
    /// While it waits: until when, and what for. `None` while somebody works on it.
    parked: Option<(Instant, Waiting)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Accepting {
    On,
    /// Out of descriptors or memory until then.
    Paused(Instant),
    /// As many connections as there may be.
    Full,
    /// For good.
    Off,
}

impl Entrance {
    fn new(listener: Listener) -> Entrance {
        Entrance {
            listener: RwLock::new(Some(listener)),
            is_dead: AtomicBool::new(false),
        }
    }

    fn listener(&self) -> RwLockReadGuard<'_, Option<Listener>> {
        self.listener.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What waits for a thread.
enum Work {
    /// The connection has more to do.
    Advance(Arc<Session>),
    /// The next request of the connection came with the last one.
    Run(Arc<Session>, Ready),
}

/// What a thread that asked for work gets.
#[expect(
    clippy::large_enum_variant,
    reason = "it is returned and taken apart at once; a box would be one more allocation a request"
)]
pub(crate) enum Next {
    Request(Request),
    /// Nothing came for as long as it wanted to wait.
    Idle,
    /// The server has stopped.
    Finished,
}

/// The tokens of listeners begin here, above all keys of connections.
const LISTENERS: u64 = 1 << 62;

/// Deadlines are looked at no more often than this.
const SWEEP_EVERY: Duration = Duration::from_millis(50);

impl Pool {
    pub(crate) fn new(
        context: Context,
        mode: Mode,
        listeners: Vec<Listener>,
        allowed: WebServerAddrs,
    ) -> io::Result<Pool> {
        let poller = Poller::new(mode)?;
        let mut doors = Vec::new();
        for (token, listener) in (LISTENERS..).zip(&listeners) {
            if listener.is_nonblocking()? {
                poller.add(listener.as_fd(), token, Interest::Readable)?;
            } else {
                doors.push(Door::new(listener.try_clone()?));
            }
        }
        Ok(Pool {
            context,
            poller,
            mode,
            entrances: listeners.into_iter().map(Entrance::new).collect(),
            doors,
            allowed,
            table: Mutex::new(Table {
                slots: Slab::new(),
                promises: 0,
                next_sweep: None,
                accepting: Accepting::On,
                backoff: Backoff::new(),
                stop_until: None,
                grace_until: None,
                finished: false,
            }),
            stop_begun: Condvar::new(),
            ready: Mutex::default(),
            ready_turn: AtomicBool::new(false),
            waiting: AtomicUsize::new(0),
            begun: AtomicU64::new(0),
        })
    }

    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    /// How many threads wait for work.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Waits for the next request, at most `patience` long, and does whatever else is to do
    /// meanwhile.
    pub(crate) fn next(self: &Arc<Pool>, patience: Option<Duration>) -> io::Result<Next> {
        let give_up = patience.map(|patience| Instant::now() + patience);
        loop {
            let has_ready = !self.ready().is_empty();
            if has_ready && self.ready_turn.swap(false, Ordering::Relaxed) {
                if let Some(request) = self.run_ready() {
                    self.leave();
                    return Ok(Next::Request(request));
                }
                continue;
            }
            let Some(timeout) = self.timeout(has_ready, give_up) else {
                return Ok(Next::Finished);
            };
            self.waiting.fetch_add(1, Ordering::Relaxed);
            let wake = self.poller.wait(Some(timeout));
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            self.ready_turn.store(true, Ordering::Relaxed);
            let request = match wake? {
                Wake::Ready(token) => match token.checked_sub(LISTENERS) {
                    Some(at) => self.accept(at),
                    None => self.unpark(token).and_then(|session| self.drive(&session)),
                },
                Wake::Other => None,
            };
            self.sweep();
            if let Some(request) = request {
                self.leave();
                return Ok(Next::Request(request));
            }
            if give_up.is_some_and(|at| Instant::now() >= at) {
                self.leave();
                return Ok(Next::Idle);
            }
        }
    }

    /// A thread that will not be back soon leaves what is in `ready` to another one, and the
    /// deadlines of a stop, of which no other one may know.
    fn leave(&self) {
        if self.context.is_stopping() || !self.ready().is_empty() {
            let _ = self.poller.notify();
        }
    }

    /// How long to wait; `None` when the server has stopped.
    fn timeout(&self, at_once: bool, give_up: Option<Instant>) -> Option<Duration> {
        let table = self.table();
        if table.finished {
            return None;
        }
        if at_once {
            return Some(Duration::ZERO);
        }
        let now = Instant::now();
        let until = |at: Instant| at.saturating_duration_since(now);
        // Whatever another thread parks while this one waits has one of the timeouts before it.
        let later = self.context.rules.shortest_timeout().max(SWEEP_EVERY);
        let sooner = [table.next_sweep, give_up].into_iter().flatten();
        Some(sooner.map(until).fold(later, Duration::min))
    }

    /// Lets a connection do what it can; a request if it has one.
    fn drive(self: &Arc<Pool>, session: &Arc<Session>) -> Option<Request> {
        match session.advance(&self.context, true) {
            Step::Run(ready) => return Some(self.request(Arc::clone(session), ready)),
            Step::Wait(interest, until, waiting) => self.park(session, interest, until, waiting),
            Step::Yield => self.ready().push_back(Work::Advance(Arc::clone(session))),
            Step::Close => self.close(session),
        }
        None
    }

    /// Lets the next one in `ready` have its turn.
    fn run_ready(self: &Arc<Pool>) -> Option<Request> {
        let work = self.ready().pop_front()?;
        match work {
            Work::Advance(session) => self.drive(&session),
            Work::Run(session, ready) => Some(self.request(session, ready)),
        }
    }

    fn request(self: &Arc<Pool>, session: Arc<Session>, ready: Ready) -> Request {
        if let Some(most) = self.context.rules.retire_after {
            let begun = self.begun.fetch_add(1, Ordering::Relaxed) + 1;
            if begun == most.get() {
                self.stop(Instant::now() + FOREVER);
            }
        }
        Request::of_session(session, Arc::clone(self), ready)
    }

    /// A handler has ended the request of this connection.
    pub(crate) fn release(&self, session: &Arc<Session>) {
        let session = Arc::clone(session);
        let work = match session.advance(&self.context, false) {
            Step::Wait(interest, until, waiting) => {
                return self.park(&session, interest, until, waiting);
            }
            Step::Close => return self.close(&session),
            Step::Yield => Work::Advance(session),
            Step::Run(ready) => Work::Run(session, ready),
        };
        self.ready().push_back(work);
        // A thread that comes from a handler looks there by itself. Where requests end in other
        // threads than the one that accepts, that one has to be woken; if it cannot be, it looks
        // there when its wait is over.
        let _ = self.poller.notify();
    }

    /// Takes a connection out of the idle set, because its socket is ready.
    fn unpark(&self, token: u64) -> Option<Arc<Session>> {
        let mut table = self.table();
        let slot = table.slots.get_mut(usize::try_from(token).ok()?)?;
        // `None` when somebody works on it: the event is an old one.
        slot.parked.take()?;
        Some(Arc::clone(&slot.session))
    }

    fn park(
        &self,
        session: &Arc<Session>,
        interest: Interest,
        mut until: Instant,
        waiting: Waiting,
    ) {
        let (is_stopping, makes_room) = {
            let mut table = self.table();
            let is_stopping = table.stop_until.is_some();
            if waiting == Waiting::Idle {
                // From the beginning of the stop: questions (§4.1) must not make it longer.
                until = table.grace_until.map_or(until, |grace| until.min(grace));
            }
            table.sweep_by(until);
            if let Some(slot) = table.slots.get_mut(session.key) {
                slot.parked = Some((until, waiting));
            }
            let makes_room = waiting == Waiting::Idle && table.accepting == Accepting::Full;
            (is_stopping, makes_room)
        };
        if is_stopping {
            // Others may be waiting for longer than it allows.
            let _ = self.poller.notify();
        }
        // From here on another thread may have it.
        if self.arm(session, interest).is_err() {
            self.close(session);
        }
        if makes_room {
            // It can be closed for one that comes.
            self.set_accepting(&mut self.table(), Accepting::On);
        }
    }

    fn arm(&self, session: &Session, interest: Interest) -> io::Result<()> {
        let token = u64::try_from(session.key).unwrap_or(LISTENERS - 1);
        let registered = session.lock().registered.replace(interest);
        match registered {
            None => self.poller.add(session.stream.as_fd(), token, interest),
            Some(same) if same == interest && self.mode == Mode::Level => Ok(()),
            Some(_) => self.poller.arm(session.stream.as_fd(), token, interest),
        }
    }

    fn close(&self, session: &Session) {
        let buffer = mem::take(&mut session.lock().input);
        self.context.give_back(buffer);
        let mut table = self.table();
        // Its key may belong to another connection by now.
        let is_there = |slot: &Slot| std::ptr::eq(&raw const *slot.session, session);
        if table.slots.get(session.key).is_some_and(is_there) {
            let slot = table.slots.remove(session.key);
            self.forget(&mut table, slot);
        }
    }

    /// The last steps of a connection that was taken out of the table; its socket is closed by the
    /// last owner.
    fn forget(&self, table: &mut Table, slot: Slot) {
        self.poller
            .forget(u64::try_from(slot.session.key).unwrap_or(LISTENERS - 1));
        drop(slot);
        if table.accepting == Accepting::Full {
            self.set_accepting(table, Accepting::On);
        }
        self.finish_if_empty(table);
    }

    /// Ends a stop when there is nothing left to serve.
    fn finish_if_empty(&self, table: &mut Table) {
        let is_late = |until: Instant| until <= Instant::now();
        let promised = table.promises > 0 && !table.grace_until.is_some_and(is_late);
        if table.stop_until.is_some() && table.slots.is_empty() && !promised {
            self.finish(table);
        }
    }

    fn finish(&self, table: &mut Table) {
        table.finished = true;
        // Without it, threads would still return by their timeouts.
        let _ = self.poller.interrupt();
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ready(&self) -> MutexGuard<'_, VecDeque<Work>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
