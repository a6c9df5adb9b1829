//! The demo: one command shows a FastCGI application in the browser, without a web server being
//! installed.
//!
//! ```text
//! cargo run --release -p fcgi-examples --bin demo              # prints the URL; Ctrl-C stops it
//! cargo run --release -p fcgi-examples --bin demo 127.0.0.1:0  # on a free port
//! ```
//!
//! It is two processes of the same program. The first one is the development gateway, which speaks
//! HTTP with the browser; it starts the second one, the application, with a listening socket as
//! descriptor 0, as any FastCGI process manager does. Kill the second one: the gateway starts it
//! again, and the counter begins anew with another process id.
//!
//! The application alone, for a web server of yours: `demo --application 127.0.0.1:9000`.

mod crc;
mod page;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use fcgi_std::{Request, Server};
use fcgi_tools::serve::{self, Application, Options};

/// Tells the second process what it is.
const APPLICATION: &str = "--application";

/// The longest body in bytes.
const MOST: u64 = 64 * 1024 * 1024;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    match arguments.next() {
        Some(argument) if argument == APPLICATION => {
            let address = arguments.next();
            application(address.as_deref().unwrap_or("127.0.0.1:9000"))
        }
        Some(http) => gateway(&http),
        None => gateway("127.0.0.1:8080"),
    }
}

fn gateway(http: &str) -> io::Result<()> {
    let application = Application::Command {
        program: std::env::current_exe()?.into(),
        arguments: vec![APPLICATION.into()],
        listen: None,
    };
    serve::run(Options {
        http: http.parse()?,
        ..Options::new(application)
    })
}

fn application(address: &str) -> io::Result<()> {
    let count = AtomicU64::new(0);
    // A page that streams, or an upload that is longer than what is buffered, keeps a thread: there
    // may be many.
    let server = Server::inherited_or_bind(address)?;
    let server = server.workers(2, 64).buffer_body(64 * 1024).max_body(MOST);
    server.serve(move |request| match &*path(request) {
        "/" => page::show(request, count.fetch_add(1, Ordering::Relaxed) + 1),
        "/stream" => stream(request),
        _ => {
            request.status(404)?;
            request.header("Content-Type", "text/plain; charset=utf-8")?;
            writeln!(request.stdout, "There is only / and /stream.")
        }
    })
}

/// The path of the URL; REQUEST_URI has it as the browser sent it.
fn path(request: &Request) -> String {
    let uri = request.params.text("REQUEST_URI");
    uri.split('?').next().unwrap_or_default().to_owned()
}

/// A response that is sent while it is made: a line each 300 ms.
fn stream(request: &mut Request) -> io::Result<()> {
    request.header("Content-Type", "text/plain; charset=utf-8")?;
    for line in 1..=10 {
        writeln!(request.stdout, "line {line} of 10, made just now")?;
        request.stdout.flush()?;
        thread::sleep(Duration::from_millis(300));
        if request.is_aborted() {
            break;
        }
    }
    Ok(())
}
