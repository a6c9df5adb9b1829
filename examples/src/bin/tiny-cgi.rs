//! The kit's smallest page as a CGI program: compare `tiny-fcgi`, which is this and a loop.
//!
//! ```text
//! cargo run -p fcgi-examples --bin tiny-cgi        # prints the page and its head
//! ```
//!
//! Put the binary into the directory of CGI programs of a web server. The counter always says 1,
//! as each request has a process of its own.

use fcgi_std::stdio::{println, var};

fn main() {
    let mut count = 0;
    count += 1;
    let host = escape(&var("SERVER_NAME").unwrap_or_default());
    let process = std::process::id();
    println!("Content-Type: text/html; charset=utf-8\r\n\r");
    println!("<title>FastCGI Hello!</title>\n<h1>FastCGI Hello!</h1>");
    println!("Request number {count} running on host <i>{host}</i> in process {process}.");
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
