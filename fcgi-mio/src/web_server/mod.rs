//! The other side of the wire, in the same event loop: sending requests to FastCGI applications, as
//! a web server does.
//!
//! An [`Outgoing`] lives in a `mio::Poll` of yours, next to a [`Loop`](crate::Loop) if you like. An
//! [`Application`] is a handle to send [`Request`]s with, for handlers of that loop, for instance.
//! What comes back goes to a [`Receiver`]; [`whole`] makes one of a closure that wants the whole
//! [`Answer`]. A [`Call`] is the handle of one request: dropping it aborts the request.
//!
//! ```no_run
//! # fn f(outgoing: fcgi_mio::web_server::Outgoing) -> std::io::Result<()> {
//! use fcgi_core::Role;
//! use fcgi_mio::web_server::{Request, whole};
//!
//! let application = outgoing.application("127.0.0.1:9000".parse()?);
//! // A handler of a `Loop` that passes requests on, and does not wait for the answer.
//! let service = fcgi_mio::whole(move |request, response| {
//!     let mut passed_on = Request::new(Role::Responder);
//!     passed_on.params(request.params())?;
//!     passed_on.body(request.body().to_vec());
//!     let mut deferred = response.defer()?;
//!     let receiver = whole(1 << 20, move |answer| {
//!         let body = match answer {
//!             Ok(answer) => answer.into_body(),
//!             Err(error) => {
//!                 let _ = deferred.status(502);
//!                 error.to_string().into_bytes()
//!             }
//!         };
//!         let _ = deferred.complete(body);
//!     });
//!     application.send(passed_on, receiver).detach();
//!     Ok(())
//! });
//! # let _ = service;
//! # Ok(())
//! # }
//! ```
//!
//! # Connections
//!
//! They are opened when requests need them, up to a limit for each application, and kept for the
//! next requests. A connection is used again only after END_REQUEST, and closed if the body of the
//! request had not been taken by then: the application may wait for the rest of it. With
//! [`Settings::multiplex`] several requests share a connection, if the application says that it can
//! do that; then it has to expect other requests in the middle of a body, and the connection stays.
//!
//! An application can close a kept connection at any time, also while a request is on its way. A
//! request of which not a byte was taken goes out again on another connection; so does one that is
//! [repeatable](Request::repeatable), if nothing of an answer has come. All others fail.
//!
//! # Memory
//!
//! A connection without a request costs less than 384 bytes and has no buffers. A busy one has up
//! to 384 KiB of output, beside the bodies that were given, with the parameters of one request; its
//! input is delivered from the one buffer that all share, and 64 KiB of it are kept while a
//! receiver pauses. A streamed body holds up to 64 KiB.
//!
//! # System calls
//!
//! A request on a kept connection takes one write, one read, and a share of one wait; deadlines
//! take none.

mod call;
mod connection;
mod counters;
mod deadlines;
mod failure;
mod io_state;
mod job;
mod outgoing;
mod output;
mod pool;
mod receiver;
mod request;
mod settings;
mod turn;

pub use call::{Application, Call};
pub use counters::Counters;
pub use failure::{Cause, Failure};
pub use outgoing::Outgoing;
pub use receiver::{Answer, End, Flow, Receiver, Whole, whole};
pub use request::Request;
pub use settings::Settings;

/// The most requests at a time that one connection has room for.
const REQUESTS: usize = 16;
