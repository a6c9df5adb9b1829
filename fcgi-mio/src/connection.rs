//! One connection and its requests.

use fcgi_core::application::Connection;
use fcgi_listen::{Peer, Stream};

use crate::deferred::Place;
use crate::gather::SPILL;
use crate::requests::{Req, Requests};
use crate::response::HIGH;
use crate::settings::REQUESTS;

/// What is known of a connection whether it is busy or not.
pub(crate) struct Conn<T> {
    pub(crate) stream: Stream,
    pub(crate) peer: Peer,
    pub(crate) machine: Connection<REQUESTS>,
    /// Nothing while it is idle.
    pub(crate) active: Option<Box<Active<T>>>,
    pub(crate) place: Place,
    /// When its time is over, and when that is looked at next, in milliseconds of the loop.
    pub(crate) due: u64,
    pub(crate) planned: u64,
    pub(crate) drain_left: usize,
    pub(crate) phase: Phase,
    pub(crate) is_registered: bool,
    /// Whether no request has begun since the stop did, nor ran when it did.
    pub(crate) rests_in_stop: bool,
    /// Whether a read may give something.
    pub(crate) is_readable: bool,
    /// Whether a write may take something.
    pub(crate) is_writable: bool,
    /// Whether the peer has closed its side and that was read.
    pub(crate) is_ended: bool,
    /// Whether an event told of an end or an error, which a short read would hide.
    pub(crate) is_ending: bool,
    /// Whether the peer cannot read answers any more.
    pub(crate) is_hung_up: bool,
    pub(crate) is_queued: bool,
    /// Whether all requests that have ended had sent all their input.
    pub(crate) is_clean: bool,
    /// Whether the unread rest begins with a request for which there has to be room first.
    pub(crate) is_held: bool,
    /// Whether reading waits until output is gone.
    pub(crate) is_paused: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    Open,
    /// Nothing more is served; what is answered still goes out.
    Closing,
    /// Everything is sent and this side shut down; what comes is thrown away.
    Draining,
    /// Nothing can be done any more.
    Broken,
}

/// What a connection needs while it is busy.
pub(crate) struct Active<T> {
    pub(crate) requests: Requests<T>,
    /// Records that wait to be written, from `sent` on.
    pub(crate) outbox: Vec<u8>,
    pub(crate) sent: usize,
    /// What one write has left of borrowed bodies, on its way to the outbox.
    pub(crate) spill: Vec<u8>,
    /// Input that was read and not parsed yet.
    pub(crate) rest: Vec<u8>,
    /// Whose turn it is to send.
    pub(crate) next: usize,
    /// Since when nothing was taken of what waits.
    pub(crate) blocked_since: Option<u64>,
}

impl<T> Active<T> {
    pub(crate) fn new() -> Active<T> {
        Active {
            requests: Requests::new(),
            outbox: Vec::new(),
            sent: 0,
            spill: Vec::new(),
            rest: Vec::new(),
            next: 0,
            blocked_since: None,
        }
    }

    pub(crate) fn waiting(&self) -> usize {
        self.outbox.len() - self.sent
    }

    /// Whether so much waits that nothing more is to be read. What a write has left of bodies does
    /// not do it alone: ABORT_REQUEST is seen also while a body goes to a slow reader.
    pub(crate) fn is_congested(&self) -> bool {
        self.waiting() > HIGH + SPILL
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.requests.is_empty() && self.waiting() == 0 && self.rest.is_empty()
    }

    /// Whether a body is written from where it lies.
    pub(crate) fn has_bodies(&self) -> bool {
        self.requests
            .iter()
            .any(|request| !request.out.body_bytes().is_empty())
    }

    /// Whether a request has something to send that is not in the outbox.
    pub(crate) fn has_output(&self) -> bool {
        self.requests.iter().any(Req::has_output)
    }
}

#[cfg(test)]
mod tests {
    use std::mem::size_of;

    use super::{Conn, Place};
    use crate::service::NoTask;

    #[test]
    fn an_idle_connection_is_small() {
        let deadline = size_of::<(u64, Place)>();
        assert!(size_of::<Conn<NoTask>>() + deadline <= 232);
    }
}
