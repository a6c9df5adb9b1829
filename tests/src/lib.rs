//! The test kit: what the tests of this workspace talk to the crates with.
//!
//! What makes and checks bytes in here does not use the crates under test, so that a wrong constant
//! or a wrong encoder in them cannot cancel itself out:
//!
//! - [`address`]: where applications listen, and connections to them.
//! - [`hand`]: FastCGI records built and read by hand, so that tests read as conversations.
//! - [`nginx_request`]: one browser's request, byte for byte as nginx sends it.
//! - [`nginx`]: a real nginx in a temporary directory, stopped when its value is dropped.
//! - [`haproxy`]: a real HAProxy, likewise.
//! - [`lighttpd`]: a real lighttpd, likewise.
//! - [`apache`]: a real Apache httpd, likewise.
//! - [`caddy`]: a real Caddy, likewise.
//! - [`fcgiwrap`]: a real fcgiwrap, which runs CGI programs behind any of them.
//! - [`http`]: an HTTP/1.1 client for tests, with raw bytes and large bodies.
//! - [`pattern`]: large bodies that are generated and checked as they flow.
//! - [`app`]: a canned application, for tests of the harness and for captures.
//! - [`blocking`]: servers of `fcgi-std` in threads of the test, and the web server's end of their
//!   connections.
//! - [`process`]: the example programs of the workspace as child processes.
//!
//! Two modules drive the protocol core itself, with expectations made by [`hand`]:
//!
//! - [`machines`]: transcripts with the events they owe, the laws of `receive`, and both machines
//!   talking to each other.
//! - [`fuzzing`]: what the fuzz targets do, so that plain tests can do it too.
//!
//! The kit panics where a test should fail; it is no library for production.

pub mod address;
pub mod apache;
pub mod app;
pub mod blocking;
pub mod caddy;
pub mod fcgiwrap;
pub mod fuzzing;
pub mod hand;
pub mod haproxy;
pub mod http;
pub mod libfcgi;
pub mod lighttpd;
pub mod machines;
pub mod nginx;
pub mod nginx_request;
pub mod pattern;
pub mod process;
pub mod responses;
