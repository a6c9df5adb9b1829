//! The parameters of a request, owned.

use std::borrow::Cow;
use std::fmt;

use fcgi_core::params;

/// The parameters of a request: what a CGI program finds in its environment (RFC 3875 §4.1), as
/// bytes, or as text where one asks for it.
///
/// Never put them into the process's environment: names come from clients' headers, and
/// `HTTP_PROXY` in an environment is a known hole ("httpoxy").
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Params {
    /// A stream that was checked whole.
    stream: Box<[u8]>,
}

impl Params {
    pub(crate) fn copy(params: &params::Params<'_>) -> Params {
        Params {
            stream: params.as_bytes().into(),
        }
    }

    /// `stream` is whole pairs.
    pub(crate) fn from_stream(stream: Vec<u8>) -> Params {
        Params {
            stream: stream.into(),
        }
    }

    /// The parameters as the core sees them: pairs, headers, repeated names.
    #[must_use]
    pub fn view(&self) -> params::Params<'_> {
        params::Params::assume_whole(&self.stream)
    }

    /// The value of the first parameter with this name, as bytes.
    #[must_use]
    pub fn get(&self, name: impl AsRef<[u8]>) -> Option<&[u8]> {
        self.view().get(name)
    }

    /// The value of the first parameter with this name as text; empty when there is none, which
    /// means the same in CGI (RFC 3875 §4.1).
    ///
    /// What is no UTF-8 is replaced by `U+FFFD`.
    #[must_use]
    pub fn text(&self, name: impl AsRef<[u8]>) -> Cow<'_, str> {
        String::from_utf8_lossy(self.get(name).unwrap_or_default())
    }

    /// All names and values, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.view().iter().map(|pair| (pair.name, pair.value))
    }

    /// The number in CONTENT_LENGTH; `None` when it is missing or no number.
    #[must_use]
    pub fn content_length(&self) -> Option<u64> {
        self.view().content_length()
    }
}

impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.view().fmt(f)
    }
}
