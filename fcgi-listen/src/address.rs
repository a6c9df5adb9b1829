//! Where to listen or connect: the textual form, and its way to socket addresses.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use socket2::SockAddr;

/// The address of a FastCGI application.
///
/// | text | meaning |
/// |---|---|
/// | `unix:PATH`, `/PATH`, `./PATH`, `../PATH` | a socket in the file system |
/// | `unix:@NAME` | a socket in Linux's abstract namespace |
/// | `127.0.0.1:9000`, `[::1]:9000` | TCP; `[::]:9000` listens to IPv6 alone |
/// | `:9000` | TCP on all interfaces, IPv4 and IPv6; to connect: this machine |
/// | `name:9000` | TCP; the name is looked up each time the address is used |
///
/// Port 0 lets the system choose one, which [`Listener::local_address`] then tells. A bare port
/// number is refused, since programs differ in what it stands for: all interfaces or the loopback.
///
/// `Display` gives the text back in a form that parses to the same address, as long as a path or a
/// name is UTF-8 and an abstract name has no control characters, which are shown escaped.
///
/// [`Listener::local_address`]: crate::Listener::local_address
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A unix socket in the file system.
    Unix(PathBuf),
    /// A unix socket in Linux's abstract namespace: its name, without the leading NUL.
    Abstract(Vec<u8>),
    /// TCP at one address, or all addresses of one family.
    Ip(SocketAddr),
    /// TCP at this port on all interfaces, by IPv6 and IPv4.
    AllInterfaces(u16),
    /// TCP at whatever addresses the name stands for.
    Name {
        /// The host name, not looked up yet.
        host: String,
        /// The port.
        port: u16,
    },
}

/// Why a text is not an [`Address`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AddressError {
    /// The text is empty.
    Empty,
    /// The text is a number and nothing else.
    BarePort,
    /// There is no `:port` behind the host.
    MissingPort,
    /// What follows the last colon is not a number from 0 to 65535.
    BadPort,
    /// The host is neither an IP address nor a name.
    BadHost,
    /// An IPv6 address stands without its brackets.
    Ipv6WithoutBrackets,
    /// There is a slash, but neither `unix:` nor `/`, `./` or `../` in front.
    UnmarkedPath,
    /// Nothing follows `unix:` or `unix:@`.
    EmptyPath,
    /// The path or name is longer than a socket address can hold (107 bytes on Linux).
    PathTooLong,
    /// The path holds a NUL byte.
    NulInPath,
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the address is empty",
            Self::BarePort => {
                "a bare port is ambiguous: write `:PORT` for all interfaces \
                 or `127.0.0.1:PORT` for this machine"
            }
            Self::MissingPort => "the address has no port: write `HOST:PORT` or `unix:PATH`",
            Self::BadPort => "the port is not a number from 0 to 65535",
            Self::BadHost => "the host is neither an IP address nor a name",
            Self::Ipv6WithoutBrackets => "an IPv6 address needs brackets: write `[::1]:PORT`",
            Self::UnmarkedPath => "a relative path needs a mark: write `unix:PATH` or `./PATH`",
            Self::EmptyPath => "the path of the socket is empty",
            Self::PathTooLong => "the path is too long for a socket",
            Self::NulInPath => "the path of the socket holds a NUL byte",
        })
    }
}

impl Error for AddressError {}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.is_empty() {
            return Err(AddressError::Empty);
        }
        if let Some(rest) = text.strip_prefix("unix:") {
            return match rest.strip_prefix('@') {
                Some(name) => checked(Self::Abstract(name.into())),
                None => checked(Self::Unix(rest.into())),
            };
        }
        if ["/", "./", "../"].iter().any(|mark| text.starts_with(mark)) {
            return checked(Self::Unix(text.into()));
        }
        parse_tcp(text)
    }
}

fn parse_tcp(text: &str) -> Result<Address, AddressError> {
    if text.contains('/') {
        return Err(AddressError::UnmarkedPath);
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(AddressError::BarePort);
    }
    if let Ok(address) = text.parse() {
        return Ok(Address::Ip(address));
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Err(AddressError::Ipv6WithoutBrackets);
    }
    if text.starts_with('[') && text.ends_with(']') {
        return Err(AddressError::MissingPort);
    }
    let (host, port) = text.rsplit_once(':').ok_or(AddressError::MissingPort)?;
    // `u16::from_str` alone would let a plus sign pass.
    if !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(AddressError::BadPort);
    }
    let port = port.parse().map_err(|_| AddressError::BadPort)?;
    if host.is_empty() {
        return Ok(Address::AllInterfaces(port));
    }
    if host.parse::<Ipv6Addr>().is_ok() {
        return Err(AddressError::Ipv6WithoutBrackets);
    }
    if !is_name(host) {
        return Err(AddressError::BadHost);
    }
    Ok(Address::Name {
        host: host.to_owned(),
        port,
    })
}

/// Whether a host can be a name. A last label that is a number cannot: resolvers take `127.1` and
/// `0x7f000001` for IPv4 addresses, so that a slip of the pen would reach some other host.
fn is_name(host: &str) -> bool {
    let last = host
        .trim_end_matches('.')
        .rsplit('.')
        .next()
        .unwrap_or_default();
    let legal = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    host.chars().all(legal)
        && !last.is_empty()
        && !last.starts_with("0x")
        && !last.starts_with("0X")
        && !last.bytes().all(|byte| byte.is_ascii_digit())
}

/// Lets only those unix addresses pass that a socket address can hold.
fn checked(address: Address) -> Result<Address, AddressError> {
    match &address {
        Address::Unix(path) => path_socket_address(path).map(drop)?,
        Address::Abstract(name) => abstract_socket_address(name).map(drop)?,
        Address::Ip(_) | Address::AllInterfaces(_) | Address::Name { .. } => {}
    }
    Ok(address)
}

/// The socket address of a path. Empty paths and leading NULs have other meanings in the kernel
/// (a name of its choice, the abstract namespace), so they must not get through.
pub(crate) fn path_socket_address(path: &Path) -> Result<SockAddr, AddressError> {
    if path.as_os_str().is_empty() {
        return Err(AddressError::EmptyPath);
    }
    if path.as_os_str().as_bytes().contains(&0) {
        return Err(AddressError::NulInPath);
    }
    SockAddr::unix(path).map_err(|_| AddressError::PathTooLong)
}

/// The socket address of a name in the abstract namespace.
pub(crate) fn abstract_socket_address(name: &[u8]) -> Result<SockAddr, AddressError> {
    if name.is_empty() {
        return Err(AddressError::EmptyPath);
    }
    let marked = [b"\0", name].concat();
    SockAddr::unix(Path::new(std::ffi::OsStr::from_bytes(&marked)))
        .map_err(|_| AddressError::PathTooLong)
}

impl From<AddressError> for io::Error {
    fn from(error: AddressError) -> Self {
        // As a text, which is what `main` prints when it returns it.
        Self::new(io::ErrorKind::InvalidInput, error.to_string())
    }
}

impl Address {
    /// Whether this is a unix socket, in the file system or abstract.
    #[must_use]
    pub fn is_unix(&self) -> bool {
        matches!(self, Self::Unix(_) | Self::Abstract(_))
    }

    /// The addresses to connect to, in the order of trial; none for a unix socket. May ask a name
    /// server, and block as long as that takes.
    pub(crate) fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        Ok(match self {
            Self::Unix(_) | Self::Abstract(_) => Vec::new(),
            Self::Ip(address) => vec![*address],
            Self::AllInterfaces(port) => vec![
                (Ipv4Addr::LOCALHOST, *port).into(),
                (Ipv6Addr::LOCALHOST, *port).into(),
            ],
            Self::Name { host, port } => (host.as_str(), *port).to_socket_addrs()?.collect(),
        })
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Ip(address)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // A path that begins with `@` would be taken for an abstract name.
            Self::Unix(path) if path.as_os_str().as_bytes().starts_with(b"@") => {
                write!(f, "unix:./{}", path.display())
            }
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Abstract(name) => match str::from_utf8(name) {
                Ok(name) if !name.contains(char::is_control) => write!(f, "unix:@{name}"),
                _ => write!(f, "unix:@{}", name.escape_ascii()),
            },
            Self::Ip(address) => address.fmt(f),
            Self::AllInterfaces(port) => write!(f, ":{port}"),
            Self::Name { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddrV6;

    use super::*;

    fn unix(path: &str) -> Address {
        Address::Unix(path.into())
    }

    fn name(host: &str, port: u16) -> Address {
        Address::Name {
            host: host.into(),
            port,
        }
    }

    #[test]
    fn texts_that_are_addresses() {
        let cases = [
            ("unix:/run/a.sock", unix("/run/a.sock"), "unix:/run/a.sock"),
            ("/run/a.sock", unix("/run/a.sock"), "unix:/run/a.sock"),
            ("./a:9", unix("./a:9"), "unix:./a:9"),
            ("../a", unix("../a"), "unix:../a"),
            ("unix:a", unix("a"), "unix:a"),
            ("unix:./@a", unix("./@a"), "unix:./@a"),
            ("unix:@a b", Address::Abstract(b"a b".to_vec()), "unix:@a b"),
            (
                "127.0.0.1:9000",
                Address::Ip(([127, 0, 0, 1], 9000).into()),
                "127.0.0.1:9000",
            ),
            (
                "[::1]:0",
                Address::Ip((Ipv6Addr::LOCALHOST, 0).into()),
                "[::1]:0",
            ),
            (
                "[fe80::1%7]:9000",
                Address::Ip(SocketAddrV6::new("fe80::1".parse().unwrap(), 9000, 0, 7).into()),
                "[fe80::1%7]:9000",
            ),
            (":65535", Address::AllInterfaces(65535), ":65535"),
            ("localhost:1", name("localhost", 1), "localhost:1"),
            (
                "app_1.intern.:80",
                name("app_1.intern.", 80),
                "app_1.intern.:80",
            ),
            ("9gag:80", name("9gag", 80), "9gag:80"),
        ];
        for (text, address, shown) in cases {
            assert_eq!(text.parse(), Ok(address.clone()), "{text}");
            assert_eq!(address.to_string(), shown);
            assert_eq!(shown.parse(), Ok(address));
        }
    }

    #[test]
    fn a_path_that_begins_with_at_is_not_shown_as_an_abstract_name() {
        assert_eq!(unix("@a").to_string().parse(), Ok(unix("./@a")));
    }

    #[test]
    fn an_abstract_name_may_be_any_bytes() {
        let address = Address::Abstract(vec![0, b'a', 0xff]);
        assert_eq!(address.to_string(), r"unix:@\x00a\xff");
    }

    #[test]
    fn texts_that_are_none() {
        let long = format!("/{}", "x".repeat(200));
        let long_name = format!("unix:@{}", "x".repeat(200));
        let cases = [
            ("", AddressError::Empty),
            ("9000", AddressError::BarePort),
            ("localhost", AddressError::MissingPort),
            ("[::1]", AddressError::MissingPort),
            ("127.0.0.1", AddressError::MissingPort),
            ("localhost:", AddressError::BadPort),
            (":", AddressError::BadPort),
            (":+80", AddressError::BadPort),
            (":65536", AddressError::BadPort),
            ("localhost:http", AddressError::BadPort),
            ("127.0.0.1:80 ", AddressError::BadPort),
            ("127.0.0.256:80", AddressError::BadHost),
            ("127.1:80", AddressError::BadHost),
            ("0x7f000001:80", AddressError::BadHost),
            (" localhost:80", AddressError::BadHost),
            ("a b:80", AddressError::BadHost),
            (".:80", AddressError::BadHost),
            ("[::g]:80", AddressError::BadHost),
            ("::1", AddressError::Ipv6WithoutBrackets),
            ("fe80::abcd:1:2:99999", AddressError::BadPort),
            ("1:2:3:4:5:6:7:8:9000", AddressError::Ipv6WithoutBrackets),
            ("tcp://127.0.0.1:80", AddressError::UnmarkedPath),
            ("run/a.sock", AddressError::UnmarkedPath),
            ("unix:", AddressError::EmptyPath),
            ("unix:@", AddressError::EmptyPath),
            ("unix:/a\0b", AddressError::NulInPath),
            (&long, AddressError::PathTooLong),
            (&long_name, AddressError::PathTooLong),
        ];
        for (text, error) in cases {
            assert_eq!(text.parse::<Address>(), Err(error), "{text:?}");
        }
    }

    #[test]
    fn the_longest_path_fits_and_one_more_byte_does_not() {
        let path = |length: usize| format!("/{}", "x".repeat(length - 1)).parse::<Address>();
        let longest = (90..200)
            .take_while(|length| path(*length).is_ok())
            .last()
            .unwrap();
        assert!(path(longest + 1) == Err(AddressError::PathTooLong));
        #[cfg(target_os = "linux")]
        assert_eq!(longest, 107);
    }

    #[test]
    fn connecting_to_all_interfaces_means_this_machine() {
        let addresses = Address::AllInterfaces(7).resolve().unwrap();
        assert_eq!(
            addresses,
            ["127.0.0.1:7".parse().unwrap(), "[::1]:7".parse().unwrap()]
        );
    }
}
