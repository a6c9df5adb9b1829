//! Connections to the application, made without waiting.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::os::unix::net;

use fcgi_listen::{Address, Stream};
use mio::net::{TcpStream, UnixStream};

/// Where to connect to: a name is looked up once for the whole run.
pub(super) enum Dial {
    Unix(net::SocketAddr),
    /// Tried in turn; never empty.
    Tcp(Vec<SocketAddr>),
}

impl Dial {
    pub(super) fn new(address: &Address) -> io::Result<Dial> {
        let addresses: Vec<SocketAddr> = match address {
            Address::Unix(path) => return net::SocketAddr::from_pathname(path).map(Dial::Unix),
            Address::Abstract(name) => return abstract_address(name).map(Dial::Unix),
            Address::Ip(address) => vec![*address],
            Address::AllInterfaces(port) => ("localhost", *port).to_socket_addrs()?.collect(),
            Address::Name { host, port } => (host.as_str(), *port).to_socket_addrs()?.collect(),
        };
        if addresses.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::AddrNotAvailable,
                format!("{address} has no address"),
            ));
        }
        Ok(Dial::Tcp(addresses))
    }

    /// Begins to connect, the `attempt`th time. The stream does not block; over TCP it may not be
    /// connected yet.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when there is no room in a unix socket's backlog; else what the system says.
    pub(super) fn connect(&self, attempt: usize) -> io::Result<Stream> {
        match self {
            Dial::Unix(address) => {
                let stream = OwnedFd::from(UnixStream::connect_addr(address)?);
                Ok(Stream::Unix(stream.into()))
            }
            Dial::Tcp(addresses) => {
                let stream = TcpStream::connect(addresses[attempt % addresses.len()])?;
                stream.set_nodelay(true)?;
                Ok(Stream::Tcp(OwnedFd::from(stream).into()))
            }
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn abstract_address(name: &[u8]) -> io::Result<net::SocketAddr> {
    use std::os::linux::net::SocketAddrExt;
    net::SocketAddr::from_abstract_name(name)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn abstract_address(_: &[u8]) -> io::Result<net::SocketAddr> {
    Err(io::ErrorKind::Unsupported.into())
}
