//! A program that serves with `fcgi-std`, for tests that need a process of its own: its
//! descriptors, its limits, its environment.
//!
//! ```text
//! std-app [ADDRESS] [--workers LEAST MOST] [--files MOST] [--idle MILLISECONDS]
//! ```
//!
//! It takes over what it inherits, and else listens on ADDRESS. Every request is answered with the
//! query string, the number of the process and the body.

use std::env;
use std::io::{self, Read, Write};
use std::process;
use std::time::Duration;

use fcgi_std::{Request, Server};
use rustix::process::{Resource, Rlimit, setrlimit};

fn main() -> io::Result<()> {
    let mut address = String::new();
    let mut workers = (1, 4);
    let mut files = None;
    let mut idle = None;
    let mut arguments = env::args().skip(1);
    let number = |text: Option<String>| -> usize {
        let text = text.expect("a number after the option");
        text.parse().expect("a number")
    };
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--workers" => workers = (number(arguments.next()), number(arguments.next())),
            "--files" => files = Some(number(arguments.next())),
            "--idle" => idle = u64::try_from(number(arguments.next())).ok(),
            _ => address = argument,
        }
    }
    let mut server = Server::inherited_or_bind(&address)?.workers(workers.0, workers.1);
    if let Some(idle) = idle {
        server = server.idle_timeout(Duration::from_millis(idle));
    }
    if let Some(files) = files {
        let most = u64::try_from(files).ok();
        let limit = Rlimit {
            current: most,
            maximum: most,
        };
        setrlimit(Resource::Nofile, limit)?;
    }
    server.serve(answer)
}

fn answer(request: &mut Request) -> io::Result<()> {
    let mut body = Vec::new();
    request.stdin.read_to_end(&mut body)?;
    request.header("Content-Type", "text/plain")?;
    let query = request.params.text("QUERY_STRING").into_owned();
    write!(request.stdout, "[{query}] {} ", process::id())?;
    request.stdout.write_all(&body)
}
