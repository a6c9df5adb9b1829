//! The answer to one request, between the task of its connection and whoever reads it.
//!
//! Bounded: above [`ROOM`] bytes the connection is not read any more until the reader has taken
//! them, so that a slow client slows the application down and fills no memory. Requests that share
//! the connection wait with it; there is no flow control in FastCGI.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use fcgi_core::ProtocolStatus;
use tokio::time::{Instant, Sleep};

use super::body::RequestBody;

/// As many bytes may wait for the reader before the connection is not read any more; what was read
/// at once by then still goes in.
pub(super) const ROOM: usize = 256 * 1024;

/// After its reader has enough, as many bytes of an answer are read and dropped before the request
/// is aborted.
const SURPLUS: u64 = 16 << 20;

/// What comes next in an answer.
#[derive(Debug)]
pub(super) enum Item {
    /// A piece of STDOUT, never empty.
    Stdout(Bytes),
    /// Nothing more.
    End(End),
}

/// How an answer ended.
#[derive(Debug)]
pub(super) enum End {
    /// STDOUT ended, or the request did, with its appStatus.
    Complete(Option<u32>),
    /// The application did not take the request (§5.5).
    Refused(ProtocolStatus, Option<RequestBody>),
    /// The answer is cut short, or there is none.
    Failed(Failure),
}

/// A request that failed on its connection.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) cause: Cause,
    /// Whether a byte of the request may have reached the application.
    pub(super) was_sent: bool,
    /// The body, if it was not given up.
    pub(super) body: Option<RequestBody>,
}

/// Why a request failed.
#[derive(Debug)]
pub(super) enum Cause {
    /// The application closed the connection.
    Closed,
    /// The connection broke.
    Lost(io::Error),
    /// The application broke the protocol.
    Protocol(fcgi_core::Error),
    /// The client did not send its whole body.
    ClientBody,
    /// Nothing moved for too long; whether it was the client's turn.
    Timeout { client: bool },
    /// The gateway stops.
    Stopped,
}

impl From<Cause> for End {
    fn from(cause: Cause) -> End {
        End::Failed(Failure {
            cause,
            was_sent: true,
            body: None,
        })
    }
}

struct State {
    bytes: BytesMut,
    end: Option<End>,
    reader: Reader,
    /// When the application or the client last moved anything.
    moved: Instant,
    /// Whether the application waits for bytes of the client.
    awaits_client: bool,
    wake_reader: Option<Waker>,
    wake_writer: Option<Waker>,
}

/// What the reader still wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reader {
    Reads,
    /// It has all that it needs; the request may end by itself until then.
    Finished {
        until: Instant,
        surplus: u64,
        /// Whether more bytes are a fault of the application.
        is_fault: bool,
    },
    Gone,
}

impl Reader {
    fn finished(timeout: Duration, is_fault: bool) -> Reader {
        Reader::Finished {
            until: Instant::now() + timeout,
            surplus: 0,
            is_fault,
        }
    }
}

#[derive(Clone)]
struct Shared(Arc<Mutex<State>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn move_on(&mut self) {
        self.moved = Instant::now();
        self.awaits_client = false;
    }
}

/// The end of the connection's task.
pub(super) struct Writer(Shared);

/// The end of the reader. Dropping it before the end of the answer aborts the request;
/// [`finish`](Answer::finish) lets it end.
pub(super) struct Answer {
    shared: Shared,
    timer: Pin<Box<Sleep>>,
    timeout: Duration,
}

/// Both ends of the answer to a request that fails when nothing moves for `timeout`.
pub(super) fn pipe(timeout: Duration) -> (Writer, Answer) {
    let now = Instant::now();
    let shared = Shared(Arc::new(Mutex::new(State {
        bytes: BytesMut::new(),
        end: None,
        reader: Reader::Reads,
        moved: now,
        awaits_client: false,
        wake_reader: None,
        wake_writer: None,
    })));
    let answer = Answer {
        shared: shared.clone(),
        timer: Box::pin(tokio::time::sleep_until(now + timeout)),
        timeout,
    };
    (Writer(shared), answer)
}

/// What the connection's task has to know about a reader.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Demand {
    /// There is room.
    Open,
    /// There is none.
    Full,
    /// Whatever comes is dropped; until then it may.
    Enough(Instant),
    /// Nobody reads: abort.
    Gone,
}

impl Writer {
    /// Appends a piece of STDOUT. `false` when the answer was complete before, and this is a fault
    /// of the application.
    pub(super) fn push(&self, bytes: &[u8]) -> bool {
        let mut state = self.0.lock();
        state.move_on();
        match &mut state.reader {
            Reader::Reads => {
                state.bytes.extend_from_slice(bytes);
                wake(&mut state.wake_reader);
                true
            }
            Reader::Finished {
                surplus, is_fault, ..
            } => {
                let is_fault = *is_fault;
                *surplus = surplus.saturating_add(bytes.len() as u64);
                if *surplus > SURPLUS {
                    state.reader = Reader::Gone;
                }
                !is_fault
            }
            Reader::Gone => true,
        }
    }

    /// Says how the answer ended; only the first time counts.
    pub(super) fn end(&self, end: impl Into<End>) {
        let mut state = self.0.lock();
        if state.end.is_none() {
            state.end = Some(end.into());
            wake(&mut state.wake_reader);
        }
    }

    /// Bytes of the body went out.
    pub(super) fn touch(&self) {
        self.0.lock().move_on();
    }

    /// The body has nothing to send now.
    pub(super) fn await_client(&self) {
        self.0.lock().awaits_client = true;
    }

    /// What the reader wants; wakes the task when that changes.
    pub(super) fn demand(&self, context: &mut Context<'_>) -> Demand {
        let mut state = self.0.lock();
        state.wake_writer = Some(context.waker().clone());
        match state.reader {
            Reader::Reads if state.bytes.len() >= ROOM => Demand::Full,
            Reader::Reads => Demand::Open,
            Reader::Finished { until, .. } => Demand::Enough(until),
            Reader::Gone => Demand::Gone,
        }
    }
}

/// A task that ends without a word was stopped with its runtime.
impl Drop for Writer {
    fn drop(&mut self) {
        self.end(Cause::Stopped);
    }
}

impl Answer {
    /// What comes next; after the end it must not be called again.
    pub(super) async fn next(&mut self) -> Item {
        std::future::poll_fn(|context| self.poll_next(context)).await
    }

    /// As [`next`](Answer::next).
    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Item> {
        let (moved, awaits_client) = {
            let mut state = self.shared.lock();
            if !state.bytes.is_empty() {
                // The client has taken what came before; the application gets its time anew.
                state.moved = Instant::now();
                let bytes = state.bytes.split().freeze();
                wake(&mut state.wake_writer);
                return Poll::Ready(Item::Stdout(bytes));
            }
            if let Some(end) = state.end.take() {
                if matches!(end, End::Complete(_)) {
                    state.reader = Reader::finished(self.timeout, true);
                    wake(&mut state.wake_writer);
                }
                return Poll::Ready(Item::End(end));
            }
            state.wake_reader = Some(context.waker().clone());
            (state.moved, state.awaits_client)
        };
        let deadline = moved + self.timeout;
        if self.timer.deadline() != deadline {
            self.timer.as_mut().reset(deadline);
        }
        match self.timer.as_mut().poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                let client = awaits_client;
                Poll::Ready(Item::End(Cause::Timeout { client }.into()))
            }
        }
    }

    /// Lets the request end by itself: what still comes is dropped, within bounds of bytes and of
    /// the timeout. `is_fault` says that nothing should come.
    pub(super) fn finish(self, is_fault: bool) {
        let mut state = self.shared.lock();
        state.bytes = BytesMut::new();
        state.reader = Reader::finished(self.timeout, is_fault);
        wake(&mut state.wake_writer);
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        if state.reader == Reader::Reads {
            state.reader = match state.end {
                // The application may still have something to do that is no answer.
                Some(End::Complete(_)) => Reader::finished(self.timeout, true),
                _ => Reader::Gone,
            };
            state.bytes = BytesMut::new();
            wake(&mut state.wake_writer);
        }
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}
