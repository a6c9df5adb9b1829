//! What to supervise, and how.

use std::fmt;
use std::io::{self, Write};
use std::num::NonZeroU64;
use std::thread;
use std::time::Duration;

use fcgi_listen::Listener;

use crate::backoff::Pauses;
use crate::engine::Engine;
use crate::inbox::Inbox;
use crate::plan::Plan;
use crate::{Event, Identity, Program, Supervised};

/// Called for each event.
pub(crate) type Report = dyn FnMut(&Event) + Send;

/// A supervisor of child processes that share one listening socket.
///
/// [`run`](Self::run) takes over the thread and obeys signals, as a program that does nothing else
/// wants it; [`start`](Self::start) leaves both to the caller:
///
/// ```
/// use fcgi_listen::{Address, Listener, Options};
/// use fcgi_process::{Program, Supervisor};
/// use std::time::Duration;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let address: Address = "127.0.0.1:0".parse()?;
/// let listener = Listener::bind(&address, &Options::new())?;
/// let supervised = Supervisor::new(listener, Program::new("sleep").arg("1000"))
///     .children(2)
/// #   .allow_root(true)
///     .start()?;
/// supervised.stop(Duration::from_secs(5));
/// supervised.wait()?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a supervisor does nothing until it is run"]
pub struct Supervisor {
    plan: Plan,
    report: Box<Report>,
}

/// Standard error may be gone; that must not stop the supervisor, as the panic of `eprintln` would.
fn print(event: &Event) {
    let _ = writeln!(io::stderr(), "supervisor: {event}");
}

impl Supervisor {
    /// Supervises one child that runs the program, with the listener as its standard input.
    ///
    /// The supervisor drops the listener when it tells the children to end: the socket's path goes
    /// away then, if the listener was the one to make it, and the socket with the last process that
    /// holds it.
    pub fn new(listener: Listener, program: Program) -> Self {
        let plan = Plan {
            listener: Some(listener),
            program,
            children: 1,
            identity: Identity::default(),
            allow_root: false,
            max_requests: None,
            settle: Duration::from_secs(1),
            patience: Duration::from_secs(30),
            pauses: Pauses::new(Duration::from_millis(100), Duration::from_secs(10)),
        };
        Self {
            plan,
            report: Box::new(print),
        }
    }

    /// How many children, at least 1; 1 by default. For a moment in a replacement there are twice
    /// as many.
    pub fn children(mut self, count: usize) -> Self {
        self.plan.children = count;
        self
    }

    /// As whom the children run; by default as the supervisor does. Another user takes root.
    pub fn identity(mut self, identity: Identity) -> Self {
        self.plan.identity = identity;
        self
    }

    /// Whether children may run as root. By default the supervisor refuses that.
    pub fn allow_root(mut self, allow: bool) -> Self {
        self.plan.allow_root = allow;
        self
    }

    /// After how many requests a child is to end with status 0 and be replaced, as a remedy for
    /// leaks (FastCGI §7). Only the child can count them: it is told by the environment variable
    /// `FCGI_MAX_REQUESTS`. By default that is left as the supervisor was given it.
    pub fn max_requests(mut self, count: NonZeroU64) -> Self {
        self.plan.max_requests = Some(count);
        self
    }

    /// How long all new children must live before the old ones are told to end; 1 s by default. It
    /// should be what the program needs to notice that its configuration is broken.
    pub fn settle(mut self, time: Duration) -> Self {
        self.plan.settle = time;
        self
    }

    /// How long a child that was told to end may take before it is killed; 30 s by default.
    pub fn patience(mut self, time: Duration) -> Self {
        self.plan.patience = time;
        self
    }

    /// The first pause before a failed child is started again, at least 1 ms, and the longest; 100
    /// ms and 10 s by default.
    pub fn backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.plan.pauses = Pauses::new(first, longest);
        self
    }

    /// Where events go, instead of standard error. The supervisor waits while this runs. The first
    /// starts are told on the thread that calls [`start`](Self::start).
    pub fn on_event(mut self, report: impl FnMut(&Event) + Send + 'static) -> Self {
        self.report = Box::new(report);
        self
    }

    /// Supervises the children in a thread of its own. Of signals only SIGCHLD is handled, and the
    /// children have blocked what this thread has, as those of [`std::process`]: where that is
    /// SIGTERM, they do not hear of a stop.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for no children at all; `PermissionDenied` for children that would run as
    /// root; else that of the first child that cannot be started: none runs then. The text names
    /// the program, and its directory and user if they were set.
    pub fn start(self) -> io::Result<Supervised> {
        let (inbox, handle) = Inbox::open(false)?;
        let patience = self.plan.patience;
        let engine = Engine::start(self.plan, self.report)?;
        let thread = thread::Builder::new()
            .name("supervisor".to_owned())
            .spawn(move || {
                inbox.unblock()?;
                engine.run(inbox)
            })?;
        Ok(Supervised {
            handle,
            patience,
            thread: Some(thread),
        })
    }

    /// Supervises the children on this thread, until a signal has stopped them:
    ///
    /// - SIGHUP replaces the children.
    /// - SIGTERM and SIGINT stop them; the second kills them at once.
    /// - SIGUSR1 is passed on to the children, then as SIGTERM: web servers and starters of the
    ///   FastCGI Developer's Kit send it to ask for an end between two requests.
    ///
    /// These signals stay caught, and do nothing, when this has returned; the program should end.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start), or later if the system no longer allows to wait for anything; the
    /// children are killed then.
    pub fn run(self) -> io::Result<()> {
        let (inbox, _handle) = Inbox::open(true)?;
        // Before the children are started: they have the same blocked.
        inbox.unblock()?;
        Engine::start(self.plan, self.report)?.run(inbox)
    }
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervisor")
            .field("plan", &self.plan)
            .finish_non_exhaustive()
    }
}
