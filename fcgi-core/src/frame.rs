//! Records going out: gather lists around borrowed bodies, and short encoded runs.

use core::fmt;
use core::ops::Deref;

use crate::wire::{EndRequest, HEADER_LEN, Header, ProtocolStatus, RecordType, RequestId};

/// The most content that one outgoing record carries: a multiple of 8 below 65,536, so that full
/// records need no padding (§3.3).
pub const MAX_CONTENT: usize = 65_528;

static ZEROS: [u8; 8] = [0; 8];

/// One record on its way out: header, borrowed content, padding with zeros.
///
/// Nothing is copied: give [`parts`](Record::parts) to a vectored write and tell
/// [`advance`](Record::advance) how much of it went out.
#[derive(Clone, Debug)]
#[must_use = "a record that is not sent leaves the stream with a hole"]
pub struct Record<'b> {
    header: [u8; HEADER_LEN],
    content: &'b [u8],
    padding_length: u8,
    sent: usize,
}

impl Record<'_> {
    /// The length of a record's header in bytes (§3.3).
    pub const HEADER_LEN: usize = HEADER_LEN;
}

impl<'b> Record<'b> {
    /// Takes the content of one record from the front of `bytes`.
    ///
    /// The lengths in the header come from the slice that is sent and from nowhere else.
    pub(crate) fn cut(record_type: RecordType, request_id: u16, bytes: &mut &'b [u8]) -> Self {
        let (content, rest) = bytes.split_at(bytes.len().min(MAX_CONTENT));
        *bytes = rest;
        // At most MAX_CONTENT, which fits.
        let content_length = u16::try_from(content.len()).unwrap_or(u16::MAX);
        let padding_length = padding(content_length);
        let header = Header {
            record_type,
            request_id,
            content_length,
            padding_length,
        }
        .encode();
        Record {
            header,
            content,
            padding_length,
            sent: 0,
        }
    }

    /// An empty record: the end of a stream (§3.3).
    pub(crate) fn empty(record_type: RecordType, request_id: u16) -> Record<'static> {
        Record::cut(record_type, request_id, &mut &[][..])
    }

    /// What has not been sent yet, in order: header, content, padding. Any of them may be empty.
    #[must_use]
    pub fn parts(&self) -> [&[u8]; 3] {
        let padding = self.padding();
        let mut skip = self.sent;
        [&self.header, self.content, padding].map(|part: &[u8]| {
            let (gone, left) = part.split_at(skip.min(part.len()));
            skip = skip.saturating_sub(gone.len());
            left
        })
    }

    /// The header, for a caller who has left room for it where the content lies.
    #[must_use]
    #[inline]
    pub const fn header(&self) -> [u8; Record::HEADER_LEN] {
        self.header
    }

    /// The padding: zeros that belong behind the content.
    #[must_use]
    #[inline]
    pub fn padding(&self) -> &'static [u8] {
        ZEROS
            .get(..usize::from(self.padding_length))
            .unwrap_or_default()
    }

    /// Bytes that have not been sent yet.
    #[must_use]
    pub fn len(&self) -> usize {
        let whole = HEADER_LEN
            .saturating_add(self.content.len())
            .saturating_add(usize::from(self.padding_length));
        whole.saturating_sub(self.sent)
    }

    /// Whether all of it has been sent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Notes that `count` more bytes were sent; returns how many of them lay beyond this record's
    /// end, and so belong to what follows it.
    pub fn advance(&mut self, count: usize) -> usize {
        let taken = count.min(self.len());
        self.sent = self.sent.saturating_add(taken);
        count.saturating_sub(taken)
    }
}

/// Padding to the next multiple of 8 bytes (§3.3).
const fn padding(content_length: u16) -> u8 {
    let [_, low] = content_length.to_be_bytes();
    low.wrapping_neg() & 7
}

/// The header of an empty record, which is the whole record.
pub(crate) const fn empty_header(record_type: RecordType, id: RequestId) -> [u8; 8] {
    Header {
        record_type,
        request_id: id.get(),
        content_length: 0,
        padding_length: 0,
    }
    .encode()
}

/// END_REQUEST (§5.5): its header and its body.
pub(crate) fn end_request(
    id: RequestId,
    app_status: u32,
    protocol_status: ProtocolStatus,
) -> [[u8; 8]; 2] {
    let header = Header {
        record_type: RecordType::END_REQUEST,
        request_id: id.get(),
        content_length: 8,
        padding_length: 0,
    };
    let body = EndRequest {
        app_status,
        protocol_status,
    };
    [header.encode(), body.encode()]
}

/// A short run of encoded bytes, held by value: at most `N` of them.
#[derive(Clone, PartialEq, Eq)]
#[must_use = "these bytes are owed to the peer"]
pub struct Encoded<const N: usize>(heapless::Vec<u8, N, u8>);

impl<const N: usize> Encoded<N> {
    /// One piece after the other. The callers' pieces fit by their sizes, which the tests of each
    /// encoder hold at the largest values.
    pub(crate) fn concat(pieces: &[&[u8]]) -> Self {
        let mut bytes = heapless::Vec::new();
        for piece in pieces {
            let fits = bytes.extend_from_slice(piece);
            debug_assert!(fits.is_ok(), "Encoded<{N}> is too small");
        }
        Encoded(bytes)
    }
}

impl<const N: usize> Deref for Encoded<N> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl<const N: usize> AsRef<[u8]> for Encoded<N> {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl<const N: usize> fmt::Debug for Encoded<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Encoded({:02x?})", &self[..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn a_record_survives_writers_of_any_size() {
        for length in [0usize, 1, 7, 8, 9, 65_527, 65_528, 65_529] {
            let body: Vec<u8> = (0..length)
                .map(|i| u8::try_from(i % 251).unwrap())
                .collect();
            for step in [1usize, 3, 8, 9, 4096, usize::MAX] {
                if length > 100 && step < 1000 {
                    continue;
                }
                let mut rest = &body[..];
                let mut record = Record::cut(RecordType::STDOUT, 7, &mut rest);
                let mut out = Vec::new();
                while !record.is_empty() {
                    let mut budget = step.min(record.len());
                    let wrote = budget;
                    for part in record.parts() {
                        let n = part.len().min(budget);
                        out.extend_from_slice(&part[..n]);
                        budget -= n;
                    }
                    assert_eq!(record.advance(wrote), 0);
                }
                assert_eq!(record.advance(5), 5, "beyond the end");
                let sent = length.min(MAX_CONTENT);
                assert_eq!(rest.len(), length - sent);
                assert_eq!(out.len() % 8, 0);
                assert_eq!(&out[..2], [1, 6]);
                assert_eq!(usize::from(u16::from_be_bytes([out[4], out[5]])), sent);
                assert_eq!(&out[8..8 + sent], &body[..sent]);
                assert!(out[8 + sent..].iter().all(|&byte| byte == 0));
            }
        }
    }
}
