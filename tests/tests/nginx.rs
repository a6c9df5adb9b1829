//! Both frontends behind a real nginx, over unix sockets and TCP, with kept connections and without.
//!
//! Most cases run each of these four ways with each frontend ([`site::eight_ways`]), with an
//! application in this process that is written once ([`exchange::Exchange`]); what only `fcgi-std`
//! has runs four ways. The example programs run as processes of their own.

#[path = "nginx/bodies.rs"]
mod bodies;
#[path = "nginx/connections.rs"]
mod connections;
#[path = "nginx/examples.rs"]
mod examples;
#[path = "nginx/exchange.rs"]
mod exchange;
#[path = "nginx/heads.rs"]
mod heads;
#[path = "nginx/leaving.rs"]
mod leaving;
#[path = "nginx/mio_examples.rs"]
mod mio_examples;
#[path = "nginx/mio_form.rs"]
mod mio_form;
#[path = "nginx/refusals.rs"]
mod refusals;
#[path = "nginx/respond.rs"]
mod respond;
#[path = "nginx/site.rs"]
mod site;
#[path = "nginx/stop.rs"]
mod stop;
#[path = "nginx/streaming.rs"]
mod streaming;
