//! A byte stream cut into records (§3.3), whatever the cuts of the input.

use crate::error::Error;
use crate::wire::{HEADER_LEN, Header, RecordType, RequestId};

/// Where the stream is: inside a header, some content, or padding. 16 bytes.
///
/// Which of the three follows from the counters: content first, then padding, then the next header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Records {
    /// The pieces of a header, or of the body of a discrete record; never both at once.
    scratch: [u8; HEADER_LEN],
    filled: u8,
    padding_left: u8,
    content_left: u16,
    request_id: u16,
    record_type: RecordType,
}

impl Records {
    pub(crate) const fn new() -> Records {
        Records {
            scratch: [0; HEADER_LEN],
            filled: 0,
            padding_left: 0,
            content_left: 0,
            request_id: 0,
            record_type: RecordType(0),
        }
    }

    /// Eats what is left of the padding and the next header; `None` when the input is eaten up.
    #[inline]
    pub(crate) fn header(&mut self, input: &mut &[u8]) -> Result<Option<Header>, Error> {
        if self.padding_left != 0 {
            self.skip_padding(input);
        }
        let header = match input.split_first_chunk::<HEADER_LEN>() {
            Some((header, rest)) if self.filled == 0 => {
                *input = rest;
                Header::decode(header)
            }
            _ if !self.fill(input) => return Ok(None),
            _ => Header::decode(&self.scratch),
        };
        self.filled = 0;
        let header = header.map_err(|wrong| Error::Version { version: wrong.0 })?;
        self.record_type = header.record_type;
        self.request_id = header.request_id;
        self.content_left = header.content_length;
        self.padding_left = header.padding_length;
        Ok(Some(header))
    }

    /// Eats content of the current record; `None` when the input is eaten up.
    #[inline]
    pub(crate) fn content<'i>(&mut self, input: &mut &'i [u8]) -> Option<&'i [u8]> {
        if input.is_empty() {
            return None;
        }
        let left = usize::from(self.content_left);
        let (content, rest) = input.split_at(input.len().min(left));
        *input = rest;
        // No more than before, so it fits.
        self.content_left = u16::try_from(left.saturating_sub(content.len())).unwrap_or(0);
        Some(content)
    }

    #[inline]
    fn skip_padding(&mut self, input: &mut &[u8]) {
        let (padding, rest) = input.split_at(input.len().min(usize::from(self.padding_left)));
        *input = rest;
        let skipped = u8::try_from(padding.len()).unwrap_or(u8::MAX);
        self.padding_left = self.padding_left.saturating_sub(skipped);
    }

    /// Collects the pieces of a header; whether it is complete.
    #[cold]
    fn fill(&mut self, input: &mut &[u8]) -> bool {
        let missing = HEADER_LEN.saturating_sub(self.filled.into());
        let (piece, rest) = input.split_at(input.len().min(missing));
        *input = rest;
        self.collect(piece);
        usize::from(self.filled) == HEADER_LEN
    }

    /// Keeps up to eight bytes of a discrete record's body; the rest of a longer one is ignored.
    #[inline]
    pub(crate) fn collect(&mut self, piece: &[u8]) {
        if let (0, Some(whole)) = (self.filled, piece.first_chunk()) {
            self.scratch = *whole;
            self.filled = 8;
            return;
        }
        self.collect_piece(piece);
    }

    #[cold]
    #[inline(never)]
    fn collect_piece(&mut self, piece: &[u8]) {
        let room = self.scratch.iter_mut().skip(self.filled.into());
        for (place, &byte) in room.zip(piece) {
            *place = byte;
            self.filled = self.filled.saturating_add(1);
        }
    }

    /// The body that was collected, which is thereby forgotten.
    pub(crate) fn take_body(&mut self) -> [u8; HEADER_LEN] {
        self.filled = 0;
        self.scratch
    }

    /// The type of the current record.
    #[inline]
    pub(crate) fn record_type(&self) -> RecordType {
        self.record_type
    }

    /// The request of the current record; `None` for a management record.
    #[inline]
    pub(crate) fn request_id(&self) -> Option<RequestId> {
        RequestId::new(self.request_id)
    }

    /// Whether the current record's content has been eaten to its last byte.
    #[inline]
    pub(crate) fn is_content_done(&self) -> bool {
        self.content_left == 0
    }

    /// Whether the stream stands between two records.
    pub(crate) fn is_between(&self) -> bool {
        self.content_left == 0 && self.padding_left == 0 && self.filled == 0
    }
}
