//! A byte stream cut into records (FastCGI §3.3), whatever the cuts of the input.

use std::fmt;

use fcgi_core::wire::{HEADER_LEN, Header, Record, UnsupportedVersion};

/// The beginning of the record that is not complete yet: at most 65,798 bytes.
#[derive(Debug, Default)]
pub(super) struct Records {
    held: Vec<u8>,
    /// Where in the stream the first held byte lies.
    at: u64,
    broken: bool,
}

/// What was found in the stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// A whole record.
    Record {
        /// The record.
        record: Record<'a>,
        /// All its bytes, from the header to the padding.
        bytes: &'a [u8],
    },
    /// A header of another version: from here on nobody knows where records begin.
    Broken {
        /// Where in the stream the header lies.
        at: u64,
        /// What is wrong with it.
        why: UnsupportedVersion,
    },
}

/// The stream has ended inside a record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Truncated {
    /// Where in the stream the record begins.
    pub(super) at: u64,
    /// How many of its bytes are there.
    pub(super) present: usize,
    /// How many it should have; those of the header if that is not complete.
    pub(super) length: usize,
}

impl fmt::Display for Truncated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Truncated {
            at,
            present,
            length,
        } = self;
        let what = if *length > HEADER_LEN {
            "record"
        } else {
            "header"
        };
        write!(
            f,
            "(truncated: {present} of {length} bytes of the {what} at byte {at})"
        )
    }
}

impl Records {
    /// Takes the next bytes, and gives each record that they complete to `see`. Once the stream is
    /// broken the bytes are only counted.
    pub(super) fn push(&mut self, mut bytes: &[u8], mut see: impl FnMut(Found<'_>)) {
        while !bytes.is_empty() && !self.broken {
            let missing = self.length().saturating_sub(self.held.len());
            let (piece, rest) = bytes.split_at(missing.min(bytes.len()));
            self.held.extend_from_slice(piece);
            bytes = rest;
            if let Err(why) = self.header().transpose() {
                self.broken = true;
                see(Found::Broken { at: self.at, why });
            } else if let Ok((_, record)) = Record::parse(&self.held) {
                let bytes = &self.held;
                see(Found::Record { record, bytes });
                self.at += self.held.len() as u64;
                self.held.clear();
            }
        }
    }

    /// What is left over when the stream has ended; `None` between two records, and in a stream
    /// that was broken anyway.
    pub(super) fn truncated(&self) -> Option<Truncated> {
        (!self.held.is_empty() && !self.broken).then(|| Truncated {
            at: self.at,
            present: self.held.len(),
            length: self.length(),
        })
    }

    fn header(&self) -> Option<Result<Header, UnsupportedVersion>> {
        self.held.first_chunk::<HEADER_LEN>().map(Header::decode)
    }

    /// The length of the record, as far as it is known: of its header, until that is complete.
    fn length(&self) -> usize {
        let Some(Ok(header)) = self.header() else {
            return HEADER_LEN;
        };
        HEADER_LEN + usize::from(header.content_length) + usize::from(header.padding_length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fcgi_tests::hand::{self, STDIN};

    fn seen(records: &mut Records, bytes: &[u8]) -> Vec<String> {
        let mut seen = Vec::new();
        records.push(bytes, |found| match found {
            Found::Record { record, bytes } => seen.push(format!("{record} {}", bytes.len())),
            Found::Broken { at, why } => seen.push(format!("{at} {}", why.0)),
        });
        seen
    }

    #[test]
    fn the_cuts_of_the_input_do_not_matter() {
        let stream = [
            hand::begin(1, hand::RESPONDER, hand::CLOSE),
            hand::record(STDIN, 1, b"abc", 5),
            hand::record(STDIN, 1, b"", 0),
            hand::record(STDIN, 1, &[b'x'; 65_535], 255),
        ]
        .concat();
        let whole = seen(&mut Records::default(), &stream);
        assert_eq!(whole.len(), 4);
        assert_eq!(whole[1], r#"{FCGI_STDIN, 1, "abc"} 16"#);
        for step in [1, 2, 7, 8, 9, 1000] {
            let mut records = Records::default();
            let pieces = stream.chunks(step);
            let pieces: Vec<String> = pieces.flat_map(|piece| seen(&mut records, piece)).collect();
            assert_eq!(pieces, whole, "in steps of {step}");
            assert_eq!(records.truncated(), None);
        }
    }

    #[test]
    fn what_is_missing_at_the_end() {
        let record = hand::record(STDIN, 1, b"abc", 5);
        for (present, length) in [(1, 8), (7, 8), (8, 16), (15, 16)] {
            let mut records = Records::default();
            seen(&mut records, &record);
            assert!(seen(&mut records, &record[..present]).is_empty());
            let at = 16;
            let truncated = Truncated {
                at,
                present,
                length,
            };
            assert_eq!(records.truncated(), Some(truncated));
        }
    }

    #[test]
    fn a_broken_stream_is_reported_once() {
        let mut records = Records::default();
        let stream = [
            hand::record(STDIN, 1, b"", 0),
            b"GET / HTTP/1.1\r\n".to_vec(),
        ]
        .concat();
        assert_eq!(
            seen(&mut records, &stream),
            [r#"{FCGI_STDIN, 1, ""} 8"#, "8 71"]
        );
        assert!(seen(&mut records, &stream).is_empty());
        assert_eq!(records.truncated(), None);
    }
}
