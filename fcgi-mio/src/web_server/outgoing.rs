//! All outgoing connections of an event loop: events, deadlines, and the notes of handles.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::rc::Rc;
use std::time::Instant;

use fcgi_listen::Address;
use mio::Registry;
use mio::event::Event;
use slab::Slab;

use super::call::{Application, Mailbox, Note, Place};
use super::connection::Conn;
use super::counters::Counters;
use super::failure::Cause;
use super::io_state::{Io, Who};
use super::job::Job;
use super::pool::Pool;
use super::settings::Settings;
use super::turn::Turn;

/// The size of the buffer that all connections read into, in bytes.
const BUFFER: usize = 64 * 1024;

/// Outgoing connections to any number of FastCGI applications, inside a `mio::Poll` that somebody
/// polls: a guest there as a [`Loop`](crate::Loop) is.
///
/// ```no_run
/// # fn main() -> std::io::Result<()> {
/// # use std::time::Instant;
/// use fcgi_core::Role;
/// use fcgi_mio::web_server::{Outgoing, Request, Settings, whole};
///
/// let mut poll = mio::Poll::new()?;
/// let mut events = mio::Events::with_capacity(256);
/// let tokens = 1000..usize::MAX; // the others are yours
/// let mut outgoing = Outgoing::new(poll.registry(), tokens, Settings::new())?;
/// let application = outgoing.application("127.0.0.1:9000".parse()?);
///
/// let mut request = Request::new(Role::Responder);
/// request.param("REQUEST_METHOD", "GET")?;
/// let answer = whole(1 << 20, |answer| println!("{:?}", answer.map(|a| a.body().len())));
/// application.send(request, answer).detach();
///
/// while !outgoing.is_idle() {
///     let wait = outgoing.next_deadline().map(|at| at.saturating_duration_since(Instant::now()));
///     match poll.poll(&mut events, wait) { // 1. not beyond its next deadline
///         Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
///         result => result?,
///     }
///     for event in &events {
///         if !outgoing.ready(event) { // 2. its events
///             // one of yours
///         }
///     }
///     outgoing.expired(); // 3. after each wait, and after all else that sends requests
/// }
/// # Ok(())
/// # }
/// ```
///
/// Dropping it ends all requests.
pub struct Outgoing {
    mail: Rc<Mailbox>,
    io: Io,
    connections: Slab<Conn>,
    pools: Slab<Pool>,
    by_address: HashMap<Rc<Address>, usize>,
    buffer: Box<[u8]>,
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.mail.close();
        let mut jobs: Vec<Job> = Vec::new();
        while let Some(note) = self.mail.take() {
            if let Note::Send(job) = note {
                jobs.push(job);
            }
        }
        for (_, pool) in &mut self.pools {
            jobs.extend(pool.take_queues());
        }
        for (_, conn) in &mut self.connections {
            jobs.append(&mut conn.jobs);
        }
        for job in jobs {
            job.end(Err(Cause::Stopped));
        }
    }
}

impl Outgoing {
    /// Nothing is opened yet.
    ///
    /// `tokens` are for it alone: one for each connection. Where they are too few, connections that
    /// rest make room for those of other applications, and requests wait.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an empty range of tokens; else what the system says.
    pub fn new(
        registry: &Registry,
        tokens: Range<usize>,
        settings: Settings,
    ) -> io::Result<Outgoing> {
        if tokens.is_empty() {
            let why = "no tokens for connections";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        Ok(Outgoing {
            mail: Rc::default(),
            io: Io::new(settings, registry.try_clone()?, tokens),
            connections: Slab::new(),
            pools: Slab::new(),
            by_address: HashMap::new(),
            buffer: vec![0; BUFFER].into_boxed_slice(),
        })
    }

    /// An application to send requests to. What is sent to the same address by any of these handles
    /// shares its connections.
    ///
    /// A name is looked up each time a connection is opened, and the loop waits for that: better
    /// give it IP addresses, or unix sockets.
    #[must_use]
    pub fn application(&self, address: Address) -> Application {
        Application::new(Rc::clone(&self.mail), address)
    }

    /// What it has done so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.io.counters
    }

    /// Whether no request is running or waiting.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let is_free = |conn: &Conn| conn.jobs.is_empty();
        self.mail.len() == 0
            && self.pools.iter().all(|(_, pool)| !pool.has_queue())
            && self.connections.iter().all(|(_, conn)| is_free(conn))
    }

    /// Takes an event; `false` when it is none of these connections'.
    pub fn ready(&mut self, event: &Event) -> bool {
        let offset = event.token().0.checked_sub(self.io.first_token);
        let Some(key) = offset.filter(|&offset| offset < self.io.tokens) else {
            return false;
        };
        // It may be meant for a predecessor; then nothing is found to be ready.
        if let Some(conn) = self.connections.get_mut(key) {
            note(conn, event);
            self.turn(key);
        }
        true
    }

    /// When it wants to be called again if no event comes before; `None`: never. In the past when
    /// there is work waiting.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.mail.len() > 0 || !self.io.ready.is_empty() {
            return Some(self.io.instant(0));
        }
        let earliest = self.io.deadlines.peek();
        earliest.map(|Reverse((at, _))| self.io.instant(*at))
    }

    /// Does what is due: sends what was given to [`Application::send`], goes on where other
    /// connections had their turn, meets deadlines. Call it after each wait.
    pub fn expired(&mut self) {
        self.io.look_at_clock();
        // What is left meanwhile has its turn after the next events.
        for _ in 0..self.mail.len() {
            match self.mail.take() {
                Some(Note::Send(job)) => self.send(job),
                Some(Note::Look(state)) => {
                    state.is_noted.set(false);
                    self.look(state.place.get());
                }
                None => break,
            }
        }
        for _ in 0..self.io.ready.len() {
            let Some(key) = self.io.ready.pop_front() else {
                break;
            };
            if let Some(conn) = self.connections.get_mut(key) {
                conn.is_queued = false;
                self.turn(key);
            }
        }
        self.meet_deadlines();
        self.io.seen_until = self.io.now;
    }

    fn send(&mut self, mut job: Job) {
        if job.is_unwanted() {
            job.give_up(None);
            return;
        }
        let key = match self.by_address.get(&job.address) {
            Some(&key) => key,
            None => {
                let address = Rc::clone(&job.address);
                let entry = self.pools.vacant_entry();
                let key = entry.key();
                entry.insert(Pool::new(
                    key,
                    Rc::clone(&address),
                    self.io.settings.multiplex,
                ));
                self.by_address.insert(address, key);
                key
            }
        };
        if let Some(pool) = self.pools.get_mut(key) {
            pool.enqueue(job, &mut self.io, &mut self.connections);
        }
        self.forget_if_idle(key);
    }

    /// A handle has changed something.
    fn look(&mut self, place: Place) {
        match place {
            Place::Mail | Place::Over => {}
            Place::Queue(key) => {
                if let Some(pool) = self.pools.get_mut(key) {
                    pool.forget_unwanted();
                }
            }
            Place::Connection(key) => {
                if let Some(conn) = self.connections.get_mut(key) {
                    conn.queue(&mut self.io);
                }
            }
        }
    }

    fn turn(&mut self, key: usize) {
        if let Some(conn) = self.connections.get_mut(key) {
            let io = &mut self.io;
            // The receivers of others may have taken their time.
            io.look_at_clock();
            let lives = Turn { io, conn }.run(&mut self.buffer);
            self.after_turn(key, lives);
        }
    }

    fn after_turn(&mut self, key: usize, lives: bool) {
        let Some(conn) = self.connections.get_mut(key) else {
            return;
        };
        let pool_key = conn.pool;
        let Some(pool) = self.pools.get_mut(pool_key) else {
            return;
        };
        if let Some(values) = conn.values.take() {
            pool.learn(values, &self.io);
        }
        if !lives {
            // Closing the socket takes it out of the event queue.
            let conn = self.connections.remove(key);
            self.io.counters.closed += 1;
            pool.lost(&conn, &mut self.io);
        }
        pool.take_back(&mut self.io);
        pool.serve(&mut self.io, &mut self.connections);
        self.forget_if_idle(pool_key);
    }

    fn forget_if_idle(&mut self, key: usize) {
        if self
            .pools
            .get(key)
            .is_some_and(|pool| pool.is_idle(&self.io))
        {
            let pool = self.pools.remove(key);
            self.by_address.remove(&pool.address);
        }
    }

    fn meet_deadlines(&mut self) {
        self.forget_stale_deadlines();
        while let Some(Reverse((at, who))) = self.io.deadlines.peek().copied() {
            let counts = self.counts(at, who);
            if counts && at > self.io.seen_until {
                break;
            }
            self.io.deadlines.pop();
            match who {
                _ if !counts => {}
                Who::Connection(key) => self.expire(key),
                Who::Pool(key) => {
                    if let Some(pool) = self.pools.get_mut(key) {
                        pool.expire(&mut self.io, &mut self.connections);
                    }
                    self.forget_if_idle(key);
                }
            }
        }
    }

    /// Whether a deadline is not left over from something that has ended, or was put off.
    fn counts(&self, at: u64, who: Who) -> bool {
        match who {
            Who::Connection(key) => self
                .connections
                .get(key)
                .is_some_and(|conn| conn.planned == at),
            Who::Pool(key) => self.pools.get(key).is_some_and(|pool| pool.planned == at),
        }
    }

    fn expire(&mut self, key: usize) {
        let Some(conn) = self.connections.get_mut(key) else {
            return;
        };
        conn.planned = u64::MAX;
        let io = &mut self.io;
        let lives = Turn { io, conn }.expire();
        self.after_turn(key, lives);
    }

    /// Connections that have ended leave their deadlines behind; each has one that counts.
    fn forget_stale_deadlines(&mut self) {
        if self.io.deadlines.len() > 64 + 4 * (self.connections.len() + self.pools.len()) {
            let mut deadlines = std::mem::take(&mut self.io.deadlines);
            deadlines.retain(|Reverse((at, who))| self.counts(*at, *who));
            self.io.deadlines = deadlines;
        }
    }
}

/// Notes what an event says. It is a hint, and reading and writing find out.
fn note(conn: &mut Conn, event: &Event) {
    let is_broken = event.is_error() || event.is_write_closed();
    conn.is_ending |= event.is_read_closed() || event.is_error();
    conn.is_readable |= event.is_readable() || event.is_read_closed() || is_broken;
    conn.is_writable |= event.is_writable() || is_broken;
}
