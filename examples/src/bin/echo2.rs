//! `echo` with a handler: shows what came, all parameters and the whole body.
//!
//! ```text
//! cargo run -p fcgi-examples --bin echo2 127.0.0.1:9000
//! curl --data 'quantity=100&item=3047936' http://localhost/       # through your web server
//! ```
//!
//! Parameters are printed one to a line as they are, the body after an empty line.
//!
//! It collects the body before it answers, up to 16 MiB; a longer one gets a 413. A program that
//! answers while it reads works with some web servers only: nginx, for one, sends no more of the
//! body once it has passed the head of the response on.

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use fcgi_std::Server;

const MOST: usize = 16 * 1024 * 1024;
/// How long requests may go on when a signal stops the program.
const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> io::Result<ExitCode> {
    let server = Server::detect(env::args().nth(1).as_deref())?;
    server
        .buffer_body(MOST)
        .max_body(MOST as u64)
        .stop_on_signals(PATIENCE)
        .run(|request| {
            // Never HTML: the client chose most of these bytes.
            request.header("Content-Type", "text/plain; charset=utf-8")?;
            for (name, value) in request.params.iter() {
                request
                    .stdout
                    .write_all(&[name, b"=", value, b"\n"].concat())?;
            }
            request.stdout.write_all(b"\n")?;
            io::copy(&mut request.stdin, &mut request.stdout)?;
            Ok(())
        })
}
