//! The numbers of the specification and their names (§8).

use core::fmt;
use core::num::NonZeroU16;

/// The type of a record, byte 1 of its header (§3.3, §8).
///
/// The number space is open: a type that the specification does not name is kept and can be
/// reported. `Display` prints the specification's name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordType(pub u8);

macro_rules! record_types {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        impl RecordType {
            $($(#[$doc])* pub const $name: RecordType = RecordType($number);)*

            /// The specification's name, if it has one for this number.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some($text),)*
                    _ => None,
                }
            }
        }
    };
}

record_types! {
    /// §5.1, web server to application.
    BEGIN_REQUEST = 1, "FCGI_BEGIN_REQUEST";
    /// §5.4, web server to application.
    ABORT_REQUEST = 2, "FCGI_ABORT_REQUEST";
    /// §5.5, application to web server.
    END_REQUEST = 3, "FCGI_END_REQUEST";
    /// §5.2, web server to application, a stream.
    PARAMS = 4, "FCGI_PARAMS";
    /// §5.3, web server to application, a stream.
    STDIN = 5, "FCGI_STDIN";
    /// §5.3, application to web server, a stream.
    STDOUT = 6, "FCGI_STDOUT";
    /// §5.3, application to web server, a stream.
    STDERR = 7, "FCGI_STDERR";
    /// §5.3, web server to application, a stream (Filter only).
    DATA = 8, "FCGI_DATA";
    /// §4.1, web server to application, request id 0.
    GET_VALUES = 9, "FCGI_GET_VALUES";
    /// §4.1, application to web server, request id 0.
    GET_VALUES_RESULT = 10, "FCGI_GET_VALUES_RESULT";
    /// §4.2, application to web server, request id 0.
    UNKNOWN_TYPE = 11, "FCGI_UNKNOWN_TYPE";
}

impl RecordType {
    /// Whether this is one of the three management types, whose request id is always 0 (§3.3).
    #[must_use]
    pub const fn is_management(self) -> bool {
        matches!(self.0, 9..=11)
    }

    /// Whether this is one of the eight application types, whose request id is never 0 (§3.3).
    #[must_use]
    pub const fn is_application(self) -> bool {
        matches!(self.0, 1..=8)
    }

    /// Whether records of this type form a stream, which an empty record ends (§3.3).
    #[must_use]
    pub const fn is_stream(self) -> bool {
        matches!(self.0, 4..=8)
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "type {}", self.0),
        }
    }
}

impl fmt::Debug for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The id of a request, 1 to 65535; 0 is the null id of management records (§3.3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(NonZeroU16);

impl RequestId {
    /// The smallest id, which most web servers use for every request.
    pub const ONE: RequestId = RequestId(NonZeroU16::MIN);

    /// `None` for the null id.
    #[must_use]
    pub const fn new(id: u16) -> Option<RequestId> {
        match NonZeroU16::new(id) {
            Some(id) => Some(RequestId(id)),
            None => None,
        }
    }

    /// The number on the wire.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0.get()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestId({})", self.0)
    }
}

/// What the application is asked to be (§6).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Role {
    /// §6.2: PARAMS and STDIN in, a CGI response out.
    Responder = 1,
    /// §6.3: PARAMS in, a decision out.
    Authorizer = 2,
    /// §6.4: PARAMS, STDIN and DATA in, a CGI response out.
    Filter = 3,
}

impl Role {
    /// The role with this number on the wire; `None` for one that the specification does not know.
    #[must_use]
    pub const fn from_number(number: u16) -> Option<Role> {
        match number {
            1 => Some(Role::Responder),
            2 => Some(Role::Authorizer),
            3 => Some(Role::Filter),
            _ => None,
        }
    }

    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Role::Responder => 1,
            Role::Authorizer => 2,
            Role::Filter => 3,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Responder => "FCGI_RESPONDER",
            Role::Authorizer => "FCGI_AUTHORIZER",
            Role::Filter => "FCGI_FILTER",
        })
    }
}

/// How a request ended on the level of the protocol (§5.5).
///
/// The number space is open; anything but [`REQUEST_COMPLETE`](ProtocolStatus::REQUEST_COMPLETE) is
/// a failed request.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProtocolStatus(pub u8);

impl ProtocolStatus {
    /// Normal end of a request.
    pub const REQUEST_COMPLETE: ProtocolStatus = ProtocolStatus(0);
    /// Refused: the application takes one request at a time on a connection.
    pub const CANT_MPX_CONN: ProtocolStatus = ProtocolStatus(1);
    /// Refused: the application is out of some resource.
    pub const OVERLOADED: ProtocolStatus = ProtocolStatus(2);
    /// Refused: the application does not serve this role.
    pub const UNKNOWN_ROLE: ProtocolStatus = ProtocolStatus(3);
}

impl fmt::Display for ProtocolStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("FCGI_REQUEST_COMPLETE"),
            1 => f.write_str("FCGI_CANT_MPX_CONN"),
            2 => f.write_str("FCGI_OVERLOADED"),
            3 => f.write_str("FCGI_UNKNOWN_ROLE"),
            other => write!(f, "protocolStatus {other}"),
        }
    }
}

impl fmt::Debug for ProtocolStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
