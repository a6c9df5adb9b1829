//! Bodies of responses that are not copied.

use std::io;
use std::sync::Arc;

/// A body that is sent from where it lies, by vectored writes.
///
/// Made by `into()` from `&'static [u8]`, `&'static str`, `Vec<u8>`, `String` and `Arc<[u8]>`, and
/// by [`Body::producer`].
pub struct Body(pub(crate) Source);

pub(crate) enum Source {
    Static(&'static [u8]),
    Owned(Vec<u8>),
    Shared(Arc<[u8]>),
    Producer(Box<dyn Producer>),
}

/// Makes a body piece by piece, as fast as the web server takes it.
pub trait Producer: Send {
    /// Writes the next piece into `chunk`; `Ok(true)` when there is more to come.
    ///
    /// Called when the connection has room for output. It is not to wait: the whole loop would.
    ///
    /// # Errors
    ///
    /// Any error ends the request with an appStatus of 1; the client sees a body that is cut off.
    fn produce(&mut self, chunk: &mut Chunk<'_>) -> io::Result<bool>;
}

/// Room for one piece of a body.
pub struct Chunk<'a> {
    bytes: &'a mut Vec<u8>,
    most: usize,
}

impl<'a> Chunk<'a> {
    pub(crate) fn new(bytes: &'a mut Vec<u8>, most: usize) -> Chunk<'a> {
        let most = bytes.len() + most;
        Chunk { bytes, most }
    }

    /// How many bytes fit.
    #[must_use]
    pub fn room(&self) -> usize {
        self.most - self.bytes.len()
    }

    /// Copies as much of `bytes` as fits; how much that was.
    pub fn write(&mut self, bytes: &[u8]) -> usize {
        let count = bytes.len().min(self.room());
        self.bytes.extend_from_slice(&bytes[..count]);
        count
    }
}

impl Body {
    /// A body that is made while it is sent.
    #[must_use]
    pub fn producer(producer: impl Producer + 'static) -> Body {
        Body(Source::Producer(Box::new(producer)))
    }

    /// What lies in memory; `None` for a producer.
    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        match &self.0 {
            Source::Static(bytes) => Some(bytes),
            Source::Owned(bytes) => Some(bytes),
            Source::Shared(bytes) => Some(bytes),
            Source::Producer(_) => None,
        }
    }
}

impl From<&'static [u8]> for Body {
    fn from(bytes: &'static [u8]) -> Body {
        Body(Source::Static(bytes))
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Body {
        Body(Source::Static(text.as_bytes()))
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Body {
        Body(Source::Owned(bytes))
    }
}

impl From<String> for Body {
    fn from(text: String) -> Body {
        Body(Source::Owned(text.into_bytes()))
    }
}

impl From<Arc<[u8]>> for Body {
    fn from(bytes: Arc<[u8]>) -> Body {
        Body(Source::Shared(bytes))
    }
}
