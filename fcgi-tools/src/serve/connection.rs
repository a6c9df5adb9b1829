//! One connection to the application: a task that moves bytes between a socket, the protocol's
//! state machine and the requests that run on it.
//!
//! The task reads whatever the application sends while it writes, so that neither side can wait for
//! the other; with one exception: while a reader of an answer is slow and [its room](super::pipe)
//! is full, nothing is read.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Buf;
use fcgi_core::web_server::{Closed, Event};
use fcgi_core::{ProtocolStatus, RequestId, Role, params};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, Sleep};

use super::body::LEFT;
use super::outbox::Outbox;
use super::pipe::{Cause, Demand, End, Failure};
use super::pool::{MOST_REQUESTS, Place};
use super::running::{Begin, Running, Stdin};
use super::socket::Socket;

/// Bytes that are read at once.
const INPUT: usize = 64 * 1024;
/// How long a connection without requests is kept.
const IDLE: Duration = Duration::from_secs(10);
/// How long to wait for the ends of aborted requests when nothing else runs; then the connection is
/// closed, which aborts them for sure (§5.4).
const ABORT: Duration = Duration::from_secs(2);

/// The task's own state.
pub(super) struct Connection {
    socket: Socket,
    machine: fcgi_core::web_server::Connection<MOST_REQUESTS>,
    begins: UnboundedReceiver<Box<Begin>>,
    requests: Vec<Running>,
    input: Vec<u8>,
    outbox: Outbox,
    /// The application takes no more bytes; it may still have something to say.
    is_deaf: bool,
    /// The pool has no more requests for this connection.
    is_retired: bool,
    /// Whose turn it is to send a piece of its body.
    turn: usize,
    place: Place,
    quiet_since: Instant,
    timer: Pin<Box<Sleep>>,
}

/// Why the connection is over.
enum Ending {
    /// Nothing is left to do.
    Done,
    /// The application closed it.
    Closed,
    Lost(io::Error),
    Broken(fcgi_core::Error),
}

impl Connection {
    /// The state of a new connection, which is at `place` in the pool.
    pub(super) fn new(
        socket: Socket,
        begins: UnboundedReceiver<Box<Begin>>,
        place: Place,
    ) -> Connection {
        let now = Instant::now();
        Connection {
            socket,
            machine: fcgi_core::web_server::Connection::new(),
            begins,
            requests: Vec::new(),
            input: vec![0; INPUT],
            outbox: Outbox::default(),
            is_deaf: false,
            is_retired: false,
            turn: 0,
            place,
            quiet_since: now,
            timer: Box::pin(tokio::time::sleep_until(now + IDLE)),
        }
    }

    /// Serves the connection to its end.
    pub(super) async fn run(mut self) {
        let ending = std::future::poll_fn(|context| self.poll(context)).await;
        self.close(&ending);
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Ending> {
        loop {
            // What the application has done decides what may still be sent, so reading comes first.
            let moved = match self.poll_read(context) {
                Ok(read) => {
                    let begun = self.begin_requests(context);
                    self.abort_those_without_reader(context);
                    let filled = self.send_bodies(context);
                    let written = self.poll_write(context).is_ready();
                    read || begun || filled || written
                }
                Err(ending) => return Poll::Ready(ending),
            };
            if self.is_retired && self.requests.is_empty() && self.outbox.is_empty() {
                return Poll::Ready(Ending::Done);
            }
            if !moved {
                ready!(self.poll_timer(context));
                return Poll::Ready(Ending::Done);
            }
        }
    }

    /// Reads once; whether something came.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Result<bool, Ending> {
        let mut demands = self
            .requests
            .iter()
            .map(|request| request.answer.demand(context));
        let is_stalled = demands.any(|demand| demand == Demand::Full);
        self.place.set_stalled(is_stalled);
        if is_stalled {
            return Ok(false);
        }
        let mut buffer = ReadBuf::new(&mut self.input);
        match Pin::new(&mut self.socket).poll_read(context, &mut buffer) {
            Poll::Pending => return Ok(false),
            Poll::Ready(Err(error)) => return Err(Ending::Lost(error)),
            Poll::Ready(Ok(())) => {}
        }
        let count = buffer.filled().len();
        if count == 0 {
            return Err(Ending::Closed);
        }
        self.place.set_heard();
        let input = std::mem::take(&mut self.input);
        let result = self.receive(&input[..count]);
        self.input = input;
        result.map(|()| true).map_err(Ending::Broken)
    }

    fn receive(&mut self, mut input: &[u8]) -> Result<(), fcgi_core::Error> {
        while let Some(event) = self.machine.receive(&mut input)? {
            match event {
                Event::Stdout { id, bytes } => self.with(id, |request| request.stdout(bytes)),
                Event::StdoutEnd { id } => {
                    self.with(id, |request| request.answer.end(End::Complete(None)));
                }
                Event::Stderr { id, bytes } => self.with(id, |request| request.errors.push(bytes)),
                Event::StderrEnd { id } => self.with(id, |request| request.errors.flush()),
                Event::End {
                    id,
                    app_status,
                    protocol_status,
                } => self.end(id, app_status, protocol_status),
                // Late answers to questions that this connection did not ask.
                Event::Values(_) | Event::UnknownType { .. } => {}
            }
        }
        Ok(())
    }

    fn with(&mut self, id: RequestId, act: impl FnOnce(&mut Running)) {
        if let Some(request) = self.requests.iter_mut().find(|request| request.id == id) {
            act(request);
        }
    }

    /// END_REQUEST has come.
    fn end(&mut self, id: RequestId, app_status: u32, protocol_status: ProtocolStatus) {
        let Some(at) = self.requests.iter().position(|request| request.id == id) else {
            return;
        };
        let mut request = self.requests.swap_remove(at);
        request.errors.flush();
        if protocol_status == ProtocolStatus::REQUEST_COMPLETE {
            if app_status != 0 && request.aborted.is_none() {
                let status = app_status.cast_signed();
                request
                    .errors
                    .note(&format!("the request ended with appStatus {status}"));
            }
            request.answer.end(End::Complete(Some(app_status)));
        } else {
            let body = request.take_body();
            request.answer.end(End::Refused(protocol_status, body));
            self.place.refused(protocol_status);
        }
        if request.aborted.is_some() {
            self.place.retire_after_abort();
        }
        self.quiet_since = Instant::now();
        self.place.release();
    }

    /// Begins what the pool has sent; whether there was something.
    fn begin_requests(&mut self, context: &mut Context<'_>) -> bool {
        let mut begun = false;
        while !self.is_retired {
            match self.begins.poll_recv(context) {
                Poll::Pending => break,
                Poll::Ready(None) => self.is_retired = true,
                Poll::Ready(Some(begin)) => self.begin(begin),
            }
            begun = true;
        }
        begun
    }

    fn begin(&mut self, begin: Box<Begin>) {
        let begins_at = self.outbox.end();
        if self.is_deaf {
            begin.give_back(Cause::Closed);
            return self.place.release();
        }
        // The pool counts as the machine does, so there is room.
        let Ok((id, record)) = self.machine.begin(Role::Responder, true) else {
            begin.give_back(Cause::Stopped);
            return self.place.release();
        };
        self.outbox.push(&record);
        for mut chunk in params::chunks(&begin.params) {
            while let Ok(Some(record)) = self.machine.params(id, &mut chunk) {
                self.outbox.push_record(&record);
            }
        }
        if let Ok(record) = self.machine.params_end(id) {
            self.outbox.push_record(&record);
        }
        self.requests.push(Running::new(id, *begin, begins_at));
    }

    /// Sends ABORT_REQUEST for those whose client has gone, or whose application does not stop.
    fn abort_those_without_reader(&mut self, context: &mut Context<'_>) {
        let now = Instant::now();
        for request in &mut self.requests {
            let is_unwanted = match request.answer.demand(context) {
                Demand::Gone => true,
                Demand::Enough(until) => until <= now,
                Demand::Open | Demand::Full => false,
            };
            if is_unwanted && request.aborted.is_none() {
                request.aborted = Some(now);
                request.stop_body();
                if let Ok(record) = self.machine.abort(request.id) {
                    self.outbox.push(&record);
                }
            }
        }
    }

    /// Makes records of the bodies, a piece of each in turn, as long as the application keeps up.
    /// Whether there was something.
    fn send_bodies(&mut self, context: &mut Context<'_>) -> bool {
        let mut sent = false;
        let mut waiting = 0;
        while waiting < self.requests.len() && self.outbox.has_room() && !self.is_deaf {
            self.turn = (self.turn + 1) % self.requests.len();
            if self.send_piece(self.turn, context) {
                sent = true;
                waiting = 0;
            } else {
                waiting += 1;
            }
        }
        sent
    }

    /// Sends one record of a body; whether there was something.
    fn send_piece(&mut self, at: usize, context: &mut Context<'_>) -> bool {
        let request = &mut self.requests[at];
        let id = request.id;
        // The machine refuses nothing here: the request is active, and its streams are sent in
        // order.
        match request.poll_stdin(context) {
            Poll::Pending => return false,
            Poll::Ready(Stdin::Bytes(piece)) => {
                let mut bytes = &piece[..];
                if let Ok(Some(record)) = self.machine.stdin(id, &mut bytes) {
                    self.outbox.push_record(&record);
                }
                let taken = piece.len() - bytes.len();
                piece.advance(taken);
            }
            Poll::Ready(Stdin::End) => {
                if let Ok(record) = self.machine.stdin_end(id) {
                    self.outbox.push_record(&record);
                }
            }
            Poll::Ready(Stdin::Broken(error)) => {
                // Never the end of STDIN: what came must not pass for the whole body.
                if error.kind() != LEFT {
                    request
                        .errors
                        .note(&format!("the collected body cannot be read: {error}"));
                }
                request.answer.end(Cause::ClientBody);
                request.aborted = Some(Instant::now());
                request.stop_body();
                if let Ok(record) = self.machine.abort(id) {
                    self.outbox.push(&record);
                }
            }
        }
        true
    }

    /// Writes once; ready when the application took something.
    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.outbox.is_empty() {
            return Poll::Pending;
        }
        let bytes = self.outbox.unsent();
        match ready!(Pin::new(&mut self.socket).poll_write(context, bytes)) {
            Ok(count) if count > 0 => self.outbox.advance(count),
            // It may have answered and closed without having read all: reading tells.
            Ok(_) | Err(_) => {
                self.is_deaf = true;
                self.outbox.clear();
                self.place.retire();
            }
        }
        Poll::Ready(())
    }

    /// Ready when the connection is to be closed because nothing has happened for too long.
    fn poll_timer(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let deadline = self.deadline(context);
        if self.timer.deadline() != deadline {
            self.timer.as_mut().reset(deadline);
        }
        ready!(self.timer.as_mut().poll(context));
        if self.requests.is_empty() {
            // A request may be on its way already; then the connection stays.
            self.quiet_since = Instant::now();
            self.place.retire_if_unused();
        } else if self
            .requests
            .iter()
            .all(|request| request.aborted.is_some())
        {
            return Poll::Ready(());
        }
        // The next turn sees that the pool has given the connection up, or aborts what has run too
        // long.
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// When something has to be done if nothing happens before.
    fn deadline(&self, context: &mut Context<'_>) -> Instant {
        let far = Instant::now() + Duration::from_secs(3600);
        if self.requests.is_empty() {
            return self.quiet_since + IDLE;
        }
        let running = self
            .requests
            .iter()
            .filter(|request| request.aborted.is_none());
        let ends = running.map(|request| match request.answer.demand(context) {
            Demand::Enough(until) => until,
            Demand::Open | Demand::Full | Demand::Gone => far,
        });
        ends.min().unwrap_or_else(|| {
            let aborts = self.requests.iter().filter_map(|request| request.aborted);
            aborts.max().map_or(far, |last| last + ABORT)
        })
    }

    /// Tells all requests.
    fn close(mut self, ending: &Ending) {
        self.place.retire();
        for mut request in self.requests.drain(..) {
            request.errors.flush();
            match self.machine.closed(request.id) {
                Some(Closed::Complete) => request.answer.end(End::Complete(None)),
                Some(Closed::Truncated) | None => {
                    let body = request.take_body();
                    request.answer.end(End::Failed(Failure {
                        cause: ending.cause(),
                        was_sent: self.outbox.sent() > request.begins_at,
                        body,
                    }));
                }
            }
        }
        self.begins.close();
        while let Ok(begin) = self.begins.try_recv() {
            begin.give_back(Cause::Closed);
        }
    }
}

impl Ending {
    fn cause(&self) -> Cause {
        match self {
            Ending::Done => Cause::Stopped,
            Ending::Closed => Cause::Closed,
            Ending::Lost(error) => Cause::Lost(io::Error::new(error.kind(), error.to_string())),
            Ending::Broken(error) => Cause::Protocol(*error),
        }
    }
}
