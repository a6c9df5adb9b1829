//! What gets the answer.

use std::io;

use fcgi_core::cgi::{Head, HeadLimits, HeadParser, ParseError};

/// So much of STDERR is kept in an [`Answer`].
const MOST_STDERR: usize = 64 * 1024;

/// Takes the answer to one request, as it comes.
///
/// It is called by [`Outgoing::ready`](super::Outgoing::ready) and
/// [`Outgoing::expired`](super::Outgoing::expired). When the [`Outgoing`](super::Outgoing) is
/// dropped, that calls [`end`](Receiver::end), and after it
/// [`Application::send`](super::Application::send) does so at once. It may send other requests, and
/// drop handles, its own among them. A panic in it costs its own request alone, of which it hears
/// nothing any more then.
///
/// When the [`Call`](super::Call) is dropped the receiver is dropped soon, and not called any more.
pub trait Receiver {
    /// A piece of STDOUT, never empty, borrowed from where it was read: the CGI response, head and
    /// body, cut anywhere.
    ///
    /// # Errors
    ///
    /// Any error aborts the request, and comes back through [`end`](Receiver::end) with the names
    /// of the request and the application.
    fn stdout(&mut self, bytes: &[u8]) -> io::Result<Flow>;

    /// A piece of STDERR, never empty: a message for the operator.
    fn stderr(&mut self, bytes: &[u8]) {
        let _ = bytes;
    }

    /// There is room again for [`Call::write`](super::Call::write): the application takes what was
    /// written.
    fn room(&mut self) {}

    /// The request has ended well: a last chance to say that its answer is not complete.
    ///
    /// # Errors
    ///
    /// Any error comes back through [`end`](Receiver::end) as that of
    /// [`stdout`](Receiver::stdout) does.
    fn check(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// The end, exactly once unless the handle was dropped before, or it panicked. The error is a
    /// [`Failure`](super::Failure); pieces of an answer may have come.
    fn end(self: Box<Self>, result: io::Result<End>);
}

/// Whether a receiver wants more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flow {
    /// It takes more.
    More,
    /// Nothing is read until [`Call::resume`](super::Call::resume). FastCGI has no flow control for
    /// each request: all requests on that connection wait, and no others join them. One that was
    /// [detached](super::Call::detach) waits for ever.
    Pause,
}

/// How a request ended: with REQUEST_COMPLETE. All else is a failure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct End {
    /// The exit status that the application reported (§5.5), all 32 bits of it; `None` when it
    /// closed a connection that was not to be kept instead.
    pub app_status: Option<u32>,
}

/// Collects an answer whole, up to `most` bytes of body, and gives it to a closure.
///
/// A longer body, and a head that is malformed or missing (RFC 3875 §6), fail the request.
///
/// ```
/// let receiver = fcgi_mio::web_server::whole(1 << 20, |answer| match answer {
///     Ok(answer) => println!("{}: {} bytes", answer.head().status(), answer.body().len()),
///     Err(error) => eprintln!("{error}"),
/// });
/// # let _ = receiver;
/// ```
pub fn whole<F>(most: usize, done: F) -> Whole<F>
where
    F: FnOnce(io::Result<Answer>),
{
    Whole {
        parser: HeadParser::new(Vec::new(), HeadLimits::default()),
        body: Vec::new(),
        stderr: Vec::new(),
        most,
        done,
    }
}

/// A closure as a [`Receiver`]; see [`whole`].
pub struct Whole<F> {
    parser: HeadParser<Vec<u8>>,
    body: Vec<u8>,
    stderr: Vec<u8>,
    most: usize,
    done: F,
}

/// A whole answer.
pub struct Answer {
    parser: HeadParser<Vec<u8>>,
    body: Vec<u8>,
    stderr: Vec<u8>,
    app_status: Option<u32>,
}

impl Answer {
    /// The head: the status and the fields.
    ///
    /// # Panics
    ///
    /// Never.
    #[must_use]
    pub fn head(&self) -> Head<'_> {
        // There is an answer only if `check` has found a complete head.
        self.parser.head().expect("a complete head")
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body, to be kept.
    #[must_use]
    pub fn into_body(self) -> Vec<u8> {
        self.body
    }

    /// What came on STDERR, at most 64 KiB of it.
    #[must_use]
    pub fn stderr(&self) -> &[u8] {
        &self.stderr
    }

    /// As in [`End`].
    #[must_use]
    pub fn app_status(&self) -> Option<u32> {
        self.app_status
    }
}

impl<F: FnOnce(io::Result<Answer>)> Receiver for Whole<F> {
    fn stdout(&mut self, bytes: &[u8]) -> io::Result<Flow> {
        let mut rest = bytes;
        self.parser.push(&mut rest).map_err(malformed)?;
        if rest.len() > self.most - self.body.len() {
            let why = format!("the body is longer than {} bytes", self.most);
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
        }
        self.body.extend_from_slice(rest);
        Ok(Flow::More)
    }

    fn stderr(&mut self, bytes: &[u8]) {
        let room = MOST_STDERR - self.stderr.len();
        self.stderr
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn check(&mut self) -> io::Result<()> {
        self.parser.finish().map_err(malformed)
    }

    fn end(self: Box<Self>, result: io::Result<End>) {
        let Whole {
            parser,
            body,
            stderr,
            done,
            ..
        } = *self;
        done(result.map(|end| Answer {
            parser,
            body,
            stderr,
            app_status: end.app_status,
        }));
    }
}

fn malformed(error: ParseError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
