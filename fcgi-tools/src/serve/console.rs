//! What the gateway says: one line at a time, to standard output and standard error or wherever its
//! owner wants.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

/// A line that the gateway prints, without its line end and free of control characters but TAB.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Line<'a> {
    /// Where it serves, and what becomes of the application.
    Notice(&'a str),
    /// A request that is over.
    Access(&'a str),
    /// Something that went wrong, or a line of the application's FCGI_STDERR.
    Error(&'a str),
}

/// Where [`Line`]s go; cheap to clone.
#[derive(Clone)]
pub struct Console(Arc<dyn Fn(Line<'_>) + Send + Sync>);

impl Console {
    /// Gives each line to a function, which may be called by several threads at once.
    #[must_use]
    pub fn new(print: impl Fn(Line<'_>) + Send + Sync + 'static) -> Console {
        Console(Arc::new(print))
    }

    pub(super) fn notice(&self, text: &str) {
        self.0(Line::Notice(text));
    }

    pub(super) fn access(&self, text: &str) {
        self.0(Line::Access(text));
    }

    pub(super) fn error(&self, text: &str) {
        self.0(Line::Error(text));
    }
}

/// Notices and accesses on standard output, errors on standard error.
impl Default for Console {
    fn default() -> Console {
        Console::new(|line| {
            // A reader that has gone away is no reason to stop serving.
            let _ = match line {
                Line::Notice(text) | Line::Access(text) => writeln!(io::stdout().lock(), "{text}"),
                Line::Error(text) => writeln!(io::stderr().lock(), "{text}"),
            };
        })
    }
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Console")
    }
}

/// Shows bytes of others: text as it is, control characters and what is not UTF-8 as escapes, so
/// that nobody can forge a line or steer a terminal.
pub(super) fn escaped(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for char in chunk.valid().chars() {
            if char == '\t' || !(char.is_control() || is_invisible(char)) {
                shown.push(char);
            } else {
                shown.extend(char.escape_default());
            }
        }
        shown.extend(chunk.invalid().escape_ascii().map(char::from));
    }
    shown
}

/// Characters that reorder a line or break it in two, without being control characters.
pub(crate) fn is_invisible(char: char) -> bool {
    matches!(char, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// As [`escaped`], cut to at most `most` characters.
pub(super) fn shortened(bytes: &[u8], most: usize) -> String {
    let mut shown = escaped(bytes);
    if let Some((end, _)) = shown.char_indices().nth(most) {
        shown.truncate(end);
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_the_terminal() {
        for (bytes, shown) in [
            (&b"plain\ttext"[..], "plain\ttext"),
            ("Grüße 🙂".as_bytes(), "Grüße 🙂"),
            (b"a\r\nb\x1b[2J\x7f\0", "a\\r\\nb\\u{1b}[2J\\u{7f}\\u{0}"),
            (b"\xff\xc3", "\\xff\\xc3"),
            ("\u{9b}31m\u{202e}".as_bytes(), "\\u{9b}31m\\u{202e}"),
        ] {
            assert_eq!(escaped(bytes), shown);
        }
        assert_eq!(shortened(b"abcdef", 6), "abcdef");
        assert_eq!(shortened("äöüß".as_bytes(), 3), "äöü…");
    }
}
