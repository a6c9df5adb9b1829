//! One connection's turn: read, parse, serve, write, and decide what it waits for.

use std::io::{self, Read};
use std::mem;

use crate::Incident;
use crate::connection::{Active, Conn, Phase};
use crate::io_state::Io;
use crate::requests::Stage;
use crate::service::{Abort, Service, Task};

/// So often a connection may read or fill its socket before it goes to the back of the queue.
const BUDGET: usize = 4;

/// A short read means that nothing else is waiting where the event queue promises another event for
/// everything that comes later.
const SHORT_READ_DRAINS: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// Everything that one connection's work may touch.
pub(crate) struct Turn<'a, S: Service> {
    pub(crate) service: &'a mut S,
    pub(crate) io: &'a mut Io<S::Task>,
    pub(crate) conn: &'a mut Conn<S::Task>,
    /// What a busy connection has; it is in its place whenever the turn is not running.
    pub(crate) active: Box<Active<S::Task>>,
}

impl<'a, S: Service> Turn<'a, S> {
    /// Begins a turn: the connection gets what it needs while it is busy.
    pub(crate) fn new(
        service: &'a mut S,
        io: &'a mut Io<S::Task>,
        conn: &'a mut Conn<S::Task>,
    ) -> Turn<'a, S> {
        let active = conn.active.take().unwrap_or_else(|| io.take_active());
        Turn {
            service,
            io,
            conn,
            active,
        }
    }

    /// Does what can be done without waiting, within the budget. `false` when the connection is
    /// over.
    pub(crate) fn run(mut self, buffer: &mut [u8]) -> bool {
        if self.is_deserted() {
            self.conn.phase = Phase::Broken;
        }
        for _ in 0..BUDGET {
            let more_input = match self.conn.phase {
                Phase::Open => self.input(buffer),
                Phase::Draining => self.drain(buffer),
                Phase::Closing | Phase::Broken => false,
            };
            let more_output = self.pump();
            if self.conn.phase == Phase::Broken || !(more_input || more_output) {
                break;
            }
        }
        self.settle()
    }

    /// Whether the peer has gone and nothing that it sent is left to be served: a hang-up has to
    /// reach those that still work for it.
    fn is_deserted(&self) -> bool {
        let is_held = self.conn.is_held && self.next_must_wait();
        self.conn.is_hung_up && (self.conn.is_ended || is_held)
    }

    /// Takes in what there is, one buffer of it; whether there may be more.
    fn input(&mut self, buffer: &mut [u8]) -> bool {
        if self.active.is_congested() {
            return false;
        }
        if !self.active.rest.is_empty() {
            return self.parse_rest();
        }
        if !self.conn.is_readable || self.conn.is_ended {
            return false;
        }
        match self.read(buffer) {
            Ok(0) => {
                self.input_ended();
                false
            }
            Ok(count) => {
                let slice = &buffer[..count];
                let used = self.parse(slice);
                self.active.rest.extend_from_slice(&slice[used..]);
                self.conn.is_readable
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.conn.is_readable = false;
                false
            }
            Err(_) => {
                self.conn.phase = Phase::Broken;
                false
            }
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match (&self.conn.stream).read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(count) => {
                    self.io.shared.cells.bytes_in.add(count as u64);
                    let drained = SHORT_READ_DRAINS && count < buffer.len() && count > 0;
                    if drained && !self.conn.is_ending {
                        self.conn.is_readable = false;
                    }
                    return Ok(count);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Goes on where parsing stopped; whether it came further.
    fn parse_rest(&mut self) -> bool {
        let mut rest = mem::take(&mut self.active.rest);
        let used = self.parse(&rest);
        rest.drain(..used);
        self.active.rest = rest;
        used > 0
    }

    /// Parses as much as may be served now; how many bytes that was.
    fn parse(&mut self, slice: &[u8]) -> usize {
        let mut rest = slice;
        while !rest.is_empty() && self.conn.phase == Phase::Open && !self.active.is_congested() {
            if !self.step(slice, &mut rest) || self.conn.machine.should_close() {
                break;
            }
        }
        for request in &mut *self.active.requests {
            for piece in [&mut request.params, &mut request.body, &mut request.data] {
                piece.keep(slice, &mut self.io.buffers);
            }
        }
        self.conn.is_held = !rest.is_empty() && !self.active.is_congested();
        slice.len() - rest.len()
    }

    /// Acts on a whole request or on the next event; `false` when there is none.
    fn step(&mut self, slice: &[u8], rest: &mut &[u8]) -> bool {
        if self.active.requests.len() < self.io.settings.multiplex {
            if let Some(whole) = self.conn.machine.receive_whole(rest) {
                self.whole(whole);
                return true;
            }
        }
        let event = if self.next_must_wait() {
            self.conn.machine.receive_before_begin(rest)
        } else {
            self.conn.machine.receive(rest)
        };
        match event {
            Ok(Some(event)) => {
                self.event(event, slice, slice.len() - rest.len());
                true
            }
            Ok(None) => false,
            Err(error) => {
                self.io.shared.cells.protocol_errors.add(1);
                let peer = self.conn.peer;
                self.io.report(&Incident::Protocol { peer, error });
                self.abort_all(Abort::Disconnected);
                self.conn.phase = Phase::Closing;
                self.conn.is_clean = false;
                *rest = &[];
                false
            }
        }
    }

    /// Whether another request has to wait: there is no room for it, and those that run need no
    /// more input, which would be behind it.
    pub(crate) fn next_must_wait(&self) -> bool {
        let requests = &self.active.requests;
        requests.len() >= self.io.settings.multiplex
            && requests
                .iter()
                .all(|request| self.conn.machine.is_input_done(request.id))
    }

    /// The web server has closed its side. Requests whose input is whole go on: it may still read.
    fn input_ended(&mut self) {
        self.conn.is_ended = true;
        self.conn.is_readable = false;
        let mut at = 0;
        while let Some(request) = self.active.requests.get(at) {
            if self.conn.machine.is_input_done(request.id) {
                at += 1;
            } else {
                self.end(at, 1, Some(Abort::Incomplete));
            }
        }
        if self.conn.is_hung_up {
            self.conn.phase = Phase::Broken;
        }
    }

    /// Throws input away until the peer closes, up to the limit.
    fn drain(&mut self, buffer: &mut [u8]) -> bool {
        if !self.conn.is_readable || self.conn.drain_left == 0 {
            return false;
        }
        match self.read(buffer) {
            Ok(0) => self.conn.phase = Phase::Broken,
            Ok(count) => self.conn.drain_left = self.conn.drain_left.saturating_sub(count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.conn.is_readable = false;
            }
            Err(_) => self.conn.phase = Phase::Broken,
        }
        self.conn.is_readable && self.conn.phase == Phase::Draining
    }

    /// Ends every request without an answer.
    #[cold]
    pub(crate) fn abort_all(&mut self, why: Abort) {
        while let Some(request) = self.active.requests.last() {
            // Nobody reads it; the core has to know that the request is over.
            let _ = self.conn.machine.end(request.id, 1);
            self.dispose(self.active.requests.len() - 1, Some(why));
        }
    }

    /// Takes a request out, and tells who works on it.
    #[inline(always)] // It is a step of every small request.
    pub(crate) fn dispose(&mut self, at: usize, aborted: Option<Abort>) {
        let cells = &self.io.shared.cells;
        cells.ended.add(1);
        let request = &mut self.active.requests[at];
        if let Some(ticket) = request.out.ticket {
            self.io.shared.forget(ticket);
        }
        if let Some(why) = aborted {
            cells.aborted.add(1);
            if let Stage::Task { task, .. } = &mut request.stage {
                // The request is over: nobody is to be told more than the operator.
                let _ = self.io.guard(request.id, || {
                    task.abort(why);
                    Ok(())
                });
            }
        }
        self.io.running -= usize::from(mem::take(&mut request.is_counted));
        if request.has_code() {
            self.drop_code(at);
        }
        self.active.requests[at].clear(|buffer| self.io.give_back(buffer));
        self.active.requests.remove(at);
    }

    /// Drops what the application has made for a request, which is a call of its code as well.
    #[cold]
    pub(crate) fn drop_code(&mut self, at: usize) {
        let request = &mut self.active.requests[at];
        let stage = mem::replace(&mut request.stage, Stage::Answered);
        let body = request.out.body.take();
        // The request is over, or ends by other means.
        let _ = self.io.guard(request.id, || {
            drop(stage);
            Ok(())
        });
        let _ = self.io.guard(request.id, || {
            drop(body);
            Ok(())
        });
    }
}
