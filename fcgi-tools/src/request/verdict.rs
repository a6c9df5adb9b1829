//! Answers as numbers.

use std::io;

use crate::exchange::Reason;

use super::RequestError;

/// Whether an application is well; where several apply, the first of this order that does: the
/// request could not be carried through, status, appStatus, text.
///
/// The numbers are the exit codes of `fcgi request`. They do not change. 2 is the code for a wrong
/// command line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
#[non_exhaustive]
pub enum Verdict {
    /// The answer is as expected: without another expectation, a status below 400, and an appStatus
    /// of 0.
    Good = 0,
    /// This side failed: a body could not be read, or an answer not be written.
    Local = 1,
    /// The status is not the expected one.
    Status = 3,
    /// The application's exit status is not 0 (appStatus, FastCGI §5.5).
    AppStatus = 4,
    /// The application refused the request: FCGI_OVERLOADED, FCGI_CANT_MPX_CONN, FCGI_UNKNOWN_ROLE
    /// (FastCGI §5.5).
    Refused = 5,
    /// The application broke the protocol, sent no head of a response, or closed the connection
    /// too early.
    Protocol = 6,
    /// The application cannot be connected to.
    Connect = 7,
    /// It took too long.
    Timeout = 8,
    /// The body does not have the expected text.
    Text = 9,
}

impl Verdict {
    /// The number.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }

    /// What an error says about the application.
    #[must_use]
    pub fn of(error: &RequestError) -> Verdict {
        match error {
            RequestError::Local(_) => Verdict::Local,
            RequestError::Connect(_, error) if error.kind() == io::ErrorKind::TimedOut => {
                Verdict::Timeout
            }
            RequestError::Connect(..) => Verdict::Connect,
            RequestError::Refused(_) => Verdict::Refused,
            RequestError::Head { app_status: 0, .. } => Verdict::Protocol,
            RequestError::Head { .. } => Verdict::AppStatus,
            RequestError::Failed(failure) => match &failure.reason {
                Reason::Timeout | Reason::Silence => Verdict::Timeout,
                Reason::Stdin(_) | Reason::Data(_) | Reason::Stdout(_) | Reason::Send(_) => {
                    Verdict::Local
                }
                _ => Verdict::Protocol,
            },
        }
    }
}
