//! One request, from its parameters to its end.

use std::fmt;
use std::io;
use std::mem;
use std::sync::Arc;
use std::thread;

use fcgi_core::cgi::{Status, error_response};
use fcgi_core::{RequestId, Role};
use fcgi_listen::{Credentials, Peer};

use crate::cgi::Process;
use crate::form::Forms;
use crate::gate::Admission;
use crate::intake::Ready;
use crate::link::Link;
use crate::params::Params;
use crate::pool::Pool;
use crate::session::Session;
use crate::streams::{InputReader, Stderr, Stdout};

/// A request whose parameters have come: read its input, write its output.
///
/// The parts are fields, so that they can be used side by side:
///
/// ```no_run
/// # use std::io::Write;
/// # fn f(request: &mut fcgi_std::Request) -> std::io::Result<()> {
/// writeln!(request.stdout, "Hello, {}!", request.params.text("REMOTE_ADDR"))?;
/// std::io::copy(&mut request.stdin, &mut request.stdout)?;
/// # Ok(())
/// # }
/// ```
///
/// A request ends with [`finish`](Request::finish), which reports errors, or when it is dropped,
/// which does not and never panics.
pub struct Request {
    /// What a CGI program finds in its environment.
    pub params: Params,
    /// The body of the HTTP request; empty for an Authorizer.
    pub stdin: InputReader,
    /// The file that a Filter is given (§6.4); empty for the other roles. Reading it gives up what
    /// is unread of `stdin`.
    pub data: InputReader,
    /// The response.
    pub stdout: Stdout,
    /// The web server's error log.
    pub stderr: Stderr,
    id: RequestId,
    role: Role,
    app_status: u32,
    pub(crate) link: Link,
    pub(crate) forms: Forms,
    /// Gives the request's place back when it has ended.
    admission: Option<Admission>,
    over: bool,
}

impl Request {
    pub(crate) fn of_session(session: Arc<Session>, pool: Arc<Pool>, ready: Ready) -> Request {
        let Ready {
            id,
            role,
            params,
            body,
            admission,
        } = ready;
        {
            let mut state = session.lock();
            state.start(id);
            state.ahead = body.into();
        }
        let link = Link::FastCgi { session, pool };
        Request::new(link, id, role, params, Some(admission))
    }

    /// The request of a CGI process. Without a CONTENT_LENGTH it has no body (RFC 3875 §4.2): the
    /// end of standard input may never come.
    pub(crate) fn of_process(process: Arc<Process>, params: Params) -> Request {
        let mut request = Request::new(
            Link::Cgi(process),
            RequestId::ONE,
            Role::Responder,
            params,
            None,
        );
        if request.stdin.announced().is_none() {
            request.stdin = InputReader::stdin(request.link.clone(), Some(0));
        }
        request
    }

    fn new(
        link: Link,
        id: RequestId,
        role: Role,
        params: Params,
        admission: Option<Admission>,
    ) -> Request {
        let view = params.view();
        let framing = view.framing();
        let is_head_request = framing.is_head;
        let (content_length, data_length) = match role {
            Role::Responder => (framing.content_length, Some(0)),
            Role::Authorizer => (Some(0), Some(0)),
            Role::Filter => (framing.content_length, view.data_length()),
        };
        Request {
            stdin: InputReader::stdin(link.clone(), content_length),
            data: InputReader::data(link.clone(), data_length),
            stdout: Stdout::new(link.clone(), is_head_request),
            stderr: Stderr::new(link.clone()),
            params,
            id,
            role,
            app_status: 0,
            link,
            forms: Forms::default(),
            admission,
            over: false,
        }
    }

    /// The id of the request on its connection; unique only among the requests that run on it now.
    #[must_use]
    pub fn id(&self) -> RequestId {
        self.id
    }

    /// What the application is asked to be (§6). CGI libraries call it `FCGI_ROLE`.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// The web server at the other end of the connection; `None` in a CGI process, which has none.
    #[must_use]
    pub fn peer(&self) -> Option<Peer> {
        self.link.peer()
    }

    /// As whom the web server's process runs, where the connection is a unix socket; `None` where
    /// it is not.
    ///
    /// # Errors
    ///
    /// The system does not say.
    pub fn peer_credentials(&self) -> io::Result<Option<Credentials>> {
        self.link.peer_credentials()
    }

    /// Sets the status of the response; see [`Stdout::status`].
    ///
    /// # Errors
    ///
    /// As [`Stdout::status`].
    pub fn status(&mut self, code: u16) -> io::Result<()> {
        self.stdout.status(code)
    }

    /// Adds a field to the head of the response; see [`Stdout::header`].
    ///
    /// # Errors
    ///
    /// As [`Stdout::header`].
    pub fn header(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> io::Result<()> {
        self.stdout.header(name, value)
    }

    /// Sets what END_REQUEST reports as the exit status of the equivalent CGI program (§5.5); 0
    /// unless it is set. The last call wins.
    pub fn set_exit_status(&mut self, status: i32) {
        self.app_status = status.cast_unsigned();
    }

    /// Whether the web server has given up the request: ABORT_REQUEST came (§5.4), or it has closed
    /// its side of the connection, which is how most web servers do it. It might still read an
    /// answer then; writing fails when it does not.
    ///
    /// Looks at the socket without waiting. Input that was not read yet is not lost, and an abort
    /// behind it is not seen.
    #[must_use]
    pub fn is_aborted(&self) -> bool {
        self.link.is_aborted()
    }

    /// Sends the rest of the response and ends the request.
    ///
    /// # Errors
    ///
    /// The response did not reach the web server, was cut because the request was aborted, or is
    /// shorter than its Content-Length. In the last case appStatus is 1 unless an exit status was
    /// set, and the client gets a 500 if nothing was sent yet.
    pub fn finish(mut self) -> io::Result<()> {
        self.end()
    }

    /// Whether the web server will not have the rest of the answer.
    pub(crate) fn is_given_up(&self) -> bool {
        self.link.is_given_up()
    }

    /// Answers with the ready response of this status if nothing was sent, and reports failure. The
    /// request is over then.
    pub(crate) fn fail(&mut self, status: Status) {
        if self.stdout.is_unsent() {
            let status = if self.stdin.is_too_long() {
                Status::CONTENT_TOO_LARGE
            } else {
                status
            };
            self.stdout.replace(error_response(status));
        }
        if self.app_status == 0 {
            self.app_status = 1;
        }
        // The handler's error is what gets reported.
        let _ = self.end();
    }

    pub(crate) fn end(&mut self) -> io::Result<()> {
        if mem::replace(&mut self.over, true) {
            return Ok(());
        }
        let closed = self.stdout.close();
        if closed.is_err() {
            if self.app_status == 0 {
                self.app_status = 1;
            }
            if self.stdout.is_unsent() {
                let response = error_response(Status::INTERNAL_SERVER_ERROR);
                self.stdout.replace(response);
            }
        }
        let (rest, admission) = (self.stdout.rest(), self.admission.take());
        let finished = self.link.finish(rest, self.app_status, admission);
        finished.and(closed)
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        if thread::panicking() {
            self.fail(Status::INTERNAL_SERVER_ERROR);
        } else {
            // Whoever wants to know calls `finish`.
            let _ = self.end();
        }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("id", &self.id)
            .field("role", &self.role)
            .field("params", &self.params)
            .finish_non_exhaustive()
    }
}
