//! Bytes that stand for others: borrowed as they came, decoded when somebody asks.

#[cfg(any(feature = "alloc", test))]
use alloc::{borrow::Cow, string::String, vec::Vec};
use core::fmt;
use core::iter::FusedIterator;
#[cfg(any(feature = "alloc", test))]
use core::str;

use memchr::memchr2;

use crate::storage::{Storage, StorageFull};
use crate::wire::Text;

/// A name or a value as it was sent, perhaps with escapes in it.
///
/// Nothing is decoded before it is asked for, and where nothing is escaped the result is the input
/// itself. What comes out are bytes: NUL and invalid UTF-8 occur.
///
/// | comes from | an escape is |
/// |---|---|
/// | a query or an urlencoded body | `+` for a blank, `%XX` (WHATWG URL §5.1) |
/// | `name`, `filename` of a part | `%22`, `%0D`, `%0A` (HTML §4.10.21.8); `\"` of old browsers |
/// | `filename*` of a part | `%XX` (RFC 8187 §3.2) |
///
/// A `%` that no two hexadecimal digits follow stays as it is.
///
/// ```
/// use fcgi_core::form::Encoded;
///
/// let sent = Encoded::urlencoded(b"50%25+off%");
/// assert_eq!(sent.raw(), b"50%25+off%");
/// let mut room = [0; 16];
/// assert_eq!(sent.decode_to(&mut room), Ok(&b"50% off%"[..]));
/// assert!(sent.is("50% off%"));
/// assert_eq!(Encoded::urlencoded(b"plain").decode_to(&mut []), Ok(&b"plain"[..]));
/// ```
#[derive(Clone, Copy)]
pub struct Encoded<'a> {
    raw: &'a [u8],
    escapes: Escapes,
}

/// In fewer bytes a loop has found everything before a search by vectors has begun.
const SHORT: usize = 16;

/// What counts as an escape.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Escapes {
    Urlencoded,
    Quoted,
    Percent,
}

impl<'a> Encoded<'a> {
    /// A name or a value of a query or of an `application/x-www-form-urlencoded` body.
    #[must_use]
    pub const fn urlencoded(raw: &'a [u8]) -> Self {
        let escapes = Escapes::Urlencoded;
        Encoded { raw, escapes }
    }

    /// What stood between the quotes of a parameter of Content-Disposition.
    pub(super) const fn quoted(raw: &'a [u8]) -> Self {
        let escapes = Escapes::Quoted;
        Encoded { raw, escapes }
    }

    /// The value of an extended parameter, after its charset and language.
    pub(super) const fn percent(raw: &'a [u8]) -> Self {
        let escapes = Escapes::Percent;
        Encoded { raw, escapes }
    }

    /// The bytes as they were sent.
    #[must_use]
    pub const fn raw(self) -> &'a [u8] {
        self.raw
    }

    /// The bytes if nothing in them can be an escape: they stand for themselves.
    #[must_use]
    #[inline]
    pub fn as_plain(self) -> Option<&'a [u8]> {
        self.escapes
            .first_in(self.raw)
            .is_none()
            .then_some(self.raw)
    }

    /// The decoded bytes, one by one.
    #[must_use]
    pub const fn bytes(self) -> Bytes<'a> {
        Bytes { rest: self }
    }

    /// Whether the decoded bytes are `text`.
    #[must_use]
    pub fn is(self, text: impl AsRef<[u8]>) -> bool {
        self.bytes().eq(text.as_ref().iter().copied())
    }

    /// The decoded bytes: those of the input if nothing is escaped, else written to the front of
    /// `buffer`. A buffer as long as [`raw`](Self::raw) is always enough.
    ///
    /// # Errors
    ///
    /// [`StorageFull`] when they do not fit; the buffer then holds the beginning of them.
    pub fn decode_to<'b>(self, buffer: &'b mut [u8]) -> Result<&'b [u8], StorageFull>
    where
        'a: 'b,
    {
        if let Some(plain) = self.as_plain() {
            return Ok(plain);
        }
        let mut length: usize = 0;
        for byte in self.bytes() {
            *buffer.get_mut(length).ok_or(StorageFull)? = byte;
            length = length.saturating_add(1);
        }
        buffer.get(..length).ok_or(StorageFull)
    }

    /// Appends the decoded bytes to `out`.
    ///
    /// # Errors
    ///
    /// [`StorageFull`] when they do not fit; `out` may then hold the beginning of them.
    pub fn decode_into<S: Storage + ?Sized>(self, out: &mut S) -> Result<(), StorageFull> {
        let mut rest = self;
        while let Some(at) = self.escapes.first_in(rest.raw) {
            let (plain, escaped) = rest.raw.split_at_checked(at).unwrap_or((rest.raw, &[]));
            out.append(plain)?;
            rest.raw = escaped;
            if let Some(byte) = rest.take_byte() {
                out.append(&[byte])?;
            }
        }
        out.append(rest.raw)
    }

    /// The decoded bytes, borrowed if nothing is escaped.
    #[cfg(any(feature = "alloc", test))]
    #[must_use]
    pub fn decode(self) -> Cow<'a, [u8]> {
        if let Some(plain) = self.as_plain() {
            return Cow::Borrowed(plain);
        }
        let mut decoded = Vec::with_capacity(self.raw.len());
        decoded.extend(self.bytes());
        Cow::Owned(decoded)
    }

    /// The decoded bytes as text: UTF-8, with U+FFFD for what is none.
    #[cfg(any(feature = "alloc", test))]
    #[must_use]
    pub fn to_text(self) -> Cow<'a, str> {
        match self.decode() {
            // Text is the rule, and is checked faster than it is mended.
            Cow::Borrowed(bytes) => match str::from_utf8(bytes) {
                Ok(text) => Cow::Borrowed(text),
                Err(_) => String::from_utf8_lossy(bytes),
            },
            Cow::Owned(bytes) => Cow::Owned(match String::from_utf8(bytes) {
                Ok(text) => text,
                Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
            }),
        }
    }

    /// Decodes one byte from the front.
    #[inline]
    fn take_byte(&mut self) -> Option<u8> {
        let (&first, mut rest) = self.raw.split_first()?;
        let byte = match (first, self.escapes, rest) {
            (b'+', Escapes::Urlencoded, _) => b' ',
            (b'\\', Escapes::Quoted, [b'"', after @ ..]) => {
                rest = after;
                b'"'
            }
            (b'%', escapes, [high, low, after @ ..]) => match byte_of(*high, *low) {
                Some(byte) if escapes.can_be(byte) => {
                    rest = after;
                    byte
                }
                _ => b'%',
            },
            (byte, _, _) => byte,
        };
        self.raw = rest;
        Some(byte)
    }
}

impl fmt::Debug for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({})", self.escapes, Text(self.raw))
    }
}

impl Escapes {
    /// Where the first byte is that may begin an escape.
    #[inline]
    fn first_in(self, bytes: &[u8]) -> Option<usize> {
        let other = match self {
            Self::Urlencoded => b'+',
            Self::Quoted => b'\\',
            Self::Percent => b'%',
        };
        if bytes.len() < SHORT {
            return bytes.iter().position(|&byte| byte == b'%' || byte == other);
        }
        memchr2(b'%', other, bytes)
    }

    /// Whether `%XX` may stand for this byte. Browsers escape three bytes in a quoted name and
    /// leave `%` alone, so that any other `%XX` there was typed by somebody.
    const fn can_be(self, byte: u8) -> bool {
        match self {
            Self::Urlencoded | Self::Percent => true,
            Self::Quoted => matches!(byte, b'"' | b'\r' | b'\n'),
        }
    }
}

/// The decoded bytes of an [`Encoded`], in order.
#[derive(Clone, Debug)]
pub struct Bytes<'a> {
    rest: Encoded<'a>,
}

impl Iterator for Bytes<'_> {
    type Item = u8;

    #[inline]
    fn next(&mut self) -> Option<u8> {
        self.rest.take_byte()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let longest = self.rest.raw.len();
        // Every byte may be one of three.
        (longest.div_ceil(3), Some(longest))
    }
}

impl FusedIterator for Bytes<'_> {}

/// Decodes a name or a value of a query or an urlencoded body where it lies.
///
/// What comes back are the decoded bytes, at the front of `bytes`; what is behind them is
/// unspecified. Decode after the split into pairs, not before: `%26` is no separator.
///
/// ```
/// let mut value = *b"a%26b+c";
/// assert_eq!(fcgi_core::form::decode_in_place(&mut value), b"a&b c");
/// ```
pub fn decode_in_place(bytes: &mut [u8]) -> &mut [u8] {
    let Some(mut write) = Escapes::Urlencoded.first_in(bytes) else {
        return bytes;
    };
    let length = bytes.len();
    let mut read = write;
    // What is written is never ahead of what was read.
    while let Some(rest) = bytes.get(read..) {
        let mut rest = Encoded::urlencoded(rest);
        let Some(byte) = rest.take_byte() else { break };
        read = length.saturating_sub(rest.raw.len());
        if let Some(slot) = bytes.get_mut(write) {
            *slot = byte;
        }
        write = write.saturating_add(1);
    }
    bytes.get_mut(..write).unwrap_or_default()
}

/// The byte that two hexadecimal digits spell.
const fn byte_of(high: u8, low: u8) -> Option<u8> {
    match (digit(high), digit(low)) {
        (Some(high), Some(low)) => Some(high.wrapping_shl(4) | low),
        _ => None,
    }
}

const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte & 15),
        b'a'..=b'f' | b'A'..=b'F' => Some((byte & 15).saturating_add(9)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::{Encoded, byte_of, decode_in_place};

    /// All ways of decoding say the same; this is what.
    fn decoded(sent: Encoded<'_>) -> Vec<u8> {
        let one_by_one: Vec<u8> = sent.bytes().collect();
        let mut room = std::vec![0; one_by_one.len()];
        assert_eq!(sent.decode_to(&mut room), Ok(&one_by_one[..]));
        let mut appended = Vec::new();
        assert_eq!(sent.decode_into(&mut appended), Ok(()));
        assert_eq!(appended, one_by_one);
        assert_eq!(*sent.decode(), one_by_one[..]);
        assert!(sent.is(&one_by_one));
        assert!(sent.as_plain().is_none_or(|plain| plain == one_by_one));
        let (least, most) = sent.bytes().size_hint();
        assert!(least <= one_by_one.len() && one_by_one.len() <= most.unwrap());
        one_by_one
    }

    #[test]
    fn urlencoded() {
        for (sent, bytes) in [
            ("", &b""[..]),
            ("plain", b"plain"),
            ("a+b", b"a b"),
            ("+", b" "),
            ("%41%6a%6A", b"Ajj"),
            ("%00%ff%FF", b"\0\xff\xff"),
            ("%2B%25", b"+%"),
            ("%2541", b"%41"),
            ("%", b"%"),
            ("%4", b"%4"),
            ("%%41", b"%A"),
            ("%4%41", b"%4A"),
            ("%G1%1G", b"%G1%1G"),
            ("\\\"", b"\\\""),
        ] {
            assert_eq!(
                decoded(Encoded::urlencoded(sent.as_bytes())),
                bytes,
                "{sent}"
            );
            let mut place = sent.as_bytes().to_vec();
            assert_eq!(decode_in_place(&mut place), bytes, "{sent} in place");
        }
    }

    #[test]
    fn quoted() {
        for (sent, bytes) in [
            ("a+b", &b"a+b"[..]),
            ("a%22b%0d%0A", b"a\"b\r\n"),
            ("100%25", b"100%25"),
            ("%2Fetc", b"%2Fetc"),
            (r#"a\"b"#, b"a\"b"),
            (r"C:\dir\new.txt", br"C:\dir\new.txt"),
            (r#"\\""#, br#"\""#),
            ("\\", b"\\"),
        ] {
            assert_eq!(decoded(Encoded::quoted(sent.as_bytes())), bytes, "{sent}");
        }
    }

    #[test]
    fn percent() {
        for (sent, bytes) in [("a+b%20c", &b"a+b c"[..]), ("%e2%82%ac", b"\xe2\x82\xac")] {
            assert_eq!(decoded(Encoded::percent(sent.as_bytes())), bytes, "{sent}");
        }
    }

    #[test]
    fn nothing_escaped_is_not_copied() {
        let input = b"plain";
        let sent = Encoded::urlencoded(input);
        assert_eq!(sent.decode_to(&mut []).unwrap().as_ptr(), input.as_ptr());
        assert!(matches!(sent.decode(), std::borrow::Cow::Borrowed(_)));
    }

    #[test]
    fn a_short_buffer_is_an_error() {
        let sent = Encoded::urlencoded(b"a+b");
        assert!(sent.decode_to(&mut [0; 2]).is_err());
        assert!(
            sent.decode_into(&mut heapless::Vec::<u8, 2>::new())
                .is_err()
        );
        assert!(!sent.is("a "));
        assert!(!sent.is("a b "));
    }

    #[test]
    fn text_has_replacements() {
        for (sent, text) in [("%E2%82%AC", "€"), ("%E2%82x", "\u{fffd}x"), ("a", "a")] {
            assert_eq!(Encoded::urlencoded(sent.as_bytes()).to_text(), text);
        }
        assert_eq!(Encoded::urlencoded(b"\xff").to_text(), "\u{fffd}");
    }

    #[test]
    fn all_pairs_of_digits() {
        for byte in 0..=u8::MAX {
            for text in [std::format!("{byte:02x}"), std::format!("{byte:02X}")] {
                let digits = text.as_bytes();
                assert_eq!(byte_of(digits[0], digits[1]), Some(byte));
            }
            if !byte.is_ascii_hexdigit() {
                assert_eq!((byte_of(byte, b'0'), byte_of(b'0', byte)), (None, None));
            }
        }
    }
}
