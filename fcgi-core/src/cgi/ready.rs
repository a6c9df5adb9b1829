//! Responses that are ready to be sent when no handler can make one.

use super::Status;

macro_rules! ready {
    ($status:literal, $length:literal $(, $field:literal)*) => {
        concat!(
            "Status: ", $status, "\r\n",
            "Content-Type: text/plain\r\n",
            "Content-Length: ", $length, "\r\n",
            $($field, "\r\n",)*
            "\r\n",
            $status, "\n"
        )
        .as_bytes()
    };
}

/// A complete response, head and body, for a request that cannot be served: what STDOUT has to
/// carry, in a few hundred bytes at most.
///
/// There is one for 400, 408, 413, 415, 431, 500 and 503; the last asks the client to come again in
/// a second. Any other status gets the response of 500.
///
/// ```
/// use fcgi_core::cgi::{Status, error_response};
///
/// let response = error_response(Status::CONTENT_TOO_LARGE);
/// assert!(response.starts_with(b"Status: 413 Content Too Large\r\n"));
/// assert!(response.ends_with(b"\r\n\r\n413 Content Too Large\n"));
/// ```
#[must_use]
pub const fn error_response(status: Status) -> &'static [u8] {
    match status {
        Status::BAD_REQUEST => ready!("400 Bad Request", 16),
        Status::REQUEST_TIMEOUT => ready!("408 Request Timeout", 20),
        Status::CONTENT_TOO_LARGE => ready!("413 Content Too Large", 22),
        Status::UNSUPPORTED_MEDIA_TYPE => ready!("415 Unsupported Media Type", 27),
        Status::REQUEST_HEADER_FIELDS_TOO_LARGE => {
            ready!("431 Request Header Fields Too Large", 36)
        }
        Status::SERVICE_UNAVAILABLE => ready!("503 Service Unavailable", 24, "Retry-After: 1"),
        _ => ready!("500 Internal Server Error", 26),
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;
    use std::vec::Vec;

    use super::super::{HeadLimits, HeadParser};
    use super::{Status, error_response};

    #[test]
    fn each_is_what_it_says() {
        for code in 100..=999 {
            let Some(status) = Status::new(code) else {
                panic!("{code}");
            };
            let own = matches!(code, 400 | 408 | 413 | 415 | 431 | 500 | 503);
            let sent = if own {
                status
            } else {
                Status::INTERNAL_SERVER_ERROR
            };

            let mut body = error_response(status);
            let storage = heapless::Vec::<u8, 256>::new();
            let mut parser = HeadParser::new(storage, HeadLimits::default());
            assert_eq!(parser.push(&mut body), Ok(true));
            let Some(head) = parser.head() else {
                panic!("{code} is not complete");
            };
            assert_eq!(head.status(), sent);
            assert_eq!(head.content_length(), u64::try_from(body.len()).ok());
            assert_eq!(head.get("Content-Type"), Some(&b"text/plain"[..]));
            let again = (sent == Status::SERVICE_UNAVAILABLE).then_some(&b"1"[..]);
            assert_eq!(head.get("Retry-After"), again);
            let text: Vec<u8> = sent.to_string().into_bytes();
            assert_eq!(body.strip_suffix(b"\n"), Some(&text[..]));
        }
    }
}
