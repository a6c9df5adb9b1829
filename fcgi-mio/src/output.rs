//! From what the application answers to bytes on their way.

use std::io::{self, IoSlice, Write};

use fcgi_core::cgi::{Status, error_response};
use fcgi_core::{MAX_CONTENT, Record, RequestId};

use crate::body::{Body, Chunk, Source};
use crate::call::{Draft, discard, leave_room};
use crate::connection::{Active, Phase};
use crate::deferred::Completion;
use crate::gather::{GATHER, Progress, gather};
use crate::requests::Stage;
use crate::response::{HIGH, Response};
use crate::service::{Abort, Service, Task};
use crate::settings::REQUESTS;
use crate::turn::Turn;

/// A producer is asked for so many bytes at a time.
const CHUNK: usize = 32 * 1024;

/// So often a connection may write before others have their turn.
const WRITES: usize = 4;

impl<S: Service> Turn<'_, S> {
    /// Calls a task; whether it is asked for output afterwards unless it has written something.
    pub(crate) fn call_task(
        &mut self,
        at: usize,
        ask_again: bool,
        call: impl FnOnce(&mut S::Task, &mut Response<'_>) -> io::Result<()>,
    ) {
        let Active {
            requests, outbox, ..
        } = &mut *self.active;
        let request = &mut requests[at];
        let out = &mut request.out;
        let Stage::Task { task, wants_room } = &mut request.stage else {
            return;
        };
        if out.ended {
            // Its last body is on its way.
            return;
        }
        let before = out.written();
        let place = self.conn.place;
        let draft = self.io.call(request.id, place, out, outbox, |response| {
            call(task, response)?;
            if response.out.ended {
                response.finish()?;
            }
            Ok(())
        });
        // What HEAD swallows counts as written, or the task would never come to its end.
        let has_written = outbox.len() > draft.start + Record::HEADER_LEN || out.written() > before;
        *wants_room = out.ticket.is_none() && (ask_again || has_written || out.body.is_some());
        self.after_call(at, draft);
    }

    /// Puts on its way what a handler has written; ends the request if it is complete or failed.
    pub(crate) fn after_call(&mut self, at: usize, draft: Draft) {
        if draft.result.is_ok() {
            self.seal(at, draft.start);
        } else {
            self.active.outbox.truncate(draft.start);
        }
        if !self.io.errors.is_empty() {
            self.send_errors(at);
        }
        let out = &self.active.requests[at].out;
        if let Err(status) = draft.result {
            self.fail(at, status);
        } else if out.ended && out.body.is_none() {
            self.end(at, out.app_status, None);
        }
    }

    /// Makes a record of what lies at the end of the outbox.
    fn seal(&mut self, at: usize, start: usize) {
        let Active {
            requests, outbox, ..
        } = &mut *self.active;
        let request = &mut requests[at];
        let mut content = &outbox[start + Record::HEADER_LEN..];
        if content.is_empty() {
            outbox.truncate(start);
            return;
        }
        request.out.sent = true;
        if content.len() > MAX_CONTENT {
            // A head can be as long as its fields are.
            let content = content.to_vec();
            outbox.truncate(start);
            let id = request.id;
            return self.send_stdout(id, &content);
        }
        if let Ok(Some(record)) = self.conn.machine.stdout(request.id, &mut content) {
            let (header, padding) = (record.header(), record.padding());
            outbox[start..start + header.len()].copy_from_slice(&header);
            outbox.extend_from_slice(padding);
        } else {
            // The request is over, and then nothing is owed to anybody.
            outbox.truncate(start);
        }
    }

    /// Sends what a handler has written to STDERR.
    #[cold]
    fn send_errors(&mut self, at: usize) {
        let id = self.active.requests[at].id;
        let mut rest = &self.io.errors[..];
        while let Ok(Some(record)) = self.conn.machine.stderr(id, &mut rest) {
            push(&mut self.active.outbox, &record);
        }
        self.io.errors.clear();
    }

    /// A handler, task or producer has failed.
    #[cold]
    fn fail(&mut self, at: usize, status: Status) {
        let out = &self.active.requests[at].out;
        if !out.open {
            // A Filter's client is told when STDIN has ended.
            self.drop_code(at);
            self.active.requests[at].stage = Stage::Refused {
                status,
                app_status: 1,
            };
            return;
        }
        if !out.sent {
            let id = self.active.requests[at].id;
            self.send_stdout(id, error_response(status));
        }
        self.end(at, 1, None);
    }

    /// Ends a request, with its answer complete or not.
    #[inline(always)] // It is a step of every small request.
    pub(crate) fn end(&mut self, at: usize, app_status: u32, aborted: Option<Abort>) {
        let id = self.active.requests[at].id;
        self.conn.is_clean &= self.conn.machine.is_input_done(id);
        if let Ok(end) = self.conn.machine.end(id, app_status) {
            self.active.outbox.extend_from_slice(&end);
        }
        self.dispose(at, aborted);
    }

    pub(crate) fn send_stdout(&mut self, id: RequestId, mut bytes: &[u8]) {
        // An error would mean that the request is over, and then nothing is owed to anybody.
        while let Ok(Some(record)) = self.conn.machine.stdout(id, &mut bytes) {
            push(&mut self.active.outbox, &record);
        }
    }

    /// Takes over what another thread has completed.
    pub(crate) fn complete(&mut self, completion: Completion) {
        let ticket = Some(completion.ticket);
        let mut requests = self.active.requests.iter();
        let Some(at) = requests.position(|request| request.out.ticket == ticket) else {
            return discard(completion);
        };
        self.drop_code(at);
        let Active {
            requests, outbox, ..
        } = &mut *self.active;
        let request = &mut requests[at];
        let (id, place) = (request.id, self.conn.place);
        let out = &mut request.out;
        out.ticket = None;
        out.head = completion.head;
        out.app_status = completion.app_status;
        out.ended = true;
        let draft = self.io.call(id, place, out, outbox, |response| {
            let body = completion
                .body
                .ok_or_else(|| io::Error::other("the deferred request was dropped"))?;
            response.out.attach(body, response.outbox, response.start)?;
            response.finish()
        });
        self.after_call(at, draft);
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
            if self.active.waiting() == 0 && !self.active.has_bodies() {
                // A task had nothing to say, or nothing that HEAD would let through.
                return self.active.has_output();
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

    /// Has tasks and producers fill the outbox, in turn, until it is the turn of a body in memory,
    /// which is written from where it lies.
    fn fill(&mut self) {
        let mut idle_in_a_row = 0;
        while self.active.waiting() < HIGH && idle_in_a_row < self.active.requests.len() {
            let at = self.active.next % self.active.requests.len();
            let before = self.active.outbox.len();
            let request = &self.active.requests[at];
            if request.out.has_producer() {
                self.produce(at);
            } else if request.out.body.is_some() {
                return;
            } else if request.has_output() {
                self.call_task(at, false, Task::output);
            }
            self.active.next = at + 1;
            if self.active.outbox.len() == before {
                idle_in_a_row += 1;
            } else {
                idle_in_a_row = 0;
            }
        }
    }

    fn produce(&mut self, at: usize) {
        let Active {
            requests, outbox, ..
        } = &mut *self.active;
        let request = &mut requests[at];
        let start = leave_room(outbox);
        let mut is_done = false;
        let out = &mut request.out;
        let result = self.io.guard(request.id, || {
            let before = outbox.len();
            if let Some(Body(Source::Producer(producer))) = &mut out.body {
                is_done = !producer.produce(&mut Chunk::new(outbox, CHUNK))?;
            }
            let made = outbox.len() - before;
            if made == 0 && !is_done {
                return Err(io::Error::other(
                    "a producer made nothing and has not ended",
                ));
            }
            out.admit(made)?;
            if is_done {
                out.body = None;
            }
            if is_done && out.ended {
                out.check_length()?;
            }
            Ok(())
        });
        self.after_call(at, Draft { start, result });
    }

    /// One write: the outbox, and behind it bodies from where they lie. `true` if everything went
    /// out.
    fn write(&mut self) -> io::Result<bool> {
        let has_bodies = self.active.has_bodies();
        let Active {
            requests,
            outbox,
            sent,
            spill,
            next,
            ..
        } = &mut *self.active;
        let waiting = &outbox[*sent..];
        let mut stream = &self.conn.stream;
        let mut all_is_gone = true;
        let written;
        if waiting.len() <= HIGH && has_bodies {
            let mut gathered = gather(requests, *next, &mut self.conn.machine);
            let mut slices = [IoSlice::new(&[]); 1 + 4 * GATHER];
            slices[0] = IoSlice::new(waiting);
            for (slice, part) in slices[1..].iter_mut().zip(gathered.parts()) {
                *slice = IoSlice::new(part);
            }
            written = retry(|| stream.write_vectored(&slices))?;
            all_is_gone = gathered.went_out(written.saturating_sub(waiting.len()), spill);
            *next = gathered.next;
            let progress = gathered.progress;
            self.after_gather(&progress);
        } else {
            written = retry(|| stream.write(waiting))?;
        }
        all_is_gone &= self.take_off(written);
        self.io.shared.cells.bytes_out.add(written as u64);
        let blocked_since = &mut self.active.blocked_since;
        if all_is_gone {
            if blocked_since.take().is_some() {
                self.forgive();
            }
            return Ok(true);
        }
        // A socket that takes less than all has no room.
        self.conn.is_writable = false;
        if written > 0 || blocked_since.is_none() {
            *blocked_since = Some(self.io.now);
        }
        Ok(false)
    }

    /// Takes what was written off the outbox, and puts into it what a write has left of bodies;
    /// whether nothing else waited there.
    #[inline]
    fn take_off(&mut self, written: usize) -> bool {
        let Active {
            outbox,
            sent,
            spill,
            ..
        } = &mut *self.active;
        *sent += written.min(outbox.len() - *sent);
        let is_empty = *sent == outbox.len();
        if is_empty {
            outbox.clear();
            *sent = 0;
        } else if *sent >= HIGH {
            // With a slow reader it may never be empty.
            outbox.drain(..*sent);
            *sent = 0;
        }
        if !spill.is_empty() {
            outbox.append(spill);
        }
        is_empty
    }

    /// The web server has taken everything: while it did not, it was not waited for. Parameters
    /// count unless nothing was read at all.
    #[cold]
    fn forgive(&mut self) {
        for request in &mut *self.active.requests {
            if self.conn.is_paused || !request.waits_for_params() {
                request.since = self.io.now;
            }
        }
    }

    /// Notes how far bodies have come.
    fn after_gather(&mut self, progress: &[Progress; REQUESTS]) {
        for at in (0..self.active.requests.len().min(REQUESTS)).rev() {
            let Progress {
                taken,
                is_over,
                is_early,
            } = progress[at];
            if taken == 0 {
                continue;
            }
            let request = &mut self.active.requests[at];
            request.out.sent = true;
            request.out.body_at += taken;
            if request.out.body_bytes().is_empty() {
                request.out.body = None;
                if let Stage::Task { wants_room, .. } = &mut request.stage {
                    *wants_room = true;
                }
            }
            if is_over {
                self.conn.is_clean &= !is_early;
                self.dispose(at, None);
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
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            result => return result,
        }
    }
}
