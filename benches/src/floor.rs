//! The floor: a walk over the records and the name-value pairs of one buffer, by hand.
//!
//! It checks every length against the bytes that are there, and does nothing else: it keeps no
//! state between calls, knows no request, takes PARAMS to be one record, and judges nothing. Its
//! numbers are the specification's own; nothing of it comes from the library.

/// What a walk has seen, so that no compiler can leave the walk out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Seen {
    /// How many pairs there were.
    pub pairs: usize,
    /// The lengths of all names and values together, in bytes.
    pub lengths: usize,
}

/// Walks the records of `input`, and the pairs of those of PARAMS; `None` if anything is cut.
#[must_use]
pub fn walk(mut input: &[u8]) -> Option<Seen> {
    let mut seen = Seen::default();
    while !input.is_empty() {
        let (&[_, kind, _, _, high, low, padding, _], rest) = input.split_first_chunk()?;
        let (content, rest) =
            rest.split_at_checked(usize::from(u16::from_be_bytes([high, low])))?;
        input = rest.get(usize::from(padding)..)?;
        if kind == 4 {
            walk_pairs(content, &mut seen)?;
        }
    }
    Some(seen)
}

/// Walks the name-value pairs of a whole stream.
fn walk_pairs(mut stream: &[u8], seen: &mut Seen) -> Option<()> {
    while !stream.is_empty() {
        let name_length = take_length(&mut stream)?;
        let value_length = take_length(&mut stream)?;
        let (_name, rest) = stream.split_at_checked(name_length)?;
        let (_value, rest) = rest.split_at_checked(value_length)?;
        stream = rest;
        seen.pairs += 1;
        seen.lengths += name_length + value_length;
    }
    Some(())
}

/// One byte below 128, else four of which the top bit does not count.
fn take_length(stream: &mut &[u8]) -> Option<usize> {
    let (&first, rest) = stream.split_first()?;
    if first < 128 {
        *stream = rest;
        return Some(usize::from(first));
    }
    let (&[_, b, c, d], rest) = stream.split_first_chunk()?;
    *stream = rest;
    usize::try_from(u32::from_be_bytes([first & 127, b, c, d])).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use fcgi_tests::nginx_request::{self, Site};

    #[test]
    fn sees_every_pair() {
        let site = Site::default();
        let pairs = nginx_request::pairs(&site);
        let lengths = pairs
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        let bytes = nginx_request::bytes(&site);
        let seen = Seen {
            pairs: pairs.len(),
            lengths,
        };
        assert_eq!(walk(&bytes), Some(seen));
        assert_eq!(walk(&bytes[..bytes.len() - 1]), None);
    }

    #[test]
    fn long_lengths() {
        let mut input = vec![
            1,
            4,
            0,
            1,
            0,
            8 + 3,
            1,
            0,
            0x80,
            0,
            0,
            3,
            0x80,
            0,
            0,
            0,
            1,
            2,
            3,
            0,
        ];
        assert_eq!(
            walk(&input),
            Some(Seen {
                pairs: 1,
                lengths: 3
            })
        );
        input[11] = 4;
        assert_eq!(walk(&input), None);
    }
}
