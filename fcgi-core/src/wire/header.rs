//! The eight bytes before every record (§3.3).

use core::fmt;

use super::RecordType;

/// Length of a record's header in bytes; later versions of the protocol never make it shorter (§8).
pub const HEADER_LEN: usize = 8;

/// The only version of the protocol (§8).
pub const VERSION_1: u8 = 1;

/// The header of a record of version 1 (§3.3).
///
/// ```text
///  byte 0      1       2   3       4   5           6               7
///  +---------+------+-----------+---------------+---------------+----------+
///  | version | type | requestId | contentLength | paddingLength | reserved |
///  |   u8    |  u8  |  u16 BE   |    u16 BE     |      u8       |    u8    |
///  +---------+------+-----------+---------------+---------------+----------+
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// What the record is.
    pub record_type: RecordType,
    /// The request it belongs to; 0 for management records.
    pub request_id: u16,
    /// Bytes of content after the header.
    pub content_length: u16,
    /// Bytes of padding after the content.
    pub padding_length: u8,
}

impl Header {
    /// Reads a header; the reserved byte is ignored.
    ///
    /// # Errors
    ///
    /// [`UnsupportedVersion`] when byte 0 is not 1: nothing that follows can be trusted.
    #[inline]
    pub const fn decode(bytes: &[u8; HEADER_LEN]) -> Result<Header, UnsupportedVersion> {
        let [
            version,
            record_type,
            id1,
            id0,
            length1,
            length0,
            padding_length,
            _reserved,
        ] = *bytes;
        if version != VERSION_1 {
            return Err(UnsupportedVersion(version));
        }
        Ok(Header {
            record_type: RecordType(record_type),
            request_id: u16::from_be_bytes([id1, id0]),
            content_length: u16::from_be_bytes([length1, length0]),
            padding_length,
        })
    }

    /// The bytes on the wire; the reserved byte is zero.
    #[inline]
    #[must_use]
    pub const fn encode(self) -> [u8; HEADER_LEN] {
        let [id1, id0] = self.request_id.to_be_bytes();
        let [length1, length0] = self.content_length.to_be_bytes();
        let record_type = self.record_type.0;
        [
            VERSION_1,
            record_type,
            id1,
            id0,
            length1,
            length0,
            self.padding_length,
            0,
        ]
    }
}

/// A header whose version is not 1 (§3.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnsupportedVersion(pub u8);

impl fmt::Display for UnsupportedVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "record of version {}, only version 1 exists (§3.3)",
            self.0
        )
    }
}

impl core::error::Error for UnsupportedVersion {}
