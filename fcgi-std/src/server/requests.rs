//! The requests of a server, one by one.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;

use super::handle::Handle;
use crate::cgi::Process;
use crate::pool::{Next, Pool};
use crate::request::Request;

/// The requests of a server, for a loop of one's own; see
/// [`Server::requests`](super::Server::requests).
pub struct Requests(pub(super) Source);

/// Where requests come from.
pub(super) enum Source {
    FastCgi { pool: Arc<Pool>, handle: Handle },
    Cgi(Arc<Process>),
}

impl Requests {
    /// Waits for the next request whose parameters have come; `None` when the server was stopped
    /// and every request has ended, and in a CGI process after its one request.
    ///
    /// Meanwhile it serves what needs no handler on all connections.
    ///
    /// # Errors
    ///
    /// The system cannot wait any more; nothing that a web server does is an error here.
    pub fn accept(&self) -> io::Result<Option<Request>> {
        match &self.0 {
            Source::FastCgi { pool, handle } => match pool.next(None)? {
                Next::Request(request) => Ok(Some(request)),
                Next::Idle | Next::Finished => {
                    handle.end();
                    Ok(None)
                }
            },
            Source::Cgi(process) => process.accept(),
        }
    }

    /// Whether this process was started as a CGI program, for one request.
    #[must_use]
    pub fn is_cgi(&self) -> bool {
        matches!(self.0, Source::Cgi(_))
    }

    /// What the process should exit with after the loop: the exit status of the one request in a
    /// CGI process (its low 8 bits, or 255 where they are 0 and the status is not; 1 if none was set
    /// and the end of the response could not be written), else success.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match &self.0 {
            Source::FastCgi { .. } => ExitCode::SUCCESS,
            Source::Cgi(process) => process.exit_code(),
        }
    }
}
