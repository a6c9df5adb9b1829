//! The application's side: making a head.

use super::HeadError;
use super::field::{Known, Target, bad_text, is_token, status_and_reason, trim_blanks};
use super::status::Status;
use crate::decimal::{self, DIGITS};
use crate::storage::{Storage, StorageFull};

/// The head of a response, field by field, as an application makes it (RFC 3875 §6.3).
///
/// What is added is checked at once, so that no value can start a field or a body of its own, and
/// is kept as lines in `S`. [`write`](Self::write) puts the whole head out, and
/// [`clear`](Self::clear) makes it ready for the next response.
///
/// | rule | § |
/// |---|---|
/// | names are tokens; values have no control characters but TAB | RFC 9110 §5.1, §5.5 |
/// | `Content-Type`, `Location`, `Content-Length` at most once | RFC 3875 §6.3 |
/// | other names as often as they are added, each on a line of its own | RFC 9110 §5.3 |
/// | no fields about the HTTP connection | RFC 3875 §6.3.4 |
/// | `Status` as a field sets the status; the last one set counts | RFC 3875 §6.3.3 |
///
/// Default nginx takes heads of up to 4 KiB, and h2o up to 100 fields.
///
/// ```
/// use fcgi_core::cgi::{HeadError, ResponseHead};
///
/// let mut head = ResponseHead::new(heapless::Vec::<u8, 128>::new());
/// head.add("Content-Type", "text/html; charset=utf-8")?;
/// head.add("Set-Cookie", "a=1")?;
/// head.add("Set-Cookie", "b=2")?;
/// assert_eq!(head.add("X-Name", "a\r\nSet-Cookie: evil=1"), Err(HeadError::Value { at: 1 }));
///
/// let mut out = heapless::Vec::<u8, 256>::new();
/// head.write(&mut out).unwrap();
/// assert_eq!(
///     out,
///     b"Content-Type: text/html; charset=utf-8\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n"
/// );
/// # Ok::<(), HeadError>(())
/// ```
#[derive(Debug, Clone)]
pub struct ResponseHead<S> {
    /// Whole lines up to `kept`; after a failed append perhaps the beginning of one more.
    store: S,
    facts: Facts,
}

/// What the fields say, so that no line has to be read again.
#[derive(Debug, Clone, Copy, Default)]
struct Facts {
    kept: usize,
    full: bool,
    status: Option<Status>,
    /// Where in the store the status line with the phrase of the application is: start and end.
    status_line: Option<(usize, usize)>,
    /// Whether the store has status lines, those that no longer count among them.
    has_status_lines: bool,
    /// Kept as a number only; the store does not have it.
    content_length: Option<u64>,
    has_type: bool,
    location: Option<Target>,
    /// Whether there is a field beside those that have a member here.
    has_others: bool,
}

impl<S: Storage> ResponseHead<S> {
    /// An empty head that keeps its fields in `store`, of which earlier contents are dropped.
    pub fn new(mut store: S) -> Self {
        store.clear();
        Self {
            store,
            facts: Facts::default(),
        }
    }

    /// Forgets everything and keeps the room.
    pub fn clear(&mut self) {
        self.store.clear();
        self.facts = Facts::default();
    }

    /// The storage, with unspecified contents: its capacity may be of interest.
    pub fn storage(&self) -> &S {
        &self.store
    }

    /// Gives the storage back, with unspecified contents.
    pub fn into_storage(self) -> S {
        self.store
    }

    /// Sets the status, with the reason phrase that is registered for it.
    ///
    /// A 1xx makes this a head that goes before the one of the response. Few web servers
    /// understand that: lighttpd passes it on, nginx takes it for the response.
    pub fn set_status(&mut self, status: Status) {
        self.facts.status = Some(status);
        self.facts.status_line = None;
    }

    /// Sets the status with a reason phrase of your own, the registered one if it is empty.
    ///
    /// # Errors
    ///
    /// [`HeadError::Reason`] for a control character in the phrase, [`HeadError::StorageFull`].
    pub fn set_status_with_reason(
        &mut self,
        status: Status,
        reason: impl AsRef<[u8]>,
    ) -> Result<(), HeadError> {
        self.put_status(status, reason.as_ref())
    }

    /// Adds a field; blanks around the value are dropped.
    ///
    /// # Errors
    ///
    /// Every [`HeadError`]; each leaves the head as it was.
    pub fn add(
        &mut self,
        name: impl AsRef<[u8]>,
        value: impl AsRef<[u8]>,
    ) -> Result<(), HeadError> {
        self.put(name.as_ref(), value.as_ref())
    }

    /// Announces the number of bytes of the body, as `add("Content-Length", …)` does.
    ///
    /// # Errors
    ///
    /// [`HeadError::Duplicate`] when it was announced before.
    pub fn set_content_length(&mut self, length: u64) -> Result<(), HeadError> {
        if self.facts.content_length.is_some() {
            return Err(HeadError::Duplicate {
                field: "content-length",
            });
        }
        self.facts.content_length = Some(length);
        Ok(())
    }

    /// The number of bytes of body that the application announced, which it then has to keep to:
    /// a body of another length breaks the connection between web server and client.
    #[must_use]
    pub fn content_length(&self) -> Option<u64> {
        self.facts.content_length
    }

    /// The status that the client will see: the one that was set, else 302 beside a `Location`,
    /// else 200. (A web server that follows a local redirect takes the status of its target.)
    #[must_use]
    pub fn status(&self) -> Status {
        match (self.facts.status, self.facts.location) {
            (Some(status), _) => status,
            (None, Some(_)) => Status::FOUND,
            (None, None) => Status::OK,
        }
    }

    /// Whether a body may follow this head. Not so
    ///
    /// - for 1xx, 204 and 304 (RFC 9112 §6.3);
    /// - for HEAD, which the caller knows: `is_head`;
    /// - when `Location` is all there is: redirects have a document only together with a status
    ///   (RFC 3875 §6.2.2, §6.2.3). Set 302 or another status to send one.
    #[must_use]
    pub fn body_allowed(&self, is_head: bool) -> bool {
        !is_head && !self.is_bare_redirect() && self.status().allows_body()
    }

    /// Appends the head and the empty line after it to `out`.
    ///
    /// ```text
    ///   Status: 404 Not Found                      left out for 200 and for a bare Location
    ///   Set-Cookie: a=1                            the fields as they were added
    ///   Content-Length: 42                         left out for 1xx and 204 (RFC 9110 §8.6)
    ///   Content-Type: application/octet-stream     only if a body may follow and none was added
    ///   (empty line)
    /// ```
    ///
    /// - A `Location` without a status goes alone, and the web server makes a local redirect or a
    ///   302 of it (RFC 3875 §6.2.2, §6.2.3). If other fields are beside it, which neither of the
    ///   two may have, or if it is `//host/…`, which some web servers take for a local path, then
    ///   `Status: 302 Found` is written: a client redirect with its fields (§6.2.4).
    /// - A web server that finds no type may guess one, and with `text/html` it would let every
    ///   body run scripts (CVE-2020-24553 in Go). So there is always a type; only a `Location` that
    ///   is bare or comes with `Content-Length: 0` needs none.
    ///
    /// # Errors
    ///
    /// [`StorageFull`]; `out` may then hold the beginning of the head.
    pub fn write<O: Storage + ?Sized>(&self, out: &mut O) -> Result<(), StorageFull> {
        self.write_status(out)?;
        self.write_fields(out)?;
        if let Some(length) = self.facts.content_length {
            if self.status().allows_length() {
                out.append(b"Content-Length: ")?;
                out.append(decimal::digits(length, &mut [0; DIGITS]))?;
                out.append(b"\r\n")?;
            }
        }
        if self.needs_type() {
            out.append(b"Content-Type: application/octet-stream\r\n")?;
        }
        out.append(b"\r\n")
    }

    fn put(&mut self, name: &[u8], value: &[u8]) -> Result<(), HeadError> {
        if name.is_empty() {
            return Err(HeadError::EmptyName);
        }
        if let Some(at) = name.iter().position(|&byte| !is_token(byte)) {
            return Err(HeadError::Name { at });
        }
        if let Some(at) = bad_text(value) {
            return Err(HeadError::Value { at });
        }
        let value = trim_blanks(value);
        match Known::of(name) {
            Known::Status => {
                let (_, (status, reason)) =
                    status_and_reason(value).map_err(|_| HeadError::Status)?;
                self.put_status(status, reason)
            }
            Known::ContentLength => {
                self.set_content_length(decimal::parse(value).ok_or(HeadError::ContentLength)?)
            }
            Known::HopByHop => Err(HeadError::HopByHop),
            Known::ContentType => {
                check_single("content-type", value, self.facts.has_type)?;
                self.store_line(&[name, b": ", value, b"\r\n"])?;
                self.facts.has_type = true;
                Ok(())
            }
            Known::Location => {
                check_single("location", value, self.facts.location.is_some())?;
                self.store_line(&[name, b": ", value, b"\r\n"])?;
                self.facts.location = Some(Target::of(value));
                Ok(())
            }
            Known::Other => {
                self.store_line(&[name, b": ", value, b"\r\n"])?;
                self.facts.has_others = true;
                Ok(())
            }
        }
    }

    fn put_status(&mut self, status: Status, reason: &[u8]) -> Result<(), HeadError> {
        if let Some(at) = bad_text(reason) {
            return Err(HeadError::Reason { at });
        }
        let reason = trim_blanks(reason);
        if reason.is_empty() || reason == status.reason().as_bytes() {
            self.set_status(status);
            return Ok(());
        }
        let start = self.facts.kept;
        let mut digits = [0; DIGITS];
        let code = decimal::digits(status.code().into(), &mut digits);
        self.store_line(&[b"Status: ", code, b" ", reason, b"\r\n"])?;
        self.facts.status = Some(status);
        self.facts.status_line = Some((start, self.facts.kept));
        self.facts.has_status_lines = true;
        Ok(())
    }

    /// Appends one line. A part of it may stay behind in `store` when there is no room for all, as
    /// bytes cannot be taken back from a `Storage`; so nothing is appended after that.
    fn store_line(&mut self, parts: &[&[u8]]) -> Result<(), HeadError> {
        if self.facts.full {
            return Err(HeadError::StorageFull);
        }
        for part in parts {
            if self.store.append(part).is_err() {
                self.facts.full = true;
                return Err(HeadError::StorageFull);
            }
        }
        self.facts.kept = self.store.as_bytes().len();
        Ok(())
    }

    fn lines(&self) -> &[u8] {
        self.store
            .as_bytes()
            .get(..self.facts.kept)
            .unwrap_or_default()
    }

    /// `Location` and nothing else, for the web server to make a redirect of.
    fn is_bare_redirect(&self) -> bool {
        matches!(self.facts.location, Some(Target::LocalPath | Target::Uri))
            && self.facts.status.is_none()
            && self.facts.content_length.is_none()
            && !self.facts.has_type
            && !self.facts.has_others
    }

    fn needs_type(&self) -> bool {
        let no_document = self.facts.location.is_some()
            && (self.is_bare_redirect() || self.facts.content_length == Some(0));
        !self.facts.has_type && !no_document && self.status().allows_body()
    }

    fn write_status<O: Storage + ?Sized>(&self, out: &mut O) -> Result<(), StorageFull> {
        if let Some((start, end)) = self.facts.status_line {
            return out.append(self.lines().get(start..end).unwrap_or_default());
        }
        let status = self.status();
        if self.is_bare_redirect() || (status == Status::OK && self.facts.location.is_none()) {
            return Ok(());
        }
        out.append(b"Status: ")?;
        out.append(decimal::digits(status.code().into(), &mut [0; DIGITS]))?;
        if !status.reason().is_empty() {
            out.append(b" ")?;
            out.append(status.reason().as_bytes())?;
        }
        out.append(b"\r\n")
    }

    fn write_fields<O: Storage + ?Sized>(&self, out: &mut O) -> Result<(), StorageFull> {
        if !self.facts.has_status_lines {
            return out.append(self.lines());
        }
        self.lines()
            .split_inclusive(|&byte| byte == b'\n')
            .filter(|line| !line.starts_with(b"Status: "))
            .try_for_each(|line| out.append(line))
    }
}

fn check_single(field: &'static str, value: &[u8], was_set: bool) -> Result<(), HeadError> {
    if was_set {
        Err(HeadError::Duplicate { field })
    } else if value.is_empty() {
        Err(HeadError::EmptyValue { field })
    } else {
        Ok(())
    }
}
