//! Requests and responses as the types of the `http` crate.

use std::io;

use ::http::request::Parts;
use fcgi_http::{fill_head, invalid, request_parts};

use crate::body::Body;
use crate::deferred::Deferred;
use crate::request::Request;
use crate::response::Response;

/// With the feature `http`.
impl Request<'_> {
    /// The head of the HTTP request, from the parameters.
    ///
    /// Its extensions have the target exactly as the client sent it, as a
    /// [`RawUri`](crate::RawUri). `HTTP_PROXY` is left out, and so is what is no field of the
    /// client's.
    ///
    /// # Errors
    ///
    /// `InvalidData` when the parameters are none of an HTTP request.
    pub fn http_parts(&self) -> io::Result<Parts> {
        request_parts(&self.params())
    }
}

/// With the feature `http`.
impl Response<'_> {
    /// Answers with an HTTP response; its fields are added to those that were set before. To HEAD
    /// it sends the head.
    ///
    /// A field `Status` is left out.
    ///
    /// # Errors
    ///
    /// `InvalidInput` with a [`HeadError`](fcgi_core::cgi::HeadError) for what CGI does not have,
    /// among it fields about the HTTP connection (`Connection`, `Transfer-Encoding`, …) and 1xx;
    /// when the head is out already; otherwise as for [`body`](Response::body).
    pub fn respond(&mut self, response: ::http::Response<impl Into<Body>>) -> io::Result<()> {
        let (parts, body) = response.into_parts();
        fill_head(self.head()?, &parts).map_err(invalid)?;
        self.body(body)
    }
}

/// With the feature `http`.
impl Deferred {
    /// Completes the response with an HTTP one, as [`Response::respond`] does.
    ///
    /// # Errors
    ///
    /// As [`Response::respond`], and the client gets a 500; `ConnectionAborted` with
    /// [`Gone`](crate::Gone) when the request has ended.
    pub fn respond(mut self, response: ::http::Response<impl Into<Body>>) -> io::Result<()> {
        let (parts, body) = response.into_parts();
        fill_head(&mut self.head, &parts).map_err(invalid)?;
        self.complete(body)
            .map_err(|gone| io::Error::new(io::ErrorKind::ConnectionAborted, gone))
    }
}
