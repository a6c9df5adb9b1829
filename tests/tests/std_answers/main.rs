//! `fcgi-std`: what is answered when a request cannot be served, and that everything else lives on.
//! Every case goes through every way of running the server.

mod broken;
mod failed;
mod over_limits;
mod refused;
mod roles;

use std::io::{self, Read, Write};

use fcgi_std::{Request, Server};
use fcgi_tests::blocking::{self, App, WORKERS, WebServer};
use fcgi_tests::hand::*;

/// The parameters of a request without a body.
const GET: &[(&str, &str)] = &[("REQUEST_METHOD", "GET"), ("QUERY_STRING", "")];

/// Answers with the query string and the body, both as they came.
fn echo(request: &mut Request) -> io::Result<()> {
    request.header("Content-Type", "text/plain")?;
    let mut body = Vec::new();
    request.stdin.read_to_end(&mut body)?;
    let query = request.params.text("QUERY_STRING").into_owned();
    write!(request.stdout, "[{query}]")?;
    request.stdout.write_all(&body)
}

/// Runs the case with every number of workers, on TCP, where a careless close loses answers.
fn everywhere<F>(rules: impl Fn(Server) -> Server, handler: F, case: impl Fn(&App, &mut WebServer))
where
    F: Fn(&mut Request) -> io::Result<()> + Send + Sync + Clone + 'static,
{
    for (least, most) in WORKERS {
        let app = blocking::tcp(|s| rules(s.workers(least, most)), handler.clone());
        let mut other = app.connect();
        lives(&mut other);
        let mut peer = app.connect();
        case(&app, &mut peer);
        lives(&mut other);
        lives(&mut app.connect());
    }
}

/// A kept connection on which requests are served.
#[track_caller]
fn lives(peer: &mut WebServer) {
    let answer = peer.ask(9, responder(9, KEEP, &[("QUERY_STRING", "lives")], b""));
    assert_eq!(answer.body(), b"[lives]");
    assert_eq!(answer.end, Some((0, REQUEST_COMPLETE)));
}

/// A response that needs no handler: its status, and how the request ended.
#[track_caller]
fn is_page(answer: &Answer, status: &str, app_status: u32) {
    assert!(
        answer.head().starts_with(&format!("Status: {status} ")),
        "{status} expected: {}",
        answer.head(),
    );
    assert!(answer.body().starts_with(status.as_bytes()));
    assert!(answer.stdout_ended);
    assert_eq!(answer.end, Some((app_status, REQUEST_COMPLETE)));
}

/// END_REQUEST and nothing else.
#[track_caller]
fn is_bare(answer: &Answer, protocol_status: u8) {
    assert_eq!(answer.order, [END_REQUEST], "{answer:?}");
    assert_eq!(answer.end, Some((0, protocol_status)));
}
