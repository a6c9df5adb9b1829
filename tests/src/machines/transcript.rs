//! Bytes beside what a receiver has to make of them, written down without the library.

use crate::hand;

/// What a machine reported: one event with its bytes owned.
///
/// Streams and roles are the specification's numbers, as in [`hand`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A request began.
    Begin {
        /// Its id.
        id: u16,
        /// Its role.
        role: u16,
        /// Whether the connection is kept.
        keep: bool,
    },
    /// A piece of a stream.
    Bytes {
        /// The request.
        id: u16,
        /// The record type of the stream.
        stream: u8,
        /// The piece.
        bytes: Vec<u8>,
    },
    /// The end of a stream.
    StreamEnd {
        /// The request.
        id: u16,
        /// The record type of the stream.
        stream: u8,
    },
    /// ABORT_REQUEST of this request.
    Abort(u16),
    /// An answer that the connection owes, encoded for 7 connections and 9 requests.
    Reply(Vec<u8>),
    /// END_REQUEST: id, appStatus, protocolStatus.
    Ended(u16, u32, u8),
    /// GET_VALUES_RESULT: FCGI_MAX_CONNS, FCGI_MAX_REQS, FCGI_MPXS_CONNS.
    Values(Option<u32>, Option<u32>, Option<bool>),
    /// UNKNOWN_TYPE for this type.
    UnknownType(u8),
}

/// Events, each with the number of bytes that had been consumed when it appeared.
pub type Log = Vec<(usize, Seen)>;

/// A log in which neighbouring pieces of one stream are one piece, which is there when its last
/// byte is: the same for every cut of the input.
#[must_use]
pub fn joined(log: Log) -> Log {
    let mut all = Log::new();
    for (offset, seen) in log {
        if let (
            Some((
                end,
                Seen::Bytes {
                    id: last_id,
                    stream: last_stream,
                    bytes: gathered,
                },
            )),
            Seen::Bytes { id, stream, bytes },
        ) = (all.last_mut(), &seen)
        {
            if (*last_id, *last_stream) == (*id, *stream) {
                gathered.extend(bytes);
                *end = offset;
                continue;
            }
        }
        all.push((offset, seen));
    }
    all
}

/// A conversation's one direction: its bytes, and the events that a receiver owes for them.
#[derive(Clone, Debug, Default)]
pub struct Transcript {
    bytes: Vec<u8>,
    events: Log,
    actions: Vec<(usize, u16)>,
    starts: Vec<usize>,
}

impl Transcript {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Records that nobody gets to see.
    pub fn skipped(&mut self, records: &[u8]) -> &mut Self {
        self.starts.push(self.bytes.len());
        self.bytes.extend(records);
        self
    }

    /// A record that becomes one event when its last byte of content is there.
    pub fn discrete(
        &mut self,
        kind: u8,
        id: u16,
        content: &[u8],
        padding: u8,
        seen: Seen,
    ) -> &mut Self {
        let offset = self.bytes.len() + 8 + content.len();
        self.events.push((offset, seen));
        self.skipped(&hand::record(kind, id, content, padding))
    }

    /// BEGIN_REQUEST that is taken.
    pub fn begin(&mut self, id: u16, role: u16, keep: bool, padding: u8) -> &mut Self {
        let content = [0, role.to_be_bytes()[1], keep.into(), 0, 0, 0, 0, 0];
        let seen = Seen::Begin { id, role, keep };
        self.discrete(hand::BEGIN_REQUEST, id, &content, padding, seen)
    }

    /// A record of a stream: each byte of it is an event; without content it is the stream's end.
    pub fn stream(&mut self, kind: u8, id: u16, content: &[u8], padding: u8) -> &mut Self {
        self.stream_until(content.len(), kind, id, content, padding)
    }

    /// As [`stream`](Self::stream), but after `taken` bytes of content the receiver
    /// [acts](Self::act), and the rest of the record is skipped.
    pub fn stream_then_act(
        &mut self,
        taken: usize,
        kind: u8,
        id: u16,
        content: &[u8],
        padding: u8,
    ) -> &mut Self {
        self.actions.push((self.bytes.len() + 8 + taken, id));
        self.stream_until(taken, kind, id, content, padding)
    }

    /// Here the receiver acts on a request: an application ends it, a web server begins it.
    pub fn act(&mut self, id: u16) -> &mut Self {
        self.actions.push((self.bytes.len(), id));
        self
    }

    fn stream_until(
        &mut self,
        taken: usize,
        stream: u8,
        id: u16,
        content: &[u8],
        padding: u8,
    ) -> &mut Self {
        let first = self.bytes.len() + 8;
        if content.is_empty() {
            self.events.push((first, Seen::StreamEnd { id, stream }));
        }
        for (at, &byte) in content[..taken].iter().enumerate() {
            let bytes = vec![byte];
            self.events
                .push((first + at + 1, Seen::Bytes { id, stream, bytes }));
        }
        self.skipped(&hand::record(stream, id, content, padding))
    }

    /// Its first `length` bytes, and what the receiver does within them.
    #[must_use]
    pub fn up_to(&self, length: usize) -> Self {
        let mut part = self.clone();
        part.bytes.truncate(length);
        part.events.retain(|(offset, _)| *offset <= length);
        part.actions.retain(|(offset, _)| *offset <= length);
        part.starts.retain(|start| *start < length);
        part
    }

    /// All bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The events when the bytes come one by one.
    #[must_use]
    pub fn events(&self) -> &Log {
        &self.events
    }

    /// Where the receiver acts, and on which request, in order.
    #[must_use]
    pub fn actions(&self) -> &[(usize, u16)] {
        &self.actions
    }

    /// Where each record, or group of skipped ones, begins.
    #[must_use]
    pub fn starts(&self) -> &[usize] {
        &self.starts
    }
}
