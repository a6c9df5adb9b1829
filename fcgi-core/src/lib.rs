//! The FastCGI 1.0 protocol as state machines without I/O.
//!
//! For authors of applications, web servers, gateways, runtimes and firmware: this crate turns
//! bytes into requests and answers into bytes, and leaves sockets, threads, memory and time to its
//! caller. No `std`, no allocation, no `unsafe`; no byte of the peer can make it panic.
//!
//! ```text
//!                       application::Connection
//!   read() ─► &mut &[u8] ─► receive ─► Event { Begin, Params, ParamsEnd, Stdin, … }
//!                                                  │        borrowed from the slice
//!                             params::Collector ◄──┘
//!                             pairs, checked whole, where they lie
//!
//!   write() ◄─ parts() ◄─── stdout, stderr, end, Reply::encode
//!              gather lists around your bytes
//! ```
//!
//! - [`application`]: the side that serves requests; start with [`application::Connection`].
//! - [`web_server`]: its mirror, the side that sends them.
//! - [`params`]: the parameters of a request, collected within limits and read without copying.
//! - [`cgi`]: CGI/1.1 response heads, formatted and parsed.
//! - [`form`]: queries, bodies with files, and cookies.
//! - [`wire`]: the bytes themselves, for tools that look at them.
//!
//! # Both directions eat a slice from the front
//!
//! ```text
//! connection.receive(&mut input)       // -> Result<Option<Event<'input>>, Error>
//! connection.stdout(id, &mut bytes)    // -> Result<Option<Record<'bytes>>, SendError>
//! ```
//!
//! `None` means that the slice is empty; the bytes of an event are the last bytes consumed; cutting
//! the input anywhere changes nothing but the pieces. The machine collects nothing and looks
//! nowhere ahead: a connection between two records is some dozens of bytes, and a whole event loop
//! needs one read buffer.
//!
//! # Errors, by blame
//!
//! [`Error`]: the peer broke the protocol; it is sticky, close the connection. [`SendError`]: this
//! side asked for something illegal; nothing was sent, the connection is still good. [`Refusal`]:
//! one request is not served; the others go on.
//!
//! # Features
//!
//! None is on by default, and each only adds. `alloc`: [`Storage`] for `Vec<u8>`, and forms as
//! trees. `std`: `alloc`, and vector instructions found at run time in memchr.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable,
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::as_conversions
    )
)]

#[cfg(any(feature = "alloc", test))]
extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod application;
pub mod cgi;
mod decimal;
mod error;
mod exchange;
pub mod form;
mod frame;
pub mod params;
mod records;
mod reply;
mod storage;
mod syntax;
mod table;
pub mod web_server;
pub mod wire;

pub use error::{Error, Refusal, SendError};
pub use frame::{Encoded, MAX_CONTENT, Record};
pub use reply::Reply;
pub use storage::{Storage, StorageFull};
pub use wire::{ProtocolStatus, RequestId, Role};
