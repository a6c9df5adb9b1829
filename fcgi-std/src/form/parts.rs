//! A body with files, part by part.

use std::io::{self, BufRead, Read};

use fcgi_core::form::multipart::{Boundary, Event, Limits, Parser, PartHead, base_name};
use fcgi_core::form::tree::Value;

use super::Error;

/// A `multipart/form-data` body (RFC 7578), one part after the other as they come: nothing is
/// spooled, and no more is held in memory than one chunk of the reader and the head of one part.
///
/// [`Request::multipart`](crate::Request::multipart) makes one of a request; this makes one of any
/// reader, also of the request's `stdin` alone, so that its other fields can be used meanwhile:
///
/// ```no_run
/// use std::io::{self, Write};
///
/// use fcgi_std::Request;
/// use fcgi_std::form::{MultipartLimits, Parts};
///
/// fn hash_files(request: &mut Request) -> io::Result<()> {
///     let kind = request.params.get("CONTENT_TYPE").unwrap_or_default();
///     let mut parts = Parts::new(kind, &mut request.stdin, MultipartLimits::DEFAULT)?;
///     while let Some(mut part) = parts.next_part()? {
///         let length = io::copy(&mut part, &mut io::sink())?;
///         writeln!(request.stderr, "{}: {length} bytes", part.name().to_text())?;
///     }
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct Parts<R> {
    reader: R,
    parser: Parser<Vec<u8>>,
    /// A piece of the part in hand, of which `used` bytes were given out.
    piece: Vec<u8>,
    used: usize,
    /// Whether more may come of the part in hand.
    inside: bool,
}

/// What the next bytes of the body were.
enum Step {
    Part(Head),
    /// There is a new piece.
    Body,
    PartEnd,
    /// The body has ended, and the form is whole.
    Over,
}

impl<R: BufRead> Parts<R> {
    /// Reads parts from `reader`, which is read to its end; `content_type` is the value of
    /// CONTENT_TYPE.
    ///
    /// # Errors
    ///
    /// [`Error::Form`] when it has no boundary or another type:
    /// [`FormError::NotMultipart`](super::FormError::NotMultipart) for one.
    pub fn new(
        content_type: impl AsRef<[u8]>,
        reader: R,
        limits: Limits,
    ) -> Result<Parts<R>, Error> {
        let boundary = Boundary::from_content_type(content_type)?;
        Ok(Parts::with(&boundary, reader, limits))
    }

    pub(super) fn with(boundary: &Boundary, reader: R, limits: Limits) -> Parts<R> {
        Parts {
            reader,
            parser: Parser::new(boundary, Vec::new(), limits),
            piece: Vec::new(),
            used: 0,
            inside: false,
        }
    }

    /// The next part; what was not read of the one before is skipped. `None` at the end of the
    /// body, and not before: the form was whole then.
    ///
    /// # Errors
    ///
    /// [`Error::Form`]: the form is malformed, goes over a limit, or ends before its closing
    /// delimiter. [`Error::Body`]: reading failed.
    pub fn next_part(&mut self) -> Result<Option<Part<'_, R>>, Error> {
        loop {
            match self.step()? {
                Step::Part(head) => return Ok(Some(Part { form: self, head })),
                Step::Body | Step::PartEnd => {}
                Step::Over => return Ok(None),
            }
        }
    }

    /// Parses until something is to be said, and reads as long as nothing is.
    fn step(&mut self) -> Result<Step, Error> {
        self.piece.clear();
        self.used = 0;
        loop {
            let input = match self.reader.fill_buf() {
                Ok(input) => input,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Error::body(error)),
            };
            let length = input.len();
            let mut rest = input;
            let step = match self.parser.receive(&mut rest)? {
                Some(Event::Part(head)) => Some(Step::Part(Head::of(head))),
                Some(Event::Body(bytes)) => {
                    self.piece.extend_from_slice(bytes);
                    Some(Step::Body)
                }
                Some(Event::PartEnd) => Some(Step::PartEnd),
                // What follows may still be too long, or cut.
                Some(Event::End) => None,
                None if length == 0 => {
                    self.parser.finish()?;
                    Some(Step::Over)
                }
                None => None,
            };
            let taken = length - rest.len();
            self.reader.consume(taken);
            if let Some(step) = step {
                self.inside = matches!(step, Step::Part(_) | Step::Body);
                return Ok(step);
            }
        }
    }

    /// Makes sure that there are bytes of the part in hand, unless it has ended.
    fn fill(&mut self) -> Result<&[u8], Error> {
        if self.used == self.piece.len() && self.inside {
            self.step()?;
        }
        Ok(&self.piece[self.used..])
    }
}

/// One part of a form as it comes: what it is called, and its bytes, by [`Read`], [`BufRead`] or
/// [`chunk`](Part::chunk).
///
/// Errors of reading carry an [`Error`] inside, which `?` in a handler gives an answer to.
#[derive(Debug)]
pub struct Part<'p, R> {
    form: &'p mut Parts<R>,
    head: Head,
}

impl<R: BufRead> Part<'_, R> {
    /// The name of the form's field, decoded. Several parts may have the same one.
    #[must_use]
    pub fn name(&self) -> &Value {
        &self.head.name
    }

    /// The name that a file has on the client's side, decoded: there is one if the part is a file,
    /// and it is empty if none was chosen. **Never a path to use**; see
    /// [`base_name`](Self::base_name).
    #[must_use]
    pub fn file_name(&self) -> Option<&Value> {
        self.head.file_name.as_ref()
    }

    /// The last component of the file name, for showing; see [`base_name`].
    #[must_use]
    pub fn base_name(&self) -> Option<&[u8]> {
        base_name(self.head.file_name.as_ref()?.as_bytes())
    }

    /// Content-Type as the client says; `text/plain` is meant if there is none.
    #[must_use]
    pub fn content_type(&self) -> Option<&Value> {
        self.head.content_type.as_ref()
    }

    /// Whether the part has a file name.
    #[must_use]
    pub fn is_file(&self) -> bool {
        self.head.file_name.is_some()
    }

    /// The next bytes, as many as came; `None` when the part is whole.
    ///
    /// # Errors
    ///
    /// As [`Parts::next_part`].
    pub fn chunk(&mut self) -> Result<Option<&[u8]>, Error> {
        self.form.fill()?;
        let used = self.form.used;
        self.form.used = self.form.piece.len();
        let chunk = &self.form.piece[used..];
        Ok((!chunk.is_empty()).then_some(chunk))
    }

    pub(super) fn into_head(self) -> Head {
        self.head
    }

    pub(super) fn head(&self) -> &Head {
        &self.head
    }
}

impl<R: BufRead> Read for Part<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        let ready = self.form.fill()?;
        let count = ready.len().min(buf.len());
        buf[..count].copy_from_slice(&ready[..count]);
        self.form.used += count;
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Part<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        Ok(self.form.fill()?)
    }

    fn consume(&mut self, amount: usize) {
        self.form.used = (self.form.used + amount).min(self.form.piece.len());
    }
}

/// The head of a part, kept while its body comes.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) name: Value,
    pub(super) file_name: Option<Value>,
    pub(super) content_type: Option<Value>,
}

impl Head {
    fn of(head: PartHead<'_>) -> Head {
        Head {
            name: head.name().decode().into_owned().into(),
            file_name: head
                .file_name()
                .map(|name| name.decode().into_owned().into()),
            content_type: head.content_type().map(|kind| kind.to_vec().into()),
        }
    }

    /// Bytes that it holds.
    pub(super) fn len(&self) -> usize {
        let all = [
            Some(&self.name),
            self.file_name.as_ref(),
            self.content_type.as_ref(),
        ];
        all.into_iter()
            .flatten()
            .map(|value| value.as_bytes().len())
            .sum()
    }
}
