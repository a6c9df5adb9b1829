//! The web server's side: reading a head from STDOUT, however it is cut.

use memchr::memchr;

use super::ParseError;
use super::field::{bad_text, status_line, without_line_end};
use super::head::{Facts, Head};
use crate::storage::Storage;

/// How much of a head is taken; beyond it the response is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadLimits {
    /// Bytes of one head, with its line ends and the empty line. Default 64 KiB.
    pub bytes: usize,
    /// Fields of one head, `Status` among them. Default 100.
    pub fields: usize,
    /// Heads with a 1xx status before the one of the response. Default 8.
    pub interim: usize,
}

impl HeadLimits {
    /// The default limits.
    pub const DEFAULT: Self = Self {
        bytes: 64 * 1024,
        fields: 100,
        interim: 8,
    };
}

impl Default for HeadLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Takes the head of a response from the STDOUT stream of an application (RFC 3875 §6).
///
/// ```text
///   Status: 404 Not Found\r\n           lines may end in LF or CRLF, each as it likes,
///   Content-Type: text/plain\n          and be cut anywhere
///   \n
///   nothing here                        never taken: the body stays in the input
/// ```
///
/// [`push`](Self::push) eats bytes from the front of the input until the empty line is there. They
/// are appended to `S`, looked at when they come and once more when their line is complete: the
/// work is linear in the bytes taken, whatever the cuts. Heads with a 1xx status are skipped. A
/// first line `HTTP/1.x 200 OK` counts as `Status`, as some CGI programs send one.
///
/// ```
/// use fcgi_core::cgi::{HeadLimits, HeadParser, ParseError, Status};
///
/// let mut parser = HeadParser::new(heapless::Vec::<u8, 1024>::new(), HeadLimits::default());
/// for mut record in [&b"Content-Ty"[..], b"pe: text/plain\r\nContent-Length: 2\r\n\r\nhi"] {
///     if parser.push(&mut record)? {
///         assert_eq!(record, b"hi");
///     }
/// }
/// parser.finish()?; // at the end of STDOUT
///
/// let head = parser.head().unwrap();
/// assert_eq!(head.status(), Status::OK);
/// assert_eq!(head.content_length(), Some(2));
/// assert!(head.fields().eq([
///     (&b"Content-Type"[..], &b"text/plain"[..]),
///     (&b"Content-Length"[..], &b"2"[..]),
/// ]));
/// # Ok::<(), ParseError>(())
/// ```
#[derive(Debug, Clone)]
pub struct HeadParser<S> {
    /// The bytes of the head in hand, from its first one.
    store: S,
    limits: HeadLimits,
    reports_interim: bool,
    interim: usize,
    progress: Progress,
    block: Block,
}

#[derive(Debug, Clone, Copy)]
enum Progress {
    Reading,
    Complete,
    Failed(ParseError),
}

/// One head: where its lines are in the store, and what they say.
#[derive(Debug, Clone, Copy, Default)]
struct Block {
    /// Where the fields begin: after an HTTP status line, if there is one.
    fields_start: usize,
    /// Where the line in hand begins; in the end that is the empty line.
    line_start: usize,
    /// Complete lines.
    lines: usize,
    fields: usize,
    facts: Facts,
}

impl<S: Storage> HeadParser<S> {
    /// A parser that keeps the head in `store`, of which earlier contents are dropped.
    pub fn new(mut store: S, limits: HeadLimits) -> Self {
        store.clear();
        Self {
            store,
            limits,
            reports_interim: false,
            interim: 0,
            progress: Progress::Reading,
            block: Block::default(),
        }
    }

    /// Makes [`push`](Self::push) stop at heads with a 1xx status as well, for a web server that
    /// passes them on. [`head`](Self::head) has them then, and
    /// [`skip_interim`](Self::skip_interim) goes on to the next head.
    #[must_use]
    pub fn reporting_interim(mut self) -> Self {
        self.reports_interim = true;
        self
    }

    /// Takes bytes of the head from the front of `input`; says whether the head is complete.
    ///
    /// `false` means that `input` is empty and more is needed. With `true`, `input` is what follows
    /// the head: the beginning of the body. Once complete, it takes nothing more.
    ///
    /// # Errors
    ///
    /// Every [`ParseError`] but [`UnexpectedEnd`](ParseError::UnexpectedEnd), and the same again
    /// until [`clear`](Self::clear).
    pub fn push(&mut self, input: &mut &[u8]) -> Result<bool, ParseError> {
        loop {
            match self.progress {
                Progress::Complete => return Ok(true),
                Progress::Failed(error) => return Err(error),
                Progress::Reading if input.is_empty() => return Ok(false),
                Progress::Reading => {}
            }
            let line_end = memchr(b'\n', input).and_then(|at| at.checked_add(1));
            let line = line_end.and_then(|end| input.split_at_checked(end));
            let (piece, following) = line.unwrap_or((*input, &[]));
            *input = following;
            let mut taken = self.take(piece);
            if taken.is_ok() && line.is_some() {
                taken = self.end_line();
            }
            if let Err(error) = taken {
                self.progress = Progress::Failed(error);
            }
        }
    }

    /// To be called at the end of STDOUT: says whether the head was complete.
    ///
    /// # Errors
    ///
    /// [`ParseError::UnexpectedEnd`] when it was not, or when only 1xx heads were there; the error
    /// of [`push`](Self::push) if there was one.
    pub fn finish(&self) -> Result<(), ParseError> {
        match self.progress {
            Progress::Complete if !self.block.facts.is_interim() => Ok(()),
            Progress::Failed(error) => Err(error),
            _ => Err(ParseError::UnexpectedEnd {
                line: self.block.line_number(),
            }),
        }
    }

    /// The head, once [`push`](Self::push) has said `true`.
    #[must_use]
    pub fn head(&self) -> Option<Head<'_>> {
        let Progress::Complete = self.progress else {
            return None;
        };
        let lines = self
            .store
            .as_bytes()
            .get(self.block.fields_start..self.block.line_start)?;
        Some(Head::new(lines, self.block.facts))
    }

    /// Goes on to the next head after a 1xx that was [reported](Self::reporting_interim); does
    /// nothing at any other time.
    pub fn skip_interim(&mut self) {
        if matches!(self.progress, Progress::Complete) && self.block.facts.is_interim() {
            self.next_block();
        }
    }

    /// Starts anew with the next response and keeps the room.
    pub fn clear(&mut self) {
        self.interim = 0;
        self.next_block();
    }

    /// Gives the storage back, with unspecified contents.
    pub fn into_storage(self) -> S {
        self.store
    }

    fn next_block(&mut self) {
        self.store.clear();
        self.block = Block::default();
        self.progress = Progress::Reading;
    }

    fn take(&mut self, piece: &[u8]) -> Result<(), ParseError> {
        let limit = self.limits.bytes;
        let room = limit.saturating_sub(self.store.as_bytes().len());
        // Of what is too long the storage is given what is not: it may be full before.
        let allowed = piece.get(..room).unwrap_or(piece);
        self.store
            .append(allowed)
            .map_err(|_| ParseError::StorageFull)?;
        if allowed.len() < piece.len() {
            return Err(ParseError::TooManyBytes { limit });
        }
        Ok(())
    }

    /// The last byte in the store is a LF.
    fn end_line(&mut self) -> Result<(), ParseError> {
        let stored = self.store.as_bytes();
        let line = stored.get(self.block.line_start..).unwrap_or_default();
        let line = without_line_end(line);
        if line.is_empty() {
            return self.end_block();
        }
        let next_line = stored.len();
        let number = self.block.line_number();
        if number == 1 && line.starts_with(b"HTTP/1.") {
            let (_, (status, reason)) = status_line(line).map_err(|_| ParseError::StatusLine)?;
            if bad_text(reason).is_some() {
                return Err(ParseError::StatusLine);
            }
            self.block.facts.status = Some(status);
            self.block.fields_start = next_line;
        } else {
            if self.block.fields >= self.limits.fields {
                return Err(ParseError::TooManyFields {
                    limit: self.limits.fields,
                });
            }
            self.block.fields = self.block.fields.saturating_add(1);
            self.block.facts.note(line, number)?;
        }
        self.block.lines = number;
        self.block.line_start = next_line;
        Ok(())
    }

    fn end_block(&mut self) -> Result<(), ParseError> {
        let facts = self.block.facts;
        if !facts.has_cgi_field() {
            return Err(ParseError::NoCgiField);
        }
        if facts.is_interim() {
            if self.interim >= self.limits.interim {
                return Err(ParseError::TooManyInterim {
                    limit: self.limits.interim,
                });
            }
            self.interim = self.interim.saturating_add(1);
            if !self.reports_interim {
                self.next_block();
                return Ok(());
            }
        }
        self.progress = Progress::Complete;
        Ok(())
    }
}

impl Block {
    /// The line in hand, counted from 1.
    fn line_number(&self) -> usize {
        self.lines.saturating_add(1)
    }
}
