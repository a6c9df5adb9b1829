//! What a handler answers.

use std::io;
use std::sync::Arc;

use fcgi_core::MAX_CONTENT;
use fcgi_core::cgi::{ResponseHead, Status};
pub(crate) use fcgi_http::invalid;

use crate::body::{Body, Source};
use crate::deferred::{Deferred, Place, Shared, Ticket};

/// Bytes waiting on a connection beyond which bodies, producers and tasks are not asked for more,
/// and bytes that one call of a handler may write to STDERR.
pub(crate) const HIGH: usize = 64 * 1024;

/// A body in memory of up to this size is copied behind its head: one record, one piece.
const SMALL: usize = 8 * 1024;

/// The memory for a head is kept for the next request up to this size.
const KEPT: usize = 4 * 1024;

/// The response to one request: its head, then its body.
///
/// The head is made from [`status`](Response::status) and [`header`](Response::header), and is
/// complete with the first byte of the body; without a Content-Type it says
/// `application/octet-stream`. An announced Content-Length is kept to: more is an error, and so is
/// less. The body of a response to HEAD is swallowed.
///
/// | body | how it is sent |
/// |---|---|
/// | [`write`](Response::write) | copied, up to 64 KiB in one call of a handler, its head included |
/// | [`body`](Response::body) | from where it lies, or pulled from a producer |
/// | [`defer`](Response::defer) | later, from any thread |
pub struct Response<'a> {
    pub(crate) out: &'a mut Out,
    /// What goes to STDOUT when the handler returns is written here, from `start` on.
    pub(crate) outbox: &'a mut Vec<u8>,
    pub(crate) start: usize,
    /// What goes to STDERR then.
    pub(crate) errors: &'a mut Vec<u8>,
    pub(crate) shared: &'a Arc<Shared>,
    pub(crate) place: Place,
}

/// The output of one request, from one call to the next.
pub(crate) struct Out {
    pub(crate) head: ResponseHead<Vec<u8>>,
    stage: Stage,
    /// Whether the protocol allows output by now.
    pub(crate) open: bool,
    pub(crate) is_head_request: bool,
    /// Bytes of the body so far, and the most that its head allows.
    written: u64,
    most: u64,
    pub(crate) body: Option<Body>,
    /// How much of the body has been taken.
    pub(crate) body_at: usize,
    pub(crate) ended: bool,
    pub(crate) app_status: u32,
    /// Whether anything was handed to the connection.
    pub(crate) sent: bool,
    /// The ticket of the handle that will complete it.
    pub(crate) ticket: Option<Ticket>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// The head can still be changed.
    Head,
    /// The head is out.
    Body,
    /// The program writes the head itself.
    Raw,
}

impl Out {
    pub(crate) fn new() -> Out {
        Out {
            head: ResponseHead::new(Vec::new()),
            stage: Stage::Head,
            open: false,
            is_head_request: false,
            written: 0,
            most: u64::MAX,
            body: None,
            body_at: 0,
            ended: false,
            app_status: 0,
            sent: false,
            ticket: None,
        }
    }

    /// Forgets everything, and keeps the memory for a head unless it is large.
    pub(crate) fn clear(&mut self) {
        if self.head.storage().capacity() > KEPT {
            self.head = ResponseHead::new(Vec::new());
        } else {
            self.head.clear();
        }
        self.stage = Stage::Head;
        self.open = false;
        self.is_head_request = false;
        self.written = 0;
        self.most = u64::MAX;
        self.body = None;
        self.body_at = 0;
        self.ended = false;
        self.app_status = 0;
        self.sent = false;
        self.ticket = None;
    }

    /// Formats the head if that was not done yet.
    fn close_head(&mut self, outbox: &mut Vec<u8>) -> io::Result<()> {
        if self.stage == Stage::Head {
            self.stage = Stage::Body;
            self.head
                .write(outbox)
                .map_err(|_| io::ErrorKind::OutOfMemory)?;
            // What is swallowed may have any length.
            if !self.is_head_request {
                self.most = match self.head.content_length() {
                    _ if !self.head.body_allowed(false) => 0,
                    announced => announced.unwrap_or(u64::MAX),
                };
            }
        }
        Ok(())
    }

    /// Counts `length` more bytes of body, behind a head that is out; whether they belong on the
    /// wire.
    #[inline]
    pub(crate) fn admit(&mut self, length: usize) -> io::Result<bool> {
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        let after = self.written.saturating_add(length);
        if after > self.most {
            return Err(self.too_long());
        }
        self.written = after;
        Ok(self.stage == Stage::Raw || !self.is_head_request)
    }

    /// Bytes of the body so far, those among them that HEAD has swallowed.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    #[cold]
    fn too_long(&self) -> io::Error {
        invalid(if self.head.body_allowed(false) {
            "the body is longer than its Content-Length"
        } else {
            "this response has no body"
        })
    }

    /// The response is complete: its head is out, and its body as long as it said.
    pub(crate) fn close(&mut self, outbox: &mut Vec<u8>) -> io::Result<()> {
        self.close_head(outbox)?;
        self.check_length()
    }

    pub(crate) fn check_length(&self) -> io::Result<()> {
        if self.written < self.most && self.most < u64::MAX {
            return Err(invalid("the body is shorter than its Content-Length"));
        }
        Ok(())
    }

    /// Attaches a body, or copies it if it is small.
    pub(crate) fn attach(
        &mut self,
        body: Body,
        outbox: &mut Vec<u8>,
        start: usize,
    ) -> io::Result<()> {
        self.close_head(outbox)?;
        let Some(bytes) = body.bytes() else {
            if self.stage == Stage::Raw || !self.is_head_request {
                self.body = Some(body);
                return Ok(());
            }
            // It is not asked what it would have made; that it was given counts.
            return self.admit(1).map(drop);
        };
        if bytes.is_empty() || !self.admit(bytes.len())? {
            return Ok(());
        }
        if bytes.len() <= SMALL && bytes.len() <= room(outbox, start) {
            outbox.extend_from_slice(bytes);
        } else {
            (self.body, self.body_at) = (Some(body), 0);
        }
        Ok(())
    }

    /// What is left of a body that lies in memory.
    pub(crate) fn body_bytes(&self) -> &[u8] {
        let bytes = self.body.as_ref().and_then(Body::bytes).unwrap_or(&[]);
        bytes.get(self.body_at..).unwrap_or(&[])
    }

    pub(crate) fn has_producer(&self) -> bool {
        matches!(self.body, Some(Body(Source::Producer(_))))
    }
}

/// How much of one record is left.
fn room(outbox: &[u8], start: usize) -> usize {
    MAX_CONTENT.saturating_sub(outbox.len() - start)
}

impl Response<'_> {
    /// Sets the status of the response; 200 unless it is set.
    ///
    /// # Errors
    ///
    /// `InvalidInput` when the code has not three digits or is one of 1xx, or when the head is out
    /// already.
    pub fn status(&mut self, code: u16) -> io::Result<()> {
        self.head()?.set_status(final_status(code)?);
        Ok(())
    }

    /// Adds a field to the head of the response. Fields may repeat, except Content-Type,
    /// Content-Length, Location and Status.
    ///
    /// # Errors
    ///
    /// `InvalidInput` with a [`HeadError`](fcgi_core::cgi::HeadError) when CGI does not allow it, or when the head is out
    /// already.
    pub fn header(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> io::Result<()> {
        self.head()?.add(name, value).map_err(invalid)
    }

    /// From here on everything is sent as it is written; the program writes the head by itself, as
    /// CGI programs do.
    ///
    /// # Errors
    ///
    /// `InvalidInput` when the head is out already, or the response is deferred.
    pub fn raw(&mut self) -> io::Result<()> {
        self.head()?;
        if self.out.ticket.is_some() {
            return Err(invalid("the response is deferred"));
        }
        self.out.stage = Stage::Raw;
        Ok(())
    }

    /// Writes a piece of the body, by copying it.
    ///
    /// # Errors
    ///
    /// `StorageFull` beyond [`room`](Response::room): use [`body`](Response::body) or a producer.
    /// `InvalidInput` for a body where none may be, more than the announced Content-Length, after
    /// the end, or too early for a Filter.
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        let bytes = bytes.as_ref();
        if bytes.is_empty() {
            return Ok(());
        }
        self.open_body()?;
        if bytes.len() > self.room() {
            return Err(io::Error::new(
                io::ErrorKind::StorageFull,
                "too much to copy, use a body in memory or a producer",
            ));
        }
        self.out.close_head(self.outbox)?;
        if self.out.admit(bytes.len())? {
            self.outbox.extend_from_slice(bytes);
        }
        Ok(())
    }

    /// How many bytes [`write`](Response::write) takes in this call of the handler.
    #[must_use]
    pub fn room(&self) -> usize {
        room(self.outbox, self.start)
    }

    /// Gives the rest of the body, sent from where it lies or pulled from a producer; up to 8 KiB
    /// are copied, so that a small answer is one record. A whole
    /// response ends with it; a [`Task`](crate::Task) may go on when it was sent.
    ///
    /// # Errors
    ///
    /// `InvalidInput` as for [`write`](Response::write), or when there is one already.
    pub fn body(&mut self, body: impl Into<Body>) -> io::Result<()> {
        self.open_body()?;
        self.out.attach(body.into(), self.outbox, self.start)
    }

    /// Writes a message for the operator of the web server, to STDERR (§5.3).
    ///
    /// # Errors
    ///
    /// `StorageFull` beyond 64 KiB in one call of a handler; `InvalidInput` too early for a Filter.
    pub fn stderr(&mut self, message: impl AsRef<[u8]>) -> io::Result<()> {
        let message = message.as_ref();
        self.check_open()?;
        if self.errors.len() + message.len() > HIGH {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.errors.extend_from_slice(message);
        Ok(())
    }

    /// What END_REQUEST says as appStatus (§5.5); 0 unless set.
    pub fn app_status(&mut self, app_status: u32) {
        self.out.app_status = app_status;
    }

    /// A task's response is complete: the task gets no more input, and is dropped when the request
    /// ends, as soon as everything is sent. One that is deferred ends when it is completed.
    pub fn end(&mut self) {
        self.out.ended = self.out.ticket.is_none();
    }

    /// Makes a handle by which another thread completes the response, starting from the head as it
    /// is now. The handler returns, and the loop goes on without it.
    ///
    /// # Errors
    ///
    /// `InvalidInput` when the head is out already, when there is such a handle, or too early for a
    /// Filter.
    pub fn defer(&mut self) -> io::Result<Deferred> {
        self.head()?;
        self.check_open()?;
        if self.out.ticket.is_some() || self.out.ended {
            return Err(invalid("the response is deferred or ended already"));
        }
        let head = std::mem::replace(&mut self.out.head, ResponseHead::new(Vec::new()));
        let deferred = Deferred::new(self.shared, self.place, head, self.out.app_status);
        self.out.ticket = Some(deferred.ticket());
        Ok(deferred)
    }

    /// The handler has given all of the response, unless a producer or another thread makes it.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        if self.out.ticket.is_some() || self.out.has_producer() {
            return Ok(());
        }
        self.out.close(self.outbox)
    }

    /// The head, while it can be changed.
    pub(crate) fn head(&mut self) -> io::Result<&mut ResponseHead<Vec<u8>>> {
        match self.out.stage {
            Stage::Head => Ok(&mut self.out.head),
            Stage::Body | Stage::Raw => Err(invalid("the head of the response is out already")),
        }
    }

    /// What was set of the head.
    pub(crate) fn head_so_far(&self) -> &ResponseHead<Vec<u8>> {
        &self.out.head
    }

    fn check_open(&self) -> io::Result<()> {
        if !self.out.open {
            return Err(invalid("no output before the end of STDIN"));
        }
        Ok(())
    }

    fn open_body(&self) -> io::Result<()> {
        self.check_open()?;
        if self.out.body.is_some() || self.out.ended || self.out.ticket.is_some() {
            return Err(invalid("the body of the response is complete already"));
        }
        Ok(())
    }
}

pub(crate) fn final_status(code: u16) -> io::Result<Status> {
    Status::new(code)
        .filter(|status| !status.is_informational())
        .ok_or_else(|| invalid("a final status is 200 to 999"))
}
