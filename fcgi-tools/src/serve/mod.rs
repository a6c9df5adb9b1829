//! `fcgi serve`: an HTTP/1.1 gateway for development. It shows a FastCGI application in a browser
//! without a web server being installed.
//!
//! ```text
//!   browser ── HTTP/1.1 ──► gateway ── FastCGI ──► application
//!                           hyper      fcgi_core::web_server
//!
//!   gateway      listens, serves connections, stops
//!   handler      one request: variables → attempts → head → response; follows local redirects
//!     request      its CGI variables, from its target, its headers and the settings of the site
//!     body         its body: streamed, or collected when its length is not known
//!     response     what the client gets;  page  what it gets when there is no answer
//!   pool         connections to the application; probe  asks how many requests one takes
//!     connection   a task that drives the protocol's machine; running, outbox  its parts
//!     pipe         the answer between that task and the handler, bounded
//!   child        the application as a child process
//!   console      what is printed;  access, stderr  the lines of a request
//! ```
//!
//! # What it does
//!
//! - Bodies stream both ways, at the same time: an answer can begin before the upload has ended,
//!   and an early answer stops the upload.
//! - A body of unknown length (chunked) is collected first, in a temporary file if it is long:
//!   CONTENT_LENGTH is right, or the request is refused.
//! - Connections to the application are kept ten seconds. They are shared by up to 64 requests if
//!   the application says that it multiplexes (FCGI_MPXS_CONNS, asked once at each start of the
//!   application, or when it could not be reached before).
//! - A client that goes away ends its request (FCGI_ABORT_REQUEST). When the application has ended it
//!   too, the connection is used again if the application multiplexes; others may take the record
//!   for an error and close.
//! - An application that refuses a request, or closes a kept connection before it has answered,
//!   gets the request once more if that is safe.
//! - Slow readers slow the application down: 256 KiB of an answer are kept for them, then the
//!   connection is not read any more. FastCGI has no flow control, so the other requests on a
//!   shared connection wait too, at most for the timeout; new ones use another one meanwhile. The
//!   reader itself may rest for as long as it likes.
//! - What the gateway changes of a response is only what HTTP asks for: no body for HEAD, 204 and
//!   304; a response that is shorter than its Content-Length ends in a broken connection, a longer
//!   one is cut.
//!
//! It is for development: no TLS, no files of its own, no caching, no limits on clients.

mod access;
mod body;
mod child;
mod connection;
pub(crate) mod console;
mod gateway;
mod handler;
mod outbox;
mod page;
mod pipe;
mod pool;
mod probe;
mod request;
mod response;
mod running;
mod site;
mod socket;
mod stderr;
pub(crate) mod target;

use std::ffi::OsString;
use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::task::Poll;
use std::time::Duration;

use fcgi_listen::Address;
use tokio::signal::unix::{SignalKind, signal};

pub use self::console::{Console, Line};
pub use self::gateway::Gateway;
pub use self::site::{Site, SiteError};

/// What a gateway serves, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen for HTTP; 127.0.0.1:8080 unless set.
    pub http: Address,
    /// The application.
    pub application: Application,
    /// What the application is told about the site.
    pub site: Site,
    /// How long a request may stand still, with neither side moving a byte; 60 seconds unless set.
    /// That a client does not read its answer for a while does not count.
    pub timeout: Duration,
    /// How long requests may go on after the gateway was told to stop; ten seconds unless set.
    pub grace: Duration,
    /// The longest body of unknown length that is collected, in bytes; 64 MiB unless set. Beyond
    /// that it gets a 413; with 0 any such body gets a 411.
    pub spool_limit: u64,
    /// Where lines are printed.
    pub console: Console,
}

/// Where the application comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Application {
    /// Somebody else runs it; it listens here.
    Connect(Address),
    /// The gateway runs it, with the listening socket as its descriptor 0 (FastCGI §2.2). When it
    /// ends it is started again, after pauses of 100 ms to 10 s.
    Command {
        /// The program: a path, or a name to be looked for in PATH.
        program: OsString,
        /// Its arguments.
        arguments: Vec<OsString>,
        /// Where it listens; on a unix socket in a private directory if `None`.
        listen: Option<Address>,
    },
}

impl Options {
    /// The defaults for an application.
    #[must_use]
    pub fn new(application: Application) -> Options {
        Options {
            http: Address::Ip(SocketAddr::from((Ipv4Addr::LOCALHOST, 8080))),
            application,
            site: Site::default(),
            timeout: Duration::from_secs(60),
            grace: Duration::from_secs(10),
            spool_limit: 64 << 20,
            console: Console::default(),
        }
    }
}

/// Serves until one of the [signals](crate::stop::signals) that end a tool comes, such as Ctrl-C, then
/// stops gracefully; a second one stops at once.
///
/// # Errors
///
/// Those of [`Gateway::bind`] and [`Gateway::run_until`]; signals cannot be watched.
pub fn run(options: Options) -> io::Result<()> {
    let gateway = Gateway::bind(options)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let served = runtime.block_on(run_until_signal(gateway));
    // A connect that still waits on its thread is nobody's business any more.
    runtime.shutdown_background();
    served
}

async fn run_until_signal(gateway: Gateway) -> io::Result<()> {
    let mut signals = Vec::new();
    for number in crate::stop::signals() {
        signals.push(signal(SignalKind::from_raw(number))?);
    }
    let mut next = async move || {
        poll_fn(|context| {
            let mut polls = signals.iter_mut().map(|signal| signal.poll_recv(context));
            match polls.any(|poll| poll.is_ready()) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    };
    let (first, told) = tokio::sync::oneshot::channel();
    let at_once = async move {
        next().await;
        // Nobody waits for it when the gateway has failed by itself.
        let _ = first.send(());
        next().await;
    };
    let stop = async move {
        let _ = told.await;
    };
    tokio::select! {
        served = gateway.run_until(stop) => served,
        () = at_once => Ok(()),
    }
}
