//! A small HTTP/1.1 client for tests: raw bytes where a browser would not let them through, large
//! bodies as they flow, and the bad manners of real clients.
//!
//! ```no_run
//! use fcgi_tests::http::{Client, Request};
//! use fcgi_tests::pattern;
//!
//! # let address = "127.0.0.1:80".parse().unwrap();
//! let mut client = Client::connect(address);
//! let page = client.call(&Request::get("/index.html").header("X-Raw", [0xff, b'\t']));
//! assert_eq!(page.status, 200);
//!
//! // 64 MiB each way, neither of them held.
//! let mut check = pattern::Check::new();
//! let upload = Request::post_pattern("/echo", 64 << 20);
//! client.exchange(&upload, &mut check).unwrap();
//! check.assert(64 << 20);
//! ```

mod body;
mod message;

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

pub use message::{Request, Response};

/// How long a client waits for bytes, or for room to write some.
const PATIENCE: Duration = Duration::from_secs(30);
/// Largest response head that is read, in bytes.
const HEAD_MAX: usize = 256 * 1024;
/// Most header fields of a response.
const FIELDS_MAX: usize = 512;

/// One connection to a web server; requests follow each other on it.
#[derive(Debug)]
pub struct Client {
    connection: BufReader<TcpStream>,
}

impl Client {
    /// Connects, with 30 seconds of patience for every read and write.
    ///
    /// # Panics
    ///
    /// If nobody listens there.
    #[must_use]
    #[track_caller]
    pub fn connect(address: SocketAddr) -> Self {
        match Self::try_connect(address) {
            Ok(client) => client,
            Err(error) => panic!("no connection to {address}: {error}"),
        }
    }

    /// As [`Client::connect`].
    ///
    /// # Errors
    ///
    /// What connecting returns.
    pub fn try_connect(address: SocketAddr) -> io::Result<Self> {
        let connection = TcpStream::connect_timeout(&address, PATIENCE)?;
        connection.set_nodelay(true)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        connection.set_write_timeout(Some(PATIENCE))?;
        Ok(Self {
            connection: BufReader::with_capacity(64 * 1024, connection),
        })
    }

    /// The client's own address.
    ///
    /// # Panics
    ///
    /// If the system does not tell.
    #[must_use]
    pub fn local_address(&self) -> SocketAddr {
        self.connection
            .get_ref()
            .local_addr()
            .expect("a connected socket has an address")
    }

    /// Sends a request and reads the whole response.
    ///
    /// # Panics
    ///
    /// If that fails.
    #[track_caller]
    pub fn call(&mut self, request: &Request) -> Response {
        let mut body = Vec::new();
        match self.exchange(request, &mut body) {
            Ok(response) => Response { body, ..response },
            Err(error) => panic!("no response to {request:.200?}: {error}"),
        }
    }

    /// Sends a request while reading its response, whose body goes to `sink`.
    ///
    /// # Errors
    ///
    /// What reading or the sink returns, `UnexpectedEof` when the body is cut, `InvalidData` for
    /// what is not HTTP/1.1. A body that the server stopped reading early is no error.
    pub fn exchange(&mut self, request: &Request, sink: &mut dyn Write) -> io::Result<Response> {
        self.send(&request.head_bytes())?;
        let to_server = self.connection.get_ref().try_clone()?;
        thread::scope(|scope| {
            let body = scope.spawn(|| request.write_body(&to_server));
            let response = self.receive(request.is_head(), sink);
            if response.is_err() {
                // The writer must not wait for a server that has gone.
                let _ = to_server.shutdown(Shutdown::Both);
            }
            // A response read to its end counts, however much of the body its server wanted.
            let _ = body.join().expect("writing a body does not panic");
            response
        })
    }

    /// Sends any bytes: a part of a request, or something that is none.
    ///
    /// # Errors
    ///
    /// What writing returns.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.connection.get_mut().write_all(bytes)
    }

    /// Reads a response, its body into `sink`; `to_head` for the answer to a HEAD request.
    ///
    /// # Errors
    ///
    /// As [`Client::exchange`].
    pub fn receive(&mut self, to_head: bool, sink: &mut dyn Write) -> io::Result<Response> {
        let mut response = self.receive_head()?;
        while (100..200).contains(&response.status) {
            response = self.receive_head()?;
        }
        let length = response
            .field("Content-Length")
            .map(|length| length.parse::<u64>());
        response.length = match length {
            _ if to_head || matches!(response.status, 204 | 304) => 0,
            _ if response.has("Transfer-Encoding", "chunked") => {
                body::chunks(&mut self.connection, sink)?
            }
            Some(Ok(length)) => body::exactly(length, &mut self.connection, sink)?,
            Some(Err(_)) => return Err(invalid("Content-Length is no number")),
            None => io::copy(&mut self.connection, sink)?,
        };
        Ok(response)
    }

    /// Reads a response's head, leaving the body in the connection.
    ///
    /// # Errors
    ///
    /// As [`Client::exchange`].
    pub fn receive_head(&mut self) -> io::Result<Response> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let line = self
                .connection
                .by_ref()
                .take(HEAD_MAX as u64)
                .read_until(b'\n', &mut head)?;
            if line == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if head.len() > HEAD_MAX {
                return Err(invalid("the response head is too large"));
            }
        }
        let mut fields = vec![httparse::EMPTY_HEADER; FIELDS_MAX];
        let mut parsed = httparse::Response::new(&mut fields);
        match parsed.parse(&head) {
            Ok(httparse::Status::Complete(_)) => {}
            Ok(httparse::Status::Partial) => return Err(invalid("not a whole response head")),
            Err(error) => return Err(invalid(error)),
        }
        let field = |f: &httparse::Header<'_>| (f.name.to_owned(), f.value.to_vec());
        Ok(Response {
            status: parsed.code.unwrap_or_default(),
            reason: parsed.reason.unwrap_or_default().to_owned(),
            fields: parsed.headers.iter().map(field).collect(),
            ..Response::default()
        })
    }

    /// Reads exactly `length` raw bytes: the first part of a body, before leaving.
    ///
    /// # Errors
    ///
    /// What reading returns.
    pub fn receive_bytes(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.connection.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Says that no more is sent, and still reads.
    ///
    /// # Errors
    ///
    /// What the system returns.
    pub fn half_close(&mut self) -> io::Result<()> {
        self.connection.get_ref().shutdown(Shutdown::Write)
    }

    /// Leaves with a reset, as a crashed client does. Dropping the client leaves politely.
    ///
    /// # Errors
    ///
    /// What the system returns.
    pub fn reset(self) -> io::Result<()> {
        let connection = self.connection.into_inner();
        rustix::net::sockopt::set_socket_linger(&connection, Some(Duration::ZERO))?;
        Ok(())
    }

    /// Whether the server has closed the connection, waiting for it up to `patience`.
    ///
    /// # Errors
    ///
    /// `InvalidData` when the server sent bytes instead, else what reading returns.
    pub fn closed_within(&mut self, patience: Duration) -> io::Result<bool> {
        self.connection.get_ref().set_read_timeout(Some(patience))?;
        let closed = match self.connection.fill_buf() {
            Ok([]) => Ok(true),
            Ok(_) => Err(invalid("the server sent bytes instead of closing")),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        };
        self.connection.get_ref().set_read_timeout(Some(PATIENCE))?;
        closed
    }
}

fn invalid(why: impl Into<Box<dyn Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
