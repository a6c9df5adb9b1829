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
/// [`clear`](Self::clear) makes it ready for the next response. Until it is written it can be read
/// and changed by the names of its fields, whose case does not matter.
///
/// | rule | § |
/// |---|---|
/// | names are tokens; values have no control characters but TAB | RFC 9110 §5.1, §5.5 |
/// | `Content-Type`, `Location`, `Content-Length` at most once | RFC 3875 §6.3 |
/// | other names as often as they are added, each on a line of its own | RFC 9110 §5.3 |
/// | [`set`](Self::set) puts one field in the place of all of its name | |
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
    /// Whole lines, each `name: value` and CRLF; among them at most one that begins with `Status`.
    pub(super) store: S,
    pub(super) facts: Facts,
}

/// How the line begins that has a status with a phrase of the application.
pub(super) const STATUS_LINE: &[u8] = b"Status: ";

/// What the fields say, so that no line has to be read again.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Facts {
    pub(super) status: Option<Status>,
    /// Where in the store the status line with the phrase of the application is: start and end.
    pub(super) status_line: Option<(usize, usize)>,
    /// Not in the store.
    pub(super) content_length: Option<Length>,
    pub(super) has_type: bool,
    pub(super) location: Option<Target>,
    /// How many fields let the web server send something in place of a body.
    pub(super) elsewhere: usize,
    /// How many fields there are beside those that have a member here.
    pub(super) others: usize,
}

/// A Content-Length, as a number and in digits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Length {
    bytes: u64,
    digits: [u8; DIGITS],
    start: usize,
}

impl Length {
    pub(super) fn new(bytes: u64) -> Self {
        let mut digits = [0; DIGITS];
        let length = decimal::digits(bytes, &mut digits).len();
        Self {
            bytes,
            digits,
            start: DIGITS.saturating_sub(length),
        }
    }

    pub(super) fn digits(&self) -> &[u8] {
        self.digits.get(self.start..).unwrap_or_default()
    }
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

    /// Whether nothing was set, or all of it was removed again.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Facts {
            status,
            content_length,
            ..
        } = &self.facts;
        status.is_none() && content_length.is_none() && self.lines().is_empty()
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
        self.drop_status_line();
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

    /// Announces the number of bytes of the body, as `set("Content-Length", …)` does; the last one
    /// set counts.
    pub fn set_content_length(&mut self, length: u64) {
        self.facts.content_length = Some(Length::new(length));
    }

    /// The number of bytes of body that the application announced, which it then has to keep to:
    /// a body of another length breaks the connection between web server and client.
    #[must_use]
    pub fn content_length(&self) -> Option<u64> {
        self.facts.content_length.map(|length| length.bytes)
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
    ///   (RFC 3875 §6.2.2, §6.2.3). Set 302 or another status to send one;
    /// - beside `X-Accel-Redirect` or `X-Sendfile`: the web server sends something else.
    #[must_use]
    pub fn body_allowed(&self, is_head: bool) -> bool {
        !is_head
            && !self.is_bare_redirect()
            && self.facts.elsewhere == 0
            && self.status().allows_body()
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
    /// - Nor does a response that the web server sends from elsewhere: it knows the type of its
    ///   file. `Status: 200 OK` is written then, as a head needs something of CGI (§6.3).
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
                out.append(length.digits())?;
                out.append(b"\r\n")?;
            }
        }
        if self.needs_type() {
            out.append(b"Content-Type: application/octet-stream\r\n")?;
        }
        out.append(b"\r\n")
    }

    fn put(&mut self, name: &[u8], value: &[u8]) -> Result<(), HeadError> {
        let (known, value) = checked(name, value)?;
        match known {
            Known::Status => self.put_status_field(value),
            Known::ContentLength => {
                let length = decimal::parse(value).ok_or(HeadError::ContentLength)?;
                check_single("content-length", self.facts.content_length.is_some())?;
                self.set_content_length(length);
                Ok(())
            }
            Known::HopByHop => Err(HeadError::HopByHop),
            Known::ContentType => {
                check_single("content-type", self.facts.has_type)?;
                check_value("content-type", value)?;
                self.store_line(&[name, b": ", value, b"\r\n"])?;
                self.facts.has_type = true;
                Ok(())
            }
            Known::Location => {
                check_single("location", self.facts.location.is_some())?;
                check_value("location", value)?;
                self.store_line(&[name, b": ", value, b"\r\n"])?;
                self.facts.location = Some(Target::of(value));
                Ok(())
            }
            Known::Elsewhere => {
                self.store_line(&[name, b": ", value, b"\r\n"])?;
                self.facts.elsewhere = self.facts.elsewhere.saturating_add(1);
                Ok(())
            }
            Known::Other => {
                self.store_line(&[name, b": ", value, b"\r\n"])?;
                self.facts.others = self.facts.others.saturating_add(1);
                Ok(())
            }
        }
    }

    pub(super) fn put_status_field(&mut self, value: &[u8]) -> Result<(), HeadError> {
        let (_, (status, reason)) = status_and_reason(value).map_err(|_| HeadError::Status)?;
        self.put_status(status, reason)
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
        let mut digits = [0; DIGITS];
        let code = decimal::digits(status.code().into(), &mut digits);
        self.store_line(&[STATUS_LINE, code, b" ", reason, b"\r\n"])?;
        self.facts.status = Some(status);
        self.find_status_line();
        Ok(())
    }

    /// Appends one line, or nothing.
    pub(super) fn store_line(&mut self, parts: &[&[u8]]) -> Result<(), HeadError> {
        let before = self.store.as_bytes().len();
        for part in parts {
            if self.store.append(part).is_err() {
                self.store.truncate(before);
                return Err(HeadError::StorageFull);
            }
        }
        Ok(())
    }

    /// `Location` and nothing else, for the web server to make a redirect of.
    fn is_bare_redirect(&self) -> bool {
        matches!(self.facts.location, Some(Target::LocalPath | Target::Uri)) && self.is_alone()
    }

    /// Whether nothing is beside `Location`.
    pub(super) fn is_alone(&self) -> bool {
        self.facts.status.is_none()
            && self.facts.content_length.is_none()
            && !self.facts.has_type
            && self.facts.elsewhere == 0
            && self.facts.others == 0
    }

    fn needs_type(&self) -> bool {
        let no_document = self.facts.location.is_some()
            && (self.is_bare_redirect() || self.content_length() == Some(0));
        !self.facts.has_type
            && self.facts.elsewhere == 0
            && !no_document
            && self.status().allows_body()
    }

    fn write_status<O: Storage + ?Sized>(&self, out: &mut O) -> Result<(), StorageFull> {
        if let Some((start, end)) = self.facts.status_line {
            return out.append(self.lines().get(start..end).unwrap_or_default());
        }
        let status = self.status();
        let has_cgi_field = self.facts.elsewhere == 0 || self.facts.has_type;
        let is_implied = status == Status::OK && self.facts.location.is_none() && has_cgi_field;
        if is_implied || self.is_bare_redirect() {
            return Ok(());
        }
        out.append(STATUS_LINE)?;
        out.append(decimal::digits(status.code().into(), &mut [0; DIGITS]))?;
        if !status.reason().is_empty() {
            out.append(b" ")?;
            out.append(status.reason().as_bytes())?;
        }
        out.append(b"\r\n")
    }

    fn write_fields<O: Storage + ?Sized>(&self, out: &mut O) -> Result<(), StorageFull> {
        let Some((start, end)) = self.facts.status_line else {
            return out.append(self.lines());
        };
        out.append(self.lines().get(..start).unwrap_or_default())?;
        out.append(self.lines().get(end..).unwrap_or_default())
    }

    pub(super) fn lines(&self) -> &[u8] {
        self.store.as_bytes()
    }
}

/// What kind of field it is, and its value without the blanks around it.
#[inline]
pub(super) fn checked<'v>(name: &[u8], value: &'v [u8]) -> Result<(Known, &'v [u8]), HeadError> {
    if name.is_empty() {
        return Err(HeadError::EmptyName);
    }
    if let Some(at) = name.iter().position(|&byte| !is_token(byte)) {
        return Err(HeadError::Name { at });
    }
    if let Some(at) = bad_text(value) {
        return Err(HeadError::Value { at });
    }
    Ok((Known::of(name), trim_blanks(value)))
}

fn check_single(field: &'static str, was_set: bool) -> Result<(), HeadError> {
    match was_set {
        true => Err(HeadError::Duplicate { field }),
        false => Ok(()),
    }
}

pub(super) fn check_value(field: &'static str, value: &[u8]) -> Result<(), HeadError> {
    match value.is_empty() {
        true => Err(HeadError::EmptyValue { field }),
        false => Ok(()),
    }
}
