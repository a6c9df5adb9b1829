//! The kit's log-dump: an Authorizer and a Responder in one program, which share what they know.
//!
//! ```text
//! target/release/cgi-fcgi -start -connect :9000 target/release/log-dump
//! ```
//!
//! Both roles go to the same process: the Authorizer lets a request pass whose query has
//! `showme_the_log`, and says so in LOG_ACCESS; the Responder shows the file in LOG_FILE, a
//! variable of the web server's configuration, to those only.

use std::env;
use std::fs::File;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fcgi_std::Server;
use fcgi_std::roles::{Access, Roles};

/// How long requests may go on when a signal stops the program.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Default)]
struct Counts {
    granted: AtomicU64,
    denied: AtomicU64,
}

fn main() -> io::Result<ExitCode> {
    let server = Server::detect(env::args().nth(1).as_deref())?;
    let counts = Arc::new(Counts::default());
    let shared = Arc::clone(&counts);
    Roles::new()
        .authorizer(move |authorizer| {
            if authorizer
                .params()
                .text("QUERY_STRING")
                .contains("showme_the_log")
            {
                let number = shared.granted.fetch_add(1, Ordering::Relaxed) + 1;
                authorizer.variable("LOG_ACCESS", format!("ACCESS_OK.{number}"))?;
                return Ok(Access::Granted);
            }
            let number = shared.denied.fetch_add(1, Ordering::Relaxed) + 1;
            let denial = authorizer.deny(403)?;
            denial.content_type("text/plain")?;
            writeln!(denial.stdout, "Access denied, {number} times by now.")?;
            Ok(Access::Denied)
        })
        .responder(move |request| {
            request.content_type("text/plain")?;
            if !request.params.text("LOG_ACCESS").starts_with("ACCESS_OK.") {
                request.status(403)?;
                return writeln!(
                    request.stdout,
                    "The log is for those whom the Authorizer lets in."
                );
            }
            let granted = counts.granted.load(Ordering::Relaxed);
            let file = request.params.text("LOG_FILE");
            let named = |error| io::Error::other(format!("LOG_FILE {file:?}: {error}"));
            let mut log = File::open(&*file).map_err(named)?;
            writeln!(request.stdout, "Access granted, {granted} times by now.\n")?;
            io::copy(&mut log, &mut request.stdout).map(drop)
        })
        .run(server.stop_on_signals(PATIENCE))
}
