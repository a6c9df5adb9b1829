//! Large bodies without holding them: bytes that follow from their position alone.
//!
//! Each aligned block of eight bytes is a hash of the block's number, so a byte that is lost,
//! repeated or out of place shows up, and the check can say where.

use std::io::{self, Read, Write};

/// Fills `buffer` with the pattern's bytes from position `offset` on.
pub fn fill(offset: u64, buffer: &mut [u8]) {
    let mut position = offset;
    let mut rest = buffer;
    while !rest.is_empty() {
        let block = block(position / 8);
        let start = (position % 8) as usize;
        let length = rest.len().min(8 - start);
        let (piece, after) = rest.split_at_mut(length);
        piece.copy_from_slice(&block[start..start + length]);
        position += length as u64;
        rest = after;
    }
}

/// The first `length` bytes of the pattern.
#[must_use]
pub fn bytes(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    fill(0, &mut bytes);
    bytes
}

/// The eight bytes of one block (splitmix64 of its number).
fn block(number: u64) -> [u8; 8] {
    let mut x = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (x ^ (x >> 31)).to_le_bytes()
}

/// A reader of the pattern's first bytes.
#[derive(Clone, Debug)]
pub struct Source {
    position: u64,
    length: u64,
}

impl Source {
    /// A source of `length` bytes.
    #[must_use]
    pub fn new(length: u64) -> Self {
        Self {
            position: 0,
            length,
        }
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.length - self.position;
        let length = buffer
            .len()
            .min(usize::try_from(left).unwrap_or(usize::MAX));
        fill(self.position, &mut buffer[..length]);
        self.position += length as u64;
        Ok(length)
    }
}

/// A writer that counts bytes and compares them with the pattern.
#[derive(Clone, Debug, Default)]
pub struct Check {
    position: u64,
    mismatch: Option<u64>,
}

impl Check {
    /// A check at the pattern's start.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes seen so far.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.position
    }

    /// Position of the first byte that was not the pattern's.
    #[must_use]
    pub fn mismatch(&self) -> Option<u64> {
        self.mismatch
    }

    /// Panics unless exactly the pattern's first `length` bytes were seen.
    #[track_caller]
    pub fn assert(&self, length: u64) {
        assert_eq!(
            self.mismatch, None,
            "the body differs from the pattern at that position"
        );
        assert_eq!(self.position, length, "the body's length");
    }
}

impl Write for Check {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut expected = [0; 4096];
        let length = bytes.len().min(expected.len());
        fill(self.position, &mut expected[..length]);
        if self.mismatch.is_none() && bytes[..length] != expected[..length] {
            let differs = bytes
                .iter()
                .zip(&expected)
                .take_while(|(a, b)| a == b)
                .count();
            self.mismatch = Some(self.position + differs as u64);
        }
        self.position += length as u64;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_through_any_buffer_passes_the_check() {
        for piece in [1, 3, 8, 4095, 4096, 10_000] {
            let mut source = Source::new(20_001);
            let mut check = Check::new();
            let mut buffer = vec![0; piece];
            loop {
                let length = source.read(&mut buffer).unwrap();
                if length == 0 {
                    break;
                }
                check.write_all(&buffer[..length]).unwrap();
            }
            check.assert(20_001);
        }
    }

    #[test]
    fn the_check_names_the_first_wrong_byte() {
        let mut body = bytes(9000);
        body[5000] ^= 1;
        let mut check = Check::new();
        check.write_all(&body).unwrap();
        assert_eq!(check.mismatch(), Some(5000));

        let mut body = bytes(9000);
        body.remove(4097);
        let mut check = Check::new();
        check.write_all(&body).unwrap();
        assert_eq!((check.mismatch(), check.length()), (Some(4097), 8999));
    }
}
