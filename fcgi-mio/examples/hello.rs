//! Greets, from an event loop: one closure for whole requests.
//!
//! Run it with `cargo run -p fcgi-mio --example hello -- 127.0.0.1:9000` and have a web server pass
//! requests to that address, or a path for a unix socket. It answers "Hello, 127.0.0.1!".

fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:9000");
    fcgi_mio::Server::inherited_or_bind(address)?.serve(|request, response| {
        response.header("Content-Type", "text/plain")?;
        response.write("Hello, ")?;
        response.write(request.param("REMOTE_ADDR").unwrap_or(b"whoever you are"))?;
        response.write("!\n")
    })
}
