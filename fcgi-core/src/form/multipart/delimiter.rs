//! The delimiter: found in slices that may be cut anywhere in it.

use core::ops::Range;

use memchr::{memchr, memchr2};

use super::boundary::{Boundary, LONGEST};

/// The most blanks and TABs between a boundary and the end of its line.
pub(super) const PADDING: usize = 64;

/// Before the boundary.
const START: &[u8] = b"\r\n--";

/// The delimiter, its padding, and a CR.
const LINE: usize = START.len() + LONGEST + PADDING + 1;

/// Looks for the lines that cut a form into parts (RFC 2046 §5.1.1).
///
/// ```text
///    CR LF "-" "-" boundary   padding CR LF      a part follows
///                             "-" "-"            the form is over
///                             anything else      this is data
/// ```
///
/// A line that has begun when a slice ends is kept back: its bytes are those of the delimiter,
/// which are here anyway, and the few of its tail. A line end is at the beginning of a delimiter
/// and nowhere else in it, so a match that fails leaves nothing to look at again: the work is
/// linear, without a table of the delimiter's own repetitions.
#[derive(Clone, Debug)]
pub(super) struct Delimiter {
    /// CRLF, `--` and the boundary; then what has come of the tail.
    line: heapless::Vec<u8, LINE, u8>,
    /// Bytes of `line` without the tail.
    length: usize,
    /// What of `line` has matched; 0 when no line has begun.
    matched: usize,
    /// Where in `line` the bytes begin that did come: 2 at a place where a line begins anyway.
    start: usize,
    /// Whether LF alone ends a line.
    bare_lf: bool,
    /// For each byte, how far the last byte of the delimiter is behind the last place where that
    /// byte is in it.
    leaps: [u8; 256],
}

/// What [`Delimiter::search`] came to.
#[derive(Debug)]
pub(super) enum Found<'i> {
    /// The end of the input.
    Nothing,
    /// Data, from the front of the input.
    Data(&'i [u8]),
    /// Data that had been kept back: a range of [`Delimiter::line`].
    Held(Range<usize>),
    /// A delimiter: a part follows.
    Part,
    /// The closing delimiter.
    Close,
    /// A delimiter with more than [`PADDING`] blanks.
    TooLong,
}

impl Delimiter {
    /// Stands at the beginning of a line.
    pub(super) fn new(boundary: &Boundary, bare_lf: bool) -> Self {
        let mut line = heapless::Vec::new();
        // They fit: LINE has room for the longest of them.
        let _ = line.extend_from_slice(START);
        let _ = line.extend_from_slice(boundary.as_bytes());
        // A LF may be all there is before the boundary: the CR does not count then.
        let shortest = line.len().saturating_sub(usize::from(bare_lf));
        let mut leaps = [u8::try_from(shortest).unwrap_or(1); 256];
        let mut behind = u8::try_from(line.len()).unwrap_or(1);
        for &byte in &line {
            behind = behind.saturating_sub(1);
            if let Some(leap) = leaps.get_mut(usize::from(byte)).filter(|_| behind > 0) {
                *leap = behind;
            }
        }
        Delimiter {
            length: line.len(),
            line,
            matched: 2,
            start: 2,
            bare_lf,
            leaps,
        }
    }

    /// A line begins with the next byte, so that a delimiter needs no line end before it: at the
    /// very start, and behind the head of a part, whose last line end may be the delimiter's own.
    pub(super) fn begin_line(&mut self) {
        self.line.truncate(self.length);
        self.matched = 2;
        self.start = 2;
    }

    /// The delimiter with what was kept back.
    pub(super) fn line(&self) -> &[u8] {
        &self.line
    }

    /// Takes data or delimiters from the front of `input`, until there is one to report.
    pub(super) fn search<'i>(&mut self, input: &mut &'i [u8]) -> Found<'i> {
        loop {
            if self.matched == 0 {
                let (data, rest) = self.cut_at_candidate(input);
                *input = rest;
                if !data.is_empty() {
                    return Found::Data(data);
                }
            }
            match self.advance(input) {
                Found::Held(range) if range.is_empty() => {}
                found => return found,
            }
        }
    }

    /// Cuts where a delimiter begins that is whole, or that the end of the input cuts off.
    fn cut_at_candidate<'i>(&self, input: &'i [u8]) -> (&'i [u8], &'i [u8]) {
        let mut rest = self.skip_data(input);
        while let Some(candidate) = self.first_line_end(rest) {
            let first = self.first_of(candidate);
            let matched = self.matching(first, candidate);
            if matched == candidate.len() || matched.saturating_add(first) == self.length {
                let at = input.len().saturating_sub(candidate.len());
                return input.split_at_checked(at).unwrap_or((input, &[]));
            }
            rest = candidate.get(matched.max(1)..).unwrap_or_default();
        }
        (input, &[])
    }

    /// Skips to the first whole delimiter, or to what is left when no more fits in (Horspool): a
    /// byte that is not in the delimiter lets it leap over as many bytes as that is long.
    fn skip_data<'i>(&self, input: &'i [u8]) -> &'i [u8] {
        let first = usize::from(self.bare_lf);
        let wanted = self.line.get(first..self.length).unwrap_or_default();
        let last = wanted.len().saturating_sub(1);
        let mut rest = input;
        while let Some(&byte) = rest.get(last) {
            // It begins with the only CR or LF that is in it, so that no byte is compared twice.
            if wanted.last() == Some(&byte) && rest.starts_with(wanted) {
                break;
            }
            let leap = self
                .leaps
                .get(usize::from(byte))
                .map_or(1, |&leap| leap.into());
            rest = rest.get(leap..).unwrap_or_default();
        }
        // With the CR that may be before a LF.
        let at = input.len().saturating_sub(rest.len()).saturating_sub(first);
        input.get(at..).unwrap_or_default()
    }

    /// `bytes` from the first byte on that can begin a delimiter.
    fn first_line_end<'i>(&self, bytes: &'i [u8]) -> Option<&'i [u8]> {
        let at = if self.bare_lf {
            memchr2(b'\r', b'\n', bytes)
        } else {
            memchr(b'\r', bytes)
        };
        bytes.get(at?..)
    }

    /// Where in the delimiter a candidate begins: a bare LF is its second byte.
    fn first_of(&self, candidate: &[u8]) -> usize {
        usize::from(self.bare_lf && candidate.starts_with(b"\n"))
    }

    /// How many of the first bytes of `input` are those of the delimiter from `from` on.
    fn matching(&self, from: usize, input: &[u8]) -> usize {
        let wanted = self.line.get(from..self.length).unwrap_or_default();
        let same = wanted.iter().zip(input).take_while(|(a, b)| a == b);
        same.count()
    }

    /// Takes bytes as long as they go on with the line.
    fn advance<'i>(&mut self, input: &mut &'i [u8]) -> Found<'i> {
        if self.matched == 0 {
            self.line.truncate(self.length);
            self.start = self.first_of(input);
            self.matched = self.start;
        }
        let matching = self.matching(self.matched, input);
        self.matched = self.matched.saturating_add(matching);
        *input = input.get(matching..).unwrap_or_default();
        if self.matched == self.length {
            return self.advance_tail(input);
        }
        if input.is_empty() {
            return Found::Nothing;
        }
        self.fail(self.matched)
    }

    fn advance_tail<'i>(&mut self, input: &mut &'i [u8]) -> Found<'i> {
        while let Some((&byte, rest)) = input.split_first() {
            let tail = self.line.get(self.length..).unwrap_or_default();
            let found = match (tail.last(), byte) {
                (Some(b'-'), b'-') => Some(Found::Close),
                (Some(b'\r'), b'\n') => Some(Found::Part),
                (None | Some(b' ' | b'\t'), b'\n') if self.bare_lf => Some(Found::Part),
                (None, b'-') | (None | Some(b' ' | b'\t'), b'\r') => None,
                (None | Some(b' ' | b'\t'), b' ' | b'\t') => {
                    (tail.len() >= PADDING).then_some(Found::TooLong)
                }
                _ => return self.fail(self.line.len()),
            };
            *input = rest;
            if let Some(found) = found {
                self.matched = 0;
                return found;
            }
            if self.line.push(byte).is_err() {
                return Found::TooLong;
            }
        }
        Found::Nothing
    }

    /// The line up to `end` was no delimiter.
    fn fail<'i>(&mut self, end: usize) -> Found<'i> {
        self.matched = 0;
        Found::Held(self.start..end)
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::{Boundary, Delimiter, Found, PADDING};

    /// The data, with `|` for a delimiter, `#` for the closing one and `!` for too long a one.
    fn cut(pieces: &[&[u8]], at_line_start: bool, bare_lf: bool) -> Vec<u8> {
        let mut delimiter = Delimiter::new(&Boundary::new("b-1").unwrap(), bare_lf);
        let mut seen = Vec::new();
        if !at_line_start {
            // A byte that is none of a delimiter, and comes back.
            assert!(matches!(
                delimiter.search(&mut &b"x"[..]),
                Found::Data(b"x")
            ));
        }
        for piece in pieces {
            let mut input = *piece;
            loop {
                match delimiter.search(&mut input) {
                    Found::Nothing => break,
                    Found::Data(data) => seen.extend_from_slice(data),
                    Found::Held(range) => seen.extend_from_slice(&delimiter.line()[range]),
                    Found::Part => seen.push(b'|'),
                    Found::Close => seen.push(b'#'),
                    Found::TooLong => seen.push(b'!'),
                }
            }
            assert!(input.is_empty());
        }
        seen
    }

    fn check(input: &str, at_line_start: bool, bare_lf: bool, expected: &str) {
        let bytes = input.as_bytes();
        for first in 0..=bytes.len() {
            for second in [
                first,
                bytes.len().min(first + 1),
                bytes.len().min(first + 5),
            ] {
                let pieces = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                let seen = cut(&pieces, at_line_start, bare_lf);
                assert_eq!(seen, expected.as_bytes(), "{input:?} at {first}, {second}");
            }
        }
        let single: Vec<_> = bytes.chunks(1).collect();
        assert_eq!(
            cut(&single, at_line_start, bare_lf),
            expected.as_bytes(),
            "{input:?}"
        );
    }

    #[test]
    fn delimiters_and_data() {
        for (input, expected) in [
            ("data\r\n--b-1\r\nmore", "data|more"),
            ("data\r\n--b-1--", "data#"),
            ("data\r\n--b-1--more", "data#more"),
            ("\r\n--b-1\r\n\r\n--b-1--", "|#"),
            ("a\r\n--b-1 \t \r\nb", "a|b"),
            // Nearly delimiters.
            ("a--b-1\r\n.", "a--b-1\r\n."),
            ("a\r\n--b-12\r\n--b-1--", "a\r\n--b-12#"),
            ("\r\n--b-1-\r\n--b-1-x", "\r\n--b-1-\r\n--b-1-x"),
            ("\r\n--b-1 x\r\n--b-1--", "\r\n--b-1 x#"),
            ("\r\n--b-1 -- \r\n.", "\r\n--b-1 -- \r\n."),
            ("\r\n--b-1\r\r\n--b-1--", "\r\n--b-1\r#"),
            ("\r\n--b-1 \r\r\n--b-1--", "\r\n--b-1 \r#"),
            ("\r\n--b-\r\n--b-\r\n--b-1--", "\r\n--b-\r\n--b-#"),
            ("\r\r\r\n\r\n-\r\n--b-1--", "\r\r\r\n\r\n-#"),
            ("\n--b-1\n\r--b-1\r\n.", "\n--b-1\n\r--b-1\r\n."),
            ("\r\n--B-1--x", "\r\n--B-1--x"),
        ] {
            check(input, false, false, expected);
        }
    }

    #[test]
    fn at_the_beginning_of_a_line() {
        for (input, expected) in [
            ("--b-1--", "#"),
            ("--b-1\r\n--b-1--", "|--b-1--"),
            ("--b-2\r\n--b-1--", "--b-2#"),
            ("-x", "-x"),
            ("x--b-1--", "x--b-1--"),
            ("\r\n--b-1--", "#"),
        ] {
            check(input, true, false, expected);
        }
    }

    #[test]
    fn bare_line_feeds() {
        for (input, expected) in [
            ("a\n--b-1\nb", "a|b"),
            ("a\r\n--b-1\nb\n--b-1\r\nc", "a|b|c"),
            ("a\n--b-1 \t\nb\n--b-1--", "a|b#"),
            ("\r\r\n--b-1\n\n\n--b-1--", "\r|\n#"),
            ("\n\r--b-1\n.", "\n\r--b-1\n."),
            ("\n--b-1x\n--b-1--", "\n--b-1x#"),
            ("\n\r\n\r--\n-.", "\n\r\n\r--\n-."),
        ] {
            check(input, false, true, expected);
        }
    }

    #[test]
    fn padding_has_a_limit() {
        let most = " ".repeat(PADDING);
        let input = std::format!("a\r\n--b-1{most}\r\nb");
        check(&input, false, false, "a|b");
        let input = std::format!("a\r\n--b-1{most}x");
        check(&input, false, false, &input);
        let input = std::format!("a\r\n--b-1{most} ");
        check(&input, false, false, "a!");
    }
}
