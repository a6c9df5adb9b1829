//! Name-value pairs (FastCGI §3.4) in records that may cut them anywhere.

use std::collections::BTreeMap;

use fcgi_core::wire::{Pair, pair};

/// So many bytes of pairs that are not whole yet are kept for one direction of a connection.
const MOST_HELD: usize = 1 << 20;

/// The PARAMS streams of one direction, by the id of their request.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    streams: BTreeMap<u16, Stream>,
    held: usize,
}

#[derive(Debug)]
enum Stream {
    /// The beginning of a pair.
    Held(Vec<u8>),
    /// A pair was too long to be kept.
    GivenUp,
}

/// What became of the content of a record after its pairs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Rest {
    /// Nothing is left.
    Nothing,
    /// The last pair goes on in the next record.
    GoesOn,
    /// The pair is too long to be kept: the rest of the stream is not read as pairs.
    TooLong,
    /// The stream had been given up before.
    Unread,
}

impl Pairs {
    /// Forgets the stream of a request, which begins or ends; whether it ended inside a pair.
    pub(super) fn end(&mut self, id: u16) -> bool {
        match self.streams.remove(&id) {
            Some(Stream::Held(held)) => {
                self.held -= held.len();
                true
            }
            Some(Stream::GivenUp) | None => false,
        }
    }

    /// Gives each pair that this piece of the stream completes to `see`.
    pub(super) fn push(&mut self, id: u16, content: &[u8], see: impl FnMut(Pair<'_>)) -> Rest {
        let mut joined = match self.streams.remove(&id) {
            Some(Stream::GivenUp) => {
                self.streams.insert(id, Stream::GivenUp);
                return Rest::Unread;
            }
            Some(Stream::Held(held)) => {
                self.held -= held.len();
                held
            }
            None => Vec::new(),
        };
        joined.extend_from_slice(content);
        let left = whole(&joined, see);
        if left == 0 {
            return Rest::Nothing;
        }
        if self.held + left > MOST_HELD {
            self.streams.insert(id, Stream::GivenUp);
            return Rest::TooLong;
        }
        joined.drain(..joined.len() - left);
        self.held += left;
        self.streams.insert(id, Stream::Held(joined));
        Rest::GoesOn
    }
}

/// Gives the pairs of a slice to `see`; how many bytes are left that are no whole pair.
pub(super) fn whole(mut bytes: &[u8], mut see: impl FnMut(Pair<'_>)) -> usize {
    while let Ok((rest, pair)) = pair(bytes) {
        bytes = rest;
        see(pair);
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use fcgi_tests::hand;

    fn push(pairs: &mut Pairs, id: u16, content: &[u8]) -> (Vec<String>, Rest) {
        let mut seen = Vec::new();
        let rest = pairs.push(id, content, |pair| {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            seen.push(format!("{}={}", text(pair.name), text(pair.value)));
        });
        (seen, rest)
    }

    #[test]
    fn pairs_that_records_cut() {
        let stream = hand::pair_bytes(&[("A", "1"), ("LONG", &"x".repeat(300)), ("B", "")]);
        let expected = [
            "A=1".to_owned(),
            format!("LONG={}", "x".repeat(300)),
            "B=".to_owned(),
        ];
        for step in [1, 2, 3, 100, 1000] {
            let mut pairs = Pairs::default();
            let mut seen = Vec::new();
            for piece in stream.chunks(step) {
                seen.extend(push(&mut pairs, 1, piece).0);
                // Another request in between does not disturb.
                let other = push(&mut pairs, 2, &hand::pair("C", "2"));
                assert_eq!(other, (vec!["C=2".to_owned()], Rest::Nothing));
            }
            assert_eq!(seen, expected);
            assert_eq!(pairs.held, 0);
            assert!(!pairs.end(1));
        }
    }

    #[test]
    fn what_is_held_is_bounded() {
        let mut pairs = Pairs::default();
        let head = [&[1][..], &hand::long_length(0x7fff_ffff)].concat();
        assert_eq!(push(&mut pairs, 1, &head).1, Rest::GoesOn);
        let piece = vec![b'x'; 65_535];
        let mut rest = Rest::GoesOn;
        while rest == Rest::GoesOn {
            assert!(pairs.held <= MOST_HELD);
            rest = push(&mut pairs, 1, &piece).1;
        }
        assert_eq!(rest, Rest::TooLong);
        assert_eq!(pairs.held, 0);
        assert_eq!(push(&mut pairs, 1, &piece).1, Rest::Unread);
        assert!(!pairs.end(1), "that stream was not read to its end");
        // The id is as good as new.
        assert_eq!(push(&mut pairs, 1, &hand::pair("A", "1")).1, Rest::Nothing);
        assert_eq!(push(&mut pairs, 1, &[1]).1, Rest::GoesOn);
        assert!(pairs.end(1), "ended inside a pair");
        assert_eq!(pairs.held, 0);
    }
}
