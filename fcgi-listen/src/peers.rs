//! Who is at the other end, and whether it may be.

use std::env::{self, VarError};
use std::error::Error;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use crate::Stream;

/// The other end of an accepted connection.
///
/// A peer on a unix socket has no address to tell it by. Who may connect there is what the socket's
/// permissions say; the process behind it is known to
/// [`Stream::peer_credentials`](crate::Stream::peer_credentials).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Peer {
    /// A TCP peer. On a socket for both families an IPv4 peer shows as `::ffff:a.b.c.d`.
    Ip(SocketAddr),
    /// A peer on a unix socket.
    Unix,
}

impl Peer {
    /// The IP address of a TCP peer; an IPv4 address as such, also from a socket for both families.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(address) => Some(address.ip().to_canonical()),
            Self::Unix => None,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => {
                SocketAddr::new(address.ip().to_canonical(), address.port()).fmt(f)
            }
            Self::Unix => f.write_str("unix"),
        }
    }
}

/// The web servers that may connect: the value of `FCGI_WEB_SERVER_ADDRS` (FastCGI §3.2).
///
/// When the variable is bound, an application closes each accepted connection whose peer is not in
/// the list; that includes every peer that does not come by TCP. libfcgi and PHP let peers on unix
/// sockets pass all the same; [`allow_unix`](Self::allow_unix) asks for that.
///
/// The text is a list of IP addresses separated by commas, `127.0.0.1,10.0.0.7`. Beyond the
/// specification, blanks around an address are skipped and IPv6 addresses are understood. An entry
/// that is not an address is an error, never a list that lets all pass. The empty text asks for no
/// check, as it does for libfcgi.
///
/// ```
/// use fcgi_listen::{Peer, WebServerAddrs};
///
/// let web_servers: WebServerAddrs = "127.0.0.1, 10.0.0.7".parse()?;
/// assert!(web_servers.allows(&Peer::Ip(([10, 0, 0, 7], 40_000).into())));
/// assert!(!web_servers.allows(&Peer::Ip(([10, 0, 0, 8], 40_000).into())));
/// assert!(!web_servers.allows(&Peer::Unix));
/// # Ok::<(), fcgi_listen::WebServerAddrsError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebServerAddrs {
    // `None`: no check at all.
    addresses: Option<Box<[IpAddr]>>,
    unix: bool,
    // `None`: any user, if `unix` says so.
    users: Option<Box<[u32]>>,
}

impl WebServerAddrs {
    /// No check: every peer is allowed. What an unbound variable stands for.
    #[must_use]
    pub fn any() -> Self {
        Self::default()
    }

    /// Takes the list from the environment.
    ///
    /// # Errors
    ///
    /// The value is not a list of addresses. A program should not serve then.
    pub fn from_env() -> Result<Self, WebServerAddrsError> {
        match env::var("FCGI_WEB_SERVER_ADDRS") {
            Ok(text) => text.parse(),
            Err(VarError::NotPresent) => Ok(Self::any()),
            Err(VarError::NotUnicode(text)) => Err(WebServerAddrsError {
                entry: text.to_string_lossy().into_owned(),
            }),
        }
    }

    /// Whether peers on unix sockets may pass although the list is bound. They may not by default.
    #[must_use]
    pub fn allow_unix(mut self, allow: bool) -> Self {
        self.unix = allow;
        self
    }

    /// Peers on unix sockets may pass only if their process runs as one of these users (numbers),
    /// and then also if the list is bound. Beyond the specification; for sockets in places where
    /// more users can connect than should. Only [`admits`](Self::admits) can tell.
    #[must_use]
    pub fn unix_users(mut self, users: impl IntoIterator<Item = u32>) -> Self {
        self.users = Some(users.into_iter().collect());
        self
    }

    /// Whether there is a list of addresses to check peers against.
    #[must_use]
    pub fn is_bound(&self) -> bool {
        self.addresses.is_some()
    }

    /// Whether a connection from this peer is to be served; if not, it is to be closed unread. When
    /// [users](Self::unix_users) are given, no peer on a unix socket is allowed by this.
    #[must_use]
    pub fn allows(&self, peer: &Peer) -> bool {
        match (&self.addresses, peer.ip()) {
            (_, None) if self.users.is_some() => false,
            (None, _) => true,
            (Some(addresses), Some(ip)) => addresses.contains(&ip),
            (Some(_), None) => self.unix,
        }
    }

    /// As [`allows`](Self::allows), with the user at the other end of a unix socket, for which the
    /// system is asked only when [users](Self::unix_users) are given.
    ///
    /// # Errors
    ///
    /// Those of [`Stream::peer_credentials`]; the connection is not to be served then.
    pub fn admits(&self, stream: &Stream, peer: &Peer) -> io::Result<bool> {
        match (&self.users, peer) {
            (Some(users), Peer::Unix) => {
                let credentials = stream.peer_credentials()?;
                Ok(credentials.is_some_and(|peer| users.contains(&peer.uid)))
            }
            _ => Ok(self.allows(peer)),
        }
    }
}

impl FromStr for WebServerAddrs {
    type Err = WebServerAddrsError;

    fn from_str(text: &str) -> Result<Self, WebServerAddrsError> {
        if text.is_empty() {
            return Ok(Self::any());
        }
        let addresses: Result<_, _> = text
            .split(',')
            .map(
                |entry| match entry.trim_matches([' ', '\t']).parse::<IpAddr>() {
                    Ok(address) => Ok(address.to_canonical()),
                    Err(_) => Err(WebServerAddrsError {
                        entry: entry.to_owned(),
                    }),
                },
            )
            .collect();
        Ok(Self {
            addresses: Some(addresses?),
            ..Self::any()
        })
    }
}

/// An entry of `FCGI_WEB_SERVER_ADDRS` is not an IP address (FastCGI §3.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebServerAddrsError {
    entry: String,
}

impl fmt::Display for WebServerAddrsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "FCGI_WEB_SERVER_ADDRS: {:?} is not an IP address",
            self.entry
        )
    }
}

impl Error for WebServerAddrsError {}

impl From<WebServerAddrsError> for io::Error {
    fn from(error: WebServerAddrsError) -> Self {
        // As a text, which is what `main` prints when it returns it.
        Self::new(io::ErrorKind::InvalidInput, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> WebServerAddrs {
        text.parse().unwrap()
    }

    fn tcp(ip: &str) -> Peer {
        Peer::Ip(SocketAddr::new(ip.parse().unwrap(), 1))
    }

    #[test]
    fn peers_are_compared_with_the_list() {
        let cases = [
            ("10.0.0.1,10.0.0.2", "10.0.0.2", true),
            ("10.0.0.1,10.0.0.2", "10.0.0.3", false),
            ("10.0.0.1", "::ffff:10.0.0.1", true),
            ("::ffff:10.0.0.1", "10.0.0.1", true),
            (" 10.0.0.1 ,\t10.0.0.2", "10.0.0.2", true),
            ("::1", "::1", true),
            ("::1", "127.0.0.1", false),
            ("127.0.0.1", "::1", false),
            ("0.0.0.0", "10.0.0.1", false),
            ("", "10.0.0.1", true),
        ];
        for (text, ip, allowed) in cases {
            assert_eq!(list(text).allows(&tcp(ip)), allowed, "{text:?} {ip}");
        }
    }

    #[test]
    fn unix_peers_pass_only_without_a_list_or_by_request() {
        assert!(WebServerAddrs::any().allows(&Peer::Unix));
        assert!(!list("127.0.0.1").allows(&Peer::Unix));
        let lenient = list("127.0.0.1").allow_unix(true);
        assert!(lenient.allows(&Peer::Unix));
        assert!(!lenient.allows(&tcp("10.0.0.1")));
    }

    #[test]
    fn an_entry_that_is_no_address_is_an_error() {
        for text in [
            " ",
            ",",
            "127.0.0.1,",
            "127.0.0.256",
            "127.0.0",
            "127.0.0.1 10.0.0.1",
            "localhost",
            "0x7f.0.0.1",
            "127.0.0.1:80",
            "[::1]",
            "10.0.0.0/8",
        ] {
            assert!(text.parse::<WebServerAddrs>().is_err(), "{text:?}");
        }
        let error = "1.2.3.4,oops".parse::<WebServerAddrs>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "FCGI_WEB_SERVER_ADDRS: \"oops\" is not an IP address"
        );
    }

    #[test]
    fn a_mapped_peer_shows_as_ipv4() {
        assert_eq!(tcp("::ffff:10.0.0.1").to_string(), "10.0.0.1:1");
        assert_eq!(tcp("::1").to_string(), "[::1]:1");
    }
}
