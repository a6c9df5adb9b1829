//! A value: bytes that are text most of the time.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::{self, Utf8Error};

use crate::wire::Text;

/// What was sent under a name: decoded bytes, as text on request. NUL and invalid UTF-8 occur.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Value {
    bytes: Vec<u8>,
}

impl Value {
    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes, without a copy.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The text, if the bytes are UTF-8.
    ///
    /// # Errors
    ///
    /// [`Utf8Error`] if they are not.
    pub fn as_text(&self) -> Result<&str, Utf8Error> {
        str::from_utf8(&self.bytes)
    }

    /// The text, with U+FFFD for what is no UTF-8.
    #[must_use]
    pub fn to_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.bytes)
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Value { bytes }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value {
            bytes: text.as_bytes().into(),
        }
    }
}

impl AsRef<[u8]> for Value {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Text(&self.bytes))
    }
}
