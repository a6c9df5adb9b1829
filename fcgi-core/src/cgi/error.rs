//! What can be wrong with a head: ours while it is made, the application's while it is read.

use core::{error, fmt};

use crate::form::cookie::CookieError;

/// Why [`ResponseHead`](super::ResponseHead) did not take a field; the head is as it was before.
///
/// Positions are byte offsets in what was given; the bytes themselves are not kept, so that the
/// text of an error is safe to log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeadError {
    /// The name of a field is empty (RFC 9110 §5.1).
    EmptyName,
    /// A name has a byte that no token has (RFC 9110 §5.6.2).
    Name {
        /// Which byte of the name, from 0.
        at: usize,
    },
    /// A value has CR, LF, NUL or another control character but TAB (RFC 9110 §5.5). A line break
    /// there would start a field, or the body, of somebody else's choice.
    Value {
        /// Which byte of the value, from 0.
        at: usize,
    },
    /// A reason phrase has a control character but TAB (RFC 9112 §4).
    Reason {
        /// Which byte of the phrase, from 0.
        at: usize,
    },
    /// `Status` is not three digits, 100 to 999, followed by a blank or the end (RFC 3875 §6.3.3).
    Status,
    /// `Content-Length` is not a number of digits only, or above 2^64 − 1 (RFC 9110 §8.6).
    ContentLength,
    /// `Content-Type` or `Location` has no value (RFC 3875 §6.3.1, §6.3.2).
    EmptyValue {
        /// Its name.
        field: &'static str,
    },
    /// A field that a head has at most once was there already (RFC 3875 §6.3).
    Duplicate {
        /// Its name.
        field: &'static str,
    },
    /// The field speaks of the HTTP connection, which belongs to the web server (RFC 3875 §6.3.4,
    /// RFC 9110 §7.6.1).
    HopByHop,
    /// A client is not redirected by this status: 301, 302, 303, 307 and 308 do so (RFC 9110
    /// §15.4).
    NotRedirect,
    /// A `Location` has a byte that no URI has there, or a `%` without two digits (RFC 3986 §2).
    Uri {
        /// Which byte of it, from 0.
        at: usize,
    },
    /// A local redirect can have no other field and no status (RFC 3875 §6.2.2).
    NotAlone,
    /// A path of the web server does not begin with one `/`: it is relative, or the name of a host.
    RelativePath,
    /// A path of the web server has a segment `..`.
    ParentPath,
    /// A client would not take the cookie.
    Cookie(CookieError),
    /// The storage has no room for the field; a shorter one may still fit.
    StorageFull,
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyName => f.write_str("response field with an empty name"),
            Self::Name { at } => {
                write!(
                    f,
                    "byte {at} of a response field's name is not allowed in a name"
                )
            }
            Self::Value { at } => {
                write!(
                    f,
                    "byte {at} of a response field's value is a control character"
                )
            }
            Self::Reason { at } => {
                write!(f, "byte {at} of a reason phrase is a control character")
            }
            Self::Status => f.write_str("status is not three digits and a reason phrase"),
            Self::ContentLength => f.write_str("content-length is not a number in range"),
            Self::EmptyValue { field } => write!(f, "response field {field} has no value"),
            Self::Duplicate { field } => write!(f, "response field {field} was set before"),
            Self::HopByHop => {
                f.write_str("response field is about the connection, which the web server owns")
            }
            Self::NotRedirect => f.write_str("status is none that redirects a client"),
            Self::Uri { at } => write!(f, "byte {at} of a location is not allowed in a uri"),
            Self::NotAlone => f.write_str("local redirect beside a status or another field"),
            Self::RelativePath => f.write_str("path does not begin with one slash"),
            Self::ParentPath => f.write_str("path leads to a parent directory"),
            Self::Cookie(error) => error.fmt(f),
            Self::StorageFull => f.write_str("response head is larger than its storage"),
        }
    }
}

impl error::Error for HeadError {}

/// What [`HeadParser`](super::HeadParser) found wrong with what the application sent. It is final
/// for this response: after an error the parser says the same until it is cleared.
///
/// Lines are counted from 1, positions are byte offsets in a line from 0. The bytes themselves are
/// not kept, so that the text of an error is safe to log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseError {
    /// A line has no colon (RFC 3875 §6.3); often the body began without an empty line.
    NoColon {
        /// Which line.
        line: usize,
    },
    /// A line begins with its colon (RFC 3875 §6.3).
    EmptyName {
        /// Which line.
        line: usize,
    },
    /// A blank in a name or before the colon (RFC 9112 §5.1): others may read another name there.
    BlankInName {
        /// Which line.
        line: usize,
        /// Where in it.
        at: usize,
    },
    /// A name has a byte that no token has (RFC 9110 §5.6.2).
    Name {
        /// Which line.
        line: usize,
        /// Where in it.
        at: usize,
    },
    /// A line begins with a blank: it would continue the one before (RFC 3875 §6.3 has no folding,
    /// RFC 9112 §5.2 gave it up).
    Folded {
        /// Which line.
        line: usize,
    },
    /// A value has NUL, a CR that ends no line, or another control character but TAB (RFC 9110
    /// §5.5).
    Value {
        /// Which line.
        line: usize,
        /// Where in it.
        at: usize,
    },
    /// `Status` is not three digits, 100 to 999, followed by a blank or the end (RFC 3875 §6.3.3).
    Status {
        /// Which line.
        line: usize,
    },
    /// The first line begins as an HTTP status line and is none (RFC 9112 §4).
    StatusLine,
    /// `Content-Length` is not a number of digits only, or above 2^64 − 1 (RFC 9110 §8.6).
    ContentLength {
        /// Which line.
        line: usize,
    },
    /// A field that a head has at most once comes again (RFC 3875 §6.3).
    Duplicate {
        /// Which line.
        line: usize,
        /// Its name.
        field: &'static str,
    },
    /// The head has none of `Content-Type`, `Location` and `Status` (RFC 3875 §6.3).
    NoCgiField,
    /// The head is longer than [`HeadLimits::bytes`](super::HeadLimits::bytes).
    TooManyBytes {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The head has more fields than [`HeadLimits::fields`](super::HeadLimits::fields).
    TooManyFields {
        /// The limit.
        limit: usize,
    },
    /// More 1xx heads came than [`HeadLimits::interim`](super::HeadLimits::interim).
    TooManyInterim {
        /// The limit.
        limit: usize,
    },
    /// The storage has no room for the head.
    StorageFull,
    /// STDOUT ended before the empty line that ends a head (RFC 3875 §6.2).
    UnexpectedEnd {
        /// The line that was not ended.
        line: usize,
    },
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoColon { line } => write!(f, "line {line} of the head has no colon"),
            Self::EmptyName { line } => write!(f, "line {line} of the head has an empty name"),
            Self::BlankInName { line, at } => {
                write!(
                    f,
                    "line {line} of the head has a blank in its name, at byte {at}"
                )
            }
            Self::Name { line, at } => {
                write!(
                    f,
                    "line {line} of the head has a name with a bad byte, at {at}"
                )
            }
            Self::Folded { line } => write!(f, "line {line} of the head begins with a blank"),
            Self::Value { line, at } => {
                write!(
                    f,
                    "line {line} of the head has a control character, at byte {at}"
                )
            }
            Self::Status { line } => {
                write!(
                    f,
                    "line {line} of the head has a status that is not three digits"
                )
            }
            Self::StatusLine => f.write_str("head begins with a malformed http status line"),
            Self::ContentLength { line } => {
                write!(
                    f,
                    "line {line} of the head has a content-length that is not a number"
                )
            }
            Self::Duplicate { line, field } => {
                write!(f, "line {line} of the head repeats the field {field}")
            }
            Self::NoCgiField => f.write_str("head has no content-type, no location and no status"),
            Self::TooManyBytes { limit } => write!(f, "head is longer than {limit} bytes"),
            Self::TooManyFields { limit } => write!(f, "head has more than {limit} fields"),
            Self::TooManyInterim { limit } => {
                write!(
                    f,
                    "more than {limit} informational heads came before the head"
                )
            }
            Self::StorageFull => f.write_str("head is larger than the storage for it"),
            Self::UnexpectedEnd { line } => {
                write!(f, "output ended inside line {line} of the head")
            }
        }
    }
}

impl error::Error for ParseError {}

#[cfg(test)]
mod tests {
    use std::string::{String, ToString};
    use std::vec::Vec;

    use super::{CookieError, HeadError, ParseError};

    #[test]
    fn texts_are_one_line_lower_case_and_unique() {
        let (line, at, limit, field) = (3, 5, 9, "content-type");
        let ours = [
            HeadError::EmptyName,
            HeadError::Name { at },
            HeadError::Value { at },
            HeadError::Reason { at },
            HeadError::Status,
            HeadError::ContentLength,
            HeadError::EmptyValue { field },
            HeadError::Duplicate { field },
            HeadError::HopByHop,
            HeadError::NotRedirect,
            HeadError::Uri { at },
            HeadError::NotAlone,
            HeadError::RelativePath,
            HeadError::ParentPath,
            HeadError::Cookie(CookieError::HostPrefix),
            HeadError::StorageFull,
        ];
        let theirs = [
            ParseError::NoColon { line },
            ParseError::EmptyName { line },
            ParseError::BlankInName { line, at },
            ParseError::Name { line, at },
            ParseError::Folded { line },
            ParseError::Value { line, at },
            ParseError::Status { line },
            ParseError::StatusLine,
            ParseError::ContentLength { line },
            ParseError::Duplicate { line, field },
            ParseError::NoCgiField,
            ParseError::TooManyBytes { limit },
            ParseError::TooManyFields { limit },
            ParseError::TooManyInterim { limit },
            ParseError::StorageFull,
            ParseError::UnexpectedEnd { line },
        ];
        let ours = ours.iter().map(ToString::to_string);
        let mut texts: Vec<String> = ours.chain(theirs.iter().map(ToString::to_string)).collect();
        for text in &texts {
            assert_eq!(*text, text.to_lowercase());
            assert!(!text.contains('\n') && !text.ends_with('.'), "{text}");
        }
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), 32);
    }
}
