//! How a record is printed.

use std::fmt::{self, Write};

use fcgi_core::wire::{BODY_LEN, Pair, Record, RecordType, Text};

use super::pairs::{Pairs, Rest, whole};

/// How records are printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Style {
    /// The most bytes of a record's content, or of a value, that are printed; 1000 unless set. What
    /// is left out is counted: `{FCGI_STDIN, 1, "quan"... 8 more}`.
    pub max_content: usize,
    /// Whether parameters (FCGI_PARAMS, FCGI_GET_VALUES, FCGI_GET_VALUES_RESULT) are printed as
    /// pairs, one a line below their record; otherwise they are bytes as all others.
    pub decode: bool,
}

impl Style {
    /// Bytes as they are, up to 1000 of each record.
    #[must_use]
    pub const fn new() -> Style {
        Style {
            max_content: 1000,
            decode: false,
        }
    }
}

impl Default for Style {
    fn default() -> Style {
        Style::new()
    }
}

/// Prints the records of one direction.
#[derive(Debug)]
pub(super) struct Printer {
    style: Style,
    pairs: Pairs,
}

impl Printer {
    pub(super) fn new(style: Style) -> Printer {
        Printer {
            style,
            pairs: Pairs::default(),
        }
    }

    /// The record in the notation of Appendix B, and what is known of its pairs in lines below it;
    /// without a line end behind the last one.
    pub(super) fn print(&mut self, record: &Record<'_>) -> String {
        let mut text = String::new();
        let id = record.header.request_id;
        let written = match record.header.record_type {
            RecordType::PARAMS if self.style.decode => self.params(&mut text, record),
            RecordType::GET_VALUES | RecordType::GET_VALUES_RESULT if self.style.decode => {
                self.values(&mut text, record)
            }
            record_type => {
                if record_type == RecordType::BEGIN_REQUEST {
                    self.pairs.end(id);
                }
                self.raw(&mut text, record)
            }
        };
        // Nothing is printed that can fail, and a String takes any text.
        debug_assert!(written.is_ok(), "{record:?}");
        text
    }

    fn raw(&self, text: &mut String, record: &Record<'_>) -> fmt::Result {
        let record_type = record.header.record_type;
        let has_body = matches!(
            record_type,
            RecordType::BEGIN_REQUEST | RecordType::END_REQUEST | RecordType::UNKNOWN_TYPE
        ) && record.content.len() >= BODY_LEN;
        if has_body || record.content.len() <= self.style.max_content {
            return write!(text, "{record}");
        }
        let id = record.header.request_id;
        let content = Cut(record.content, self.style.max_content);
        write!(text, "{{{record_type}, {id}, {content}}}")
    }

    fn params(&mut self, text: &mut String, record: &Record<'_>) -> fmt::Result {
        let id = record.header.request_id;
        if record.content.is_empty() {
            self.raw(text, record)?;
            if self.pairs.end(id) {
                text.push_str("\n    (broken: the parameters end inside a pair (§3.4))");
            }
            return Ok(());
        }
        let mut lines = String::new();
        let most = self.style.max_content;
        let content = record.content;
        match self
            .pairs
            .push(id, content, |pair| line(&mut lines, pair, most))
        {
            Rest::Nothing => {}
            Rest::GoesOn => lines.push_str("\n    (a pair goes on in the next record)"),
            Rest::TooLong => lines.push_str("\n    (a pair is too long to be shown)"),
            Rest::Unread => return self.raw(text, record),
        }
        paragraph(text, record, &lines)
    }

    fn values(&self, text: &mut String, record: &Record<'_>) -> fmt::Result {
        let mut lines = String::new();
        let most = self.style.max_content;
        if whole(record.content, |pair| line(&mut lines, pair, most)) > 0 {
            lines.push_str("\n    (broken: the record ends inside a pair (§3.4))");
        }
        paragraph(text, record, &lines)
    }
}

fn paragraph(text: &mut String, record: &Record<'_>, lines: &str) -> fmt::Result {
    let (header, length) = (&record.header, record.content.len());
    let (record_type, id) = (header.record_type, header.request_id);
    write!(text, "{{{record_type}, {id}, {length} bytes}}{lines}")
}

fn line(lines: &mut String, pair: Pair<'_>, most: usize) {
    let (name, value) = (Cut(pair.name, most), Cut(pair.value, most));
    // A String takes any text.
    let _ = write!(lines, "\n    {name} = {value}");
}

/// Bytes as a literal of the notation, at most so many of them.
struct Cut<'a>(&'a [u8], usize);

impl fmt::Display for Cut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cut(bytes, most) = *self;
        let (shown, left_out) = bytes.split_at(most.min(bytes.len()));
        write!(f, "{}", Text(shown))?;
        if !left_out.is_empty() {
            write!(f, "... {} more", left_out.len())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fcgi_tests::hand::{self, PARAMS, STDIN, STDOUT};

    fn printed(printer: &mut Printer, bytes: &[u8]) -> String {
        let (rest, record) = Record::parse(bytes).unwrap();
        assert!(rest.is_empty());
        printer.print(&record)
    }

    #[test]
    fn content_is_cut_and_escaped() {
        let style = Style {
            max_content: 8,
            ..Style::new()
        };
        let mut printer = Printer::new(style);
        for (record, expected) in [
            (
                hand::record(STDIN, 1, b"quantity", 0),
                r#"{FCGI_STDIN, 1, "quantity"}"#,
            ),
            (
                hand::record(STDIN, 1, b"quantity=100", 0),
                r#"{FCGI_STDIN, 1, "quantity"... 4 more}"#,
            ),
            (
                hand::record(STDOUT, 7, b"\x1b[2J\n\"\xff\0more", 4),
                r#"{FCGI_STDOUT, 7, "\033[2J\n\"\377\000"... 4 more}"#,
            ),
            (hand::record(99, 0, b"", 0), r#"{type 99, 0, ""}"#),
            // A body is always shown whole.
            (
                hand::end_request(1, 938, hand::REQUEST_COMPLETE),
                "{FCGI_END_REQUEST, 1, {938, FCGI_REQUEST_COMPLETE}}",
            ),
            (
                hand::record(3, 1, b"short", 0),
                r#"{FCGI_END_REQUEST, 1, "short"}"#,
            ),
        ] {
            assert_eq!(printed(&mut printer, &record), expected);
        }
    }

    #[test]
    fn pairs_are_lines() {
        let style = Style {
            max_content: 5,
            decode: true,
        };
        let mut printer = Printer::new(style);
        let pairs = hand::pair_bytes(&[("PORT", "80"), ("NAME", "exam\nple")]);
        let (first, second) = pairs.split_at(12);
        assert_eq!(
            printed(&mut printer, &hand::record(PARAMS, 1, first, 0)),
            "{FCGI_PARAMS, 1, 12 bytes}\n    \"PORT\" = \"80\"\n    \
             (a pair goes on in the next record)"
        );
        assert_eq!(
            printed(&mut printer, &hand::record(PARAMS, 1, second, 0)),
            "{FCGI_PARAMS, 1, 10 bytes}\n    \"NAME\" = \"exam\\n\"... 3 more"
        );
        let end = hand::end_of(PARAMS, 1);
        assert_eq!(printed(&mut printer, &end), r#"{FCGI_PARAMS, 1, ""}"#);
        printed(&mut printer, &hand::record(PARAMS, 1, first, 0));
        assert_eq!(
            printed(&mut printer, &end),
            "{FCGI_PARAMS, 1, \"\"}\n    (broken: the parameters end inside a pair (§3.4))"
        );
        assert_eq!(
            printed(
                &mut printer,
                &hand::get_values_result(&[("FCGI_MAX_REQS", "7")])
            ),
            "{FCGI_GET_VALUES_RESULT, 0, 16 bytes}\n    \"FCGI_\"... 8 more = \"7\""
        );
        assert_eq!(
            printed(&mut printer, &hand::record(9, 0, b"\x01", 0)),
            "{FCGI_GET_VALUES, 0, 1 bytes}\n    (broken: the record ends inside a pair (§3.4))"
        );
    }

    #[test]
    fn a_request_begins_anew() {
        let style = Style {
            decode: true,
            ..Style::new()
        };
        let mut printer = Printer::new(style);
        printed(&mut printer, &hand::record(PARAMS, 1, &[5], 0));
        let begin = hand::begin(1, hand::FILTER, hand::KEEP);
        let text = "{FCGI_BEGIN_REQUEST, 1, {FCGI_FILTER, FCGI_KEEP_CONN}}";
        assert_eq!(printed(&mut printer, &begin), text);
        let end = hand::end_of(PARAMS, 1);
        assert_eq!(printed(&mut printer, &end), r#"{FCGI_PARAMS, 1, ""}"#);
    }
}
