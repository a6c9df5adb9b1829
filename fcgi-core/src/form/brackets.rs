//! Names with brackets: `user[address][]` as a path.

use core::iter::FusedIterator;

use memchr::memchr2;

/// A decoded name, cut into the path that its brackets spell.
///
/// ```text
///   name    = base *( "[" key "]" )
///   base    = one or more bytes, none of them a bracket
///   key     = bytes, none of them a bracket; empty: append
/// ```
///
/// Any other name is *plain*: one key, all of its bytes, and its brackets mean nothing. So no byte
/// of a name is ever dropped or changed, and no two names have the same path:
///
/// | name | path | PHP |
/// |---|---|---|
/// | `a` | `a` | `a` |
/// | `a[k][]` | `a`, `k`, append | the same |
/// | `a[` | `a[` | `a_` |
/// | `a[k` | `a[k` | `a_k` |
/// | `[k]` | `[k]` | `_k]` |
/// | `a]k` | `a]k` | `a]k` |
/// | `a[k]x` | `a[k]x` | `a`, `k` |
/// | `a[b[c]]` | `a[b[c]]` | `a`, `b[c` |
///
/// Browsers send brackets as `%5B` and `%5D`: decode the name first.
///
/// ```
/// use fcgi_core::form::brackets::{Path, Segment};
///
/// let path = Path::of(b"user[phone][]");
/// assert_eq!(path.base(), b"user");
/// assert!(path.eq([Segment::Key(b"phone"), Segment::Append]));
/// ```
#[derive(Clone, Debug)]
pub struct Path<'a> {
    base: &'a [u8],
    /// Whole pairs of brackets.
    rest: &'a [u8],
    depth: usize,
}

/// What one pair of brackets says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Segment<'a> {
    /// `[key]`: under this key of a map.
    Key(&'a [u8]),
    /// `[]`: at the end of a list.
    Append,
}

impl<'a> Path<'a> {
    /// Cuts a name in one pass.
    #[must_use]
    pub fn of(name: &'a [u8]) -> Self {
        Self::with_brackets(name).unwrap_or(Path {
            base: name,
            rest: &[],
            depth: 0,
        })
    }

    /// What is before the brackets, or the whole name if it is plain.
    #[must_use]
    pub const fn base(&self) -> &'a [u8] {
        self.base
    }

    /// The number of segments that are left.
    #[must_use]
    pub const fn depth(&self) -> usize {
        self.depth
    }

    fn with_brackets(name: &'a [u8]) -> Option<Self> {
        let (base, rest) = name.split_at_checked(memchr2(b'[', b']', name)?)?;
        let mut depth: usize = 0;
        let mut unread = rest;
        while !unread.is_empty() {
            (_, unread) = first_pair(unread)?;
            depth = depth.saturating_add(1);
        }
        let path = Path { base, rest, depth };
        (!base.is_empty()).then_some(path)
    }
}

/// `[key]` and what is behind it; no bracket may be in the key.
fn first_pair(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let inner = bytes.strip_prefix(b"[")?;
    let (key, rest) = inner.split_at_checked(memchr2(b'[', b']', inner)?)?;
    Some((key, rest.strip_prefix(b"]")?))
}

impl<'a> Iterator for Path<'a> {
    type Item = Segment<'a>;

    fn next(&mut self) -> Option<Segment<'a>> {
        let (key, rest) = first_pair(self.rest)?;
        self.rest = rest;
        self.depth = self.depth.saturating_sub(1);
        Some(match key {
            [] => Segment::Append,
            key => Segment::Key(key),
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.depth, Some(self.depth))
    }
}

impl ExactSizeIterator for Path<'_> {}
impl FusedIterator for Path<'_> {}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::{Path, Segment};

    /// The base, and the keys; an empty one for append.
    fn path(name: &str) -> Vec<&[u8]> {
        let path = Path::of(name.as_bytes());
        assert_eq!(path.depth(), path.clone().count(), "{name}");
        assert_eq!(path.len(), path.depth());
        let keys = path.clone().map(|segment| match segment {
            Segment::Key(key) => key,
            Segment::Append => b"",
        });
        core::iter::once(path.base()).chain(keys).collect()
    }

    #[test]
    fn well_formed() {
        let table: &[(&str, &[&str])] = &[
            ("", &[""]),
            ("a", &["a"]),
            ("a[]", &["a", ""]),
            ("a[k]", &["a", "k"]),
            ("a[k][]", &["a", "k", ""]),
            ("a[][k]", &["a", "", "k"]),
            ("a[][][]", &["a", "", "", ""]),
            ("a.b c[d.e f]", &["a.b c", "d.e f"]),
            ("a[0]", &["a", "0"]),
            ("a[ ]", &["a", " "]),
        ];
        for (name, keys) in table {
            assert_eq!(
                path(name),
                *keys.iter().map(|key| key.as_bytes()).collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn anything_else_is_plain() {
        for name in [
            "[", "]", "[]", "[a]", "a[", "a]", "a[b", "a]b", "a[k]x", "a[k]x[l]", "a[k]]", "a[[k]",
            "a[b[c]]", "a[b[c]", "a]b[c]", "a][", "a[k][", "a[k][l", "[a][b]", "a[[]]",
        ] {
            assert_eq!(path(name), [name.as_bytes()], "{name}");
        }
    }
}
