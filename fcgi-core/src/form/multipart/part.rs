//! The head of a part.

use core::fmt;
use core::iter::FusedIterator;

use memchr::memchr;

use super::super::syntax::{cut, is_text, is_token, trim_blanks, with_parameters};
use super::super::{Encoded, FormError};
use crate::wire::Text;

/// The head of a part, checked (RFC 7578 §4.2, §4.4): what the part is called, and whether it is a
/// file.
///
/// Nothing here can be trusted: a client writes what it likes.
#[derive(Clone, Copy)]
pub struct PartHead<'a> {
    /// Lines, each with its line end; perhaps the empty line behind them.
    lines: &'a [u8],
    name: Encoded<'a>,
    file_name: Option<Encoded<'a>>,
    content_type: Option<&'a [u8]>,
}

impl<'a> PartHead<'a> {
    /// The name of the form's field. Several parts may have the same one.
    #[must_use]
    pub const fn name(&self) -> Encoded<'a> {
        self.name
    }

    /// The name that a file has on the client's side: there is one if the part is a file.
    ///
    /// It is empty when no file was chosen; the part then has no bytes either. Old browsers send a
    /// whole Windows path. **Never use it as a path**: [`base_name`] takes the directories off, and
    /// what is left is for showing.
    ///
    /// An extended `filename*`, which forms should not have (RFC 7578 §4.2), counts only where
    /// there is no `filename`; its charset is nearly always UTF-8 and is not looked at.
    #[must_use]
    pub const fn file_name(&self) -> Option<Encoded<'a>> {
        self.file_name
    }

    /// Whether the part has a file name.
    #[must_use]
    pub const fn is_file(&self) -> bool {
        self.file_name.is_some()
    }

    /// The value of Content-Type; `text/plain` is meant if there is none (RFC 7578 §4.4).
    #[must_use]
    pub const fn content_type(&self) -> Option<&'a [u8]> {
        self.content_type
    }

    /// All fields in order: names, and values without the blanks around them.
    #[must_use]
    pub const fn fields(&self) -> Fields<'a> {
        Fields { lines: self.lines }
    }

    /// Checks the lines of a head.
    pub(super) fn parse(lines: &'a [u8], part: usize) -> Result<Self, FormError> {
        let mut disposition = None;
        let mut content_type = None;
        let mut line: usize = 0;
        let mut rest = lines;
        while let Some((text, following)) = first_line(rest) {
            rest = following;
            if text.is_empty() {
                break;
            }
            line = line.saturating_add(1);
            let (name, value) = field(text).ok_or(FormError::Field { part, line })?;
            let (known, what) = if name.eq_ignore_ascii_case(b"Content-Disposition") {
                (&mut disposition, "content-disposition")
            } else if name.eq_ignore_ascii_case(b"Content-Type") {
                (&mut content_type, "content-type")
            } else {
                continue;
            };
            if known.replace(value).is_some() {
                return Err(FormError::Repeated { part, what });
            }
        }
        let disposition = disposition.ok_or(FormError::NoDisposition { part })?;
        let Disposition { name, file_name } = Disposition::parse(disposition, part)?;
        Ok(PartHead {
            lines,
            name,
            file_name,
            content_type,
        })
    }
}

impl fmt::Debug for PartHead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A list: the machinery of maps can panic.
        let mut list = f.debug_list();
        for (name, value) in self.fields() {
            list.entry(&format_args!("{}: {}", Text(name), Text(value)));
        }
        list.finish()
    }
}

/// What Content-Disposition says.
struct Disposition<'a> {
    name: Encoded<'a>,
    file_name: Option<Encoded<'a>>,
}

impl<'a> Disposition<'a> {
    fn parse(value: &'a [u8], part: usize) -> Result<Self, FormError> {
        let malformed = FormError::Disposition { part };
        let (kind, parameters) = with_parameters(value);
        if !kind.eq_ignore_ascii_case(b"form-data") {
            return Err(malformed);
        }
        let (mut name, mut file_name, mut extended) = (None, None, None);
        for parameter in parameters {
            let parameter = parameter.map_err(|_| malformed)?;
            let (known, what) = if parameter.name.eq_ignore_ascii_case(b"name") {
                (&mut name, "name")
            } else if parameter.name.eq_ignore_ascii_case(b"filename") {
                (&mut file_name, "filename")
            } else if parameter.name.eq_ignore_ascii_case(b"filename*") {
                (&mut extended, "filename*")
            } else {
                continue;
            };
            if known.replace(parameter.value).is_some() {
                return Err(FormError::Repeated { part, what });
            }
        }
        let extended = extended.map(|value| extended_value(value).ok_or(malformed));
        let extended = extended.transpose()?;
        Ok(Disposition {
            name: Encoded::quoted(name.ok_or(FormError::NoName { part })?),
            file_name: file_name.map(Encoded::quoted).or(extended),
        })
    }
}

/// `charset'language'text` (RFC 8187 §3.2): the text.
fn extended_value(value: &[u8]) -> Option<Encoded<'_>> {
    let mut quotes = value.splitn(3, |&byte| byte == b'\'');
    let (charset, _, text) = (quotes.next()?, quotes.next()?, quotes.next()?);
    (!charset.is_empty()).then_some(Encoded::percent(text))
}

/// `name: value`. A line that begins with a blank would go on with the one before: it is no field.
fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (name, [b':', value @ ..]) = line.split_at_checked(memchr(b':', line)?)? else {
        return None;
    };
    let is_field = !name.is_empty()
        && name.iter().all(|&byte| is_token(byte))
        && value.iter().all(|&byte| is_text(byte));
    is_field.then_some((name, trim_blanks(value)))
}

/// The first line without its line end, and what is behind it; none if no line is whole.
fn first_line(lines: &[u8]) -> Option<(&[u8], &[u8])> {
    memchr(b'\n', lines)?;
    let (line, rest) = cut(b'\n', lines);
    Some((line.strip_suffix(b"\r").unwrap_or(line), rest))
}

/// The fields of a [`PartHead`], in order.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    lines: &'a [u8],
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (line, rest) = first_line(self.lines)?;
        self.lines = rest;
        field(line)
    }
}

impl FusedIterator for Fields<'_> {}

/// The last component of a decoded file name, behind every `/` and `\`; `None` if that is empty,
/// `.` or `..`.
///
/// What is left is still the client's text, for showing only: names of devices, hidden files and
/// control characters are not looked for.
///
/// ```
/// use fcgi_core::form::multipart::base_name;
///
/// assert_eq!(base_name(br"C:\Users\me\cat.jpg"), Some(&b"cat.jpg"[..]));
/// assert_eq!(base_name(b"../../etc/passwd"), Some(&b"passwd"[..]));
/// assert_eq!(base_name(b"uploads/.."), None);
/// ```
#[must_use]
pub fn base_name(file_name: &[u8]) -> Option<&[u8]> {
    let last = file_name
        .rsplit(|byte| matches!(byte, b'/' | b'\\'))
        .next()?;
    (!matches!(last, b"" | b"." | b"..")).then_some(last)
}

#[cfg(test)]
mod tests {
    use std::string::String;
    use std::vec::Vec;

    use super::super::super::FormError as E;
    use super::{PartHead, base_name};

    fn disposition(parameters: &str) -> String {
        std::format!("Content-Disposition: form-data{parameters}\r\n\r\n")
    }

    #[test]
    fn names_and_files() {
        type Row = (&'static str, &'static str, Option<&'static str>);
        let table: [Row; 13] = [
            ("; name=\"a\"", "a", None),
            ("; name=\"a\"; filename=\"b.txt\"", "a", Some("b.txt")),
            (";filename=\"b.txt\";name=\"a\"", "a", Some("b.txt")),
            ("; name=\"\"; filename=\"\"", "", Some("")),
            ("; NAME=a; FileName=b c.txt ; size=7", "a", Some("b c.txt")),
            ("; name=\"a%22b%0D%0Ac\"", "a\"b\r\nc", None),
            ("; name=\"a\\\"b\"", "a\"b", None),
            ("; name=\"ü\"; filename=\"日本.txt\"", "ü", Some("日本.txt")),
            (
                "; name=\"a\"; filename=\"C:\\x\\b.txt\"",
                "a",
                Some("C:\\x\\b.txt"),
            ),
            (
                "; name=\"a\"; filename=\"x; name=y\"",
                "a",
                Some("x; name=y"),
            ),
            (
                "; name=\"a\"; filename*=UTF-8''%e2%82%ac+1",
                "a",
                Some("€+1"),
            ),
            ("; name=\"a\"; filename*=utf-8'en'x'y", "a", Some("x'y")),
            (
                "; name=\"a\"; filename*=UTF-8''x; filename=\"y\"",
                "a",
                Some("y"),
            ),
        ];
        for (parameters, name, file_name) in table {
            let lines = disposition(parameters);
            let head = PartHead::parse(lines.as_bytes(), 1).unwrap();
            assert_eq!(head.name().to_text(), name, "{parameters}");
            let found = head.file_name().map(|name| name.to_text().into_owned());
            assert_eq!(found.as_deref(), file_name, "{parameters}");
            assert_eq!(head.is_file(), file_name.is_some());
            assert_eq!(head.content_type(), None);
        }
    }

    #[test]
    fn refused() {
        let part = 7;
        let repeated = |what| E::Repeated { part, what };
        for (parameters, error) in [
            ("", E::NoName { part }),
            ("; filename=\"x\"", E::NoName { part }),
            ("; name=\"a\"; name=\"a\"", repeated("name")),
            ("; name=a; filename=b; FILENAME=c", repeated("filename")),
            (
                "; name=a; filename*=U''c; filename*=U''c",
                repeated("filename*"),
            ),
            ("; name=\"a", E::Disposition { part }),
            ("; name=\"a\" x", E::Disposition { part }),
            ("; name", E::Disposition { part }),
            ("; name=a; filename*=b", E::Disposition { part }),
            ("; name=a; filename*=''b", E::Disposition { part }),
            ("-x; name=a", E::Disposition { part }),
        ] {
            let lines = disposition(parameters);
            let found = PartHead::parse(lines.as_bytes(), part).map(drop);
            assert_eq!(found, Err(error), "{parameters}");
        }
        let good = "Content-Disposition: form-data; name=a\r\n";
        let field = |line| E::Field { part, line };
        for (lines, error) in [
            ("\r\n".into(), E::NoDisposition { part }),
            (
                "Content-Type: a/b\r\n\r\n".into(),
                E::NoDisposition { part },
            ),
            (
                "Content-Disposition: attachment; name=a\r\n".into(),
                E::Disposition { part },
            ),
            (
                std::format!("{good}{good}"),
                repeated("content-disposition"),
            ),
            (
                std::format!("Content-Type: a\r\n{good}content-type: a\r\n"),
                repeated("content-type"),
            ),
            (std::format!("{good}no colon\r\n"), field(2)),
            (std::format!("{good}: x\r\n"), field(2)),
            (std::format!("{good} folded: x\r\n"), field(2)),
            (std::format!("{good}a b: x\r\n"), field(2)),
            (std::format!("a : x\r\n{good}"), field(1)),
            (std::format!("{good}X: a\rb\r\n"), field(2)),
            (std::format!("{good}X: a\0b\r\n"), field(2)),
        ] {
            let found = PartHead::parse(lines.as_bytes(), part).map(drop);
            assert_eq!(found, Err(error), "{lines}");
        }
    }

    #[test]
    fn other_fields() {
        let lines = b"X-A:  1 \r\ncontent-disposition:form-data;name=a\nCONTENT-TYPE: a/b; c=d\r\n\
            x-a:\r\n\r\nX-Body: no\r\n";
        let head = PartHead::parse(lines, 1).unwrap();
        assert_eq!(head.content_type(), Some(&b"a/b; c=d"[..]));
        let fields: Vec<_> = head.fields().collect();
        assert_eq!(fields.len(), 4);
        assert_eq!(
            (fields[0], fields[3]),
            ((&b"X-A"[..], &b"1"[..]), (&b"x-a"[..], &b""[..]))
        );
        assert!(std::format!("{head:?}").contains("CONTENT-TYPE"));
    }

    #[test]
    fn base_names() {
        for (name, base) in [
            ("a.txt", Some("a.txt")),
            ("/a/b", Some("b")),
            ("a\\b/c\\d", Some("d")),
            ("a/", None),
            ("", None),
            (".", None),
            ("..\\..", None),
            ("...", Some("...")),
        ] {
            assert_eq!(
                base_name(name.as_bytes()),
                base.map(str::as_bytes),
                "{name}"
            );
        }
    }
}
