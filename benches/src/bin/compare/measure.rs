//! One server in one scenario, once.

use std::io;
use std::time::Duration;

use fcgi_tools::load::{self, Failures, Observer};

use crate::process::{Running, cpu_time, peak_memory};
use crate::scenarios::Scenario;
use crate::servers::Server;
use crate::setting::Setting;

/// What one measurement says.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) answers: u64,
    /// Of the server, for each answer, in microseconds. Not a number if there was no answer.
    pub(crate) cpu: f64,
    pub(crate) per_second: f64,
    /// In microseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// In MiB.
    pub(crate) peak: f64,
    pub(crate) never_served: usize,
    pub(crate) failures: Failures,
}

/// Starts the server, warms it up, measures, and stops it.
pub(crate) fn measure(
    setting: &Setting,
    server: &Server,
    scenario: &Scenario,
) -> io::Result<Sample> {
    let words = server.command(&setting.built, scenario);
    let mut running = setting.start(&words, server.blocks())?;
    let plan = load::Plan {
        warm_up: Some(setting.warm_up()),
        extent: setting.extent(scenario),
        patience: setting.patience,
        ..scenario.plan(&running.address)
    };
    let mut meter = Meter {
        id: running.id(),
        before: Ok(0),
        after: Ok(0),
        peak: Ok(0),
    };
    let report = load::run(&plan, &mut meter)?;
    if running.has_ended()? {
        return Err(io::Error::other("the server has ended in the middle"));
    }
    let spent = meter.after?.saturating_sub(meter.before?);
    let id = running.id();
    Running::stop(running, id)?;
    let microseconds = |time: Duration| time.as_secs_f64() * 1e6;
    Ok(Sample {
        answers: report.answers,
        // Exact up to 2^53 nanoseconds, which are 104 days.
        cpu: spent as f64 / 1000.0 / report.answers as f64,
        per_second: report.per_second(),
        p50: microseconds(report.latencies.percentile(50.0)),
        p99: microseconds(report.latencies.percentile(99.0)),
        peak: meter.peak? as f64 / 1024.0,
        never_served: report.never_served,
        failures: report.failures,
    })
}

/// Reads what the server has used when the measured part begins and ends.
struct Meter {
    id: u32,
    before: io::Result<u64>,
    after: io::Result<u64>,
    peak: io::Result<u64>,
}

impl Observer for Meter {
    fn measuring(&mut self) {
        self.before = cpu_time(self.id);
    }

    fn measured(&mut self) {
        self.after = cpu_time(self.id);
        self.peak = peak_memory(self.id);
    }
}
