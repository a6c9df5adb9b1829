//! `tiny-fcgi` without the current request: the loop holds it, and the head is made of fields.
//!
//! ```text
//! cargo run -p fcgi-examples --bin tiny-fcgi2 127.0.0.1:9000   # listens there
//! cargo run -p fcgi-examples --bin tiny-fcgi2                  # prints the page, as a CGI program
//! ```
//!
//! Started with a listening socket, as web servers and `cgi-fcgi -start` do, it listens there.

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use fcgi_std::Server;

/// How long requests may go on when a signal stops the program.
const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> io::Result<ExitCode> {
    let server = Server::detect(env::args().nth(1).as_deref())?;
    let requests = server.stop_on_signals(PATIENCE).requests()?;
    let mut count = 0;
    while let Some(mut request) = requests.accept()? {
        count += 1;
        let host = escape(&request.params.text("SERVER_NAME"));
        let process = std::process::id();
        request.content_type("text/html; charset=utf-8")?;
        let sent = writeln!(
            request.stdout,
            "<title>FastCGI Hello! (Requests)</title>\n<h1>FastCGI Hello! (Requests)</h1>\n\
             Request number {count} running on host <i>{host}</i> in process {process}."
        );
        // A client that went away is no reason to end.
        if let Err(error) = sent.and_then(|()| request.finish()) {
            eprintln!("request {count}: {error}");
        }
    }
    Ok(requests.exit_code())
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
