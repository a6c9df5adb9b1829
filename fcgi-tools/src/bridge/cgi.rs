//! The CGI side: the request that environment and standard input are (RFC 3875).

use std::ffi::{OsStr, OsString};
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

use fcgi_core::Role;
use fcgi_core::params::{self, Params};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, fstat};
use rustix::io::Errno;

use super::problem::Problem;
use crate::exchange::{Request, Source, is_for_authorizers};

/// How long a body that nobody wants is read, in all.
const LINGER: Duration = Duration::from_secs(30);
/// How long nothing of it may come.
const SILENCE: Duration = Duration::from_secs(5);

/// A request as the web server gave it.
#[derive(Debug)]
pub(super) struct Cgi {
    role: Role,
    params: Vec<u8>,
    body: Body,
}

/// How much of standard input is the body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Body {
    None,
    Bytes(u64),
    ToTheEnd,
}

impl Cgi {
    /// Reads the environment: all of it is the request, but a HTTP_PROXY, which programs take for
    /// the setting of that name whereas it comes from the client (CVE-2016-5385), and what an
    /// Authorizer is not told.
    pub(super) fn read(
        variables: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Cgi, Problem> {
        let mut stream = Vec::new();
        for (name, value) in variables.filter(|(name, _)| name != "HTTP_PROXY") {
            params::append(&mut stream, name.as_bytes(), value.as_bytes())
                .map_err(|_| Problem::Variable(name))?;
        }
        let params = Params::assume_whole(&stream);
        let (role, body) = (role(&params)?, body(&params));
        let params = match role {
            Role::Authorizer => for_an_authorizer(&params),
            Role::Responder | Role::Filter => stream,
        };
        Ok(Cgi { role, params, body })
    }

    /// The request, with its body at `stdin`. What follows the body there is a Filter's data.
    pub(super) fn request<'a>(&'a self, stdin: BorrowedFd<'a>) -> Request<'a> {
        let descriptor = |limit| Source::Descriptor { fd: stdin, limit };
        let body = match self.body {
            Body::None => Source::Empty,
            Body::Bytes(length) => descriptor(Some(length)),
            Body::ToTheEnd => descriptor(None),
        };
        let data = match self.role {
            Role::Filter => descriptor(Params::assume_whole(&self.params).data_length()),
            Role::Responder | Role::Authorizer => Source::Empty,
        };
        Request::new(self.role, &self.params).stdin(body).data(data)
    }

    /// Reads what is left of the body, `read` bytes of which were read, if a web server may still be
    /// sending it, and as long as it can be expected to. Behind fcgiwrap, which writes all of it
    /// before it reads, the response of a program that does not take it is a 502. Apache's mod_cgid
    /// makes one socket of standard input and output: closed with something unread it counts as
    /// reset, and the server gives up the response.
    pub(super) fn drain(&self, stdin: BorrowedFd<'_>, read: u64) {
        let has_sender = fstat(stdin).is_ok_and(|stat| {
            let kind = FileType::from_raw_mode(stat.st_mode);
            matches!(kind, FileType::Socket | FileType::Fifo)
        });
        let left = match self.body {
            Body::Bytes(length) if has_sender => length.saturating_sub(read),
            Body::ToTheEnd if has_sender => u64::MAX,
            _ => 0,
        };
        discard(stdin, left, LINGER, SILENCE);
    }
}

/// Reads up to `left` bytes, until the end, for at most `most`, or until nothing has come for
/// `silence`.
fn discard(stdin: BorrowedFd<'_>, mut left: u64, most: Duration, silence: Duration) {
    let over = Instant::now() + most;
    let mut piece = [0; 4096];
    while left > 0 {
        let time = over.saturating_duration_since(Instant::now());
        if time.is_zero() {
            return;
        }
        let timeout = Timespec::try_from(time.min(silence)).ok();
        let mut fds = [PollFd::from_borrowed_fd(stdin, PollFlags::IN)];
        match poll(&mut fds, timeout.as_ref()) {
            Err(Errno::INTR) => continue,
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let room = usize::try_from(left).unwrap_or(piece.len());
        let room = room.min(piece.len());
        match rustix::io::read(stdin, &mut piece[..room]) {
            Ok(0) => return,
            Ok(count) => left -= count as u64,
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(_) => return,
        }
    }
}

/// The role that FCGI_ROLE names, as web servers set it that know of roles.
fn role(params: &Params<'_>) -> Result<Role, Problem> {
    match params.get("FCGI_ROLE") {
        None | Some(b"" | b"RESPONDER") => Ok(Role::Responder),
        Some(b"AUTHORIZER") => Ok(Role::Authorizer),
        Some(b"FILTER") => Ok(Role::Filter),
        Some(other) => Err(Problem::Role(OsStr::from_bytes(other).to_owned())),
    }
}

/// The variables but for those that an Authorizer is not told.
fn for_an_authorizer(params: &Params<'_>) -> Vec<u8> {
    let mut stream = Vec::new();
    for pair in params.iter().filter(|pair| is_for_authorizers(pair.name)) {
        // No longer than they were.
        let _ = params::append(&mut stream, pair.name, pair.value);
    }
    stream
}

/// No length is no body (RFC 3875 §4.2): standard input may be a terminal, or whatever the web
/// server itself was given. A body in chunks has no length either, and its end is the end of the
/// input; web servers then leave CONTENT_LENGTH out, or set it to -1.
fn body(params: &Params<'_>) -> Body {
    let is_chunked = || {
        let codings = params.get("HTTP_TRANSFER_ENCODING").unwrap_or_default();
        codings.to_ascii_lowercase().ends_with(b"chunked")
    };
    match (params.content_length(), params.get("CONTENT_LENGTH")) {
        (Some(length), _) => Body::Bytes(length),
        (None, Some(b"-1")) => Body::ToTheEnd,
        (None, None | Some(b"")) if is_chunked() => Body::ToTheEnd,
        (None, _) => Body::None,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;
    use std::thread;

    use super::*;

    /// More than any test waits for.
    const FOREVER: Duration = Duration::from_secs(3600);

    fn read(pairs: &[(&str, &str)]) -> Result<Cgi, Problem> {
        Cgi::read(
            pairs
                .iter()
                .map(|(name, value)| (name.into(), value.into())),
        )
    }

    #[test]
    fn lengths_of_bodies() {
        for (pairs, wanted) in [
            (&[][..], Body::None),
            (&[("CONTENT_LENGTH", "")], Body::None),
            (&[("CONTENT_LENGTH", "0")], Body::Bytes(0)),
            (&[("CONTENT_LENGTH", "17")], Body::Bytes(17)),
            (&[("CONTENT_LENGTH", "12x")], Body::None),
            (&[("CONTENT_LENGTH", "-1")], Body::ToTheEnd),
            (
                &[("HTTP_TRANSFER_ENCODING", "gzip, Chunked")],
                Body::ToTheEnd,
            ),
            (
                &[
                    ("CONTENT_LENGTH", "3"),
                    ("HTTP_TRANSFER_ENCODING", "chunked"),
                ],
                Body::Bytes(3),
            ),
        ] {
            assert_eq!(read(pairs).unwrap().body, wanted, "{pairs:?}");
        }
    }

    #[test]
    fn roles() {
        for (text, wanted) in [
            ("", Role::Responder),
            ("RESPONDER", Role::Responder),
            ("AUTHORIZER", Role::Authorizer),
            ("FILTER", Role::Filter),
        ] {
            assert_eq!(read(&[("FCGI_ROLE", text)]).unwrap().role, wanted);
        }
        assert!(matches!(
            read(&[("FCGI_ROLE", "filter")]),
            Err(Problem::Role(_))
        ));
    }

    #[test]
    fn all_variables_but_one() {
        let cgi = read(&[
            ("A", "b=c"),
            ("HTTP_PROXY", "evil"),
            ("D", ""),
            ("HTTP_X", "y"),
        ]);
        let cgi = cgi.unwrap();
        let pairs: Vec<_> = Params::assume_whole(&cgi.params)
            .iter()
            .map(|pair| (pair.name.to_vec(), pair.value.to_vec()))
            .collect();
        let wanted = [("A", "b=c"), ("D", ""), ("HTTP_X", "y")];
        assert_eq!(pairs, wanted.map(|(n, v)| (n.into(), v.into())));
    }

    #[test]
    fn what_an_authorizer_is_not_told() {
        let has = |role: &str, name: &str| {
            let cgi = read(&[
                ("CONTENT_LENGTH", "7"),
                ("SCRIPT_NAME", "/a"),
                ("PATH_INFO", "/b"),
                ("FCGI_ROLE", role),
            ]);
            Params::assume_whole(&cgi.unwrap().params)
                .get(name)
                .is_some()
        };
        for name in ["CONTENT_LENGTH", "SCRIPT_NAME", "PATH_INFO"] {
            assert!(has("RESPONDER", name) && !has("AUTHORIZER", name), "{name}");
        }
    }

    #[test]
    fn what_is_discarded() {
        let (mut near, far) = UnixStream::pair().unwrap();
        // Also where reading would not wait.
        far.set_nonblocking(true).unwrap();
        near.write_all(b"a body, and more").unwrap();
        discard(far.as_fd(), 6, FOREVER, FOREVER);
        let mut rest = [0; 99];
        assert_eq!(rustix::io::read(&far, &mut rest), Ok(10));
        let writer = thread::spawn(move || near.write_all(&[b'x'; 1 << 20]));
        discard(far.as_fd(), u64::MAX, FOREVER, FOREVER);
        writer.join().unwrap().unwrap();
        assert_eq!(rustix::io::read(&far, &mut rest), Ok(0), "the end");
    }

    #[test]
    fn who_sends_nothing_or_without_end_is_not_waited_for() {
        let short = Duration::from_millis(20);
        let (mut near, far) = UnixStream::pair().unwrap();
        discard(far.as_fd(), 1, FOREVER, short);
        let writer = thread::spawn(move || while near.write_all(b"more").is_ok() {});
        discard(far.as_fd(), u64::MAX, short, FOREVER);
        drop(far);
        writer.join().unwrap();
    }
}
