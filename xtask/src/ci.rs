//! All checks in one run, with a summary at its end.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use crate::shell::Result;
use crate::steps::{bench, checks, layers, no_std, packages, tests};

/// What is checked, cheap checks before dear ones.
const STEPS: &[Step] = &[
    Step {
        name: "packages",
        run: packages::for_checks,
    },
    Step {
        name: "format",
        run: || checks::format(false),
    },
    Step {
        name: "layers",
        run: layers::run,
    },
    Step {
        name: "clippy",
        run: checks::clippy,
    },
    Step {
        name: "docs",
        run: checks::docs,
    },
    Step {
        name: "build",
        run: checks::build,
    },
    Step {
        name: "test",
        run: tests::without_servers,
    },
    Step {
        name: "interop",
        run: tests::with_servers,
    },
    Step {
        name: "no-std",
        run: no_std::run,
    },
    Step {
        name: "benches",
        run: bench::once,
    },
];

struct Step {
    name: &'static str,
    run: fn() -> Result,
}

enum Outcome {
    Passed(Duration),
    Failed(Duration),
    NotRun,
}

/// Runs every step, as what one finds says little of the next; or up to the first failure.
pub(crate) fn run(fail_fast: bool) -> Result {
    let start = Instant::now();
    let mut outcomes = Vec::with_capacity(STEPS.len());
    let mut stopped = false;
    for (index, step) in STEPS.iter().enumerate() {
        if stopped {
            outcomes.push(Outcome::NotRun);
            continue;
        }
        println!("\n=== {}/{} {}", index + 1, STEPS.len(), step.name);
        let outcome = timed(step);
        stopped = fail_fast && matches!(outcome, Outcome::Failed(_));
        outcomes.push(outcome);
    }
    summarize(&outcomes, start.elapsed())
}

fn timed(step: &Step) -> Outcome {
    let start = Instant::now();
    let result = (step.run)();
    let time = start.elapsed();
    // Our lines and those of the programs we run go to the same place: keep them in order.
    let flushed = io::stdout().flush();
    match result {
        Ok(()) if flushed.is_ok() => Outcome::Passed(time),
        Ok(()) => Outcome::Failed(time),
        Err(failure) => {
            println!("{}: {failure}", step.name);
            Outcome::Failed(time)
        }
    }
}

fn summarize(outcomes: &[Outcome], total: Duration) -> Result {
    println!("\n=== summary");
    for (step, outcome) in STEPS.iter().zip(outcomes) {
        let (word, time) = match outcome {
            Outcome::Passed(time) => ("ok", seconds(*time)),
            Outcome::Failed(time) => ("FAILED", seconds(*time)),
            Outcome::NotRun => ("not run", String::new()),
        };
        println!("{:<10} {word:<8} {time:>9}", step.name);
    }
    println!("{:<10} {:<8} {:>9}", "total", "", seconds(total));

    let failed: Vec<&str> = STEPS
        .iter()
        .zip(outcomes)
        .filter(|(_, outcome)| matches!(outcome, Outcome::Failed(_)))
        .map(|(step, _)| step.name)
        .collect();
    if failed.is_empty() {
        Ok(())
    } else {
        Err(format!("failed: {}", failed.join(", ")).into())
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
