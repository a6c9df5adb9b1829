//! A report, for people and for programs.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::load::{Failure, Plan, Report};

/// The percentiles that are told, and their names in JSON.
const PERCENTILES: [(f64, &str); 4] =
    [(50.0, "p50"), (90.0, "p90"), (99.0, "p99"), (99.9, "p99_9")];

/// A plan and what came of it. `Display` is for people:
///
/// ```text
/// 81234 requests in 2.000 s: 40617.0 requests/s, connections: 8
/// failures    none
/// latency     mean 196.61 µs
///             50 % 180.10 µs
///             …
///              max 3.40 ms
/// sent        10.85 MiB, 5.42 MiB/s
/// received    12.39 MiB, 6.20 MiB/s
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Summary<'r> {
    /// What was to be done.
    pub plan: &'r Plan,
    /// What was done.
    pub report: &'r Report,
    /// Whether the run was ended before it was done.
    pub interrupted: bool,
}

impl Summary<'_> {
    /// An object: what the run was (`address`, `connections`, `keep_conn`, `depth`), how it ended
    /// (`interrupted`, `gave_up`, `elapsed_seconds`), its requests (`requests`, `answers`,
    /// `failures` with a `total` and one number for each kind, `connect_error`: what the system said
    /// of the first connection that could not be made, or `null`, `unfinished`,
    /// `connections_never_served`, `requests_per_second`: those with the right answer),
    /// `latency_seconds` (`mean`, `p50`, `p90`, `p99`, `p99_9`, `max`; `null` without an answer),
    /// `bytes_sent` and `bytes_received`.
    #[must_use]
    pub fn json(&self) -> Value {
        let Summary {
            plan,
            report,
            interrupted,
        } = self;
        json!({
            "address": plan.address.to_string(),
            "connections": plan.connections,
            "keep_conn": plan.keep,
            "depth": if plan.keep { plan.depth } else { 1 },
            "interrupted": interrupted,
            "gave_up": report.gave_up,
            "elapsed_seconds": report.elapsed.as_secs_f64(),
            "requests": report.ended(),
            "answers": report.answers,
            "failures": failures(report),
            "connect_error": report.connect_error,
            "unfinished": report.unfinished,
            "connections_never_served": report.never_served,
            "requests_per_second": report.per_second(),
            "latency_seconds": latencies(report),
            "bytes_sent": report.bytes_sent,
            "bytes_received": report.bytes_received,
        })
    }
}

fn failures(report: &Report) -> Map<String, Value> {
    let kinds = Failure::ALL.into_iter().map(|failure| {
        let count = report.failures.of(failure);
        (name(failure).to_owned(), count.into())
    });
    let total = ("total".to_owned(), report.failures.total().into());
    [total].into_iter().chain(kinds).collect()
}

fn name(failure: Failure) -> &'static str {
    match failure {
        Failure::Connect => "connect",
        Failure::Closed => "closed",
        Failure::Protocol => "protocol",
        Failure::Refused => "refused",
        Failure::AppStatus => "app_status",
        Failure::Head => "head",
        Failure::Status => "status",
        Failure::Body => "body",
    }
}

fn latencies(report: &Report) -> Value {
    if report.answers == 0 {
        return Value::Null;
    }
    let latencies = &report.latencies;
    let seconds = |name: &str, time: Duration| (name.to_owned(), time.as_secs_f64().into());
    let percentiles = PERCENTILES.map(|(at, name)| seconds(name, latencies.percentile(at)));
    let ends = [
        seconds("mean", latencies.mean()),
        seconds("max", latencies.max()),
    ];
    percentiles
        .into_iter()
        .chain(ends)
        .collect::<Map<String, Value>>()
        .into()
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (plan, report) = (self.plan, self.report);
        writeln!(
            f,
            "{} requests in {:.3} s: {:.1} requests/s, connections: {}",
            report.ended(),
            report.elapsed.as_secs_f64(),
            report.per_second(),
            plan.connections
        )?;
        self.notes(f)?;
        writeln!(f, "failures    {}", report.failures)?;
        if report.answers > 0 {
            let latencies = &report.latencies;
            writeln!(f, "latency     mean {:.2?}", latencies.mean())?;
            for (at, _) in PERCENTILES {
                let time = latencies.percentile(at);
                writeln!(f, "          {at:>4} % {time:.2?}")?;
            }
            writeln!(f, "             max {:.2?}", latencies.max())?;
        }
        let seconds = report.elapsed.as_secs_f64();
        write!(f, "sent        {}", Bytes(report.bytes_sent, seconds))?;
        write!(f, "\nreceived    {}", Bytes(report.bytes_received, seconds))
    }
}

impl Summary<'_> {
    /// What is not as it should be.
    fn notes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = self.report;
        if let Some(error) = &report.connect_error {
            writeln!(f, "cannot connect to {}: {error}", self.plan.address)?;
        }
        if self.interrupted {
            writeln!(f, "interrupted before the end")?;
        }
        if report.gave_up {
            let patience = self.plan.patience.as_secs_f64();
            writeln!(f, "given up: nothing moved for {patience} s")?;
        }
        if report.unfinished > 0 {
            writeln!(f, "unfinished  {}", report.unfinished)?;
        }
        if report.never_served > 0 {
            writeln!(f, "starved     connections: {}", report.never_served)?;
        }
        Ok(())
    }
}

/// So many bytes in so many seconds.
struct Bytes(u64, f64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Exact up to 2^53 bytes.
        let mebibytes = self.0 as f64 / f64::from(1 << 20);
        write!(f, "{mebibytes:.2} MiB")?;
        if self.1 > 0.0 {
            write!(f, ", {:.2} MiB/s", mebibytes / self.1)?;
        }
        Ok(())
    }
}
