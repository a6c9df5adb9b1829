//! The streams of the current request.

use std::io::{self, BufRead, Read, Write};

use super::current;

/// The input of the current request: its body, or a Filter's file after
/// [`start_filter_data`](super::start_filter_data).
#[must_use]
pub fn stdin() -> Stdin {
    Stdin(())
}

/// The response. Write to it where [`print!`](super::print) has no words: bytes, copies of files. A
/// CGI program without a loop sees them on their way when it flushes.
#[must_use]
pub fn stdout() -> Stdout {
    Stdout(())
}

/// The web server's error log.
#[must_use]
pub fn stderr() -> Stderr {
    Stderr(())
}

/// See [`stdin`]. Its errors are those of [`InputReader`](crate::InputReader).
#[derive(Debug)]
pub struct Stdin(());

/// See [`stdout`]. Its errors are those of [`Stdout`](crate::Stdout).
#[derive(Debug)]
pub struct Stdout(());

/// See [`stderr`].
#[derive(Debug)]
pub struct Stderr(());

impl Stdin {
    /// Reads up to and with the next line feed, appends that to `line`, and says how many bytes
    /// they are; 0 at the end.
    ///
    /// # Errors
    ///
    /// Those of reading; `InvalidData` when the line is no UTF-8.
    pub fn read_line(&self, line: &mut String) -> io::Result<usize> {
        current(|current| match current.input() {
            Some(input) => input.read_line(line),
            None => io::stdin().read_line(line),
        })
    }
}

impl Read for Stdin {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        current(|current| match current.input() {
            Some(input) => input.read(buf),
            None => io::stdin().read(buf),
        })
    }
}

impl Write for Stdout {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        current(|current| match &mut current.request {
            // Nothing is no response.
            Some(_) if buf.is_empty() => Ok(0),
            Some(request) => {
                if request.stdout.is_blank() {
                    request.stdout.raw()?;
                }
                request.stdout.write(buf)
            }
            None => io::stdout().write(buf),
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        current(|current| match &mut current.request {
            // There is no head to send yet.
            Some(request) if request.stdout.is_blank() => Ok(()),
            Some(request) => request.stdout.flush(),
            None => io::stdout().flush(),
        })
    }
}

impl Write for Stderr {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        current(|current| match &mut current.request {
            Some(request) => request.stderr.write(buf),
            None => io::stderr().write(buf),
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        current(|current| match &mut current.request {
            Some(request) => request.stderr.flush(),
            None => io::stderr().flush(),
        })
    }
}
