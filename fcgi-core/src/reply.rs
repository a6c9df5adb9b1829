//! Answers that the protocol itself owes and that need no decision of the application.

use core::fmt;

use crate::decimal::{self, DIGITS};
use crate::error::Refusal;
use crate::frame::{Encoded, end_request};
use crate::params;
use crate::wire::values::Variable;
use crate::wire::{Header, ProtocolStatus, RecordType, RequestId, UnknownType};

/// An answer owed to the web server: GET_VALUES_RESULT (§4.1), UNKNOWN_TYPE (§4.2), or the
/// END_REQUEST of a refused request (§5.5).
///
/// A small description; the bytes are made by [`encode`](Reply::encode), so nothing queues inside
/// the connection. Replies go out in the order in which they came, between any two records.
#[derive(Clone, Copy, PartialEq, Eq)]
#[must_use = "the web server waits for this answer: encode and send it"]
pub struct Reply(Kind);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Values {
        asked: u8,
    },
    UnknownType {
        record_type: RecordType,
    },
    End {
        id: RequestId,
        failed: bool,
        protocol_status: ProtocolStatus,
    },
}

impl Reply {
    pub(crate) const fn values(asked: u8) -> Reply {
        Reply(Kind::Values { asked })
    }

    pub(crate) const fn unknown_type(record_type: RecordType) -> Reply {
        Reply(Kind::UnknownType { record_type })
    }

    pub(crate) const fn refused(id: RequestId, refusal: Refusal) -> Reply {
        let failed = refusal.app_status() != 0;
        Reply(Kind::End {
            id,
            failed,
            protocol_status: refusal.protocol_status(),
        })
    }

    /// The bytes on the wire, at most 88.
    ///
    /// The two numbers are what FCGI_MAX_CONNS and FCGI_MAX_REQS say when they are asked for: how
    /// many connections the application takes at the same time, and how many requests *one
    /// connection* takes now (web servers read it so). FCGI_MPXS_CONNS is 1 when the latter is more
    /// than one.
    pub fn encode(self, max_conns: u32, max_reqs: u32) -> Encoded<88> {
        match self.0 {
            Kind::Values { asked } => values_result(asked, max_conns, max_reqs),
            Kind::UnknownType { record_type } => {
                let header = management(RecordType::UNKNOWN_TYPE, 8, 0);
                Encoded::concat(&[&header, &UnknownType { record_type }.encode()])
            }
            Kind::End {
                id,
                failed,
                protocol_status,
            } => {
                let end = end_request(id, u32::from(failed), protocol_status);
                Encoded::concat(&[end.as_flattened()])
            }
        }
    }

    /// The request that this reply ends and what it says of it, if it does.
    #[must_use]
    pub const fn ends(&self) -> Option<(RequestId, ProtocolStatus)> {
        match self.0 {
            Kind::End {
                id,
                protocol_status,
                ..
            } => Some((id, protocol_status)),
            _ => None,
        }
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::Values { asked } => write!(f, "Reply(FCGI_GET_VALUES_RESULT, mask {asked:03b})"),
            Kind::UnknownType { record_type } => {
                write!(f, "Reply(FCGI_UNKNOWN_TYPE {record_type})")
            }
            Kind::End {
                id,
                protocol_status,
                ..
            } => {
                write!(f, "Reply(FCGI_END_REQUEST {id} {protocol_status})")
            }
        }
    }
}

fn values_result(asked: u8, max_conns: u32, max_reqs: u32) -> Encoded<88> {
    // Three names of 14, 13 and 15 bytes, values of 10, 10 and 1 digits, two lengths each: 69 bytes
    // at most.
    let mut content = heapless::Vec::<u8, 72, u8>::new();
    for variable in Variable::ALL {
        if asked & variable.mask() == 0 {
            continue;
        }
        let number = match variable {
            Variable::MaxConns => max_conns,
            Variable::MaxReqs => max_reqs,
            Variable::MpxsConns => u32::from(max_reqs > 1),
        };
        let mut digits = [0; DIGITS];
        let digits = decimal::digits(number.into(), &mut digits);
        let fits = params::append(&mut content, variable.name(), digits);
        debug_assert!(fits.is_ok(), "72 bytes are enough");
    }
    let length = u8::try_from(content.len()).unwrap_or(0);
    let padding = length.wrapping_neg() & 7;
    let header = management(RecordType::GET_VALUES_RESULT, length, padding);
    let zeros = [0; 8];
    let padding = zeros.get(..usize::from(padding)).unwrap_or_default();
    Encoded::concat(&[&header, &content, padding])
}

const fn management(record_type: RecordType, content_length: u8, padding_length: u8) -> [u8; 8] {
    let content_length = u16::from_be_bytes([0, content_length]);
    Header {
        record_type,
        request_id: 0,
        content_length,
        padding_length,
    }
    .encode()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_reply_fits() {
        let reply = Reply::values(0b111).encode(u32::MAX, u32::MAX);
        assert_eq!(reply.len(), 80);
        assert!(reply.windows(24).any(|w| w == b"FCGI_MAX_CONNS4294967295"));
        assert!(reply.windows(23).any(|w| w == b"FCGI_MAX_REQS4294967295"));
        assert_eq!(&reply[77..], [0, 0, 0], "padding");
    }

    #[test]
    fn values_in_full_and_empty() {
        let reply = Reply::values(0b111).encode(10, 1);
        let content = b"\x0e\x02FCGI_MAX_CONNS10\x0d\x01FCGI_MAX_REQS1\x0f\x01FCGI_MPXS_CONNS0";
        let length = u8::try_from(content.len()).unwrap();
        assert_eq!(
            &reply[..8],
            [1, 10, 0, 0, 0, length, (8 - length % 8) % 8, 0]
        );
        assert_eq!(&reply[8..8 + content.len()], content);
        assert_eq!(&*Reply::values(0).encode(1, 1), [1, 10, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn small_replies() {
        let unknown = Reply::unknown_type(RecordType(42)).encode(1, 1);
        assert_eq!(
            &*unknown,
            [1, 11, 0, 0, 0, 8, 0, 0, 42, 0, 0, 0, 0, 0, 0, 0]
        );
        let id = RequestId::new(258).unwrap();
        let refused = Reply::refused(id, Refusal::Overloaded).encode(1, 1);
        assert_eq!(&*refused, [1, 3, 1, 2, 0, 8, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0]);
    }
}
