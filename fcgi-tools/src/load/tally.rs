//! What a run counts, and how far it may go.

use std::io;
use std::time::{Duration, Instant};

use super::plan::{Extent, Plan};
use super::report::{Failure, Report};

/// The numbers of the part of the run that is going on, and when it is over.
pub(super) struct Tally {
    pub(super) report: Report,
    /// The clock, as it was looked at last.
    pub(super) now: Instant,
    extent: Extent,
    warms_up: bool,
    keeps: bool,
    since: Instant,
    /// Requests of the whole run.
    begun: u64,
    ended: u64,
    /// So many may be begun.
    most: u64,
    /// When a byte went either way.
    moved: Instant,
}

impl Tally {
    pub(super) fn new(plan: &Plan) -> Tally {
        let now = Instant::now();
        let mut tally = Tally {
            report: Report::new(),
            now,
            extent: plan.warm_up.unwrap_or(plan.extent),
            warms_up: plan.warm_up.is_some(),
            keeps: plan.keep,
            since: now,
            begun: 0,
            ended: 0,
            most: u64::MAX,
            moved: now,
        };
        tally.most = match (plan.warm_up, plan.extent) {
            (None, Extent::Requests(count)) => count,
            (Some(Extent::Requests(warm_up)), Extent::Requests(count)) => {
                warm_up.saturating_add(count)
            }
            _ => u64::MAX,
        };
        tally
    }

    /// The warm-up is over: begins anew with the part that counts.
    pub(super) fn measure(&mut self, extent: Extent) {
        self.report = Report::new();
        self.warms_up = false;
        self.extent = extent;
        self.since = self.now;
        if let Extent::Requests(count) = extent {
            self.most = self.ended.saturating_add(count);
        }
    }

    pub(super) fn warms_up(&self) -> bool {
        self.warms_up
    }

    pub(super) fn keeps(&self) -> bool {
        self.keeps
    }

    /// Whether the part that is going on is done.
    pub(super) fn is_done(&self) -> bool {
        match self.extent {
            Extent::Requests(count) => self.report.ended() >= count,
            Extent::Time(time) => self.now.saturating_duration_since(self.since) >= time,
        }
    }

    /// How long the part goes on, as far as the clock alone decides.
    pub(super) fn time_left(&self) -> Option<Duration> {
        match self.extent {
            Extent::Requests(_) => None,
            Extent::Time(time) => {
                Some(time.saturating_sub(self.now.saturating_duration_since(self.since)))
            }
        }
    }

    /// How long nothing has moved.
    pub(super) fn silence(&self) -> Duration {
        self.now.saturating_duration_since(self.moved)
    }

    pub(super) fn may_begin(&self) -> bool {
        self.begun < self.most
    }

    pub(super) fn begun(&mut self) {
        self.begun += 1;
    }

    /// A request has ended.
    pub(super) fn ended(&mut self, result: Result<(), Failure>, since: Instant) {
        self.ended += 1;
        match result {
            Ok(()) => {
                self.report.answers += 1;
                let latency = self.now.saturating_duration_since(since);
                self.report.latencies.record(latency);
            }
            Err(failure) => self.report.failures.count(failure),
        }
    }

    /// A connection could not be made.
    pub(super) fn not_connected(&mut self, error: &io::Error) {
        let first = &mut self.report.connect_error;
        first.get_or_insert_with(|| error.to_string());
    }

    pub(super) fn sent(&mut self, length: usize) {
        self.moved = self.now;
        self.report.bytes_sent += length as u64;
    }

    pub(super) fn received(&mut self, length: usize) {
        self.now = Instant::now();
        self.moved = self.now;
        self.report.bytes_received += length as u64;
    }

    /// The report, brought up to the clock.
    pub(super) fn so_far(&mut self) -> &mut Report {
        self.report.elapsed = self.now.saturating_duration_since(self.since);
        &mut self.report
    }
}
