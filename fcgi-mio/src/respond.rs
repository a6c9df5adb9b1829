//! Heads of responses: what handlers say in HTTP's words.

use std::io;

use fcgi_core::cgi::ResponseHead;
use fcgi_http::respond_methods;

use crate::deferred::Deferred;
use crate::response::Response;

respond_methods!(Response<'_>);

impl Deferred {
    #[allow(
        clippy::unnecessary_wraps,
        reason = "the head of a deferred response is never out"
    )]
    fn head(&mut self) -> io::Result<&mut ResponseHead<Vec<u8>>> {
        Ok(&mut self.head)
    }

    fn head_so_far(&self) -> &ResponseHead<Vec<u8>> {
        &self.head
    }
}

respond_methods!(Deferred);
