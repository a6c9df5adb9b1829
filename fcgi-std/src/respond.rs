//! Heads of responses: what handlers say in HTTP's words.

use std::io;

use fcgi_core::cgi::ResponseHead;
use fcgi_http::respond_methods;

use crate::request::Request;
use crate::streams::Stdout;

respond_methods!(Stdout);

impl Request {
    fn head(&mut self) -> io::Result<&mut ResponseHead<Vec<u8>>> {
        self.stdout.head()
    }

    fn head_so_far(&self) -> &ResponseHead<Vec<u8>> {
        self.stdout.head_so_far()
    }
}

respond_methods!(Request);
