//! The kit's smallest page: a counter that lives between requests. It is `tiny-cgi` and a loop.
//!
//! ```text
//! cargo build --release -p fcgi-examples -p fcgi-tools
//! target/release/fcgi serve -- target/release/tiny-fcgi                # in a browser
//! target/release/cgi-fcgi -start -connect :9000 target/release/tiny-fcgi
//! target/release/tiny-fcgi                                             # prints the page
//! ```
//!
//! Started with a listening socket it is a FastCGI application: each reload shows the next number
//! and the same process id. Started as a CGI program, or by hand, it is a CGI program. Behind
//! nginx: `location / { include fastcgi_params; fastcgi_pass 127.0.0.1:9000; }`.

use fcgi_std::stdio::{accept, println, var};

fn main() -> std::io::Result<()> {
    let mut count = 0;
    while accept()? {
        count += 1;
        let host = escape(&var("SERVER_NAME").unwrap_or_default());
        let process = std::process::id();
        println!("Content-Type: text/html; charset=utf-8\r\n\r");
        println!("<title>FastCGI Hello!</title>\n<h1>FastCGI Hello!</h1>");
        println!("Request number {count} running on host <i>{host}</i> in process {process}.");
    }
    Ok(())
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
