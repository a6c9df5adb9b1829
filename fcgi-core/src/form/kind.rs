//! What the body of a request is.

use crate::form::FormError;
use crate::form::multipart::Boundary;
use crate::params::Params;

/// What a body is, as its request says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// No form: another type, or none, or the body of a GET or HEAD, which means nothing whatever
    /// its Content-Type says (RFC 9110 §9.3.1).
    Other,
    /// `application/x-www-form-urlencoded`: read it with [`urlencoded`](crate::form::urlencoded).
    Urlencoded,
    /// `multipart/form-data`: read it with [`multipart`](crate::form::multipart).
    Multipart(Boundary),
}

impl Kind {
    /// Looks at REQUEST_METHOD and CONTENT_TYPE.
    ///
    /// # Errors
    ///
    /// The boundary of `multipart/form-data` is missing, repeated or malformed (RFC 2046 §5.1.1).
    pub fn of(params: &Params<'_>) -> Result<Kind, FormError> {
        if is_get(params) {
            return Ok(Kind::Other);
        }
        let content_type = params.get("CONTENT_TYPE").unwrap_or_default();
        let mut pieces = content_type.split(|&byte| byte == b';');
        let media_type = pieces.next().unwrap_or_default().trim_ascii();
        if media_type.eq_ignore_ascii_case(b"application/x-www-form-urlencoded") {
            return Ok(Kind::Urlencoded);
        }
        match Boundary::from_content_type(content_type) {
            Ok(boundary) => Ok(Kind::Multipart(boundary)),
            Err(FormError::NotMultipart) => Ok(Kind::Other),
            Err(error) => Err(error),
        }
    }
}

/// Whether the form of a request is its query.
#[must_use]
pub fn is_get(params: &Params<'_>) -> bool {
    matches!(params.get("REQUEST_METHOD"), Some(b"GET" | b"HEAD"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::append;

    fn kind(method: &str, content_type: &str) -> Result<Kind, FormError> {
        let mut stream = std::vec::Vec::new();
        append(&mut stream, "REQUEST_METHOD", method).unwrap();
        append(&mut stream, "CONTENT_TYPE", content_type).unwrap();
        Kind::of(&Params::parse(&stream, 10).unwrap())
    }

    #[test]
    fn kinds() {
        let urlencoded = "application/x-www-form-urlencoded";
        for content_type in [
            urlencoded,
            "Application/X-WWW-Form-URLencoded ; charset=UTF-8",
        ] {
            assert_eq!(kind("POST", content_type), Ok(Kind::Urlencoded));
            assert_eq!(kind("PUT", content_type), Ok(Kind::Urlencoded));
            assert_eq!(kind("GET", content_type), Ok(Kind::Other));
            assert_eq!(kind("HEAD", content_type), Ok(Kind::Other));
        }
        for content_type in [
            "",
            "text/plain",
            "application/json",
            "multipart/mixed; boundary=x",
        ] {
            assert_eq!(
                kind("POST", content_type),
                Ok(Kind::Other),
                "{content_type}"
            );
        }
        let parts = kind("POST", "multipart/form-data; boundary=x");
        assert!(matches!(parts, Ok(Kind::Multipart(_))));
        assert!(kind("POST", "multipart/form-data").is_err());
        assert_eq!(kind("GET", "multipart/form-data"), Ok(Kind::Other));
    }
}
