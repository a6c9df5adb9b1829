//! The process at the other end of a unix socket.

use std::io;

use crate::Stream;

/// As whom the process at the other end of a unix socket ran when it connected, or when it began to
/// listen if that is the end that listened.
///
/// The kernel vouches for this. The process may have ended since and its id be another's; it may
/// also have given the connection away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Credentials {
    /// The effective user. In a user namespace that does not map it, that of nobody (65534).
    pub uid: u32,
    /// The effective group; not the supplementary ones.
    pub gid: u32,
    /// The process; `None` if it has no number in the pid namespace of this process.
    pub pid: Option<u32>,
}

impl Stream {
    /// Who is at the other end of a unix socket; `None` for TCP. Takes one system call.
    ///
    /// # Errors
    ///
    /// `Unsupported` on systems other than Linux and Android.
    pub fn peer_credentials(&self) -> io::Result<Option<Credentials>> {
        match self {
            Self::Unix(stream) => credentials(stream).map(Some),
            Self::Tcp(_) => Ok(None),
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn credentials(stream: &std::os::unix::net::UnixStream) -> io::Result<Credentials> {
    use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};

    // Not by rustix, whose process id has no 0.
    let peer = getsockopt(stream, PeerCredentials)?;
    Ok(Credentials {
        uid: peer.uid(),
        gid: peer.gid(),
        pid: u32::try_from(peer.pid()).ok().filter(|pid| *pid != 0),
    })
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn credentials(_: &std::os::unix::net::UnixStream) -> io::Result<Credentials> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::{Address, Listener, Options, Peer, WebServerAddrs};
    use std::os::unix::net::UnixStream;
    use std::process;

    fn users(list: &[u32]) -> WebServerAddrs {
        WebServerAddrs::any().unix_users(list.iter().copied())
    }

    #[test]
    fn this_process_knows_itself() {
        let (one, _other) = UnixStream::pair().unwrap();
        let credentials = Stream::Unix(one).peer_credentials().unwrap().unwrap();
        assert_eq!(credentials.uid, rustix::process::geteuid().as_raw());
        assert_eq!(credentials.gid, rustix::process::getegid().as_raw());
        assert_eq!(credentials.pid, Some(process::id()));
    }

    #[test]
    fn only_the_given_users_pass() {
        let us = rustix::process::geteuid().as_raw();
        let (one, _other) = UnixStream::pair().unwrap();
        let stream = Stream::Unix(one);
        let bound: WebServerAddrs = "127.0.0.1".parse().unwrap();
        for (policy, admitted) in [
            (WebServerAddrs::any(), true),
            (bound.clone(), false),
            (bound.clone().allow_unix(true), true),
            (users(&[us]), true),
            (users(&[us + 1, us]), true),
            (users(&[us + 1]), false),
            (users(&[]), false),
            (users(&[us + 1]).allow_unix(true), false),
            (bound.clone().unix_users([us]), true),
            (bound.unix_users([us + 1]), false),
        ] {
            assert_eq!(
                policy.admits(&stream, &Peer::Unix).unwrap(),
                admitted,
                "{policy:?}"
            );
        }
        // Who has not seen the stream does not know its user.
        assert!(!users(&[us]).allows(&Peer::Unix));
    }

    #[test]
    fn peers_by_tcp_have_no_user() {
        let address: Address = "127.0.0.1:0".parse().unwrap();
        let listener = Listener::bind(&address, &Options::new()).unwrap();
        let _client = Stream::connect(&listener.local_address().unwrap(), None).unwrap();
        let (stream, peer) = listener.accept().unwrap();
        assert_eq!(stream.peer_credentials().unwrap(), None);
        assert!(users(&[]).admits(&stream, &peer).unwrap());
        assert!(!users(&[0]).admits(&stream, &Peer::Unix).unwrap());
        let elsewhere: WebServerAddrs = "10.0.0.1".parse().unwrap();
        assert!(!elsewhere.unix_users([0]).admits(&stream, &peer).unwrap());
    }
}
