//! The kit's smallest page: a counter that lives between requests, which no CGI program can have.
//!
//! ```text
//! cargo run -p fcgi-examples --bin tiny-fcgi            # listens on 127.0.0.1:9000
//! cargo run -p fcgi-examples --bin tiny-fcgi /tmp/app.sock
//! ```
//!
//! Behind nginx: `location / { include fastcgi_params; fastcgi_pass 127.0.0.1:9000; }`. Each reload
//! shows the next number and the same process id. Started by a web server or a supervisor that
//! hands it a socket, it listens there instead.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};

fn main() -> std::io::Result<()> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:9000".to_owned());
    let count = AtomicU64::new(0);
    fcgi_std::Server::inherited_or_bind(&address)?.serve(move |request| {
        let count = count.fetch_add(1, Ordering::Relaxed) + 1;
        let host = escape(&request.params.text("SERVER_NAME"));
        let process = std::process::id();
        request.header("Content-Type", "text/html; charset=utf-8")?;
        writeln!(
            request.stdout,
            "<title>FastCGI Hello!</title>\n<h1>FastCGI Hello!</h1>\n\
             Request number {count} running on host <i>{host}</i> in process {process}."
        )
    })
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
