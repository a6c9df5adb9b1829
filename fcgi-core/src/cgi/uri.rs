//! What may stand in a URI, and paths made fit for one (RFC 3986).

use crate::storage::{Storage, StorageFull};

/// Appends `path` to `out` with every byte as `%XX` that a path in a URI does not have: blanks,
/// `?`, `#`, `%`, all above ASCII and so on (RFC 3986 §2.1, §3.3). Slashes stay.
///
/// For the path of a [`redirect`](super::ResponseHead::redirect) that was made from names. A path
/// that begins with `//` would name another host there.
///
/// ```
/// let mut location = heapless::Vec::<u8, 64>::new();
/// fcgi_core::cgi::escape_path("/files/100% Käse?.txt", &mut location)?;
/// assert_eq!(location, b"/files/100%25%20K%C3%A4se%3F.txt");
/// # Ok::<(), fcgi_core::StorageFull>(())
/// ```
///
/// # Errors
///
/// [`StorageFull`]; `out` may then hold the beginning.
pub fn escape_path<O: Storage + ?Sized>(
    path: impl AsRef<[u8]>,
    out: &mut O,
) -> Result<(), StorageFull> {
    escape(path.as_ref(), is_path, out)
}

fn escape<O: Storage + ?Sized>(
    mut rest: &[u8],
    is_plain: fn(u8) -> bool,
    out: &mut O,
) -> Result<(), StorageFull> {
    while let Some(at) = rest.iter().position(|&byte| !is_plain(byte)) {
        let (plain, tail) = rest.split_at_checked(at).unwrap_or_default();
        out.append(plain)?;
        let (&byte, tail) = tail.split_first().unwrap_or((&0, &[]));
        out.append(&[b'%', hex(byte >> 4), hex(byte & 15)])?;
        rest = tail;
    }
    out.append(rest)
}

fn hex(digit: u8) -> u8 {
    let digits = b"0123456789ABCDEF";
    digits.get(usize::from(digit)).copied().unwrap_or_default()
}

/// A byte that a path may have as it is: `pchar` without the escapes, and `/` (RFC 3986 §3.3).
const fn is_path(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.' | b'_' | b'~' // unreserved
            | b'!' | b'$' | b'&'
                ..=b',' | b';' | b'=' // sub-delims
            | b':' | b'@' | b'/'
        )
}

/// Where the first byte is that no URI has, or a `%` without two digits behind it.
pub(super) fn bad_uri(uri: &[u8]) -> Option<usize> {
    uri.iter().enumerate().position(|(at, &byte)| match byte {
        b'%' => {
            let digits = uri.get(at.saturating_add(1)..at.saturating_add(3));
            !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
        }
        _ => !is_path(byte) && !matches!(byte, b'?' | b'#' | b'[' | b']'),
    })
}

/// Whether a segment of the path is `..`.
pub(super) fn climbs(path: &[u8]) -> bool {
    path.split(|&byte| byte == b'/')
        .any(|segment| segment == b"..")
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::{bad_uri, climbs, escape_path};

    #[test]
    fn every_byte_of_a_path() {
        let plain = "-._~!$&'()*+,;=:@/";
        for byte in 0..=u8::MAX {
            let mut out = Vec::new();
            assert_eq!(escape_path([b'a', byte, b'b'], &mut out), Ok(()));
            let is_plain = byte.is_ascii_alphanumeric() || plain.as_bytes().contains(&byte);
            let expected = match is_plain {
                true => Vec::from([b'a', byte, b'b']),
                false => std::format!("a%{byte:02X}b").into_bytes(),
            };
            assert_eq!(out, expected);
            assert_eq!(bad_uri(&out), None, "what was escaped is fit for a URI");
        }
    }

    #[test]
    fn every_byte_of_a_uri() {
        let reserved = ":/?#[]@!$&'()*+,;=";
        let unreserved = "-._~";
        for byte in 0..=u8::MAX {
            let is_good = byte.is_ascii_alphanumeric()
                || reserved.as_bytes().contains(&byte)
                || unreserved.as_bytes().contains(&byte);
            let bad = (!is_good).then_some(2);
            assert_eq!(bad_uri(&[b'/', b'a', byte, b'x']), bad, "{byte:#x}");
        }
        for (uri, bad) in [
            ("", None),
            ("/%2f%Aa", None),
            ("/%", Some(1)),
            ("/%2", Some(1)),
            ("/a%2g", Some(2)),
            ("/%%20", Some(1)),
        ] {
            assert_eq!(bad_uri(uri.as_bytes()), bad, "{uri}");
        }
    }

    #[test]
    fn paths_that_climb() {
        for (path, is_so) in [
            ("/a/../b", true),
            ("/..", true),
            ("..", true),
            ("/a/..b/...", false),
            ("/a./.", false),
        ] {
            assert_eq!(climbs(path.as_bytes()), is_so, "{path}");
        }
    }
}
