//! What can be wrong with a form: its sender's fault, or more than the application takes.

use core::{error, fmt};

use crate::cgi::Status;

/// Why a form is not read to its end.
///
/// Parts, their lines and positions are counted from 1, bytes from 0. The bytes themselves are not
/// kept, so that the text of an error is safe to log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FormError {
    /// Content-Type is not `multipart/form-data` (RFC 7578 §8).
    NotMultipart,
    /// Content-Type has parameters that do not follow the grammar (RFC 9110 §5.6.6).
    ContentType,
    /// Content-Type has no `boundary` (RFC 2046 §5.1.1).
    NoBoundary,
    /// Content-Type has more than one `boundary`: others may take another one than we do.
    RepeatedBoundary,
    /// The boundary is empty or longer than 70 bytes (RFC 2046 §5.1.1).
    BoundaryLength {
        /// How many bytes it has.
        length: usize,
    },
    /// The boundary has a byte that none has, or a blank at its end (RFC 2046 §5.1.1).
    BoundaryByte {
        /// Which byte of it.
        at: usize,
    },
    /// The form ended before its closing delimiter: what came is not all (RFC 2046 §5.1.1).
    UnexpectedEnd {
        /// The part that was not ended; 0 before the first one.
        part: usize,
    },
    /// A line of a part's head ends in LF alone (RFC 2046 §5.1), and
    /// [`bare_lf`](super::multipart::Limits::bare_lf) is off.
    BareLf {
        /// Which part.
        part: usize,
        /// Which line of its head.
        line: usize,
    },
    /// A line of a part's head is not `name: value` (RFC 2046 §5.1, RFC 5322 §2.2).
    Field {
        /// Which part.
        part: usize,
        /// Which line of its head.
        line: usize,
    },
    /// A part's head has `Content-Disposition` or `Content-Type`, or a parameter that we read,
    /// more than once.
    Repeated {
        /// Which part.
        part: usize,
        /// What is there again.
        what: &'static str,
    },
    /// A part's head has no `Content-Disposition` (RFC 7578 §4.2).
    NoDisposition {
        /// Which part.
        part: usize,
    },
    /// A part's `Content-Disposition` is not `form-data` with well-formed parameters (RFC 7578
    /// §4.2).
    Disposition {
        /// Which part.
        part: usize,
    },
    /// A part's `Content-Disposition` has no `name` (RFC 7578 §4.2).
    NoName {
        /// Which part.
        part: usize,
    },
    /// There are more than so many blanks between a boundary and the end of its line.
    PaddingTooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The head of a part is longer than [`head`](super::multipart::Limits::head).
    HeadTooLong {
        /// Which part.
        part: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The head of a part has more lines than [`fields`](super::multipart::Limits::fields).
    TooManyFields {
        /// Which part.
        part: usize,
        /// The limit.
        limit: usize,
    },
    /// The storage has no room for the head of a part.
    StorageFull {
        /// Which part.
        part: usize,
    },
    /// More parts than [`parts`](super::multipart::Limits::parts).
    TooManyParts {
        /// The limit.
        limit: usize,
    },
    /// A part without a file name is longer than [`value`](super::multipart::Limits::value).
    ValueTooLong {
        /// Which part.
        part: usize,
        /// The limit, in bytes.
        limit: u64,
    },
    /// A part with a file name is longer than [`file`](super::multipart::Limits::file).
    FileTooLong {
        /// Which part.
        part: usize,
        /// The limit, in bytes.
        limit: u64,
    },
    /// The whole form is longer than [`total`](super::multipart::Limits::total).
    FormTooLong {
        /// The limit, in bytes.
        limit: u64,
    },
    /// More bytes before the first part than [`preamble`](super::multipart::Limits::preamble).
    PreambleTooLong {
        /// The limit, in bytes.
        limit: u64,
    },
    /// More bytes behind the last part than [`epilogue`](super::multipart::Limits::epilogue).
    EpilogueTooLong {
        /// The limit, in bytes.
        limit: u64,
    },
    /// More values than a tree takes.
    TooManyValues {
        /// The limit.
        limit: usize,
    },
    /// A name has more pairs of brackets than a tree takes.
    TooDeep {
        /// The limit.
        limit: u8,
    },
    /// One name is used for a map and for something else: `a=1&a[k]=2`.
    Clash,
}

impl FormError {
    /// The status of the answer: 413 where something is too large or too many, 415 for another type
    /// of content, else 400.
    #[must_use]
    pub const fn status(self) -> Status {
        match self {
            Self::NotMultipart => Status::UNSUPPORTED_MEDIA_TYPE,
            Self::PaddingTooLong { .. }
            | Self::HeadTooLong { .. }
            | Self::TooManyFields { .. }
            | Self::StorageFull { .. }
            | Self::TooManyParts { .. }
            | Self::ValueTooLong { .. }
            | Self::FileTooLong { .. }
            | Self::FormTooLong { .. }
            | Self::PreambleTooLong { .. }
            | Self::EpilogueTooLong { .. }
            | Self::TooManyValues { .. } => Status::CONTENT_TOO_LARGE,
            _ => Status::BAD_REQUEST,
        }
    }
}

impl fmt::Display for FormError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotMultipart => f.write_str("content-type is not multipart/form-data"),
            Self::ContentType => f.write_str("content-type has malformed parameters"),
            Self::NoBoundary => f.write_str("content-type has no boundary"),
            Self::RepeatedBoundary => f.write_str("content-type has more than one boundary"),
            Self::BoundaryLength { length } => {
                write!(f, "boundary has {length} bytes, 1 to 70 are allowed")
            }
            Self::BoundaryByte { at } => write!(f, "byte {at} of the boundary is not allowed"),
            Self::UnexpectedEnd { part: 0 } => f.write_str("form ended before its first part"),
            Self::UnexpectedEnd { part } => {
                write!(f, "form ended in part {part}, before its closing delimiter")
            }
            Self::BareLf { part, line } => {
                write!(f, "line {line} in the head of part {part} ends without cr")
            }
            Self::Field { part, line } => {
                write!(f, "line {line} in the head of part {part} is no field")
            }
            Self::Repeated { part, what } => {
                write!(f, "head of part {part} has {what} more than once")
            }
            Self::NoDisposition { part } => {
                write!(f, "head of part {part} has no content-disposition")
            }
            Self::Disposition { part } => {
                write!(
                    f,
                    "content-disposition of part {part} is malformed or not form-data"
                )
            }
            Self::NoName { part } => write!(f, "part {part} has no name"),
            Self::PaddingTooLong { limit } => {
                write!(f, "more than {limit} blanks behind a boundary")
            }
            Self::HeadTooLong { part, limit } => {
                write!(f, "head of part {part} is longer than {limit} bytes")
            }
            Self::TooManyFields { part, limit } => {
                write!(f, "head of part {part} has more than {limit} fields")
            }
            Self::StorageFull { part } => {
                write!(f, "head of part {part} is larger than the storage for it")
            }
            Self::TooManyParts { limit } => write!(f, "form has more than {limit} parts"),
            Self::ValueTooLong { part, limit } => {
                write!(f, "value in part {part} is longer than {limit} bytes")
            }
            Self::FileTooLong { part, limit } => {
                write!(f, "file in part {part} is longer than {limit} bytes")
            }
            Self::FormTooLong { limit } => write!(f, "form is longer than {limit} bytes"),
            Self::PreambleTooLong { limit } => {
                write!(f, "more than {limit} bytes before the first part")
            }
            Self::EpilogueTooLong { limit } => {
                write!(f, "more than {limit} bytes behind the last part")
            }
            Self::TooManyValues { limit } => write!(f, "form has more than {limit} values"),
            Self::TooDeep { limit } => {
                write!(
                    f,
                    "a name of the form has more than {limit} pairs of brackets"
                )
            }
            Self::Clash => f.write_str("a name of the form is used for a map and for a value"),
        }
    }
}

impl error::Error for FormError {}

#[cfg(test)]
mod tests {
    use std::string::ToString;
    use std::vec::Vec;

    use super::FormError as E;

    #[test]
    fn texts_are_one_line_lower_case_and_unique() {
        let (part, line, limit, what) = (3, 5, 9, "a name");
        let malformed = [
            E::ContentType,
            E::NoBoundary,
            E::RepeatedBoundary,
            E::BoundaryLength { length: 71 },
            E::BoundaryByte { at: 7 },
            E::UnexpectedEnd { part: 0 },
            E::UnexpectedEnd { part },
            E::BareLf { part, line },
            E::Field { part, line },
            E::Repeated { part, what },
            E::NoDisposition { part },
            E::Disposition { part },
            E::NoName { part },
            E::TooDeep { limit: 9 },
            E::Clash,
        ];
        let too_large = [
            E::PaddingTooLong { limit },
            E::HeadTooLong { part, limit },
            E::TooManyFields { part, limit },
            E::StorageFull { part },
            E::TooManyParts { limit },
            E::ValueTooLong { part, limit: 9 },
            E::FileTooLong { part, limit: 9 },
            E::FormTooLong { limit: 9 },
            E::PreambleTooLong { limit: 9 },
            E::EpilogueTooLong { limit: 9 },
            E::TooManyValues { limit },
        ];
        assert!(malformed.iter().all(|error| error.status().code() == 400));
        assert!(too_large.iter().all(|error| error.status().code() == 413));
        assert_eq!(E::NotMultipart.status().code(), 415);
        let all = malformed.iter().chain(&too_large).chain(&[E::NotMultipart]);
        let mut texts: Vec<_> = all.map(ToString::to_string).collect();
        for text in &texts {
            assert_eq!(*text, text.to_lowercase());
            assert!(!text.contains('\n') && !text.ends_with('.'), "{text}");
        }
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), 27);
    }
}
