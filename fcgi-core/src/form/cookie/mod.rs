//! Cookies (RFC 6265): those of a request, read where they lie, and new ones, made and checked.

mod error;
mod set;

use core::iter::FusedIterator;

use super::syntax::{cut, trim_blanks};

pub use error::CookieError;
pub use set::{SameSite, SetCookie};

/// The cookies of a request: `HTTP_COOKIE`, in the order in which they came (RFC 6265 §5.4).
///
/// ```text
///   name=value; name=value; …     pieces between ";", without the blanks around them,
///                                 cut at their first "="
/// ```
///
/// - Names are case-sensitive and repeat: a client sends those of the longer path first, so the
///   first one counts. Hosts of the same domain can set cookies here too.
/// - A piece without `=` is a value without a name, as browsers send it; empty pieces are skipped.
/// - A `,` separates nothing, and quotes belong to the value ([`Cookie::unquoted`] takes them off).
/// - No escapes are defined. Who puts `%XX` into a value knows how to read it:
///   [`Encoded::urlencoded`](super::Encoded::urlencoded).
///
/// ```
/// use fcgi_core::form::cookie::cookies;
///
/// let header = cookies(b"id=deep; theme=\"dark\";id=shallow");
/// assert_eq!(header.get("id"), Some(&b"deep"[..]));
/// assert_eq!(header.clone().count(), 3);
/// assert_eq!(header.get("ID"), None);
/// ```
#[must_use]
pub const fn cookies(header: &[u8]) -> Cookies<'_> {
    Cookies { rest: header }
}

/// A cookie of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cookie<'a> {
    /// What is before the first `=`; empty if there is none.
    pub name: &'a [u8],
    /// What is after it, or the whole piece.
    pub value: &'a [u8],
}

impl<'a> Cookie<'a> {
    /// The value without a pair of `"` around it.
    #[must_use]
    pub fn unquoted(&self) -> &'a [u8] {
        match self.value {
            [b'"', inner @ .., b'"'] => inner,
            value => value,
        }
    }
}

/// The cookies of a request; see [`cookies`].
#[derive(Clone, Debug)]
pub struct Cookies<'a> {
    rest: &'a [u8],
}

impl<'a> Cookies<'a> {
    /// The value of the first cookie with this name.
    #[must_use]
    pub fn get(&self, name: impl AsRef<[u8]>) -> Option<&'a [u8]> {
        let name = name.as_ref();
        let mut cookies = self.clone();
        cookies
            .find(|cookie| cookie.name == name)
            .map(|cookie| cookie.value)
    }

    /// The values of all cookies with this name, in order.
    pub fn get_all<'n, N: AsRef<[u8]> + ?Sized>(
        &self,
        name: &'n N,
    ) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n, N> {
        let name = name.as_ref();
        let cookies = self.clone().filter(move |cookie| cookie.name == name);
        cookies.map(|cookie| cookie.value)
    }
}

impl<'a> Iterator for Cookies<'a> {
    type Item = Cookie<'a>;

    fn next(&mut self) -> Option<Cookie<'a>> {
        while !self.rest.is_empty() {
            let (piece, rest) = cut(b';', self.rest);
            self.rest = rest;
            let piece = trim_blanks(piece);
            if piece.is_empty() {
                continue;
            }
            let (name, value) = match cut(b'=', piece) {
                (whole, _) if whole.len() == piece.len() => (&[][..], piece),
                pair => pair,
            };
            return Some(Cookie { name, value });
        }
        None
    }
}

impl FusedIterator for Cookies<'_> {}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::cookies;

    #[test]
    fn pieces() {
        let table: &[(&str, &[(&str, &str)])] = &[
            ("", &[]),
            (" ;;\t; ", &[]),
            ("a=1", &[("a", "1")]),
            ("a=1; b=2", &[("a", "1"), ("b", "2")]),
            ("a=1;b=2;", &[("a", "1"), ("b", "2")]),
            ("\ta=1 ;  b = 2", &[("a", "1"), ("b ", " 2")]),
            ("a=1, b=2", &[("a", "1, b=2")]),
            ("a=b=c", &[("a", "b=c")]),
            ("a=\"1 2\"; b=\"", &[("a", "\"1 2\""), ("b", "\"")]),
            ("a=\"1;2\"", &[("a", "\"1"), ("", "2\"")]),
            ("flag; =x; a=", &[("", "flag"), ("", "x"), ("a", "")]),
            ("=__Host-a=1", &[("", "__Host-a=1")]),
            ("a=%20+; A=2; a=3", &[("a", "%20+"), ("A", "2"), ("a", "3")]),
            ("user[name]=x", &[("user[name]", "x")]),
            ("$Version=1; a=1", &[("$Version", "1"), ("a", "1")]),
        ];
        for (header, expected) in table {
            let found: Vec<_> = cookies(header.as_bytes())
                .map(|cookie| (cookie.name, cookie.value))
                .collect();
            let expected: Vec<_> = expected
                .iter()
                .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
                .collect();
            assert_eq!(found, expected, "{header:?}");
        }
    }

    #[test]
    fn looked_up() {
        let header = cookies(b"a=1; b=\"2\"; a=3; c=\"; d=\"\"");
        assert_eq!(header.get("a"), Some(&b"1"[..]));
        assert_eq!(header.get_all("a").collect::<Vec<_>>(), [b"1", b"3"]);
        assert_eq!(header.get("x"), None);
        let unquoted: Vec<_> = header.map(|cookie| cookie.unquoted()).collect();
        assert_eq!(unquoted, [&b"1"[..], b"2", b"3", b"\"", b""]);
    }
}
