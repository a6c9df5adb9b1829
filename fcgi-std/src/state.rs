//! What is known of one connection, and what can be done for its running request without waiting.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use fcgi_core::application::{Connection, Event};
use fcgi_core::{Error, RequestId, Role};
use fcgi_listen::Stream;

use crate::buffer::{Filled, Input, Outbox};
use crate::intake::Intake;
use crate::link::InputStream;
use crate::poller::Interest;
use crate::rules::Rules;

/// What is known of a connection.
pub(crate) struct State {
    pub(crate) machine: Connection<1>,
    pub(crate) input: Input,
    pub(crate) outbox: Outbox,
    pub(crate) intake: Intake,
    /// STDIN that was parsed before the handler asked for it.
    pub(crate) ahead: VecDeque<u8>,
    pub(crate) max_conns: u32,
    /// For what the poller knows the socket, if it does.
    pub(crate) registered: Option<Interest>,
    /// Bytes that came since the last request ended, or since the connection is drained, and that
    /// began no request.
    pub(crate) skipped: usize,
    /// Set while the connection is only drained before it is closed: until when.
    pub(crate) draining: Option<Instant>,
    /// Since when the web server has taken nothing of what waits for it, while no handler does.
    pub(crate) stalled: Option<Instant>,
    /// Whether nothing of the next request has come yet, the first or one after the last has ended.
    pub(crate) is_resting: bool,
    /// Whether the last request ended with all its input read and nothing else waiting.
    pub(crate) clean: bool,
    pub(crate) running: Option<RequestId>,
    pub(crate) held: InputStream,
    /// Whether a thread waits for input. Another one that writes meanwhile must leave that to it:
    /// what is read already wakes nobody.
    pub(crate) has_reader: bool,
    pub(crate) ended: Ended,
    /// Why nothing can be read or written any more.
    pub(crate) broken: Option<io::ErrorKind>,
    /// How the web server broke the protocol while a handler had the request.
    pub(crate) violation: Option<Error>,
    pub(crate) looked: Instant,
}

/// What has ended for the running request.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Ended {
    pub(crate) stdin: bool,
    pub(crate) data: bool,
    /// ABORT_REQUEST came.
    pub(crate) aborted: bool,
    /// The web server has closed its side.
    pub(crate) input: bool,
}

/// Where the next bytes of an input stream are.
pub(crate) enum Found {
    /// In `ahead`, or held in the input.
    Bytes,
    /// The stream has ended.
    End,
    /// Not there yet.
    Nothing,
    /// Behind what the web server has to read first.
    Blocked,
}

impl State {
    pub(crate) fn new(rules: &Rules) -> State {
        State {
            machine: Connection::new(),
            input: Input::default(),
            outbox: Outbox::default(),
            intake: Intake::new(rules.params),
            ahead: VecDeque::new(),
            max_conns: u32::try_from(rules.max_connections).unwrap_or(u32::MAX),
            registered: None,
            skipped: 0,
            draining: None,
            stalled: None,
            is_resting: true,
            clean: true,
            running: None,
            held: InputStream::Stdin,
            has_reader: false,
            ended: Ended::default(),
            broken: None,
            violation: None,
            looked: Instant::now(),
        }
    }

    /// A request is handed to a handler.
    pub(crate) fn start(&mut self, id: RequestId) {
        let done = self.machine.is_input_done(id);
        let input = self.ended.input;
        self.running = Some(id);
        // The body of a Filter may have been collected, and its DATA are still to come.
        let is_filter = self.machine.role(id) == Some(Role::Filter);
        self.ended = Ended {
            stdin: done || (is_filter && self.machine.may_answer(id)),
            data: done,
            aborted: false,
            input,
        };
        self.clean = true;
        self.looked = Instant::now();
    }

    /// The running request, unless it is of no use any more to go on with it.
    pub(crate) fn check(&self) -> io::Result<RequestId> {
        if let Some(kind) = self.broken {
            return Err(io::Error::new(
                kind,
                "the connection to the web server is broken",
            ));
        }
        if self.ended.aborted {
            return Err(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "the web server aborted the request (§5.4)",
            ));
        }
        self.running
            .ok_or_else(|| io::Error::other("the request is over"))
    }

    /// Remembers an error of the socket.
    pub(crate) fn note<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result {
            self.broken.get_or_insert(error.kind());
        }
        result
    }

    /// Whether the socket failed.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    /// Sends what waits, as far as it goes.
    pub(crate) fn flush(&mut self, stream: &Stream) -> io::Result<usize> {
        let flushed = self.outbox.flush(stream);
        self.note(flushed)
    }

    /// Reads once; `true` when there is something new to parse.
    pub(crate) fn fill(&mut self, stream: &Stream, most: usize) -> io::Result<bool> {
        let filled = self.input.fill(stream, most);
        match self.note(filled)? {
            Filled::Bytes { .. } => Ok(true),
            Filled::WouldBlock | Filled::Full => Ok(false),
            Filled::End => {
                self.ended.input = true;
                Ok(false)
            }
        }
    }

    /// Whether the web server will not have the rest of the answer.
    pub(crate) fn is_given_up(&self) -> bool {
        let cut = self.ended.input
            && self
                .running
                .is_some_and(|id| !self.machine.is_input_done(id));
        let gone = self.is_broken() && self.violation.is_none();
        self.ended.aborted || cut || gone
    }

    /// Finds input of `stream`.
    pub(crate) fn find(&mut self, stream: InputStream) -> io::Result<Found> {
        loop {
            self.check()?;
            if stream == InputStream::Data {
                // A Filter that goes on to its DATA gives up the rest of STDIN.
                self.ahead.clear();
            }
            if !self.ahead.is_empty() {
                return Ok(Found::Bytes);
            }
            if !self.input.held().is_empty() {
                if self.held == stream {
                    return Ok(Found::Bytes);
                }
                if stream == InputStream::Stdin {
                    // DATA come after the end of STDIN.
                    return Ok(Found::End);
                }
                self.input.release(self.input.held().len());
            }
            let ended = match stream {
                InputStream::Stdin => self.ended.stdin,
                InputStream::Data => self.ended.data,
            };
            if ended {
                return Ok(Found::End);
            }
            if self.outbox.len() > Outbox::FULL {
                return Ok(Found::Blocked);
            }
            if !self.parse()? {
                return Ok(Found::Nothing);
            }
        }
    }

    pub(crate) fn take(&mut self, take: &mut impl FnMut(&[u8]) -> usize) -> usize {
        let (ahead, _) = self.ahead.as_slices();
        if ahead.is_empty() {
            let taken = take(self.input.held());
            self.input.release(taken);
            return taken;
        }
        let taken = take(ahead);
        self.ahead.drain(..taken);
        taken
    }

    /// Parses up to the next thing that matters to the running request; `false` when that has to be
    /// read first.
    ///
    /// Once the input of the request is complete, nothing beyond the beginning of another request
    /// is parsed.
    pub(crate) fn parse(&mut self) -> io::Result<bool> {
        let State {
            machine,
            input,
            outbox,
            ..
        } = self;
        let done = self.running.is_none_or(|id| machine.is_input_done(id));
        let mut rest = input.unread();
        let event = match done {
            true => machine.receive_before_begin(&mut rest),
            false => machine.receive(&mut rest),
        };
        let left = rest.len();
        let mut held = 0;
        match event {
            Ok(Some(Event::Stdin { bytes, .. })) => {
                (self.held, held) = (InputStream::Stdin, bytes.len());
            }
            Ok(Some(Event::Data { bytes, .. })) => {
                (self.held, held) = (InputStream::Data, bytes.len());
            }
            Ok(Some(Event::StdinEnd { .. })) => self.ended.stdin = true,
            Ok(Some(Event::DataEnd { .. })) => self.ended.data = true,
            Ok(Some(Event::Abort { .. })) => self.ended.aborted = true,
            Ok(Some(Event::Reply(reply))) => {
                self.clean &= reply.ends().is_none();
                outbox.push(&reply.encode(self.max_conns, 1));
            }
            // No request begins while this one is active, and its parameters are complete.
            Ok(Some(Event::Begin { .. } | Event::Params { .. } | Event::ParamsEnd { .. })) => {}
            Ok(None) => {
                input.parsed(left, 0);
                return Ok(false);
            }
            Err(error) => {
                self.broken = Some(io::ErrorKind::InvalidData);
                self.violation.get_or_insert(error);
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
        }
        input.parsed(left, held);
        Ok(true)
    }

    /// Gives up what the handler has not read of the input that is here already.
    pub(crate) fn skip_buffered(&mut self) {
        self.ahead = VecDeque::new();
        self.input.release(self.input.held().len());
        // What follows the request does not concern its answer.
        while self
            .running
            .is_some_and(|id| !self.machine.is_input_done(id))
        {
            // An error is remembered in `broken`.
            if !self.parse().unwrap_or(false) {
                return;
            }
            self.input.release(self.input.held().len());
        }
    }

    /// Looks for ABORT_REQUEST and for questions, if nobody has for `every` long, without waiting
    /// and without losing input.
    pub(crate) fn look(&mut self, stream: &Stream, every: Duration) -> io::Result<()> {
        if self.looked.elapsed() < every {
            return Ok(());
        }
        self.looked = Instant::now();
        if !self.ended.input && !self.has_reader {
            self.fill(stream, Input::SIZE)?;
        }
        self.parse_on()?;
        self.flush(stream).map(drop)
    }

    /// Parses up to the next piece of input. What it answers may queue behind output that waits,
    /// within a bound.
    fn parse_on(&mut self) -> io::Result<()> {
        while self.input.held().is_empty() && self.outbox.len() <= Outbox::FULL && self.parse()? {}
        Ok(())
    }

    /// Reads what the web server sends while it does not read; whether to wait for more of it.
    pub(crate) fn read_ahead(&mut self, stream: &Stream, most: usize) -> io::Result<bool> {
        if self.ended.input {
            return Ok(false);
        }
        if self.has_reader {
            return self.check().map(|_| true);
        }
        let filled = self.input.fill(stream, most.max(Input::SIZE));
        match self.note(filled)? {
            Filled::Bytes { .. } => {
                // An abort ends the waiting.
                self.parse_on()?;
                self.check().map(|_| true)
            }
            Filled::WouldBlock => Ok(true),
            Filled::Full => Ok(false),
            Filled::End => {
                // Half-closed: the answer goes on until writing fails.
                self.ended.input = true;
                Ok(false)
            }
        }
    }
}
