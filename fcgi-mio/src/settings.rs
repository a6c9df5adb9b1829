//! What a loop takes and how long it waits.

use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use fcgi_core::params::Limits;
use fcgi_listen::WebServerAddrs;

use crate::Incident;

/// The most requests at a time that one connection has room for.
pub const REQUESTS: usize = 16;

/// A longer time cannot be told from eternity, and could not be added to a moment.
pub(crate) const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// What is called with each [`Incident`].
pub(crate) type Report = dyn Fn(&Incident) + Send + Sync;

/// What a loop takes, how long it waits, and whom it tells.
///
/// | setting | unless set |
/// |---|---|
/// | [`max_connections`](Settings::max_connections) | 10,000 |
/// | [`max_requests`](Settings::max_requests) | 10,000 in the loop |
/// | [`multiplex`](Settings::multiplex) | 16 on a connection |
/// | [`params_limits`](Settings::params_limits) | 256 KiB, 1024 pairs |
/// | [`max_body`](Settings::max_body) | 64 KiB for whole requests |
/// | [`header_timeout`](Settings::header_timeout) | 30 s |
/// | [`idle_timeout`](Settings::idle_timeout) | 120 s |
/// | [`body_timeout`](Settings::body_timeout), [`write_timeout`](Settings::write_timeout) | 60 s |
/// | [`drain`](Settings::drain) | 1 MiB, 2 s |
/// | [`retire_after`](Settings::retire_after) | never, or what FCGI_MAX_REQUESTS says |
#[derive(Clone)]
#[must_use = "settings do nothing until a loop is made with them"]
pub struct Settings {
    pub(crate) max_connections: usize,
    pub(crate) max_requests: usize,
    pub(crate) multiplex: usize,
    pub(crate) params: Limits,
    pub(crate) max_body: usize,
    pub(crate) readable_refusals: bool,
    pub(crate) header_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) body_timeout: Duration,
    pub(crate) write_timeout: Duration,
    pub(crate) drain_bytes: usize,
    pub(crate) drain_timeout: Duration,
    pub(crate) retire_after: Option<NonZeroU64>,
    pub(crate) allowed: Option<WebServerAddrs>,
    pub(crate) report: Arc<Report>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            max_connections: 10_000,
            max_requests: 10_000,
            multiplex: REQUESTS,
            params: Limits::default(),
            max_body: 64 * 1024,
            readable_refusals: true,
            header_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(120),
            body_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(60),
            drain_bytes: 1024 * 1024,
            drain_timeout: Duration::from_secs(2),
            retire_after: None,
            allowed: None,
            report: Arc::new(print),
        }
    }
}

/// Standard error may be gone; that must not stop a loop, as the panic of `eprintln` would.
fn print(incident: &Incident) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "fastcgi: {incident}");
}

impl Settings {
    /// Tells whoever wants to know of an incident.
    pub(crate) fn tell(&self, incident: &Incident) {
        // A report that panics must not cost the loop.
        let _ = catch_unwind(AssertUnwindSafe(|| (self.report)(incident)));
    }

    /// The defaults.
    pub fn new() -> Settings {
        Settings::default()
    }

    /// The most connections at the same time. One more waits in the listener's backlog. At least
    /// one.
    pub fn max_connections(mut self, most: usize) -> Settings {
        self.max_connections = most.clamp(1, 1 << 24);
        self
    }

    /// The most requests at the same time in the loop, counting those whose parameters are still
    /// coming. One more gets a 503.
    pub fn max_requests(mut self, most: usize) -> Settings {
        self.max_requests = most;
        self
    }

    /// The most requests at a time on one connection, 1 to [`REQUESTS`]. It is what the loop says
    /// to a web server that asks (FCGI_MAX_REQS and FCGI_MPXS_CONNS, §4.1).
    ///
    /// One more is refused: with CANT_MPX_CONN if this is 1, else with OVERLOADED. If all that run
    /// have their whole input, it waits instead, so that pipelined requests are served in turn.
    pub fn multiplex(mut self, most: usize) -> Settings {
        self.multiplex = most.clamp(1, REQUESTS);
        self
    }

    /// The most parameters of a request, in bytes and in pairs. Beyond that it gets a 431.
    pub fn params_limits(mut self, bytes: usize, pairs: usize) -> Settings {
        self.params = Limits { bytes, pairs };
        self
    }

    /// The longest body in bytes of a request that is collected whole, and the longest DATA of a
    /// Filter. A longer one gets a 413. What streams to a [`Task`](crate::Task) has no limit.
    pub fn max_body(mut self, most: usize) -> Settings {
        self.max_body = most;
        self
    }

    /// Whether a request that cannot be served is answered with a page that a browser can show, or
    /// with a bare END_REQUEST that says FCGI_OVERLOADED (§5.5), which most web servers show as
    /// 502. On unless set.
    pub fn readable_refusals(mut self, on: bool) -> Settings {
        self.readable_refusals = on;
        self
    }

    /// How long a request's parameters may take to come. Then the connection is closed.
    pub fn header_timeout(mut self, timeout: Duration) -> Settings {
        self.header_timeout = timeout.min(FOREVER);
        self
    }

    /// How long a connection may rest between requests.
    pub fn idle_timeout(mut self, timeout: Duration) -> Settings {
        self.idle_timeout = timeout.min(FOREVER);
        self
    }

    /// How long nothing of a body may come that is waited for. Then the connection is closed.
    pub fn body_timeout(mut self, timeout: Duration) -> Settings {
        self.body_timeout = timeout.min(FOREVER);
        self
    }

    /// How long the web server may take nothing of what is answered. Then the connection is closed.
    pub fn write_timeout(mut self, timeout: Duration) -> Settings {
        self.write_timeout = timeout.min(FOREVER);
        self
    }

    /// How much input is read and thrown away, and for how long, when a connection is closed with
    /// input on its way. Closing with input unread can cost the web server the answer.
    pub fn drain(mut self, bytes: usize, timeout: Duration) -> Settings {
        self.drain_bytes = bytes;
        self.drain_timeout = timeout.min(FOREVER);
        self
    }

    /// Begins a graceful [stop](crate::Handle::stop) when so many requests have begun, for a
    /// supervisor to start a fresh process; never unless set, or unless whoever passed the
    /// listening socket on says so by FCGI_MAX_REQUESTS (see
    /// [`inherited_or_bind`](crate::Server::inherited_or_bind)).
    ///
    /// A request counts when its parameters are there and the [`Service`](crate::Service) is asked
    /// for it. From the last one on nothing is accepted, its connection ends with it, and requests
    /// that run have all the time they need. [`Loops`](crate::Loops) count together, in all their
    /// threads, and stop together; so it may be some requests more.
    ///
    /// A [`Loop`](crate::Loop) in a `Poll` of your own counts its own requests, and does not look at
    /// the environment. What its host sees of all this is that it
    /// [is finished](crate::Loop::is_finished) in the end.
    pub fn retire_after(mut self, requests: NonZeroU64) -> Settings {
        self.retire_after = Some(requests);
        self
    }

    /// Who may connect; what FCGI_WEB_SERVER_ADDRS says unless set (§3.2).
    pub fn allow(mut self, web_servers: WebServerAddrs) -> Settings {
        self.allowed = Some(web_servers);
        self
    }

    /// What to do with incidents; they are printed to standard error unless set.
    pub fn on_incident(mut self, report: impl Fn(&Incident) + Send + Sync + 'static) -> Settings {
        self.report = Arc::new(report);
        self
    }
}
