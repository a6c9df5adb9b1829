//! From what the application answers to bytes on their way.

use std::io::{self, IoSlice, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use fcgi_core::cgi::{Status, error_response};
use fcgi_core::{Record, RequestId};

use crate::Incident;
use crate::body::{Body, Chunk, Source};
use crate::connection::{Active, Phase, Stage};
use crate::deferred::{Completion, Place};
use crate::gather::{GATHER, gather};
use crate::io_state::Io;
use crate::response::{HIGH, Out, Response};
use crate::service::{Service, Task};
use crate::settings::REQUESTS;
use crate::turn::Turn;

/// A producer is asked for so many bytes at a time.
const CHUNK: usize = 32 * 1024;

/// So often a connection may write before others have their turn.
const WRITES: usize = 4;

impl<T> Io<T> {
    /// Runs code of the application; whether it returned without an error.
    pub(crate) fn guard(&self, id: RequestId, code: impl FnOnce() -> io::Result<()>) -> bool {
        let incident = match catch_unwind(AssertUnwindSafe(code)) {
            Ok(Ok(())) => return true,
            Ok(Err(error)) => Incident::HandlerFailed { id, error },
            Err(panic) => {
                let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
                let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
                let message = text.unwrap_or_else(|| "a value that is no text".to_owned());
                Incident::HandlerPanicked { id, message }
            }
        };
        self.shared.cells.failed.add(1);
        self.report(&incident);
        false
    }

    /// Calls a handler with a response that collects in `content` and `errors`.
    pub(crate) fn call(
        &mut self,
        id: RequestId,
        place: Place,
        out: &mut Out,
        handler: impl FnOnce(&mut Response<'_>) -> io::Result<()>,
    ) -> bool {
        let mut content = std::mem::take(&mut self.content);
        let mut errors = std::mem::take(&mut self.errors);
        content.clear();
        errors.clear();
        let went_well = self.guard(id, || {
            let mut response = Response {
                out,
                content: &mut content,
                errors: &mut errors,
                shared: &self.shared,
                place,
            };
            handler(&mut response)
        });
        (self.content, self.errors) = (content, errors);
        went_well
    }
}

impl<S: Service> Turn<'_, S> {
    /// Calls a task; whether it is asked for output afterwards unless it has written something.
    pub(crate) fn call_task(
        &mut self,
        at: usize,
        ask_again: bool,
        call: impl FnOnce(&mut S::Task, &mut Response<'_>) -> io::Result<()>,
    ) {
        let request = &mut self.active.requests[at];
        let out = &mut request.out;
        let Stage::Task { task, wants_room } = &mut request.stage else {
            return;
        };
        let place = self.conn.place;
        let went_well = self.io.call(request.id, place, out, |response| {
            call(task, response)?;
            if response.out.ended {
                response.finish()?;
            }
            Ok(())
        });
        *wants_room = ask_again || !self.io.content.is_empty() || out.body.is_some();
        self.after_call(at, went_well);
    }

    /// Puts on its way what a handler has written; ends the request if it is complete or failed.
    pub(crate) fn after_call(&mut self, at: usize, went_well: bool) {
        let id = self.active.requests[at].id;
        let errors = std::mem::take(&mut self.io.errors);
        let mut rest = &errors[..];
        while let Ok(Some(record)) = self.conn.machine.stderr(id, &mut rest) {
            push(&mut self.active.outbox, &record);
        }
        self.io.errors = errors;
        if !went_well {
            self.fail(at);
            return;
        }
        let content = std::mem::take(&mut self.io.content);
        if !content.is_empty() {
            self.active.requests[at].out.sent = true;
            self.send_stdout(id, &content);
        }
        self.io.content = content;
        let out = &self.active.requests[at].out;
        if out.ended && out.body.is_none() {
            self.finish(at, out.app_status);
        }
    }

    /// A handler, task or producer has failed.
    fn fail(&mut self, at: usize) {
        let request = self.active.requests.swap_remove(at);
        if !request.out.sent {
            self.send_stdout(request.id, error_response(Status::INTERNAL_SERVER_ERROR));
        }
        self.send_end(request.id, 1);
        self.dispose(request, None);
    }

    /// A request is answered.
    fn finish(&mut self, at: usize, app_status: u32) {
        let request = self.active.requests.swap_remove(at);
        self.send_end(request.id, app_status);
        self.dispose(request, None);
    }

    pub(crate) fn send_stdout(&mut self, id: RequestId, mut bytes: &[u8]) {
        // An error would mean that the request is over, and then nothing is owed to anybody.
        while let Ok(Some(record)) = self.conn.machine.stdout(id, &mut bytes) {
            push(&mut self.active.outbox, &record);
        }
    }

    pub(crate) fn send_end(&mut self, id: RequestId, app_status: u32) {
        self.conn.is_clean = self.conn.machine.is_input_done(id);
        if let Ok(end) = self.conn.machine.end(id, app_status) {
            self.active.outbox.extend_from_slice(&end);
        }
    }

    /// Takes over what another thread has completed.
    pub(crate) fn complete(&mut self, completion: Completion) {
        let requests = &mut self.active.requests;
        let ticket = Some(completion.ticket);
        let Some(at) = requests.iter().position(|r| r.out.ticket == ticket) else {
            return;
        };
        let request = &mut requests[at];
        let (id, place) = (request.id, self.conn.place);
        request.stage = Stage::Answered;
        let out = &mut request.out;
        out.ticket = None;
        out.head = completion.head;
        out.app_status = completion.app_status;
        out.ended = true;
        let went_well = self.io.call(id, place, out, |response| {
            let body = completion
                .body
                .ok_or_else(|| io::Error::other("the deferred request was dropped"))?;
            response.out.attach(body, response.content)?;
            response.finish()
        });
        self.after_call(at, went_well);
    }

    /// Writes what there is to write, as far as the budget goes; whether there is more that could
    /// be written now.
    pub(crate) fn pump(&mut self) -> bool {
        let mut has_output = self.active.has_output();
        if self.active.waiting() == 0 && !has_output {
            return false;
        }
        if matches!(self.conn.phase, Phase::Draining | Phase::Broken) {
            return false;
        }
        for _ in 0..WRITES {
            if has_output {
                self.fill();
            }
            if !self.conn.is_writable {
                return false;
            }
            if self.active.waiting() == 0 && !self.active.has_output() {
                // A task had nothing to say.
                return false;
            }
            match self.write() {
                Ok(true) => {}
                Ok(false) => return false,
                Err(_) => {
                    self.conn.phase = Phase::Broken;
                    return false;
                }
            }
            has_output = self.active.has_output();
            if self.active.waiting() == 0 && !has_output {
                return self.conn.is_paused || !self.active.rest.is_empty();
            }
        }
        true
    }

    /// Has tasks and producers fill the outbox, in turn.
    fn fill(&mut self) {
        let mut idle_in_a_row = 0;
        while self.active.waiting() < HIGH && idle_in_a_row < self.active.requests.len() {
            self.active.next = (self.active.next + 1) % self.active.requests.len();
            let at = self.active.next;
            let before = self.active.outbox.len();
            let request = &self.active.requests[at];
            if request.out.has_producer() {
                self.produce(at);
            } else if request.out.body.is_none() && request.has_output() {
                self.call_task(at, false, Task::output);
            }
            if self.active.outbox.len() == before {
                idle_in_a_row += 1;
            } else {
                idle_in_a_row = 0;
            }
        }
    }

    fn produce(&mut self, at: usize) {
        let request = &mut self.active.requests[at];
        let mut content = std::mem::take(&mut self.io.content);
        content.clear();
        let mut is_done = false;
        let out = &mut request.out;
        let went_well = self.io.guard(request.id, || {
            if let Some(Body(Source::Producer(producer))) = &mut out.body {
                is_done = !producer.produce(&mut Chunk::new(&mut content, CHUNK))?;
            }
            if content.is_empty() && !is_done {
                return Err(io::Error::other(
                    "a producer made nothing and has not ended",
                ));
            }
            out.admit(content.len())?;
            if is_done {
                out.body = None;
            }
            if is_done && out.ended {
                out.check_length()?;
            }
            Ok(())
        });
        self.io.content = content;
        self.after_call(at, went_well);
    }

    /// One write: the outbox, and behind it bodies from where they lie. `true` if everything went
    /// out.
    fn write(&mut self) -> io::Result<bool> {
        let Active {
            requests,
            outbox,
            sent,
            spill,
            next,
            ..
        } = &mut *self.active;
        let waiting = &outbox[*sent..];
        let has_room = waiting.len() <= HIGH;
        let gathered = gather(requests, *next, has_room, &mut self.conn.machine);
        let mut stream = &self.conn.stream;
        let mut total = waiting.len();
        let result = if gathered.count == 0 {
            retry(|| stream.write(waiting))
        } else {
            let mut slices = [IoSlice::new(&[]); 1 + 4 * GATHER];
            slices[0] = IoSlice::new(waiting);
            for (slice, part) in slices[1..].iter_mut().zip(gathered.parts()) {
                total += part.len();
                *slice = IoSlice::new(part);
            }
            retry(|| stream.write_vectored(&slices))
        };
        let written = match result {
            Ok(written) => written,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        let mut beyond = written.saturating_sub(waiting.len());
        for part in gathered.parts() {
            let gone = beyond.min(part.len());
            beyond -= gone;
            spill.extend_from_slice(&part[gone..]);
        }
        *sent += written.min(waiting.len());
        if *sent == outbox.len() {
            outbox.clear();
            *sent = 0;
        }
        outbox.append(spill);
        let (taken, finished) = (gathered.taken, gathered.finished);
        if gathered.count > 0 {
            self.after_gather(taken, finished);
        }
        self.io.shared.cells.bytes_out.add(written as u64);
        if written == total {
            self.active.blocked_since = None;
            return Ok(true);
        }
        // A socket that takes less than all has no room.
        self.conn.is_writable = false;
        if written > 0 || self.active.blocked_since.is_none() {
            self.active.blocked_since = Some(self.io.now);
        }
        Ok(false)
    }

    /// Notes how far bodies have come.
    fn after_gather(&mut self, taken: [usize; REQUESTS], finished: [bool; REQUESTS]) {
        for at in (0..self.active.requests.len().min(REQUESTS)).rev() {
            if taken[at] == 0 {
                continue;
            }
            let request = &mut self.active.requests[at];
            request.out.sent = true;
            request.out.body_at += taken[at];
            if request.out.body_bytes().is_empty() {
                request.out.body = None;
                if let Stage::Task { wants_room, .. } = &mut request.stage {
                    *wants_room = true;
                }
            }
            if finished[at] {
                let request = self.active.requests.swap_remove(at);
                self.dispose(request, None);
            }
        }
    }
}

fn push(outbox: &mut Vec<u8>, record: &Record<'_>) {
    for part in record.parts() {
        outbox.extend_from_slice(part);
    }
}

fn retry(mut write: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match write() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            result => return result,
        }
    }
}
