//! The bytes of FastCGI: headers, record types, bodies, name-value pairs, and the notation of the
//! specification's Appendix B.
//!
//! Views and values only: nothing here knows what is legal when. That is the work of
//! [`application::Connection`](crate::application::Connection) and
//! [`web_server::Connection`](crate::web_server::Connection), which are what applications and
//! gateways use; this layer is for tools that look at the wire itself.

mod body;
mod header;
mod names;
mod pair;
mod record;
pub(crate) mod values;

pub use body::{BODY_LEN, BeginRequest, EndRequest, UnknownType};
pub use header::{HEADER_LEN, Header, UnsupportedVersion, VERSION_1};
pub use names::{ProtocolStatus, RecordType, RequestId, Role};
pub(crate) use pair::Lengths;
pub use pair::{MAX_LENGTH, Pair, PairTooLong, encode_length, length, pair};
pub use record::{Record, Text};
