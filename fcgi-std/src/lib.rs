//! FastCGI applications on blocking std: a closure, `Read` and `Write`.
//!
//! ```no_run
//! use std::io::Write;
//!
//! fn main() -> std::io::Result<()> {
//!     fcgi_std::Server::inherited_or_bind("127.0.0.1:9000")?.serve(|request| {
//!         request.header("Content-Type", "text/plain; charset=utf-8")?;
//!         writeln!(request.stdout, "Hello, {}!", request.params.text("REMOTE_ADDR"))
//!     })
//! }
//! ```
//!
//! - [`Server`]: where to listen, the rules, and the two ways to run: [`serve`](Server::serve)
//!   calls a handler on worker threads, [`requests`](Server::requests) feeds a loop of your own.
//!   [`Handle`] stops it gracefully.
//! - [`Request`]: parameters, STDIN, DATA, STDOUT, STDERR, exit status; the head of the response:
//!   status, fields, redirects, cookies, dates, files that the web server sends.
//! - [`run`]: serves requests however the process was started, as a FastCGI application or as a CGI
//!   program.
//! - [`stdio`]: print and read as CGI programs do, in a loop.
//! - [`roles`]: Responder, Authorizer and Filter as types.
//! - [`form`]: queries, cookies, form bodies, uploads.
//! - [`Incident`]: what only the operator can see.
//! - [`web_server`]: the other side, for programs that send requests to applications.
//!
//! # How it works
//!
//! ```text
//!             ┌──────────────── idle set (one epoll) ────────────────┐
//!  accept ──► │ between requests · heads coming · last bytes going   │
//!             └──────┬───────────────────────────────────────▲───────┘
//!                    │ the parameters have ended             │ END_REQUEST is out
//!                    ▼                                       │
//!                 worker: the handler reads STDIN, writes STDOUT, one request at a time
//! ```
//!
//! Every worker waits on the idle set when it has nothing else to do; the kernel wakes one of them
//! for each connection that is ready. The protocol itself is the work of the crate `fcgi-core`.
//!
//! # Features
//!
//! None is on by default. `http`: requests and responses as the types of the `http` crate. `serde`:
//! forms as types that derive `Deserialize`.

mod advance;
mod buffer;
mod cgi;
mod context;
pub mod form;
mod gate;
#[cfg(feature = "http")]
mod http;
mod incident;
mod intake;
mod link;
mod params;
mod poller;
mod pool;
mod request;
mod respond;
pub mod roles;
mod rules;
mod server;
mod session;
mod state;
pub mod stdio;
mod streams;
pub mod web_server;
mod workers;

pub use fcgi_core::form::cookie::{SameSite, SetCookie};
pub use fcgi_core::{ProtocolStatus, RequestId, Role};
#[cfg(feature = "http")]
pub use fcgi_http::RawUri;
pub use fcgi_listen::{Address, Credentials, Listener, Peer, WebServerAddrs};
pub use incident::Incident;
pub use params::Params;
pub use request::Request;
pub use server::{Handle, Requests, Server, run};
pub use streams::{InputReader, Stderr, Stdout};

/// The examples of the documents are compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../../docs/converting.md")]
struct Converting;
