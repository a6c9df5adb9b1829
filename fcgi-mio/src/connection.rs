//! One connection and its requests.

use std::ops::Range;

use fcgi_core::application::Connection;
use fcgi_core::cgi::Status;
use fcgi_core::{RequestId, Role};
use fcgi_listen::{Peer, Stream};

use crate::deferred::Place;
use crate::gather::SPILL;
use crate::response::{HIGH, Out};
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
    /// Whether the request that ended last had sent all its input.
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
    pub(crate) requests: Vec<Req<T>>,
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
            requests: Vec::new(),
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

    pub(crate) fn find(&self, id: RequestId) -> Option<usize> {
        self.requests.iter().position(|request| request.id == id)
    }

    /// Whether a request has something to send that is not in the outbox.
    pub(crate) fn has_output(&self) -> bool {
        self.requests.iter().any(Req::has_output)
    }
}

/// One request.
pub(crate) struct Req<T> {
    pub(crate) id: RequestId,
    pub(crate) role: Role,
    /// When it began, or when the last piece of its input came.
    pub(crate) since: u64,
    pub(crate) stage: Stage<T>,
    pub(crate) params: Piece,
    pub(crate) body: Piece,
    pub(crate) data: Piece,
    /// CONTENT_LENGTH.
    pub(crate) length: Option<u64>,
    pub(crate) out: Out,
    /// Whether it counts among those that may run.
    pub(crate) is_counted: bool,
}

pub(crate) enum Stage<T> {
    /// The parameters come.
    Params,
    /// The body is collected.
    Collect,
    /// It is not served, and gets this answer as soon as the protocol allows one.
    Refused { status: Status, app_status: u32 },
    /// A task has it; `wants_room` says whether it is asked for output.
    Task { task: T, wants_room: bool },
    /// The answer is complete and on its way, or another thread makes it.
    Answered,
}

impl<T> Req<T> {
    pub(crate) fn has_output(&self) -> bool {
        self.out.body.is_some()
            || (self.out.open
                && matches!(
                    self.stage,
                    Stage::Task {
                        wants_room: true,
                        ..
                    }
                ))
    }
}

/// A stream that is collected: a range of the slice that is being parsed, or a copy.
#[derive(Default)]
pub(crate) struct Piece {
    /// Where it lies in the slice; meaningless once there is a copy.
    range: Range<usize>,
    pub(crate) store: Vec<u8>,
}

impl Piece {
    pub(crate) fn len(&self) -> usize {
        if self.store.is_empty() {
            self.range.len()
        } else {
            self.store.len()
        }
    }

    /// Appends a range of the slice.
    pub(crate) fn push(&mut self, slice: &[u8], range: Range<usize>, spare: &mut Vec<Vec<u8>>) {
        if self.len() == 0 {
            self.range = range;
            return;
        }
        self.keep(slice, spare);
        self.store.extend_from_slice(&slice[range]);
    }

    /// Copies what lies in the slice, which will be gone.
    pub(crate) fn keep(&mut self, slice: &[u8], spare: &mut Vec<Vec<u8>>) {
        if self.store.is_empty() && !self.range.is_empty() {
            if self.store.capacity() == 0 {
                self.store = spare.pop().unwrap_or_default();
            }
            self.store.extend_from_slice(&slice[self.range.clone()]);
        }
        self.range = 0..0;
    }

    pub(crate) fn bytes<'s>(&'s self, slice: &'s [u8]) -> &'s [u8] {
        if self.store.is_empty() {
            slice.get(self.range.clone()).unwrap_or(&[])
        } else {
            &self.store
        }
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

    #[test]
    fn pieces_are_copied_only_when_they_have_to_be() {
        let slice = b"abcdefgh";
        let mut spare = vec![Vec::with_capacity(99)];
        let mut piece = super::Piece::default();
        piece.push(slice, 1..3, &mut spare);
        assert_eq!((piece.bytes(slice), spare.len()), (&b"bc"[..], 1));
        piece.push(slice, 5..6, &mut spare);
        assert_eq!((piece.bytes(slice), spare.len()), (&b"bcf"[..], 0));
        piece.keep(slice, &mut spare);
        assert_eq!((piece.bytes(b""), piece.len()), (&b"bcf"[..], 3));
        let mut piece = super::Piece::default();
        piece.push(slice, 0..2, &mut spare);
        piece.keep(slice, &mut spare);
        piece.push(b"xyz", 2..3, &mut spare);
        assert_eq!(piece.bytes(b"xyz"), b"abz");
    }
}
