//! Why a request could not be carried through.

use std::error::Error;
use std::fmt;
use std::io;

use fcgi_core::SendError;

use super::Progress;

/// A request that was not carried through: the connection has to be closed.
#[derive(Debug)]
pub struct Failure {
    /// What went wrong.
    pub reason: Reason,
    /// What had flowed before.
    pub progress: Progress,
}

/// What went wrong.
#[derive(Debug)]
#[non_exhaustive]
pub enum Reason {
    /// The application closed the connection before it had answered.
    ClosedEarly,
    /// The application broke the protocol.
    Protocol(fcgi_core::Error),
    /// The connection to the application failed.
    Connection(io::Error),
    /// STDIN could not be read from its source.
    Stdin(io::Error),
    /// DATA could not be read from its source.
    Data(io::Error),
    /// The sink of STDOUT took no more, such as a pipe whose reader has gone.
    Stdout(io::Error),
    /// The whole request took too long.
    Timeout,
    /// Nothing flowed for too long.
    Silence,
    /// This side would have broken the protocol.
    Send(SendError),
}

impl Failure {
    /// The kind of error that this is for one who only knows those of [`std::io`].
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        match &self.reason {
            Reason::ClosedEarly => io::ErrorKind::UnexpectedEof,
            Reason::Protocol(_) => io::ErrorKind::InvalidData,
            Reason::Connection(error)
            | Reason::Stdin(error)
            | Reason::Data(error)
            | Reason::Stdout(error) => error.kind(),
            Reason::Timeout | Reason::Silence => io::ErrorKind::TimedOut,
            Reason::Send(_) => io::ErrorKind::InvalidInput,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::ClosedEarly => {
                f.write_str("the application closed the connection before it had answered")
            }
            Reason::Protocol(error) => write!(f, "the application broke the protocol: {error}"),
            Reason::Connection(error) => {
                write!(f, "the connection to the application failed: {error}")
            }
            Reason::Stdin(error) => write!(f, "the body cannot be read: {error}"),
            Reason::Data(error) => write!(f, "the data cannot be read: {error}"),
            Reason::Stdout(error) => write!(f, "the output cannot be passed on: {error}"),
            Reason::Timeout => f.write_str("the request took too long"),
            Reason::Silence => f.write_str("nothing was sent or received for too long"),
            Reason::Send(error) => write!(f, "the request cannot be sent: {error}"),
        }
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.reason {
            Reason::Protocol(error) => Some(error),
            Reason::Connection(error)
            | Reason::Stdin(error)
            | Reason::Data(error)
            | Reason::Stdout(error) => Some(error),
            Reason::Send(error) => Some(error),
            Reason::ClosedEarly | Reason::Timeout | Reason::Silence => None,
        }
    }
}
