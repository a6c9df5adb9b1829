//! Requests and responses as the types of the `http` crate.

use std::io::{self, Write};

use ::http::Response;
use ::http::request::Parts;
use fcgi_http::{fill_head, invalid, request_parts};

use crate::request::Request;

/// With the feature `http`.
impl Request {
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
        request_parts(&self.params.view())
    }

    /// Answers with an HTTP response; its fields are added to those that were set before. To HEAD
    /// it sends the head.
    ///
    /// A field `Status` is left out.
    ///
    /// # Errors
    ///
    /// `InvalidInput` with a [`HeadError`](fcgi_core::cgi::HeadError) for what CGI does not have,
    /// among it fields about the HTTP connection (`Connection`, `Transfer-Encoding`, …) and 1xx;
    /// when the head is out already; or when the body is not as long as the head says. Otherwise as
    /// writing to [`stdout`](Request::stdout) fails.
    pub fn respond(&mut self, response: Response<impl AsRef<[u8]>>) -> io::Result<()> {
        let (parts, body) = response.into_parts();
        fill_head(self.stdout.head()?, &parts).map_err(invalid)?;
        self.stdout.write_all(body.as_ref())
    }
}
