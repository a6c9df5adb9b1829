//! The grammar of header fields, one for both sides, and the iterator over stored lines.

use memchr::memchr;
use nom::branch::alt;
use nom::bytes::complete::{tag, take, take_while_m_n, take_while1};
use nom::combinator::{eof, map_opt, rest};
use nom::sequence::{preceded, terminated};
use nom::{IResult, Parser};

pub(super) use crate::syntax::{is_text, is_token, trim_blanks};

use super::Status;

/// The names that a head treats in a way of its own; names are compared without regard to case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    Status,
    ContentType,
    ContentLength,
    Location,
    /// Speaks of one HTTP connection, of which CGI knows nothing (RFC 9110 §7.6.1, RFC 3875
    /// §6.3.4).
    HopByHop,
    /// Names what the web server is to send in place of a body.
    Elsewhere,
    Other,
}

impl Known {
    pub(super) fn of(name: &[u8]) -> Self {
        // The length leaves a few to be compared with.
        let candidates: &[(&[u8], Known)] = match name.len() {
            2 => &[(b"TE", Self::HopByHop)],
            6 => &[(b"Status", Self::Status)],
            7 => &[(b"Trailer", Self::HopByHop), (b"Upgrade", Self::HopByHop)],
            8 => &[(b"Location", Self::Location)],
            10 => &[
                (b"Connection", Self::HopByHop),
                (b"Keep-Alive", Self::HopByHop),
                (b"X-Sendfile", Self::Elsewhere),
            ],
            12 => &[(b"Content-Type", Self::ContentType)],
            14 => &[(b"Content-Length", Self::ContentLength)],
            16 => &[
                (b"Proxy-Connection", Self::HopByHop),
                (b"X-Accel-Redirect", Self::Elsewhere),
            ],
            17 => &[(b"Transfer-Encoding", Self::HopByHop)],
            _ => return Self::Other,
        };
        candidates
            .iter()
            // Most are written as here, and compared by many bytes at once.
            .find(|(known, _)| *known == name || known.eq_ignore_ascii_case(name))
            .map_or(Self::Other, |&(_, kind)| kind)
    }
}

/// Where a `Location` points, as far as a redirect depends on it (RFC 3875 §6.2.2, §6.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// `/path?query`: the web server can answer it itself.
    LocalPath,
    /// `//host/path`: another host for a client, yet a local path for some web servers.
    NetworkPath,
    /// Anything else; an absolute URI if the application keeps to the rules.
    Uri,
}

impl Target {
    pub(super) fn of(location: &[u8]) -> Self {
        match location {
            [b'/', b'/', ..] => Self::NetworkPath,
            [b'/', ..] => Self::LocalPath,
            _ => Self::Uri,
        }
    }
}

/// Where the first byte is that a value must not have.
pub(super) fn bad_text(value: &[u8]) -> Option<usize> {
    value.iter().position(|&byte| !is_text(byte))
}

/// `name ":" value`: the name and all that follows the colon.
pub(super) fn name_and_rest(line: &[u8]) -> IResult<&[u8], (&[u8], &[u8])> {
    (terminated(take_while1(is_token), tag(":")), rest).parse(line)
}

/// The value of `Status`: three digits, then a blank and the reason phrase, or the end (RFC 3875
/// §6.3.3).
pub(super) fn status_and_reason(value: &[u8]) -> IResult<&[u8], (Status, &[u8])> {
    let code = map_opt(take(3_usize), Status::from_digits);
    let blank = alt((tag(" "), tag("\t")));
    (code, alt((eof, preceded(blank, rest)))).parse(value)
}

/// `HTTP/1.x`, a blank, and what `Status` would hold (RFC 9112 §4).
pub(super) fn status_line(line: &[u8]) -> IResult<&[u8], (Status, &[u8])> {
    let digit = take_while_m_n(1, 1, |byte: u8| byte.is_ascii_digit());
    let version = (tag("HTTP/1."), digit, tag(" "));
    preceded(version, status_and_reason).parse(line)
}

/// The fields of a head, in the order in which they were sent: names and values as bytes, values
/// without the blanks around them.
///
/// `Status` is not among them ([`Head::status`](super::Head::status) has it), nor are the fields
/// about one HTTP connection, which a web server should not pass on (RFC 3875 §6.3.4):
/// `Connection`, `Keep-Alive`, `Proxy-Connection`, `TE`, `Trailer`, `Transfer-Encoding`, `Upgrade`.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    lines: &'a [u8],
}

impl<'a> Fields<'a> {
    /// `lines` are checked lines, each with its line end.
    pub(super) fn new(lines: &'a [u8]) -> Self {
        Self { lines }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let end = memchr(b'\n', self.lines)?.saturating_add(1);
            let (line, following) = self.lines.split_at_checked(end)?;
            self.lines = following;
            let (name, value) = line.split_at_checked(memchr(b':', line)?)?;
            if !matches!(Known::of(name), Known::Status | Known::HopByHop) {
                let value = value.strip_prefix(b":").unwrap_or(value);
                return Some((name, trim_blanks(without_line_end(value))));
            }
        }
    }
}

impl core::iter::FusedIterator for Fields<'_> {}

/// `line` without its LF or CRLF.
pub(super) fn without_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::{Known, Status, Target, status_and_reason, status_line};

    #[test]
    fn statuses() {
        for (value, expected) in [
            ("404 Not Found", Some((404, "Not Found"))),
            ("404", Some((404, ""))),
            ("404 ", Some((404, ""))),
            ("404\tx", Some((404, "x"))),
            ("4040", None),
            ("404Not", None),
            ("40", None),
            ("", None),
            (" 404", None),
            ("099 x", None),
            ("HTTP/1.1 404", None),
        ] {
            let expected = expected.map(|(code, reason)| (code, reason.as_bytes()));
            let plain = status_and_reason(value.as_bytes());
            let read = plain
                .ok()
                .map(|(_, (status, reason))| (status.code(), reason));
            assert_eq!(read, expected, "{value:?}");
            let line = std::format!("HTTP/1.0 {value}");
            let line = status_line(line.as_bytes());
            let read = line.ok().map(|(_, (status, _))| status.code());
            assert_eq!(read, expected.map(|(code, _)| code), "{value:?}");
        }
        for line in [
            "HTTP/2 200",
            "HTTP/1. 200",
            "HTTP/1.1  200",
            "http/1.1 200",
            "HTTP/1.11 200",
        ] {
            assert!(status_line(line.as_bytes()).is_err(), "{line}");
        }
        let line = status_line(b"HTTP/1.1 200").map(|(_, (status, _))| status);
        assert_eq!(line, Ok(Status::OK));
    }

    #[test]
    fn names_and_targets() {
        assert_eq!(Known::of(b"content-TYPE"), Known::ContentType);
        for name in [
            "te",
            "trailer",
            "upgrade",
            "connection",
            "keep-alive",
            "proxy-connection",
            "transfer-encoding",
        ] {
            assert_eq!(Known::of(name.as_bytes()), Known::HopByHop, "{name}");
        }
        assert_eq!(Known::of(b"x-accel-redirect"), Known::Elsewhere);
        assert_eq!(Known::of(b"X-SendFile"), Known::Elsewhere);
        assert_eq!(Known::of(b"X-Accel-Buffered"), Known::Other);
        assert_eq!(Known::of(b"Content-Types"), Known::Other);
        assert_eq!(Target::of(b"/"), Target::LocalPath);
        assert_eq!(Target::of(b"//host/"), Target::NetworkPath);
        assert_eq!(Target::of(b"https://host/"), Target::Uri);
        assert_eq!(Target::of(b""), Target::Uri);
    }
}
