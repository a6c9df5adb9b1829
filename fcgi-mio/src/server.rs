//! A loop that owns its `Poll`.

use std::io;
use std::sync::Arc;

use fcgi_listen::{Address, Listener, inherited};
use mio::unix::pipe;
use mio::{Events, Poll};

use crate::deferred::{Handle, Shared};
use crate::event_loop::Loop;
use crate::service::{Service, whole};
use crate::settings::Settings;
use crate::{Request, Response};

/// So many events are taken at a time.
const EVENTS: usize = 1024;

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
    listeners: Vec<Listener>,
    settings: Settings,
    shared: Arc<Shared>,
    receiver: pipe::Receiver,
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
    /// Call it early in `main`, before there are other threads.
    ///
    /// # Errors
    ///
    /// The inherited descriptors are unusable, or as [`bind`](Server::bind).
    pub fn inherited_or_bind(address: &str) -> io::Result<Server> {
        let listeners = inherited()?;
        if listeners.is_empty() {
            Server::bind(address)
        } else {
            Server::new(listeners)
        }
    }

    /// Serves listeners that are open already.
    ///
    /// # Errors
    ///
    /// The system gives no descriptors.
    pub fn new(listeners: Vec<Listener>) -> io::Result<Server> {
        let (shared, receiver) = Shared::new()?;
        Ok(Server {
            listeners,
            settings: Settings::new(),
            shared,
            receiver,
        })
    }

    /// Serves by these settings.
    pub fn settings(mut self, settings: Settings) -> Server {
        self.settings = settings;
        self
    }

    /// The addresses on which the server listens, with the ports that the system chose for port 0.
    ///
    /// # Errors
    ///
    /// Those of getsockname(2).
    pub fn addresses(&self) -> io::Result<Vec<Address>> {
        self.listeners.iter().map(Listener::local_address).collect()
    }

    /// Stops the server and reads its counters from any thread.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle(Arc::clone(&self.shared))
    }

    /// Calls `handler` for each whole request, until the server is stopped through its
    /// [`handle`](Server::handle).
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
        let mut poll = Poll::new()?;
        let mut events = Events::with_capacity(EVENTS);
        let mut inner = Loop::with(
            self.shared,
            self.receiver,
            poll.registry(),
            0..usize::MAX,
            self.listeners,
            self.settings,
            service,
        )?;
        while !inner.is_finished() {
            match poll.poll(&mut events, inner.patience()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                result => result?,
            }
            inner.look_at_clock();
            for event in &events {
                inner.take(event);
            }
            inner.work();
        }
        if inner.has_cut() {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "requests were still running when the patience of the stop was over",
            ));
        }
        Ok(())
    }
}
