//! What an application implements.

use std::io;

use crate::{Request, Response};

/// An application: what it does with each request.
///
/// A closure for whole requests becomes one by [`whole`]. A type of one's own can also take
/// requests as streams: [`begin`](Service::begin) decides for each, when its parameters are there.
///
/// Every method runs on the loop's thread, and while it runs nothing else in the loop does. Work
/// that takes time belongs to another thread: see [`Response::defer`].
pub trait Service {
    /// The state of a request that streams; [`NoTask`] if none does.
    type Task: Task;

    /// Decides how a request is served. Its body has not come yet. A Filter and a Responder can
    /// stream; an Authorizer has no input, its task ends at once or defers.
    fn begin(&mut self, request: &Request<'_>) -> Plan<Self::Task> {
        let _ = request;
        Plan::Whole
    }

    /// Serves a whole request: called when all its input is there. When it returns, the response is
    /// complete, unless it was [deferred](Response::defer).
    ///
    /// # Errors
    ///
    /// Any error gives the client a 500, or the status of the [`FormError`](crate::form::FormError)
    /// that it carries, and the web server an appStatus of 1.
    fn whole(&mut self, request: &Request<'_>, response: &mut Response<'_>) -> io::Result<()>;
}

/// How a request is to be served.
pub enum Plan<T> {
    /// Its input is collected, up to [`max_body`](crate::Settings::max_body); then
    /// [`Service::whole`] is called.
    Whole,
    /// Its input goes to a task as it comes, and the task answers when it likes.
    Stream(T),
}

/// One request that streams. It goes on until it calls [`Response::end`] or an error ends it.
///
/// A Filter may not answer before the end of its STDIN (§6.1), and its writes fail until then.
pub trait Task {
    /// A piece of STDIN, never empty; of DATA after [`input_end`](Task::input_end) for a Filter.
    ///
    /// # Errors
    ///
    /// Any error ends the request, a Filter's not before the end of its STDIN; if nothing was sent,
    /// as [`Service::whole`] has it.
    fn input(&mut self, bytes: &[u8], response: &mut Response<'_>) -> io::Result<()>;

    /// The end of STDIN, and once more the end of DATA for a Filter.
    ///
    /// # Errors
    ///
    /// As [`input`](Task::input).
    fn input_end(&mut self, response: &mut Response<'_>) -> io::Result<()>;

    /// There is room for output. Called as soon as the protocol allows an answer, for a Responder
    /// before its input has ended; again when what it wrote is on its way; and not again before the
    /// next input if it wrote nothing. A task that waits for something else than its input
    /// [defers](Response::defer) its response, and is not asked any more.
    ///
    /// # Errors
    ///
    /// As [`input`](Task::input).
    fn output(&mut self, response: &mut Response<'_>) -> io::Result<()> {
        let _ = response;
        Ok(())
    }

    /// The request has ended before its answer did; nothing can be sent any more.
    fn abort(&mut self, why: Abort) {
        let _ = why;
    }
}

/// Why a request ended before its answer did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Abort {
    /// ABORT_REQUEST (§5.4).
    Requested,
    /// The connection is gone: a hang-up, a reset, a write that failed, or a breach of the
    /// protocol.
    Disconnected,
    /// The web server closed its side in the middle of this request's input.
    Incomplete,
    /// A deadline has passed.
    TimedOut,
    /// The loop was stopped, and the patience for this request is over.
    Stopped,
}

/// Serves whole requests with a closure.
///
/// ```
/// let service = fcgi_mio::whole(|request, response| {
///     response.header("Content-Type", "text/plain")?;
///     response.write(request.param("REMOTE_ADDR").unwrap_or(b"?"))
/// });
/// # let _ = service;
/// ```
pub fn whole<F>(handler: F) -> Whole<F>
where
    F: FnMut(&Request<'_>, &mut Response<'_>) -> io::Result<()>,
{
    Whole(handler)
}

/// A closure as a [`Service`]; see [`whole`].
pub struct Whole<F>(F);

impl<F> Service for Whole<F>
where
    F: FnMut(&Request<'_>, &mut Response<'_>) -> io::Result<()>,
{
    type Task = NoTask;

    fn whole(&mut self, request: &Request<'_>, response: &mut Response<'_>) -> io::Result<()> {
        (self.0)(request, response)
    }
}

/// The task of a service in which nothing streams: there is none.
pub enum NoTask {}

impl Task for NoTask {
    fn input(&mut self, _: &[u8], _: &mut Response<'_>) -> io::Result<()> {
        match *self {}
    }

    fn input_end(&mut self, _: &mut Response<'_>) -> io::Result<()> {
        match *self {}
    }
}
