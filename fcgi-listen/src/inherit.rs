//! Listening sockets that were passed on by whoever started this process.

use std::env;
use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::os::fd::{IntoRawFd, OwnedFd};
use std::path::Path;
use std::process;

use listenfd::ListenFd;

use crate::Listener;
use crate::listener::is_listening;

/// More descriptors than this are not passed on; a number beyond is a mistake in the environment.
const MOST_PASSED: u16 = 4096;

/// In the environment, after how many requests the process should end.
const MAX_REQUESTS: &str = "FCGI_MAX_REQUESTS";

/// Takes the listening sockets that this process was started with: descriptor 0 first, if it is one
/// (FastCGI §2.2), then those of `LISTEN_FDS`. None means that the process was not started as a
/// FastCGI application, but for instance as a CGI program or by hand.
///
/// Call this once, early in `main` and before starting threads: it takes ownership of numbered
/// descriptors and removes `LISTEN_FDS` and `LISTEN_PID` from the environment, which then tells a
/// child nothing wrong. A second call finds nothing.
///
/// - **Descriptor 0** counts if it is a socket in the listening state. It is cloned, and replaced
///   by the null device, so that nobody reads from or inherits a listener by the name of standard
///   input. Anything else at 0 is left alone.
/// - **Descriptors 1 and 2**, which §2.2 lets a web server close, need no care here: before `main`
///   a Rust program opens the null device at those of 0 to 2 that are closed.
/// - **`LISTEN_FDS`** counts only if `LISTEN_PID` is the number of this process, as systemd sets
///   it; it would otherwise speak of a parent's descriptors. All listening stream sockets are
///   taken, unix and TCP, one that is also descriptor 0 only once. Other descriptors stay open and
///   untouched, except that the stream sockets among them are closed on exec.
///
/// A socket keeps its blocking mode; see [`Listener`] for what sharing one with other processes
/// means.
///
/// # Errors
///
/// `InvalidData` when `LISTEN_PID` is not a number, or is that of this process and `LISTEN_FDS` is
/// not a number from 0 to 4096 or `LISTEN_FDS_FIRST_FD` is one of the standard descriptors;
/// `InvalidInput` when descriptor 0 listens for something else than streams; else what the system
/// says, as when it is out of descriptors.
pub fn inherited() -> io::Result<Vec<Listener>> {
    // Numbered descriptors first: cloning descriptor 0 must not end up at one of their numbers.
    let passed = from_listen_fds()?;
    let mut listeners = Vec::with_capacity(passed.len() + 1);
    listeners.extend(from_stdin()?);
    for listener in passed {
        let mut is_new = true;
        for known in &listeners {
            is_new &= !is_same_socket(known, &listener)?;
        }
        if is_new {
            listeners.push(listener);
        }
    }
    Ok(listeners)
}

/// After how many requests whoever passed the sockets on wants this process to end, to start a
/// fresh one: what FCGI_MAX_REQUESTS says, as `fcgi-process` sets it. Only for processes that have
/// [inherited] something; who started another one meant nobody's sockets by it.
///
/// # Errors
///
/// `InvalidInput` when that is not a number from 1.
pub fn inherited_max_requests() -> io::Result<Option<NonZeroU64>> {
    let Some(most) = env::var_os(MAX_REQUESTS) else {
        return Ok(None);
    };
    let most = most.to_str().and_then(|most| most.parse().ok());
    most.map(Some).ok_or_else(|| {
        let error = format!("{MAX_REQUESTS} is not a number from 1");
        io::Error::new(io::ErrorKind::InvalidInput, error)
    })
}

fn from_stdin() -> io::Result<Option<Listener>> {
    let stdin = rustix::stdio::stdin();
    if !is_listening(stdin)? {
        return Ok(None);
    }
    let clone = rustix::io::fcntl_dupfd_cloexec(stdin, 3)?;
    let listener = Listener::inherit(clone)?;
    rustix::stdio::dup2_stdin(nothing_to_read(Path::new("/dev/null"))?)?;
    Ok(Some(listener))
}

/// The null device, or what reads like it in a root directory that has none: a pipe at its end.
fn nothing_to_read(null: &Path) -> io::Result<OwnedFd> {
    match File::open(null) {
        Ok(file) => Ok(file.into()),
        Err(_) => Ok(io::pipe()?.0.into()),
    }
}

fn from_listen_fds() -> io::Result<Vec<Listener>> {
    let mut listeners = Vec::new();
    // `ListenFd` would also take the variables without a LISTEN_PID, and any number.
    if number("LISTEN_PID")? != Some(process::id()) || !has_sound_numbers()? {
        return Ok(listeners);
    }
    let mut passed = ListenFd::from_env();
    for index in 0..passed.len() {
        // An error of these says that the descriptor is of another kind.
        let socket = match passed.take_unix_listener(index) {
            Ok(Some(socket)) => OwnedFd::from(socket),
            _ => match passed.take_tcp_listener(index) {
                Ok(Some(socket)) => OwnedFd::from(socket),
                _ => continue,
            },
        };
        if is_listening(&socket)? {
            listeners.push(Listener::inherit(socket)?);
        } else {
            // A connection, for somebody else to take.
            let _ = socket.into_raw_fd();
        }
    }
    Ok(listeners)
}

/// Whether `LISTEN_FDS` is there; an error if it, or where it starts, makes no sense.
fn has_sound_numbers() -> io::Result<bool> {
    let count = number("LISTEN_FDS")?;
    if count.is_some_and(|count| count > MOST_PASSED.into()) {
        return Err(nonsense("LISTEN_FDS"));
    }
    match number("LISTEN_FDS_FIRST_FD")? {
        Some(first) if !(3..=u32::from(u16::MAX)).contains(&first) => {
            Err(nonsense("LISTEN_FDS_FIRST_FD"))
        }
        _ => Ok(count.is_some()),
    }
}

fn number(variable: &str) -> io::Result<Option<u32>> {
    let Some(value) = env::var_os(variable) else {
        return Ok(None);
    };
    if value.is_empty() {
        return Ok(None);
    }
    match value.to_str().and_then(|text| text.parse().ok()) {
        Some(number) => Ok(Some(number)),
        None => Err(nonsense(variable)),
    }
}

fn nonsense(variable: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("{variable} is not a sensible number"),
    )
}

/// Whether two descriptors are of one socket. Systems that do not number sockets say 0.
fn is_same_socket(one: &Listener, other: &Listener) -> io::Result<bool> {
    let (one, other) = (rustix::fs::fstat(one)?, rustix::fs::fstat(other)?);
    Ok(one.st_ino != 0 && (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn without_a_null_device_there_still_is_nothing_to_read() {
        for null in ["/dev/null", "/nonexistent/null"] {
            let mut text = Vec::new();
            let mut file = File::from(nothing_to_read(Path::new(null)).unwrap());
            file.read_to_end(&mut text).unwrap();
            assert!(text.is_empty());
        }
    }
}
