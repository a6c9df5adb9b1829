//! `fcgi serve` from end to end: a client of HTTP in front, applications behind.
//!
//! The applications are `fcgi-std` servers in this process, ones played by hand where they
//! misbehave or must be watched, and programs as children.

#[path = "../common/gateway.rs"]
mod gateway;

mod app;
mod bodies;
mod children;
mod heads;
mod leaving;
mod multiplexing;
mod played;
mod refusals;
mod timeouts;
mod variables;
