//! The application as a child of the gateway: started with the listening socket as descriptor 0
//! (§2.2), started again when it ends, stopped at the end.

use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use fcgi_listen::{Address, Listener, Options};
use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::Instant;

use super::console::Console;
use super::pool::Pool;

/// The first pause before a new start; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A child that lived so long has the first pause again.
const HEALTHY: Duration = Duration::from_secs(10);
/// From this pause on requests are answered by a page instead of waiting for the next start.
const DOWN: Duration = Duration::from_millis(800);
/// How long a child may take to heed SIGTERM.
const TERM: Duration = Duration::from_secs(5);

/// The command, and the socket on which it listens.
pub(super) struct Program {
    program: OsString,
    arguments: Vec<OsString>,
    // Before its directory, as its path goes away first.
    listener: Listener,
    _directory: Option<TempDir>,
}

impl Program {
    /// Opens the socket: at `listen`, or in a directory that only this user may enter.
    pub(super) fn prepare(
        program: OsString,
        arguments: Vec<OsString>,
        listen: Option<&Address>,
    ) -> io::Result<Program> {
        let (directory, address) = match listen {
            Some(address) => (None, address.clone()),
            None => {
                let directory = tempfile::Builder::new().prefix("fcgi-").tempdir()?;
                let path = directory.path().join("app.sock");
                (Some(directory), Address::Unix(path))
            }
        };
        Ok(Program {
            program,
            arguments,
            listener: Listener::bind(&address, &Options::new())?,
            _directory: directory,
        })
    }

    /// Where to connect.
    pub(super) fn address(&self) -> io::Result<Address> {
        self.listener.local_address()
    }

    fn start(&self) -> io::Result<Running> {
        // A clone of the descriptor alone: the path of the socket stays the listener's.
        let socket = self.listener.as_fd().try_clone_to_owned()?;
        let child = Command::new(&self.program)
            .args(&self.arguments)
            .stdin(Stdio::from(socket))
            // A group of its own: the terminal's Ctrl-C reaches the gateway alone, which stops the
            // child when its requests are done.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        Ok(Running(child))
    }

    fn name(&self) -> std::borrow::Cow<'_, str> {
        self.program.to_string_lossy()
    }
}

/// A child; when it is dropped, it and all that it started are killed.
struct Running(Child);

impl Running {
    fn signal(&self, signal: Signal) {
        // There is an id as long as nobody has waited for the child's end, so it is no other's.
        let id = self.0.id().and_then(|id| i32::try_from(id).ok());
        if let Some(group) = id.and_then(Pid::from_raw) {
            // A child that has just ended is none to be signalled.
            let _ = kill_process_group(group, signal);
        }
    }

    async fn stop(mut self) {
        self.signal(Signal::TERM);
        // When it does not heed that, the drop kills it.
        let _ = tokio::time::timeout(TERM, self.0.wait()).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// Whether the application is there, as far as the gateway knows.
#[derive(Clone, Debug)]
pub(super) struct Health(Option<watch::Receiver<Option<String>>>);

impl Health {
    /// Of an application that somebody else runs.
    pub(super) fn unknown() -> Health {
        Health(None)
    }

    /// Why it is not there.
    pub(super) fn down(&self) -> Option<String> {
        self.0.as_ref()?.borrow().clone()
    }

    /// Waits until it is not there; says why.
    pub(super) async fn goes_down(&self) -> String {
        if let Some(mut down) = self.0.clone() {
            if let Ok(why) = down.wait_for(Option::is_some).await {
                return why.clone().unwrap_or_default();
            }
        }
        std::future::pending().await
    }
}

/// Starts the child and keeps it running in a task of its own.
///
/// An error is that of the first start: a command that does not exist will not exist later.
pub(super) fn supervise(
    program: Program,
    pool: Arc<Pool>,
    console: Console,
    mut stop: watch::Receiver<bool>,
) -> io::Result<(Health, tokio::task::JoinHandle<()>)> {
    let (state, health) = watch::channel(None);
    let first = program
        .start()
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", program.name())))?;
    let task = tokio::spawn(async move {
        let mut supervisor = Supervisor {
            program,
            pool,
            console,
            state,
            pause: FIRST_PAUSE,
        };
        let stopped = async move {
            // The gateway's end without a word counts as well.
            let _ = stop.wait_for(|stop| *stop).await;
        };
        tokio::pin!(stopped);
        let mut child = Some(first);
        loop {
            if let Some(mut running) = child.take() {
                let started = Instant::now();
                let status = tokio::select! {
                    status = running.0.wait() => status,
                    () = &mut stopped => return running.stop().await,
                };
                supervisor.ended(status, started.elapsed());
            }
            tokio::select! {
                () = tokio::time::sleep(supervisor.pause) => {}
                () = &mut stopped => return,
            }
            supervisor.pause = (supervisor.pause * 2).min(LONGEST_PAUSE);
            child = supervisor.start();
        }
    });
    Ok((Health(Some(health)), task))
}

struct Supervisor {
    program: Program,
    pool: Arc<Pool>,
    console: Console,
    /// Why the child is down.
    state: watch::Sender<Option<String>>,
    /// How long to wait before the next start.
    pause: Duration,
}

impl Supervisor {
    fn start(&mut self) -> Option<Running> {
        match self.program.start() {
            Ok(running) => {
                self.pool.forget();
                self.state.send_replace(None);
                Some(running)
            }
            Err(error) => {
                self.tell(&format!(
                    "{} cannot be started: {error}",
                    self.program.name()
                ));
                None
            }
        }
    }

    fn ended(&mut self, status: io::Result<ExitStatus>, lived: Duration) {
        if lived >= HEALTHY {
            self.pause = FIRST_PAUSE;
        }
        let how = status.map_or_else(|error| error.to_string(), describe);
        self.tell(&format!("{} has ended: {how}", self.program.name()));
    }

    fn tell(&self, what: &str) {
        let text = format!("{what}; it is started again in {:?}", self.pause);
        self.console.error(&format!("fcgi serve: {text}"));
        if self.pause >= DOWN {
            self.state.send_replace(Some(text));
        }
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => status.to_string(),
    }
}
