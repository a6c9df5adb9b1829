//! Sending, receiving and passing on at the same time.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use fcgi_core::web_server::{Closed, Connection, Event};
use fcgi_core::{ProtocolStatus, RequestId};
use fcgi_listen::Stream;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::feed::{Feed, Step};
use super::outbox::Outbox;
use super::outlet::Outlet;
use super::{Failure, Outcome, Progress, Reason, Request, Sink};

/// How much is read from the application at once.
const INPUT: usize = 64 * 1024;

/// One request under way.
pub(super) struct Relay<'a> {
    stream: &'a Stream,
    machine: Connection<1>,
    id: RequestId,
    feed: Feed<'a>,
    outbox: Outbox,
    input: Vec<u8>,
    stdout: Outlet<'a>,
    stderr: Outlet<'a>,
    end: Option<Result<End, Reason>>,
    deadline: Option<Instant>,
    silence: Option<Duration>,
    progress: Progress,
}

/// The application's last word.
#[derive(Clone, Copy, Debug)]
struct End {
    app_status: Option<u32>,
    protocol_status: ProtocolStatus,
}

/// What poll(2) said of the descriptors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Ready {
    application: PollFlags,
    source: PollFlags,
    stdout: PollFlags,
    stderr: PollFlags,
}

impl<'a> Relay<'a> {
    pub(super) fn begin(
        request: Request<'a>,
        stream: &'a Stream,
        stdout: Sink<'a>,
        stderr: Sink<'a>,
    ) -> Result<Relay<'a>, Failure> {
        let failure = |reason| Failure {
            reason,
            progress: Progress::default(),
        };
        stream
            .set_nonblocking(true)
            .map_err(|error| failure(Reason::Connection(error)))?;
        let mut machine = Connection::new();
        let (id, begin) = machine
            .begin(request.role, request.keep_conn)
            .map_err(|error| failure(Reason::Send(error)))?;
        let mut outbox = Outbox::default();
        outbox.push(&begin);
        Ok(Relay {
            stream,
            machine,
            id,
            feed: Feed::new(&request),
            outbox,
            input: vec![0; INPUT],
            stdout: Outlet::new(stdout),
            stderr: Outlet::new(stderr),
            end: None,
            deadline: request
                .timeout
                .and_then(|limit| Instant::now().checked_add(limit)),
            silence: request.silence,
            progress: Progress::default(),
        })
    }

    pub(super) fn run(mut self) -> Result<Outcome, Failure> {
        let result = self.relay();
        let progress = self.progress;
        match result {
            Ok(end) => Ok(Outcome {
                app_status: end.app_status,
                protocol_status: end.protocol_status,
                progress,
            }),
            Err(reason) => Err(Failure { reason, progress }),
        }
    }

    fn relay(&mut self) -> Result<End, Reason> {
        let mut readable = false;
        loop {
            // An application's failure counts as well only when what it said before is out.
            if self.stdout.is_empty() && self.stderr.is_empty() {
                if let Some(end) = self.end.take() {
                    self.stdout.finish().map_err(Reason::Stdout)?;
                    // Nobody can be told of a standard error that fails.
                    let _ = self.stderr.finish();
                    return end;
                }
            }
            self.send(readable)?;
            let ready = self.wait()?;
            readable = !ready.source.is_empty();
            self.write(ready)?;
            if ready.application.intersects(INCOMING) {
                self.receive()?;
            }
        }
    }

    /// Sends until the socket takes no more, or there is nothing to send.
    fn send(&mut self, mut readable: bool) -> Result<(), Reason> {
        while self.end.is_none() {
            if let Err(error) = self.outbox.flush(self.stream) {
                // The application may answer without reading all of the input.
                if !is_hang_up(&error) {
                    return Err(Reason::Connection(error));
                }
                self.stop_sending();
            }
            if !self.outbox.is_empty() {
                break;
            }
            let step = self.feed.step(
                &mut self.machine,
                self.id,
                &mut self.outbox,
                &mut self.progress,
                readable,
            )?;
            // What a descriptor gave once it need not give again without blocking.
            readable = false;
            if step == Step::Nothing {
                break;
            }
        }
        Ok(())
    }

    fn stop_sending(&mut self) {
        self.feed.stop();
        self.outbox.clear();
    }

    /// Waits until something can be done. Descriptors with which nothing can be done are left out:
    /// poll(2) would return at once for one that was closed.
    fn wait(&mut self) -> Result<Ready, Reason> {
        let mut places: [Option<usize>; 4] = [None; 4];
        let mut fds = Vec::with_capacity(4);
        let mut incoming = PollFlags::empty();
        if self.end.is_none() {
            if !self.stdout.is_full() && !self.stderr.is_full() {
                incoming |= PollFlags::IN;
            }
            if !self.outbox.is_empty() {
                incoming |= PollFlags::OUT;
            } else if let Some(fd) = self.feed.awaited() {
                places[1] = Some(fds.len());
                fds.push(PollFd::from_borrowed_fd(fd, PollFlags::IN));
            }
        }
        if !incoming.is_empty() {
            places[0] = Some(fds.len());
            fds.push(PollFd::new(self.stream, incoming));
        }
        for (place, outlet) in [(2, &self.stdout), (3, &self.stderr)] {
            if let Some(fd) = outlet.fd() {
                // Without a flag as well: that the reader has gone is always told.
                let wanted = match outlet.is_empty() {
                    true => PollFlags::empty(),
                    false => PollFlags::OUT,
                };
                places[place] = Some(fds.len());
                fds.push(PollFd::from_borrowed_fd(fd, wanted));
            }
        }
        self.progress.waits += 1;
        self.poll(&mut fds)?;
        let [application, source, stdout, stderr] =
            places.map(|place| place.map_or(PollFlags::empty(), |at: usize| fds[at].revents()));
        Ok(Ready {
            application,
            source,
            stdout,
            stderr,
        })
    }

    fn poll(&self, fds: &mut [PollFd<'_>]) -> Result<(), Reason> {
        let silent_at = self
            .silence
            .and_then(|silence| Instant::now().checked_add(silence));
        loop {
            let now = Instant::now();
            let ends = [self.deadline, silent_at].into_iter().flatten().min();
            let timeout = ends
                .map(|end| end.saturating_duration_since(now))
                .and_then(|left| Timespec::try_from(left).ok());
            match poll(fds, timeout.as_ref()) {
                Err(Errno::INTR) => {}
                Err(errno) => return Err(Reason::Connection(errno.into())),
                Ok(0) if is_over(self.deadline) => return Err(Reason::Timeout),
                Ok(0) if is_over(silent_at) => return Err(Reason::Silence),
                Ok(0) => {}
                Ok(_) if is_over(self.deadline) => return Err(Reason::Timeout),
                Ok(_) => return Ok(()),
            }
        }
    }

    /// Gives the sinks what they take now.
    fn write(&mut self, ready: Ready) -> Result<(), Reason> {
        let stdout = write_once(&mut self.stdout, ready.stdout).map_err(Reason::Stdout)?;
        self.progress.stdout += stdout;
        match write_once(&mut self.stderr, ready.stderr) {
            Ok(count) => self.progress.stderr += count,
            Err(_) => self.stderr.close(),
        }
        Ok(())
    }

    /// Reads once from the application, and acts on all of it.
    fn receive(&mut self) -> Result<(), Reason> {
        let mut stream = self.stream;
        let count = match stream.read(&mut self.input) {
            Ok(count) => count,
            Err(error) => {
                match error.kind() {
                    io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock => {}
                    // A close that leaves input unread comes as a reset.
                    io::ErrorKind::ConnectionReset => self.end = Some(self.closed()),
                    _ => self.end = Some(Err(Reason::Connection(error))),
                }
                return Ok(());
            }
        };
        if count == 0 {
            self.end = Some(self.closed());
            return Ok(());
        }
        let mut rest = &self.input[..count];
        while self.end.is_none() {
            match self.machine.receive(&mut rest) {
                Ok(None) => break,
                Ok(Some(Event::Stdout { bytes, .. })) => {
                    self.progress.stdout += self.stdout.put(bytes).map_err(Reason::Stdout)?;
                }
                Ok(Some(Event::Stderr { bytes, .. })) => match self.stderr.put(bytes) {
                    Ok(count) => self.progress.stderr += count,
                    Err(_) => self.stderr.close(),
                },
                Ok(Some(Event::End {
                    app_status,
                    protocol_status,
                    ..
                })) => {
                    self.end = Some(Ok(End {
                        app_status: Some(app_status),
                        protocol_status,
                    }));
                }
                Ok(Some(
                    Event::StdoutEnd { .. }
                    | Event::StderrEnd { .. }
                    | Event::Values(_)
                    | Event::UnknownType { .. },
                )) => {}
                Err(error) => self.end = Some(Err(Reason::Protocol(error))),
            }
        }
        Ok(())
    }

    /// The application closed the connection before it ended the request.
    fn closed(&self) -> Result<End, Reason> {
        match self.machine.closed(self.id) {
            Some(Closed::Complete) => Ok(End {
                app_status: None,
                protocol_status: ProtocolStatus::REQUEST_COMPLETE,
            }),
            Some(Closed::Truncated) | None => Err(Reason::ClosedEarly),
        }
    }
}

/// Anything that reading tells more of.
const INCOMING: PollFlags = PollFlags::IN
    .union(PollFlags::HUP)
    .union(PollFlags::ERR)
    .union(PollFlags::NVAL);

fn write_once(outlet: &mut Outlet<'_>, ready: PollFlags) -> io::Result<u64> {
    if ready.intersects(PollFlags::OUT) {
        return outlet.write();
    }
    if ready.intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL) {
        return Err(io::Error::new(
            io::ErrorKind::BrokenPipe,
            "its reader has gone",
        ));
    }
    Ok(0)
}

fn is_hang_up(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
    )
}

fn is_over(end: Option<Instant>) -> bool {
    end.is_some_and(|end| Instant::now() >= end)
}
