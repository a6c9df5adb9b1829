//! Bytes on their way to the application.

use fcgi_core::Record;

/// With more than this waiting, no more of a body is taken from its client.
const ROOM: usize = 64 * 1024;

/// Records that the socket did not take yet.
#[derive(Default)]
pub(super) struct Outbox {
    bytes: Vec<u8>,
    /// How many of `bytes` were written.
    gone: usize,
    /// How many bytes were written in all.
    sent: u64,
}

impl Outbox {
    pub(super) fn is_empty(&self) -> bool {
        self.unsent().is_empty()
    }

    pub(super) fn has_room(&self) -> bool {
        self.unsent().len() < ROOM
    }

    pub(super) fn unsent(&self) -> &[u8] {
        &self.bytes[self.gone..]
    }

    /// How many bytes were written since the beginning of the connection.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// How many bytes were written or wait for it.
    pub(super) fn end(&self) -> u64 {
        self.sent + self.unsent().len() as u64
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn push_record(&mut self, record: &Record<'_>) {
        for part in record.parts() {
            self.push(part);
        }
    }

    /// So many bytes of what is unsent were written.
    pub(super) fn advance(&mut self, count: usize) {
        self.gone += count;
        self.sent += count as u64;
        if self.is_empty() {
            self.bytes.clear();
            self.bytes.shrink_to(4 * ROOM);
            self.gone = 0;
        } else if self.gone >= ROOM {
            self.bytes.drain(..self.gone);
            self.gone = 0;
        }
    }

    /// Gives up what was not written.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.gone = 0;
    }
}
