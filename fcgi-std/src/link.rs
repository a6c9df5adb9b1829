//! What a request is read from and answered to.

use std::io;
use std::sync::Arc;

use fcgi_listen::{Credentials, Peer};

use crate::cgi::Process;
use crate::gate::Admission;
use crate::pool::Pool;
use crate::rules::Rules;
use crate::session::Session;

/// The connection of a FastCGI request, or the process of a CGI request.
#[derive(Clone)]
pub(crate) enum Link {
    FastCgi {
        session: Arc<Session>,
        pool: Arc<Pool>,
    },
    Cgi(Arc<Process>),
}

/// The input streams of a handler.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum InputStream {
    Stdin,
    Data,
}

/// The output streams of a handler.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OutputStream {
    Stdout,
    Stderr,
}

impl Link {
    pub(crate) fn rules(&self) -> &Rules {
        match self {
            Link::FastCgi { pool, .. } => &pool.context().rules,
            Link::Cgi(process) => process.rules(),
        }
    }

    pub(crate) fn peer(&self) -> Option<Peer> {
        match self {
            Link::FastCgi { session, .. } => Some(session.peer),
            Link::Cgi(_) => None,
        }
    }

    pub(crate) fn peer_credentials(&self) -> io::Result<Option<Credentials>> {
        match self {
            Link::FastCgi { session, .. } => session.stream.peer_credentials(),
            Link::Cgi(_) => Ok(None),
        }
    }

    /// Hands out input: shows `take` what is there, which says how much it took. Zero at the end of
    /// the stream.
    pub(crate) fn read(
        &self,
        stream: InputStream,
        take: impl FnMut(&[u8]) -> usize,
    ) -> io::Result<usize> {
        match self {
            Link::FastCgi { session, .. } => session.read(stream, self.rules(), take),
            Link::Cgi(process) => process.read(stream, take),
        }
    }

    /// Sends output, waiting as long as it is not taken.
    pub(crate) fn write(&self, stream: OutputStream, bytes: &[u8]) -> io::Result<()> {
        match self {
            Link::FastCgi { session, .. } => session.write(stream, bytes, self.rules()),
            Link::Cgi(process) => process.write(stream, bytes),
        }
    }

    /// Waits until all output has been taken.
    pub(crate) fn flush(&self) -> io::Result<()> {
        match self {
            Link::FastCgi { session, .. } => session.drain_outbox(0, self.rules()),
            // Nothing waits.
            Link::Cgi(_) => Ok(()),
        }
    }

    /// Looks whether the web server has given up the request, without waiting.
    pub(crate) fn is_aborted(&self) -> bool {
        match self {
            Link::FastCgi { session, .. } => session.is_aborted(),
            Link::Cgi(process) => process.is_aborted(),
        }
    }

    /// Whether it is known that the web server will not have the rest of the answer.
    pub(crate) fn is_given_up(&self) -> bool {
        match self {
            Link::FastCgi { session, .. } => session.lock().is_given_up(),
            Link::Cgi(process) => process.is_aborted(),
        }
    }

    /// Sends the rest of STDOUT and ends the request.
    pub(crate) fn finish(
        &self,
        stdout: &[u8],
        app_status: u32,
        admission: Option<Admission>,
    ) -> io::Result<()> {
        match self {
            Link::FastCgi { session, pool } => {
                let finished = session.finish(stdout, app_status, admission, self.rules());
                pool.release(session);
                finished
            }
            Link::Cgi(process) => process.finish(stdout, app_status),
        }
    }
}
