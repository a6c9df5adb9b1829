//! `fcgi dump`: what goes over the wire, record by record, as the specification writes it (FastCGI
//! Appendix B).
//!
//! ```text
//!                    ┌────────── dump ──────────┐
//!   web server ────► │ read ─► print ─► forward │ ────► application      >
//!              ◄──── │ forward ◄─ print ◄─ read │ ◄────                  <
//!                    └──────────────────────────┘
//!
//!     0.000412 #1 connected from 127.0.0.1:41822
//!     0.000655 #1 > {FCGI_BEGIN_REQUEST, 1, {FCGI_RESPONDER, 0}}
//!     0.000655 #1 > {FCGI_PARAMS, 1, "\013\002SERVER_PORT80"}
//!     0.000655 #1 > {FCGI_PARAMS, 1, ""}
//!     0.000655 #1 > {FCGI_STDIN, 1, ""}
//!     0.001377 #1 < {FCGI_STDOUT, 1, "Content-type: text/html\r\n\r\n<html>\n"... 2041 more}
//!     0.001377 #1 < {FCGI_STDOUT, 1, ""}
//!     0.001377 #1 < {FCGI_END_REQUEST, 1, {0, FCGI_REQUEST_COMPLETE}}
//!     0.001401 #1 < (end)
//!     0.001477 #1 > (end)
//! ```
//!
//! - [`Proxy`]: stands between a web server and an application, passes every byte on as it is, and
//!   prints the records: the seconds since the start, the number of the connection, `>` for what
//!   goes to the application and `<` for what comes from it. What stands in round brackets is not
//!   on the wire. It can save both directions of each connection as files.
//! - [`read`]: prints the records of such a file, one direction without clock and number.
//! - [`Style`]: how much of the content is printed, and whether parameters are printed as pairs.
//!
//! Everything that comes from a peer is escaped: no byte of it can steer a terminal or forge a
//! line. A stream that breaks the protocol is said to be broken, and passed on all the same.

mod connection;
mod faults;
mod file;
mod output;
mod pairs;
mod proxy;
mod records;
mod save;
mod style;

pub use self::file::{Contents, read};
pub use self::proxy::{Options, Proxy, Summary};
pub use self::style::Style;
