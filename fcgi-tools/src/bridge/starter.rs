//! Starting an application that outlives its starter.
//!
//! The starter runs this program again as a supervisor in a session of its own, and waits for one
//! line from it:
//!
//! ```text
//!   ready        all processes of the application run, and the socket listens
//!   busy WHY     somebody else listens there
//!   failed WHY
//! ```
//!
//! After `ready` there may be others:
//!
//! ```text
//!   again        a process has ended as soon as it ran, and is started once more
//!   failed WHY   all of them have, too often
//! ```

use std::env;
use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{self, PipeReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::arguments::Arguments;
use super::lock::Lock;

/// How long the start may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a program that cannot work may take to show it.
const SETTLE: Duration = Duration::from_secs(1);
/// How long it may take one that has ended before: longer than any pause before it is given up.
const DOUBT: Duration = Duration::from_secs(2);

/// The first word of the supervisor's line.
pub(super) const READY: &str = "ready";
pub(super) const BUSY: &str = "busy";
pub(super) const AGAIN: &str = "again";
pub(super) const FAILED: &str = "failed";

/// Why there is no application that was started.
#[derive(Debug)]
pub(super) enum StartError {
    /// What the supervisor said.
    Told { busy: bool, why: String },
    /// The supervisor said nothing in time.
    Silent,
    /// The supervisor could not be run.
    System(io::Error),
}

impl StartError {
    /// Whether somebody else has begun to listen there.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self, StartError::Told { busy: true, .. })
    }

    pub(super) fn no_address() -> StartError {
        StartError::Told {
            busy: false,
            why: "no -connect was given".to_owned(),
        }
    }
}

/// Starts the application; returns when the socket listens and all processes have run for a moment.
pub(super) fn start(arguments: &Arguments) -> Result<(), StartError> {
    let deadline = Instant::now() + PATIENCE;
    let address = arguments.connect.as_ref();
    let lock = Lock::take(address.ok_or_else(StartError::no_address)?, deadline)?;
    let mut started = start_locked(arguments, deadline, &lock)?;
    let mut settled = Instant::now() + SETTLE;
    loop {
        match started.line(settled) {
            Err(StartError::Silent) => return Ok(()),
            Err(error) => return Err(error),
            Ok(line) if line == AGAIN => settled = Instant::now() + DOUBT,
            Ok(line) => return Err(started.told(&line)),
        }
    }
}

/// Starts the application, by who has the right to it; returns when the socket listens and all
/// processes run.
pub(super) fn start_locked(
    arguments: &Arguments,
    deadline: Instant,
    _lock: &Lock,
) -> Result<Started, StartError> {
    let (pipe, writer) = io::pipe()?;
    let mut command = Command::new(env::current_exe()?);
    command
        .args(["--supervise", "--detached"])
        .args(&arguments.raw)
        .stdin(Stdio::null())
        .stdout(writer)
        // Held open by a process that stays, the web server's pipe would never come to its end.
        .stderr(Stdio::null());
    for name in of_this_request(env::vars_os().map(|(name, _)| name)) {
        command.env_remove(name);
    }
    let supervisor = command.spawn()?;
    // With it goes our copy of the writer: the supervisor's end would not be noticed otherwise.
    drop(command);
    let mut started = Started {
        supervisor,
        pipe,
        unread: Vec::new(),
    };
    match started.line(deadline)? {
        line if line == READY => Ok(started),
        line => Err(started.told(&line)),
    }
}

/// A supervisor in the background, and what it says.
#[derive(Debug)]
pub(super) struct Started {
    supervisor: Child,
    pipe: PipeReader,
    unread: Vec<u8>,
}

impl Started {
    /// What a line says that is not the awaited one.
    fn told(mut self, line: &str) -> StartError {
        let (word, why) = line.split_once(' ').unwrap_or((line, ""));
        let why = match (why, self.supervisor.try_wait()) {
            ("", Ok(Some(status))) => format!("the supervisor ended, {status}"),
            ("", _) => "the supervisor gave it up".to_owned(),
            (why, _) => why.to_owned(),
        };
        StartError::Told {
            busy: word == BUSY,
            why,
        }
    }

    /// The next line; an empty one at the end.
    fn line(&mut self, deadline: Instant) -> Result<String, StartError> {
        let mut piece = [0; 512];
        loop {
            if let Some(end) = self.unread.iter().position(|&byte| byte == b'\n') {
                let line = String::from_utf8_lossy(&self.unread[..end]).into_owned();
                self.unread.drain(..=end);
                return Ok(line);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = Timespec::try_from(left).ok();
            let mut fds = [PollFd::new(&self.pipe, PollFlags::IN)];
            match poll(&mut fds, timeout.as_ref()) {
                Ok(0) => return Err(StartError::Silent),
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(io::Error::from(errno).into()),
            }
            match self.pipe.read(&mut piece)? {
                0 => return Ok(String::new()),
                count => self.unread.extend_from_slice(&piece[..count]),
            }
        }
    }
}

/// The variables that tell of one request (RFC 3875 §4.1) and have no meaning in a process that
/// serves many; only in a CGI program, where they are the web server's.
fn of_this_request(names: impl Iterator<Item = OsString>) -> Vec<OsString> {
    const PREFIXES: [&[u8]; 3] = [b"HTTP_", b"REDIRECT_", b"SSL_"];
    // Settings of OpenSSL that look like the request's variables.
    const KEPT: [&str; 2] = ["SSL_CERT_DIR", "SSL_CERT_FILE"];
    const NAMES: [&str; 33] = [
        "AUTH_TYPE",
        "CONTENT_LENGTH",
        "CONTENT_TYPE",
        "CONTEXT_DOCUMENT_ROOT",
        "CONTEXT_PREFIX",
        "DOCUMENT_ROOT",
        "DOCUMENT_URI",
        "FCGI_DATA_LAST_MOD",
        "FCGI_DATA_LENGTH",
        "FCGI_ROLE",
        "GATEWAY_INTERFACE",
        "HTTPS",
        "PATH_INFO",
        "PATH_TRANSLATED",
        "QUERY_STRING",
        "REMOTE_ADDR",
        "REMOTE_HOST",
        "REMOTE_IDENT",
        "REMOTE_PORT",
        "REMOTE_USER",
        "REQUEST_METHOD",
        "REQUEST_SCHEME",
        "REQUEST_URI",
        "SCRIPT_FILENAME",
        "SCRIPT_NAME",
        "SERVER_ADDR",
        "SERVER_ADMIN",
        "SERVER_NAME",
        "SERVER_PORT",
        "SERVER_PROTOCOL",
        "SERVER_SIGNATURE",
        "SERVER_SOFTWARE",
        "UNIQUE_ID",
    ];
    let names: Vec<OsString> = names.collect();
    if !names.iter().any(|name| name == "GATEWAY_INTERFACE") {
        return Vec::new();
    }
    let is_one = |name: &OsStr| {
        let is_in = |list: &[&str]| list.iter().any(|other| name == *other);
        let begins = |prefix: &&[u8]| name.as_bytes().starts_with(prefix);
        is_in(&NAMES) || (PREFIXES.iter().any(begins) && !is_in(&KEPT))
    };
    names.into_iter().filter(|name| is_one(name)).collect()
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Told { why, .. } => write!(f, "the application is not started: {why}"),
            StartError::Silent => f.write_str("the application is not started: it took too long"),
            StartError::System(error) => write!(f, "the application is not started: {error}"),
        }
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            StartError::System(error) => Some(error),
            StartError::Told { .. } | StartError::Silent => None,
        }
    }
}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        StartError::System(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left_out(names: &[&str]) -> Vec<OsString> {
        of_this_request(names.iter().map(OsString::from))
    }

    #[test]
    fn variables_of_one_request_stay_behind() {
        let names = [
            "PATH",
            "HTTP_COOKIE",
            "QUERY_STRING",
            "SSL_CERT_FILE",
            "FCGI_WEB_SERVER_ADDRS",
        ];
        assert!(left_out(&names).is_empty(), "not a CGI program");
        let names = [&names[..], &["GATEWAY_INTERFACE"]].concat();
        assert_eq!(
            left_out(&names),
            ["HTTP_COOKIE", "QUERY_STRING", "GATEWAY_INTERFACE"]
        );
    }
}
