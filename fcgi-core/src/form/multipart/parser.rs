//! The state machine: bytes in, parts out.

use core::mem;
use core::ops::Range;

use memchr::memchr;

use super::super::FormError;
use super::delimiter::{Delimiter, Found, PADDING};
use super::{Boundary, Event, Limits, PartHead};
use crate::storage::Storage;

/// Reads a `multipart/form-data` body as it arrives (RFC 7578, RFC 2046 §5.1).
///
/// ```text
///   preamble                                     skipped
///   --boundary                                   perhaps the very first bytes
///   Content-Disposition: form-data; name="a"  ─► Part(head)
///   (empty line)
///   data …                                    ─► Body(bytes), Body(bytes), …
///   --boundary                                ─► PartEnd
///   …
///   --boundary--                              ─► PartEnd, End
///   epilogue                                     skipped
/// ```
///
/// Cutting the input anywhere changes nothing but the pieces of bodies. Heads are kept in `S`, one
/// at a time; of bodies nothing is kept but a line that may be a delimiter. Work: linear in the
/// bytes of the input, for any input and any cuts.
///
/// ```
/// use fcgi_core::form::FormError;
/// use fcgi_core::form::multipart::{Boundary, Event, Limits, Parser};
///
/// let boundary = Boundary::from_content_type("multipart/form-data; boundary=X")?;
/// let mut parser = Parser::new(&boundary, heapless::Vec::<u8, 1024>::new(), Limits::default());
/// let mut body = heapless::Vec::<u8, 64>::new();
/// for mut input in [
///     &b"--X\r\nContent-Disposition: form-data; name=\"greeting\"\r\n\r\nhel"[..],
///     b"lo\r\n--",
///     b"X--\r\n",
/// ] {
///     while let Some(event) = parser.receive(&mut input)? {
///         match event {
///             Event::Part(head) => assert!(head.name().is("greeting") && !head.is_file()),
///             Event::Body(bytes) => body.extend_from_slice(bytes).unwrap(),
///             Event::PartEnd => assert_eq!(body, b"hello"),
///             Event::End => {}
///         }
///     }
/// }
/// parser.finish()?; // at the end of the input
/// # Ok::<(), FormError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Parser<S> {
    limits: Limits,
    delimiter: Delimiter,
    /// The head of the part in hand, from its first byte.
    head: S,
    /// Where in `head` the line in hand begins.
    line_start: usize,
    /// Whole lines in `head`.
    lines: usize,
    state: State,
    /// The part in hand, from 1.
    part: usize,
    /// Bytes that may still come: of the whole form, and of what `state` says.
    left_of_form: u64,
    left_here: u64,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Preamble,
    Head,
    Body {
        is_file: bool,
    },
    /// The closing delimiter was there, and nobody was told.
    Closed,
    Epilogue,
    Failed(FormError),
}

/// An event that borrows nothing but the input.
enum Step<'i> {
    Part,
    Body(&'i [u8]),
    /// A range of the delimiter's line.
    Held(Range<usize>),
    PartEnd,
    End,
}

impl<S: Storage> Parser<S> {
    /// A parser that keeps the heads of parts in `head`, of which earlier contents are dropped.
    ///
    /// The smaller of [`Limits::head`] and the capacity of the storage holds.
    pub fn new(boundary: &Boundary, mut head: S, limits: Limits) -> Self {
        head.clear();
        Parser {
            limits,
            delimiter: Delimiter::new(boundary, limits.bare_lf),
            head,
            line_start: 0,
            lines: 0,
            state: State::Preamble,
            part: 0,
            left_of_form: limits.total,
            left_here: limits.preamble,
        }
    }

    /// Takes bytes from the front of `input` until something is to be said.
    ///
    /// `None` means that `input` is empty and more is needed, or that the form is over: after
    /// [`Event::End`] everything is taken and skipped. An event may come of no bytes at all, so ask
    /// until there is none.
    ///
    /// # Errors
    ///
    /// Every [`FormError`] about the heads and the limits of parts, and the same again for ever.
    pub fn receive<'e, 'i: 'e>(
        &'e mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<Event<'e>>, FormError> {
        let step = match self.step(input) {
            Ok(step) => step,
            Err(error) => {
                self.state = State::Failed(error);
                return Err(error);
            }
        };
        Ok(Some(match step {
            None => return Ok(None),
            Some(Step::Part) => return self.begin_body(),
            Some(Step::Body(bytes)) => Event::Body(bytes),
            Some(Step::Held(range)) => {
                Event::Body(self.delimiter.line().get(range).unwrap_or_default())
            }
            Some(Step::PartEnd) => Event::PartEnd,
            Some(Step::End) => Event::End,
        }))
    }

    /// To be called at the end of the input: says whether the form was whole.
    ///
    /// # Errors
    ///
    /// [`FormError::UnexpectedEnd`] when the closing delimiter is missing, in which case the last
    /// body must not be taken for whole; the error of [`receive`](Self::receive) if there was one.
    pub fn finish(&self) -> Result<(), FormError> {
        match self.state {
            State::Closed | State::Epilogue => Ok(()),
            State::Failed(error) => Err(error),
            State::Preamble | State::Head | State::Body { .. } => {
                Err(FormError::UnexpectedEnd { part: self.part })
            }
        }
    }

    /// The head of the part whose body is being read: what [`Event::Part`] had, parsed again. None
    /// between parts, and once there was an error.
    #[must_use]
    pub fn part(&self) -> Option<PartHead<'_>> {
        let State::Body { .. } = self.state else {
            return None;
        };
        PartHead::parse(self.head.as_bytes(), self.part).ok()
    }

    /// Gives the storage back, with unspecified contents.
    pub fn into_storage(self) -> S {
        self.head
    }

    fn step<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Step<'i>>, FormError> {
        loop {
            match self.state {
                State::Failed(error) => return Err(error),
                State::Closed => {
                    self.state = State::Epilogue;
                    self.left_here = self.limits.epilogue;
                    return Ok(Some(Step::End));
                }
                _ if input.is_empty() => return Ok(None),
                _ => {}
            }
            let allowed = usize::try_from(self.left_of_form).unwrap_or(usize::MAX);
            if allowed == 0 {
                return Err(FormError::FormTooLong {
                    limit: self.limits.total,
                });
            }
            let window = input.get(..allowed).unwrap_or(input);
            let mut rest = window;
            let step = self.step_within(&mut rest)?;
            let taken = window.len().saturating_sub(rest.len());
            *input = input.get(taken..).unwrap_or_default();
            self.left_of_form = self.left_of_form.saturating_sub(to_u64(taken));
            if step.is_some() {
                return Ok(step);
            }
        }
    }

    /// `input` is not empty and within the limit of the form.
    fn step_within<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Step<'i>>, FormError> {
        match self.state {
            State::Preamble => self.in_preamble(input),
            State::Head => Ok(self.take_head(input)?.then_some(Step::Part)),
            State::Body { is_file } => self.in_body(input, is_file),
            State::Closed | State::Epilogue | State::Failed(_) => {
                let skipped = mem::take(input).len();
                self.spend(skipped, |limits| FormError::EpilogueTooLong {
                    limit: limits.epilogue,
                })?;
                Ok(None)
            }
        }
    }

    fn in_preamble<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Step<'i>>, FormError> {
        let skipped = match self.delimiter.search(input) {
            Found::Nothing => 0,
            Found::Data(bytes) => bytes.len(),
            Found::Held(range) => range.len(),
            Found::Part => {
                self.next_part();
                0
            }
            Found::Close => {
                self.state = State::Closed;
                0
            }
            Found::TooLong => return Err(FormError::PaddingTooLong { limit: PADDING }),
        };
        self.spend(skipped, |limits| FormError::PreambleTooLong {
            limit: limits.preamble,
        })?;
        Ok(None)
    }

    fn in_body<'i>(
        &mut self,
        input: &mut &'i [u8],
        is_file: bool,
    ) -> Result<Option<Step<'i>>, FormError> {
        Ok(match self.delimiter.search(input) {
            Found::Nothing => None,
            Found::Data(bytes) => {
                let length = self.within_body(bytes.len(), is_file)?;
                Some(Step::Body(bytes.get(..length).unwrap_or_default()))
            }
            Found::Held(range) => {
                let length = self.within_body(range.len(), is_file)?;
                let end = range.start.saturating_add(length);
                Some(Step::Held(range.start..end))
            }
            Found::Part => {
                self.next_part();
                Some(Step::PartEnd)
            }
            Found::Close => {
                self.state = State::Closed;
                Some(Step::PartEnd)
            }
            Found::TooLong => return Err(FormError::PaddingTooLong { limit: PADDING }),
        })
    }

    /// How many of so many bytes a body may still have. With the last of them the parser has
    /// failed, so that the cuts of the input do not decide how many come out.
    fn within_body(&mut self, length: usize, is_file: bool) -> Result<usize, FormError> {
        let left = usize::try_from(self.left_here).unwrap_or(usize::MAX);
        if length <= left {
            self.left_here = self.left_here.saturating_sub(to_u64(length));
            return Ok(length);
        }
        let part = self.part;
        let error = if is_file {
            let limit = self.limits.file;
            FormError::FileTooLong { part, limit }
        } else {
            let limit = self.limits.value;
            FormError::ValueTooLong { part, limit }
        };
        if left == 0 {
            return Err(error);
        }
        self.state = State::Failed(error);
        Ok(left)
    }

    /// Counts bytes that are skipped.
    fn spend(
        &mut self,
        length: usize,
        error: impl FnOnce(&Limits) -> FormError,
    ) -> Result<(), FormError> {
        let left = self.left_here.checked_sub(to_u64(length));
        self.left_here = left.ok_or_else(|| error(&self.limits))?;
        Ok(())
    }

    fn next_part(&mut self) {
        self.head.clear();
        self.line_start = 0;
        self.lines = 0;
        self.part = self.part.saturating_add(1);
        self.state = State::Head;
    }

    /// Takes the rest of a line, or what there is of it; says whether the head is whole.
    fn take_head(&mut self, input: &mut &[u8]) -> Result<bool, FormError> {
        let part = self.part;
        if part > self.limits.parts {
            let limit = self.limits.parts;
            return Err(FormError::TooManyParts { limit });
        }
        let line_end = memchr(b'\n', input).and_then(|at| at.checked_add(1));
        let line = line_end.and_then(|end| input.split_at_checked(end));
        let (piece, following) = line.unwrap_or((*input, &[]));
        let limit = self.limits.head;
        let room = limit.saturating_sub(self.head.as_bytes().len());
        // Of what is too long the storage is given what is not: it may be full before.
        let allowed = piece.get(..room).unwrap_or(piece);
        let stored = self.head.append(allowed);
        stored.map_err(|_| FormError::StorageFull { part })?;
        if allowed.len() < piece.len() {
            return Err(FormError::HeadTooLong { part, limit });
        }
        *input = following;
        if line.is_none() {
            return Ok(false);
        }
        self.end_line()
    }

    /// The last byte in `head` is a LF.
    fn end_line(&mut self) -> Result<bool, FormError> {
        let part = self.part;
        let head = self.head.as_bytes();
        let number = self.lines.saturating_add(1);
        match head.get(self.line_start..).unwrap_or_default() {
            [b'\r', b'\n'] => return Ok(true),
            [.., b'\r', b'\n'] => {}
            _ if !self.limits.bare_lf => return Err(FormError::BareLf { part, line: number }),
            [b'\n'] => return Ok(true),
            _ => {}
        }
        let limit = self.limits.fields;
        if number > limit {
            return Err(FormError::TooManyFields { part, limit });
        }
        self.lines = number;
        self.line_start = head.len();
        Ok(false)
    }

    /// The head is whole: its last line end may be that of a delimiter (RFC 2046 §5.1.1).
    fn begin_body(&mut self) -> Result<Option<Event<'_>>, FormError> {
        match PartHead::parse(self.head.as_bytes(), self.part) {
            Ok(head) => {
                let is_file = head.is_file();
                self.left_here = if is_file {
                    self.limits.file
                } else {
                    self.limits.value
                };
                self.state = State::Body { is_file };
                self.delimiter.begin_line();
                Ok(Some(Event::Part(head)))
            }
            Err(error) => {
                self.state = State::Failed(error);
                Err(error)
            }
        }
    }
}

fn to_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
