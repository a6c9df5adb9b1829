//! The boundary, from Content-Type.

use super::super::FormError;
use super::super::syntax::with_parameters;

/// The most bytes of a boundary (RFC 2046 §5.1.1).
pub(super) const LONGEST: usize = 70;

/// The boundary of a form: 1 to 70 bytes that are allowed in one.
///
/// ```
/// use fcgi_core::form::FormError;
/// use fcgi_core::form::multipart::Boundary;
///
/// let content_type = br#"multipart/form-data; charset=utf-8; boundary="gc0p4Jq0M:2Yt08""#;
/// let boundary = Boundary::from_content_type(content_type)?;
/// assert_eq!(boundary.as_bytes(), b"gc0p4Jq0M:2Yt08");
///
/// let json = Boundary::from_content_type(b"application/json");
/// assert_eq!(json.unwrap_err(), FormError::NotMultipart);
/// # Ok::<(), FormError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boundary {
    bytes: heapless::Vec<u8, LONGEST, u8>,
}

impl Boundary {
    /// Checks a boundary.
    ///
    /// # Errors
    ///
    /// [`FormError::BoundaryLength`], [`FormError::BoundaryByte`].
    pub fn new(boundary: impl AsRef<[u8]>) -> Result<Self, FormError> {
        let boundary = boundary.as_ref();
        let length = boundary.len();
        let Some(last) = length.checked_sub(1) else {
            return Err(FormError::BoundaryLength { length });
        };
        let bytes = heapless::Vec::from_slice(boundary)
            .map_err(|_| FormError::BoundaryLength { length })?;
        if let Some(at) = boundary.iter().position(|&byte| !is_boundary(byte)) {
            return Err(FormError::BoundaryByte { at });
        }
        if boundary.ends_with(b" ") {
            return Err(FormError::BoundaryByte { at: last });
        }
        Ok(Boundary { bytes })
    }

    /// Takes the boundary from the value of Content-Type: `multipart/form-data` with exactly one
    /// `boundary`, which may be quoted.
    ///
    /// # Errors
    ///
    /// [`FormError::NotMultipart`], [`FormError::ContentType`], [`FormError::NoBoundary`],
    /// [`FormError::RepeatedBoundary`], and those of [`new`](Self::new).
    pub fn from_content_type(value: impl AsRef<[u8]>) -> Result<Self, FormError> {
        let (media_type, parameters) = with_parameters(value.as_ref());
        if !media_type.eq_ignore_ascii_case(b"multipart/form-data") {
            return Err(FormError::NotMultipart);
        }
        let mut boundary = None;
        for parameter in parameters {
            let parameter = parameter.map_err(|_| FormError::ContentType)?;
            if parameter.name.eq_ignore_ascii_case(b"boundary")
                && boundary.replace(parameter.value).is_some()
            {
                return Err(FormError::RepeatedBoundary);
            }
        }
        Self::new(boundary.ok_or(FormError::NoBoundary)?)
    }

    /// The boundary, without quotes and without the `--` before it.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// RFC 2046 §5.1.1, `bchars`.
const fn is_boundary(byte: u8) -> bool {
    matches!(byte,
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b' ' | b'\'' | b'('..=b')' | b'+'..=b'/'
        | b':' | b'=' | b'?' | b'_')
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::super::super::FormError as E;
    use super::{Boundary, is_boundary};

    #[test]
    fn bytes_of_a_boundary() {
        let marks = b"'()+_,-./:=? ";
        for byte in 0..=u8::MAX {
            let allowed = byte.is_ascii_alphanumeric() || marks.contains(&byte);
            assert_eq!(is_boundary(byte), allowed, "{byte:#x}");
            let expected = if allowed {
                Ok(())
            } else {
                Err(E::BoundaryByte { at: 1 })
            };
            assert_eq!(Boundary::new([b'a', byte, b'a']).map(drop), expected);
        }
    }

    #[test]
    fn from_content_type() {
        let longest = "b".repeat(70);
        let long = "b".repeat(71);
        let quoted = |boundary: &str| std::format!("multipart/form-data; boundary=\"{boundary}\"");
        for (value, expected) in [
            ("multipart/form-data; boundary=X", Ok("X")),
            ("Multipart/Form-Data;BOUNDARY=X", Ok("X")),
            (
                "multipart/form-data ; charset=utf-8; boundary=\"a b\" ; x=y",
                Ok("a b"),
            ),
            (
                "multipart/form-data; boundary=----=_Part:1/2 ",
                Ok("----=_Part:1/2"),
            ),
            (&quoted(&longest), Ok(longest.as_str())),
            (&quoted(&long), Err(E::BoundaryLength { length: 71 })),
            (&quoted(""), Err(E::BoundaryLength { length: 0 })),
            (
                "multipart/form-data; boundary=",
                Err(E::BoundaryLength { length: 0 }),
            ),
            (&quoted("a "), Err(E::BoundaryByte { at: 1 })),
            (&quoted("a\\b"), Err(E::BoundaryByte { at: 1 })),
            (&quoted("a\r\nb"), Err(E::BoundaryByte { at: 1 })),
            ("multipart/form-data", Err(E::NoBoundary)),
            ("multipart/form-data; xboundary=X", Err(E::NoBoundary)),
            (
                "multipart/form-data; boundary=X; boundary=X",
                Err(E::RepeatedBoundary),
            ),
            (
                "multipart/form-data; boundary=X; Boundary=Y",
                Err(E::RepeatedBoundary),
            ),
            ("multipart/form-data; boundary=\"X", Err(E::ContentType)),
            ("multipart/form-data; boundary", Err(E::ContentType)),
            ("multipart/form-data, boundary=X", Err(E::NotMultipart)),
            ("multipart/mixed; boundary=X", Err(E::NotMultipart)),
            ("application/x-www-form-urlencoded", Err(E::NotMultipart)),
            ("", Err(E::NotMultipart)),
        ] {
            let found = Boundary::from_content_type(value);
            let found: Result<Vec<u8>, _> = found.map(|found| found.as_bytes().to_vec());
            assert_eq!(
                found,
                expected.map(|boundary| boundary.as_bytes().to_vec()),
                "{value}"
            );
        }
    }
}
