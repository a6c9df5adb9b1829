//! Text of others on a terminal.

use std::io::{self, Write};

use crate::serve::console::is_invisible;

/// A writer for terminals: text passes as it is; control characters but TAB and line feed, what
/// reorders a line, and what is not UTF-8 pass as escapes.
#[derive(Debug)]
pub struct Shown<W> {
    out: W,
    /// The beginning of a character.
    held: Vec<u8>,
}

impl<W: Write> Shown<W> {
    /// Writes what is shown to `out`.
    pub fn new(out: W) -> Shown<W> {
        Shown {
            out,
            held: Vec::new(),
        }
    }

    /// Writes the rest: a character that was never completed.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn finish(mut self) -> io::Result<()> {
        write!(self.out, "{}", self.held.escape_ascii())?;
        self.out.flush()
    }
}

impl<W: Write> Write for Shown<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut text = std::mem::take(&mut self.held);
        text.extend_from_slice(bytes);
        let mut shown = String::with_capacity(text.len());
        let mut chunks = text.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            for char in chunk.valid().chars() {
                if matches!(char, '\t' | '\n') || !(char.is_control() || is_invisible(char)) {
                    shown.push(char);
                } else {
                    shown.extend(char.escape_default());
                }
            }
            let invalid = chunk.invalid();
            if chunks.peek().is_none() && may_go_on(invalid) {
                self.held = invalid.to_vec();
            } else {
                shown.extend(invalid.escape_ascii().map(char::from));
            }
        }
        self.out.write_all(shown.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Whether the bytes at the end of a piece are the beginning of a character.
fn may_go_on(bytes: &[u8]) -> bool {
    match std::str::from_utf8(bytes) {
        Ok(_) => false,
        Err(error) => error.error_len().is_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_cut_shows_the_same() {
        let text = "Grüße 🙂\t\x1b[2J\r\n\u{202e}".as_bytes();
        let text = [text, b"\xff\xc3(\xf0\x9f"].concat();
        let expected = "Grüße 🙂\t\\u{1b}[2J\\r\n\\u{202e}\\xff\\xc3(\\xf0\\x9f";
        for step in [1, 2, 3, 100] {
            let mut out = Vec::new();
            let mut shown = Shown::new(&mut out);
            for piece in text.chunks(step) {
                shown.write_all(piece).unwrap();
            }
            shown.finish().unwrap();
            assert_eq!(
                String::from_utf8(out).unwrap(),
                expected,
                "in steps of {step}"
            );
        }
    }
}
