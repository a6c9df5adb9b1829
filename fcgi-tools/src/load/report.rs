//! What came of a run.

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;

/// What came of the measured part of a run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// How long it took.
    pub elapsed: Duration,
    /// Requests with the right answer.
    pub answers: u64,
    /// Requests without.
    pub failures: Failures,
    /// What the system said the first time that a connection could not be made.
    pub connect_error: Option<String>,
    /// Requests that were on their way when the measured part was over.
    pub unfinished: u64,
    /// How long the right answers took.
    pub latencies: Latencies,
    /// Connections of the plan that never got an answer, right or wrong, in the whole run: the
    /// application let them starve. Those that the plan had no request for do not count.
    pub never_served: usize,
    /// Whether the run was given up because nothing moved any more.
    pub gave_up: bool,
    /// Bytes sent, records and all.
    pub bytes_sent: u64,
    /// Bytes received, records and all.
    pub bytes_received: u64,
}

impl Report {
    pub(super) fn new() -> Report {
        Report {
            elapsed: Duration::ZERO,
            answers: 0,
            failures: Failures::default(),
            connect_error: None,
            unfinished: 0,
            latencies: Latencies::new(),
            never_served: 0,
            gave_up: false,
            bytes_sent: 0,
            bytes_received: 0,
        }
    }

    /// Requests that have ended, one way or another.
    #[must_use]
    pub fn ended(&self) -> u64 {
        self.answers.saturating_add(self.failures.total())
    }

    /// Right answers per second.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        if self.elapsed.is_zero() {
            return 0.0;
        }
        // Exact up to 2^53 answers.
        self.answers as f64 / self.elapsed.as_secs_f64()
    }
}

/// Why a request did not get the right answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// The application could not be connected to.
    Connect,
    /// The connection ended before the answer did.
    Closed,
    /// The application broke the FastCGI protocol; the connection was given up.
    Protocol,
    /// END_REQUEST said that the request was refused (FastCGI §5.5).
    Refused,
    /// END_REQUEST had an appStatus other than 0 (FastCGI §5.5).
    AppStatus,
    /// What STDOUT began with is no head of a CGI response (RFC 3875 §6).
    Head,
    /// The status was another one.
    Status,
    /// The body was another one, or longer or shorter.
    Body,
}

impl Failure {
    /// All kinds.
    pub const ALL: [Failure; 8] = [
        Failure::Connect,
        Failure::Closed,
        Failure::Protocol,
        Failure::Refused,
        Failure::AppStatus,
        Failure::Head,
        Failure::Status,
        Failure::Body,
    ];

    fn index(self) -> usize {
        match self {
            Failure::Connect => 0,
            Failure::Closed => 1,
            Failure::Protocol => 2,
            Failure::Refused => 3,
            Failure::AppStatus => 4,
            Failure::Head => 5,
            Failure::Status => 6,
            Failure::Body => 7,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Failure::Connect => "not connected",
            Failure::Closed => "connection closed",
            Failure::Protocol => "protocol broken",
            Failure::Refused => "refused",
            Failure::AppStatus => "appStatus not 0",
            Failure::Head => "malformed head",
            Failure::Status => "other status",
            Failure::Body => "other body",
        })
    }
}

/// How many requests failed, by kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Failures([u64; Failure::ALL.len()]);

impl Failures {
    /// How many failed in this way.
    #[must_use]
    pub fn of(&self, failure: Failure) -> u64 {
        self.0[failure.index()]
    }

    /// How many failed.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    pub(super) fn count(&mut self, failure: Failure) {
        self.0[failure.index()] += 1;
    }
}

/// "3 refused, 1 other body"; "none".
impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for failure in Failure::ALL {
            let count = self.of(failure);
            if count > 0 {
                write!(f, "{separator}{count} {failure}")?;
                separator = ", ";
            }
        }
        if separator.is_empty() {
            f.write_str("none")?;
        }
        Ok(())
    }
}

/// Latencies, kept to three digits.
#[derive(Clone, Debug)]
pub struct Latencies(Histogram<u64>);

impl Latencies {
    /// In nanoseconds, up to an hour; what takes longer counts as an hour.
    const LONGEST: u64 = 3_600_000_000_000;

    fn new() -> Latencies {
        let histogram = Histogram::new_with_bounds(1, Latencies::LONGEST, 3);
        // Refused are only a lower bound of 0, an upper one below twice that, and over 5 digits.
        Latencies(histogram.expect("the bounds are those of a histogram"))
    }

    pub(super) fn record(&mut self, latency: Duration) {
        let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.0.saturating_record(nanoseconds);
    }

    /// The latency that this share of the answers, in percent, did not exceed; zero if there was
    /// none.
    #[must_use]
    pub fn percentile(&self, percent: f64) -> Duration {
        Duration::from_nanos(self.0.value_at_percentile(percent))
    }

    /// The longest latency; zero if there was none.
    #[must_use]
    pub fn max(&self) -> Duration {
        Duration::from_nanos(self.0.max())
    }

    /// The mean latency; zero if there was none.
    #[must_use]
    pub fn mean(&self) -> Duration {
        Duration::from_secs_f64(self.0.mean() / 1e9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_by_kind() {
        let mut failures = Failures::default();
        assert_eq!(failures.to_string(), "none");
        for failure in Failure::ALL {
            failures.count(failure);
            assert_eq!(failures.of(failure), 1, "{failure}");
        }
        failures.count(Failure::Refused);
        assert_eq!((failures.of(Failure::Refused), failures.total()), (2, 9));
        let mut failures = Failures::default();
        failures.count(Failure::Body);
        failures.count(Failure::Closed);
        failures.count(Failure::Body);
        assert_eq!(failures.to_string(), "1 connection closed, 2 other body");
    }

    #[test]
    fn latencies_of_any_length() {
        let mut latencies = Latencies::new();
        assert_eq!(latencies.percentile(99.0), Duration::ZERO);
        assert_eq!(
            (latencies.max(), latencies.mean()),
            (Duration::ZERO, Duration::ZERO)
        );
        for microseconds in 1..=1000 {
            latencies.record(Duration::from_micros(microseconds));
        }
        let median = latencies.percentile(50.0).as_micros();
        assert!((499..=501).contains(&median), "{median}");
        latencies.record(Duration::from_secs(1_000_000));
        assert!(latencies.max() >= Duration::from_secs(3600));
        assert!(latencies.max() < Duration::from_secs(3610));
    }
}
