//! The PARAMS stream (§5.2): collected within limits, checked whole, read without copying; and
//! built for the other direction.
//!
//! A request exists for the application only after its complete and valid PARAMS: a [`Collector`]
//! gathers the pieces of the stream and yields [`Params`] once it has ended, or a [`Refusal`].

mod build;
mod collect;

use core::fmt;

pub use build::{AppendError, Chunks, append, chunks};
pub use collect::{Collector, Held, Limits};

use crate::decimal;
use crate::error::Refusal;
use crate::wire::{Lengths, Pair, Text, pair};

/// The parameters of one request: a whole PARAMS stream that has been checked, borrowed from
/// wherever it lies.
///
/// Names and values are bytes: web servers pass on what clients send. Pairs keep their order; names
/// may repeat.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Params<'a> {
    stream: &'a [u8],
}

impl<'a> Params<'a> {
    /// Checks a whole stream: every pair complete, no more than `max_pairs` of them.
    ///
    /// # Errors
    ///
    /// [`Refusal::MalformedParams`], or [`Refusal::TooManyParams`] of a stream that is well-formed.
    pub fn parse(stream: &'a [u8], max_pairs: usize) -> Result<Params<'a>, Refusal> {
        let (mut at, mut count) = (0, 0_usize);
        while at < stream.len() {
            let Some(lengths) = Lengths::at(stream, at) else {
                return Err(malformed(stream));
            };
            at = lengths.end();
            // No more than the stream has bytes.
            count = count.wrapping_add(1);
        }
        if at != stream.len() {
            return Err(malformed(stream));
        }
        if count > max_pairs {
            return Err(Refusal::TooManyParams { limit: max_pairs });
        }
        Ok(Params { stream })
    }

    /// Views a stream that was checked before: a copy of [`as_bytes`](Params::as_bytes).
    ///
    /// On any other stream the pairs end before the first one that is not whole.
    #[must_use]
    pub const fn assume_whole(stream: &'a [u8]) -> Params<'a> {
        Params { stream }
    }

    /// The pairs in the order in which they came.
    #[must_use]
    pub fn iter(&self) -> Iter<'a> {
        Iter { rest: self.stream }
    }

    /// The value of the first pair with this name, exactly as it came.
    ///
    /// Names can repeat: some web servers send one pair for each repeated header, and two headers
    /// that differ in `-` and `_` get the same name. The first one wins here;
    /// [`get_all`](Params::get_all) shows them all. Looks at every pair at most once.
    #[must_use]
    pub fn get(&self, name: impl AsRef<[u8]>) -> Option<&'a [u8]> {
        let name = name.as_ref();
        let mut at = 0;
        // Most names differ in length, and are passed over by it; of CGI's own, with their common
        // beginnings, most of the rest by the last byte.
        while at < self.stream.len() {
            let lengths = Lengths::at(self.stream, at)?;
            if lengths.name == name.len() {
                let pair = lengths.pair(self.stream)?;
                if pair.name.last() == name.last() && pair.name == name {
                    return Some(pair.value);
                }
            }
            at = lengths.end();
        }
        None
    }

    /// The values of all pairs with this name, in order.
    pub fn get_all<'n, N: AsRef<[u8]> + ?Sized>(
        &self,
        name: &'n N,
    ) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n, N> {
        let name = name.as_ref();
        self.iter()
            .filter(move |pair| pair.name == name)
            .map(|pair| pair.value)
    }

    /// The headers of the HTTP request (RFC 3875 §4.1.18): every `HTTP_` pair but HTTP_PROXY, with
    /// the prefix left out.
    ///
    /// HTTP_PROXY comes from a client's `Proxy` header; taking it for the variable of that name is
    /// a known hole ("httpoxy", CVE-2016-5385).
    pub fn headers(&self) -> impl Iterator<Item = Pair<'a>> + use<'a> {
        self.iter().filter_map(|pair| {
            let name = pair.name.strip_prefix(b"HTTP_")?;
            (name != b"PROXY").then_some(Pair {
                name,
                value: pair.value,
            })
        })
    }

    /// The number in CONTENT_LENGTH (RFC 3875 §4.1.2): decimal digits and nothing else.
    ///
    /// `None` when it is missing, empty, not a number ("-1" is seen for chunked uploads), or does
    /// not fit. The body then ends where STDIN ends.
    #[must_use]
    pub fn content_length(&self) -> Option<u64> {
        decimal::parse(self.get("CONTENT_LENGTH")?)
    }

    /// What CONTENT_LENGTH and REQUEST_METHOD say of both bodies, found in one pass that ends with
    /// the second of the two.
    #[must_use]
    pub fn framing(&self) -> Framing {
        let (mut length, mut method) = (None, None);
        let mut at = 0;
        while at < self.stream.len() {
            let Some(lengths) = Lengths::at(self.stream, at) else {
                break;
            };
            // Both names have a length that few others have; the first of each counts.
            if lengths.name == b"CONTENT_LENGTH".len() {
                let Some(pair) = lengths.pair(self.stream) else {
                    break;
                };
                if pair.name == b"CONTENT_LENGTH" {
                    length = length.or(Some(pair.value));
                } else if pair.name == b"REQUEST_METHOD" {
                    method = method.or(Some(pair.value));
                }
                if length.is_some() && method.is_some() {
                    break;
                }
            }
            at = lengths.end();
        }
        Framing {
            content_length: length.and_then(decimal::parse),
            is_head: method == Some(b"HEAD"),
        }
    }

    /// The number in FCGI_DATA_LENGTH: the size in bytes of the file that a Filter gets on DATA
    /// (§6.4).
    #[must_use]
    pub fn data_length(&self) -> Option<u64> {
        decimal::parse(self.get("FCGI_DATA_LENGTH")?)
    }

    /// The number in FCGI_DATA_LAST_MOD: seconds since 1970-01-01 UTC at which a Filter's file was
    /// changed (§6.4).
    #[must_use]
    pub fn data_last_mod(&self) -> Option<u64> {
        decimal::parse(self.get("FCGI_DATA_LAST_MOD")?)
    }

    /// The whole stream as it came.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.stream
    }
}

/// How long the bodies of a request and of its response may be; see [`Params::framing`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Framing {
    /// As [`Params::content_length`].
    pub content_length: Option<u64>,
    /// Whether the request is a HEAD, whose response has no body (RFC 3875 §4.3.3).
    pub is_head: bool,
}

impl<'a> IntoIterator for Params<'a> {
    type Item = Pair<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl<'a> IntoIterator for &Params<'a> {
    type Item = Pair<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl fmt::Debug for Params<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_list();
        for Pair { name, value } in self {
            list.entry(&format_args!("{}: {}", Text(name), Text(value)));
        }
        list.finish()
    }
}

/// The refusal of a stream that ends inside a pair.
#[cold]
fn malformed(stream: &[u8]) -> Refusal {
    let mut pairs = Params::assume_whole(stream).iter();
    while pairs.next().is_some() {}
    let at = stream.len().saturating_sub(pairs.rest.len());
    Refusal::MalformedParams { at }
}

/// The pairs of [`Params`], in order.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Iter<'a> {
    type Item = Pair<'a>;

    #[inline]
    fn next(&mut self) -> Option<Pair<'a>> {
        // The stream was checked, so only its end ends this.
        let (rest, pair) = pair(self.rest).ok()?;
        self.rest = rest;
        Some(pair)
    }
}

impl core::iter::FusedIterator for Iter<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn stream(pairs: &[(&str, &str)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (name, value) in pairs {
            bytes.extend([
                u8::try_from(name.len()).unwrap(),
                u8::try_from(value.len()).unwrap(),
            ]);
            bytes.extend(name.bytes().chain(value.bytes()));
        }
        bytes
    }

    #[test]
    fn looked_up_in_order() {
        let bytes = stream(&[
            ("HTTP_A", "1"),
            ("", "nameless"),
            ("HTTP_PROXY", "evil"),
            ("HTTP_A", "2"),
            ("X", ""),
        ]);
        let params = Params::parse(&bytes, 5).unwrap();
        assert_eq!(params.get("HTTP_A"), Some(&b"1"[..]));
        assert_eq!(params.get_all("HTTP_A").collect::<Vec<_>>(), [b"1", b"2"]);
        assert_eq!(params.get(""), Some(&b"nameless"[..]));
        assert_eq!(params.get("X"), Some(&b""[..]));
        assert_eq!(params.get("x"), None, "case matters");
        assert_eq!(params.iter().count(), 5);
        let headers: Vec<_> = params
            .headers()
            .map(|pair| (pair.name, pair.value))
            .collect();
        assert_eq!(headers, [(&b"A"[..], &b"1"[..]), (b"A", b"2")]);
        assert_eq!(
            Params::parse(&bytes, 4),
            Err(Refusal::TooManyParams { limit: 4 })
        );
    }

    #[test]
    fn a_stream_that_ends_inside_a_pair_is_malformed() {
        let bytes = stream(&[("A", "b"), ("CC", "dd")]);
        for cut in 0..bytes.len() {
            let expected = match cut {
                0 | 4 => Ok(Params {
                    stream: &bytes[..cut],
                }),
                1..4 => Err(Refusal::MalformedParams { at: 0 }),
                _ => Err(Refusal::MalformedParams { at: 4 }),
            };
            assert_eq!(Params::parse(&bytes[..cut], 9), expected, "cut at {cut}");
        }
    }

    #[test]
    fn numbers_are_digits_only() {
        for (text, number) in [
            ("0", Some(0)),
            ("007", Some(7)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("", None),
            ("-1", None),
            ("+1", None),
            (" 1", None),
            ("1 ", None),
            ("1,1", None),
            ("0x1", None),
            ("/", None),
            (":", None),
        ] {
            let bytes = stream(&[("CONTENT_LENGTH", text)]);
            assert_eq!(
                Params::parse(&bytes, 1).unwrap().content_length(),
                number,
                "{text:?}"
            );
        }
        assert_eq!(Params::default().content_length(), None);
    }
}
