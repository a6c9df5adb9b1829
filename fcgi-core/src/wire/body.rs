//! The bodies of the discrete records (§4.2, §5.1, §5.5), eight bytes each.

use super::{ProtocolStatus, RecordType};

/// Length in bytes of the bodies of BEGIN_REQUEST, END_REQUEST and UNKNOWN_TYPE.
pub const BODY_LEN: usize = 8;

/// The flag of BEGIN_REQUEST that leaves the closing of the connection to the web server (§5.1).
const KEEP_CONN: u8 = 1;

/// The body of BEGIN_REQUEST (§5.1).
///
/// ```text
///  byte 0  1      2       3         7
///  +----------+-------+---------------+
///  |   role   | flags | reserved (5)  |
///  |  u16 BE  |  u8   |     zero      |
///  +----------+-------+---------------+
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BeginRequest {
    /// The number of the role; see [`Role::from_number`](super::Role::from_number).
    pub role: u16,
    /// Flag bit 0; the other bits are ignored on receipt and sent as zero.
    pub keep_conn: bool,
}

impl BeginRequest {
    /// Reads a body.
    #[must_use]
    pub const fn decode(bytes: &[u8; BODY_LEN]) -> BeginRequest {
        let [role1, role0, flags, ..] = *bytes;
        BeginRequest {
            role: u16::from_be_bytes([role1, role0]),
            keep_conn: flags & KEEP_CONN != 0,
        }
    }

    /// The bytes on the wire.
    #[must_use]
    pub const fn encode(self) -> [u8; BODY_LEN] {
        let [role1, role0] = self.role.to_be_bytes();
        let flags = if self.keep_conn { KEEP_CONN } else { 0 };
        [role1, role0, flags, 0, 0, 0, 0, 0]
    }
}

/// The body of END_REQUEST (§5.5).
///
/// ```text
///  byte 0         3         4            5         7
///  +---------------+----------------+---------------+
///  |   appStatus   | protocolStatus |  reserved (3) |
///  |    u32 BE     |       u8       |     zero      |
///  +---------------+----------------+---------------+
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EndRequest {
    /// All 32 bits of the exit status that a CGI program would have had.
    pub app_status: u32,
    /// How the request ended on the level of the protocol.
    pub protocol_status: ProtocolStatus,
}

impl EndRequest {
    /// Reads a body.
    #[must_use]
    pub const fn decode(bytes: &[u8; BODY_LEN]) -> EndRequest {
        let [s3, s2, s1, s0, protocol_status, ..] = *bytes;
        EndRequest {
            app_status: u32::from_be_bytes([s3, s2, s1, s0]),
            protocol_status: ProtocolStatus(protocol_status),
        }
    }

    /// The bytes on the wire.
    #[must_use]
    pub const fn encode(self) -> [u8; BODY_LEN] {
        let [s3, s2, s1, s0] = self.app_status.to_be_bytes();
        [s3, s2, s1, s0, self.protocol_status.0, 0, 0, 0]
    }
}

/// The body of UNKNOWN_TYPE (§4.2): the type that was not understood, then seven reserved bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnknownType {
    /// The management type that the application does not know.
    pub record_type: RecordType,
}

impl UnknownType {
    /// Reads a body.
    #[must_use]
    pub const fn decode(bytes: &[u8; BODY_LEN]) -> UnknownType {
        let [record_type, ..] = *bytes;
        UnknownType {
            record_type: RecordType(record_type),
        }
    }

    /// The bytes on the wire.
    #[must_use]
    pub const fn encode(self) -> [u8; BODY_LEN] {
        [self.record_type.0, 0, 0, 0, 0, 0, 0, 0]
    }
}
