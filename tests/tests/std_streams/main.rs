//! `fcgi-std`: the streams of a request, in both directions, and everything that ends them early.

mod aborts;
mod deadlines;
mod heads;
mod input;
mod large;
mod output;
mod questions;

use std::io::{self, BufRead, Read, Write};
use std::thread;
use std::time::Duration;

use fcgi_std::Request;
use fcgi_tests::blocking::{self, Gate, WORKERS, WebServer};
use fcgi_tests::hand::*;

/// The parameters of a request without a body.
const GET: &[(&str, &str)] = &[("REQUEST_METHOD", "GET")];

/// Begins a request up to the end of its parameters.
fn head<N: AsRef<[u8]>, V: AsRef<[u8]>>(id: u16, pairs: &[(N, V)]) -> Vec<u8> {
    [
        begin(id, RESPONDER, KEEP),
        params(id, pairs),
        end_of(PARAMS, id),
    ]
    .concat()
}

/// Answers with the body that came.
fn echo(request: &mut Request) -> io::Result<()> {
    request.header("Content-Type", "text/plain")?;
    io::copy(&mut request.stdin, &mut request.stdout).map(drop)
}

/// The connection serves requests.
#[track_caller]
fn lives(peer: &mut WebServer) {
    let answer = peer.ask(9, responder(9, KEEP, &[("CONTENT_LENGTH", "5")], b"lives"));
    assert_eq!(answer.body(), b"lives");
    assert_eq!(answer.end, Some((0, REQUEST_COMPLETE)));
}
