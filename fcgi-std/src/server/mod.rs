//! A server: listeners, rules, and the ways to run it.

mod handle;
mod requests;
mod settings;

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use fcgi_listen::{Address, Listener, WebServerAddrs, inherited, inherited_max_requests};

pub use self::handle::Handle;
pub use self::requests::Requests;

use self::requests::Source;
use crate::cgi::Process;
use crate::context::{Context, Report};
use crate::incident::Incident;
use crate::poller::Mode;
use crate::pool::Pool;
use crate::request::Request;
use crate::rules::Rules;
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
    /// Nobody passed a listener on: this is a CGI process.
    is_cgi: bool,
    rules: Rules,
    workers: (usize, usize),
    allowed: Option<WebServerAddrs>,
    report: Box<Report>,
    handle: Handle,
    /// How patient a stop by a signal is, if signals are heeded.
    signals: Option<Duration>,
}

/// With `1` the starter says that whoever shares the listening socket copes with its not blocking,
/// as a supervisor knows whose processes all run one program.
const NONBLOCKING: &str = "FCGI_LISTENER_NONBLOCKING";

/// Standard error may be gone; that must not stop a worker, as the panic of `eprintln` would.
fn print(incident: &Incident) {
    let _ = writeln!(io::stderr(), "fastcgi: {incident}");
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
        match Server::inherited()? {
            Some(server) => Ok(server),
            None => Server::bind(address),
        }
    }

    /// Takes over what the parent process opened; if there is nothing, this is a CGI process, which
    /// serves the one request that its environment and its standard input tell of, and answers on
    /// standard output (RFC 3875). So one binary is both (§2.2).
    ///
    /// Run by hand, such a program is a CGI program whose request has no variables but those of the
    /// shell: it prints its page.
    ///
    /// As a CGI process it has its response for itself: what is printed past it, as by
    /// [`std::println!`], goes to standard error. No timeout is its own; the web server has those.
    ///
    /// Call it early in `main`, before there are other threads.
    ///
    /// # Errors
    ///
    /// The inherited descriptors are unusable.
    pub fn inherited_or_cgi() -> io::Result<Server> {
        let server = Server::inherited()?;
        Ok(server.unwrap_or_else(|| Server {
            is_cgi: true,
            ..Server::new(Vec::new())
        }))
    }

    /// Finds out how the process was started: takes over what the parent process opened; if there
    /// is nothing and a web server runs it as a CGI program, is that; if not, listens on `address`,
    /// which may come from the command line; without one it is a CGI program run by hand.
    ///
    /// ```no_run
    /// let address = std::env::args().nth(1);
    /// let server = fcgi_std::Server::detect(address.as_deref())?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// In a CGI program the command line has words of the client's query (RFC 3875 §4.4): it is
    /// not looked at there.
    ///
    /// # Errors
    ///
    /// Those of [`inherited_or_bind`](Server::inherited_or_bind).
    pub fn detect(address: Option<&str>) -> io::Result<Server> {
        let server = Server::inherited_or_cgi()?;
        match address {
            Some(address) if server.is_cgi && env::var_os("GATEWAY_INTERFACE").is_none() => {
                Server::bind(address)
            }
            _ => Ok(server),
        }
    }

    /// What the parent process opened, served by the rules that it set.
    fn inherited() -> io::Result<Option<Server>> {
        let listeners = inherited()?;
        if listeners.is_empty() {
            return Ok(None);
        }
        let mut server = Server::new(listeners);
        if let Some(most) = inherited_max_requests()? {
            server = server.retire_after(most);
        }
        Ok(Some(server))
    }

    /// Serves listeners that are open already.
    pub fn new(listeners: Vec<Listener>) -> Server {
        Server {
            listeners,
            is_cgi: false,
            rules: Rules::default(),
            workers: (1, 16),
            allowed: None,
            report: Box::new(print),
            handle: Handle::new(),
            signals: None,
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
        self.handle.clone()
    }

    /// Whether this process was started as a CGI program; see
    /// [`inherited_or_cgi`](Server::inherited_or_cgi).
    #[must_use]
    pub fn is_cgi(&self) -> bool {
        self.is_cgi
    }
}

/// The two ways to run.
impl Server {
    /// Calls `handler` for each request, until the server is stopped through its
    /// [`handle`](Server::handle), or by a [signal](Server::stop_on_signals).
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
        self.run(handler).map(drop)
    }

    /// As [`serve`](Server::serve), and says what the process should exit with: in a CGI process
    /// the exit status of its request, see [`Requests::exit_code`]; else success.
    ///
    /// # Errors
    ///
    /// As [`serve`](Server::serve).
    pub fn run<F>(self, handler: F) -> io::Result<ExitCode>
    where
        F: Fn(&mut Request) -> io::Result<()> + Send + Sync + 'static,
    {
        let (least, most) = self.workers;
        let mode = if most == 1 {
            Mode::Level
        } else {
            Mode::OneShot
        };
        let source = self.start(mode)?;
        match &source {
            Source::FastCgi { pool, handle } => {
                let served = workers::run(pool, least, most, handler);
                handle.end();
                served?;
            }
            Source::Cgi(process) => {
                if let Some(mut request) = process.accept()? {
                    workers::handle(&handler, &mut request, |incident| process.report(incident));
                }
            }
        }
        Ok(Requests(source).exit_code())
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
        self.start(Mode::OneShot).map(Requests)
    }

    fn start(self, mode: Mode) -> io::Result<Source> {
        if self.is_cgi {
            return Process::take_over(self.rules, self.report).map(Source::Cgi);
        }
        let allowed = match self.allowed {
            Some(allowed) => allowed,
            None => WebServerAddrs::from_env()?,
        };
        let others_cope = env::var_os(NONBLOCKING).is_some_and(|value| value == "1");
        for listener in &self.listeners {
            if others_cope || !listener.is_inherited() {
                listener.set_nonblocking(true)?;
            }
        }
        let context = Context::new(self.rules, self.report);
        let pool = Arc::new(Pool::new(context, mode, self.listeners, allowed)?);
        let handle = self.handle;
        // Before the signals: if this fails later, they find that there is no server.
        handle.attach(&pool);
        if let Some(patience) = self.signals {
            handle.watch_signals(patience)?;
        }
        pool.accept_where_it_blocks()?;
        Ok(Source::FastCgi { pool, handle })
    }
}

/// Serves requests however this process was started: as a FastCGI application on the listening
/// socket that it inherited, until it is told to stop, or as a CGI program, for one request.
///
/// Heeds SIGTERM, SIGINT and SIGUSR1 as a FastCGI application; a stop has 30 seconds. For other
/// rules make a [`Server::inherited_or_cgi`], of which this is the short form.
///
/// ```no_run
/// use std::io::Write;
///
/// fn main() -> std::io::Result<std::process::ExitCode> {
///     fcgi_std::run(|request| {
///         request.header("Content-Type", "text/plain")?;
///         writeln!(request.stdout, "Hello, {}!", request.params.text("REMOTE_ADDR"))
///     })
/// }
/// ```
///
/// # Errors
///
/// The inherited descriptors are unusable; and those of [`Server::serve`].
pub fn run<F>(handler: F) -> io::Result<ExitCode>
where
    F: Fn(&mut Request) -> io::Result<()> + Send + Sync + 'static,
{
    Server::inherited_or_cgi()?
        .stop_on_signals(Duration::from_secs(30))
        .run(handler)
}
