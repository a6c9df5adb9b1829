//! What HTTP asks of an application, whatever its frontend: made once, for `fcgi-std` and
//! `fcgi-mio`.
//!
//! - [`respond_methods!`] gives a frontend's types the methods by which a handler makes the head of
//!   its response: a thin layer over [`ResponseHead`](fcgi_core::cgi::ResponseHead).
//! - [`date`] and [`last_modified`] are HTTP's dates.
//! - With the feature `http`, [`request_parts`] and [`fill_head`] convert to and from the types of
//!   the `http` crate.

mod date;
mod respond;
#[cfg(feature = "http")]
mod types;

use std::error::Error;
use std::io;

pub use date::{date, last_modified};
#[cfg(feature = "http")]
pub use types::{RawUri, fill_head, request_parts};

/// What the expansion of [`respond_methods!`] needs.
#[doc(hidden)]
pub mod expansion {
    pub use fcgi_core::cgi::{HeadError, Status};
    pub use fcgi_core::form::cookie::SetCookie;
}

/// What was asked for cannot be done.
#[doc(hidden)]
pub fn invalid(error: impl Into<Box<dyn Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, error)
}

/// What came from the web server is not what it should be.
#[cfg(feature = "http")]
fn invalid_data(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
