//! FCGI_STDERR of a request, line by line.

use std::sync::Arc;

use super::console::{Console, escaped};

/// A longer line is printed in pieces.
const LONGEST: usize = 4096;

/// The errors of one request on their way to the console.
pub(super) struct Errors {
    console: Console,
    /// Which request this is.
    label: Arc<str>,
    line: Vec<u8>,
}

impl Errors {
    pub(super) fn new(console: Console, label: Arc<str>) -> Errors {
        Errors {
            console,
            label,
            line: Vec::new(),
        }
    }

    /// Takes a piece of the stream, and prints the lines that are complete.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            for part in piece.chunks(LONGEST) {
                self.line.extend_from_slice(part);
                if part.ends_with(b"\n") || self.line.len() >= LONGEST {
                    self.flush();
                }
            }
        }
    }

    /// Prints what is left without a line end.
    pub(super) fn flush(&mut self) {
        let line = self.line.trim_ascii_end();
        if !line.is_empty() {
            self.note(&escaped(line));
        }
        self.line.clear();
    }

    /// Prints a remark of the gateway about the request.
    pub(super) fn note(&self, text: &str) {
        self.console.error(&format!("{}: {text}", self.label));
    }
}

impl Drop for Errors {
    fn drop(&mut self) {
        self.flush();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::super::console::Line;
    use super::*;

    #[test]
    fn lines_whatever_the_cuts() {
        let text = b"one\r\ntwo \x1b\n\n  \nrest";
        for size in 1..=text.len() {
            let lines = Arc::new(Mutex::new(Vec::new()));
            let seen = Arc::clone(&lines);
            let console = Console::new(move |line| match line {
                Line::Error(line) => seen.lock().unwrap().push(line.to_owned()),
                other => panic!("{other:?}"),
            });
            let mut errors = Errors::new(console, "GET /".into());
            text.chunks(size).for_each(|piece| errors.push(piece));
            drop(errors);
            let expected = ["GET /: one", "GET /: two \\u{1b}", "GET /: rest"];
            assert_eq!(*lines.lock().unwrap(), expected, "pieces of {size}");
        }
    }

    #[test]
    fn a_line_without_an_end_fills_no_memory() {
        let lines = Arc::new(Mutex::new(0));
        let seen = Arc::clone(&lines);
        let console = Console::new(move |_| *seen.lock().unwrap() += 1);
        let mut errors = Errors::new(console, "GET /".into());
        for _ in 0..10 {
            errors.push(&[b'x'; 10_000]);
            assert!(errors.line.capacity() <= 4 * LONGEST);
        }
        assert!(*lines.lock().unwrap() >= 12);
    }
}
