//! What all connections of a server share.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::buffer::Input;
use crate::gate::Gate;
use crate::incident::Incident;
use crate::rules::Rules;

/// What is called with each [`Incident`].
pub(crate) type Report = dyn Fn(&Incident) + Send + Sync;

pub(crate) struct Context {
    pub(crate) rules: Rules,
    pub(crate) gate: Arc<Gate>,
    report: Box<Report>,
    stopping: AtomicBool,
    spare: Mutex<Vec<Input>>,
}

/// So many buffers are kept for connections that become active.
const SPARE: usize = 32;

impl Context {
    pub(crate) fn new(rules: Rules, report: Box<Report>) -> Context {
        Context {
            gate: Gate::new(rules.max_requests),
            rules,
            report,
            stopping: AtomicBool::new(false),
            spare: Mutex::default(),
        }
    }

    pub(crate) fn report(&self, incident: &Incident) {
        // A report that panics must not cost a worker.
        let _ = catch_unwind(AssertUnwindSafe(|| (self.report)(incident)));
    }

    /// No new requests from here on.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// A buffer for a connection that has something to read.
    pub(crate) fn buffer(&self) -> Input {
        self.spare
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop()
            .unwrap_or_default()
    }

    /// Takes back the buffer of a connection that has nothing to read; an idle connection has none.
    pub(crate) fn give_back(&self, mut buffer: Input) {
        buffer.clear();
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < SPARE && buffer.is_reusable() {
            spare.push(buffer);
        }
    }
}
