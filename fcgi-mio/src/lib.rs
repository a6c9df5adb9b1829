//! FastCGI applications in an event loop: many connections on one thread, multiplexed.
//!
//! ```no_run
//! fn main() -> std::io::Result<()> {
//!     fcgi_mio::Server::bind("127.0.0.1:9000")?.serve(|request, response| {
//!         response.header("Content-Type", "text/plain")?;
//!         response.write("Hello, ")?;
//!         response.write(request.param("REMOTE_ADDR").unwrap_or(b"whoever you are"))
//!     })
//! }
//! ```
//!
//! # Which way to answer
//!
//! | a request that | is served by |
//! |---|---|
//! | is small, and answered at once | a closure: [`Server::serve`], [`whole`] |
//! | uploads or downloads much, or both at a time | a [`Task`], chosen in [`Service::begin`] |
//! | needs work that takes time | [`Response::defer`]: a [`Deferred`] completes it from any thread |
//! | has a form | [`Request::get`], [`post`](Request::post), [`cookies`](Request::cookies), [`files`](Request::files) |
//! | has files of any size | [`form::Upload`], in a task |
//!
//! A body is copied by [`Response::write`], or sent from where it lies by [`Response::body`]:
//! `&'static [u8]`, `Vec<u8>`, `Arc<[u8]>`, or pulled piece by piece from a [`Producer`].
//!
//! [`Server`] owns its `mio::Poll`, [`Loops`] run in as many threads as you like, and a [`Loop`]
//! lives in a `Poll` of yours. [`web_server`] is the other side: requests to applications, sent
//! from the same loop.
//!
//! # Many requests on one connection
//!
//! Up to [`REQUESTS`] at a time are served on each connection; to a web server that asks, the
//! application says so (FCGI_MPXS_CONNS, §4.1). Their answers are interleaved record by record.
//! FastCGI has no flow control for each request: a web server that stops reading stops all requests
//! of that connection, and no others.
//!
//! # Memory
//!
//! A connection without a request costs less than 256 bytes. A busy one has at most, and takes back
//! to the pools of the loop when it is idle:
//!
//! - for each request its parameters and its collected body, up to the limits of [`Settings`], and
//!   the body that the handler gave for the answer;
//! - 64 KiB of input that has not been parsed;
//! - the outbox: tasks, producers and bodies add to it only while 64 KiB or less wait in it, and
//!   one write leaves up to 256 KiB of bodies there; beyond 320 KiB nothing is read, and one call
//!   of a handler adds up to 64 KiB for each of STDOUT and STDERR. So it holds less than 512 KiB.
//!
//! # System calls
//!
//! A request on a kept connection that comes in one piece takes one read, one write, and a share of
//! one wait. A new connection is registered only when it has to wait, so that a request which is
//! there at once takes an accept, a read, a write and a close.
//!
//! # Time
//!
//! Deadlines (for parameters, bodies, writes and idle connections) cost no system call. A handler
//! that computes keeps the whole loop waiting; a slow web server keeps only its own connection.
//!
//! # The end
//!
//! A stop accepts nothing more, lets the requests that run end, and gives connections that rest a
//! moment for one that may be on its way. It begins
//!
//! - by [`Handle::stop`];
//! - by a signal, if [`Handle::stop_on_signals`] heeds it;
//! - after so many requests, for a supervisor to start a fresh process, if
//!   [`Settings::retire_after`] says so, or FCGI_MAX_REQUESTS where the process inherits its
//!   listening socket.
//!
//! # Features
//!
//! `http`, not on by default: requests and responses as the types of the `http` crate.
//!
//! # Platforms
//!
//! Linux is tested. Other unixes are provided for and untested. Windows is not supported.

mod accept;
mod body;
mod call;
mod connection;
mod counters;
mod deferred;
mod event_loop;
pub mod form;
mod gather;
mod hall;
mod handle;
#[cfg(feature = "http")]
mod http;
mod incident;
mod intake;
mod io_state;
mod loops;
mod output;
mod pump;
mod request;
mod requests;
mod respond;
mod response;
mod retirement;
mod server;
mod service;
mod settings;
mod settle;
mod signals;
mod turn;
pub mod web_server;

pub use body::{Body, Chunk, Producer};
pub use counters::Counters;
pub use deferred::{Deferred, Gone};
pub use event_loop::Loop;
pub use fcgi_core::form::cookie::{SameSite, SetCookie};
#[cfg(feature = "http")]
pub use fcgi_http::RawUri;
pub use handle::Handle;
pub use incident::Incident;
pub use loops::{Loops, Started};
pub use request::Request;
pub use response::Response;
pub use server::Server;
pub use service::{Abort, NoTask, Plan, Service, Task, Whole, whole};
pub use settings::{REQUESTS, Settings};
