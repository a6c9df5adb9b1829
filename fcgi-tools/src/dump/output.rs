//! Lines on their way to be printed: the traffic does not wait for them.

use std::io::{self, Write};
use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// So many bytes of lines wait while the last ones are written.
const ROOM: usize = 16 << 20;

/// Lines from all threads, in one order, for the one that writes them.
#[derive(Debug, Default)]
pub(super) struct Output {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<u8>,
    /// Lines for which there was no room since the writer came last.
    lost: u64,
    /// Nobody adds anything any more.
    is_over: bool,
    /// Nothing can be written any more.
    has_failed: bool,
}

impl Output {
    /// Adds lines, which go together; `text` has line ends between them, and none behind the last.
    pub(super) fn add(&self, text: &str) {
        let mut state = self.lock();
        // What comes behind a gap is left out too, so that the gap is one.
        if state.has_failed || state.lost > 0 || state.waiting.len() + text.len() >= ROOM {
            state.lost += 1;
            return;
        }
        state.waiting.extend_from_slice(text.as_bytes());
        state.waiting.push(b'\n');
        self.changed.notify_one();
    }

    /// Lets [`write`](Self::write) return when it has written what waits.
    pub(super) fn end(&self) {
        self.lock().is_over = true;
        self.changed.notify_one();
    }

    /// Writes what comes, until [`end`](Self::end).
    ///
    /// # Errors
    ///
    /// Those of the writer. What is added later is lost.
    pub(super) fn write(&self, mut out: impl Write) -> io::Result<()> {
        let mut lines = Vec::new();
        loop {
            let lost = match self.next(&mut lines) {
                Some(lost) => lost,
                None => return Ok(()),
            };
            let written = print(&mut out, &lines, lost);
            if written.is_err() {
                let mut state = self.lock();
                state.has_failed = true;
                state.waiting = Vec::new();
                return written;
            }
        }
    }

    /// Waits for lines and takes them, in exchange for room; how many were lost behind them. `None`
    /// when all is over.
    fn next(&self, lines: &mut Vec<u8>) -> Option<u64> {
        lines.clear();
        let mut state = self.lock();
        while state.waiting.is_empty() && state.lost == 0 {
            if state.is_over {
                return None;
            }
            let woken = self.changed.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
        mem::swap(lines, &mut state.waiting);
        Some(mem::take(&mut state.lost))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // What is inside is whole after every statement.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn print(out: &mut impl Write, lines: &[u8], lost: u64) -> io::Result<()> {
    out.write_all(lines)?;
    if lost > 0 {
        writeln!(
            out,
            "({lost} records or notes left out: they came faster than they were printed)"
        )?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_in_order_and_losses_are_told() {
        let output = Output::default();
        output.add("first\n    and more");
        output.add(&"x".repeat(ROOM));
        output.add("behind the gap");
        let mut lines = Vec::new();
        assert_eq!(output.next(&mut lines), Some(2));
        assert_eq!(lines, b"first\n    and more\n");
        output.add("after the gap");
        output.end();
        let mut out = Vec::new();
        output.write(&mut out).unwrap();
        assert_eq!(out, b"after the gap\n");
        let mut out = Vec::new();
        print(&mut out, b"lines\n", 2).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert!(
            out.starts_with("lines\n(2 records or notes left out"),
            "{out}"
        );
    }

    #[test]
    fn nothing_piles_up_behind_a_writer_that_fails() {
        let output = Output::default();
        output.add("line");
        let mut room = [0; 2];
        let error = output.write(&mut room[..]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WriteZero);
        output.add("line");
        assert!(output.lock().waiting.is_empty());
    }
}
