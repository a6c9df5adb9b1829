//! A load generator for FastCGI applications: it sends one request again and again over many
//! connections, checks every answer, and tells how long the answers took.
//!
//! ```no_run
//! use fcgi_tools::load::{self, Extent, Plan};
//!
//! let mut plan = Plan::new("127.0.0.1:9000".parse()?);
//! plan.params = [("REQUEST_METHOD", "GET"), ("SCRIPT_NAME", "/app")]
//!     .map(|(name, value)| (name.into(), value.into()))
//!     .to_vec();
//! plan.connections = 32;
//! plan.extent = Extent::Requests(100_000);
//! let report = load::run(&plan, &mut ())?;
//! println!("{} answers, {} failures", report.answers, report.failures.total());
//! println!("half of them within {:?}", report.latencies.percentile(50.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - [`Plan`]: where the application listens, what is sent, what has to come back, how much of it.
//! - [`run`]: does it, on the thread that calls, with an event loop of its own.
//! - [`Observer`]: sees when the measured part begins and ends, and how far it has come; it can
//!   stop the run.
//! - [`Report`]: what came of it.
//!
//! # What is measured
//!
//! Each connection has [`depth`](field@Plan::depth) requests on their way all the time: the next one is
//! sent when an answer is complete (a closed loop). A latency is the time from the moment a request
//! was ready to be sent to its END_REQUEST. An application that is slow is therefore asked less
//! often, and its latencies do not tell what would happen at a given rate.
//!
//! The generator costs little beside the system calls that both sides need: the bytes of a request
//! are made once, a head that was seen before is recognised by comparing it, and bodies are
//! compared where they were read.

mod answer;
mod dial;
mod generator;
mod plan;
mod report;
mod requests;
mod slot;
mod tally;

use std::io;
use std::ops::ControlFlow;

pub use plan::{Body, Extent, MAX_DEPTH, Plan};
pub use report::{Failure, Failures, Latencies, Report};

use generator::Generator;

/// Sees how a run goes, on the thread that runs it. All methods may be left out; `()` leaves out
/// all of them.
pub trait Observer {
    /// The warm-up is over: what is answered from here on counts.
    fn measuring(&mut self) {}

    /// Nothing that is answered from here on counts. The connections are still open.
    fn measured(&mut self) {}

    /// How far the run has come, about ten times a second. Until [`measuring`](Self::measuring) was
    /// called the numbers are those of the warm-up. `Break` ends the run, with a report of what was
    /// measured so far.
    fn progress(&mut self, so_far: &Report) -> ControlFlow<()> {
        let _ = so_far;
        ControlFlow::Continue(())
    }
}

impl Observer for () {}

/// Runs a plan and reports what was measured.
///
/// # Errors
///
/// `InvalidInput` for a plan that cannot be run, the resolver's for a name that it does not know,
/// and what the system says when it gives no descriptors. What the application does wrong is no
/// error: it is counted in [`Report::failures`].
pub fn run(plan: &Plan, observer: &mut dyn Observer) -> io::Result<Report> {
    plan.check()?;
    Generator::new(plan)?.run(observer)
}
