//! The one request of a CGI process (RFC 3875): variables from the environment, the body from
//! standard input, the answer to standard output.

use std::env;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    stdin: Mutex<BufReader<File>>,
    /// `None` once the response has ended.
    stdout: Mutex<Option<File>>,
    exit_status: AtomicU32,
    begun: AtomicBool,
}

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
        rustix::stdio::dup2_stdout(rustix::stdio::stderr())?;
        Ok(Arc::new(Process {
            context: Context::new(rules, report),
            stdin: Mutex::new(BufReader::with_capacity(64 * 1024, stdin)),
            stdout: Mutex::new(Some(stdout)),
            exit_status: AtomicU32::new(0),
            begun: AtomicBool::new(false),
        }))
    }

    /// The request; `None` when it was given out already.
    pub(crate) fn accept(self: &Arc<Process>) -> io::Result<Option<Request>> {
        if self.begun.swap(true, Ordering::Relaxed) {
            return Ok(None);
        }
        let mut stream = Vec::new();
        for (name, value) in env::vars_os() {
            append(&mut stream, name.as_bytes(), value.as_bytes())
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        }
        Ok(Some(Request::of_process(
            Arc::clone(self),
            Params::from_stream(stream),
        )))
    }

    pub(crate) fn report(&self, incident: &Incident) {
        self.context.report(incident);
    }

    pub(crate) fn rules(&self) -> &Rules {
        &self.context.rules
    }

    /// What the process should exit with. Of a status exit(2) passes on the low 8 bits; one that
    /// would become 0 by that becomes 255.
    pub(crate) fn exit_code(&self) -> ExitCode {
        let status = self.exit_status.load(Ordering::Relaxed);
        let [.., low] = status.to_be_bytes();
        ExitCode::from(if status != 0 && low == 0 { 255 } else { low })
    }

    pub(crate) fn read(
        &self,
        stream: InputStream,
        mut take: impl FnMut(&[u8]) -> usize,
    ) -> io::Result<usize> {
        if stream == InputStream::Data {
            return Ok(0);
        }
        let mut stdin = self.stdin.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match stdin.fill_buf() {
                Ok(bytes) => {
                    let taken = take(bytes);
                    stdin.consume(taken);
                    return Ok(taken);
                }
                Err(error) => wait_or_fail(error, stdin.get_ref().as_fd(), PollFlags::IN)?,
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
        self.exit_status.store(app_status, Ordering::Relaxed);
        let written = self.write(OutputStream::Stdout, stdout);
        // The web server sees the end, even if the program goes on to work.
        self.stdout().take();
        written
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
fn wait_or_fail(error: io::Error, descriptor: BorrowedFd<'_>, flags: PollFlags) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::Interrupted => Ok(()),
        io::ErrorKind::WouldBlock => match poll(&mut [PollFd::new(&descriptor, flags)], None) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        },
        _ => Err(error),
    }
}
