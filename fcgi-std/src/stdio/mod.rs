//! Standard input and output of the current request: a CGI program becomes a FastCGI program by a
//! loop around it.
//!
//! ```no_run
//! use fcgi_std::stdio::{self, println, var};
//!
//! fn main() -> std::io::Result<()> {
//!     let mut count = 0;
//!     while stdio::accept()? {
//!         count += 1;
//!         println!("Content-Type: text/plain; charset=utf-8\r\n\r");
//!         println!("request {count}, of {}", var("REMOTE_ADDR").unwrap_or_default());
//!     }
//!     Ok(())
//! }
//! ```
//!
//! Without the loop this is a CGI program (RFC 3875); with it, it is a CGI program and a FastCGI
//! application, whichever it was started as.
//!
//! - [`accept`] ends the request of the calling thread and waits for the next one. Each thread has
//!   a current request of its own; several may loop at the same time.
//! - [`print!`], [`println!`], [`eprint!`], [`eprintln!`], [`stdin`], [`stdout`], [`stderr`],
//!   [`var`], [`vars`] are those of the current request. The program writes the head of the
//!   response by itself, as CGI programs do, unless it has set a field of it by [`with`].
//! - A response of which nothing was printed becomes a 500.
//! - A thread that ends inside a request, by a panic, by [`exit`](std::process::exit) or out of its
//!   loop, ends the response where it is, with an exit status of 1 unless one was set. Whoever
//!   leaves the loop with a whole response calls [`finish`] before.
//! - Where there is no current request, before the first `accept` and after [`finish`], they are
//!   those of the process.
//!
//! Printing never panics: a web server that has gone away must not end the program. What failed,
//! [`finish`] tells.

mod print;
mod streams;

use std::cell::RefCell;
use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::mem;
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fcgi_core::Role;
use fcgi_core::cgi::Status;

use crate::request::Request;
use crate::server::{Requests, Server};
use crate::streams::InputReader;

#[doc(hidden)]
pub use print::print_to;
pub use streams::{Stderr, Stdin, Stdout, stderr, stdin, stdout};

#[doc(inline)]
pub use crate::{
    __stdio_eprint as eprint, __stdio_eprintln as eprintln, __stdio_print as print,
    __stdio_println as println,
};

/// The requests of the process, for all threads. Held while the first thread makes them.
static SOURCE: Mutex<Source> = Mutex::new(Source::Unknown);

/// Where requests come from.
enum Source {
    /// Nobody has looked yet.
    Unknown,
    /// What the process was started with is used up, and another look would take it for a CGI
    /// program.
    Failed,
    Known(Arc<Requests>),
    /// A FastCGI application that has stopped: it holds no listening socket any more.
    Stopped,
}

fn source() -> MutexGuard<'static, Source> {
    SOURCE.lock().unwrap_or_else(PoisonError::into_inner)
}

thread_local! {
    static CURRENT: RefCell<Current> = const { RefCell::new(Current::NONE) };
}

/// What a thread works on.
struct Current {
    request: Option<Request>,
    /// Whether `stdin` is DATA by now.
    reads_data: bool,
    /// Whether the program has set the exit status.
    has_status: bool,
    /// What went wrong first in printing.
    failed: Option<io::Error>,
}

impl Current {
    const NONE: Current = Current {
        request: None,
        reads_data: false,
        has_status: false,
        failed: None,
    };

    fn end(&mut self) -> io::Result<()> {
        let Some(mut request) = self.request.take() else {
            return Ok(());
        };
        if request.stdout.is_blank() {
            request.fail(Status::INTERNAL_SERVER_ERROR);
            let nothing = || io::Error::other("the program printed no response");
            return Err(self.failed.take().unwrap_or_else(nothing));
        }
        let ended = request.end();
        self.failed.take().map_or(ended, Err)
    }

    fn input(&mut self) -> Option<&mut InputReader> {
        let request = self.request.as_mut()?;
        Some(if self.reads_data {
            &mut request.data
        } else {
            &mut request.stdin
        })
    }
}

/// Lends what this thread works on. That is nothing any more when the thread ends and this is asked
/// for by a destructor of another thread-local value.
fn current<R>(work: impl FnOnce(&mut Current) -> R) -> R {
    match CURRENT.try_with(|_| ()) {
        Ok(()) => CURRENT.with_borrow_mut(work),
        Err(_) => {
            let mut nothing = Current::NONE;
            work(&mut nothing)
        }
    }
}

impl Drop for Current {
    fn drop(&mut self) {
        // The thread ends inside a request: by a panic, by `exit`, or out of its loop. What was
        // printed goes out, as a CGI program's does, but does not pass for a success.
        if let (Some(request), false) = (&mut self.request, self.has_status) {
            request.set_exit_status(1);
        }
        let _ = self.end();
    }
}

/// Ends the current request of this thread and waits for the next one. `false` when there will be
/// none: the process was told to stop, or it is a CGI program and its request is done.
///
/// The first call finds out how the process was started, as [`Server::inherited_or_cgi`] does; it
/// belongs early in `main`. A FastCGI application heeds SIGTERM, SIGINT and SIGUSR1 from then on;
/// what runs has 30 seconds to end. [`init`] sets other rules.
///
/// # Errors
///
/// Those of [`Server::requests`] at the first call, later those of [`Requests::accept`].
pub fn accept() -> io::Result<bool> {
    // Whoever wants to know how it ended calls `finish`.
    let _ = finish();
    let begun = begin(|| Ok(Server::inherited_or_cgi()?.stop_on_signals(PATIENCE)))?;
    let Some(requests) = begun else {
        return Ok(false);
    };
    let request = requests.accept()?;
    let is_one = request.is_some();
    if !is_one && !requests.is_cgi() {
        // The last thread closes the sockets: who connects while the program goes on must not wait.
        *source() = Source::Stopped;
    }
    current(|current| current.request = request);
    Ok(is_one)
}

/// How long running requests may go on after a signal.
const PATIENCE: Duration = Duration::from_secs(30);

/// Has [`accept`] take requests from this server, by its rules.
///
/// # Errors
///
/// `AlreadyExists` after another call, or after [`accept`]; and those of [`Server::requests`].
pub fn init(server: Server) -> io::Result<()> {
    let mut is_first = false;
    begin(|| {
        is_first = true;
        Ok(server)
    })?;
    if is_first {
        return Ok(());
    }
    let why = "requests are taken from another server already";
    Err(io::Error::new(io::ErrorKind::AlreadyExists, why))
}

/// The requests, made of this server if there are none yet; `None` when they are over.
fn begin(server: impl FnOnce() -> io::Result<Server>) -> io::Result<Option<Arc<Requests>>> {
    let mut source = source();
    match &*source {
        Source::Known(requests) => return Ok(Some(Arc::clone(requests))),
        Source::Stopped => return Ok(None),
        Source::Failed => return Err(io::Error::other("the first try to take requests failed")),
        Source::Unknown => *source = Source::Failed,
    }
    let requests = Arc::new(server()?.requests()?);
    *source = Source::Known(Arc::clone(&requests));
    Ok(Some(requests))
}

/// Ends the response; the program can go on working, and nobody waits for it, except that web
/// servers may wait for the end of a CGI program's standard error, and Apache's mod_cgid does for
/// that of its standard input, the socket of the response. Nothing happens if there is no current
/// request.
///
/// # Errors
///
/// What went wrong first: in printing, or in ending the request, see [`Request::finish`]. Nothing
/// was printed at all.
pub fn finish() -> io::Result<()> {
    current(|current| mem::replace(current, Current::NONE)).end()
}

/// Lends the current request, for what this module has no words for: forms, cookies, fields of the
/// head. `None` if there is none; so it is for `work` itself, which has the request.
///
/// If it sets a field of the head, the request writes the head, and what is printed is the body.
pub fn with<R>(work: impl FnOnce(&mut Request) -> R) -> Option<R> {
    let mut request = current(|current| current.request.take())?;
    let result = work(&mut request);
    // `work` may have accepted another one, which ends here.
    let other = current(|current| current.request.replace(request));
    drop(other);
    Some(result)
}

/// Sets the exit status that the web server learns (FastCGI §5.5), or with which a CGI program
/// should exit, see [`exit_code`]. The last call wins. Nothing happens if there is no current
/// request.
pub fn set_exit_status(status: i32) {
    if with(|request| request.set_exit_status(status)).is_some() {
        current(|current| current.has_status = true);
    }
}

/// What the process should exit with after the loop; see [`Requests::exit_code`].
#[must_use]
pub fn exit_code() -> ExitCode {
    match &*source() {
        Source::Known(requests) => requests.exit_code(),
        Source::Unknown | Source::Failed | Source::Stopped => ExitCode::SUCCESS,
    }
}

/// Whether this process is a CGI program, as far as is known: `true` until [`accept`] was called.
#[must_use]
pub fn is_cgi() -> bool {
    match &*source() {
        Source::Known(requests) => requests.is_cgi(),
        Source::Unknown | Source::Failed => true,
        Source::Stopped => false,
    }
}

/// What the application is asked to be; `None` if there is no current request.
#[must_use]
pub fn role() -> Option<Role> {
    with(|request| request.role())
}

/// From here on [`stdin`] is the file that a Filter is given (FastCGI §6.4). What is unread of
/// STDIN is given up.
///
/// # Errors
///
/// `InvalidInput` when the current request has another role, or when there is none.
pub fn start_filter_data() -> io::Result<()> {
    if role() != Some(Role::Filter) {
        let why = "only a request to a Filter has FCGI_DATA";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    current(|current| current.reads_data = true);
    Ok(())
}

/// The value of a variable (RFC 3875 §4.1) as text; what is no UTF-8 is replaced by `U+FFFD`.
/// `None` when it is not set.
#[must_use]
pub fn var(name: impl AsRef<OsStr>) -> Option<String> {
    var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// The value of a variable as it came.
#[must_use]
pub fn var_os(name: impl AsRef<OsStr>) -> Option<OsString> {
    let name = name.as_ref();
    current(|current| match &current.request {
        Some(request) => request.params.get(name.as_bytes()).map(os_string),
        None => env::var_os(name),
    })
}

/// All variables and their values, as they came. Names may repeat; [`var`] takes the first.
#[must_use]
pub fn vars() -> Vec<(OsString, OsString)> {
    current(|current| match &current.request {
        Some(request) => request
            .params
            .iter()
            .map(|(name, value)| (os_string(name), os_string(value)))
            .collect(),
        None => env::vars_os().collect(),
    })
}

fn os_string(bytes: &[u8]) -> OsString {
    OsStr::from_bytes(bytes).to_owned()
}
