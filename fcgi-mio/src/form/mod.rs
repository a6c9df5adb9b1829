//! Forms: queries, cookies, and bodies with files, small ones whole and large ones as they come.
//!
//! | what is sent | whole request | task |
//! |---|---|---|
//! | query | [`Request::get`] | the same |
//! | cookies | [`Request::cookies`] | the same |
//! | values in the body | [`Request::post`] | [`Upload`] tells them to [`Parts`] |
//! | files in the body | [`Request::files`], in memory | the same: of any size, in constant memory |
//!
//! Everything is read when it is asked for, and again when it is asked for again: keep what you
//! got. The modules re-exported here are those of `fcgi_core::form`.
//!
//! ```no_run
//! # fn main() -> std::io::Result<()> {
//! fcgi_mio::Server::bind("127.0.0.1:9000")?.serve(|request, response| {
//!     let form = request.post()?; // user[name]=…&user[mail]=…&tag[]=…&tag[]=…
//!     response.header("Content-Type", "text/plain; charset=utf-8")?;
//!     if let Some(name) = form.first("user[name]") {
//!         response.write(format!("Hello, {}!\n", name.to_text()))?;
//!     }
//!     for tag in form.all("tag") {
//!         response.write(format!("- {}\n", tag.to_text()))?;
//!     }
//!     Ok(())
//! })
//! # }
//! ```
//!
//! # Errors
//!
//! All of them are an [`io::Error`](std::io::Error) of the kind `InvalidData` that carries a
//! [`FormError`]. A handler or task that returns one, as `?` does, gives the client the
//! [status](FormError::status) of it if nothing was sent yet: 400 for a malformed form, 413 for one
//! that is too large, 415 where an [`Upload`] gets another type of content. It is reported as any other failure of a
//! handler is.

mod upload;
mod whole;

pub use fcgi_core::form::{Encoded, FormError, brackets, cookie, multipart, tree, urlencoded};
pub use upload::{Parts, Upload};
pub use whole::{File, Form, Limits};

#[cfg(doc)]
use crate::Request;

fn error(error: FormError) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, error)
}
