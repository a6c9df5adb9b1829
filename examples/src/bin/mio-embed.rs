//! The loop as a guest in an event loop of your own, which also does something else.
//!
//! ```text
//! cargo run --release -p fcgi-examples --bin mio-embed 127.0.0.1:9000 127.0.0.1:9001
//! curl http://localhost/                                      # through your web server
//! nc 127.0.0.1 9001                                           # how the loop is
//! ```
//!
//! FastCGI requests come in at the first address. Whoever connects to the second one gets a line
//! with the loop's counters, as in `3 connections, 2 open, 17 requests, 17 answered`.

use std::io::{self, Write};
use std::time::Instant;

use fcgi_listen::{Listener, Options};
use fcgi_mio::{Counters, Loop, Settings, whole};
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token};

/// The token of the second listener; those from 1 on are the loop's.
const STATUS: Token = Token(0);

fn main() -> io::Result<()> {
    let argument = |number, default: &str| std::env::args().nth(number).unwrap_or(default.into());
    let address = argument(1, "127.0.0.1:9000").parse()?;
    let listener = Listener::bind(&address, &Options::new())?;
    let second = argument(2, "127.0.0.1:9001");
    let named = |error| io::Error::other(format!("cannot listen on {second}: {error}"));
    let status = second.parse().map_err(io::Error::other);
    let mut status = status.and_then(TcpListener::bind).map_err(named)?;

    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(256);
    poll.registry()
        .register(&mut status, STATUS, Interest::READABLE)?;
    let service = whole(|_, response| {
        response.header("Content-Type", "text/plain")?;
        response.write("Served by a guest.\n")
    });
    let tokens = 1..usize::MAX;
    let settings = Settings::new();
    let mut guest = Loop::new(poll.registry(), tokens, vec![listener], settings, service)?;
    let handle = guest.handle();
    loop {
        let deadline = guest.next_deadline();
        let wait = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        match poll.poll(&mut events, wait) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            result => result?,
        }
        for event in &events {
            if !guest.ready(event) && event.token() == STATUS {
                tell(&status, &handle.counters());
            }
        }
        guest.expired();
    }
}

/// Tells everybody who waits. An event comes once, so the listener is emptied.
fn tell(status: &TcpListener, counters: &Counters) {
    while let Ok((mut client, _)) = status.accept() {
        let open = counters.accepted - counters.closed;
        // A new connection has room for a line, and whoever has left needs none.
        let _ = writeln!(
            client,
            "{} connections, {open} open, {} requests, {} answered",
            counters.accepted, counters.begun, counters.ended
        );
    }
}
