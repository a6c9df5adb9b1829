//! The requests of one connection, in places that keep their memory.

use std::ops::{Deref, DerefMut, Range};

use fcgi_core::cgi::Status;
use fcgi_core::{RequestId, Role};

use crate::response::Out;

/// The requests that are active, in no particular order.
pub(crate) struct Requests<T> {
    /// Active up to `active`, and behind it places that earlier ones have left.
    places: Vec<Req<T>>,
    active: usize,
}

impl<T> Requests<T> {
    pub(crate) fn new() -> Requests<T> {
        Requests {
            places: Vec::new(),
            active: 0,
        }
    }

    /// Begins a request; where it is.
    pub(crate) fn begin(&mut self, id: RequestId, role: Role, since: u64) -> usize {
        let at = self.active;
        if at == self.places.len() {
            self.places.push(Req::new(id, role));
        }
        self.active += 1;
        let request = &mut self.places[at];
        (request.id, request.role, request.since) = (id, role, since);
        at
    }

    /// Takes out a request that was [ended](Req::clear); the last one comes to its place.
    pub(crate) fn remove(&mut self, at: usize) {
        self.active -= 1;
        if at != self.active {
            self.places.swap(at, self.active);
        }
    }

    pub(crate) fn find(&self, id: RequestId) -> Option<usize> {
        self.iter().position(|request| request.id == id)
    }
}

impl<T> Deref for Requests<T> {
    type Target = [Req<T>];

    #[inline]
    fn deref(&self) -> &[Req<T>] {
        &self.places[..self.active]
    }
}

impl<T> DerefMut for Requests<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [Req<T>] {
        &mut self.places[..self.active]
    }
}

/// One request, or the place for one.
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
    fn new(id: RequestId, role: Role) -> Req<T> {
        Req {
            id,
            role,
            since: 0,
            stage: Stage::Params,
            params: Piece::default(),
            body: Piece::default(),
            data: Piece::default(),
            length: None,
            out: Out::new(),
            is_counted: false,
        }
    }

    /// Forgets everything but the memory for a head; `spare` gets the buffers.
    pub(crate) fn clear(&mut self, mut spare: impl FnMut(Vec<u8>)) {
        self.stage = Stage::Params;
        self.length = None;
        for piece in [&mut self.params, &mut self.body, &mut self.data] {
            if piece.len() > 0 {
                spare(std::mem::take(piece).store);
            }
        }
        self.out.clear();
    }

    /// Whether it has something whose destructor is the application's.
    #[inline]
    pub(crate) fn has_code(&self) -> bool {
        matches!(self.stage, Stage::Task { .. }) || self.out.has_producer()
    }

    pub(crate) fn waits_for_params(&self) -> bool {
        matches!(self.stage, Stage::Params)
    }

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
    store: Vec<u8>,
}

impl Piece {
    pub(crate) fn len(&self) -> usize {
        if self.store.is_empty() {
            self.range.len()
        } else {
            self.store.len()
        }
    }

    /// The memory, empty or not.
    pub(crate) fn into_store(self) -> Vec<u8> {
        self.store
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
    use super::Piece;

    #[test]
    fn pieces_are_copied_only_when_they_have_to_be() {
        let slice = b"abcdefgh";
        let mut spare = vec![Vec::with_capacity(99)];
        let mut piece = Piece::default();
        piece.push(slice, 1..3, &mut spare);
        assert_eq!((piece.bytes(slice), spare.len()), (&b"bc"[..], 1));
        piece.push(slice, 5..6, &mut spare);
        assert_eq!((piece.bytes(slice), spare.len()), (&b"bcf"[..], 0));
        piece.keep(slice, &mut spare);
        assert_eq!((piece.bytes(b""), piece.len()), (&b"bcf"[..], 3));
        let mut piece = Piece::default();
        piece.push(slice, 0..2, &mut spare);
        piece.keep(slice, &mut spare);
        piece.push(b"xyz", 2..3, &mut spare);
        assert_eq!(piece.bytes(b"xyz"), b"abz");
    }
}
