//! From requests to bytes on their way.

use std::io::{self, IoSlice, Write};
use std::sync::Arc;

use fcgi_core::web_server::Connection;
use fcgi_core::{Record, RequestId, Role, SendError, params};

use super::REQUESTS;
use super::connection::Conn;
use super::failure::Cause;
use super::job::{Job, Source, Stage, guard};
use super::request::Input;
use super::turn::Turn;
use crate::body::{Body, Chunk, Source as BodySource};

/// Requests add to the outbox while less than this waits in it, in bytes.
const HIGH: usize = 64 * 1024;

/// A body up to this length goes through the outbox, so that a small request is one write.
const SMALL: usize = 8 * 1024;

/// A producer is asked for so many bytes at a time.
const CHUNK: usize = 32 * 1024;

/// So often a connection may write before others have their turn.
const WRITES: usize = 4;

/// The most records with borrowed bodies in one write, each of up to 64 KiB.
const GATHER: usize = 4;

impl Turn<'_> {
    /// Writes what there is to write, as far as the budget goes; whether there is more that could
    /// be written now.
    pub(super) fn pump(&mut self) -> bool {
        for _ in 0..WRITES {
            if !self.conn.is_connected() || self.conn.is_deaf {
                return false;
            }
            if self.conn.waiting() == 0 {
                self.conn.moved = self.io.now;
            }
            if let Err(error) = self.fill() {
                self.conn
                    .fail(Cause::Broken(Arc::new(io::Error::other(error))));
                return false;
            }
            let has_bodies = self.conn.jobs.iter().any(is_gathered);
            if !self.conn.is_writable || (self.conn.waiting() == 0 && !has_bodies) {
                return false;
            }
            match self.write() {
                Ok(true) => {}
                Ok(false) => return false,
                Err(_) => {
                    self.deafen();
                    return true;
                }
            }
        }
        true
    }

    /// Has all requests fill the outbox: new ones in their order, then all in turn, until it is the
    /// turn of a body that is written from where it lies.
    fn fill(&mut self) -> Result<(), SendError> {
        let mut idle_in_a_row = 0;
        while self.conn.waiting() < HIGH && idle_in_a_row < self.conn.jobs.len() {
            let new = self.conn.jobs.iter().position(|job| job.id.is_none());
            let at = new.unwrap_or(self.conn.next % self.conn.jobs.len());
            if new.is_none() {
                let job = &self.conn.jobs[at];
                if is_gathered(job) && job.bytes().len() > SMALL {
                    return Ok(());
                }
                self.conn.next = at + 1;
            }
            if self.feed(at)? {
                idle_in_a_row = 0;
            } else {
                idle_in_a_row += 1;
            }
        }
        Ok(())
    }

    /// Takes the next piece of one request; whether there was one.
    fn feed(&mut self, at: usize) -> Result<bool, SendError> {
        if self.conn.outbox.capacity() == 0 {
            self.conn.outbox = self.io.buffer();
        }
        let job = &mut self.conn.jobs[at];
        let Some(id) = job.id else {
            self.begin(at)?;
            // A small request goes out in one piece.
            return self.feed_body(at).map(|_| true);
        };
        if std::mem::take(&mut job.owes_abort) {
            let abort = self.conn.machine.abort(id)?;
            self.conn.outbox.extend_from_slice(&abort);
            return Ok(true);
        }
        self.feed_body(at)
    }

    fn feed_body(&mut self, at: usize) -> Result<bool, SendError> {
        let job = &self.conn.jobs[at];
        match job.source() {
            Source::Memory if job.bytes().len() > SMALL => Ok(false),
            Source::Memory => {
                let Conn {
                    jobs,
                    machine,
                    outbox,
                    ..
                } = &mut *self.conn;
                let mut rest = jobs[at].bytes();
                while let Some(record) = next_record(machine, &jobs[at], &mut rest)? {
                    push(outbox, &record);
                }
                self.end_stream(at).map(|()| true)
            }
            Source::Producer => self.produce(at),
            Source::Handle => self.take_written(at),
            Source::Done => Ok(false),
        }
    }

    /// BEGIN_REQUEST and all of PARAMS.
    fn begin(&mut self, at: usize) -> Result<(), SendError> {
        let Conn {
            jobs,
            machine,
            outbox,
            ..
        } = &mut *self.conn;
        let job = &mut jobs[at];
        let (id, begin) = machine.begin(job.request.role, job.request.keep_conn)?;
        job.is_shared = machine.active() > 1;
        outbox.extend_from_slice(&begin);
        for mut chunk in params::chunks(&job.request.params) {
            while let Some(record) = machine.params(id, &mut chunk)? {
                push(outbox, &record);
            }
        }
        push(outbox, &machine.params_end(id)?);
        job.id = Some(id);
        if job.request.role == Role::Authorizer {
            job.stage = Stage::Done;
        }
        let counters = &mut self.io.counters;
        counters.begun += 1;
        counters.reused += u64::from(job.was_kept);
        counters.multiplexed += u64::from(job.is_shared);
        Ok(())
    }

    fn produce(&mut self, at: usize) -> Result<bool, SendError> {
        let job = &mut self.conn.jobs[at];
        let Some(Input::Body(Body(BodySource::Producer(producer)))) = job.input() else {
            return Ok(false);
        };
        let mut piece = std::mem::take(&mut self.io.scratch);
        piece.clear();
        let made = guard(|| producer.produce(&mut Chunk::new(&mut piece, CHUNK)));
        job.is_used_up = true;
        let is_more = match made {
            Some(Ok(true)) if piece.is_empty() => {
                Err(io::Error::other("it made nothing and has not ended"))
            }
            Some(made) => made,
            None => Err(io::Error::other("it panicked")),
        };
        let result = match is_more {
            Ok(is_more) => self.put(at, &piece, !is_more),
            Err(error) => {
                self.give_up(at, Some(Cause::Body(Arc::new(error))));
                Ok(())
            }
        };
        self.io.scratch = piece;
        result.map(|()| true)
    }

    fn take_written(&mut self, at: usize) -> Result<bool, SendError> {
        let job = &mut self.conn.jobs[at];
        let is_finished = job.state.is_finished.get();
        if !is_finished && !job.is_written() {
            return Ok(false);
        }
        // The application had to wait until now.
        job.since = self.io.now;
        let piece = job.state.written.take();
        job.is_used_up |= !piece.is_empty();
        self.put(at, &piece, is_finished)?;
        if !is_finished && !self.conn.jobs[at].room() {
            self.give_up(at, None);
        }
        Ok(true)
    }

    /// Puts a piece of input into the outbox.
    fn put(&mut self, at: usize, mut piece: &[u8], is_end: bool) -> Result<(), SendError> {
        let Conn {
            jobs,
            machine,
            outbox,
            ..
        } = &mut *self.conn;
        while let Some(record) = next_record(machine, &jobs[at], &mut piece)? {
            push(outbox, &record);
        }
        if is_end {
            self.end_stream(at)?;
        }
        Ok(())
    }

    fn end_stream(&mut self, at: usize) -> Result<(), SendError> {
        let Conn {
            jobs,
            machine,
            outbox,
            ..
        } = &mut *self.conn;
        let job = &mut jobs[at];
        if let Some(id) = job.id {
            push(outbox, &end_record(machine, id, job.stage)?);
        }
        job.next_stage();
        Ok(())
    }

    /// One write: the outbox, and behind it bodies from where they lie. `true` if everything went
    /// out.
    fn write(&mut self) -> io::Result<bool> {
        let mut spill = std::mem::take(&mut self.io.scratch);
        spill.clear();
        let Conn {
            stream,
            jobs,
            machine,
            outbox,
            sent,
            next,
            ..
        } = &mut *self.conn;
        let waiting = &outbox[*sent..];
        let mut gathered = Gathered::default();
        if waiting.len() <= HIGH {
            gathered.take(jobs, *next, machine);
        }
        let mut slices = [IoSlice::new(&[]); 1 + 4 * GATHER];
        slices[0] = IoSlice::new(waiting);
        let mut total = waiting.len();
        for (slice, part) in slices[1..].iter_mut().zip(gathered.parts()) {
            total += part.len();
            *slice = IoSlice::new(part);
        }
        let mut stream = &*stream;
        let pieces = &slices[..=4 * gathered.count];
        let written = loop {
            match stream.write_vectored(pieces) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break 0,
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                result => break result?,
            }
        };
        let mut beyond = written.saturating_sub(waiting.len());
        for part in gathered.parts() {
            let gone = beyond.min(part.len());
            beyond -= gone;
            spill.extend_from_slice(&part[gone..]);
        }
        *next = gathered.next.unwrap_or(*next);
        *sent += written.min(waiting.len());
        if *sent == outbox.len() {
            outbox.clear();
            *sent = 0;
        } else if *sent >= HIGH {
            // With a slow reader it may never be all.
            outbox.drain(..*sent);
            *sent = 0;
        }
        let Gathered { taken, ended, .. } = gathered;
        outbox.append(&mut spill);
        self.io.scratch = spill;
        self.after_write(written, taken, ended);
        self.conn.is_writable = written == total;
        Ok(written == total)
    }

    /// Notes how far requests have come.
    fn after_write(&mut self, written: usize, taken: [usize; REQUESTS], ended: [bool; REQUESTS]) {
        let now = self.io.now;
        if written > 0 {
            self.conn.moved = now;
        }
        let is_alone = self.conn.jobs.len() == 1;
        for (at, job) in self.conn.jobs.iter_mut().enumerate() {
            let is_sent = written > 0 && job.id.is_some();
            // Of a request that is in the outbox to its end it is not known whether this was of it.
            if is_sent && (is_alone || !(job.is_touched && job.is_input_done())) {
                job.since = now;
            }
            job.is_touched |= is_sent;
            job.at += taken[at];
            if ended[at] {
                job.next_stage();
            }
        }
    }
}

/// Records around bodies that lie in memory, and the ends of streams that are complete with them.
#[derive(Default)]
struct Gathered<'b> {
    records: [Option<Record<'b>>; GATHER],
    ends: [Option<Record<'static>>; GATHER],
    count: usize,
    /// How many bytes were taken from each request's body.
    taken: [usize; REQUESTS],
    /// Which bodies have ended with that.
    ended: [bool; REQUESTS],
    /// Whose turn it is then, if any was taken.
    next: Option<usize>,
}

impl<'b> Gathered<'b> {
    /// Takes records from the bodies of all requests in turn, so that none waits for another's end.
    fn take(&mut self, jobs: &'b [Job], next: usize, machine: &mut Connection<REQUESTS>) {
        for turn in 0..GATHER * jobs.len() {
            let at = (next + turn) % jobs.len();
            let job = &jobs[at];
            let (Some(id), true) = (job.id, is_gathered(job) && !self.ended[at]) else {
                continue;
            };
            let mut rest = &job.bytes()[self.taken[at]..];
            let length = rest.len();
            let Ok(Some(record)) = next_record(machine, job, &mut rest) else {
                continue;
            };
            self.taken[at] += length - rest.len();
            self.records[self.count] = Some(record);
            if rest.is_empty() {
                self.ends[self.count] = end_record(machine, id, job.stage).ok();
                self.ended[at] = true;
            }
            self.next = Some(at + 1);
            self.count += 1;
            if self.count == GATHER {
                break;
            }
        }
    }

    /// What to write, in order; four for each record.
    fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let pairs = self.records[..self.count].iter().zip(&self.ends);
        pairs.flat_map(|(record, end)| {
            let [head, content, padding] = record.as_ref().map_or([&[][..]; 3], Record::parts);
            let [end, ..] = end.as_ref().map_or([&[][..]; 3], Record::parts);
            [head, content, padding, end]
        })
    }
}

/// Whether a request has a body that is sent from where it lies.
fn is_gathered(job: &Job) -> bool {
    matches!(job.source(), Source::Memory) && !job.bytes().is_empty()
}

/// The next record of the input stream that is being sent.
fn next_record<'b>(
    machine: &mut Connection<REQUESTS>,
    job: &Job,
    bytes: &mut &'b [u8],
) -> Result<Option<Record<'b>>, SendError> {
    match (job.id, job.stage) {
        (Some(id), Stage::Stdin) => machine.stdin(id, bytes),
        (Some(id), Stage::Data) => machine.data(id, bytes),
        (None, _) | (_, Stage::Done) => Ok(None),
    }
}

fn end_record(
    machine: &mut Connection<REQUESTS>,
    id: RequestId,
    stage: Stage,
) -> Result<Record<'static>, SendError> {
    match stage {
        Stage::Stdin => machine.stdin_end(id),
        Stage::Data | Stage::Done => machine.data_end(id),
    }
}

fn push(outbox: &mut Vec<u8>, record: &Record<'_>) {
    for part in record.parts() {
        outbox.extend_from_slice(part);
    }
}
