//! What the supervisor waits for: commands of handles, signals, ends of children.

use std::fmt;
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Replace the children.
    Reload,
    /// Stop within this time, or sooner.
    Stop(Duration),
    /// SIGTERM or SIGINT: stop; at once, if that was said before.
    Terminate,
    /// SIGUSR1: pass it on, then stop.
    Finish,
}

/// Controls a running supervisor from any thread.
#[derive(Clone)]
pub struct Handle {
    commands: Sender<Command>,
    wake: Arc<UnixStream>,
}

impl Handle {
    /// Replaces the children by new ones, as SIGHUP does. During a replacement it is remembered for
    /// afterwards, once.
    pub fn reload(&self) {
        self.send(Command::Reload);
    }

    /// Stops the children by SIGTERM, and those that have not ended after `patience` by SIGKILL. A
    /// second call can only shorten the time.
    pub fn stop(&self, patience: Duration) {
        self.send(Command::Stop(patience));
    }

    fn send(&self, command: Command) {
        // Without a receiver the supervisor has stopped already.
        if self.commands.send(command).is_ok() {
            // If there is no room for another byte, there is enough to wake it.
            let _ = (&*self.wake).write(&[0]);
        }
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

/// One end of a socket pair, to which handles and signal handlers write.
pub(crate) struct Inbox {
    // Keeps a flag for each signal, in memory that a forked child does not share. So a signal that
    // reaches a child between fork and exec, where it still has our handlers, is never ours.
    signals: SignalDelivery<UnixStream, SignalOnly>,
    numbers: &'static [i32],
    commands: Receiver<Command>,
}

impl Inbox {
    /// Listens to SIGCHLD, and if `obey_signals` to those that command.
    pub(crate) fn open(obey_signals: bool) -> io::Result<(Inbox, Handle)> {
        let (reader, writer) = UnixStream::pair()?;
        writer.set_nonblocking(true)?;
        let wake = Arc::new(writer.try_clone()?);
        let numbers: &'static [i32] = if obey_signals {
            &[SIGCHLD, SIGHUP, SIGINT, SIGTERM, SIGUSR1]
        } else {
            &[SIGCHLD]
        };
        let signals = SignalDelivery::with_pipe(reader, writer, SignalOnly, numbers)?;
        let (sender, commands) = mpsc::channel();
        let handle = Handle {
            commands: sender,
            wake,
        };
        let inbox = Inbox {
            signals,
            numbers,
            commands,
        };
        Ok((inbox, handle))
    }

    /// Lets the signals come to this thread. Whoever started the process may have had them blocked,
    /// which exec does not undo; no end of a child would ever be noticed.
    pub(crate) fn unblock(&self) -> io::Result<()> {
        let mut set = SigSet::empty();
        for number in self.numbers {
            set.add(Signal::try_from(*number)?);
        }
        Ok(set.thread_unblock()?)
    }

    /// Waits for anything to happen, or for the deadline; the commands that have come. There may be
    /// none, as when a child has ended.
    pub(crate) fn wait(&mut self, deadline: Option<Instant>) -> io::Result<Vec<Command>> {
        // A time that the system cannot express is as good as none.
        let timeout = deadline
            .map(|deadline| deadline.saturating_duration_since(Instant::now()))
            .and_then(|timeout| Timespec::try_from(timeout).ok());
        let mut descriptors = [PollFd::new(self.signals.get_read(), PollFlags::IN)];
        match rustix::event::poll(&mut descriptors, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        // The pipe is emptied before what it tells of is looked at, so nothing is slept through.
        let mut commands: Vec<_> = self.signals.pending().filter_map(command).collect();
        commands.extend(self.commands.try_iter());
        Ok(commands)
    }
}

fn command(signal: i32) -> Option<Command> {
    match signal {
        SIGHUP => Some(Command::Reload),
        SIGINT | SIGTERM => Some(Command::Terminate),
        SIGUSR1 => Some(Command::Finish),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn commands_wake_and_none_is_lost() {
        const COMMANDS: usize = 10_000;
        let (mut inbox, handle) = Inbox::open(false).unwrap();
        let sender = thread::spawn(move || {
            for _ in 0..COMMANDS {
                handle.reload();
            }
            handle.stop(Duration::ZERO);
        });
        let mut seen = Vec::new();
        while seen.last() != Some(&Command::Stop(Duration::ZERO)) {
            seen.extend(inbox.wait(None).unwrap());
        }
        sender.join().unwrap();
        assert_eq!(seen.len(), COMMANDS + 1);
        assert!(seen[..COMMANDS].iter().all(|c| *c == Command::Reload));
    }

    #[test]
    fn a_deadline_ends_the_wait() {
        let (mut inbox, _handle) = Inbox::open(false).unwrap();
        let soon = Instant::now() + Duration::from_millis(20);
        // SIGCHLD of other tests may wake it before.
        while Instant::now() < soon {
            assert_eq!(inbox.wait(Some(soon)).unwrap(), []);
        }
    }
}
