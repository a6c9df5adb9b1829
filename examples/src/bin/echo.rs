//! The kit's echo: shows what came, all variables and the whole body.
//!
//! ```text
//! target/release/cgi-fcgi -start -connect :9000 target/release/echo
//! curl --data 'quantity=100&item=3047936' http://localhost/       # through your web server
//! target/release/echo                                             # shows the shell's variables
//! ```
//!
//! Variables are printed one to a line as they are, the body after an empty line.

use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;

use fcgi_std::stdio::{self, print, println};

/// The longest body in bytes.
const MOST: u64 = 16 * 1024 * 1024;

fn main() -> io::Result<()> {
    while stdio::accept()? {
        // The body first: some web servers send no more of it once they have seen the head of the
        // response.
        let mut body = Vec::new();
        if let Err(error) = stdio::stdin().take(MOST + 1).read_to_end(&mut body) {
            print!("Status: 400 Bad Request\r\nContent-Type: text/plain\r\n\r\n{error}\n");
            continue;
        }
        if body.len() as u64 > MOST {
            print!("Status: 413 Content Too Large\r\nContent-Type: text/plain\r\n\r\ntoo long\n");
            continue;
        }
        // Never HTML: the client chose most of these bytes.
        println!("Content-Type: text/plain; charset=utf-8\r\n\r");
        let mut out = stdio::stdout();
        let shown = stdio::vars().iter().try_for_each(|(name, value)| {
            out.write_all(&[name.as_bytes(), b"=", value.as_bytes(), b"\n"].concat())
        });
        // A client that went away is no reason to end.
        if let Err(error) = shown.and_then(|()| out.write_all(&[b"\n", &*body].concat())) {
            stdio::eprintln!("{error}");
        }
    }
    Ok(())
}
