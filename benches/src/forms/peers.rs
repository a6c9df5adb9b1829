//! Rust libraries of the same purpose: form_urlencoded, and multer fed from memory.

use std::convert::Infallible;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_util::stream;
use multer::Multipart;

/// Decodes all pairs, as text: the sum of their lengths.
pub(super) fn form_urlencoded(input: &[u8]) -> usize {
    let pairs = form_urlencoded::parse(input);
    pairs.map(|(name, value)| name.len() + value.len()).sum()
}

/// Takes a body to pieces that comes in these slices, as [`receive`](super::receive) does.
pub(super) fn multer(slices: &[Bytes], boundary: &str) -> usize {
    let slices = slices.iter().cloned().map(Ok::<_, Infallible>);
    at_once(async {
        let mut multipart = Multipart::new(stream::iter(slices), boundary);
        let mut seen = 0;
        while let Some(mut field) = multipart.next_field().await.expect("a whole form") {
            seen += field.name().map_or(0, str::len) + 1;
            while let Some(bytes) = field.chunk().await.expect("a whole part") {
                seen += bytes.len();
            }
        }
        // The end of the form.
        seen + 1
    })
}

/// Polled by hand: memory is always ready, and no runtime is measured.
fn at_once<T>(work: impl Future<Output = T>) -> T {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("multer waits although all bytes are there"),
    }
}
