//! What a head that was read says.

use memchr::memchr;

use super::ParseError;
use super::field::{
    Fields, Known, Target, bad_text, is_token, name_and_rest, status_and_reason, trim_blanks,
};
use super::status::Status;
use crate::decimal;

/// What the application wants with its response (RFC 3875 §6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Send this to the client (§6.2.1).
    Document,
    /// Serve the path in `Location` instead, as if the client had asked for it (§6.2.2): it has a
    /// `Location` that begins with a single `/`, no status, no other field. A web server that does
    /// not do so sends it as a client redirect, for which [`Head::status`] is 302.
    LocalRedirect,
    /// Send the client to `Location` (§6.2.3), perhaps with a document (§6.2.4).
    ClientRedirect,
}

/// A complete head, in the parser's storage.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    lines: &'a [u8],
    facts: Facts,
}

impl<'a> Head<'a> {
    /// `lines` are those that `facts` took note of.
    pub(super) fn new(lines: &'a [u8], facts: Facts) -> Self {
        Self { lines, facts }
    }

    /// The status to send: that of `Status`, else 302 if there is a `Location`, else 200 (RFC 3875
    /// §6.2, §6.3.3).
    #[must_use]
    pub fn status(&self) -> Status {
        match (self.facts.status, self.facts.location) {
            (Some(status), _) => status,
            (None, Some(_)) => Status::FOUND,
            (None, None) => Status::OK,
        }
    }

    /// Whether this is a document or a redirect.
    ///
    /// `Location` beside a status that is no redirect, such as 201, belongs to a document.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match (self.facts.location, self.facts.status) {
            (Some(Target::LocalPath), None) if self.is_alone() => Kind::LocalRedirect,
            (Some(_), None) => Kind::ClientRedirect,
            (Some(_), Some(status)) if status.is_redirect() => Kind::ClientRedirect,
            _ => Kind::Document,
        }
    }

    /// The fields in their order, without `Status` and those about the connection: see [`Fields`].
    #[must_use]
    pub fn fields(&self) -> Fields<'a> {
        Fields::new(self.lines)
    }

    /// The value of the first of [`fields`](Self::fields) with this name, in any case of letters.
    #[must_use]
    pub fn get(&self, name: impl AsRef<[u8]>) -> Option<&'a [u8]> {
        let name = name.as_ref();
        self.fields()
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The number of bytes of body that the application announced.
    ///
    /// A web server that passes this on must see to it that so many bytes follow, no fewer and no
    /// more, or close the client's connection.
    #[must_use]
    pub fn content_length(&self) -> Option<u64> {
        self.facts.content_length
    }

    /// Whether the client may get the body; not so for 1xx, 204 and 304 (RFC 9112 §6.3), and not
    /// for HEAD, which the caller knows: `is_head`. What the application sends all the same is to
    /// be dropped.
    #[must_use]
    pub fn body_allowed(&self, is_head: bool) -> bool {
        !is_head && self.status().allows_body()
    }

    /// Whether nothing is beside `Status` and `Location`.
    fn is_alone(&self) -> bool {
        !self.facts.has_type && self.facts.content_length.is_none() && !self.facts.has_others
    }
}

/// What the fields of a head say that concerns the web server, noted line by line.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Facts {
    pub(super) status: Option<Status>,
    location: Option<Target>,
    content_length: Option<u64>,
    has_type: bool,
    /// Whether a field is beside those above; fields about the connection do not count.
    has_others: bool,
}

impl Facts {
    pub(super) fn is_interim(&self) -> bool {
        self.status.is_some_and(Status::is_informational)
    }

    /// Whether the head has a field of which each head needs one (RFC 3875 §6.3).
    pub(super) fn has_cgi_field(&self) -> bool {
        self.status.is_some() || self.location.is_some() || self.has_type
    }

    /// Checks a field's line and remembers what it says.
    pub(super) fn note(&mut self, text: &[u8], line: usize) -> Result<(), ParseError> {
        let Ok((_, (name, rest))) = name_and_rest(text) else {
            return Err(bad_name(text, line));
        };
        if let Some(at) = bad_text(rest) {
            let before = text.len().saturating_sub(rest.len());
            return Err(ParseError::Value {
                line,
                at: before.saturating_add(at),
            });
        }
        let value = trim_blanks(rest);
        let (field, was_set) = match Known::of(name) {
            Known::Status => {
                let (_, (status, _)) =
                    status_and_reason(value).map_err(|_| ParseError::Status { line })?;
                ("status", self.status.replace(status).is_some())
            }
            Known::Location => (
                "location",
                self.location.replace(Target::of(value)).is_some(),
            ),
            Known::ContentType => ("content-type", core::mem::replace(&mut self.has_type, true)),
            Known::ContentLength => {
                let length = decimal::parse(value).ok_or(ParseError::ContentLength { line })?;
                (
                    "content-length",
                    self.content_length.replace(length).is_some(),
                )
            }
            Known::HopByHop => return Ok(()),
            Known::Elsewhere | Known::Other => {
                self.has_others = true;
                return Ok(());
            }
        };
        if was_set {
            return Err(ParseError::Duplicate { line, field });
        }
        Ok(())
    }
}

/// Why a line does not begin with a name and a colon.
fn bad_name(text: &[u8], line: usize) -> ParseError {
    if text.starts_with(b" ") || text.starts_with(b"\t") {
        return ParseError::Folded { line };
    }
    if memchr(b':', text).is_none() {
        return ParseError::NoColon { line };
    }
    // The colon is no token, so there is such a byte; at 0 it can be the colon itself.
    let at = text
        .iter()
        .position(|&byte| !is_token(byte))
        .unwrap_or_default();
    match text.get(at) {
        Some(b':') => ParseError::EmptyName { line },
        Some(b' ' | b'\t') => ParseError::BlankInName { line, at },
        _ => ParseError::Name { line, at },
    }
}
