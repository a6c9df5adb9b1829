//! A supervisor in a thread of its own.

use std::io;
use std::panic;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::Handle;

/// A running supervisor, made by [`Supervisor::start`](crate::Supervisor::start).
///
/// When it is dropped, the children are stopped with the supervisor's patience, and waited for.
#[derive(Debug)]
#[must_use = "when this is dropped, the children are stopped"]
pub struct Supervised {
    pub(crate) handle: Handle,
    pub(crate) patience: Duration,
    /// `None` when it was waited for.
    pub(crate) thread: Option<JoinHandle<io::Result<()>>>,
}

impl Supervised {
    /// Another means to control the supervisor, which may outlive this.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// As [`Handle::reload`]; does not wait.
    pub fn reload(&self) {
        self.handle.reload();
    }

    /// As [`Handle::stop`]; does not wait.
    pub fn stop(&self, patience: Duration) {
        self.handle.stop(patience);
    }

    /// Waits until somebody has stopped the supervisor and all children have ended.
    ///
    /// # Errors
    ///
    /// The supervisor could not go on; the children were killed.
    ///
    /// # Panics
    ///
    /// If the callback for events has panicked, with what it said; the children were killed.
    pub fn wait(mut self) -> io::Result<()> {
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(panic)) => panic::resume_unwind(panic),
            None => Ok(()),
        }
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.handle.stop(self.patience);
            // Nobody is there to be told of an error.
            let _ = thread.join();
        }
    }
}
