//! The rules by which a server serves.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use fcgi_core::Role;
use fcgi_core::params::Limits;
use fcgi_listen::WebServerAddrs;

use super::Server;
use crate::incident::Incident;
use crate::rules::FOREVER;

/// The rules.
impl Server {
    /// How many threads call the handler: `least` from the start, up to `most` while all are busy.
    /// An extra thread ends after ten seconds without work, unless all others are busy. 1 to 16
    /// unless set; equal numbers make a fixed pool; at least one.
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

    /// The roles that the application serves; all unless set. A request for another one is refused
    /// with FCGI_UNKNOWN_ROLE (§5.5). A CGI process is a Responder, and answers 500 if that is not
    /// among them.
    pub fn roles(mut self, roles: impl IntoIterator<Item = Role>) -> Server {
        self.rules.roles = roles.into_iter().collect();
        self
    }

    /// Stops the server, gracefully, after so many requests, for a supervisor to start a fresh
    /// process; never unless set, or unless whoever passed the listening socket on says so by
    /// FCGI_MAX_REQUESTS.
    pub fn retire_after(mut self, requests: NonZeroU64) -> Server {
        self.rules.retire_after = Some(requests);
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

    /// Heeds the signals by which FastCGI processes are stopped (§7): at SIGTERM, SIGINT or SIGUSR1
    /// a [stop](super::Handle::stop) of so much patience begins, at a second one it ends. After the
    /// server has stopped, and every other one of the process that heeds signals, they do again
    /// what they do by themselves. None is heeded unless this is set.
    pub fn stop_on_signals(mut self, patience: Duration) -> Server {
        self.signals = Some(patience);
        self
    }
}
