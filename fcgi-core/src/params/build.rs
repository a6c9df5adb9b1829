//! The PARAMS stream on its way out (§5.2).

use core::fmt;

use crate::frame::MAX_CONTENT;
use crate::storage::{Storage, StorageFull};
use crate::wire::{PairTooLong, encode_length, pair};

/// Appends one pair to a stream that is being built.
///
/// # Errors
///
/// [`AppendError`]. The stream may then end inside the pair and must not be sent.
pub fn append(
    stream: &mut impl Storage,
    name: impl AsRef<[u8]>,
    value: impl AsRef<[u8]>,
) -> Result<(), AppendError> {
    let (name, value) = (name.as_ref(), value.as_ref());
    let name_length = encode_length(name.len())?;
    let value_length = encode_length(value.len())?;
    for part in [&name_length, &value_length, name, value] {
        stream.append(part)?;
    }
    Ok(())
}

/// Why a pair could not be appended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum AppendError {
    /// The name or the value is longer than a length can say (§3.4).
    TooLong,
    /// The storage is full.
    Full,
}

impl From<PairTooLong> for AppendError {
    fn from(_: PairTooLong) -> Self {
        AppendError::TooLong
    }
}

impl From<StorageFull> for AppendError {
    fn from(_: StorageFull) -> Self {
        AppendError::Full
    }
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AppendError::TooLong => PairTooLong.fmt(f),
            AppendError::Full => f.write_str("no room for another parameter"),
        }
    }
}

impl core::error::Error for AppendError {}

/// Cuts a whole PARAMS stream into the contents of its records: pairs stay together wherever they
/// fit.
///
/// Some applications read pairs record by record (PHP does), so a pair is cut only when it alone
/// exceeds a record. Each chunk has 1 to [`MAX_CONTENT`] bytes and goes into one record.
#[must_use]
pub const fn chunks(stream: &[u8]) -> Chunks<'_> {
    Chunks {
        rest: stream,
        cut: 0,
    }
}

/// The contents of the records of a PARAMS stream; see [`chunks`].
#[derive(Clone, Debug)]
pub struct Chunks<'a> {
    rest: &'a [u8],
    /// Bytes at the front of `rest` that belong to a pair which had to be cut.
    cut: usize,
}

impl<'a> Iterator for Chunks<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let mut length = self.cut.min(MAX_CONTENT);
        self.cut = self.cut.saturating_sub(length);
        while length < MAX_CONTENT {
            let rest = self.rest.get(length..).unwrap_or_default();
            // What is no whole pair goes out as it is.
            let whole = pair(rest).map_or(rest.len(), |(after, _)| {
                rest.len().saturating_sub(after.len())
            });
            let end = length.saturating_add(whole);
            if rest.is_empty() || (end > MAX_CONTENT && length > 0) {
                break;
            }
            length = end.min(MAX_CONTENT);
            self.cut = end.saturating_sub(length);
        }
        let (chunk, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.rest = rest;
        Some(chunk)
    }
}

impl core::iter::FusedIterator for Chunks<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;
    use std::vec::Vec;

    fn lengths(values: &[usize]) -> Vec<usize> {
        let mut stream = Vec::new();
        for &length in values {
            append(&mut stream, "N", vec![b'v'; length]).unwrap();
        }
        let pieces: Vec<&[u8]> = chunks(&stream).collect();
        assert_eq!(pieces.concat(), stream);
        pieces.iter().map(|piece| piece.len()).collect()
    }

    #[test]
    fn pairs_stay_together_unless_one_alone_is_too_long() {
        // A value of n ≥ 128 bytes makes a pair of n + 6.
        assert_eq!(lengths(&[]), []);
        assert_eq!(lengths(&[0]), [3]);
        assert_eq!(lengths(&[65_522]), [65_528]);
        assert_eq!(lengths(&[65_523]), [65_528, 1]);
        assert_eq!(lengths(&[65_522, 0]), [65_528, 3]);
        assert_eq!(lengths(&[0, 65_522]), [3, 65_528]);
        assert_eq!(lengths(&[40_000, 40_000, 10]), [40_006, 40_019]);
        assert_eq!(
            lengths(&[1, 200_000, 1, 1]),
            [4, 65_528, 65_528, 65_528, 200_006 - 3 * 65_528 + 8]
        );
    }

    #[test]
    fn full_storage() {
        let mut stream = heapless::Vec::<u8, 5>::new();
        append(&mut stream, "A", "bc").unwrap();
        assert_eq!(append(&mut stream, "", ""), Err(AppendError::Full));
    }
}
