//! A request to be sent.

use std::io;

use fcgi_core::params::{self, Params};
use fcgi_core::{Role, Storage};

use crate::body::Body;

/// A request to be sent: its role, its parameters, its body.
#[must_use = "a request does nothing until it is sent"]
pub struct Request {
    pub(super) role: Role,
    pub(super) params: Vec<u8>,
    pub(super) keep_conn: bool,
    pub(super) repeatable: bool,
    pub(super) stdin: Input,
    pub(super) data: Input,
}

/// Where a stream to the application comes from.
pub(super) enum Input {
    Empty,
    Body(Body),
    /// From the handle of the request.
    Handle,
}

impl Input {
    pub(super) fn bytes(&self) -> Option<&[u8]> {
        match self {
            Input::Empty => Some(&[]),
            Input::Body(body) => body.bytes(),
            Input::Handle => None,
        }
    }
}

impl Request {
    /// A request without parameters and without a body, on a connection that is to be kept.
    pub fn new(role: Role) -> Request {
        Request {
            role,
            params: Vec::new(),
            keep_conn: true,
            repeatable: false,
            stdin: Input::Empty,
            data: Input::Empty,
        }
    }

    /// Appends a parameter (§5.2). Names may repeat; the order is kept.
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

    /// Appends parameters that another request came with.
    ///
    /// # Errors
    ///
    /// `OutOfMemory`.
    pub fn params(&mut self, params: Params<'_>) -> io::Result<()> {
        let whole = params.as_bytes();
        Storage::append(&mut self.params, whole).map_err(|_| io::ErrorKind::OutOfMemory.into())
    }

    /// Sets the body, which goes out as STDIN (§5.3). An Authorizer gets none.
    ///
    /// It says nothing about CONTENT_LENGTH, which most applications read no body without: that is
    /// a parameter.
    pub fn body(&mut self, body: impl Into<Body>) {
        self.stdin = Input::Body(body.into());
    }

    /// Has the body come piece by piece through [`Call::write`](super::Call::write).
    pub fn stream(&mut self) {
        self.stdin = Input::Handle;
    }

    /// Sets the file of a Filter, which goes out as DATA (§6.4).
    pub fn data(&mut self, data: impl Into<Body>) {
        self.data = Input::Body(data.into());
    }

    /// Whether the request may be sent twice without harm, as GET and HEAD may (RFC 9110 §9.2.2);
    /// not unless this is on.
    ///
    /// A kept connection can be closed by the application while a request is on its way. Nobody can
    /// know then whether the application has seen it. Only a request that is repeatable, whose body
    /// is in memory, and of whose answer nothing has come is sent again, once.
    pub fn repeatable(&mut self, on: bool) {
        self.repeatable = on;
    }

    /// Sets FCGI_KEEP_CONN (§5.1): whether the connection is left open for other requests; it is
    /// unless this is off. Without it the request has its connection to itself.
    pub fn keep_conn(&mut self, on: bool) {
        self.keep_conn = on;
    }

    /// As an operator knows it: the method and the path.
    pub(super) fn label(&self) -> String {
        let params = Params::assume_whole(&self.params);
        let shown = |name| params.get(name).filter(|value| !value.is_empty());
        let short = |value: &[u8]| value[..value.len().min(200)].escape_ascii().to_string();
        let path = shown("REQUEST_URI").or_else(|| shown("SCRIPT_NAME"));
        match (shown("REQUEST_METHOD"), path) {
            (Some(method), Some(path)) => format!("{} {}", short(method), short(path)),
            (Some(one), None) | (None, Some(one)) => short(one),
            (None, None) => format!("{} request", self.role),
        }
    }
}
