//! From the outbox, and from bodies where they lie, to the socket.

use std::io::{self, IoSlice, Write};

use crate::body::{Body, Chunk, Source};
use crate::call::{Draft, leave_room};
use crate::connection::{Active, Phase};
use crate::gather::{GATHER, Progress, gather};
use crate::requests::Stage;
use crate::response::HIGH;
use crate::service::{Service, Task};
use crate::settings::REQUESTS;
use crate::turn::Turn;

/// A producer is asked for so many bytes at a time.
const CHUNK: usize = 32 * 1024;

/// So often a connection may write before others have their turn.
const WRITES: usize = 4;

impl<S: Service> Turn<'_, S> {
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
