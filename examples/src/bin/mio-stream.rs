//! Streaming out: a body of any length in constant memory, made as fast as the client takes it.
//!
//! ```text
//! cargo run --release -p fcgi-examples --bin mio-stream 127.0.0.1:9000
//! curl 'http://localhost/?1000000000' | head                  # through your web server
//! ```
//!
//! It answers with so many lines: `1`, `2`, `3` and so on. Of a slow client the program notices
//! nothing but that its producer is called less often; once nobody reads any more, the producer is
//! dropped. Many clients are served at the same time, in turn.

use std::io;

use fcgi_mio::{Body, Chunk, Producer, Server};

/// The longest line: twenty digits and an end.
const LINE: usize = 21;

/// The numbers that are still to be sent.
struct Numbers {
    next: u64,
    last: u64,
}

impl Producer for Numbers {
    fn produce(&mut self, chunk: &mut Chunk<'_>) -> io::Result<bool> {
        while self.next <= self.last && chunk.room() >= LINE {
            chunk.write(format!("{}\n", self.next).as_bytes());
            self.next += 1;
        }
        Ok(self.next <= self.last)
    }
}

fn main() -> io::Result<()> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:9000".to_owned());
    Server::inherited_or_bind(&address)?.serve(|request, response| {
        response.header("Content-Type", "text/plain")?;
        let query = request.param("QUERY_STRING").unwrap_or_default();
        let count = std::str::from_utf8(query).ok();
        match count.and_then(|text| text.parse().ok()) {
            Some(last) if last < u64::MAX => {
                response.body(Body::producer(Numbers { next: 1, last }))
            }
            _ => {
                response.status(400)?;
                response.write("Say how many lines, as in /?1000\n")
            }
        }
    })
}
