//! CGI/1.1 response heads (RFC 3875 §6) for both sides of the wire.
//!
//! A FastCGI application answers on STDOUT as a CGI program does: header lines, an empty line, the
//! body. The head is not that of HTTP: there is no status line, and three fields are meant for the
//! web server, which makes the HTTP head from them.
//!
//! ```text
//!   application                                       web server
//!   ResponseHead                                      HeadParser
//!
//!   set_status(404)        Status: 404 Not Found      status() = 404
//!   add("Content-Type",    Content-Type: text/plain   kind()   = Document
//!       "text/plain")      Set-Cookie: a=1            fields() = Content-Type,
//!   add("Set-Cookie", ..)  Set-Cookie: b=2                       Set-Cookie, Set-Cookie
//!   add("Set-Cookie", ..)  (empty line)
//!   write(&mut out)        nothing here               the body stays in the input
//!                            |
//!                            v
//!              STDOUT records, cut anywhere
//! ```
//!
//! | fields of a head | what it means | §  |
//! |---|---|---|
//! | `Content-Type`, perhaps `Status` | a document, 200 unless `Status` says otherwise | 6.2.1 |
//! | only `Location: /path?query` | a local redirect: serve that path instead | 6.2.2 |
//! | only `Location: URI` | a client redirect, 302 | 6.2.3 |
//! | `Status`, `Location`, `Content-Type` | a client redirect with a document | 6.2.4 |
//!
//! [`ResponseHead`] makes a head and [`HeadParser`] reads one; both keep the fields in a
//! [`Storage`](crate::Storage) of the caller. [`error_response`] has complete responses for
//! requests that nobody can serve.
//!
//! ```
//! use fcgi_core::cgi::{HeadLimits, HeadParser, Kind, ResponseHead, Status};
//!
//! // The application:
//! let mut head = ResponseHead::new(heapless::Vec::<u8, 256>::new());
//! head.set_status(Status::NOT_FOUND);
//! head.add("Content-Type", "text/plain")?;
//! let mut stdout = heapless::Vec::<u8, 512>::new();
//! head.write(&mut stdout).unwrap();
//! stdout.extend_from_slice(b"nothing here").unwrap();
//!
//! // The web server:
//! let mut input = &stdout[..];
//! let mut parser = HeadParser::new(heapless::Vec::<u8, 256>::new(), HeadLimits::default());
//! assert!(parser.push(&mut input)?);
//! let head = parser.head().unwrap();
//! assert_eq!((head.kind(), head.status()), (Kind::Document, Status::NOT_FOUND));
//! assert_eq!(head.get("content-type"), Some(&b"text/plain"[..]));
//! assert_eq!(input, b"nothing here");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod edit;
mod error;
mod exit;
mod field;
mod format;
mod head;
mod parse;
mod ready;
mod respond;
mod status;
mod uri;

pub use error::{HeadError, ParseError};
pub use exit::exit_status;
pub use field::Fields;
pub use format::ResponseHead;
pub use head::{Head, Kind};
pub use parse::{HeadLimits, HeadParser};
pub use ready::error_response;
pub use status::Status;
pub use uri::escape_path;
