//! One running child.

use std::io;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// A child process, the leader of its own process group.
///
/// If the value is dropped before the child's end is known, as in a panic, the group is killed.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    started: Instant,
    ended: bool,
}

/// The end of a child.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub(crate) pid: u32,
    /// `None` if other code has taken it.
    pub(crate) status: Option<ExitStatus>,
    pub(crate) after: Duration,
}

impl End {
    pub(crate) fn is_success(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }
}

impl Running {
    /// The command must make a process group of its own.
    pub(crate) fn start(command: &mut Command) -> io::Result<Self> {
        Ok(Self {
            child: command.spawn()?,
            started: Instant::now(),
            ended: false,
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How the child has ended, if it has. Leaves no zombie; to be called no more then.
    pub(crate) fn end(&mut self) -> Option<End> {
        let status = match self.child.try_wait() {
            Ok(None) => return None,
            Ok(status) => status,
            // It is not our child any more: somebody else has waited for it.
            Err(_) => None,
        };
        self.ended = true;
        Some(End {
            pid: self.pid(),
            status,
            after: self.started.elapsed(),
        })
    }

    /// Sends the child a signal. What it has started is its own business.
    pub(crate) fn signal(&self, signal: Signal) {
        // Nobody has waited for the child, so the id is still its own, even if it has just ended.
        let _ = kill_process(Pid::from_child(&self.child), signal);
    }

    /// Kills the child and all of its group.
    pub(crate) fn kill(&self) {
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended {
            self.kill();
            let _ = self.child.wait();
        }
    }
}
