//! What a server has to say that belongs to no response.

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
    /// Accepting failed; the server pauses for a moment and goes on, without a listener that will
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
    /// A request was answered without calling the handler.
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
        /// For what the server waited.
        waiting_for: &'static str,
    },
    /// The web server gave the request up, because its client went away or it had enough of the
    /// answer; what the handler got as an error.
    Abandoned {
        /// The request.
        id: RequestId,
        /// What reading or writing said.
        error: io::Error,
    },
    /// The handler returned an error.
    HandlerFailed {
        /// The request.
        id: RequestId,
        /// What the handler returned.
        error: io::Error,
    },
    /// The handler panicked; the client got a 500 if nothing had been sent.
    HandlerPanicked {
        /// The request.
        id: RequestId,
        /// What the panic said.
        message: String,
    },
    /// A worker thread could not be started; the others go on.
    Thread(io::Error),
}

impl fmt::Display for Incident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Incident::Accept(error) => write!(f, "accepting failed: {error}"),
            Incident::Stranger(peer) => {
                write!(
                    f,
                    "{peer} is not in FCGI_WEB_SERVER_ADDRS, connection closed"
                )
            }
            Incident::Protocol { peer, error } => {
                write!(f, "protocol error of {peer}, connection closed: {error}")
            }
            Incident::Refused { id, reason } => write!(f, "request {id} refused: {reason}"),
            Incident::TimedOut { peer, waiting_for } => {
                write!(f, "{peer} timed out ({waiting_for}), connection closed")
            }
            Incident::Abandoned { id, error } => {
                write!(f, "request {id} was given up by the web server: ")?;
                one_line(f, &error.to_string())
            }
            Incident::HandlerFailed { id, error } => {
                write!(f, "handler of request {id} failed: ")?;
                one_line(f, &error.to_string())
            }
            Incident::HandlerPanicked { id, message } => {
                write!(f, "handler of request {id} panicked: ")?;
                one_line(f, message)
            }
            Incident::Thread(error) => write!(f, "can't start a worker thread: {error}"),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_whatever_the_text() {
        let message = format!("a\r\nforged: line\x1b[2J{}", "x".repeat(1000));
        let id = RequestId::ONE;
        let error = || io::Error::other(message.clone());
        let shown = r"a\r\nforged: line\u{1b}[2Jx";
        for (incident, what) in [
            (
                Incident::Abandoned { id, error: error() },
                "request 1 was given up by the web server: ",
            ),
            (
                Incident::HandlerFailed { id, error: error() },
                "handler of request 1 failed: ",
            ),
            (
                Incident::HandlerPanicked {
                    id,
                    message: message.clone(),
                },
                "handler of request 1 panicked: ",
            ),
        ] {
            let line = incident.to_string();
            assert!(line.starts_with(&format!("{what}{shown}")), "{line}");
            assert!(line.len() < 600 && !line.chars().any(char::is_control));
        }
    }
}
