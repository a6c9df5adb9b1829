//! How far a run has come, in a line that is redrawn.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::load::{Extent, Observer, Plan, Report};

/// Invisible unless standard error is a terminal.
pub(super) struct Progress<'p> {
    plan: &'p Plan,
    stop: &'p AtomicBool,
    bar: ProgressBar,
    extent: Extent,
}

impl<'p> Progress<'p> {
    pub(super) fn new(plan: &'p Plan, stop: &'p AtomicBool) -> Progress<'p> {
        let extent = plan.warm_up.unwrap_or(plan.extent);
        let bar = ProgressBar::new(length(extent));
        if let Ok(style) = ProgressStyle::with_template("{prefix} {wide_bar} {percent:>3} % {msg}")
        {
            bar.set_style(style);
        }
        bar.set_prefix(if plan.warm_up.is_some() {
            "warm-up"
        } else {
            "running"
        });
        Progress {
            plan,
            stop,
            bar,
            extent,
        }
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Observer for Progress<'_> {
    fn measuring(&mut self) {
        self.extent = self.plan.extent;
        self.bar.set_position(0);
        self.bar.set_length(length(self.extent));
        self.bar.set_prefix("running");
    }

    fn progress(&mut self, so_far: &Report) -> ControlFlow<()> {
        if self.stop.load(Ordering::Relaxed) {
            return ControlFlow::Break(());
        }
        if !self.bar.is_hidden() {
            self.bar.set_message(message(so_far));
            self.bar.set_position(match self.extent {
                Extent::Requests(_) => so_far.ended(),
                Extent::Time(_) => milliseconds(so_far.elapsed),
            });
        }
        ControlFlow::Continue(())
    }
}

/// "41234 requests/s, 99 % within 1.20 ms, 3 failures"
fn message(so_far: &Report) -> String {
    let rate = so_far.per_second();
    let p99 = so_far.latencies.percentile(99.0);
    let mut message = format!("{rate:.0} requests/s, 99 % within {p99:.2?}");
    let failures = so_far.failures.total();
    if failures > 0 {
        message.push_str(&format!(", {failures} failures"));
    }
    message
}

fn length(extent: Extent) -> u64 {
    match extent {
        Extent::Requests(count) => count,
        Extent::Time(time) => milliseconds(time),
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
