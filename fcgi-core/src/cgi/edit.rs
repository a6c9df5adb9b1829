//! A head as a multimap: looked up and changed by name before it is written.

use core::cell::Cell;
use core::iter;
use core::ops::Range;

use memchr::{memchr, memrchr};

use super::field::{Fields, Known, Target};
use super::format::{Length, STATUS_LINE, check_value, checked};
use super::{HeadError, ResponseHead};
use crate::decimal;
use crate::storage::Storage;

/// The fields by their names; letters compare without regard to case.
///
/// `Status` is not among them: [`status`](ResponseHead::status) has it. Each call looks at every
/// line at most once.
impl<S: Storage> ResponseHead<S> {
    /// The names and values so far, in the order in which they are going to be written.
    pub fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let length = self.facts.content_length.as_ref().map(Length::digits);
        let length = length.into_iter().zip(iter::once(&b"Content-Length"[..]));
        Fields::new(self.lines()).chain(length.map(|(digits, name)| (name, digits)))
    }

    /// The value of the first field with this name.
    ///
    /// ```
    /// use fcgi_core::cgi::ResponseHead;
    ///
    /// let mut head = ResponseHead::new(heapless::Vec::<u8, 128>::new());
    /// head.add("Cache-Control", "no-store")?;
    /// assert_eq!(head.get("cache-control"), Some(&b"no-store"[..]));
    /// head.set("CACHE-CONTROL", "max-age=60")?;
    /// assert_eq!(head.get_all("Cache-Control").collect::<Vec<_>>(), [b"max-age=60"]);
    /// assert!(head.remove("Cache-Control"));
    /// assert_eq!(head.get("Cache-Control"), None);
    /// # Ok::<(), fcgi_core::cgi::HeadError>(())
    /// ```
    #[must_use]
    pub fn get(&self, name: impl AsRef<[u8]>) -> Option<&[u8]> {
        self.get_all(&name).next()
    }

    /// The values of all fields with this name, in order.
    pub fn get_all<'h, 'n, N: AsRef<[u8]> + ?Sized>(
        &'h self,
        name: &'n N,
    ) -> impl Iterator<Item = &'h [u8]> + use<'h, 'n, N, S> {
        let name = name.as_ref();
        self.fields()
            .filter(move |(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// Puts one field in the place of all fields with this name, behind the others.
    ///
    /// # Errors
    ///
    /// Every [`HeadError`] but [`Duplicate`](HeadError::Duplicate); each leaves the head as it was.
    /// There has to be room for the new field beside those that it replaces.
    pub fn set(
        &mut self,
        name: impl AsRef<[u8]>,
        value: impl AsRef<[u8]>,
    ) -> Result<(), HeadError> {
        let name = name.as_ref();
        let (known, value) = checked(name, value.as_ref())?;
        match known {
            Known::Status => return self.put_status_field(value),
            Known::ContentLength => {
                self.set_content_length(decimal::parse(value).ok_or(HeadError::ContentLength)?);
                return Ok(());
            }
            Known::HopByHop => return Err(HeadError::HopByHop),
            Known::ContentType => check_value("content-type", value)?,
            Known::Location => check_value("location", value)?,
            Known::Elsewhere | Known::Other => {}
        }
        let before = self.lines().len();
        self.store_line(&[name, b": ", value, b"\r\n"])?;
        let replaced = self.take_out(before, name);
        match known {
            Known::ContentType => self.facts.has_type = true,
            Known::Location => self.facts.location = Some(Target::of(value)),
            Known::Elsewhere => {
                self.facts.elsewhere = replace(self.facts.elsewhere, replaced);
            }
            _ => self.facts.others = replace(self.facts.others, replaced),
        }
        Ok(())
    }

    /// Removes all fields with this name; whether there were any. `Status` is the status that was
    /// set.
    pub fn remove(&mut self, name: impl AsRef<[u8]>) -> bool {
        let name = name.as_ref();
        // It would be compared with the beginning of a value as well.
        if memchr(b':', name).is_some() {
            return false;
        }
        match Known::of(name) {
            Known::Status => {
                self.drop_status_line();
                return self.facts.status.take().is_some();
            }
            Known::ContentLength => return self.facts.content_length.take().is_some(),
            _ => {}
        }
        let removed = self.take_out(self.lines().len(), name);
        match Known::of(name) {
            Known::ContentType => self.facts.has_type = false,
            Known::Location => self.facts.location = None,
            Known::Elsewhere => {
                self.facts.elsewhere = self.facts.elsewhere.saturating_sub(removed);
            }
            _ => self.facts.others = self.facts.others.saturating_sub(removed),
        }
        removed > 0
    }

    /// Takes a status line of the application out, if there is one.
    pub(super) fn drop_status_line(&mut self) {
        if self.facts.status_line.is_some() {
            self.take_out(self.lines().len(), b"Status");
        }
    }

    /// Takes note of the status line that was just appended, and takes an earlier one out.
    pub(super) fn find_status_line(&mut self) {
        let lines = self.lines();
        let before = lines.strip_suffix(b"\n").unwrap_or(lines);
        let start = memrchr(b'\n', before).map_or(0, |at| at.saturating_add(1));
        if self.facts.status_line.is_some() {
            self.take_out(start, b"Status");
        } else {
            self.facts.status_line = Some((start, lines.len()));
        }
    }

    /// Takes the lines of this name, which has no `:`, out of the first `end` bytes, and moves the
    /// others down; how many there were.
    pub(super) fn take_out(&mut self, end: usize, name: &[u8]) -> usize {
        let bytes = self.store.as_mut_bytes();
        self.facts.status_line = None;
        let (mut read, mut written, mut removed) = (0_usize, 0_usize, 0_usize);
        while let Some(rest) = bytes.get(read..).filter(|rest| !rest.is_empty()) {
            let length = memchr(b'\n', rest).map_or(rest.len(), |at| at.saturating_add(1));
            let line = rest.get(..length).unwrap_or_default();
            let next = read.saturating_add(length);
            if read < end && has_name(line, name) {
                removed = removed.saturating_add(1);
            } else {
                let kept = written.saturating_add(length);
                if line.starts_with(STATUS_LINE) {
                    self.facts.status_line = Some((written, kept));
                }
                if written < read {
                    move_down(bytes, read..next, written);
                }
                written = kept;
            }
            read = next;
        }
        self.store.truncate(written);
        removed
    }
}

/// How many there are when one was put in the place of some.
fn replace(count: usize, replaced: usize) -> usize {
    count.saturating_sub(replaced).saturating_add(1)
}

fn has_name(line: &[u8], name: &[u8]) -> bool {
    line.split_at_checked(name.len())
        .is_some_and(|(field, rest)| field.eq_ignore_ascii_case(name) && rest.starts_with(b":"))
}

/// Copies bytes to `to`, below where they are. What the two have in common is overwritten only
/// after it was copied. (`copy_within` could panic.)
fn move_down(bytes: &mut [u8], from: Range<usize>, to: usize) {
    let cells = Cell::from_mut(bytes).as_slice_of_cells();
    let (from, to) = (cells.get(from), cells.get(to..));
    for (from, to) in iter::zip(from.unwrap_or_default(), to.unwrap_or_default()) {
        to.set(from.get());
    }
}
