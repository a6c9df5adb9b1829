//! A loop that owns its `Poll`.

use std::io;
use std::num::NonZeroU64;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use fcgi_listen::{Address, Listener, inherited, inherited_max_requests};
use mio::{Events, Poll};

use crate::deferred::{Inbox, Shared};
use crate::event_loop::Loop;
use crate::hall::Hall;
use crate::handle::Handle;
use crate::retirement::Retirement;
use crate::service::{Service, whole};
use crate::settings::Settings;
use crate::web_server::{self, Outgoing};
use crate::{Request, Response};

/// So many events are taken at a time.
const EVENTS: usize = 1024;

/// The tokens of the loop in its own `Poll`; outgoing connections have the others.
const OWN_TOKENS: Range<usize> = 0..usize::MAX / 2;

/// A FastCGI application: where it listens, and one thread that serves.
///
/// ```no_run
/// fn main() -> std::io::Result<()> {
///     fcgi_mio::Server::bind("127.0.0.1:9000")?.serve(|request, response| {
///         response.header("Content-Type", "text/plain")?;
///         response.write("Hello, ")?;
///         response.write(request.param("REMOTE_ADDR").unwrap_or(b"whoever you are"))
///     })
/// }
/// ```
#[must_use = "a server does nothing until it is run"]
pub struct Server {
    part: Part,
    /// After how many requests whoever has started the process wants it to retire.
    max_requests: Option<NonZeroU64>,
}

/// What one loop is made of.
pub(crate) struct Part {
    pub(crate) listeners: Vec<Listener>,
    pub(crate) settings: Settings,
    pub(crate) shared: Arc<Shared>,
    pub(crate) inbox: Inbox,
    pub(crate) seat: Option<Seat>,
    pub(crate) retirement: Option<Arc<Retirement>>,
}

/// A loop's place at an acceptor.
pub(crate) struct Seat {
    pub(crate) hall: Arc<Hall>,
    pub(crate) index: usize,
}

impl Seat {
    /// A connection has ended.
    pub(crate) fn left(&self) {
        self.hall.left(self.index);
    }

    /// Whether the loop has no connection, also none on its way, and will get none.
    pub(crate) fn is_free(&self) -> bool {
        self.hall.is_free(self.index)
    }
}

impl Server {
    /// Listens on an address: `127.0.0.1:9000`, `[::1]:9000`, `:9000`, `name:9000`,
    /// `/run/app.sock`, `unix:app.sock`; see [`Address`].
    ///
    /// # Errors
    ///
    /// The address is malformed or cannot be bound, or the system gives no descriptors.
    pub fn bind(address: &str) -> io::Result<Server> {
        let address: Address = address.parse()?;
        let listener = Listener::bind(&address, &fcgi_listen::Options::new())?;
        Server::new(vec![listener])
    }

    /// Takes over what the parent process opened, descriptor 0 as the specification has it (§2.2)
    /// or `LISTEN_FDS` of systemd; if there is nothing, listens on `address`.
    ///
    /// A process that inherits its listeners also heeds FCGI_MAX_REQUESTS, by which a supervisor
    /// asks it to [retire](Settings::retire_after), unless the settings say something else.
    ///
    /// Call it early in `main`, before there are other threads.
    ///
    /// # Errors
    ///
    /// The inherited descriptors are unusable, FCGI_MAX_REQUESTS is malformed, or as
    /// [`bind`](Server::bind).
    pub fn inherited_or_bind(address: &str) -> io::Result<Server> {
        let listeners = inherited()?;
        if listeners.is_empty() {
            return Server::bind(address);
        }
        let mut server = Server::new(listeners)?;
        server.max_requests = inherited_max_requests()?;
        Ok(server)
    }

    /// Serves listeners that are open already. They are made non-blocking, for all processes that
    /// share them, and so are those that are inherited.
    ///
    /// # Errors
    ///
    /// The system gives no descriptors.
    pub fn new(listeners: Vec<Listener>) -> io::Result<Server> {
        let (shared, inbox) = Shared::new()?;
        let part = Part {
            listeners,
            settings: Settings::new(),
            shared,
            inbox,
            seat: None,
            retirement: None,
        };
        Ok(Server {
            part,
            max_requests: None,
        })
    }

    /// Serves by these settings.
    pub fn settings(mut self, settings: Settings) -> Server {
        self.part.settings = settings;
        self
    }

    /// The addresses on which the server listens, with the ports that the system chose for port 0.
    ///
    /// # Errors
    ///
    /// Those of getsockname(2).
    pub fn addresses(&self) -> io::Result<Vec<Address>> {
        self.part
            .listeners
            .iter()
            .map(Listener::local_address)
            .collect()
    }

    /// Stops the server and reads its counters from any thread.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle::new(vec![Arc::clone(&self.part.shared)], None)
    }

    /// Calls `handler` for each whole request, until the server is stopped through its
    /// [`handle`](Server::handle), by a [signal](Handle::stop_on_signals) if it heeds any, or by
    /// so many [requests](Settings::retire_after).
    ///
    /// # Errors
    ///
    /// As [`run`](Server::run).
    pub fn serve<F>(self, handler: F) -> io::Result<()>
    where
        F: FnMut(&Request<'_>, &mut Response<'_>) -> io::Result<()>,
    {
        self.run(whole(handler))
    }

    /// Serves with a [`Service`], until the server is stopped through its
    /// [`handle`](Server::handle).
    ///
    /// # Errors
    ///
    /// FCGI_WEB_SERVER_ADDRS is malformed, the system gives no descriptors to start with or cannot
    /// wait any more, or `TimedOut` when requests were still running at the end of a stop's
    /// patience. Nothing that a web server does is an error here.
    pub fn run<S: Service>(self, service: S) -> io::Result<()> {
        self.into_part().run(service)
    }

    /// As [`run`](Server::run), with connections to other applications in the same loop: `make`
    /// makes the service, whose handlers can keep [`Application`]s to send requests to.
    ///
    /// [`Application`]: crate::web_server::Application
    ///
    /// # Errors
    ///
    /// As [`run`](Server::run).
    pub fn run_with<S: Service>(
        self,
        settings: web_server::Settings,
        make: impl FnOnce(&Outgoing) -> S,
    ) -> io::Result<()> {
        let poll = Poll::new()?;
        let tokens = OWN_TOKENS.end..usize::MAX;
        let outgoing = Outgoing::new(poll.registry(), tokens, settings)?;
        let service = make(&outgoing);
        let inner = Loop::with(self.into_part(), poll.registry(), OWN_TOKENS, service)?;
        drive(poll, inner, Some(outgoing))
    }

    fn into_part(self) -> Part {
        let most = self.part.settings.retire_after.or(self.max_requests);
        let retirement = Retirement::after(most, self.handle());
        Part {
            retirement,
            ..self.part
        }
    }
}

impl Part {
    pub(crate) fn run<S: Service>(self, service: S) -> io::Result<()> {
        let poll = Poll::new()?;
        let inner = Loop::with(self, poll.registry(), OWN_TOKENS, service)?;
        drive(poll, inner, None)
    }
}

/// Runs a loop to its end, and outgoing connections beside it.
fn drive<S: Service>(
    mut poll: Poll,
    mut inner: Loop<S>,
    mut outgoing: Option<Outgoing>,
) -> io::Result<()> {
    let mut events = Events::with_capacity(EVENTS);
    while !inner.is_finished() {
        let mut wait = inner.patience();
        if let Some(deadline) = outgoing.as_ref().and_then(Outgoing::next_deadline) {
            let left = deadline.saturating_duration_since(Instant::now());
            wait = Some(wait.map_or(left, |wait| wait.min(left)));
        }
        match poll.poll(&mut events, wait) {
            // Signals may come so often that deadlines pass and no wait comes to its end.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => result?,
        }
        inner.look_at_clock();
        for event in &events {
            if !inner.take(event) {
                if let Some(outgoing) = &mut outgoing {
                    outgoing.ready(event);
                }
            }
        }
        inner.work();
        if let Some(outgoing) = &mut outgoing {
            outgoing.expired();
        }
    }
    if inner.has_cut() {
        return Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "requests were still running when the patience of the stop was over",
        ));
    }
    Ok(())
}
