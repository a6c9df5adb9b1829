//! Name-value pairs (§3.4): the one decoder and the one encoder of their lengths.

use core::fmt;

use nom::{IResult, Parser};

/// The longest name or value that a length can say, in bytes: 2³¹ − 1.
pub const MAX_LENGTH: u32 = 0x7fff_ffff;

/// The top bit of a length's first byte says that it has four bytes.
const LONG: u32 = 0x8000_0000;

/// A name and its value, both any bytes (§3.4).
///
/// ```text
///  +-------------+--------------+------+-------+
///  | name length | value length | name | value |
///  |  1 or 4 B   |   1 or 4 B   |      |       |
///  +-------------+--------------+------+-------+
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Pair<'a> {
    /// Usually upper-case ASCII, but nothing forces it to be; may be empty.
    pub name: &'a [u8],
    /// May be empty.
    pub value: &'a [u8],
}

/// Reads one length from the front: one byte for 0 to 127, or four bytes, big endian, with the top
/// bit set.
///
/// A short length in the long form is accepted.
///
/// # Errors
///
/// The slice ends inside the length; that is the only way to fail.
#[inline]
pub fn length(input: &[u8]) -> IResult<&[u8], u32, ()> {
    match input {
        [short @ ..0x80, rest @ ..] => Ok((rest, u32::from(*short))),
        _ => {
            let (long, rest) = input.split_first_chunk().ok_or(CUT)?;
            Ok((rest, u32::from_be_bytes(*long) & MAX_LENGTH))
        }
    }
}

/// Reads one pair from the front of a slice that holds all of it, without copying.
///
/// # Errors
///
/// The slice ends inside the pair; that is the only way to fail.
#[inline]
pub fn pair(input: &[u8]) -> IResult<&[u8], Pair<'_>, ()> {
    match input {
        // All parameters of all requests go through here, and nearly all have two short lengths.
        [name, value, rest @ ..] if (name | value) < 0x80 => {
            split(rest, usize::from(*name), usize::from(*value))
        }
        [] => Err(CUT),
        _ => long_pair(input),
    }
}

/// [`pair`] when one of the lengths has four bytes.
#[cold]
fn long_pair(input: &[u8]) -> IResult<&[u8], Pair<'_>, ()> {
    let (rest, (name, value)) = long_lengths(input)?;
    split(rest, name, value)
}

/// The pair in front of what follows it.
#[inline]
fn split(bytes: &[u8], name: usize, value: usize) -> IResult<&[u8], Pair<'_>, ()> {
    let (name, rest) = bytes.split_at_checked(name).ok_or(CUT)?;
    let (value, rest) = rest.split_at_checked(value).ok_or(CUT)?;
    Ok((rest, Pair { name, value }))
}

/// Where a pair lies in a stream, as its lengths say; the stream may end before. For passing over
/// pairs, which is cheaper than taking each of them out with [`pair`].
#[derive(Clone, Copy)]
pub(crate) struct Lengths {
    /// Where the name begins.
    start: usize,
    /// The length of the name.
    pub(crate) name: usize,
    /// Where the value ends; `usize::MAX` if it cannot be said.
    end: usize,
}

impl Lengths {
    /// Reads the lengths that lie at `at`; `None` when the stream ends before or inside them.
    #[inline]
    pub(crate) fn at(stream: &[u8], at: usize) -> Option<Lengths> {
        // No slice is so long that an index into it could wrap here.
        let start = at.wrapping_add(2);
        match stream.get(at..start)? {
            [name, value] if (name | value) < 0x80 => {
                let name = usize::from(*name);
                let end = start.wrapping_add(name).wrapping_add(usize::from(*value));
                Some(Lengths { start, name, end })
            }
            _ => long_lengths_at(stream, at),
        }
    }

    /// Where the pair ends.
    #[inline]
    pub(crate) fn end(self) -> usize {
        self.end
    }

    /// The pair; `None` when the stream ends inside it.
    #[inline]
    pub(crate) fn pair(self, stream: &[u8]) -> Option<Pair<'_>> {
        let both = stream.get(self.start..self.end)?;
        let (name, value) = both.split_at_checked(self.name)?;
        Some(Pair { name, value })
    }
}

/// [`Lengths::at`] when one of the two has four bytes; apart, to keep what is inlined small.
#[cold]
fn long_lengths_at(stream: &[u8], at: usize) -> Option<Lengths> {
    let (rest, (name, value)) = long_lengths(stream.get(at..)?).ok()?;
    let start = stream.len().checked_sub(rest.len())?;
    let end = start.saturating_add(name).saturating_add(value);
    Some(Lengths { start, name, end })
}

/// The lengths of a pair when one of them has four bytes.
#[inline]
fn long_lengths(input: &[u8]) -> IResult<&[u8], (usize, usize), ()> {
    let (rest, (name, value)) = (length, length).parse(input)?;
    let name = usize::try_from(name).map_err(|_| CUT)?;
    let value = usize::try_from(value).map_err(|_| CUT)?;
    Ok((rest, (name, value)))
}

/// The input ends inside a pair.
const CUT: nom::Err<()> = nom::Err::Error(());

/// The shortest form of a length: one byte up to 127, four bytes above.
///
/// # Errors
///
/// [`PairTooLong`] above [`MAX_LENGTH`].
pub fn encode_length(length: usize) -> Result<crate::Encoded<4>, PairTooLong> {
    if let Ok(short @ 0..=0x7f) = u8::try_from(length) {
        return Ok(crate::Encoded::concat(&[&[short]]));
    }
    match u32::try_from(length) {
        Ok(long @ 0..=MAX_LENGTH) => Ok(crate::Encoded::concat(&[&(long | LONG).to_be_bytes()])),
        _ => Err(PairTooLong),
    }
}

/// A name or a value has more than [`MAX_LENGTH`] bytes and cannot be encoded (§3.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PairTooLong;

impl fmt::Display for PairTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("name or value longer than 2147483647 bytes (§3.4)")
    }
}

impl core::error::Error for PairTooLong {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_at_the_borders() {
        for (value, bytes) in [
            (0usize, &[0u8][..]),
            (127, &[127]),
            (128, &[0x80, 0, 0, 128]),
            (129, &[0x80, 0, 0, 129]),
            (65_536, &[0x80, 1, 0, 0]),
            (0x7fff_ffff, &[0xff, 0xff, 0xff, 0xff]),
        ] {
            assert_eq!(&*encode_length(value).unwrap(), bytes);
            assert_eq!(length(bytes), Ok((&[][..], u32::try_from(value).unwrap())));
            for cut in 0..bytes.len() {
                assert!(length(&bytes[..cut]).is_err());
            }
        }
        assert_eq!(encode_length(0x8000_0000), Err(PairTooLong));
        assert_eq!(
            length(&[0x80, 0, 0, 5]),
            Ok((&[][..], 5)),
            "long form of a short length"
        );
    }

    #[test]
    fn the_four_layouts() {
        let long = [b'v'; 300];
        for (name, value) in [
            (&b"n"[..], &b"v"[..]),
            (b"n", &long),
            (&long, b"v"),
            (&long, &long),
            (b"", b""),
        ] {
            let mut bytes = std::vec::Vec::new();
            bytes.extend_from_slice(&encode_length(name.len()).unwrap());
            bytes.extend_from_slice(&encode_length(value.len()).unwrap());
            bytes.extend_from_slice(name);
            bytes.extend_from_slice(value);
            for cut in 0..bytes.len() {
                assert!(pair(&bytes[..cut]).is_err(), "cut at {cut}");
            }
            bytes.push(b'!');
            assert_eq!(pair(&bytes), Ok((&b"!"[..], Pair { name, value })));
        }
    }

    #[test]
    fn lengths_that_overflow_32_bits_together_are_refused() {
        // libfcgi added them in an int (CVE-2025-23016).
        for head in [[0xff; 8], [0x7f, 0xff, 0xff, 0xff, 0xff, 0x80, 0, 0]] {
            assert!(pair(&head).is_err());
        }
    }
}
