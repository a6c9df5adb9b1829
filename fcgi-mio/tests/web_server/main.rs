//! The web server's side in an event loop: against peers by hand, and against the crate's own
//! server.

mod aborts;
mod bodies;
mod busy;
mod connections;
mod cuts;
mod deaf;
mod failures;
mod guests;
mod medley;
mod multiplexing;
mod peer;
mod queue;
mod receivers;
#[path = "../kit/mod.rs"]
mod server;
mod stale;
mod turns;
mod unruly;
mod world;
