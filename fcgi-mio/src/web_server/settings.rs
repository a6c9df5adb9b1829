//! How many connections and requests, and how long.

use std::time::Duration;

use super::REQUESTS;
use crate::settings::FOREVER;

/// How much goes out at a time, and how long it may take.
///
/// | setting | unless set |
/// |---|---|
/// | [`max_connections`](Settings::max_connections) | 32 to each application |
/// | [`max_waiting`](Settings::max_waiting) | 1024 requests for each application |
/// | [`multiplex`](Settings::multiplex) | 1: one request at a time on a connection |
/// | [`connect_timeout`](Settings::connect_timeout) | 5 s |
/// | [`queue_timeout`](Settings::queue_timeout) | 30 s |
/// | [`response_timeout`](Settings::response_timeout) | 60 s |
/// | [`abort_timeout`](Settings::abort_timeout) | 5 s |
/// | [`idle_timeout`](Settings::idle_timeout) | 60 s |
#[derive(Clone, Debug)]
#[must_use = "settings do nothing until they are used"]
pub struct Settings {
    pub(super) max_connections: usize,
    pub(super) max_waiting: usize,
    pub(super) multiplex: usize,
    pub(super) connect_timeout: Duration,
    pub(super) queue_timeout: Duration,
    pub(super) response_timeout: Duration,
    pub(super) abort_timeout: Duration,
    pub(super) idle_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            max_connections: 32,
            max_waiting: 1024,
            multiplex: 1,
            connect_timeout: Duration::from_secs(5),
            queue_timeout: Duration::from_secs(30),
            response_timeout: Duration::from_secs(60),
            abort_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(60),
        }
    }
}

impl Settings {
    /// The defaults.
    pub fn new() -> Settings {
        Settings::default()
    }

    /// The most connections at the same time to each application. Requests beyond what they take
    /// wait. At least one. Where no descriptor is left for one more, one that rests is closed, to
    /// whichever application it goes, and requests wait.
    ///
    /// Many applications serve one connection at a time in each of their processes or threads, for
    /// as long as it is kept. To such a one there must not be more connections than it has of
    /// these, or some of them wait until others are closed.
    pub fn max_connections(mut self, most: usize) -> Settings {
        self.max_connections = most.max(1);
        self
    }

    /// The most requests that wait for a connection, for each application. One more fails.
    pub fn max_waiting(mut self, most: usize) -> Settings {
        self.max_waiting = most;
        self
    }

    /// The most requests at a time on one connection, 1 to 16, if the application agrees.
    ///
    /// With more than 1 each application is asked once, on a connection of its own, before the
    /// first request (GET_VALUES, §4.1). It gets several requests on a connection only if it says
    /// that FCGI_MPXS_CONNS is 1, and no more than its FCGI_MAX_REQS; else, and if it does not
    /// answer, one at a time on other connections. FCGI_MAX_CONNS changes nothing: some say how
    /// many each of their processes takes.
    ///
    /// It is 1 unless set, so that nothing is asked: applications that multiplex are rare, and of
    /// the others some close the connection on which they are asked, some take the question for an
    /// error, and some do not answer, so that the first requests wait for as long as
    /// [`connect_timeout`](Settings::connect_timeout).
    pub fn multiplex(mut self, most: usize) -> Settings {
        self.multiplex = most.clamp(1, REQUESTS);
        self
    }

    /// How long an attempt to connect may take, and the question about multiplexing.
    pub fn connect_timeout(mut self, timeout: Duration) -> Settings {
        self.connect_timeout = timeout.min(FOREVER);
        self
    }

    /// How long a request may wait for a connection. Then it fails. One that goes out again may wait
    /// as long again.
    pub fn queue_timeout(mut self, timeout: Duration) -> Settings {
        self.queue_timeout = timeout.min(FOREVER);
        self
    }

    /// How long an application may neither send anything for a request nor take anything of it.
    /// Then the request fails. The time in which its receiver paused, or its body had to be waited
    /// for, does not count.
    ///
    /// If it has taken nothing for so long of what was sent on a connection, and sent nothing there,
    /// all requests on that connection fail but those of which it has nothing: these go out again.
    pub fn response_timeout(mut self, timeout: Duration) -> Settings {
        self.response_timeout = timeout.min(FOREVER);
        self
    }

    /// How long an application may take to end requests that were aborted, if it has no others on
    /// that connection. Then the connection is closed.
    pub fn abort_timeout(mut self, timeout: Duration) -> Settings {
        self.abort_timeout = timeout.min(FOREVER);
        self
    }

    /// How long a connection is kept without a request. It is best shorter than the application's
    /// own.
    pub fn idle_timeout(mut self, timeout: Duration) -> Settings {
        self.idle_timeout = timeout.min(FOREVER);
        self
    }
}
