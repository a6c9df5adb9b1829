//! The other side of the wire: sending requests to an application, as a web server does.
//!
//! ```no_run
//! use fcgi_std::Role;
//! use fcgi_std::web_server::{Application, Request};
//!
//! let mut application = Application::connect(&"127.0.0.1:9000".parse()?, None)?;
//! let mut request = Request::new(Role::Responder);
//! request.param("REQUEST_METHOD", "POST")?;
//! request.param("CONTENT_LENGTH", "12")?;
//! let mut body = &b"quantity=100"[..];
//! let mut response = application.send(&request, &mut body)?;
//! println!("{}", response.head()?.status());
//! std::io::copy(&mut response, &mut std::io::stdout())?;
//! println!("exit status {:?}", response.finish()?.app_status);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod exchange;
mod response;

use std::io::{self, Read};
use std::time::Duration;

use fcgi_core::web_server::{Connection, Values};
use fcgi_core::{Role, params};
use fcgi_listen::{Address, Stream};

pub use self::response::{End, Response};

use self::exchange::{Exchange, Sources};
use crate::buffer::{Input, Outbox};

/// A connection to an application, for one request at a time.
pub struct Application {
    stream: Stream,
    machine: Connection<1>,
    input: Input,
    outbox: Outbox,
    timeout: Option<Duration>,
    /// Whether another request may be sent.
    reusable: bool,
}

/// A request to be sent: its role and its parameters.
#[derive(Clone, Debug)]
pub struct Request {
    role: Role,
    params: Vec<u8>,
    keep_conn: bool,
}

impl Request {
    /// A request without parameters, on a connection that is to be kept.
    #[must_use]
    pub fn new(role: Role) -> Request {
        Request {
            role,
            params: Vec::new(),
            keep_conn: true,
        }
    }

    /// Appends a parameter. Names may repeat; the order is kept.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a name or a value longer than the protocol can say, 2 GiB (§3.4).
    pub fn param(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> io::Result<()> {
        let before = self.params.len();
        params::append(&mut self.params, name, value).map_err(|error| {
            self.params.truncate(before);
            io::Error::new(io::ErrorKind::InvalidInput, error)
        })
    }

    /// Sets FCGI_KEEP_CONN (§5.1): whether the application leaves the connection open; it does
    /// unless this is off.
    pub fn keep_conn(&mut self, on: bool) {
        self.keep_conn = on;
    }
}

impl Application {
    /// Connects; `timeout` bounds that.
    ///
    /// # Errors
    ///
    /// Those of [`Stream::connect`].
    pub fn connect(address: &Address, timeout: Option<Duration>) -> io::Result<Application> {
        Application::over(Stream::connect(address, timeout)?)
    }

    /// Uses a stream that is connected already.
    ///
    /// # Errors
    ///
    /// The stream cannot be made non-blocking.
    pub fn over(stream: Stream) -> io::Result<Application> {
        stream.set_nonblocking(true)?;
        Ok(Application {
            stream,
            machine: Connection::new(),
            input: Input::default(),
            outbox: Outbox::default(),
            timeout: None,
            reusable: true,
        })
    }

    /// How long to wait at most, each time, for the application to send or to take something; for
    /// ever unless set.
    pub fn set_timeout(&mut self, timeout: Option<Duration>) {
        self.timeout = timeout;
    }

    /// Whether another request can be sent: none is running, the connection is to be kept, and the
    /// last one was not [aborted](Response::abort), nor did it end before its body was complete, as
    /// the application may still wait for the rest of it.
    ///
    /// The application may have closed the connection since. That shows when the response is read:
    /// an `UnexpectedEof` or a `ConnectionReset` before anything else.
    #[must_use]
    pub fn is_reusable(&self) -> bool {
        self.reusable
    }

    /// Begins a request. It is sent while the response is read, and not before: neither can block the
    /// other, whatever their sizes.
    ///
    /// `stdin` is read until its end, in the calling thread: where it blocks, everything waits. An
    /// Authorizer gets none of it.
    ///
    /// # Errors
    ///
    /// `NotConnected` when the connection is not [reusable](Application::is_reusable);
    /// `InvalidInput` for a Filter, which needs [its data](Application::send_to_filter).
    pub fn send<'a>(
        &'a mut self,
        request: &Request,
        stdin: &'a mut dyn Read,
    ) -> io::Result<Response<'a>> {
        self.begin(request, Sources::new(request.role, stdin, None)?)
    }

    /// As [`send`](Application::send), for a Filter: `data` is the file, sent after STDIN (§6.4).
    ///
    /// # Errors
    ///
    /// `NotConnected` as for [`send`](Application::send).
    pub fn send_to_filter<'a>(
        &'a mut self,
        request: &Request,
        stdin: &'a mut dyn Read,
        data: &'a mut dyn Read,
    ) -> io::Result<Response<'a>> {
        self.begin(request, Sources::new(request.role, stdin, Some(data))?)
    }

    fn begin<'a>(
        &'a mut self,
        request: &Request,
        sources: Sources<'a>,
    ) -> io::Result<Response<'a>> {
        self.check_reusable()?;
        // Until the request has ended well, the connection is good for nothing else.
        self.reusable = false;
        let keep_conn = request.keep_conn;
        let exchange = Exchange::begin(self, request.role, keep_conn, &request.params, sources)?;
        Ok(Response::new(exchange, keep_conn))
    }

    /// Asks the application what it can do (§4.1); `None` when it does not know the question.
    ///
    /// # Errors
    ///
    /// `NotConnected` when the connection is not reusable; `TimedOut`, `UnexpectedEof` when it does
    /// not answer at all, as some applications do.
    pub fn values(&mut self) -> io::Result<Option<Values>> {
        self.check_reusable()?;
        self.reusable = false;
        let question = self.machine.get_values();
        self.outbox.push(&question);
        let values = exchange::values(self)?;
        self.reusable = self.skip_rest().is_ok();
        Ok(values)
    }

    fn check_reusable(&self) -> io::Result<()> {
        if self.reusable {
            return Ok(());
        }
        let why = "a request on this connection has not ended, or it is closed after it";
        Err(io::Error::new(io::ErrorKind::NotConnected, why))
    }
}
