//! The connections to the application: kept, shared where the application multiplexes, and opened
//! when there are too few.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fcgi_core::ProtocolStatus;
use fcgi_listen::Address;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::body::RequestBody;
use super::connection::Connection;
use super::console::Console;
use super::pipe::{Answer, pipe};
use super::probe;
use super::running::Begin;
use super::socket::Socket;
use super::stderr::Errors;

/// The most requests at the same time on one connection, whatever the application offers.
pub(super) const MOST_REQUESTS: usize = 64;
/// The most connections that are kept without a request.
const MOST_IDLE: usize = 32;

/// The connections to one application.
pub(super) struct Pool {
    address: Address,
    console: Console,
    timeout: Duration,
    state: Mutex<State>,
    /// Held by whoever opens a connection that others may share, or asks the application.
    opening: tokio::sync::Mutex<()>,
}

struct State {
    /// How many requests one connection takes; `None` until the application was asked.
    limit: Option<usize>,
    /// Counts the starts of the application: what an earlier one said does not count.
    start: u64,
    members: Vec<Member>,
    next_number: u64,
    is_closed: bool,
}

/// A connection as the pool knows it. Removing it lets its task end after the requests that it has.
struct Member {
    number: u64,
    begins: UnboundedSender<Box<Begin>>,
    /// Requests that were sent there and have not ended.
    active: usize,
    /// How many this connection takes, if it was found to be fewer than the application said.
    limit: usize,
    flags: Arc<Flags>,
}

/// What the task of a connection tells the pool all the time.
#[derive(Default)]
struct Flags {
    /// Whether the application has sent anything.
    heard: AtomicBool,
    /// Whether a slow reader keeps the connection from being read.
    stalled: AtomicBool,
}

/// A request to be sent.
pub(super) struct Outgoing {
    pub(super) params: Vec<u8>,
    pub(super) body: RequestBody,
    /// How its errors are marked.
    pub(super) label: Arc<str>,
}

/// A request that was sent.
pub(super) struct Sent {
    pub(super) answer: Answer,
    /// Whether the connection was there before: it may turn out to be closed.
    pub(super) is_reused: bool,
}

/// Which connection is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wanted {
    Any,
    /// One that was not used before.
    Fresh,
}

impl Pool {
    pub(super) fn new(address: Address, console: Console, timeout: Duration) -> Arc<Pool> {
        Arc::new(Pool {
            address,
            console,
            timeout,
            state: Mutex::new(State {
                limit: None,
                start: 0,
                members: Vec::new(),
                next_number: 0,
                is_closed: false,
            }),
            opening: tokio::sync::Mutex::new(()),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the application listens.
    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// Sends a request on a connection that has room for it, or on a new one.
    ///
    /// An error gives the body back: the application cannot be reached.
    pub(super) async fn send(
        self: &Arc<Self>,
        outgoing: Outgoing,
        wanted: Wanted,
    ) -> Result<Sent, (io::Error, RequestBody)> {
        let (writer, answer) = pipe(self.timeout);
        let begin = Box::new(Begin {
            params: outgoing.params,
            body: outgoing.body,
            answer: writer,
            errors: Errors::new(self.console.clone(), outgoing.label),
        });
        match self.place(begin, wanted).await {
            Ok(is_reused) => Ok(Sent { answer, is_reused }),
            Err((error, begin)) => {
                // Next time it may be another application that listens there.
                self.forget();
                Err((error, begin.body))
            }
        }
    }

    async fn place(
        self: &Arc<Self>,
        mut begin: Box<Begin>,
        wanted: Wanted,
    ) -> Result<bool, (io::Error, Box<Begin>)> {
        let limit = match self.limit().await {
            Ok(limit) => limit,
            Err(error) => return Err((error, begin)),
        };
        // Connections that can be shared are opened one after the other: while one is, others wait
        // for it and then use it.
        let mut guard = None;
        if wanted == Wanted::Any {
            begin = match self.lock().place(begin) {
                Ok(()) => return Ok(true),
                Err(begin) => begin,
            };
            if limit > 1 {
                guard = Some(self.opening.lock().await);
                begin = match self.lock().place(begin) {
                    Ok(()) => return Ok(true),
                    Err(begin) => begin,
                };
            }
        }
        let socket = match Socket::connect(&self.address).await {
            Ok(socket) => socket,
            Err(error) => return Err((error, begin)),
        };
        self.open(socket, begin);
        drop(guard);
        Ok(false)
    }

    /// Starts the task of a new connection.
    fn open(self: &Arc<Self>, socket: Socket, begin: Box<Begin>) {
        let (begins, receiver) = unbounded_channel();
        let mut state = self.lock();
        let number = state.next_number;
        state.next_number += 1;
        let flags = Arc::<Flags>::default();
        // The receiver is here, so sending cannot fail.
        let _ = begins.send(begin);
        if !state.is_closed {
            state.members.push(Member {
                number,
                begins,
                active: 1,
                limit: MOST_REQUESTS,
                flags: Arc::clone(&flags),
            });
        }
        drop(state);
        let place = Place {
            pool: Arc::clone(self),
            number,
            flags,
        };
        tokio::spawn(Connection::new(socket, receiver, place).run());
    }

    /// How many requests a connection takes. Asks the application, once in its life.
    async fn limit(&self) -> io::Result<usize> {
        if let Some(limit) = self.lock().limit {
            return Ok(limit);
        }
        let _guard = self.opening.lock().await;
        let start = {
            let state = self.lock();
            if let Some(limit) = state.limit {
                return Ok(limit);
            }
            state.start
        };
        // A connection of its own: some applications close it after the answer, and others, that
        // never answer, are not to be kept from their work.
        let limit = probe::ask(Socket::connect(&self.address).await?).await;
        let mut state = self.lock();
        if state.start == start {
            state.limit = Some(limit);
        }
        Ok(limit)
    }

    /// The application was started anew, or may have been.
    pub(super) fn forget(&self) {
        let mut state = self.lock();
        state.limit = None;
        state.start += 1;
    }

    /// How many requests the application has not ended.
    pub(super) fn running(&self) -> usize {
        self.lock().members.iter().map(|member| member.active).sum()
    }

    /// Lets all connections end after the requests that they have.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        state.members.clear();
    }
}

impl State {
    /// Sends a request to the connection that has most of them and room for one more, so that few
    /// are needed. Gives it back when there is none.
    fn place(&mut self, mut begin: Box<Begin>) -> Result<(), Box<Begin>> {
        loop {
            let limit = self.limit.unwrap_or(1);
            let candidates = self.members.iter_mut().filter(|member| {
                let is_stalled = member.flags.stalled.load(Ordering::Relaxed);
                member.active < limit.min(member.limit) && !is_stalled
            });
            let Some(member) = candidates.max_by_key(|member| member.active) else {
                return Err(begin);
            };
            match member.begins.send(begin) {
                Ok(()) => {
                    member.active += 1;
                    return Ok(());
                }
                Err(refused) => {
                    begin = refused.0;
                    let number = member.number;
                    self.remove(number);
                }
            }
        }
    }

    fn remove(&mut self, number: u64) {
        self.members.retain(|member| member.number != number);
    }

    fn member(&mut self, number: u64) -> Option<&mut Member> {
        self.members
            .iter_mut()
            .find(|member| member.number == number)
    }

    /// Whether a connection that has just become idle is to be kept.
    ///
    /// Not if requests wait on a connection of which nothing was ever heard: an application that
    /// serves one connection after the other may be waiting for the end of this one before it
    /// accepts the next.
    fn keeps_idle(&self) -> bool {
        let is_waiting =
            |member: &Member| member.active > 0 && !member.flags.heard.load(Ordering::Relaxed);
        let idle = self.members.iter().filter(|member| member.active == 0);
        idle.count() <= MOST_IDLE && !self.members.iter().any(is_waiting)
    }
}

/// The place of one connection in the pool, for its task.
pub(super) struct Place {
    pool: Arc<Pool>,
    number: u64,
    flags: Arc<Flags>,
}

impl Place {
    pub(super) fn set_heard(&self) {
        self.flags.heard.store(true, Ordering::Relaxed);
    }

    pub(super) fn set_stalled(&self, is_stalled: bool) {
        self.flags.stalled.store(is_stalled, Ordering::Relaxed);
    }

    /// A request has ended.
    pub(super) fn release(&self) {
        let mut state = self.pool.lock();
        let Some(member) = state.member(self.number) else {
            return;
        };
        member.active -= 1;
        if member.active == 0 && !state.keeps_idle() {
            state.remove(self.number);
        }
    }

    /// The application refused a request: from now on it gets fewer here. Call it before
    /// [`release`](Place::release).
    pub(super) fn refused(&self, status: ProtocolStatus) {
        let mut state = self.pool.lock();
        if status == ProtocolStatus::CANT_MPX_CONN {
            state.limit = Some(1);
        }
        if let Some(member) = state.member(self.number) {
            member.limit = (member.active - 1).max(1);
        }
    }

    /// An aborted request has ended. An application that serves one at a time may take the abort for
    /// an error and close behind its answer, as libfcgi does: then the connection takes no more
    /// requests. Call it before [`release`](Place::release).
    pub(super) fn retire_after_abort(&self) {
        let mut state = self.pool.lock();
        if state.limit.unwrap_or(1) == 1 {
            state.remove(self.number);
        }
    }

    /// The connection takes no more requests.
    pub(super) fn retire(&self) {
        self.pool.lock().remove(self.number);
    }

    /// As [`retire`](Place::retire), unless a request is there or on its way.
    pub(super) fn retire_if_unused(&self) {
        let mut state = self.pool.lock();
        if state
            .member(self.number)
            .is_some_and(|member| member.active == 0)
        {
            state.remove(self.number);
        }
    }
}
