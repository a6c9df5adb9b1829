//! Our servers and others under load, in one go: `compare` on one core puts servers on another one
//! under the load of `fcgi_tools::load`, round by round, and prints what they cost.

#![forbid(unsafe_code)]

mod aims;
mod count;
mod machine;
mod measure;
mod process;
mod results;
mod scenarios;
mod servers;
mod setting;

use std::error::Error;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;
use std::{fs, io};

use clap::Parser;

use process::{Cores, Transport};
use results::{Results, Row};
use scenarios::Scenario;
use servers::{Built, Server};
use setting::Setting;

/// Longer than a server that works keeps silent.
const LONG: Duration = Duration::from_secs(1);

/// Compare FastCGI servers: processor time, system calls, memory and latency for each request.
#[derive(Parser)]
#[command(bin_name = "cargo xtask compare")]
struct Arguments {
    /// The servers, by name; all but those for special questions if absent
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    servers: Vec<String>,

    /// The scenarios, by name; all if absent
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    scenarios: Vec<String>,

    /// How often everything is measured
    #[arg(long, default_value_t = 5)]
    rounds: usize,

    /// How long each measurement takes, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 500)]
    time: u64,

    /// Over TCP on the loopback interface instead of unix sockets
    #[arg(long)]
    tcp: bool,

    /// Do not count system calls, which needs strace
    #[arg(long)]
    no_calls: bool,

    /// Count user-mode instructions, too, which needs valgrind and takes long
    #[arg(long)]
    instructions: bool,

    /// One short round that shows that everything works; its numbers mean little
    #[arg(long)]
    quick: bool,

    /// Write the results into this file, too
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
}

fn main() -> ExitCode {
    match Arguments::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Arguments {
    fn run(self) -> Result<(), Box<dyn Error>> {
        let servers = chosen(
            servers::ALL.iter().collect(),
            &self.servers,
            |server: &Server| (server.name, server.by_default),
        )?;
        let scenarios = chosen(
            scenarios::ALL.iter().collect(),
            &self.scenarios,
            |scenario: &Scenario| (scenario.name, true),
        )?;
        let scratch = tempfile::tempdir()?;
        let cores = Cores::find()?;
        if let Some(cores) = cores {
            process::pin(cores.generator)?;
        }
        let time = (!self.quick).then(|| Duration::from_millis(self.time));
        let setting = Setting {
            built: Built::new(&servers, scratch.path())?,
            scratch: scratch.path().to_path_buf(),
            cores,
            transport: if self.tcp {
                Transport::Tcp
            } else {
                Transport::Unix
            },
            time,
            patience: time.map_or(3 * LONG, |time| LONG.max(2 * time)),
        };
        let mut report = machine::heading(cores);
        let results = self.compare(&setting, &servers, &scenarios);
        for results in &results {
            report += &format!("\n{}", results.table());
        }
        report += &format!("\n{}\n{}", legend(&servers), aims::table(&results));
        println!("{report}");
        if let Some(file) = &self.save {
            fs::write(file, &report).map_err(|error| format!("{}: {error}", file.display()))?;
        }
        let problems = results.iter().flat_map(|results| &results.rows);
        let failed = problems
            .filter(|row| row.problem.is_some() && row.is_ours())
            .count();
        if failed > 0 {
            return Err(format!("{failed} measurements of our own servers failed").into());
        }
        Ok(())
    }

    /// Measures all servers in all scenarios, round by round.
    fn compare(
        &self,
        setting: &Setting,
        servers: &[&'static Server],
        scenarios: &[&'static Scenario],
    ) -> Vec<Results> {
        let mut all = Vec::new();
        let rounds = if self.quick { 1 } else { self.rounds.max(1) };
        let has_strace = !self.no_calls && is_installed("strace");
        let has_valgrind = self.instructions && is_installed("valgrind");
        for &scenario in scenarios {
            eprintln!("{} ...", scenario.title);
            let mut rows: Vec<Row> = servers.iter().copied().map(Row::new).collect();
            for row in &mut rows {
                row.problem = setting.built.missing(row.server);
            }
            for _ in 0..rounds {
                for row in &mut rows {
                    row.attempt(|row| {
                        let sample = measure::measure(setting, row.server, scenario)?;
                        row.samples.push(sample);
                        Ok(())
                    });
                }
            }
            for row in rows.iter_mut().filter(|row| row.problem.is_none()) {
                let server = row.server;
                if has_strace {
                    row.calls = counted(server, count::calls(setting, server, scenario));
                }
                if has_valgrind && server.runs_in_valgrind() {
                    let instructions = count::instructions(setting, server, scenario);
                    row.instructions = counted(server, instructions);
                }
            }
            all.push(Results { scenario, rows });
        }
        all
    }
}

impl Row {
    /// Does a part of the work, unless an earlier part has failed already.
    fn attempt(&mut self, work: impl FnOnce(&mut Row) -> io::Result<()>) {
        if self.problem.is_none() {
            if let Err(error) = work(self) {
                self.problem = Some(error.to_string());
            }
        }
    }
}

/// What was counted, if anything: the times stand without it, as where tracing is not allowed.
fn counted(server: &Server, count: io::Result<Option<f64>>) -> Option<f64> {
    count.unwrap_or_else(|error| {
        eprintln!("{}: nothing counted: {error}", server.name);
        None
    })
}

/// Those of `all` that are named; those that take part by default if none is.
fn chosen<T>(
    all: Vec<&'static T>,
    names: &[String],
    about: impl Fn(&T) -> (&'static str, bool),
) -> Result<Vec<&'static T>, String> {
    for name in names {
        if !all.iter().any(|one| about(one).0 == name) {
            let known: Vec<&str> = all.iter().map(|one| about(one).0).collect();
            return Err(format!("{name} is none of {}", known.join(", ")));
        }
    }
    let mut all = all;
    all.retain(|one| {
        let (known, by_default) = about(one);
        if names.is_empty() {
            by_default
        } else {
            names.iter().any(|name| name == known)
        }
    });
    Ok(all)
}

fn is_installed(program: &str) -> bool {
    let mut command = Command::new(program);
    command
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn legend(servers: &[&Server]) -> String {
    let mut text = "CPU µs: processor time of the server for each answer, the median of the \
                    rounds. ÷ floor: the median of the ratios within each round, and their range. \
                    calls: system calls for each answer, under strace. never served: connections \
                    that got no answer at all in a round, at most; the other numbers are about \
                    those that did.\n\n"
        .to_owned();
    for server in servers {
        text += &format!("- `{}`: {}\n", server.name, server.about);
    }
    text
}
