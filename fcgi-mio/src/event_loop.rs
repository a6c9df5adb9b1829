//! The loop: what it does with an event, a deadline, and a message of another thread.

use std::cmp::Reverse;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fcgi_listen::Listener;
use mio::event::Event;
use mio::{Interest, Registry};
use slab::Slab;

use crate::accept::Doors;
use crate::call::discard;
use crate::connection::Conn;
use crate::deferred::{Completion, Inbox, Shared};
use crate::handle::Handle;
use crate::io_state::{Io, Meaning, Stop, Tokens};
use crate::retirement::Retirement;
use crate::server::{Part, Seat};
use crate::service::{Abort, Service};
use crate::settings::Settings;
use crate::turn::Turn;

/// The size of the buffer that all connections of a loop read into, in bytes.
const BUFFER: usize = 64 * 1024;

#[cfg(test)]
mod tests;

/// All connections of some listeners, inside a `mio::Poll` that somebody polls.
///
/// [`Server`](crate::Server) owns a loop and its `Poll`. As a guest in a `Poll` of your own, a loop
/// gets a `Registry` and a range of tokens, and wants three things:
///
/// ```no_run
/// # fn f(listener: fcgi_listen::Listener) -> std::io::Result<()> {
/// # use std::time::Instant;
/// # use fcgi_mio::{Loop, Settings};
/// let mut poll = mio::Poll::new()?;
/// let mut events = mio::Events::with_capacity(256);
/// let service = fcgi_mio::whole(|_, response| response.write("hello\n"));
/// let tokens = 1000..usize::MAX; // the others are yours
/// let mut fastcgi = Loop::new(poll.registry(), tokens, vec![listener], Settings::new(), service)?;
/// while !fastcgi.is_finished() {
///     let wait = fastcgi.next_deadline().map(|at| at.saturating_duration_since(Instant::now()));
///     match poll.poll(&mut events, wait) { // 1. not beyond its next deadline
///         Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
///         result => result?,
///     }
///     for event in &events {
///         if !fastcgi.ready(event) { // 2. its events
///             // one of yours
///         }
///     }
///     fastcgi.expired(); // 3. after each wait
/// }
/// # Ok(())
/// # }
/// ```
pub struct Loop<S: Service> {
    /// Dropped first, so that nothing that is dropped with the loop waits for it.
    inbox: Inbox,
    service: S,
    pub(crate) io: Io<S::Task>,
    pub(crate) connections: Slab<Conn<S::Task>>,
    pub(crate) next_generation: u32,
    pub(crate) doors: Doors,
    /// Where it gets its connections from, if it does not accept them itself.
    seat: Option<Seat>,
    /// Until when accepting rests.
    pub(crate) paused_until: Option<u64>,
    buffer: Box<[u8]>,
    done: Vec<Completion>,
    pub(crate) stop_until: Option<u64>,
    /// When the last wait began, or before: what had come until then has been seen by now.
    seen_until: u64,
    has_cut: bool,
}

impl<S: Service> Loop<S> {
    /// Registers listeners, which are made non-blocking, and serves what they accept.
    ///
    /// `tokens` are for the loop alone. The range must hold one for its handles, one for each
    /// listener and one for each connection; the larger it is, the surer an event of a connection
    /// that has just been closed is told from one of its successor.
    ///
    /// # Errors
    ///
    /// `InvalidInput` when the range is too small or FCGI_WEB_SERVER_ADDRS is malformed; else what
    /// the system says.
    pub fn new(
        registry: &Registry,
        tokens: Range<usize>,
        listeners: Vec<Listener>,
        settings: Settings,
        service: S,
    ) -> io::Result<Loop<S>> {
        let (shared, inbox) = Shared::new()?;
        let handle = Handle::new(vec![Arc::clone(&shared)], None);
        let retirement = Retirement::after(settings.retire_after, handle);
        let part = Part {
            listeners,
            settings,
            shared,
            inbox,
            seat: None,
            retirement,
        };
        Loop::with(part, registry, tokens, service)
    }

    pub(crate) fn with(
        part: Part,
        registry: &Registry,
        tokens: Range<usize>,
        service: S,
    ) -> io::Result<Loop<S>> {
        let Part {
            listeners,
            settings,
            shared,
            mut inbox,
            seat,
            retirement,
        } = part;
        let invalid = |error| io::Error::new(io::ErrorKind::InvalidInput, error);
        let tokens = Tokens::new(tokens, listeners.len(), settings.max_connections)
            .ok_or_else(|| invalid("too few tokens for so many connections"))?;
        let registry = registry.try_clone()?;
        registry.register(&mut inbox.receiver, tokens.handles(), Interest::READABLE)?;
        let token = |index| tokens.listener(index);
        let doors = Doors::open(listeners, &settings, &registry, token)?;
        Ok(Loop {
            inbox,
            service,
            io: Io::new(settings, shared, registry, tokens, retirement),
            connections: Slab::new(),
            next_generation: 0,
            doors,
            seat,
            paused_until: None,
            buffer: vec![0; BUFFER].into_boxed_slice(),
            done: Vec::new(),
            stop_until: None,
            seen_until: 0,
            has_cut: false,
        })
    }

    /// Stops the loop and reads its counters from any thread.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle::new(vec![Arc::clone(&self.io.shared)], None)
    }

    /// Whether the loop was stopped and nothing is left of it.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.stop_until.is_some()
            && self.connections.is_empty()
            && self.seat.as_ref().is_none_or(Seat::is_free)
    }

    /// Whether a stop had to cut off connections whose requests were still running.
    pub(crate) fn has_cut(&self) -> bool {
        self.has_cut
    }

    /// Takes an event; `false` when it is none of the loop's.
    ///
    /// Everything that the event makes possible is done here, within a budget; what is left has a
    /// place in the queue, and [`next_deadline`](Loop::next_deadline) is now.
    pub fn ready(&mut self, event: &Event) -> bool {
        self.io.look_at_clock();
        self.take(event)
    }

    /// As [`ready`](Loop::ready), with the clock as it was looked at last.
    pub(crate) fn take(&mut self, event: &Event) -> bool {
        match self.io.tokens.meaning(event.token()) {
            None => return false,
            Some(Meaning::Handles) => self.hear(),
            Some(Meaning::Listener(index)) => {
                self.doors.note(index, event);
                self.accept();
            }
            Some(Meaning::Connection { key, generation }) => {
                if let Some(conn) = self.connections.get_mut(key) {
                    // An event of a predecessor, which was closed after the events were collected.
                    if self.io.tokens.generation(conn.place) == generation {
                        note(conn, event);
                        self.turn(key);
                    }
                }
            }
        }
        true
    }

    /// When the loop wants to be called again if no event comes before; `None`: never. In the past
    /// when there is work waiting.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.has_work() {
            return Some(self.io.instant(0));
        }
        self.earliest().map(|at| self.io.instant(at))
    }

    /// As [`next_deadline`](Loop::next_deadline), from when the clock was looked at last.
    pub(crate) fn patience(&self) -> Option<Duration> {
        if self.has_work() {
            return Some(Duration::ZERO);
        }
        let left = self.earliest()?.saturating_sub(self.io.now);
        Some(Duration::from_millis(left))
    }

    fn has_work(&self) -> bool {
        !self.io.ready.is_empty() || self.may_accept()
    }

    /// The next moment at which something is due.
    fn earliest(&self) -> Option<u64> {
        let deadline = self.io.deadlines.peek().map(|Reverse((at, _))| *at);
        let cut = self.stop_until.filter(|_| !self.connections.is_empty());
        let never = u64::MAX;
        let at = deadline
            .unwrap_or(never)
            .min(self.paused_until.unwrap_or(never))
            .min(cut.unwrap_or(never));
        (at != never).then_some(at)
    }

    /// Does what is due: work that had to give way to other connections, and deadlines. Call it
    /// after each wait.
    pub fn expired(&mut self) {
        self.io.look_at_clock();
        self.work();
    }

    pub(crate) fn look_at_clock(&mut self) {
        self.io.look_at_clock();
    }

    pub(crate) fn work(&mut self) {
        // Those that queue up meanwhile have their turn after the next events.
        for _ in 0..self.io.ready.len() {
            let Some(place) = self.io.ready.pop_front() else {
                break;
            };
            if let Some(conn) = self.connections.get_mut(place.key()) {
                if conn.place == place {
                    conn.is_queued = false;
                    self.turn(place.key());
                }
            }
        }
        self.meet_deadlines();
        if self.may_accept() {
            self.accept();
        }
        self.seen_until = self.io.now;
    }

    pub(crate) fn turn(&mut self, key: usize) {
        let Some(conn) = self.connections.get_mut(key) else {
            return;
        };
        let turn = Turn::new(&mut self.service, &mut self.io, conn);
        if !turn.run(&mut self.buffer) {
            self.close(key);
        }
    }

    fn close(&mut self, key: usize) {
        // Closing the socket takes it out of the event queue.
        self.connections.remove(key);
        self.io.shared.cells.closed.add(1);
        if let Some(seat) = &self.seat {
            seat.left();
        }
    }

    /// A deadline that has passed since the last wait began is met after the next one: what came
    /// while the loop was busy has come in time.
    fn meet_deadlines(&mut self) {
        let now = self.seen_until;
        self.forget_stale_deadlines();
        while let Some(Reverse((at, place))) = self.io.deadlines.peek().copied() {
            if at > now {
                break;
            }
            self.io.deadlines.pop();
            let key = place.key();
            let Some(conn) = self.connections.get_mut(key) else {
                continue;
            };
            if conn.place != place || conn.planned != at {
                continue;
            }
            if conn.due > now {
                conn.planned = conn.due;
                self.io.plan(conn.due, place);
                continue;
            }
            conn.planned = u64::MAX;
            if !Turn::new(&mut self.service, &mut self.io, conn).expire() {
                self.close(key);
            }
        }
        if self.paused_until.is_some_and(|until| until <= now) {
            self.paused_until = None;
        }
        if self.stop_until.is_some_and(|until| until <= now) {
            self.cut();
        }
    }
}

impl<S: Service> Loop<S> {
    /// Connections that have ended leave their deadlines behind; a connection has one that counts.
    fn forget_stale_deadlines(&mut self) {
        if self.io.deadlines.len() <= 64 + 4 * self.connections.len() {
            return;
        }
        let connections = &self.connections;
        self.io.deadlines.retain(|Reverse((at, place))| {
            connections
                .get(place.key())
                .is_some_and(|conn| conn.place == *place && conn.planned == *at)
        });
    }
}

/// Notes what an event says. It is a hint, and reading and writing find out.
fn note<T>(conn: &mut Conn<T>, event: &Event) {
    let is_broken = event.is_error() || event.is_write_closed();
    conn.is_ending |= event.is_read_closed() || event.is_error();
    conn.is_hung_up |= is_broken;
    conn.is_readable |= event.is_readable() || event.is_read_closed() || is_broken;
    conn.is_writable |= event.is_writable() || is_broken;
}

/// Messages of other threads.
impl<S: Service> Loop<S> {
    fn hear(&mut self) {
        // One byte at most is waiting: nobody writes before this thread has looked.
        let _ = self.inbox.receiver.read(&mut [0; 16]);
        let mut done = std::mem::take(&mut self.done);
        let (handed, stop_until) = self.io.shared.collect(&mut done);
        for completion in done.drain(..) {
            let place = completion.place;
            let conn = self.connections.get_mut(place.key());
            let Some(conn) = conn.filter(|conn| conn.place == place) else {
                discard(completion);
                continue;
            };
            let mut turn = Turn::new(&mut self.service, &mut self.io, conn);
            turn.complete(completion);
            if !turn.run(&mut self.buffer) {
                self.close(place.key());
            }
        }
        self.done = done;
        // Also in a stop: what was accepted is served.
        for (stream, peer) in handed {
            self.admit(stream, peer);
        }
        if let Some(until) = stop_until {
            self.stop(until);
        }
    }

    fn stop(&mut self, until: Instant) {
        let until = self.io.tick(until);
        if self.stop_until.replace(until).is_some() {
            return;
        }
        self.doors.close(&self.io.registry);
        self.io.stop = Stop::Begun;
        let keys: Vec<usize> = self.connections.iter().map(|(key, _)| key).collect();
        for key in keys {
            let conn = &mut self.connections[key];
            conn.rests_in_stop = conn.active.is_none();
            if !Turn::new(&mut self.service, &mut self.io, conn).settle() {
                self.close(key);
            }
        }
    }

    /// Ends a stop that has taken too long.
    fn cut(&mut self) {
        let keys: Vec<usize> = self.connections.iter().map(|(key, _)| key).collect();
        for key in keys {
            let conn = &mut self.connections[key];
            self.has_cut |= conn.machine.active() > 0;
            Turn::new(&mut self.service, &mut self.io, conn).cut(Abort::Stopped);
            self.close(key);
        }
    }
}
