//! Addresses and listening sockets of FastCGI applications: opened, inherited, checked.
//!
//! A FastCGI application gets its listening socket in one of three ways: as descriptor 0 from the
//! web server or a starter (FastCGI §2.2), from a service manager through `LISTEN_FDS`, or by
//! binding an [`Address`] itself. This crate turns all three into a [`Listener`], and checks who
//! connects to it (`FCGI_WEB_SERVER_ADDRS`, FastCGI §3.2). It knows nothing of records.
//!
//! ```
//! use fcgi_listen::{Address, Listener, Options, Stream, WebServerAddrs};
//! use std::io::Write;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // What a starter passed on, else an address of our own.
//! let mut listeners = fcgi_listen::inherited()?;
//! if listeners.is_empty() {
//!     let address: Address = "127.0.0.1:0".parse()?;
//!     listeners.push(Listener::bind(&address, &Options::new())?);
//! }
//! let listener = &listeners[0];
//! let web_servers = WebServerAddrs::from_env()?;
//!
//! # let web_server_side = Stream::connect(&listener.local_address()?, None)?;
//! let (mut stream, peer) = listener.accept()?;
//! if web_servers.admits(&stream, &peer)? {
//!     stream.write_all(b"records")?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Promises
//!
//! - Every descriptor opened or accepted here is closed on exec, and from the start where the
//!   system allows it.
//! - Writing to a [`Stream`] never raises `SIGPIPE`, whatever the process does about that signal.
//! - A socket in the file system is given its mode and owner before anybody can connect to it, is
//!   never put in the place of a live one, and goes away with its listener.
//! - A TCP stream has `TCP_NODELAY` set, on Linux at no system call per connection if the listener
//!   was opened here.
//!
//! # Platforms
//!
//! Linux is tested. Other unixes are provided for and untested. Windows is not supported.

#[cfg(not(unix))]
compile_error!("fcgi-listen needs the sockets and descriptors of a unix");

mod accept;
mod address;
mod credentials;
mod inherit;
mod listener;
mod open;
mod options;
mod path;
mod peers;
mod stream;

pub use accept::{AcceptAction, Backoff, is_shortage};
pub use address::{Address, AddressError};
pub use credentials::Credentials;
pub use inherit::{inherited, inherited_max_requests};
pub use listener::Listener;
pub use options::Options;
pub use peers::{Peer, WebServerAddrs, WebServerAddrsError};
pub use stream::Stream;
