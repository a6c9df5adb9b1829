//! The one request of a CGI process (RFC 3875): variables from the environment, the body from
//! standard input, the answer to standard output.

use std::env;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Chain, Cursor, Read, Take, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use fcgi_core::Refusal;
use fcgi_core::cgi::{Status, error_response, exit_status};
use fcgi_core::params::append;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::context::{Context, Report};
use crate::incident::Incident;
use crate::link::{InputStream, OutputStream};
use crate::params::Params;
use crate::request::Request;
use crate::rules::Rules;

/// A process that was started for one request.
pub(crate) struct Process {
    context: Context,
    stdin: Mutex<Body>,
    /// `None` once the response has ended.
    stdout: Mutex<Option<File>>,
    app_status: AtomicU32,
    begun: AtomicBool,
}

/// What was collected of the body, then standard input: no more than the body, as what follows it
/// belongs to others (RFC 3875 §4.2).
type Body = Chain<Cursor<Vec<u8>>, BufReader<Take<File>>>;

impl Process {
    /// Takes over standard input and output.
    ///
    /// The response goes through a descriptor that is this one's alone, so that the web server
    /// sees its end when it ends. What is printed past it goes to standard error: under FastCGI it
    /// would not reach the client either.
    pub(crate) fn take_over(rules: Rules, report: Box<Report>) -> io::Result<Arc<Process>> {
        let clone = |descriptor: BorrowedFd<'_>| descriptor.try_clone_to_owned().map(File::from);
        let stdin = clone(rustix::stdio::stdin())?;
        let stdout = clone(rustix::stdio::stdout())?;
        // What was printed before this goes where it was meant to go.
        let _ = io::stdout().flush();
        rustix::stdio::dup2_stdout(rustix::stdio::stderr())?;
        let stdin = BufReader::with_capacity(64 * 1024, stdin.take(0));
        Ok(Arc::new(Process {
            context: Context::new(rules, report),
            stdin: Mutex::new(Cursor::default().chain(stdin)),
            stdout: Mutex::new(Some(stdout)),
            app_status: AtomicU32::new(0),
            begun: AtomicBool::new(false),
        }))
    }

    /// The request; `None` when it was given out already, or is one that is not served.
    pub(crate) fn accept(self: &Arc<Process>) -> io::Result<Option<Request>> {
        if self.begun.swap(true, Ordering::Relaxed) {
            return Ok(None);
        }
        let mut stream = Vec::new();
        for (name, value) in env::vars_os() {
            append(&mut stream, name.as_bytes(), value.as_bytes())
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        }
        let mut request = Request::of_process(Arc::clone(self), Params::from_stream(stream));
        let length = request.stdin.announced().unwrap_or(0);
        // What is refused is drained, too.
        self.stdin().get_mut().1.get_mut().set_limit(length);
        if let Some((status, app_status)) = self.refusal(&request, length) {
            request.stdout.replace(error_response(status));
            request.set_exit_status(app_status);
            // Its end is written as it is dropped.
            return Ok(None);
        }
        self.collect();
        Ok(Some(request))
    }

    /// Collects so much of the body as the rules say: fcgiwrap, for one, takes nothing of the
    /// response before it has passed on all of the body.
    fn collect(&self) {
        let most = self.rules().buffer_body;
        let mut stdin = self.stdin();
        let (collected, rest) = stdin.get_mut();
        let collected = collected.get_mut();
        while collected.len() < most {
            let taken = match rest.fill_buf() {
                Ok([]) => return,
                Ok(bytes) => {
                    let taken = bytes.len().min(most - collected.len());
                    collected.extend_from_slice(&bytes[..taken]);
                    taken
                }
                Err(error) => {
                    let waited = wait_or_fail(error, rest.get_ref().get_ref(), PollFlags::IN);
                    if waited.is_err() {
                        // The handler meets it when it reads on.
                        return;
                    }
                    0
                }
            };
            rest.consume(taken);
        }
    }

    /// The response and the exit status for a request that is not served.
    fn refusal(&self, request: &Request, length: u64) -> Option<(Status, i32)> {
        let rules = self.rules();
        if !rules.roles.contains(&request.role()) {
            let (id, reason) = (request.id(), Refusal::UnknownRole);
            self.report(&Incident::Refused { id, reason });
            return Some((Status::INTERNAL_SERVER_ERROR, 1));
        }
        let is_too_long = rules.max_body.is_some_and(|most| length > most);
        is_too_long.then_some((Status::CONTENT_TOO_LARGE, 0))
    }

    pub(crate) fn report(&self, incident: &Incident) {
        self.context.report(incident);
    }

    pub(crate) fn rules(&self) -> &Rules {
        &self.context.rules
    }

    /// What the process should exit with.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(exit_status(self.app_status.load(Ordering::Relaxed)))
    }

    pub(crate) fn read(
        &self,
        stream: InputStream,
        mut take: impl FnMut(&[u8]) -> usize,
    ) -> io::Result<usize> {
        if stream == InputStream::Data {
            return Ok(0);
        }
        let mut stdin = self.stdin();
        loop {
            match stdin.fill_buf() {
                Ok(bytes) => {
                    let taken = take(bytes);
                    stdin.consume(taken);
                    return Ok(taken);
                }
                Err(error) => {
                    let file = stdin.get_ref().1.get_ref().get_ref();
                    wait_or_fail(error, file, PollFlags::IN)?;
                }
            }
        }
    }

    pub(crate) fn write(&self, stream: OutputStream, bytes: &[u8]) -> io::Result<()> {
        if stream == OutputStream::Stderr {
            return write_all(io::stderr().lock(), rustix::stdio::stderr(), bytes);
        }
        let stdout = self.stdout();
        let Some(file) = &*stdout else {
            return Err(io::Error::other("the request is over"));
        };
        write_all(file, file.as_fd(), bytes)
    }

    /// Whether nobody reads the response any more.
    pub(crate) fn is_aborted(&self) -> bool {
        let stdout = self.stdout();
        let Some(file) = &*stdout else {
            return false;
        };
        let mut polled = [PollFd::new(file, PollFlags::empty())];
        let gone = PollFlags::ERR | PollFlags::HUP;
        poll(&mut polled, Some(&Timespec::default())).is_ok()
            && polled[0].revents().intersects(gone)
    }

    pub(crate) fn finish(&self, stdout: &[u8], app_status: u32) -> io::Result<()> {
        let written = self.write(OutputStream::Stdout, stdout);
        // Whoever started the program learns of it in no other way.
        let is_lost = written.is_err() && app_status == 0;
        let app_status = if is_lost { 1 } else { app_status };
        self.app_status.store(app_status, Ordering::Relaxed);
        // The web server sees the end, even if the program goes on to work.
        self.stdout().take();
        self.drain();
        written
    }

    /// Reads what is left of the body, within the bounds of the rules, as the client can lose the
    /// response otherwise. fcgiwrap answers 502 when nobody takes the body; Apache's `mod_cgid`
    /// sends it through the socket of the response, which is reset when it is closed with input
    /// unread.
    fn drain(&self) {
        let mut stdin = self.stdin();
        let body = stdin.get_mut().1.get_mut();
        let rules = self.rules();
        let until = Instant::now() + rules.drain_timeout;
        let mut left = rules.drain_bytes;
        let mut piece = [0; 8192];
        while body.limit() > 0 && left > 0 {
            let time = until.saturating_duration_since(Instant::now());
            let time = Timespec::try_from(time).ok();
            let mut polled = [PollFd::new(body.get_ref(), PollFlags::IN)];
            match poll(&mut polled, time.as_ref()) {
                Ok(1..) => {}
                Err(Errno::INTR) => continue,
                Ok(0) | Err(_) => return,
            }
            match body.read(&mut piece) {
                Ok(0) | Err(_) => return,
                Ok(count) => left = left.saturating_sub(count),
            }
        }
    }

    fn stdin(&self) -> MutexGuard<'_, Body> {
        self.stdin.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stdout(&self) -> MutexGuard<'_, Option<File>> {
        self.stdout.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes everything, whether or not the descriptor blocks.
fn write_all(
    mut writer: impl Write,
    descriptor: BorrowedFd<'_>,
    mut bytes: &[u8],
) -> io::Result<()> {
    while !bytes.is_empty() {
        match writer.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            Err(error) => wait_or_fail(error, descriptor, PollFlags::OUT)?,
        }
    }
    Ok(())
}

/// Whoever started this process may have set its descriptors to not block.
fn wait_or_fail(error: io::Error, descriptor: impl AsFd, flags: PollFlags) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::Interrupted => Ok(()),
        io::ErrorKind::WouldBlock => match poll(&mut [PollFd::new(&descriptor, flags)], None) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        },
        _ => Err(error),
    }
}
