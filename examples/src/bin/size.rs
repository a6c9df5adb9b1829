//! The kit's size: a response of the size that the path says, to see how a web server takes it.
//!
//! ```text
//! cargo run --release -p fcgi-examples --bin size 127.0.0.1:9000
//! curl http://localhost/size/1000000 | wc -c         # through your web server: 1000000
//! ```
//!
//! The bytes come in lines of 80; without a number there are 500. The number is PATH_INFO, which
//! nginx has to be told: `location ~ ^/size(/.*)?$ { include fastcgi_params; fastcgi_param
//! PATH_INFO $1; fastcgi_pass 127.0.0.1:9000; }`. `fcgi serve --script-name /size` needs no such
//! line.

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use fcgi_std::Server;

/// How long requests may go on when a signal stops the program.
const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> io::Result<ExitCode> {
    let server = Server::detect(env::args().nth(1).as_deref())?;
    server.stop_on_signals(PATIENCE).run(|request| {
        let path = request.params.text("PATH_INFO");
        let size: u64 = match path.trim_start_matches('/') {
            "" => 500,
            number => match number.parse() {
                Ok(size) => size,
                Err(_) => {
                    request.status(404)?;
                    request.content_type("text/plain")?;
                    return writeln!(request.stdout, "the path is a number of bytes");
                }
            },
        };
        request.content_type("text/plain")?;
        request.content_length(size)?;
        let mut left = size;
        let mut number = 0;
        while left > 0 {
            let line = format!("{number:>9}:{:.<69}\n", "");
            let piece = &line.as_bytes()[..usize::try_from(left).map_or(80, |left| left.min(80))];
            request.stdout.write_all(piece)?;
            left -= piece.len() as u64;
            number += 1;
        }
        Ok(())
    })
}
