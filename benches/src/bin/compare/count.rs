//! What repeats exactly: system calls and instructions for each request.

use std::fs;
use std::io;
use std::time::{Duration, Instant};

use fcgi_tools::load::{self, Extent};

use crate::process::children;
use crate::scenarios::Scenario;
use crate::servers::Server;
use crate::setting::Setting;

/// By how much longer a program under callgrind may take to start.
const SLOWER: u32 = 10;

/// System calls for each answer, by `strace -c -f`: the difference of two runs, so that what comes
/// before the first request and after the last one falls out. `None` if too little was answered.
pub(crate) fn calls(
    setting: &Setting,
    server: &Server,
    scenario: &Scenario,
) -> io::Result<Option<f64>> {
    let file = setting.scratch.join("strace");
    let options = ["strace", "-f", "-qq", "-c", "-o"].map(str::to_owned);
    let tool = [&options[..], &[file.display().to_string()]].concat();
    let total = |setting: &Setting, requests: u64| {
        let answers = run(setting, &tool, setting.patience, server, scenario, requests)?;
        let summary = fs::read_to_string(&file)?;
        let total =
            strace_total(&summary).ok_or_else(|| io::Error::other("strace has no total"))?;
        Ok((total, answers))
    };
    difference(setting, scenario, total)
}

/// User-mode instructions for each answer, by callgrind: the difference of two runs.
pub(crate) fn instructions(
    setting: &Setting,
    server: &Server,
    scenario: &Scenario,
) -> io::Result<Option<f64>> {
    let file = setting.scratch.join("callgrind");
    let options = ["valgrind", "--quiet", "--tool=callgrind"].map(str::to_owned);
    let out = format!("--callgrind-out-file={}", file.display());
    let tool = [&options[..], &[out]].concat();
    let total = |setting: &Setting, requests: u64| {
        let patience = SLOWER * setting.patience;
        let answers = run(setting, &tool, patience, server, scenario, requests)?;
        let profile = fs::read_to_string(&file)?;
        let total = profile
            .lines()
            .find_map(|line| line.strip_prefix("totals:"));
        let total = total.and_then(|total| total.trim().parse().ok());
        let total = total.ok_or_else(|| io::Error::other("callgrind has no total"))?;
        Ok((total, answers))
    };
    difference(setting, scenario, total)
}

/// What is spent for each answer: two runs, one with three times as many requests as the other.
fn difference(
    setting: &Setting,
    scenario: &Scenario,
    mut total: impl FnMut(&Setting, u64) -> io::Result<(u64, u64)>,
) -> io::Result<Option<f64>> {
    let requests = scenario.requests(setting.fewer());
    let (few, few_answers) = total(setting, requests)?;
    let (many, many_answers) = total(setting, 3 * requests)?;
    let answers = many_answers.saturating_sub(few_answers);
    // Both far below 2^53.
    Ok((answers > 0).then(|| many.saturating_sub(few) as f64 / answers as f64))
}

/// Runs a server under a tool; how many answers there were.
fn run(
    setting: &Setting,
    tool: &[String],
    patience: Duration,
    server: &Server,
    scenario: &Scenario,
    requests: u64,
) -> io::Result<u64> {
    let words = [tool, &server.command(&setting.built, scenario)].concat();
    let running = setting.start(&words, server.blocks())?;
    let plan = load::Plan {
        extent: Extent::Requests(requests),
        patience,
        ..scenario.plan(&running.address)
    };
    let report = load::run(&plan, &mut ())?;
    // strace is a process of its own, valgrind is not.
    let id = match children(running.id())?[..] {
        [child, ..] => child,
        [] => running.id(),
    };
    settle(id)?;
    running.stop(id)?;
    Ok(report.answers)
}

/// Waits until the server has seen that the connections are gone, so that both runs end alike.
fn settle(id: u32) -> io::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(1);
    let mut before = u64::MAX;
    while Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
        let now = crate::process::cpu_time(id)?;
        if now == before {
            break;
        }
        before = now;
    }
    Ok(())
}

/// The number of calls in the last line of a summary: `100.00  0.001  2  1234  5 total`.
fn strace_total(summary: &str) -> Option<u64> {
    let line = summary
        .lines()
        .rev()
        .find(|line| line.ends_with(" total"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::strace_total;

    #[test]
    fn totals_with_and_without_errors() {
        let line = "100.00    0.000123           2       345        12 total\n";
        assert_eq!(strace_total(line), Some(345));
        let line = "x\n100.00    0.000123           2       345           total\n";
        assert_eq!(strace_total(line), Some(345));
        assert_eq!(strace_total("nothing"), None);
    }
}
