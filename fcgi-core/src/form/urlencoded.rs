//! Queries and `application/x-www-form-urlencoded` bodies (WHATWG URL §5.1).

use core::iter::FusedIterator;

use super::Encoded;
use super::syntax::cut;

/// The pairs of a query or of an urlencoded body, in the order in which they came.
///
/// ```text
///   name=value&name=value&…      pieces between "&", cut at their first "="
/// ```
///
/// Empty pieces are skipped, a piece without `=` has an empty value, and `;` separates nothing
/// (CVE-2021-23336 in Python). Names repeat. Work: one pass over the bytes, for any input.
///
/// ```
/// use fcgi_core::form::urlencoded::pairs;
///
/// let query = b"colour=red&colour=light+blue&&flag";
/// let mut all = pairs(query).get_all("colour");
/// assert!(all.next().unwrap().is("red"));
/// assert!(all.next().unwrap().is("light blue"));
/// assert!(all.next().is_none());
/// assert!(pairs(query).get("flag").unwrap().is(""));
/// ```
#[must_use]
pub const fn pairs(input: &[u8]) -> Pairs<'_> {
    Pairs { rest: input }
}

/// A name and its value, as they came.
#[derive(Clone, Copy, Debug)]
pub struct Pair<'a> {
    /// What is before the first `=`.
    pub name: Encoded<'a>,
    /// What is after it; empty if there is none.
    pub value: Encoded<'a>,
}

/// The pairs of an urlencoded form; see [`pairs`].
#[derive(Clone, Debug)]
pub struct Pairs<'a> {
    rest: &'a [u8],
}

impl<'a> Pairs<'a> {
    /// The value of the first pair with this name, which is compared with the decoded one.
    #[must_use]
    pub fn get(&self, name: impl AsRef<[u8]>) -> Option<Encoded<'a>> {
        let name = name.as_ref();
        let mut pairs = self.clone();
        pairs.find(|pair| pair.name.is(name)).map(|pair| pair.value)
    }

    /// The values of all pairs with this name, in order.
    pub fn get_all<'n, N: AsRef<[u8]> + ?Sized>(
        &self,
        name: &'n N,
    ) -> impl Iterator<Item = Encoded<'a>> + use<'a, 'n, N> {
        let name = name.as_ref();
        let pairs = self.clone().filter(move |pair| pair.name.is(name));
        pairs.map(|pair| pair.value)
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Pair<'a>;

    #[inline]
    fn next(&mut self) -> Option<Pair<'a>> {
        while !self.rest.is_empty() {
            let (piece, rest) = cut(b'&', self.rest);
            self.rest = rest;
            if !piece.is_empty() {
                let (name, value) = cut(b'=', piece);
                let (name, value) = (Encoded::urlencoded(name), Encoded::urlencoded(value));
                return Some(Pair { name, value });
            }
        }
        None
    }
}

impl FusedIterator for Pairs<'_> {}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::pairs;

    #[test]
    fn pieces() {
        let table: &[(&str, &[(&str, &str)])] = &[
            ("", &[]),
            ("&&&", &[]),
            ("a", &[("a", "")]),
            ("a=", &[("a", "")]),
            ("=a", &[("", "a")]),
            ("=", &[("", "")]),
            ("a=b=c", &[("a", "b=c")]),
            ("a=1&b=2", &[("a", "1"), ("b", "2")]),
            ("&a=1&&b&", &[("a", "1"), ("b", "")]),
            ("a=1;b=2", &[("a", "1;b=2")]),
            ("a%3D=%26&%5B=", &[("a%3D", "%26"), ("%5B", "")]),
            ("a?=b?#", &[("a?", "b?#")]),
        ];
        for (input, expected) in table {
            let found: Vec<_> = pairs(input.as_bytes())
                .map(|pair| (pair.name.raw(), pair.value.raw()))
                .collect();
            let bytes =
                |&(name, value): &(&'static str, &'static str)| (name.as_bytes(), value.as_bytes());
            assert_eq!(
                found,
                expected.iter().map(bytes).collect::<Vec<_>>(),
                "{input:?}"
            );
        }
    }

    #[test]
    fn names_are_compared_decoded() {
        let form = pairs(b"%61=1&a=2&A=3&a%00=4");
        assert!(form.get("a").unwrap().is("1"));
        assert_eq!(form.get_all("a").count(), 2);
        assert!(form.get("a\0").unwrap().is("4"));
        assert!(form.get("b").is_none());
    }
}
