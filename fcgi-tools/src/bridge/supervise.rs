//! The supervisor: in the foreground, or in the background for a starter.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fcgi_listen::{Address, Listener, Options};
use fcgi_process::{Event, Identity, Program, Supervisor};
use rustix::fs::{Access, access};
use rustix::process::{Signal, getpid, kill_process};

use super::arguments::Arguments;
use super::complain;
use super::lock::Lock;
use super::starter::{AGAIN, BUSY, FAILED, READY, StartError};

/// How long to wait for another starter of the same socket.
const PATIENCE: Duration = Duration::from_secs(30);
/// A process that has lived so long did not fail at the start.
const SETTLE: Duration = Duration::from_secs(1);

/// Runs the application until a signal ends it.
pub(super) fn run(arguments: &Arguments) -> Result<(), StartError> {
    let starter = match arguments.detached {
        true => Starter::of_this_process()?,
        false => Starter::none(),
    };
    let result = supervise(arguments, &starter);
    if let Err(error) = &result {
        let word = match error.kind() {
            io::ErrorKind::AddrInUse if !is_no_socket(arguments.connect.as_ref()) => BUSY,
            _ => FAILED,
        };
        starter.tell(&format!("{word} {error}"));
    }
    Ok(result?)
}

fn supervise(arguments: &Arguments, starter: &Starter) -> io::Result<()> {
    let app = arguments.app.as_deref().map(in_this_directory);
    // Both are required by the definition of the command line.
    let (Some(app), Some(address)) = (app, &arguments.connect) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    access(&app, Access::EXEC_OK).map_err(|errno| {
        let error = io::Error::from(errno);
        io::Error::new(
            error.kind(),
            format!("cannot run {}: {error}", app.display()),
        )
    })?;
    let identity = Identity::new(arguments.user.as_deref(), arguments.group.as_deref())?;
    if !arguments.allow_root && identity.is_root() {
        let why = "it would run as root: give --user or, if that is meant, --allow-root";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    }
    let listener = listen(address, arguments)?;
    let mut supervisor = Supervisor::new(listener, Program::new(app))
        .children(arguments.count.get())
        .identity(identity)
        .allow_root(arguments.allow_root)
        .on_event({
            let mut beginning = Beginning::new(arguments);
            let starter = starter.clone();
            move |event| {
                complain(event);
                starter.follow(beginning.is(event));
            }
        });
    if let Some(most) = arguments.max_requests {
        supervisor = supervisor.max_requests(most);
    }
    supervisor.run()
}

fn listen(address: &Address, arguments: &Arguments) -> io::Result<Listener> {
    let mut options = Options::new();
    if let Some(mode) = arguments.socket_mode {
        options = options.unix_mode(mode);
    }
    if let Some(owner) = &arguments.socket_user {
        let owner: Identity = owner.parse()?;
        options = options.unix_owner(owner.uid(), owner.gid());
    }
    // A starter has the lock already.
    let _lock = match arguments.detached {
        true => None,
        false => Some(Lock::take(address, Instant::now() + PATIENCE)?),
    };
    Listener::bind(address, &options)
}

/// Whether something else than a socket lies at the path: nobody will ever listen there.
fn is_no_socket(address: Option<&Address>) -> bool {
    let Some(Address::Unix(path)) = address else {
        return false;
    };
    fs::symlink_metadata(path).is_ok_and(|metadata| !metadata.file_type().is_socket())
}

/// A program without a slash is one of the current directory, as in the kit: PATH is not searched.
fn in_this_directory(program: &Path) -> PathBuf {
    match program.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new(".").join(program),
        _ => program.to_owned(),
    }
}

/// How the first processes fare: what a starter wants to know.
struct Beginning {
    count: usize,
    started: usize,
    /// How much speaks against the process in each place.
    faults: BTreeMap<usize, u32>,
    /// Whether to end with success is what processes are told to do.
    ends_are_wanted: bool,
    is_over: bool,
}

/// With as much against the processes in all places, the application is given up: two crashes, as
/// one may be an accident, or six times the end of a program that may be none that serves, or one
/// that serves a single request.
const ENOUGH: u32 = 6;
const CRASH: u32 = 3;
const END: u32 = 1;

/// Something that a starter wants to know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum News {
    /// All processes run.
    Ready,
    /// One has ended as soon as it ran, and is started again.
    Again,
    /// All processes have ended as soon as they ran, again and again.
    Failed,
}

impl Beginning {
    fn new(arguments: &Arguments) -> Beginning {
        Beginning {
            count: arguments.count.get(),
            started: 0,
            faults: BTreeMap::new(),
            ends_are_wanted: arguments.max_requests.is_some(),
            is_over: false,
        }
    }

    fn is(&mut self, event: &Event) -> Option<News> {
        match *event {
            Event::Started { .. } => {
                self.started += 1;
                (self.started == self.count).then_some(News::Ready)
            }
            Event::Ended { after, .. } if after >= SETTLE => {
                self.is_over = true;
                None
            }
            Event::Ended {
                slot,
                status,
                restart: Some(pause),
                ..
            } if !self.is_over && !pause.is_zero() => {
                let fault = match status {
                    Some(status) if status.success() && self.ends_are_wanted => return None,
                    Some(status) if status.success() => END,
                    _ => CRASH,
                };
                *self.faults.entry(slot).or_default() += fault;
                let given_up = self.faults.values().filter(|&&faults| faults >= ENOUGH);
                Some(match given_up.count() == self.count {
                    true => News::Failed,
                    false => News::Again,
                })
            }
            _ => None,
        }
    }
}

/// Who waits for a word from this process, if anybody does.
#[derive(Clone, Debug)]
struct Starter(Option<Arc<File>>);

impl Starter {
    fn none() -> Starter {
        Starter(None)
    }

    /// Leaves the starter's session, and takes its pipe from standard output: the children would
    /// inherit it.
    fn of_this_process() -> io::Result<Starter> {
        rustix::process::setsid()?;
        let pipe = io::stdout().as_fd().try_clone_to_owned()?;
        rustix::stdio::dup2_stdout(File::options().write(true).open("/dev/null")?)?;
        Ok(Starter(Some(Arc::new(File::from(pipe)))))
    }

    /// Passes news on. A starter's application that does not run at all is given up: whoever
    /// connects would have to wait for it, and the next starter may find it mended.
    fn follow(&self, news: Option<News>) {
        let told = match news {
            None => return,
            Some(News::Ready) => READY.to_owned(),
            Some(News::Again) => AGAIN.to_owned(),
            Some(News::Failed) => format!("{FAILED} its processes end as soon as they run"),
        };
        if self.tell(&told) && news == Some(News::Failed) {
            // To be obeyed as if somebody else had sent it.
            let _ = kill_process(getpid(), Signal::TERM);
        }
    }

    /// One line; whether there is a starter, or was.
    fn tell(&self, line: &str) -> bool {
        let Some(pipe) = &self.0 else {
            return false;
        };
        // One that has not waited misses it.
        let _ = writeln!(&**pipe, "{}", line.replace('\n', " "));
        true
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;

    const STARTED: Event = Event::Started { slot: 1, pid: 2 };

    /// An end after a life of so many milliseconds, with this exit status.
    fn ended(slot: usize, after: u64, code: i32) -> Event {
        Event::Ended {
            slot,
            pid: 2,
            status: Some(ExitStatus::from_raw(code << 8)),
            after: Duration::from_millis(after),
            restart: Some(match code {
                0 if after >= 100 => Duration::ZERO,
                _ => Duration::from_millis(100),
            }),
        }
    }

    fn beginning(count: usize, ends_are_wanted: bool) -> Beginning {
        Beginning {
            count,
            started: 0,
            faults: BTreeMap::new(),
            ends_are_wanted,
            is_over: false,
        }
    }

    /// How many of these events it takes until the application is given up.
    fn events(mut beginning: Beginning, events: &[Event]) -> Option<usize> {
        events
            .iter()
            .position(|event| beginning.is(event) == Some(News::Failed))
    }

    #[test]
    fn ready_when_all_run() {
        let mut beginning = beginning(2, false);
        assert_eq!(beginning.is(&STARTED), None);
        assert_eq!(beginning.is(&STARTED), Some(News::Ready));
        assert_eq!(beginning.is(&STARTED), None, "another one is no news");
    }

    #[test]
    fn given_up_when_none_stays_alive() {
        let crash = |slot| ended(slot, 5, 1);
        assert_eq!(events(beginning(1, false), &[crash(1), crash(1)]), Some(1));
        let two = [crash(1), crash(1), crash(1), crash(2), crash(2)];
        assert_eq!(events(beginning(2, false), &two), Some(4));
        // One that has lived shows that it can.
        let lived = [crash(1), ended(1, 5000, 1), crash(1), crash(1), crash(1)];
        assert_eq!(events(beginning(1, false), &lived), None);
    }

    #[test]
    fn ends_with_success_weigh_less() {
        let ends = || (0..10).map(|_| ended(1, 5, 0)).collect::<Vec<_>>();
        assert_eq!(events(beginning(1, false), &ends()), Some(5));
        assert_eq!(events(beginning(1, true), &ends()), None);
        let served: Vec<_> = (0..10).map(|_| ended(1, 200, 0)).collect();
        assert_eq!(events(beginning(1, false), &served), None);
    }
}
