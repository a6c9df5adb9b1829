//! An Authorizer made with `fcgi-std` behind the web servers that ask one: lighttpd, and Apache with
//! `mod_authnz_fcgi` and with `mod_fcgid`.
//!
//! What the program grants, and what its Responder shows, is said in `src/bin/authorizer-app.rs`.

mod app;
mod lighttpd;
mod mod_authnz_fcgi;
mod mod_fcgid;

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::thread;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fcgi_tests::apache::{share, shared_directory};
use fcgi_tests::http::{Client, Request, Response};
use tempfile::TempDir;

use app::{App, copy_program};

/// What lies at `/protected/page.txt`.
const PAGE: &str = "for those with a ticket";

/// Lengths of bodies, around the edges of the servers' buffers and of records.
const LENGTHS: [u64; 8] = [0, 1, 8191, 8192, 65_535, 65_536, 100_000, 2 << 20];

/// The Authorizer's program.
const PROGRAM: &str = env!("CARGO_BIN_EXE_authorizer-app");

/// The site's files.
fn documents() -> TempDir {
    let documents = shared_directory();
    for directory in ["protected", "programs"] {
        let directory = documents.path().join(directory);
        fs::create_dir(&directory).unwrap();
        share(&directory);
    }
    fs::write(documents.path().join("protected/page.txt"), PAGE).unwrap();
    fs::write(documents.path().join("open.txt"), "for all").unwrap();
    documents
}

fn ticket(request: Request, ticket: &str) -> Request {
    request.header("X-Ticket", ticket)
}

fn user(request: Request, name: &str, password: &str) -> Request {
    let credentials = STANDARD.encode(format!("{name}:{password}"));
    request.header("Authorization", format!("Basic {credentials}"))
}

/// The user with the password that is right.
fn known(request: Request, name: &str) -> Request {
    user(request, name, &format!("secret of {name}"))
}

/// The value of a line that the Responder shows.
#[track_caller]
fn shown(page: &Response, name: &str) -> String {
    let text = page.text();
    assert_eq!(page.status, 200, "{text}");
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    value
        .unwrap_or_else(|| panic!("no {name} in {text:?}"))
        .to_owned()
}

/// A protected file is served as if there were no Authorizer.
#[track_caller]
fn assert_page(page: &Response) {
    assert_eq!((page.status, page.text().as_str()), (200, PAGE));
    assert_eq!(page.field("Content-Type").as_deref(), Some("text/plain"));
    assert_eq!(page.field("Variable-JUDGED"), None);
}

/// A body to a protected program: all of it goes to the Responder, and the Authorizer does not hear
/// of it, however often that is asked.
fn bodies(address: SocketAddr, admit: impl Fn(Request) -> Request) {
    let mut client = Client::connect(address);
    for length in LENGTHS {
        let page = client.call(&admit(Request::post_pattern(
            "/protected/show.fcgi",
            length,
        )));
        assert_eq!(shown(&page, "BODY"), format!("{length} None"));
        let told = shown(&page, "LENGTH");
        assert!(told.split(", ").all(|length| length == "\"\""), "{told}");
    }
}

/// Clients at the same time, and how often each is let in.
const CLIENTS: usize = 4;
const TURNS: usize = 40;

/// Clients take turns at being let in, each as `admit` makes it; `deny` gets requests that it sees
/// denied, in between. What each is shown of `variable` is its own; the numbers of all grants.
fn turns(
    address: SocketAddr,
    variable: &str,
    admit: impl Fn(Request, &str) -> Request + Sync,
    deny: impl Fn(&mut Client, &Request) + Sync,
) -> BTreeSet<usize> {
    let show = Request::get("/protected/show.fcgi");
    let client = |number| {
        let mut client = Client::connect(address);
        let mut judged = Vec::new();
        for turn in 0..TURNS {
            let name = format!("good {number} {turn}");
            let page = client.call(&admit(show.clone(), &name));
            assert_eq!(shown(&page, variable), name);
            for stage in shown(&page, "JUDGED").split(", ") {
                judged.push(stage.parse::<usize>().unwrap());
            }
            deny(&mut client, &show);
        }
        judged
    };
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| scope.spawn(move || client(number)))
            .collect();
        let judged = clients
            .into_iter()
            .flat_map(|client| client.join().unwrap());
        judged.collect()
    })
}
