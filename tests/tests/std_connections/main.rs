//! `fcgi-std`: connections, from the first byte to the close, and how a server begins and ends.

mod closing;
mod keeping;
mod limits;
mod loops;
mod many;
mod processes;
mod soak;
mod stopping;

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::thread;
use std::time::Duration;

use fcgi_std::{Request, Server};
use fcgi_tests::blocking::{self, App, Gate, Socket, WORKERS, WebServer};
use fcgi_tests::hand::*;

/// Answers with the query string and, if it wants it, the body.
fn answer(request: &mut Request) -> io::Result<()> {
    request.header("Content-Type", "text/plain")?;
    let query = request.params.text("QUERY_STRING").into_owned();
    write!(request.stdout, "[{query}]")?;
    if !query.starts_with("unread") {
        io::copy(&mut request.stdin, &mut request.stdout)?;
    }
    Ok(())
}

/// A request with a query string and a body.
fn request(id: u16, flags: u8, query: &str, body: &[u8]) -> Vec<u8> {
    responder(id, flags, &[("QUERY_STRING", query)], body)
}

/// The connection serves requests.
#[track_caller]
fn lives(peer: &mut WebServer) {
    let answer = peer.ask(9, request(9, KEEP, "lives", b"body"));
    assert_eq!(answer.body(), b"[lives]body");
    assert_eq!(answer.end, Some((0, REQUEST_COMPLETE)));
}

/// Runs the case with every number of workers and on both kinds of sockets.
fn everywhere(rules: impl Fn(Server) -> Server, case: impl Fn(&App)) {
    for (least, most) in WORKERS {
        for socket in [Socket::Unix, Socket::Tcp] {
            let prepared = blocking::prepare(socket);
            let app = prepared
                .rules(|s| rules(s.workers(least, most)))
                .serve(answer);
            case(&app);
            lives(&mut app.connect());
        }
    }
}
