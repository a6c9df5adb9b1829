//! tokio-fastcgi, fed from memory.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, ReadBuf, Sink, sink};
use tokio_fastcgi::{Request, Requests};

/// One kept connection on which the same request comes again and again.
pub(crate) struct Peer {
    requests: Requests<Again, Sink>,
}

impl Peer {
    /// A connection that brings `request`, which must ask for the connection to be kept.
    pub(crate) fn new(request: Vec<u8>) -> Self {
        let reader = Again {
            bytes: request,
            at: 0,
        };
        Self {
            requests: Requests::new(reader, sink(), 1, 1),
        }
    }

    /// The next request. Polled by hand: memory is always ready, and no runtime is counted.
    ///
    /// # Panics
    ///
    /// If the library does not accept the request.
    pub(crate) fn next(&mut self) -> Request<Sink> {
        let next = pin!(self.requests.next());
        match next.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(Some(request))) => request,
            Poll::Ready(Ok(None)) => panic!("tokio-fastcgi closes the connection"),
            Poll::Ready(Err(error)) => panic!("tokio-fastcgi: {error}"),
            Poll::Pending => panic!("tokio-fastcgi waits although all bytes are there"),
        }
    }
}

/// Reads the same bytes over and over.
struct Again {
    bytes: Vec<u8>,
    at: usize,
}

impl AsyncRead for Again {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let left = &self.bytes[self.at..];
        let length = left.len().min(buffer.remaining());
        buffer.put_slice(&left[..length]);
        self.at = (self.at + length) % self.bytes.len();
        Poll::Ready(Ok(()))
    }
}
