//! What has been done so far.

/// What an [`Outgoing`](super::Outgoing) has done since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Connections that were opened, or tried to.
    pub opened: u64,
    /// Connections that have ended.
    pub closed: u64,
    /// Requests that were begun (BEGIN_REQUEST made), again and again if they were repeated.
    pub begun: u64,
    /// Requests that were begun on a connection that had served others before.
    pub reused: u64,
    /// Requests that were begun while another one was active on their connection.
    pub multiplexed: u64,
    /// Requests that were taken from a connection that broke, to be sent on another.
    pub repeated: u64,
    /// Requests that were begun and given up: ABORT_REQUEST was sent, or the connection closed.
    pub aborted: u64,
    /// Requests and connections whose time was over, not counting idle connections.
    pub timed_out: u64,
}
