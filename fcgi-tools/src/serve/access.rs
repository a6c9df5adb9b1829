//! The line for each request.

use std::sync::Arc;
use std::time::Instant;

use hyper::StatusCode;

use super::console::{Console, shortened};

/// As many characters of a target are shown.
const TARGET: usize = 200;

/// A request while it is served; the line is printed when it is dropped, so that none is missing.
pub(super) struct Access {
    console: Console,
    label: Arc<str>,
    begun: Instant,
    status: Option<StatusCode>,
    bytes: u64,
    outcome: Outcome,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Outcome {
    /// The client went away unless something else is said before the drop.
    ClientGone,
    Complete,
    Cut,
}

impl Access {
    pub(super) fn new(console: Console, method: &str, target: &str) -> Access {
        let label = format!("{method} {}", shortened(target.as_bytes(), TARGET));
        Access {
            console,
            label: label.into(),
            begun: Instant::now(),
            status: None,
            bytes: 0,
            outcome: Outcome::ClientGone,
        }
    }

    /// Method and target, fit to be shown.
    pub(super) fn label(&self) -> Arc<str> {
        Arc::clone(&self.label)
    }

    pub(super) fn set_status(&mut self, status: StatusCode) {
        self.status = Some(status);
    }

    /// So many more bytes of body were handed to the client's connection.
    pub(super) fn add(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    /// The response is whole.
    pub(super) fn complete(&mut self) {
        if self.outcome == Outcome::ClientGone {
            self.outcome = Outcome::Complete;
        }
    }

    /// The response is cut short; says why.
    pub(super) fn cut(&mut self, why: &str) {
        self.outcome = Outcome::Cut;
        self.note(why);
    }

    /// Prints an error about this request.
    pub(super) fn note(&self, text: &str) {
        self.console.error(&format!("{}: {text}", self.label));
    }
}

/// `GET /path?query 200 1234 B 5 ms`
impl Drop for Access {
    fn drop(&mut self) {
        let status = self.status.as_ref().map_or("-", StatusCode::as_str);
        let outcome = match self.outcome {
            Outcome::Complete => "",
            Outcome::ClientGone => " (the client has gone)",
            Outcome::Cut => " (cut short)",
        };
        let (label, bytes) = (&self.label, self.bytes);
        let time = self.begun.elapsed().as_millis();
        self.console
            .access(&format!("{label} {status} {bytes} B {time} ms{outcome}"));
    }
}
