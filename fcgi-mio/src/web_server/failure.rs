//! Why a request failed.

use std::error::Error;
use std::fmt;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use fcgi_core::ProtocolStatus;
use fcgi_listen::Address;

use super::Request;

/// A request that failed: which one, where, and why.
///
/// It is inside the `io::Error` that [`Receiver::end`](super::Receiver::end) gets, whose kind is
/// that of [`Cause::kind`]. `Display` names all three.
#[derive(Clone, Debug)]
pub struct Failure {
    request: String,
    address: Address,
    cause: Cause,
}

/// Why a request failed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Cause {
    /// There is no connection to the application: it is not there, or it refuses.
    Connect(Arc<io::Error>),
    /// As many requests as are allowed to wait are waiting already.
    QueueFull {
        /// How many that is.
        limit: usize,
    },
    /// No connection had room for it in time.
    NoRoomInTime,
    /// The application did not take the connection in time.
    ConnectTimedOut,
    /// The application was silent for too long.
    ResponseTimedOut,
    /// The connection broke.
    Broken(Arc<io::Error>),
    /// The application closed the connection before it answered anything.
    NotAnswered,
    /// The application closed the connection in the middle of the answer, without END_REQUEST.
    CutShort,
    /// The application broke the protocol.
    Protocol(fcgi_core::Error),
    /// The application refused the request (§5.5).
    Refused(ProtocolStatus),
    /// The body of the request could not be made.
    Body(Arc<io::Error>),
    /// The receiver did not take the answer.
    Receiver(Arc<io::Error>),
    /// The [`Outgoing`](super::Outgoing) is gone.
    Stopped,
}

impl Cause {
    /// The kind of the `io::Error`.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Cause::Connect(error)
            | Cause::Broken(error)
            | Cause::Body(error)
            | Cause::Receiver(error) => error.kind(),
            Cause::QueueFull { .. } => io::ErrorKind::QuotaExceeded,
            Cause::NoRoomInTime | Cause::ConnectTimedOut | Cause::ResponseTimedOut => {
                io::ErrorKind::TimedOut
            }
            Cause::NotAnswered | Cause::CutShort => io::ErrorKind::UnexpectedEof,
            Cause::Protocol(_) => io::ErrorKind::InvalidData,
            Cause::Refused(ProtocolStatus::UNKNOWN_ROLE) => io::ErrorKind::Unsupported,
            Cause::Refused(_) => io::ErrorKind::ResourceBusy,
            Cause::Stopped => io::ErrorKind::NotConnected,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Connect(error) => write!(f, "can't connect: {error}"),
            Cause::QueueFull { limit } => write!(f, "{limit} requests are waiting already"),
            Cause::NoRoomInTime => f.write_str("no connection had room for it in time"),
            Cause::ConnectTimedOut => f.write_str("connecting took too long"),
            Cause::ResponseTimedOut => f.write_str("the application was silent for too long"),
            Cause::Broken(error) => write!(f, "the connection broke: {error}"),
            Cause::NotAnswered => {
                f.write_str("the application closed the connection before it answered")
            }
            Cause::CutShort => f.write_str(
                "the application closed the connection without FCGI_END_REQUEST, \
                 the answer is cut short",
            ),
            Cause::Protocol(error) => write!(f, "the application broke the protocol: {error}"),
            Cause::Refused(status) => write!(f, "the application refused it: {status}"),
            Cause::Body(error) => write!(f, "the body of the request failed: {error}"),
            Cause::Receiver(error) => write!(f, "the answer was not taken: {error}"),
            Cause::Stopped => f.write_str("the event loop has stopped"),
        }
    }
}

impl Failure {
    pub(super) fn error(request: &Request, address: &Rc<Address>, cause: Cause) -> io::Error {
        let failure = Failure {
            request: request.label(),
            address: Address::clone(address),
            cause,
        };
        io::Error::new(failure.cause.kind(), failure)
    }

    /// Which request: its REQUEST_METHOD and REQUEST_URI, or SCRIPT_NAME, without control
    /// characters.
    #[must_use]
    pub fn request(&self) -> &str {
        &self.request
    }

    /// The application.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Why.
    #[must_use]
    pub fn cause(&self) -> &Cause {
        &self.cause
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}: {}", self.request, self.address, self.cause)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.cause {
            Cause::Connect(error)
            | Cause::Broken(error)
            | Cause::Body(error)
            | Cause::Receiver(error) => Some(error),
            Cause::Protocol(error) => Some(error),
            _ => None,
        }
    }
}
