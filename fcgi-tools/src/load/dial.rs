//! Connections to the application, made without waiting.

use std::io;
use std::net::{self, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::os::unix::net as unix;
use std::time::Duration;

use fcgi_listen::{Address, Stream};
use mio::net::{TcpStream, UnixStream};

/// Where to connect to, in the whole run.
pub(super) enum Dial {
    Unix(unix::SocketAddr),
    Tcp(SocketAddr),
}

impl Dial {
    /// Looks a name up. Of several addresses that of the run is the first one that takes a
    /// connection within `patience`, as `localhost` may be where nobody listens too, on the other
    /// version of IP.
    pub(super) fn new(address: &Address, patience: Duration) -> io::Result<Dial> {
        let addresses: Vec<SocketAddr> = match address {
            Address::Unix(path) => return unix::SocketAddr::from_pathname(path).map(Dial::Unix),
            Address::Abstract(name) => return abstract_address(name).map(Dial::Unix),
            Address::Ip(address) => return Ok(Dial::Tcp(*address)),
            Address::AllInterfaces(port) => vec![
                (Ipv4Addr::LOCALHOST, *port).into(),
                (Ipv6Addr::LOCALHOST, *port).into(),
            ],
            Address::Name { host, port } => (host.as_str(), *port).to_socket_addrs()?.collect(),
        };
        choose(&addresses, patience).map(Dial::Tcp).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::AddrNotAvailable,
                format!("{address} has no address"),
            )
        })
    }

    /// Begins to connect. The stream does not block; over TCP it may not be connected yet.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when there is no room in a unix socket's backlog; else what the system says.
    pub(super) fn connect(&self) -> io::Result<Stream> {
        match self {
            Dial::Unix(address) => {
                let stream = OwnedFd::from(UnixStream::connect_addr(address)?);
                Ok(Stream::Unix(stream.into()))
            }
            Dial::Tcp(address) => {
                let stream = TcpStream::connect(*address)?;
                stream.set_nodelay(true)?;
                Ok(Stream::Tcp(OwnedFd::from(stream).into()))
            }
        }
    }
}

/// The first address if none takes a connection: the run tells what is wrong.
fn choose(addresses: &[SocketAddr], patience: Duration) -> Option<SocketAddr> {
    let takes = |address: &&SocketAddr| net::TcpStream::connect_timeout(address, patience).is_ok();
    let chosen = match addresses {
        [only] => Some(only),
        several => several.iter().find(takes).or(several.first()),
    };
    chosen.copied()
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn abstract_address(name: &[u8]) -> io::Result<unix::SocketAddr> {
    use std::os::linux::net::SocketAddrExt;
    unix::SocketAddr::from_abstract_name(name)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn abstract_address(_: &[u8]) -> io::Result<unix::SocketAddr> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_where_somebody_listens() {
        let patience = Duration::from_secs(30);
        let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
        let here = listener.local_addr().unwrap();
        // The same port elsewhere on this machine, as for the two addresses of `localhost`.
        let elsewhere: Vec<SocketAddr> = ["127.1.2.3", "127.1.2.4"]
            .map(|ip| SocketAddr::new(ip.parse().unwrap(), here.port()))
            .to_vec();
        assert_eq!(choose(&[elsewhere[0], here], patience), Some(here));
        assert_eq!(choose(&[here, elsewhere[0]], patience), Some(here));
        assert_eq!(choose(&elsewhere, patience), Some(elsewhere[0]));
        assert_eq!(choose(&elsewhere[1..], patience), Some(elsewhere[1]));
        assert_eq!(choose(&[], patience), None);
    }
}
