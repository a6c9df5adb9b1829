//! The answer while it comes: head, then body.

use std::io::{self, Write};

use fcgi_core::cgi::{Head, HeadLimits, HeadParser, ParseError, Status};

/// Takes an answer.
pub trait Receive {
    /// The head is complete.
    ///
    /// # Errors
    ///
    /// They end the request.
    fn head(&mut self, head: &Head<'_>) -> io::Result<()>;

    /// A piece of the body.
    ///
    /// # Errors
    ///
    /// They end the request.
    fn body(&mut self, bytes: &[u8]) -> io::Result<()>;
}

/// So much of a body is kept in memory, in bytes.
const MOST_BODY: usize = 64 << 20;

/// Keeps an answer in memory. A body of more than 64 MiB ends the request.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Whole {
    /// The fields of the head, in order, without `Status`.
    pub fields: Vec<(Vec<u8>, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Receive for Whole {
    fn head(&mut self, head: &Head<'_>) -> io::Result<()> {
        let fields = head
            .fields()
            .map(|(name, value)| (name.to_vec(), value.to_vec()));
        self.fields = fields.collect();
        Ok(())
    }

    fn body(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.body.len() + bytes.len() > MOST_BODY {
            let why = "the body is longer than 64 MiB";
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
        }
        self.body.extend_from_slice(bytes);
        Ok(())
    }
}

/// So much of STDERR is kept in memory, in bytes.
const MOST_ERRORS: usize = 1 << 20;

/// Keeps what the application writes to its standard error: the first MiB of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Errors {
    /// What came.
    pub bytes: Vec<u8>,
}

impl Write for Errors {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = MOST_ERRORS - self.bytes.len();
        self.bytes
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// STDOUT of the application, cut into head and body.
pub(super) struct Stdout<'r> {
    receive: &'r mut dyn Receive,
    parser: HeadParser<Vec<u8>>,
    has_head: bool,
    malformed: Option<ParseError>,
    search: Option<Search<'r>>,
    length: u64,
}

impl<'r> Stdout<'r> {
    pub(super) fn new(receive: &'r mut dyn Receive, text: Option<&'r str>) -> Stdout<'r> {
        Stdout {
            receive,
            parser: HeadParser::new(Vec::new(), HeadLimits::default()),
            has_head: false,
            malformed: None,
            search: text.map(Search::new),
            length: 0,
        }
    }

    /// What was wrong with the head, if that is why nothing more was taken.
    pub(super) fn malformed(&self) -> Option<ParseError> {
        self.malformed
    }

    /// The status, at the end of STDOUT.
    pub(super) fn finish(&self) -> Result<Status, ParseError> {
        self.parser.finish()?;
        // The head is there, as that has not failed.
        Ok(self.parser.head().map_or(Status::OK, |head| head.status()))
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    pub(super) fn has_text(&self) -> bool {
        self.search.as_ref().is_none_or(|search| search.found)
    }
}

impl Write for Stdout<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        if !self.has_head {
            let complete = self.parser.push(&mut rest).map_err(|error| {
                self.malformed = Some(error);
                io::Error::new(io::ErrorKind::InvalidData, error)
            })?;
            let Some(head) = self.parser.head().filter(|_| complete) else {
                return Ok(bytes.len());
            };
            self.has_head = true;
            self.receive.head(&head)?;
        }
        if !rest.is_empty() {
            self.length += rest.len() as u64;
            if let Some(search) = &mut self.search {
                search.push(rest);
            }
            self.receive.body(rest)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Looks for a text in bytes that come in pieces.
struct Search<'t> {
    text: &'t [u8],
    /// The last bytes, fewer than the text has.
    tail: Vec<u8>,
    found: bool,
}

impl<'t> Search<'t> {
    fn new(text: &'t str) -> Search<'t> {
        Search {
            text: text.as_bytes(),
            tail: Vec::new(),
            found: text.is_empty(),
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        if self.found {
            return;
        }
        self.tail.extend_from_slice(bytes);
        let mut windows = self.tail.windows(self.text.len());
        self.found = windows.any(|window| window == self.text);
        let kept = self.tail.len().min(self.text.len() - 1);
        self.tail.drain(..self.tail.len() - kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_across_pieces() {
        let page = b"a long ppage with a long page";
        for (text, expected) in [
            ("long page", true),
            ("long p", true),
            ("lond", false),
            ("", true),
        ] {
            for step in [1, 2, 5, 100] {
                let mut search = Search::new(text);
                page.chunks(step).for_each(|piece| search.push(piece));
                assert_eq!(search.found, expected, "{text} in steps of {step}");
                assert!(search.tail.len() < text.len().max(1));
            }
        }
    }

    #[test]
    fn head_and_body_in_any_pieces() {
        let answer = b"Status: 404\nContent-Type: text/plain\nX: 1\n\nnot there";
        for step in [1, 7, 100] {
            let mut whole = Whole::default();
            let mut stdout = Stdout::new(&mut whole, Some("not"));
            for piece in answer.chunks(step) {
                stdout.write_all(piece).unwrap();
            }
            assert_eq!(stdout.finish(), Ok(Status::NOT_FOUND));
            assert_eq!((stdout.length(), stdout.has_text()), (9, true));
            assert_eq!(whole.body, b"not there");
            let fields = [("Content-Type", "text/plain"), ("X", "1")];
            assert_eq!(whole.fields, fields.map(|(n, v)| (n.into(), v.into())));
        }
        let mut whole = Whole::default();
        let mut stdout = Stdout::new(&mut whole, None);
        stdout.write_all(b"Content-Type: text/plain\n").unwrap();
        assert!(matches!(
            stdout.finish(),
            Err(ParseError::UnexpectedEnd { .. })
        ));
        let error = stdout.write_all(b"nonsense\n").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(stdout.malformed().is_some());
    }
}
