//! One request from the web server's side, over descriptors: what a bridge and a command-line
//! client need.
//!
//! Everything flows at the same time, driven by poll(2): PARAMS and STDIN go out while STDOUT and
//! STDERR come in, so that neither an input that nobody writes nor an output that nobody reads
//! holds up the rest. A descriptor is waited for only while something can be done with it, so that
//! one that was closed costs nothing.
//!
//! ```no_run
//! use fcgi_core::{Role, params};
//! use fcgi_listen::Stream;
//! use fcgi_tools::exchange::{Request, Sink, Source};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut variables = Vec::new();
//! params::append(&mut variables, "REQUEST_METHOD", "POST")?;
//! params::append(&mut variables, "CONTENT_LENGTH", "5")?;
//!
//! let stream = Stream::connect(&"127.0.0.1:9000".parse()?, None)?;
//! let (mut page, mut errors) = (Vec::new(), Vec::new());
//! let outcome = Request::new(Role::Responder, &variables)
//!     .stdin(Source::Bytes(b"hello"))
//!     .run(&stream, Sink::Writer(&mut page), Sink::Writer(&mut errors))?;
//! assert_eq!(outcome.app_status, Some(0));
//! # Ok(())
//! # }
//! ```

mod failure;
mod feed;
mod outbox;
mod outlet;
mod relay;

use std::io::{self, Write};
use std::os::fd::BorrowedFd;
use std::time::Duration;

use fcgi_core::{ProtocolStatus, Role};
use fcgi_listen::Stream;

pub use self::failure::{Failure, Reason};
use self::relay::Relay;

/// Whether an Authorizer is told a variable (FastCGI §6.3).
pub(crate) fn is_for_authorizers(name: &[u8]) -> bool {
    !matches!(
        name,
        b"CONTENT_LENGTH" | b"PATH_INFO" | b"PATH_TRANSLATED" | b"SCRIPT_NAME"
    )
}

/// One request, and how long it may take.
#[derive(Clone, Copy, Debug)]
#[must_use = "a request does nothing until it is run"]
pub struct Request<'a> {
    role: Role,
    keep_conn: bool,
    params: &'a [u8],
    stdin: Source<'a>,
    data: Source<'a>,
    timeout: Option<Duration>,
    silence: Option<Duration>,
}

/// Where an input stream of the application comes from.
#[derive(Clone, Copy, Debug, Default)]
pub enum Source<'a> {
    /// Nothing but its end.
    #[default]
    Empty,
    /// Bytes in memory.
    Bytes(&'a [u8]),
    /// A pipe, a file, a terminal or a socket, blocking or not; read when it has something.
    Descriptor {
        /// What to read.
        fd: BorrowedFd<'a>,
        /// How many bytes at most; the stream ends with the last of them, or with the end of the
        /// descriptor if that comes before. `None`: all that come.
        limit: Option<u64>,
    },
}

/// Where an output stream of the application goes.
pub enum Sink<'a> {
    /// A writer, written to at once: while it blocks, nothing else flows.
    Writer(&'a mut dyn Write),
    /// A pipe, a file, a terminal or a socket, blocking or not; written to when it takes something.
    /// Up to 128 KiB wait for that; then the application has to.
    Descriptor(BorrowedFd<'a>),
}

/// How a request ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// The application's exit status, all 32 bits of it (FastCGI §5.5). `None` if the application
    /// closed the connection after the end of its STDOUT instead of ending the request.
    pub app_status: Option<u32>,
    /// Anything but REQUEST_COMPLETE is a request that was not served.
    pub protocol_status: ProtocolStatus,
    /// What has flowed.
    pub progress: Progress,
}

/// What has flowed so far, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Progress {
    /// Read from the source of STDIN.
    pub stdin: u64,
    /// Read from the source of DATA.
    pub data: u64,
    /// Taken by the sink of STDOUT.
    pub stdout: u64,
    /// Taken by the sink of STDERR.
    pub stderr: u64,
    /// How often something had to be waited for: a measure of idle work.
    pub waits: u64,
}

impl<'a> Request<'a> {
    /// A request without input streams that may take for ever.
    ///
    /// `params` is a whole PARAMS stream of any size, as [`fcgi_core::params::append`] builds it.
    pub fn new(role: Role, params: &'a [u8]) -> Self {
        Request {
            role,
            keep_conn: false,
            params,
            stdin: Source::Empty,
            data: Source::Empty,
            timeout: None,
            silence: None,
        }
    }

    /// What the application reads as STDIN. Not sent to an Authorizer, which has none (FastCGI
    /// §6.3).
    pub fn stdin(mut self, source: Source<'a>) -> Self {
        self.stdin = source;
        self
    }

    /// What a Filter reads as DATA (FastCGI §6.4); not sent to the other roles.
    pub fn data(mut self, source: Source<'a>) -> Self {
        self.data = source;
        self
    }

    /// Asks the application to keep the connection (FastCGI §5.1). It then has to end the request
    /// itself: that it closes the connection is a failure. Off by default.
    pub fn keep_conn(mut self, on: bool) -> Self {
        self.keep_conn = on;
        self
    }

    /// How long the whole request may take; `None`: for ever.
    pub fn timeout(mut self, limit: Option<Duration>) -> Self {
        self.timeout = limit;
        self
    }

    /// How long nothing at all may flow, in any direction; `None`: for ever.
    pub fn silence(mut self, limit: Option<Duration>) -> Self {
        self.silence = limit;
        self
    }

    /// Sends the request on a new connection and relays until the application has ended it. All
    /// that the application has sent by then has been given to the sinks.
    ///
    /// The application may end the request before it has read its input; the rest of that is not
    /// waited for. A sink of STDERR that fails is done without. The stream does not block
    /// afterwards; the connection is not for another request.
    ///
    /// # Errors
    ///
    /// [`Failure`]: the request was not ended, or the output did not reach the sink of STDOUT.
    pub fn run<'b>(
        self,
        stream: &'b Stream,
        stdout: Sink<'b>,
        stderr: Sink<'b>,
    ) -> Result<Outcome, Failure>
    where
        'a: 'b,
    {
        Relay::begin(self, stream, stdout, stderr)?.run()
    }
}

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> Self {
        io::Error::new(failure.kind(), failure)
    }
}
