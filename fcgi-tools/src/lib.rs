//! The tools of the FastCGI kit, as a library: what the `fcgi` command does, for programs that want
//! to do it themselves.
//!
//! - [`bridge`]: `cgi-fcgi`, from CGI to FastCGI, and the starter of applications.
//! - [`mod@bench`]: the load generator on a terminal: its progress, and reports as text and JSON.
//! - [`dump`]: what goes over the wire, in the notation of the specification: a proxy, and files.
//! - [`exchange`]: one request over descriptors, everything flowing at the same time.
//! - [`load`]: a load generator that checks every answer.
//! - [`request`]: one request and what came back, fit for health checks.
//! - [`serve`]: an HTTP/1.1 gateway for development. It shows an application in a browser without a
//!   web server being installed.
//! - [`stop`]: the signals that end those that run until they are told to.
//!
//! ```no_run
//! use fcgi_tools::serve::{self, Application, Options};
//!
//! // As `fcgi serve --connect 127.0.0.1:9000`: prints its URL and serves until Ctrl-C.
//! let application = Application::Connect("127.0.0.1:9000".parse()?);
//! serve::run(Options::new(application))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

pub mod bench;
pub mod bridge;
pub mod dump;
pub mod exchange;
pub mod load;
pub mod request;
pub mod serve;
pub mod stop;
