//! The choices of a conversation, and the wire with its clumsy writer and reader.

use std::collections::VecDeque;

use fcgi_core::Record;

/// Where choices come from: the given bytes, then a generator seeded by them. So a fuzzer steers
/// the beginning, and every conversation ends.
#[derive(Clone, Debug)]
pub struct Choices<'a> {
    bytes: &'a [u8],
    state: u64,
}

impl<'a> Choices<'a> {
    /// Takes its choices from `bytes` first.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        let mix = |state: u64, &byte| (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let state = bytes.iter().fold(0xcbf2_9ce4_8422_2325, mix) | 1;
        Choices { bytes, state }
    }

    /// A number below `limit`, which is not 0.
    pub fn below(&mut self, limit: usize) -> usize {
        if let Some((&byte, rest)) = self.bytes.split_first() {
            self.bytes = rest;
            return usize::from(byte) % limit;
        }
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        let [low, high, .., a, b] = self.state.to_le_bytes();
        usize::from(u16::from_le_bytes([low ^ a, high ^ b])) % limit
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// How many of `length` bytes, at least one if there are any: often few, often all.
    pub fn part_of(&mut self, length: usize) -> usize {
        let part = match self.below(4) {
            0 => 1,
            1 => 1 + self.below(20),
            2 => 1 + self.below(60_000),
            _ => length,
        };
        part.min(length)
    }
}

/// Something on its way out.
enum Out<'p> {
    Record(Record<'p>),
    Bytes(Vec<u8>),
}

/// One direction of the connection: what waits to be written, and what is written and not yet read.
pub(super) struct Pipe<'p> {
    queue: VecDeque<Out<'p>>,
    wire: VecDeque<u8>,
    /// The most bytes that one write takes: what a socket with little room does.
    most: usize,
}

impl<'p> Pipe<'p> {
    pub(super) fn new(choices: &mut Choices<'_>) -> Self {
        Pipe {
            queue: VecDeque::new(),
            wire: VecDeque::new(),
            most: [1, 3, 9, 4096, usize::MAX][choices.below(5)],
        }
    }

    /// Whether everything was written and read.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.wire.is_empty()
    }

    /// Whether so much waits that nothing more should be sent of one's own accord.
    pub(super) fn is_full(&self) -> bool {
        self.queue.len() >= 4
    }

    pub(super) fn record(&mut self, record: Record<'p>) {
        self.queue.push_back(Out::Record(record));
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.queue.push_back(Out::Bytes(bytes.to_vec()));
    }

    /// Some writes, each short as it likes; then somebody else has a turn, also in mid-record.
    pub(super) fn write(&mut self, choices: &mut Choices<'_>) {
        for _ in 0..=choices.below(500) {
            let Some(out) = self.queue.front_mut() else {
                return;
            };
            let left = match out {
                Out::Record(record) => write_record(record, self.most, &mut self.wire, choices),
                Out::Bytes(bytes) => {
                    let count = choices.part_of(bytes.len()).min(self.most);
                    self.wire.extend(bytes.drain(..count));
                    bytes.len()
                }
            };
            if left == 0 {
                self.queue.pop_front();
            }
        }
    }

    /// What one read gives: up to all that is on the wire.
    pub(super) fn read(&mut self, choices: &mut Choices<'_>) -> Vec<u8> {
        let count = choices.part_of(self.wire.len());
        self.wire.drain(..count).collect()
    }
}

/// A vectored write that takes some bytes across the three parts.
fn write_record(
    record: &mut Record<'_>,
    most: usize,
    wire: &mut VecDeque<u8>,
    choices: &mut Choices<'_>,
) -> usize {
    let parts = record.parts();
    assert_eq!(
        parts.iter().map(|part| part.len()).sum::<usize>(),
        record.len()
    );
    // A clumsy writer, but nobody waits for 65,528 writes of one byte.
    let skips_ahead = record.len() > 1000 && choices.one_in(50);
    let count = if skips_ahead {
        record.len() - 500
    } else {
        choices.part_of(record.len()).min(most)
    };
    let mut left = count;
    for part in parts {
        let (taken, _) = part.split_at(left.min(part.len()));
        wire.extend(taken);
        left -= taken.len();
    }
    assert_eq!(record.advance(count), 0);
    record.len()
}
