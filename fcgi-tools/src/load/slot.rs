//! One of the connections of a plan: what it carries now, and its successors in the same place.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::rc::Rc;
use std::time::Instant;

use fcgi_core::web_server::{Closed, Connection, Event};
use fcgi_core::{ProtocolStatus, RequestId};
use fcgi_listen::Stream;

use super::answer::{Answer, Expected};
use super::plan::MAX_DEPTH;
use super::report::Failure;
use super::requests::Requests;
use super::tally::Tally;

/// So many requests go out in one write.
const PIECES: usize = 16;

/// A place for a connection.
pub(super) struct Slot {
    stream: Option<Stream>,
    connection: Connection<MAX_DEPTH>,
    /// Requests that are not sent yet, and how much of the first one is.
    outbox: VecDeque<Rc<[u8]>>,
    sent: usize,
    /// By id, from 1.
    exchanges: Vec<Exchange>,
    /// Whether anything went out on this connection, and whether anything came.
    has_sent: bool,
    has_heard: bool,
    /// Whether writing has to be waited for on this connection.
    pub(super) waits_to_write: bool,
    /// Whether there was ever a request for this place.
    pub(super) was_needed: bool,
    /// Whether any request ever got an answer here.
    pub(super) was_served: bool,
}

struct Exchange {
    since: Instant,
    answer: Answer,
}

/// What is left of a connection when all was read that has come.
pub(super) enum Turn {
    /// More may come.
    Waits,
    /// It has ended, and each of its requests was counted.
    Over,
}

impl Slot {
    pub(super) fn new(depth: usize, now: Instant) -> Slot {
        let exchange = || Exchange {
            since: now,
            answer: Answer::new(),
        };
        Slot {
            stream: None,
            connection: Connection::new(),
            outbox: VecDeque::new(),
            sent: 0,
            exchanges: std::iter::repeat_with(exchange).take(depth).collect(),
            has_sent: false,
            has_heard: false,
            waits_to_write: false,
            was_needed: false,
            was_served: false,
        }
    }

    /// Puts a new connection into the place.
    pub(super) fn open(&mut self, stream: Stream) -> RawFd {
        self.connection = Connection::new();
        self.outbox.clear();
        self.sent = 0;
        (self.has_sent, self.has_heard) = (false, false);
        self.waits_to_write = false;
        self.stream.insert(stream).as_raw_fd()
    }

    pub(super) fn fd(&self) -> Option<RawFd> {
        self.stream.as_ref().map(AsRawFd::as_raw_fd)
    }

    /// Requests on their way.
    pub(super) fn active(&self) -> usize {
        self.connection.active()
    }

    /// Whether the application has sent anything on this connection, or on the one before it if
    /// there is none now.
    pub(super) fn has_heard(&self) -> bool {
        self.has_heard
    }

    /// Queues one more request.
    pub(super) fn begin(&mut self, requests: &mut Requests, now: Instant) -> io::Result<()> {
        let (id, bytes) = requests
            .begin(&mut self.connection)
            .map_err(io::Error::other)?;
        if let Some(exchange) = exchange(&mut self.exchanges, id) {
            exchange.since = now;
            exchange.answer.clear();
        }
        self.outbox.push_back(bytes);
        Ok(())
    }

    /// Sends what the application takes; whether that was all.
    pub(super) fn flush(&mut self, tally: &mut Tally) -> io::Result<bool> {
        while let (Some(stream), Some(first)) = (&mut self.stream, self.outbox.front()) {
            let written = if self.outbox.len() == 1 {
                stream.write(&first[self.sent..])
            } else {
                let mut pieces = [IoSlice::new(&[]); PIECES];
                let mut count = 0;
                for (piece, request) in pieces.iter_mut().zip(&self.outbox) {
                    *piece = IoSlice::new(request);
                    count += 1;
                }
                pieces[0] = IoSlice::new(&first[self.sent..]);
                stream.write_vectored(&pieces[..count])
            };
            match written {
                Ok(length) => {
                    tally.sent(length);
                    self.has_sent = true;
                    self.advance(length);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    fn advance(&mut self, length: usize) {
        self.sent += length;
        while let Some(first) = self.outbox.front() {
            if self.sent < first.len() {
                return;
            }
            self.sent -= first.len();
            self.outbox.pop_front();
        }
    }

    /// Reads all that has come. `to_end`: a short read does not mean that nothing is left, since
    /// the end of the connection may lie behind it.
    pub(super) fn receive(
        &mut self,
        buffer: &mut [u8],
        to_end: bool,
        expected: &mut Expected,
        tally: &mut Tally,
    ) -> Turn {
        loop {
            let Some(stream) = &mut self.stream else {
                return Turn::Over;
            };
            match stream.read(buffer) {
                Ok(0) => {
                    self.hang_up(expected, tally);
                    return Turn::Over;
                }
                Ok(length) => {
                    tally.received(length);
                    self.has_heard = true;
                    if self.take(&buffer[..length], expected, tally).is_err() {
                        self.lose(Failure::Protocol, tally);
                        return Turn::Over;
                    }
                    if !tally.keeps() && self.active() == 0 {
                        self.stream = None;
                        return Turn::Over;
                    }
                    if length < buffer.len() && !to_end {
                        return Turn::Waits;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Turn::Waits,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.note(&error, tally);
                    self.lose_connection(tally);
                    return Turn::Over;
                }
            }
        }
    }

    fn take(
        &mut self,
        mut input: &[u8],
        expected: &mut Expected,
        tally: &mut Tally,
    ) -> Result<(), fcgi_core::Error> {
        while let Some(event) = self.connection.receive(&mut input)? {
            match event {
                Event::Stdout { id, bytes } => {
                    if let Some(exchange) = exchange(&mut self.exchanges, id) {
                        exchange.answer.stdout(bytes, expected);
                    }
                }
                Event::End {
                    id,
                    app_status,
                    protocol_status,
                } => {
                    if let Some(exchange) = exchange(&mut self.exchanges, id) {
                        let result = exchange.answer.end(app_status, protocol_status, expected);
                        tally.ended(result, exchange.since);
                        self.was_served = true;
                    }
                }
                Event::StdoutEnd { .. }
                | Event::Stderr { .. }
                | Event::StderrEnd { .. }
                | Event::Values(_)
                | Event::UnknownType { .. } => {}
            }
        }
        Ok(())
    }

    /// The application has closed the connection: fair to a request for which it was not to be
    /// kept, if its STDOUT had ended (§3.5).
    fn hang_up(&mut self, expected: &Expected, tally: &mut Tally) {
        let complete = |id: &RequestId| self.connection.closed(*id) == Some(Closed::Complete);
        let complete = self.connection.ids().find(complete);
        if let Some(exchange) = complete.and_then(|id| exchange(&mut self.exchanges, id)) {
            // Only the single request of a connection that is not kept can be complete.
            let status = ProtocolStatus::REQUEST_COMPLETE;
            let result = exchange.answer.end(0, status, expected);
            tally.ended(result, exchange.since);
            self.was_served = true;
            self.stream = None;
            return;
        }
        self.lose_connection(tally);
    }

    fn came_about(&self) -> bool {
        self.has_sent || self.has_heard
    }

    /// Keeps what the system says of a connection that never came about.
    pub(super) fn note(&self, error: &io::Error, tally: &mut Tally) {
        if !self.came_about() {
            tally.not_connected(error);
        }
    }

    /// The connection has failed, or never came about.
    pub(super) fn lose_connection(&mut self, tally: &mut Tally) {
        let failure = if self.came_about() {
            Failure::Closed
        } else {
            Failure::Connect
        };
        self.lose(failure, tally);
    }

    /// Gives the connection up; all its requests fail.
    fn lose(&mut self, failure: Failure, tally: &mut Tally) {
        if self.stream.take().is_none() {
            return;
        }
        for id in self.connection.ids() {
            if let Some(exchange) = exchange(&mut self.exchanges, id) {
                tally.ended(Err(failure), exchange.since);
            }
        }
        self.connection = Connection::new();
    }
}

fn exchange(exchanges: &mut [Exchange], id: RequestId) -> Option<&mut Exchange> {
    // Ids begin at 1.
    exchanges.get_mut(usize::from(id.get()) - 1)
}
