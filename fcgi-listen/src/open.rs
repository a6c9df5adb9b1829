//! Opening listening sockets.

use std::fs::{self, Permissions};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Gid, Uid};
use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};

use crate::address::{abstract_socket_address, path_socket_address};
use crate::path::{BoundPath, remove_stale};
use crate::{Address, Options};

/// A socket that listens, and the path that it has to remove, if any.
pub(crate) struct Opened {
    pub(crate) path: Option<BoundPath>,
    pub(crate) socket: OwnedFd,
}

/// Opens, binds and listens. The error names the address.
pub(crate) fn open(address: &Address, options: &Options) -> io::Result<Opened> {
    let opened = match address {
        Address::Unix(path) => open_path(path, options),
        Address::Abstract(name) => open_abstract(name, options),
        Address::Ip(ip) => open_tcp(*ip, true, options),
        Address::AllInterfaces(port) => open_all_interfaces(*port, options),
        Address::Name { .. } => open_name(address, options),
    };
    opened.map_err(|cause| {
        let text = format!("cannot listen on {address}: {cause}");
        io::Error::new(cause.kind(), text)
    })
}

fn open_path(path: &Path, options: &Options) -> io::Result<Opened> {
    let (socket, bound) = bind_path(path, options)?;
    listen(&socket, options)?;
    Ok(Opened {
        path: Some(bound),
        socket: socket.into(),
    })
}

/// Binds a path and gives it its mode and owner. As it does not listen yet, every attempt to
/// connect is refused: nobody gets in by the permissions that the umask left.
fn bind_path(path: &Path, options: &Options) -> io::Result<(Socket, BoundPath)> {
    let address = path_socket_address(path)?;
    check_access(options)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    match socket.bind(&address) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            remove_stale(path, &address)?;
            socket.bind(&address)?;
        }
        result => result?,
    }
    let bound = BoundPath::new(path)?;
    if options.unix_uid.is_some() || options.unix_gid.is_some() {
        rustix::fs::chownat(
            CWD,
            bound.path(),
            options.unix_uid.map(Uid::from_raw),
            options.unix_gid.map(Gid::from_raw),
            AtFlags::SYMLINK_NOFOLLOW,
        )?;
    }
    if let Some(mode) = options.unix_mode {
        fs::set_permissions(bound.path(), Permissions::from_mode(mode))?;
    }
    Ok((socket, bound))
}

/// Whether there can be such a mode, owner and group.
fn check_access(options: &Options) -> io::Result<()> {
    let invalid = |text: &str| Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    if options.unix_mode.is_some_and(|mode| mode > 0o777) {
        return invalid("the mode of a socket is 0o000 to 0o777");
    }
    // chown(2) would take it for "leave it as it is", and the socket would stay ours.
    if [options.unix_uid, options.unix_gid].contains(&Some(u32::MAX)) {
        return invalid("no user and no group has the number 4294967295");
    }
    Ok(())
}

fn open_abstract(name: &[u8], options: &Options) -> io::Result<Opened> {
    if !cfg!(any(target_os = "linux", target_os = "android")) {
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "this system has no abstract unix sockets",
        ));
    }
    let address = abstract_socket_address(name)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&address)?;
    listen(&socket, options)?;
    Ok(Opened {
        path: None,
        socket: socket.into(),
    })
}

/// One IPv6 socket that takes IPv4 as well; one for IPv4 where the machine has no IPv6, or does not
/// let one socket serve both.
fn open_all_interfaces(port: u16, options: &Options) -> io::Result<Opened> {
    match open_tcp((Ipv6Addr::UNSPECIFIED, port).into(), false, options) {
        Err(error) if is_without_ipv6(&error) => {
            open_tcp((Ipv4Addr::UNSPECIFIED, port).into(), false, options)
        }
        result => result,
    }
}

fn is_without_ipv6(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL | Errno::PROTONOSUPPORT | Errno::NOPROTOOPT)
    )
}

/// Binds the first of a name's addresses that can be bound.
fn open_name(address: &Address, options: &Options) -> io::Result<Opened> {
    let mut result = Err(io::Error::new(
        io::ErrorKind::AddrNotAvailable,
        "the name has no address",
    ));
    for ip in address.resolve()? {
        result = open_tcp(ip, true, options);
        if result.is_ok() {
            break;
        }
    }
    result
}

fn open_tcp(address: SocketAddr, only_v6: bool, options: &Options) -> io::Result<Opened> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        // Said aloud either way, since the default differs among systems and administrators.
        socket.set_only_v6(only_v6)?;
    }
    // A restart must not wait until the connections of the predecessor have left TIME_WAIT.
    socket.set_reuse_address(true)?;
    if options.reuse_port {
        set_reuse_port(&socket)?;
    }
    // What is accepted has this option and the next from the listening socket.
    socket.set_tcp_nodelay(true)?;
    if let Some(idle) = options.keepalive {
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(idle))?;
    }
    socket.bind(&address.into())?;
    listen(&socket, options)?;
    Ok(Opened {
        path: None,
        socket: socket.into(),
    })
}

#[cfg(not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin")))]
fn set_reuse_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

#[cfg(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin"))]
fn set_reuse_port(_: &Socket) -> io::Result<()> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "this system has no SO_REUSEPORT",
    ))
}

fn listen(socket: &Socket, options: &Options) -> io::Result<()> {
    socket.listen(i32::try_from(options.backlog).unwrap_or(i32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::net::UnixStream;

    #[test]
    fn mode_and_owner_are_set_before_anybody_can_connect() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        // Only root may give a socket away; others can at least name themselves.
        let (uid, gid) = match rustix::process::geteuid().as_raw() {
            0 => (12_345, 23_456),
            uid => (uid, rustix::process::getegid().as_raw()),
        };
        let options = Options::new()
            .unix_mode(0o626)
            .unix_owner(Some(uid), Some(gid));
        let (socket, _bound) = bind_path(&path, &options).unwrap();
        let found = fs::symlink_metadata(&path).unwrap();
        assert_eq!(found.mode() & 0o7777, 0o626);
        assert_eq!((found.uid(), found.gid()), (uid, gid));
        let refused = UnixStream::connect(&path).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        listen(&socket, &options).unwrap();
        UnixStream::connect(&path).unwrap();
    }

    #[test]
    fn a_machine_without_ipv6_is_told_from_a_port_in_use() {
        for errno in [Errno::AFNOSUPPORT, Errno::ADDRNOTAVAIL, Errno::NOPROTOOPT] {
            assert!(is_without_ipv6(&errno.into()), "{errno}");
        }
        for errno in [Errno::ADDRINUSE, Errno::ACCESS, Errno::MFILE] {
            assert!(!is_without_ipv6(&errno.into()), "{errno}");
        }
    }
}
