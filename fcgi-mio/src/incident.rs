//! What a loop has to say that belongs to no response.

use std::fmt;
use std::io;

use fcgi_core::{Error, Refusal, RequestId};
use fcgi_listen::Peer;

/// Something went wrong that only the operator can see.
///
/// `Display` gives one line without control characters, whatever the peer sent.
#[derive(Debug)]
#[non_exhaustive]
pub enum Incident {
    /// Accepting failed; the loop pauses for a moment and goes on, without a listener that will
    /// never accept anything any more.
    Accept(io::Error),
    /// A connection from an address that FCGI_WEB_SERVER_ADDRS does not list was closed.
    Stranger(Peer),
    /// The web server broke the protocol; its connection is closed.
    Protocol {
        /// Who.
        peer: Peer,
        /// How.
        error: Error,
    },
    /// A request was answered without calling a handler.
    Refused {
        /// The request.
        id: RequestId,
        /// Why.
        reason: Refusal,
    },
    /// A connection was closed because its peer kept it waiting too long.
    TimedOut {
        /// Who.
        peer: Peer,
        /// For what the loop waited.
        waiting_for: &'static str,
    },
    /// A handler, task or producer returned an error.
    HandlerFailed {
        /// The request.
        id: RequestId,
        /// What it returned.
        error: io::Error,
    },
    /// A handler, task or producer panicked; the client got a 500 if nothing had been sent.
    HandlerPanicked {
        /// The request.
        id: RequestId,
        /// What the panic said.
        message: String,
    },
}

impl fmt::Display for Incident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Incident::Accept(error) => write!(f, "accepting failed: {error}"),
            Incident::Stranger(peer) => write!(
                f,
                "{peer} is not in FCGI_WEB_SERVER_ADDRS, connection closed"
            ),
            Incident::Protocol { peer, error } => {
                write!(f, "protocol error of {peer}, connection closed: {error}")
            }
            Incident::Refused { id, reason } => write!(f, "request {id} refused: {reason}"),
            Incident::TimedOut { peer, waiting_for } => {
                write!(f, "{peer} timed out ({waiting_for}), connection closed")
            }
            Incident::HandlerFailed { id, error } => {
                write!(f, "handler of request {id} failed: ")?;
                one_line(f, &error.to_string())
            }
            Incident::HandlerPanicked { id, message } => {
                write!(f, "handler of request {id} panicked: ")?;
                one_line(f, message)
            }
        }
    }
}

/// At most 500 characters, with everything escaped that could forge a line or drive a terminal.
fn one_line(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    text.chars().take(500).try_for_each(|c| {
        if c.is_control() {
            write!(f, "{}", c.escape_default())
        } else {
            write!(f, "{c}")
        }
    })
}
