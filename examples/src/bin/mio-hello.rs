//! The smallest application in an event loop: one closure, called with each whole request.
//!
//! ```text
//! cargo run --release -p fcgi-examples --bin mio-hello 127.0.0.1:9000     # or a unix socket's path
//! curl http://localhost/                                      # through your web server
//! ```
//!
//! It answers `Hello, 127.0.0.1!` with the address of the client, to thousands of connections on one
//! thread. The closure must not wait for anything: `mio-deferred` shows what to do when it has to.

use std::time::Duration;

fn main() -> std::io::Result<()> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:9000".to_owned());
    let server = fcgi_mio::Server::inherited_or_bind(&address)?;
    server.handle().stop_on_signals(Duration::from_secs(30))?;
    server.serve(|request, response| {
        response.header("Content-Type", "text/plain")?;
        response.write("Hello, ")?;
        response.write(request.param("REMOTE_ADDR").unwrap_or(b"whoever you are"))?;
        response.write("!\n")
    })
}
