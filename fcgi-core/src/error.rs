//! What can go wrong, by blame: the peer ([`Error`]), this side ([`SendError`]), or one request
//! ([`Refusal`]).

use core::fmt;

use crate::cgi::Status;
use crate::wire::{ProtocolStatus, RecordType, RequestId};

/// The peer broke the protocol.
///
/// Nothing that follows on the connection can be trusted: close it. The error is sticky, every
/// later call returns it again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Error {
    /// A record's version is not 1 (§3.3).
    Version {
        /// Byte 0 of the header.
        version: u8,
    },
    /// A record that belongs to a request has the null id (§3.3).
    NullRequestId {
        /// Its type.
        record_type: RecordType,
    },
    /// The body of a discrete record is shorter than the structure it must hold (§5.1, §5.5, §4.2).
    ShortBody {
        /// Its type.
        record_type: RecordType,
        /// Its request id.
        request_id: u16,
        /// Its content length in bytes; 8 are needed.
        content_length: u16,
    },
    /// BEGIN_REQUEST for an id that is active (§3.3).
    ActiveRequest {
        /// The id.
        id: RequestId,
    },
    /// A stream before its turn: PARAMS, then STDIN, then DATA (§6.1).
    OutOfOrder {
        /// The request.
        id: RequestId,
        /// The stream that came too early.
        record_type: RecordType,
    },
    /// A stream went on after the empty record that ended it (§3.3).
    AfterEnd {
        /// The request.
        id: RequestId,
        /// The stream.
        record_type: RecordType,
    },
    /// A record that only this side may send (§8).
    WrongDirection {
        /// Its request id.
        request_id: u16,
        /// Its type.
        record_type: RecordType,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Version { version } => {
                write!(
                    f,
                    "record of version {version}, only version 1 exists (§3.3)"
                )
            }
            Error::NullRequestId { record_type } => {
                write!(f, "{record_type} with the null request id (§3.3)")
            }
            Error::ShortBody {
                record_type,
                request_id,
                content_length,
            } => write!(
                f,
                "{record_type} of request {request_id} with a body of {content_length} bytes, \
                 8 are needed (§5)"
            ),
            Error::ActiveRequest { id } => {
                write!(
                    f,
                    "FCGI_BEGIN_REQUEST for request {id}, which is active (§3.3)"
                )
            }
            Error::OutOfOrder { id, record_type } => {
                write!(f, "{record_type} of request {id} before its turn (§6.1)")
            }
            Error::AfterEnd { id, record_type } => {
                write!(
                    f,
                    "{record_type} of request {id} after the end of that stream (§3.3)"
                )
            }
            Error::WrongDirection {
                request_id,
                record_type,
            } => {
                write!(
                    f,
                    "{record_type} of request {request_id} in the wrong direction (§8)"
                )
            }
        }
    }
}

impl core::error::Error for Error {}

/// This side asked for something that the protocol does not allow.
///
/// Nothing was sent and nothing changed; the connection is still good.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SendError {
    /// The id is not active: never begun, already ended, or refused (§3.3).
    NotActive {
        /// The id.
        id: RequestId,
    },
    /// Before the stream's turn: output before the end of PARAMS (a Filter's: of STDIN), or input
    /// streams out of order (§6.1).
    TooEarly {
        /// The request.
        id: RequestId,
        /// The stream.
        record_type: RecordType,
    },
    /// The stream has ended (§3.3).
    Ended {
        /// The request.
        id: RequestId,
        /// The stream.
        record_type: RecordType,
    },
    /// The role has no such stream (§6).
    NotOfRole {
        /// The request.
        id: RequestId,
        /// The stream.
        record_type: RecordType,
    },
    /// A request can be refused only as long as nothing was answered (§5.5).
    AlreadyAnswered {
        /// The request.
        id: RequestId,
    },
    /// As many requests are active as the connection has room for.
    Full,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SendError::NotActive { id } => write!(f, "request {id} is not active (§3.3)"),
            SendError::TooEarly { id, record_type } => {
                write!(f, "too early for {record_type} of request {id} (§6.1)")
            }
            SendError::Ended { id, record_type } => {
                write!(f, "{record_type} of request {id} has ended (§3.3)")
            }
            SendError::NotOfRole { id, record_type } => {
                write!(f, "the role of request {id} has no {record_type} (§6)")
            }
            SendError::AlreadyAnswered { id } => {
                write!(
                    f,
                    "request {id} was answered and can't be refused any more (§5.5)"
                )
            }
            SendError::Full => f.write_str("no room for another request on this connection"),
        }
    }
}

impl core::error::Error for SendError {}

/// Why one request is not served. Other requests on the connection go on.
///
/// [`protocol_status`](Refusal::protocol_status) is the only way from a reason to a number on the
/// wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Refusal {
    /// This connection serves one request at a time, and one is active.
    CantMultiplex,
    /// Too many requests at once: on this connection, in this loop, or in this process.
    Overloaded,
    /// The application does not serve this role.
    UnknownRole,
    /// The PARAMS stream has more bytes than the application takes.
    ParamsTooLong {
        /// The most bytes it takes.
        limit: usize,
    },
    /// The PARAMS stream has more pairs than the application takes.
    TooManyParams {
        /// The most pairs it takes.
        limit: usize,
    },
    /// The PARAMS stream ends inside a pair (§3.4).
    MalformedParams {
        /// Where in the stream, in bytes, the pair begins that is not whole.
        at: usize,
    },
}

impl Refusal {
    /// What END_REQUEST says (§5.5).
    #[must_use]
    pub const fn protocol_status(self) -> ProtocolStatus {
        match self {
            Refusal::CantMultiplex => ProtocolStatus::CANT_MPX_CONN,
            Refusal::Overloaded | Refusal::ParamsTooLong { .. } | Refusal::TooManyParams { .. } => {
                ProtocolStatus::OVERLOADED
            }
            Refusal::UnknownRole => ProtocolStatus::UNKNOWN_ROLE,
            Refusal::MalformedParams { .. } => ProtocolStatus::REQUEST_COMPLETE,
        }
    }

    /// The status of the page that a browser can be shown instead of a bare END_REQUEST; see
    /// [`cgi::error_response`](crate::cgi::error_response).
    #[must_use]
    pub const fn status(self) -> Status {
        match self {
            Refusal::MalformedParams { .. } => Status::BAD_REQUEST,
            Refusal::ParamsTooLong { .. } | Refusal::TooManyParams { .. } => {
                Status::REQUEST_HEADER_FIELDS_TOO_LARGE
            }
            Refusal::CantMultiplex | Refusal::Overloaded | Refusal::UnknownRole => {
                Status::SERVICE_UNAVAILABLE
            }
        }
    }

    /// What appStatus says: 1 for a request that was taken and failed, else 0.
    #[must_use]
    pub const fn app_status(self) -> u32 {
        match self {
            Refusal::MalformedParams { .. } => 1,
            _ => 0,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::CantMultiplex => f.write_str("one request at a time on this connection"),
            Refusal::Overloaded => f.write_str("too many requests at once"),
            Refusal::UnknownRole => f.write_str("unknown role"),
            Refusal::ParamsTooLong { limit } => write!(f, "more than {limit} bytes of FCGI_PARAMS"),
            Refusal::TooManyParams { limit } => write!(f, "more than {limit} parameters"),
            Refusal::MalformedParams { at } => {
                write!(
                    f,
                    "FCGI_PARAMS end inside the pair that begins at byte {at} (§3.4)"
                )
            }
        }
    }
}

impl core::error::Error for Refusal {}
