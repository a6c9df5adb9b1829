//! `fcgi bench`.

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::Args;
use fcgi_listen::Address;
use fcgi_tools::bench::{self, Summary};
use fcgi_tools::load::{Body, Extent, MAX_DEPTH, Plan};
use fcgi_tools::request::Input;

use super::Outcome;
use super::ask::Ask;
use super::parse;
use super::stop::flag_of_signals;

#[derive(Args)]
#[command(
    after_help = "Ctrl-C ends the run with a report of what was measured. The exit code is \
                        1 if an answer was not right, none came, or the run was given up."
)]
pub(super) struct Bench {
    /// Where the application listens: HOST:PORT, or a unix socket's path
    #[arg(value_name = "ADDR")]
    address: Address,

    #[command(flatten)]
    ask: Ask,

    /// A body of so many bytes
    #[arg(
        long,
        value_name = "BYTES",
        conflicts_with_all = ["data", "data_file"],
        value_parser = clap::value_parser!(u32).range(..=MOST_DATA)
    )]
    data_size: Option<u32>,

    /// How many connections there are at a time
    #[arg(short, long, value_name = "N", default_value = "1")]
    connections: NonZeroUsize,

    /// Take a new connection for each request
    #[arg(long, conflicts_with = "depth")]
    no_keep_alive: bool,

    /// How many requests are on their way at a time on each connection
    ///
    /// More than one needs an application that multiplexes.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = depth)]
    depth: usize,

    /// How long to measure, as 10, 500ms or 2m
    #[arg(
        short = 't',
        long,
        value_name = "TIME",
        default_value = "10",
        conflicts_with = "requests",
        value_parser = parse::duration
    )]
    duration: Duration,

    /// How many requests to measure, instead of a time
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    requests: Option<u64>,

    /// How long to warm up before, which is not measured
    #[arg(short, long, value_name = "TIME", value_parser = parse::duration)]
    warm_up: Option<Duration>,

    /// The status of a right answer, or `any`
    #[arg(long, value_name = "STATUS", default_value = "200", value_parser = parse::status)]
    expect_status: ExpectedStatus,

    /// The length of the body of a right answer, in bytes
    #[arg(long, value_name = "BYTES", conflicts_with = "expect_file")]
    expect_length: Option<u64>,

    /// A file with the body of a right answer
    #[arg(long, value_name = "FILE")]
    expect_file: Option<PathBuf>,

    /// How long nothing at all may move before the run is given up
    #[arg(long, value_name = "TIME", default_value = "10", value_parser = parse::duration)]
    timeout: Duration,

    /// Print the report as a JSON object
    #[arg(long)]
    json: bool,
}

/// The most of `--data-size`: it is held in memory.
const MOST_DATA: i64 = 1 << 30;

/// Not an option of the command line, in spite of its type.
type ExpectedStatus = Option<u16>;

impl Bench {
    pub(super) fn run(self) -> Outcome {
        let plan = self.plan()?;
        let stop = flag_of_signals()?;
        let named = |error| format!("{}: {error}", plan.address);
        let report = bench::run(&plan, &stop).map_err(named)?;
        let summary = Summary {
            plan: &plan,
            report: &report,
            interrupted: stop.load(Ordering::Relaxed),
        };
        let mut out = std::io::stdout().lock();
        if self.json {
            writeln!(out, "{:#}", summary.json())?;
        } else {
            writeln!(out, "{summary}")?;
        }
        Ok(if bench::is_good(&report) {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    fn plan(&self) -> Result<Plan, Box<dyn std::error::Error>> {
        let (input, content_type) = self.ask.body()?;
        let body = match (self.data_size, input) {
            // A GiB fits.
            (Some(size), _) => Some(vec![b'x'; size as usize]),
            (None, Input::Bytes(bytes)) => Some(bytes),
            (None, Input::File(file, length)) => Some(read(file, length)?),
            (None, _) => None,
        };
        let mut variables = self.ask.variables(body.is_some())?;
        if let Some(body) = &body {
            variables = variables.body(body.len() as u64, content_type);
        }
        let answer = match (self.expect_length, &self.expect_file) {
            (Some(length), _) => Body::Length(length),
            (None, Some(file)) => {
                let named = |error| format!("{}: {error}", file.display());
                Body::Bytes(fs::read(file).map_err(named)?.into())
            }
            (None, None) => Body::Any,
        };
        Ok(Plan {
            connections: self.connections.get(),
            keep: !self.no_keep_alive,
            depth: self.depth,
            params: variables.pairs(),
            body: body.unwrap_or_default(),
            status: self.expect_status,
            answer,
            warm_up: self.warm_up.map(Extent::Time),
            extent: match self.requests {
                Some(count) => Extent::Requests(count),
                None => Extent::Time(self.duration),
            },
            patience: self.timeout,
            ..Plan::new(self.address.clone())
        })
    }
}

/// A file from its beginning.
fn read(mut file: fs::File, length: u64) -> std::io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(0))?;
    let mut body = Vec::new();
    file.take(length).read_to_end(&mut body)?;
    Ok(body)
}

fn depth(text: &str) -> Result<usize, String> {
    let depth = text
        .parse()
        .ok()
        .filter(|depth| (1..=MAX_DEPTH).contains(depth));
    depth.ok_or_else(|| format!("write a number from 1 to {MAX_DEPTH}"))
}
