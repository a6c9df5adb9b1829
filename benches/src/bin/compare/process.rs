//! Servers as child processes: started with a listening socket, pinned, and asked what they cost.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use fcgi_listen::{Address, Listener, Options};
use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// How long a server may take to stop before it is killed.
const PATIENCE: Duration = Duration::from_secs(10);

/// Which cores are for whom: two of those that this process may use.
#[derive(Clone, Copy)]
pub(crate) struct Cores {
    pub(crate) server: usize,
    pub(crate) generator: usize,
}

impl Cores {
    /// `None` where there is one core alone, so that nothing is pinned.
    pub(crate) fn find() -> io::Result<Option<Cores>> {
        let allowed = sched_getaffinity(None)?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core));
        Ok(match (cores.next(), cores.next()) {
            (Some(server), Some(generator)) => Some(Cores { server, generator }),
            _ => None,
        })
    }
}

/// Pins this thread, and what it starts from here on, to a core.
pub(crate) fn pin(core: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    Ok(sched_setaffinity(None, &set)?)
}

/// The kind of socket that servers listen on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Transport {
    Unix,
    Tcp,
}

/// A running server. It is stopped when this is dropped.
pub(crate) struct Running {
    child: Child,
    pub(crate) address: Address,
    // Removes the socket's path.
    _listener: Listener,
}

impl Running {
    /// Starts `words` with a new listening socket as descriptor 0. The socket listens already, so
    /// that nobody has to wait for the server.
    pub(crate) fn start(
        words: &[String],
        blocks: bool,
        transport: Transport,
        scratch: &Path,
        cores: Option<Cores>,
    ) -> io::Result<Running> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let address = match transport {
            Transport::Unix => {
                let count = COUNT.fetch_add(1, Ordering::Relaxed);
                Address::Unix(scratch.join(format!("{count}.sock")))
            }
            Transport::Tcp => Address::Ip(([127, 0, 0, 1], 0).into()),
        };
        let listener = Listener::bind(&address, &Options::new())?;
        listener.set_nonblocking(!blocks)?;
        let address = listener.local_address()?;
        let inherited: OwnedFd = listener.as_fd().try_clone_to_owned()?;
        let (program, arguments) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        if let Some(cores) = cores {
            // A child begins on its parent's cores.
            pin(cores.server)?;
        }
        let child = Command::new(program)
            .args(arguments)
            .stdin(inherited)
            // They tell of connections that the end of a run has cut.
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        if let Some(cores) = cores {
            pin(cores.generator)?;
        }
        Ok(Running {
            child: child?,
            address,
            _listener: listener,
        })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> io::Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Sends SIGTERM to process `id`, the server's or one that it was started through, and waits
    /// for the end.
    pub(crate) fn stop(mut self, id: u32) -> io::Result<()> {
        self.terminate(id)
    }

    fn terminate(&mut self, id: u32) -> io::Result<()> {
        if self.child.try_wait()?.is_some() {
            return Ok(());
        }
        if let Some(pid) = i32::try_from(id).ok().and_then(Pid::from_raw) {
            // It may have ended in this moment.
            let _ = kill_process(pid, Signal::TERM);
        }
        let deadline = Instant::now() + PATIENCE;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > deadline {
                self.child.kill()?;
                self.child.wait()?;
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let id = self.id();
        // There is nobody left to tell.
        let _ = self.terminate(id);
    }
}

/// The time that all threads of a process have run, in nanoseconds: the first number of each
/// `/proc/PID/task/TID/schedstat`. The time of a thread that is running is brought up to date with
/// each tick of the scheduler.
pub(crate) fn cpu_time(id: u32) -> io::Result<u64> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{id}/task"))? {
        let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else {
            // That thread has ended.
            continue;
        };
        let time = text
            .split_whitespace()
            .next()
            .and_then(|time| time.parse::<u64>().ok());
        sum += time.ok_or_else(|| io::Error::other("schedstat holds no number"))?;
    }
    Ok(sum)
}

/// The most memory that a process has had resident, in KiB.
pub(crate) fn peak_memory(id: u32) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok())
        .ok_or_else(|| io::Error::other("the process has no peak of memory"))
}

/// The processes that a process has started.
pub(crate) fn children(id: u32) -> io::Result<Vec<u32>> {
    let text = fs::read_to_string(format!("/proc/{id}/task/{id}/children"))?;
    Ok(text
        .split_whitespace()
        .filter_map(|child| child.parse().ok())
        .collect())
}
