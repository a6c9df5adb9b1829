//! What the bridge says when there is no answer: to the log, to the client, to who started it.

use std::ffi::OsString;
use std::fmt;
use std::io;

use fcgi_core::ProtocolStatus;
use fcgi_core::cgi::Status;
use fcgi_listen::Address;

use super::starter::StartError;
use crate::exchange::Reason;

/// Why a request was not served. `Display` is for the log; the client gets the [`page`].
///
/// [`page`]: Problem::page
#[derive(Debug)]
pub(super) enum Problem {
    /// The arguments, perhaps those of a command file, are wrong.
    Arguments(clap::Error),
    /// FCGI_ROLE names none.
    Role(OsString),
    /// A variable is longer than the protocol can say.
    Variable(OsString),
    /// Nobody listens, or nobody answers.
    Unreachable(Address, io::Error),
    /// The application could not be started.
    NotStarted(StartError),
    /// The application took no request.
    Refused(ProtocolStatus),
    /// The request was not carried through.
    Failed(Reason),
}

/// Exit statuses of a bridge that failed: clap's, and some of sysexits(3).
const USAGE: u8 = 2;
const UNAVAILABLE: u8 = 69;
const SOFTWARE: u8 = 70;
const IO_ERROR: u8 = 74;
const PROTOCOL: u8 = 76;

impl Problem {
    pub(super) fn exit_status(&self) -> u8 {
        match self {
            Problem::Arguments(_) => USAGE,
            Problem::Role(_) | Problem::Variable(_) => SOFTWARE,
            Problem::Unreachable(..) | Problem::NotStarted(_) | Problem::Refused(_) => UNAVAILABLE,
            Problem::Failed(Reason::Stdin(_) | Reason::Data(_) | Reason::Stdout(_)) => IO_ERROR,
            Problem::Failed(_) => PROTOCOL,
        }
    }

    /// A whole CGI response (RFC 3875 §6) that tells the client what it may know.
    pub(super) fn page(&self) -> String {
        let (status, reason) = self.told();
        format!(
            "Status: {status}\r\nContent-Type: text/plain; charset=utf-8\r\n\
             Cache-Control: no-store\r\n\r\n{status}\n\n{reason}\n"
        )
    }

    fn told(&self) -> (Status, &'static str) {
        match self {
            Problem::Arguments(_) | Problem::Role(_) | Problem::Variable(_) => (
                Status::INTERNAL_SERVER_ERROR,
                "The request cannot be passed on to the application.",
            ),
            Problem::Unreachable(..) | Problem::NotStarted(_) => (
                Status::SERVICE_UNAVAILABLE,
                "The application cannot be reached.",
            ),
            Problem::Refused(ProtocolStatus::OVERLOADED | ProtocolStatus::CANT_MPX_CONN) => (
                Status::SERVICE_UNAVAILABLE,
                "The application is overloaded.",
            ),
            Problem::Refused(_) => (
                Status::BAD_GATEWAY,
                "The application does not serve such requests.",
            ),
            Problem::Failed(Reason::Stdin(_) | Reason::Data(_) | Reason::Stdout(_)) => (
                Status::INTERNAL_SERVER_ERROR,
                "The request or its response was lost on its way.",
            ),
            Problem::Failed(Reason::Timeout | Reason::Silence) => (
                Status::GATEWAY_TIMEOUT,
                "The application did not answer in time.",
            ),
            Problem::Failed(_) => (
                Status::BAD_GATEWAY,
                "The application did not answer as it should.",
            ),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Arguments(error) => f.write_str(&in_one_line(error)),
            Problem::Role(text) => write!(
                f,
                "FCGI_ROLE is {text:?} and not RESPONDER, AUTHORIZER or FILTER"
            ),
            Problem::Variable(name) => {
                write!(f, "the variable {name:?} is too long for the protocol")
            }
            Problem::Unreachable(address, error) => {
                write!(f, "cannot connect to {address}: {error}")
            }
            Problem::NotStarted(error) => error.fmt(f),
            Problem::Refused(status) => write!(f, "the application refused the request: {status}"),
            Problem::Failed(reason) => reason.fmt(f),
        }
    }
}

/// What is wrong with the arguments, without the hints that follow after an empty line.
fn in_one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let lines = text.lines().take_while(|line| !line.is_empty());
    let line = lines.map(str::trim).collect::<Vec<_>>().join(" ");
    line.strip_prefix("error: ").unwrap_or(&line).to_owned()
}
