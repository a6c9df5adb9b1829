//! How children are started and treated: the settings, checked.

use std::io;
use std::num::NonZeroU64;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{self, Stdio};
use std::time::Duration;

use fcgi_listen::Listener;

use crate::backoff::Pauses;
use crate::child::Running;
use crate::program::SUPERVISOR;
use crate::{Identity, Program};

/// Everything that stays the same while children are started.
#[derive(Debug)]
pub(crate) struct Plan {
    /// `None` when no more are.
    pub(crate) listener: Option<Listener>,
    pub(crate) program: Program,
    pub(crate) children: usize,
    pub(crate) identity: Identity,
    pub(crate) allow_root: bool,
    pub(crate) max_requests: Option<NonZeroU64>,
    pub(crate) settle: Duration,
    pub(crate) patience: Duration,
    pub(crate) pauses: Pauses,
}

impl Plan {
    /// Whether children may be started at all.
    pub(crate) fn check(&self) -> io::Result<()> {
        if self.children == 0 {
            let text = "a supervisor needs at least one child";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        if self.identity.is_root() && !self.allow_root {
            let text = "the children would run as root; give another user, or allow it";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
        }
        Ok(())
    }

    pub(crate) fn start_child(&self) -> io::Result<Running> {
        let listener = self.listener.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        // A clone of the descriptor alone: the path of the socket stays the listener's.
        let socket = listener.as_fd().try_clone_to_owned();
        let socket = socket.map_err(|error| self.explain(&error))?;
        let mut command = self.program.command();
        command
            .stdin(Stdio::from(socket))
            .env(SUPERVISOR, process::id().to_string())
            // All who share the socket run one program. If it can do without blocking, no child is
            // ever caught inside accept(2) by its stop, with a connection that it cannot serve.
            .env("FCGI_LISTENER_NONBLOCKING", "1")
            // A group of its own: the terminal's Ctrl-C reaches the supervisor alone.
            .process_group(0);
        if let Some(max_requests) = self.max_requests {
            command.env("FCGI_MAX_REQUESTS", max_requests.to_string());
        }
        self.identity.apply(&mut command);
        Running::start(&mut command).map_err(|error| self.explain(&error))
    }

    fn explain(&self, error: &io::Error) -> io::Error {
        let mut text = format!("cannot run {}", self.program);
        // What is not found or not allowed may be that.
        if let Some(directory) = self.program.directory() {
            text += &format!(" in {}", directory.display());
        }
        if self.identity != Identity::default() {
            text += &format!(" as {}", self.identity);
        }
        io::Error::new(error.kind(), format!("{text}: {error}"))
    }
}
