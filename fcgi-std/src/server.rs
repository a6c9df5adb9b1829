//! A server: listeners, rules, and the ways to run it.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use fcgi_core::params::Limits;
use fcgi_listen::{Address, Listener, WebServerAddrs, inherited};

use crate::context::{Context, Report};
use crate::incident::Incident;
use crate::poller::Mode;
use crate::pool::{Next, Pool};
use crate::request::Request;
use crate::rules::{FOREVER, Rules};
use crate::workers;

/// A FastCGI application: where it listens, and the rules by which it serves.
///
/// Build it, then run it in one of two ways: [`serve`](Server::serve) calls a handler for each
/// request, on worker threads; [`requests`](Server::requests) gives them one by one to a loop of
/// your own.
///
/// ```no_run
/// use std::io::Write;
///
/// fn main() -> std::io::Result<()> {
///     fcgi_std::Server::bind("127.0.0.1:9000")?.serve(|request| {
///         request.header("Content-Type", "text/plain")?;
///         writeln!(request.stdout, "Hello, {}!", request.params.text("REMOTE_ADDR"))
///     })
/// }
/// ```
///
/// # What occupies a thread
///
/// A handler, and nothing else: connections between requests, heads that trickle in, responses
/// whose last bytes the web server is slow to take and connections that are being closed all wait
/// together, whatever the number of threads. A handler that reads a slow body or writes to a slow
/// reader holds its thread until a deadline passes; hence the number of threads grows with need
/// ([`workers`](Server::workers)), and bodies can be collected before the handler is called
/// ([`buffer_body`](Server::buffer_body)).
///
/// One request at a time is served on each connection, in order; to a web server that asks, the
/// application says so (FCGI_MPXS_CONNS=0).
#[must_use = "a server does nothing until it is run"]
pub struct Server {
    listeners: Vec<Listener>,
    rules: Rules,
    workers: (usize, usize),
    allowed: Option<WebServerAddrs>,
    report: Box<Report>,
    control: Arc<Control>,
}

/// Stops a server from any thread; see [`Server::handle`].
#[derive(Clone)]
pub struct Handle(Arc<Control>);

/// Standard error may be gone; that must not stop a worker, as the panic of `eprintln` would.
fn print(incident: &Incident) {
    let _ = writeln!(io::stderr(), "fastcgi: {incident}");
}

/// What a handle and its server share.
#[derive(Default)]
pub(crate) struct Control {
    state: Mutex<ControlState>,
}

#[derive(Default)]
struct ControlState {
    pool: Weak<Pool>,
    stop_until: Option<Instant>,
}

impl Handle {
    /// Begins a graceful stop: no new connections and no new requests; idle connections are closed;
    /// requests that run may go on for `patience` long, and what is left of them then is cut off.
    /// Returns at once; the server's own call returns when all is over.
    ///
    /// Calling it again with less patience shortens the stop.
    pub fn stop(&self, patience: Duration) {
        let until = Instant::now() + patience.min(FOREVER);
        let pool = {
            let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.stop_until = Some(until);
            state.pool.upgrade()
        };
        if let Some(pool) = pool {
            pool.stop(until);
        }
    }
}

impl Control {
    fn attach(&self, pool: &Arc<Pool>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.pool = Arc::downgrade(pool);
        if let Some(until) = state.stop_until {
            pool.stop(until);
        }
    }
}

/// Where to listen.
impl Server {
    /// Listens on an address: `127.0.0.1:9000`, `[::1]:9000`, `:9000`, `name:9000`,
    /// `/run/app.sock`, `unix:app.sock`; see [`Address`].
    ///
    /// # Errors
    ///
    /// The address is malformed or cannot be bound.
    pub fn bind(address: &str) -> io::Result<Server> {
        let address: Address = address.parse()?;
        Ok(Server::new(vec![Listener::bind(
            &address,
            &fcgi_listen::Options::new(),
        )?]))
    }

    /// Takes over what the parent process opened, descriptor 0 as the specification has it (§2.2)
    /// or `LISTEN_FDS` of systemd; if there is nothing, listens on `address`.
    ///
    /// Call it early in `main`, before there are other threads.
    ///
    /// # Errors
    ///
    /// The inherited descriptors are unusable, or the address is malformed or cannot be bound.
    pub fn inherited_or_bind(address: &str) -> io::Result<Server> {
        let listeners = inherited()?;
        if listeners.is_empty() {
            Server::bind(address)
        } else {
            Ok(Server::new(listeners))
        }
    }

    /// Serves listeners that are open already.
    pub fn new(listeners: Vec<Listener>) -> Server {
        Server {
            listeners,
            rules: Rules::default(),
            workers: (1, 16),
            allowed: None,
            report: Box::new(print),
            control: Arc::default(),
        }
    }

    /// The addresses on which the server listens, with the ports that the system chose for port 0.
    ///
    /// # Errors
    ///
    /// Those of getsockname(2).
    pub fn addresses(&self) -> io::Result<Vec<Address>> {
        self.listeners.iter().map(Listener::local_address).collect()
    }

    /// A handle to stop the server with.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle(Arc::clone(&self.control))
    }
}

/// The rules.
impl Server {
    /// How many threads call the handler: `least` from the start, up to `most` while all are busy.
    /// An extra thread ends after ten seconds without work. 1 to 16 unless set; equal numbers make
    /// a fixed pool; at least one.
    pub fn workers(mut self, least: usize, most: usize) -> Server {
        self.workers = (least.max(1), most.max(least).max(1));
        self
    }

    /// The most connections at the same time; 10,000 unless set. For one more, that which has been
    /// idle longest is closed; if none is idle, it waits in the listener's backlog.
    pub fn max_connections(mut self, most: usize) -> Server {
        self.rules.max_connections = most.max(1);
        self
    }

    /// The most requests at the same time, counting those whose parameters are still coming; 10,000
    /// unless set. One more gets a 503.
    pub fn max_requests(mut self, most: usize) -> Server {
        self.rules.max_requests = most;
        self
    }

    /// The most parameters of a request; 256 KiB and 1024 pairs unless set. Beyond that it gets a
    /// 431.
    pub fn params_limits(mut self, bytes: usize, pairs: usize) -> Server {
        self.rules.params = Limits { bytes, pairs };
        self
    }

    /// The longest body in bytes; no limit unless set, as bodies stream. A longer one gets a 413:
    /// before the handler is called if CONTENT_LENGTH tells, else when the handler returns the
    /// error that reading gave it.
    pub fn max_body(mut self, most: u64) -> Server {
        self.rules.max_body = Some(most);
        self
    }

    /// Collects bodies of up to so many bytes before the handler is called, so that a slow upload
    /// occupies no thread; 0, that is not at all, unless set. Of a longer one the handler gets the
    /// beginning from memory and the rest as it comes.
    pub fn buffer_body(mut self, most: usize) -> Server {
        self.rules.buffer_body = most;
        self
    }

    /// Whether a request that cannot be served is answered with a page that a browser can show (on
    /// unless set), or with a bare END_REQUEST that says FCGI_OVERLOADED (§5.5), which most web
    /// servers show as 502.
    pub fn readable_refusals(mut self, on: bool) -> Server {
        self.rules.readable_refusals = on;
        self
    }

    /// How long a request's parameters may take to come; 30 s unless set. Then the connection is
    /// closed.
    pub fn header_timeout(mut self, timeout: Duration) -> Server {
        self.rules.header_timeout = timeout.min(FOREVER);
        self
    }

    /// How long a connection may rest between requests; 120 s unless set.
    pub fn idle_timeout(mut self, timeout: Duration) -> Server {
        self.rules.idle_timeout = timeout.min(FOREVER);
        self
    }

    /// How long a handler that reads waits for input to come; 60 s unless set. Also how long a body
    /// that is collected first may take as a whole.
    pub fn body_timeout(mut self, timeout: Duration) -> Server {
        self.rules.body_timeout = timeout.min(FOREVER);
        self
    }

    /// How long the web server may take nothing of an answer; 60 s unless set.
    pub fn write_timeout(mut self, timeout: Duration) -> Server {
        self.rules.write_timeout = timeout.min(FOREVER);
        self
    }

    /// How many bytes of a request are read ahead while the web server does not take the answer; 1
    /// MiB unless set. Some web servers read nothing before they have sent the whole body, so a
    /// handler that answers while it reads needs this to be as large as the bodies are.
    pub fn read_ahead(mut self, most: usize) -> Server {
        self.rules.read_ahead = most;
        self
    }

    /// How much is read and thrown away of a body that the handler did not want, and for how long,
    /// when the connection is being closed; 1 MiB and 2 s unless set. Beyond those bytes nothing is
    /// read, so that a web server which sends on comes to a halt and looks at the answer; when it
    /// has closed its side, or the time is over, the connection is closed. Closing with input
    /// unread can cost the web server the answer.
    pub fn drain(mut self, bytes: usize, timeout: Duration) -> Server {
        self.rules.drain_bytes = bytes;
        self.rules.drain_timeout = timeout.min(FOREVER);
        self
    }

    /// How much of a form is taken; see [`form::Limits`](crate::form::Limits).
    pub fn form_limits(mut self, limits: crate::form::Limits) -> Server {
        self.rules.forms = limits;
        self
    }

    /// The directory in which large files of forms are kept while their requests run; the system's
    /// one for temporary files unless set ([`std::env::temp_dir`]), which may be in memory.
    pub fn spool_directory(mut self, directory: impl Into<PathBuf>) -> Server {
        self.rules.spool_directory = Some(directory.into());
        self
    }

    /// Who may connect; what FCGI_WEB_SERVER_ADDRS says unless set (§3.2).
    pub fn allow(mut self, web_servers: WebServerAddrs) -> Server {
        self.allowed = Some(web_servers);
        self
    }

    /// What to do with incidents; they are printed to standard error unless set.
    pub fn on_incident(mut self, report: impl Fn(&Incident) + Send + Sync + 'static) -> Server {
        self.report = Box::new(report);
        self
    }
}

/// The two ways to run.
impl Server {
    /// Calls `handler` for each request, until the server is stopped through its
    /// [`handle`](Server::handle).
    ///
    /// When the handler returns, the request is ended. When it returns an error or panics, the
    /// client gets a 500 if nothing was sent yet (for a [`form::Error`](crate::form::Error) its
    /// status), the web server an appStatus of 1, and the incident is reported; the thread goes on.
    ///
    /// # Errors
    ///
    /// FCGI_WEB_SERVER_ADDRS is malformed, the system gives no descriptors or threads to start
    /// with, or handlers were still running when the stop's patience was over.
    pub fn serve<F>(self, handler: F) -> io::Result<()>
    where
        F: Fn(&mut Request) -> io::Result<()> + Send + Sync + 'static,
    {
        let (least, most) = self.workers;
        let mode = if most == 1 {
            Mode::Level
        } else {
            Mode::OneShot
        };
        let pool = self.start(mode)?;
        workers::run(&pool, least, most, handler)
    }

    /// Gives the requests one by one to the caller's own loop. Several threads may share the
    /// result, and requests may be handled and finished in any thread.
    ///
    /// ```no_run
    /// # use std::io::Write;
    /// let requests = fcgi_std::Server::inherited_or_bind("/run/app.sock")?.requests()?;
    /// while let Some(mut request) = requests.accept()? {
    ///     request.header("Content-Type", "text/plain")?;
    ///     writeln!(request.stdout, "one after the other")?;
    ///     request.finish()?;
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// FCGI_WEB_SERVER_ADDRS is malformed, or the system gives no descriptors.
    pub fn requests(self) -> io::Result<Requests> {
        Ok(Requests {
            pool: self.start(Mode::OneShot)?,
        })
    }

    fn start(self, mode: Mode) -> io::Result<Arc<Pool>> {
        let allowed = match self.allowed {
            Some(allowed) => allowed,
            None => WebServerAddrs::from_env()
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?,
        };
        for listener in self
            .listeners
            .iter()
            .filter(|listener| !listener.is_inherited())
        {
            listener.set_nonblocking(true)?;
        }
        let context = Context::new(self.rules, self.report);
        let pool = Arc::new(Pool::new(context, mode, self.listeners, allowed)?);
        workers::accept_where_it_blocks(&pool)?;
        self.control.attach(&pool);
        Ok(pool)
    }
}

/// The requests of a server, for a loop of one's own; see [`Server::requests`].
pub struct Requests {
    pool: Arc<Pool>,
}

impl Requests {
    /// Waits for the next request whose parameters have come; `None` when the server was stopped
    /// and every request has ended.
    ///
    /// Meanwhile it serves what needs no handler on all connections.
    ///
    /// # Errors
    ///
    /// The system cannot wait any more; nothing that a web server does is an error here.
    pub fn accept(&self) -> io::Result<Option<Request>> {
        match self.pool.next(None)? {
            Next::Request(request) => Ok(Some(request)),
            Next::Idle | Next::Finished => Ok(None),
        }
    }
}
