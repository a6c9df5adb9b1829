//! One connection while a handler works on its request.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fcgi_core::{Encoded, MAX_CONTENT, Record, SendError};
use fcgi_listen::{Peer, Stream};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::buffer::{Input, Outbox};
use crate::gate::Admission;
use crate::link::{InputStream, OutputStream};
use crate::rules::Rules;
use crate::state::{Found, State};

/// A connection. Its socket does not block; whoever waits does so without holding the lock, so that
/// one thread can read a request while another one writes its answer.
pub(crate) struct Session {
    pub(crate) key: usize,
    pub(crate) stream: Stream,
    pub(crate) peer: Peer,
    state: Mutex<State>,
}

/// While a handler only writes, the input is looked at this often.
const LOOK_EVERY: Duration = Duration::from_millis(10);

impl Session {
    pub(crate) fn new(key: usize, stream: Stream, peer: Peer, rules: &Rules) -> Session {
        Session {
            key,
            stream,
            peer,
            state: Mutex::new(State::new(rules)),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // No handler's code runs under this lock, so a panic of a handler cannot leave the state
        // half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands out input of the running request: shows `take` what is there, which says how much it
    /// took. Zero at the end of the stream.
    pub(crate) fn read(
        &self,
        stream: InputStream,
        rules: &Rules,
        mut take: impl FnMut(&[u8]) -> usize,
    ) -> io::Result<usize> {
        let mut deadline = None;
        loop {
            let mut flags = PollFlags::IN;
            {
                let mut state = self.lock();
                match state.find(stream)? {
                    Found::Bytes => return Ok(state.take(&mut take)),
                    Found::End => return Ok(0),
                    Found::Nothing => {}
                    Found::Blocked => {
                        drop(state);
                        self.drain_outbox(Outbox::FULL, rules)?;
                        continue;
                    }
                }
                state.flush(&self.stream)?;
                if !state.outbox.is_empty() {
                    flags |= PollFlags::OUT;
                }
                if state.fill(&self.stream, Input::SIZE)? {
                    continue;
                }
                if state.ended.input {
                    return Err(io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        "the web server closed the connection inside the request",
                    ));
                }
                state.has_reader = true;
            }
            let waited = self.wait(flags, &mut deadline, rules.body_timeout);
            self.lock().has_reader = false;
            waited?;
        }
    }

    /// Sends output of the running request, waiting as long as the web server does not take it.
    pub(crate) fn write(
        &self,
        stream: OutputStream,
        mut bytes: &[u8],
        rules: &Rules,
    ) -> io::Result<()> {
        while !bytes.is_empty() {
            self.drain_outbox(Outbox::HIGH, rules)?;
            let mut state = self.lock();
            state.look(&self.stream, LOOK_EVERY)?;
            let id = state.check()?;
            let State {
                machine, outbox, ..
            } = &mut *state;
            let record = match stream {
                OutputStream::Stdout => machine.stdout(id, &mut bytes),
                OutputStream::Stderr => machine.stderr(id, &mut bytes),
            };
            if let Some(record) = record.map_err(misuse)? {
                let sent = outbox.send(&self.stream, &record.parts());
                state.note(sent)?;
            }
        }
        Ok(())
    }

    /// Waits until no more than `most` bytes wait to be sent.
    ///
    /// While it waits it reads ahead, within a bound: some web servers read no answer before they
    /// have sent the whole body.
    pub(crate) fn drain_outbox(&self, most: usize, rules: &Rules) -> io::Result<()> {
        let mut deadline = None;
        loop {
            let mut flags = PollFlags::OUT;
            {
                let mut state = self.lock();
                if state.outbox.len() <= most {
                    return Ok(());
                }
                if state.flush(&self.stream)? > 0 {
                    deadline = None;
                }
                if state.outbox.len() <= most {
                    return Ok(());
                }
                if state.read_ahead(&self.stream, rules.read_ahead)? {
                    flags |= PollFlags::IN;
                }
            }
            let waited = self.wait(flags, &mut deadline, rules.write_timeout);
            self.lock().note(waited)?;
        }
    }

    /// Sends the rest of STDOUT, the ends of the streams and END_REQUEST, in one write if they are
    /// small. The request is over then.
    ///
    /// The request's place is given back before its end can be read: the web server may send the
    /// next one then.
    pub(crate) fn finish(
        &self,
        stdout: &[u8],
        app_status: u32,
        admission: Option<Admission>,
        rules: &Rules,
    ) -> io::Result<()> {
        let (front, mut last) =
            stdout.split_at(stdout.len().saturating_sub(1) / MAX_CONTENT * MAX_CONTENT);
        let prepared = self.prepare_to_end(stdout, rules);
        let written = prepared.and_then(|()| self.write(OutputStream::Stdout, front, rules));
        let mut state = self.lock();
        let ready = written.and_then(|()| state.check().map(|_| ()));
        state.skip_buffered();
        let Some(id) = state.running.take() else {
            return Ok(());
        };
        state.clean &= state.machine.is_input_done(id);
        let broken = state.broken.is_some();
        let State {
            machine, outbox, ..
        } = &mut *state;
        // Whatever went wrong, the request ends.
        let record = ready.and_then(|()| machine.stdout(id, &mut last).map_err(misuse));
        let end: Encoded<32> = machine.end(id, app_status).map_err(misuse)?;
        let (record, ready) = match record {
            Ok(record) => (record, Ok(())),
            Err(error) => (None, Err(error)),
        };
        let [header, body, padding] = record.as_ref().map_or([&[][..]; 3], Record::parts);
        drop(admission);
        if !broken {
            let sent = outbox.send(&self.stream, &[header, body, padding, &end]);
            state.note(sent)?;
        }
        ready
    }

    /// A Filter may not answer before the end of STDIN (§6.1): what its handler left unread is
    /// skipped first.
    fn prepare_to_end(&self, stdout: &[u8], rules: &Rules) -> io::Result<()> {
        let mut skipped = 0;
        while !stdout.is_empty() && skipped <= rules.drain_bytes {
            let state = self.lock();
            if state.running.is_none_or(|id| state.machine.may_answer(id)) {
                break;
            }
            drop(state);
            skipped += self.read(InputStream::Stdin, rules, <[u8]>::len)?;
        }
        Ok(())
    }

    /// Looks whether the web server has given up the running request, without waiting.
    pub(crate) fn is_aborted(&self) -> bool {
        let mut state = self.lock();
        let looked = state.look(&self.stream, Duration::ZERO);
        looked.is_err() || state.check().is_err() || state.ended.input
    }

    /// Waits for the socket; the deadline begins with the first wait.
    fn wait(
        &self,
        flags: PollFlags,
        deadline: &mut Option<Instant>,
        timeout: Duration,
    ) -> io::Result<()> {
        let now = Instant::now();
        let until = *deadline.get_or_insert_with(|| now + timeout);
        let left = until.saturating_duration_since(now);
        if left.is_zero() {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the web server neither sent nor took anything for too long",
            ));
        }
        let left = Timespec::try_from(left).ok();
        match poll(&mut [PollFd::new(&self.stream, flags)], left.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

/// The core refuses what the protocol does not allow.
fn misuse(error: SendError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, error)
}
