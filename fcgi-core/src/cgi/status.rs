//! Status codes: three digits, and the phrase that goes with the registered ones.

use core::fmt;

use crate::decimal;

/// The status of a response: three digits, 100 to 999 (RFC 9110 §15, RFC 3875 §6.3.3).
///
/// Any number of three digits is a status; the registered ones have a constant and a reason
/// phrase. `Display` gives both: `404 Not Found`, or `299` where nothing is registered.
///
/// ```
/// use fcgi_core::cgi::Status;
///
/// assert_eq!(Status::new(404), Some(Status::NOT_FOUND));
/// assert_eq!(Status::NOT_FOUND.reason(), "Not Found");
/// assert!(!Status::NO_CONTENT.allows_body());
/// assert_eq!(Status::new(99), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Status(u16);

impl Status {
    /// The status of this number, or `None` when it does not have three digits.
    #[must_use]
    pub const fn new(code: u16) -> Option<Self> {
        match code {
            100..=999 => Some(Self(code)),
            _ => None,
        }
    }

    /// The number, 100 to 999.
    #[must_use]
    pub const fn code(self) -> u16 {
        self.0
    }

    /// Whether this is a 1xx: a head that comes before the one of the response (RFC 9110 §15.2).
    #[must_use]
    pub const fn is_informational(self) -> bool {
        self.0 < 200
    }

    /// Whether a response with this status can have a body: not with 1xx, 204 and 304 (RFC 9112
    /// §6.3). A response to HEAD has none either, which a status cannot know.
    #[must_use]
    pub const fn allows_body(self) -> bool {
        !self.is_informational() && !matches!(self.0, 204 | 304)
    }

    /// Whether `Content-Length` may be sent with it: not with 1xx and 204 (RFC 9110 §8.6).
    pub(super) const fn allows_length(self) -> bool {
        !self.is_informational() && self.0 != 204
    }

    /// Whether `Location` beside it asks the client to go there (RFC 9110 §10.2.2, §15.4).
    pub(super) const fn is_redirect(self) -> bool {
        matches!(self.0, 300..=303 | 307 | 308)
    }

    /// The status that exactly three digits spell.
    pub(super) fn from_digits(digits: &[u8]) -> Option<Self> {
        if digits.len() != 3 {
            return None;
        }
        Self::new(u16::try_from(decimal::parse(digits)?).ok()?)
    }
}

impl From<Status> for u16 {
    fn from(status: Status) -> Self {
        status.code()
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason() {
            "" => write!(f, "{}", self.0),
            reason => write!(f, "{} {reason}", self.0),
        }
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Status({})", self.0)
    }
}

macro_rules! registered {
    ($($code:literal $name:ident $reason:literal,)*) => {
        /// The registered codes.
        impl Status {
            $(
                #[doc = concat!("`", $code, " ", $reason, "`")]
                pub const $name: Self = Self($code);
            )*

            /// The registered reason phrase, empty for other codes.
            #[must_use]
            pub const fn reason(self) -> &'static str {
                match self.0 {
                    $($code => $reason,)*
                    _ => "",
                }
            }
        }
    };
}

registered! {
    100 CONTINUE "Continue",
    101 SWITCHING_PROTOCOLS "Switching Protocols",
    102 PROCESSING "Processing",
    103 EARLY_HINTS "Early Hints",
    200 OK "OK",
    201 CREATED "Created",
    202 ACCEPTED "Accepted",
    203 NON_AUTHORITATIVE_INFORMATION "Non-Authoritative Information",
    204 NO_CONTENT "No Content",
    205 RESET_CONTENT "Reset Content",
    206 PARTIAL_CONTENT "Partial Content",
    207 MULTI_STATUS "Multi-Status",
    208 ALREADY_REPORTED "Already Reported",
    226 IM_USED "IM Used",
    300 MULTIPLE_CHOICES "Multiple Choices",
    301 MOVED_PERMANENTLY "Moved Permanently",
    302 FOUND "Found",
    303 SEE_OTHER "See Other",
    304 NOT_MODIFIED "Not Modified",
    305 USE_PROXY "Use Proxy",
    307 TEMPORARY_REDIRECT "Temporary Redirect",
    308 PERMANENT_REDIRECT "Permanent Redirect",
    400 BAD_REQUEST "Bad Request",
    401 UNAUTHORIZED "Unauthorized",
    402 PAYMENT_REQUIRED "Payment Required",
    403 FORBIDDEN "Forbidden",
    404 NOT_FOUND "Not Found",
    405 METHOD_NOT_ALLOWED "Method Not Allowed",
    406 NOT_ACCEPTABLE "Not Acceptable",
    407 PROXY_AUTHENTICATION_REQUIRED "Proxy Authentication Required",
    408 REQUEST_TIMEOUT "Request Timeout",
    409 CONFLICT "Conflict",
    410 GONE "Gone",
    411 LENGTH_REQUIRED "Length Required",
    412 PRECONDITION_FAILED "Precondition Failed",
    413 CONTENT_TOO_LARGE "Content Too Large",
    414 URI_TOO_LONG "URI Too Long",
    415 UNSUPPORTED_MEDIA_TYPE "Unsupported Media Type",
    416 RANGE_NOT_SATISFIABLE "Range Not Satisfiable",
    417 EXPECTATION_FAILED "Expectation Failed",
    421 MISDIRECTED_REQUEST "Misdirected Request",
    422 UNPROCESSABLE_CONTENT "Unprocessable Content",
    423 LOCKED "Locked",
    424 FAILED_DEPENDENCY "Failed Dependency",
    425 TOO_EARLY "Too Early",
    426 UPGRADE_REQUIRED "Upgrade Required",
    428 PRECONDITION_REQUIRED "Precondition Required",
    429 TOO_MANY_REQUESTS "Too Many Requests",
    431 REQUEST_HEADER_FIELDS_TOO_LARGE "Request Header Fields Too Large",
    451 UNAVAILABLE_FOR_LEGAL_REASONS "Unavailable For Legal Reasons",
    500 INTERNAL_SERVER_ERROR "Internal Server Error",
    501 NOT_IMPLEMENTED "Not Implemented",
    502 BAD_GATEWAY "Bad Gateway",
    503 SERVICE_UNAVAILABLE "Service Unavailable",
    504 GATEWAY_TIMEOUT "Gateway Timeout",
    505 HTTP_VERSION_NOT_SUPPORTED "HTTP Version Not Supported",
    506 VARIANT_ALSO_NEGOTIATES "Variant Also Negotiates",
    507 INSUFFICIENT_STORAGE "Insufficient Storage",
    508 LOOP_DETECTED "Loop Detected",
    510 NOT_EXTENDED "Not Extended",
    511 NETWORK_AUTHENTICATION_REQUIRED "Network Authentication Required",
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::Status;

    #[test]
    fn three_digits_and_nothing_else() {
        for code in 0..=u16::MAX {
            let status = Status::new(code);
            assert_eq!(status.is_some(), (100..=999).contains(&code), "{code}");
            assert_eq!(status.map_or(code, u16::from), code);
        }
        for digits in [
            "", "1", "20", "2000", "099", "000", "2 0", "+20", "20x", "-99",
        ] {
            assert_eq!(Status::from_digits(digits.as_bytes()), None, "{digits}");
        }
        assert_eq!(Status::from_digits(b"999").map(Status::code), Some(999));
    }

    #[test]
    fn text() {
        assert_eq!(Status::NOT_FOUND.to_string(), "404 Not Found");
        assert_eq!(Status(299).to_string(), "299");
        assert_eq!(std::format!("{:?}", Status::OK), "Status(200)");
        let named = (100..=999).filter(|&code| !Status(code).reason().is_empty());
        assert_eq!(named.count(), 61);
    }

    #[test]
    fn what_a_status_allows() {
        for code in 100..=999 {
            let status = Status(code);
            assert_eq!(status.is_informational(), code / 100 == 1);
            assert_eq!(
                status.allows_body(),
                code / 100 != 1 && code != 204 && code != 304
            );
            assert_eq!(status.allows_length(), code / 100 != 1 && code != 204);
        }
        let redirects = (100..=999).filter(|&code| Status(code).is_redirect());
        assert!(redirects.eq([300, 301, 302, 303, 307, 308]));
    }
}
