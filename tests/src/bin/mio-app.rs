//! A program that serves with `fcgi-mio`, for tests that need a process of its own.
//!
//! ```text
//! mio-app ADDRESS...
//! ```
//!
//! It takes as many connections as it may have descriptors, and raises that limit as far as it may.
//! Every request is answered with the query string and the body; the query `counters` with numbers:
//! accepted, closed, begun, ended, aborted.

use std::env;
use std::io;

use fcgi_listen::{Listener, Options};
use fcgi_mio::{Server, Settings};
use fcgi_tests::process::raise_descriptor_limit;

fn main() -> io::Result<()> {
    let most = raise_descriptor_limit();
    let listeners = env::args().skip(1).map(|address| {
        let options = Options::new().backlog(4096);
        Listener::bind(&address.parse()?, &options)
    });
    let server = Server::new(listeners.collect::<io::Result<_>>()?)?;
    let handle = server.handle();
    let settings = Settings::new().max_connections(usize::try_from(most).unwrap_or(usize::MAX));
    server.settings(settings).serve(|request, response| {
        response.header("Content-Type", "text/plain")?;
        let query = request.param("QUERY_STRING").unwrap_or_default();
        if query == b"counters" {
            let c = handle.counters();
            let numbers = [c.accepted, c.closed, c.begun, c.ended, c.aborted];
            return response.write(numbers.map(|number| number.to_string()).join(" "));
        }
        response.write([b"[", query, b"]"].concat())?;
        response.write(request.body())
    })
}
