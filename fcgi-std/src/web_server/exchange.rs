//! Sending and receiving at the same time.

use std::io::{self, Read};
use std::time::Duration;

use fcgi_core::web_server::{Closed, Event, Values};
use fcgi_core::{Error, MAX_CONTENT, ProtocolStatus, RequestId, Role, SendError, params};
use fcgi_listen::Stream;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::Application;
use crate::buffer::{Filled, Input, Outbox};

/// A request on its way: what is still to be sent, and the connection.
pub(super) struct Exchange<'a> {
    pub(super) application: &'a mut Application,
    id: RequestId,
    sources: Sources<'a>,
    is_cut: bool,
}

/// Where the input streams of the application come from: those of which something is to be sent.
#[derive(Default)]
pub(super) struct Sources<'a> {
    stdin: Option<&'a mut dyn Read>,
    data: Option<&'a mut dyn Read>,
    chunk: Vec<u8>,
}

impl<'a> Sources<'a> {
    pub(super) fn new(
        role: Role,
        stdin: &'a mut dyn Read,
        data: Option<&'a mut dyn Read>,
    ) -> io::Result<Sources<'a>> {
        let (stdin, data) = match (role, data) {
            (Role::Responder, _) => (Some(stdin), None),
            (Role::Authorizer, _) => (None, None),
            (Role::Filter, Some(data)) => (Some(stdin), Some(data)),
            (Role::Filter, None) => {
                let why = "a Filter needs its data";
                return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
            }
        };
        Ok(Sources {
            stdin,
            data,
            chunk: Vec::new(),
        })
    }
}

/// What the application did, as far as it concerns the reader of the response.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Output {
    /// A piece of STDOUT is held in the input.
    Stdout,
    /// A piece of STDERR is held in the input.
    Stderr,
    /// The request is over. `None` for the appStatus of an application that closed the connection
    /// instead of ending the request.
    End(Option<u32>, ProtocolStatus),
}

impl<'a> Exchange<'a> {
    pub(super) fn begin(
        application: &'a mut Application,
        role: Role,
        keep_conn: bool,
        stream: &[u8],
        sources: Sources<'a>,
    ) -> io::Result<Exchange<'a>> {
        let Application {
            machine, outbox, ..
        } = application;
        let (id, begin) = machine.begin(role, keep_conn).map_err(misuse)?;
        outbox.push(&begin);
        for mut chunk in params::chunks(stream) {
            while let Some(record) = machine.params(id, &mut chunk).map_err(misuse)? {
                record
                    .parts()
                    .into_iter()
                    .for_each(|part| outbox.push(part));
            }
        }
        let end = machine.params_end(id).map_err(misuse)?;
        end.parts().into_iter().for_each(|part| outbox.push(part));
        Ok(Exchange {
            application,
            id,
            sources,
            is_cut: false,
        })
    }

    /// Whether the application got less than the whole request and was not told so: it has stopped
    /// reading, perhaps inside a record, or ended the request before its body was complete.
    pub(super) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Sends and receives until the application has done something. The piece that is held must
    /// have been used up.
    pub(super) fn next(&mut self) -> io::Result<Output> {
        loop {
            self.send_what_goes()?;
            if let Some(output) = self.parse()? {
                return Ok(output);
            }
            let Application { stream, input, .. } = &mut *self.application;
            match input.fill(stream, Input::SIZE) {
                Ok(Filled::Bytes { .. } | Filled::Full) => {}
                Ok(Filled::WouldBlock) => self.application.wait()?,
                Ok(Filled::End) => return self.closed(),
                // An application that closes with input unread resets, whatever it has said before.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    return self.closed().map_err(|_| error);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends until the socket takes no more, or nothing is left.
    fn send_what_goes(&mut self) -> io::Result<()> {
        loop {
            let Application { stream, outbox, .. } = &mut *self.application;
            if let Err(error) = outbox.flush(stream) {
                // The application may have answered and closed without reading all of the body.
                return self.stop_sending(error);
            }
            if !outbox.is_empty() || !self.produce()? {
                return Ok(());
            }
        }
    }

    fn stop_sending(&mut self, error: io::Error) -> io::Result<()> {
        if !matches!(
            error.kind(),
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
        ) {
            return Err(error);
        }
        self.sources = Sources::default();
        self.application.outbox = Outbox::default();
        self.is_cut = true;
        Ok(())
    }

    /// Puts the next record into the outbox; `false` when everything was sent.
    fn produce(&mut self) -> io::Result<bool> {
        let Sources { stdin, data, chunk } = &mut self.sources;
        let is_stdin = stdin.is_some();
        let Some(source) = stdin.as_mut().or(data.as_mut()) else {
            return Ok(false);
        };
        chunk.resize(MAX_CONTENT, 0);
        let count = loop {
            match source.read(chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        let mut bytes = &chunk[..count];
        let Application {
            stream,
            machine,
            outbox,
            ..
        } = &mut *self.application;
        let record = match (is_stdin, count) {
            (true, 0) => {
                *stdin = None;
                machine.stdin_end(self.id).map(Some)
            }
            (false, 0) => {
                *data = None;
                machine.data_end(self.id).map(Some)
            }
            (true, _) => machine.stdin(self.id, &mut bytes),
            (false, _) => machine.data(self.id, &mut bytes),
        };
        let sent = match record.map_err(misuse)? {
            Some(record) => outbox.send(stream, &record.parts()),
            None => Ok(()),
        };
        match sent {
            Ok(()) => Ok(true),
            Err(error) => self.stop_sending(error).map(|()| false),
        }
    }

    /// The next thing in what was read.
    fn parse(&mut self) -> io::Result<Option<Output>> {
        let Application { machine, input, .. } = &mut *self.application;
        loop {
            let mut rest = input.unread();
            let event = machine.receive(&mut rest);
            let left = rest.len();
            let event = event.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            let (output, held) = match event {
                None => {
                    input.parsed(left, 0);
                    return Ok(None);
                }
                Some(Event::Stdout { bytes, .. }) => (Some(Output::Stdout), bytes.len()),
                Some(Event::Stderr { bytes, .. }) => (Some(Output::Stderr), bytes.len()),
                Some(Event::End {
                    app_status,
                    protocol_status,
                    ..
                }) => {
                    let sources = std::mem::take(&mut self.sources);
                    self.is_cut |= sources.stdin.is_some() || sources.data.is_some();
                    (Some(Output::End(Some(app_status), protocol_status)), 0)
                }
                Some(
                    Event::StdoutEnd { .. }
                    | Event::StderrEnd { .. }
                    | Event::Values(_)
                    | Event::UnknownType { .. },
                ) => (None, 0),
            };
            input.parsed(left, held);
            if output.is_some() {
                return Ok(output);
            }
        }
    }

    /// The application closed the connection before it ended the request.
    fn closed(&self) -> io::Result<Output> {
        match self.application.machine.closed(self.id) {
            Some(Closed::Complete) => Ok(Output::End(None, ProtocolStatus::REQUEST_COMPLETE)),
            Some(Closed::Truncated) | None => Err(closed_early()),
        }
    }

    /// Asks the application to give the request up.
    pub(super) fn abort(&mut self) -> io::Result<()> {
        let abort = self.application.machine.abort(self.id).map_err(misuse)?;
        self.application.outbox.push(&abort);
        self.sources = Sources::default();
        Ok(())
    }
}

impl Application {
    /// Skips what was read behind the end of the last request: it is nobody's.
    pub(super) fn skip_rest(&mut self) -> Result<(), Error> {
        loop {
            let mut rest = self.input.unread();
            let event = self.machine.receive(&mut rest);
            let is_end = event.map(|event| event.is_none());
            let left = rest.len();
            self.input.parsed(left, 0);
            if is_end? {
                return Ok(());
            }
        }
    }

    /// Waits until the application sends something, or takes something if there is something to
    /// send.
    fn wait(&self) -> io::Result<()> {
        let mut flags = PollFlags::IN;
        if !self.outbox.is_empty() {
            flags |= PollFlags::OUT;
        }
        wait(&self.stream, flags, self.timeout)
    }
}

fn wait(stream: &Stream, flags: PollFlags, timeout: Option<Duration>) -> io::Result<()> {
    let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
    match poll(&mut [PollFd::new(stream, flags)], timeout.as_ref()) {
        Ok(0) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the application neither sent nor took anything for too long",
        )),
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Waits for the answer to GET_VALUES.
pub(super) fn values(application: &mut Application) -> io::Result<Option<Values>> {
    loop {
        let Application {
            stream,
            machine,
            input,
            outbox,
            ..
        } = &mut *application;
        outbox.flush(stream)?;
        let mut rest = input.unread();
        let event = machine.receive(&mut rest);
        let answer =
            match event.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))? {
                Some(Event::Values(values)) => Some(Some(values)),
                Some(Event::UnknownType { .. }) => Some(None),
                // No request is active, so nothing else comes.
                Some(_) | None => None,
            };
        let left = rest.len();
        input.parsed(left, 0);
        if let Some(answer) = answer {
            return Ok(answer);
        }
        match input.fill(stream, Input::SIZE)? {
            Filled::Bytes { .. } | Filled::Full => {}
            Filled::WouldBlock => application.wait()?,
            Filled::End => return Err(closed_early()),
        }
    }
}

fn closed_early() -> io::Error {
    let why = "the application closed the connection before it had answered";
    io::Error::new(io::ErrorKind::UnexpectedEof, why)
}

fn misuse(error: SendError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, error)
}
