//! The streams of a request: `Read` and `Write` over its records.

use std::io::{self, BufRead, Read, Write};

use fcgi_core::cgi::{ResponseHead, Status};
use fcgi_http::invalid;

use crate::link::{InputStream, Link, OutputStream};

/// STDIN or DATA of a request (§5.3).
///
/// It ends where the web server ends the stream. When the request says how long it is
/// (CONTENT_LENGTH for STDIN, FCGI_DATA_LENGTH for DATA), no more than that is handed out, and a
/// stream that ends early is an [`UnexpectedEof`](io::ErrorKind::UnexpectedEof): a cut upload must
/// not pass for a short one.
///
/// # Errors
///
/// Reading fails with `UnexpectedEof` as said above or when the web server closed the connection,
/// `ConnectionAborted` after ABORT_REQUEST (§5.4), `TimedOut` when nothing came for the server's
/// body timeout, `FileTooLarge` beyond the server's body limit, `InvalidData` when the web server
/// broke the protocol.
pub struct InputReader {
    link: Link,
    stream: InputStream,
    /// Bytes that are still announced.
    left: Option<u64>,
    /// Bytes that may still come.
    allowed: Option<u64>,
    too_long: bool,
    chunk: Vec<u8>,
    used: usize,
}

impl InputReader {
    pub(crate) fn stdin(link: Link, length: Option<u64>) -> InputReader {
        let allowed = link.rules().max_body;
        InputReader {
            allowed,
            ..InputReader::new(link, InputStream::Stdin, length)
        }
    }

    pub(crate) fn data(link: Link, length: Option<u64>) -> InputReader {
        InputReader::new(link, InputStream::Data, length)
    }

    fn new(link: Link, stream: InputStream, left: Option<u64>) -> InputReader {
        InputReader {
            link,
            stream,
            left,
            allowed: None,
            too_long: false,
            chunk: Vec::new(),
            used: 0,
        }
    }

    /// Bytes that were announced and not read yet; `None` when no length was announced.
    #[must_use]
    pub fn announced(&self) -> Option<u64> {
        let buffered = u64::try_from(self.chunk.len() - self.used).unwrap_or(u64::MAX);
        self.left.map(|left| left.saturating_add(buffered))
    }

    /// Whether reading went over the server's body limit.
    pub(crate) fn is_too_long(&self) -> bool {
        self.too_long
    }

    /// Shows `take` what comes next, within what was announced.
    fn pull(&mut self, mut take: impl FnMut(&[u8]) -> usize) -> io::Result<usize> {
        if self.left == Some(0) {
            return Ok(0);
        }
        let most = self.left.map_or(usize::MAX, |left| {
            usize::try_from(left).unwrap_or(usize::MAX)
        });
        let taken = self
            .link
            .read(self.stream, |bytes| take(&bytes[..bytes.len().min(most)]))?;
        let count = u64::try_from(taken).unwrap_or(u64::MAX);
        if let Some(left) = &mut self.left {
            if taken == 0 {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    format!("the stream ended {left} bytes before its announced length"),
                ));
            }
            *left = left.saturating_sub(count);
        }
        if let Some(allowed) = &mut self.allowed {
            // What is too long stays so, also at its end.
            let rest = allowed.checked_sub(count).filter(|_| !self.too_long);
            let Some(rest) = rest else {
                self.too_long = true;
                return Err(io::Error::new(
                    io::ErrorKind::FileTooLarge,
                    "the body is longer than this server takes",
                ));
            };
            *allowed = rest;
        }
        Ok(taken)
    }
}

impl Read for InputReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        let buffered = &self.chunk[self.used..];
        if buffered.is_empty() {
            return self.pull(|bytes| {
                let count = bytes.len().min(buf.len());
                buf[..count].copy_from_slice(&bytes[..count]);
                count
            });
        }
        let count = buffered.len().min(buf.len());
        buf[..count].copy_from_slice(&buffered[..count]);
        self.used += count;
        Ok(count)
    }
}

impl BufRead for InputReader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.used == self.chunk.len() {
            let mut chunk = std::mem::take(&mut self.chunk);
            chunk.clear();
            self.used = 0;
            let pulled = self.pull(|bytes| {
                chunk.extend_from_slice(bytes);
                bytes.len()
            });
            self.chunk = chunk;
            pulled.inspect_err(|_| self.chunk.clear())?;
        }
        Ok(&self.chunk[self.used..])
    }

    fn consume(&mut self, amount: usize) {
        self.used = (self.used + amount).min(self.chunk.len());
    }
}

/// STDERR of a request (§5.3): text for the web server's error log. Each write is sent at once.
pub struct Stderr {
    link: Link,
}

impl Stderr {
    pub(crate) fn new(link: Link) -> Stderr {
        Stderr { link }
    }
}

impl Write for Stderr {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.link.write(OutputStream::Stderr, buf)?;
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.link.flush()
    }
}

/// STDOUT of a request (§5.3): the head of the response, then its body.
///
/// The head is made from [`status`](Stdout::status) and [`header`](Stdout::header) and sent before
/// the first byte of the body; without a Content-Type it says `application/octet-stream`. A program
/// that writes its head by itself, as CGI programs do, says so with [`raw`](Stdout::raw) first.
///
/// What is written is collected and sent in large records; [`flush`](Write::flush) sends it now. An
/// announced Content-Length is kept to: writing more is an error, and so is ending with less. The
/// body of a response to HEAD is swallowed.
pub struct Stdout {
    link: Link,
    head: ResponseHead<Vec<u8>>,
    stage: Stage,
    buffer: Vec<u8>,
    is_head_request: bool,
    /// Whether this is an Authorizer's denial: status 200 would grant access.
    denies: bool,
    /// Bytes of the body so far.
    written: u64,
    /// Whether anything was handed to the connection.
    sent: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// The head can still be changed.
    Head,
    /// The head is in the buffer or sent.
    Body,
    /// The program writes the head itself.
    Raw,
}

/// Output is collected up to this many bytes: with the head of a record it is what one full record
/// takes.
const COLLECT: usize = fcgi_core::MAX_CONTENT;

/// Room in bytes that most heads and small answers do with, so that neither grows step by step.
const USUAL_HEAD: usize = 256;
const USUAL_ANSWER: usize = 1024;

impl Stdout {
    pub(crate) fn new(link: Link, is_head_request: bool) -> Stdout {
        Stdout {
            link,
            head: ResponseHead::new(Vec::with_capacity(USUAL_HEAD)),
            stage: Stage::Head,
            buffer: Vec::with_capacity(USUAL_ANSWER),
            is_head_request,
            denies: false,
            written: 0,
            sent: false,
        }
    }

    /// Sets the status of the response; 200 unless it is set.
    ///
    /// # Errors
    ///
    /// `InvalidInput` when the code has not three digits or is one of 1xx, or when the head is out
    /// already.
    pub fn status(&mut self, code: u16) -> io::Result<()> {
        let head = self.head()?;
        let status = Status::new(code).filter(|status| !status.is_informational());
        head.set_status(status.ok_or_else(|| invalid("a final status is 200 to 999"))?);
        Ok(())
    }

    /// Adds a field to the head of the response. Fields may repeat, except Content-Type,
    /// Content-Length, Location and Status.
    ///
    /// # Errors
    ///
    /// `InvalidInput` with a [`HeadError`](fcgi_core::cgi::HeadError) when CGI does not allow it,
    /// or when the head is out already.
    pub fn header(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> io::Result<()> {
        self.head()?.add(name, value).map_err(invalid)
    }

    /// From here on everything is sent as it is written; the program writes the head by itself.
    ///
    /// # Errors
    ///
    /// `InvalidInput` when the head is out already, and for an Authorizer's denial.
    pub fn raw(&mut self) -> io::Result<()> {
        self.head()?;
        if self.denies {
            return Err(invalid("the head of a denial is made of fields"));
        }
        self.stage = Stage::Raw;
        Ok(())
    }

    /// From here on the response may not say 200.
    pub(crate) fn deny(&mut self) {
        self.denies = true;
    }

    /// Whether nothing was said of the response yet.
    pub(crate) fn is_blank(&self) -> bool {
        self.stage == Stage::Head && self.head.is_empty()
    }

    /// The head, while it can be changed.
    pub(crate) fn head(&mut self) -> io::Result<&mut ResponseHead<Vec<u8>>> {
        match self.stage {
            Stage::Head => Ok(&mut self.head),
            Stage::Body | Stage::Raw => Err(invalid("the head of the response is out already")),
        }
    }

    /// What was set of the head.
    pub(crate) fn head_so_far(&self) -> &ResponseHead<Vec<u8>> {
        &self.head
    }

    /// Formats the head if that was not done yet.
    fn close_head(&mut self) -> io::Result<()> {
        if self.stage == Stage::Head {
            if self.denies && self.head.status() == Status::OK {
                return Err(invalid("the response of a denial would grant access"));
            }
            self.stage = Stage::Body;
            self.head
                .write(&mut self.buffer)
                .map_err(|_| io::ErrorKind::OutOfMemory)?;
        }
        Ok(())
    }

    /// How much of `bytes` belongs on the wire.
    fn admit(&self, bytes: &[u8]) -> io::Result<bool> {
        if self.stage == Stage::Raw {
            return Ok(true);
        }
        if self.is_head_request {
            return Ok(false);
        }
        if !self.head.body_allowed(false) {
            return Err(invalid("this response has no body"));
        }
        let after = self
            .written
            .saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        if self
            .head
            .content_length()
            .is_some_and(|length| after > length)
        {
            return Err(invalid("the body is longer than its Content-Length"));
        }
        Ok(true)
    }

    fn send_buffer(&mut self) -> io::Result<()> {
        self.sent |= !self.buffer.is_empty();
        let sent = self.link.write(OutputStream::Stdout, &self.buffer);
        self.buffer.clear();
        sent
    }

    /// Whether nothing can have reached the web server yet.
    pub(crate) fn is_unsent(&self) -> bool {
        !self.sent
    }

    /// Replaces the response, of which nothing was sent yet, by a ready one.
    pub(crate) fn replace(&mut self, response: &[u8]) {
        self.stage = Stage::Raw;
        self.buffer.clear();
        self.buffer.extend_from_slice(response);
    }

    /// Completes the head; whether the response is as long as it said.
    pub(crate) fn close(&mut self) -> io::Result<()> {
        self.close_head()?;
        let length = self
            .head
            .content_length()
            .filter(|_| self.stage == Stage::Body);
        let short = length.is_some_and(|length| self.written < length);
        if short && self.head.body_allowed(self.is_head_request) {
            return Err(invalid("the body is shorter than its Content-Length"));
        }
        Ok(())
    }

    /// The last bytes of the response.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.buffer
    }
}

impl Write for Stdout {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        self.close_head()?;
        if self.admit(buf)? {
            if self.buffer.len() + buf.len() > COLLECT {
                self.send_buffer()?;
            }
            if buf.len() >= COLLECT {
                self.sent = true;
                self.link.write(OutputStream::Stdout, buf)?;
            } else {
                self.buffer.extend_from_slice(buf);
            }
        }
        self.written = self
            .written
            .saturating_add(u64::try_from(buf.len()).unwrap_or(u64::MAX));
        Ok(buf.len())
    }

    /// Sends the head and everything written so far, and waits until the socket has taken it.
    fn flush(&mut self) -> io::Result<()> {
        if self.stage != Stage::Raw {
            self.close_head()?;
        }
        self.send_buffer()?;
        self.link.flush()
    }
}
