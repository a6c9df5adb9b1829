//! `fcgi request`: one request to an application, and what came back.
//!
//! ```no_run
//! use fcgi_tools::request::{Errors, Request, Variables, Verdict, Whole};
//!
//! let variables = Variables::new("GET", "/ping")?;
//! let request = Request::new("127.0.0.1:9000".parse()?, variables);
//! let (mut page, mut errors) = (Whole::default(), Errors::default());
//! let outcome = request.run(&mut page, &mut errors);
//! assert_eq!(request.verdict(&outcome), Verdict::Good);
//! assert_eq!(page.body, b"pong");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - [`Variables`]: method, path, headers and parameters.
//! - [`Request`]: those, a body, a role, and what is expected; [`Request::run`] sends it.
//! - [`Receive`]: takes head and body as they come; [`Whole`] keeps them, and [`Errors`] what came
//!   on STDERR.
//! - [`Verdict`]: whether an application is well, as one of a few numbers.
//! - [`values()`]: asks an application what it can do (FastCGI §4.1).

mod input;
mod json;
mod receive;
mod shown;
mod values;
mod variables;
mod verdict;

use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use fcgi_core::cgi::{ParseError, Status};
use fcgi_core::{ProtocolStatus, Role};
use fcgi_listen::{Address, Stream};

use crate::exchange::{self, Failure, Sink};

pub use self::input::Input;
pub use self::json::{json, printable};
pub use self::receive::{Errors, Receive, Whole};
pub use self::shown::Shown;
pub use self::values::{Value, values};
pub use self::variables::{VariableError, Variables, encode};
pub use self::verdict::Verdict;

use self::receive::Stdout;

/// One request, and what is expected of its answer.
#[derive(Debug)]
pub struct Request {
    /// Where the application listens.
    pub address: Address,
    /// What the application is asked to be; a Responder unless set.
    pub role: Role,
    /// Method, path, headers and parameters.
    pub variables: Variables,
    /// The body, which an Authorizer does not get; none unless set.
    pub body: Input,
    /// What the body is unless a header said so.
    pub content_type: String,
    /// What a Filter gets as DATA (FastCGI §6.4); nothing unless set.
    pub data: Input,
    /// When [`data`](Self::data) was changed, in seconds since 1970: FCGI_DATA_LAST_MOD.
    pub data_last_mod: u64,
    /// How long connecting and answering may take together; 30 seconds unless set.
    pub timeout: Duration,
    /// The status of a good answer; any below 400 unless set.
    pub expected_status: Option<u16>,
    /// What a good answer has in its body, somewhere; nothing in particular unless set.
    pub expected_text: Option<String>,
}

/// An answer, good or not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Response {
    /// The status of its head.
    pub status: Status,
    /// The application's exit status (FastCGI §5.5); 0 if the application closed the connection
    /// after the end of STDOUT without telling one.
    pub app_status: u32,
    /// The length of the body in bytes.
    pub length: u64,
    /// Whether the body has the expected text; so it is if none is expected.
    pub has_text: bool,
    /// The time from the start of connecting to the end of the request.
    pub elapsed: Duration,
}

/// Why there is no answer.
#[derive(Debug)]
#[non_exhaustive]
pub enum RequestError {
    /// A variable is longer than FastCGI can say (§3.4), or a body cannot be read.
    Local(io::Error),
    /// The application cannot be connected to, at this address.
    Connect(Address, io::Error),
    /// The connection did not bring an end of the request.
    Failed(Failure),
    /// The application refused the request (FastCGI §5.5).
    Refused(ProtocolStatus),
    /// What STDOUT began with is no head of a CGI response (RFC 3875 §6).
    Head {
        /// What is wrong with it.
        error: ParseError,
        /// The application's exit status.
        app_status: u32,
    },
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RequestError::Local(error) => error.fmt(f),
            RequestError::Connect(address, error) => {
                write!(f, "cannot connect to {address}: {error}")
            }
            RequestError::Failed(failure) => failure.fmt(f),
            RequestError::Refused(status) => write!(f, "the request was refused: {status}"),
            RequestError::Head { error, app_status } => {
                write!(f, "malformed answer: {error}")?;
                if *app_status != 0 {
                    write!(f, "; appStatus {app_status}")?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for RequestError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            RequestError::Local(error) | RequestError::Connect(_, error) => Some(error),
            RequestError::Failed(failure) => Some(failure),
            RequestError::Head { error, .. } => Some(error),
            RequestError::Refused(_) => None,
        }
    }
}

impl Request {
    /// A request to a Responder without a body, of which any status below 400 is a good answer.
    #[must_use]
    pub fn new(address: Address, variables: Variables) -> Request {
        Request {
            address,
            role: Role::Responder,
            variables,
            body: Input::Empty,
            content_type: "application/octet-stream".to_owned(),
            data: Input::Empty,
            data_last_mod: 0,
            timeout: Duration::from_secs(30),
            expected_status: None,
            expected_text: None,
        }
    }

    /// Takes a file as a Filter's DATA, with the time of its last change.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub fn filter_file(&mut self, path: &Path) -> io::Result<()> {
        let changed = path.metadata()?.modified()?;
        let since = changed.duration_since(std::time::UNIX_EPOCH);
        self.data_last_mod = since.map_or(0, |since| since.as_secs());
        self.data = Input::file(path)?;
        Ok(())
    }

    /// Sends the request on a connection of its own and hands out what comes back while it comes:
    /// STDOUT to `receive`, STDERR to `stderr`.
    ///
    /// # Errors
    ///
    /// [`RequestError`]. Part of the answer may have been handed out.
    pub fn run(
        &self,
        receive: &mut dyn Receive,
        stderr: &mut dyn Write,
    ) -> Result<Response, RequestError> {
        let started = Instant::now();
        let params = self.params().map_err(RequestError::Local)?;
        let body = self.body.source().map_err(RequestError::Local)?;
        let data = self.data.source().map_err(RequestError::Local)?;
        let stream = Stream::connect(&self.address, Some(self.timeout));
        let stream = stream.map_err(|error| RequestError::Connect(self.address.clone(), error))?;
        let left = self.timeout.saturating_sub(started.elapsed());
        let mut stdout = Stdout::new(receive, self.expected_text.as_deref());
        let outcome = exchange::Request::new(self.role, &params)
            .stdin(body)
            .data(data)
            .timeout(Some(left))
            .run(&stream, Sink::Writer(&mut stdout), Sink::Writer(stderr));
        let app_status = outcome.as_ref().ok().and_then(|outcome| outcome.app_status);
        let app_status = app_status.unwrap_or(0);
        if let Some(error) = stdout.malformed() {
            return Err(RequestError::Head { error, app_status });
        }
        let outcome = outcome.map_err(RequestError::Failed)?;
        if outcome.protocol_status != ProtocolStatus::REQUEST_COMPLETE {
            return Err(RequestError::Refused(outcome.protocol_status));
        }
        let status = stdout.finish();
        let status = status.map_err(|error| RequestError::Head { error, app_status })?;
        Ok(Response {
            status,
            app_status,
            length: stdout.length(),
            has_text: stdout.has_text(),
            elapsed: started.elapsed(),
        })
    }

    /// Whether that is what was expected.
    #[must_use]
    pub fn verdict(&self, outcome: &Result<Response, RequestError>) -> Verdict {
        match outcome {
            Ok(response) => {
                let code = response.status.code();
                let is_expected = match self.expected_status {
                    Some(expected) => code == expected,
                    None => code < 400,
                };
                if !is_expected {
                    Verdict::Status
                } else if response.app_status != 0 {
                    Verdict::AppStatus
                } else if !response.has_text {
                    Verdict::Text
                } else {
                    Verdict::Good
                }
            }
            Err(error) => Verdict::of(error),
        }
    }

    /// The PARAMS stream.
    fn params(&self) -> io::Result<Vec<u8>> {
        let mut variables = self.variables.clone();
        if let Some(length) = self.body.length() {
            variables = variables.body(length, &self.content_type);
        }
        let mut pairs = variables.pairs_for(self.role);
        if self.role == Role::Filter {
            let length = self.data.length().unwrap_or(0);
            let data = [
                ("FCGI_DATA_LAST_MOD", self.data_last_mod),
                ("FCGI_DATA_LENGTH", length),
            ];
            for (name, number) in data {
                if !pairs.iter().any(|(other, _)| other == name.as_bytes()) {
                    pairs.push((name.into(), number.to_string().into()));
                }
            }
        }
        encode(&pairs).map_err(io::Error::other)
    }
}
