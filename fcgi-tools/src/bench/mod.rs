//! `fcgi bench`: the load generator [`load`] at work on a terminal.
//!
//! - [`run`]: a [`Plan`] with its progress on standard error, as long as that is a terminal, and
//!   with a flag that ends it early.
//! - [`Summary`]: what came of it, as text for people and as JSON for programs.

mod progress;
mod summary;

use std::io;
use std::sync::atomic::AtomicBool;

use crate::load::{self, Plan, Report};

pub use self::summary::Summary;

use self::progress::Progress;

/// Runs a plan until it is done or `stop` is set; then the report is of what was measured so far.
///
/// # Errors
///
/// Those of [`load::run`].
pub fn run(plan: &Plan, stop: &AtomicBool) -> io::Result<Report> {
    let mut progress = Progress::new(plan, stop);
    let report = load::run(plan, &mut progress);
    progress.finish();
    report
}

/// Whether a run found nothing wrong: there were answers, all were right, and the application did
/// not fall silent.
#[must_use]
pub fn is_good(report: &Report) -> bool {
    report.answers > 0 && report.failures.total() == 0 && !report.gave_up
}
