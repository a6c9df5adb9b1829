//! The response of an application, while it comes.

use std::fmt;
use std::io::{self, Read};

use fcgi_core::ProtocolStatus;
use fcgi_core::cgi::{Head, HeadLimits, HeadParser};

use super::exchange::{Exchange, Output};

/// So much of STDERR is kept.
const MOST_STDERR: usize = 64 * 1024;

/// The response to one request: a head, then a body to read.
///
/// Reading it also sends what is left of the request. A response that is dropped before its end
/// leaves the application at it; [`abort`](Response::abort) has it end. Neither leaves the connection
/// for other requests.
pub struct Response<'a> {
    exchange: Exchange<'a>,
    parser: HeadParser<Vec<u8>>,
    stage: Stage,
    stderr: Vec<u8>,
    keep_conn: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Head,
    Body,
    Ended(End),
}

/// How a request ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct End {
    /// The exit status that the application reported; `None` when it closed the connection instead.
    pub app_status: Option<u32>,
    /// Anything but REQUEST_COMPLETE is a request that was not served.
    pub protocol_status: ProtocolStatus,
}

impl<'a> Response<'a> {
    pub(super) fn new(exchange: Exchange<'a>, keep_conn: bool) -> Response<'a> {
        Response {
            exchange,
            parser: HeadParser::new(Vec::new(), HeadLimits::default()),
            stage: Stage::Head,
            stderr: Vec::new(),
            keep_conn,
        }
    }

    /// Waits for the head of the response (RFC 3875 §6).
    ///
    /// # Errors
    ///
    /// `InvalidData` when the head is malformed or missing, or when the request was refused (the
    /// text says how); and the errors of reading.
    pub fn head(&mut self) -> io::Result<Head<'_>> {
        while self.stage == Stage::Head {
            match self.advance()? {
                Some(Output::Stdout) => {
                    let input = &mut self.exchange.application.input;
                    let mut piece = input.held();
                    let complete = self.parser.push(&mut piece);
                    let used = input.held().len() - piece.len();
                    input.release(used);
                    if complete.map_err(invalid)? {
                        self.stage = Stage::Body;
                    }
                }
                Some(Output::Stderr) => {}
                Some(Output::End(..)) | None => break,
            }
        }
        if let (Stage::Ended(end), None) = (self.stage, self.parser.head()) {
            if end.protocol_status != ProtocolStatus::REQUEST_COMPLETE {
                let refused = format!(
                    "the application refused the request: {}",
                    end.protocol_status
                );
                return Err(invalid(refused));
            }
        }
        self.parser.finish().map_err(invalid)?;
        self.parser
            .head()
            .ok_or_else(|| invalid("the response has no head"))
    }

    /// What came on STDERR so far, at most 64 KiB of it.
    #[must_use]
    pub fn stderr(&self) -> &[u8] {
        &self.stderr
    }

    /// How the request ended; `None` as long as it has not.
    #[must_use]
    pub fn end(&self) -> Option<End> {
        match self.stage {
            Stage::Ended(end) => Some(end),
            Stage::Head | Stage::Body => None,
        }
    }

    /// Reads the rest of the response, throws it away, and says how the request ended.
    ///
    /// # Errors
    ///
    /// The application broke the protocol, or closed the connection too early.
    pub fn finish(mut self) -> io::Result<End> {
        self.run_to_end()
    }

    /// Asks the application to give the request up (§5.4), and waits until it has.
    ///
    /// The connection is of no use for other requests then: the application may take the question
    /// for an error, and close behind its answer, as libfcgi does.
    ///
    /// # Errors
    ///
    /// As [`finish`](Response::finish).
    pub fn abort(mut self) -> io::Result<End> {
        if self.end().is_none() {
            self.exchange.abort()?;
            self.keep_conn = false;
        }
        self.run_to_end()
    }

    fn run_to_end(&mut self) -> io::Result<End> {
        loop {
            if let Stage::Ended(end) = self.stage {
                return Ok(end);
            }
            self.drop_held();
            self.advance()?;
        }
    }

    /// What comes next, unless a piece of it is still held; `None` after the end.
    fn advance(&mut self) -> io::Result<Option<Output>> {
        if matches!(self.stage, Stage::Ended(_)) {
            return Ok(None);
        }
        if !self.exchange.application.input.held().is_empty() {
            return Ok(Some(Output::Stdout));
        }
        let output = self.exchange.next()?;
        match output {
            Output::Stdout => {}
            Output::Stderr => {
                let held = self.exchange.application.input.held();
                let room = MOST_STDERR.saturating_sub(self.stderr.len());
                self.stderr.extend_from_slice(&held[..held.len().min(room)]);
                self.drop_held();
            }
            Output::End(app_status, protocol_status) => {
                self.stage = Stage::Ended(End {
                    app_status,
                    protocol_status,
                });
                let is_kept = self.keep_conn && app_status.is_some() && !self.exchange.is_cut();
                let application = &mut *self.exchange.application;
                application.reusable = is_kept && application.skip_rest().is_ok();
            }
        }
        Ok(Some(output))
    }

    fn drop_held(&mut self) {
        let input = &mut self.exchange.application.input;
        input.release(input.held().len());
    }
}

impl Read for Response<'_> {
    /// Reads the body.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.stage == Stage::Head {
            self.head()?;
        }
        if buf.is_empty() {
            return Ok(0);
        }
        loop {
            match self.advance()? {
                Some(Output::Stdout) => {
                    let input = &mut self.exchange.application.input;
                    let count = input.held().len().min(buf.len());
                    buf[..count].copy_from_slice(&input.held()[..count]);
                    input.release(count);
                    return Ok(count);
                }
                Some(Output::Stderr) => {}
                Some(Output::End(..)) | None => return Ok(0),
            }
        }
    }
}

impl fmt::Debug for Response<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("end", &self.end())
            .finish_non_exhaustive()
    }
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
