//! What can be wrong with a new cookie.

use core::{error, fmt};

/// Why a [`SetCookie`](super::SetCookie) is not written: a client would refuse it, or read
/// another cookie in it.
///
/// Positions are byte offsets; the bytes themselves are not kept, so that the text of an error is
/// safe to log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CookieError {
    /// The name is empty (RFC 6265 §4.1.1).
    EmptyName,
    /// The name has a byte that no token has (RFC 6265 §4.1.1).
    Name {
        /// Which byte of it.
        at: usize,
    },
    /// The value has a control character, a blank, `"`, `,`, `;`, `\` or a byte above ASCII
    /// (RFC 6265 §4.1.1).
    Value {
        /// Which byte of it.
        at: usize,
    },
    /// Name and value are longer together than browsers take.
    TooLong {
        /// The most bytes they take.
        limit: usize,
    },
    /// The path does not begin with `/` (RFC 6265 §5.2.4).
    RelativePath,
    /// The path has a control character, `;` or a byte above ASCII (RFC 6265 §4.1.1).
    Path {
        /// Which byte of it.
        at: usize,
    },
    /// The domain is empty.
    EmptyDomain,
    /// The domain has a byte that no host name has (RFC 6265 §4.1.2.3).
    Domain {
        /// Which byte of it.
        at: usize,
    },
    /// `Expires` is no IMF-fixdate (RFC 9110 §5.6.7).
    Expires,
    /// Something about the cookie is taken by browsers only together with `Secure`.
    NeedsSecure {
        /// What: the prefix of its name, or an attribute.
        what: &'static str,
    },
    /// A name with `__Host-` is taken only with `Path=/` and without a domain (RFC 6265bis
    /// §4.1.3.2).
    HostPrefix,
    /// The storage has no room for the cookie.
    StorageFull,
}

impl fmt::Display for CookieError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyName => f.write_str("cookie with an empty name"),
            Self::Name { at } => write!(f, "byte {at} of a cookie's name is not allowed there"),
            Self::Value { at } => write!(f, "byte {at} of a cookie's value is not allowed there"),
            Self::TooLong { limit } => {
                write!(
                    f,
                    "name and value of a cookie are longer than {limit} bytes"
                )
            }
            Self::RelativePath => f.write_str("path of a cookie does not begin with a slash"),
            Self::Path { at } => write!(f, "byte {at} of a cookie's path is not allowed there"),
            Self::EmptyDomain => f.write_str("domain of a cookie is empty"),
            Self::Domain { at } => write!(f, "byte {at} of a cookie's domain is not allowed there"),
            Self::Expires => f.write_str("end of a cookie is not a date in http's form"),
            Self::NeedsSecure { what } => write!(f, "cookie with {what} must be secure"),
            Self::HostPrefix => {
                f.write_str("cookie with the prefix __host- must have the path / and no domain")
            }
            Self::StorageFull => f.write_str("cookie is larger than the storage for it"),
        }
    }
}

impl error::Error for CookieError {}

#[cfg(test)]
mod tests {
    use std::string::ToString;
    use std::vec::Vec;

    use super::CookieError as E;

    #[test]
    fn texts_are_one_line_lower_case_and_unique() {
        let at = 5;
        let errors = [
            E::EmptyName,
            E::Name { at },
            E::Value { at },
            E::TooLong { limit: 9 },
            E::RelativePath,
            E::Path { at },
            E::EmptyDomain,
            E::Domain { at },
            E::Expires,
            E::NeedsSecure { what: "x" },
            E::HostPrefix,
            E::StorageFull,
        ];
        let mut texts: Vec<_> = errors.iter().map(ToString::to_string).collect();
        for text in &texts {
            assert_eq!(*text, text.to_lowercase());
            assert!(!text.contains('\n') && !text.ends_with('.'), "{text}");
        }
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), errors.len());
    }
}
