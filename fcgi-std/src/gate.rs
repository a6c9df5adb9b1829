//! How many requests run in the process, and how many may.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What lets so many in.
pub(crate) struct Gate {
    running: AtomicUsize,
    most: usize,
}

/// The place of one of the requests that may run; given back when it is dropped.
pub(crate) struct Admission(Arc<Gate>);

impl Gate {
    pub(crate) fn new(most: usize) -> Arc<Gate> {
        Arc::new(Gate {
            running: AtomicUsize::new(0),
            most,
        })
    }

    pub(crate) fn enter(self: &Arc<Gate>) -> Option<Admission> {
        let enter = |running| (running < self.most).then_some(running + 1);
        let entered = self
            .running
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, enter);
        entered.is_ok().then(|| Admission(Arc::clone(self)))
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}
