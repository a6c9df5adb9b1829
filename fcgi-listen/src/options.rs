//! How to open a listening socket.

use std::time::Duration;

/// How [`Listener::bind`](crate::Listener::bind) opens its socket.
///
/// ```
/// use fcgi_listen::Options;
///
/// // A socket for the web server's group alone.
/// let options = Options::new().unix_mode(0o660).unix_owner(None, Some(33));
/// # let _ = options;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    pub(crate) backlog: u32,
    pub(crate) reuse_port: bool,
    pub(crate) keepalive: Option<Duration>,
    pub(crate) unix_mode: Option<u32>,
    pub(crate) unix_uid: Option<u32>,
    pub(crate) unix_gid: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            backlog: 1024,
            reuse_port: false,
            keepalive: None,
            unix_mode: None,
            unix_uid: None,
            unix_gid: None,
        }
    }
}

impl Options {
    /// The defaults: a backlog of 1024, and nothing else set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many connections may wait to be accepted. The kernel lowers it to its own limit
    /// (`net.core.somaxconn` on Linux). Beyond it a connect to a unix socket fails at once, which
    /// web servers turn into a 502, so it is better too large than too small.
    #[must_use]
    pub fn backlog(mut self, connections: u32) -> Self {
        self.backlog = connections;
        self
    }

    /// Several sockets, of one or more processes of one user, may listen at the same TCP address;
    /// the kernel deals connections out among them (`SO_REUSEPORT`). Off by default, as a second
    /// program started by mistake would then take its share of the requests silently.
    #[must_use]
    pub fn reuse_port(mut self, on: bool) -> Self {
        self.reuse_port = on;
        self
    }

    /// Probes the peer of an accepted TCP stream after this time of silence, so that a web server
    /// that vanished without a word is noticed. Off by default. The kernel counts in seconds; on
    /// systems where accepted sockets do not inherit options, [`Stream::set_keepalive`] does it.
    ///
    /// [`Stream::set_keepalive`]: crate::Stream::set_keepalive
    #[must_use]
    pub fn keepalive(mut self, idle: Option<Duration>) -> Self {
        self.keepalive = idle;
        self
    }

    /// The permissions of a unix socket in the file system, `0o000` to `0o777`, whatever the umask
    /// says. Whoever may write to the socket may connect. By default the umask decides.
    #[must_use]
    pub fn unix_mode(mut self, mode: u32) -> Self {
        self.unix_mode = Some(mode);
        self
    }

    /// The owner and group of a unix socket in the file system, as numbers; `None` leaves one as it
    /// is. Giving the socket to another user takes root; to another group, being its member.
    #[must_use]
    pub fn unix_owner(mut self, uid: Option<u32>, gid: Option<u32>) -> Self {
        self.unix_uid = uid;
        self.unix_gid = gid;
        self
    }
}
