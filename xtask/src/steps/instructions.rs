//! How many instructions each workload of `fcgi-benches` takes, counted by callgrind: the same on
//! every run, so that aims can be checked where nanoseconds could not.

use std::fs;
use std::path::Path;

use crate::shell::{Failure, Result, cargo, command, output, run, target_dir};
use crate::steps::packages;

/// How often a workload is repeated: once and twice this often, so that the difference is its own.
const TIMES: u32 = 1000;

const FLOOR: &str = "receive/floor";
const VALIDATED: &str = "receive/validated";
const WALKED: &str = "receive/walked";
const CUT: &str = "receive/cut";
const PEER: &str = "receive/tokio-fastcgi";

/// Counts all workloads and prints them beside the aims; if `check`, missing one is a failure.
pub(crate) fn run_all(check: bool) -> Result {
    packages::ensure(&[packages::VALGRIND])?;
    run(&mut cargo("build --release -p fcgi-benches --bin count"))?;
    let count = target_dir().join("release/count");
    let list = output(&mut command(path(&count)?, [""; 0]))?;
    let mut counted = Counted(Vec::new());
    for line in list.lines() {
        let (name, bytes) = line.split_once(' ').ok_or("`count` lists no sizes")?;
        let once = total(&count, name, TIMES)?;
        let twice = total(&count, name, 2 * TIMES)?;
        let instructions = twice.saturating_sub(once) as f64 / f64::from(TIMES);
        counted
            .0
            .push((name.to_owned(), bytes.to_owned(), instructions));
    }
    let aims = counted.aims()?;
    counted.print()?;
    for aim in &aims {
        println!("{aim}");
    }
    match aims.iter().filter(|aim| !aim.is_met()).count() {
        missed if check && missed > 0 => Err(format!("{missed} of the aims are missed").into()),
        _ => Ok(()),
    }
}

/// The instructions of one whole run of `count`.
fn total(count: &Path, workload: &str, times: u32) -> Result<u64> {
    let file = target_dir().join("callgrind.out");
    let valgrind = ["--quiet", "--tool=callgrind"].map(str::to_owned);
    let out = format!("--callgrind-out-file={}", path(&file)?);
    let program = [
        path(count)?.to_owned(),
        workload.to_owned(),
        times.to_string(),
    ];
    let arguments = valgrind.into_iter().chain([out]).chain(program);
    output(&mut command("valgrind", arguments))?;
    let profile =
        fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    totals(&profile).ok_or_else(|| format!("{}: no totals", file.display()).into())
}

/// The line "totals: number" of a profile.
pub(super) fn totals(profile: &str) -> Option<u64> {
    let mut lines = profile.lines();
    let number = lines.find_map(|line| line.strip_prefix("totals:"))?;
    number.trim().parse().ok()
}

pub(super) fn path(path: &Path) -> Result<&str> {
    path.to_str()
        .ok_or_else(|| format!("{} is not UTF-8", path.display()).into())
}

/// Workloads: their names, their sizes in bytes, and instructions for each repetition.
struct Counted(Vec<(String, String, f64)>);

impl Counted {
    fn of(&self, name: &str) -> Result<f64> {
        let found = self.0.iter().find(|workload| workload.0 == name);
        found
            .map(|workload| workload.2)
            .ok_or_else(|| Failure::from(format!("no workload is called {name}")))
    }

    fn print(&self) -> Result {
        let floor = self.of(FLOOR)?;
        println!(
            "\n{:<24}{:>8}{:>14}{:>10}",
            "workload", "bytes", "instructions", "floors"
        );
        for (name, bytes, instructions) in &self.0 {
            let floors = if name.starts_with("receive/") {
                format!("{:.2}", instructions / floor)
            } else {
                String::new()
            };
            println!("{name:<24}{bytes:>8}{instructions:>14.0}{floors:>10}");
        }
        println!();
        Ok(())
    }

    fn aims(&self) -> Result<[Aim; 4]> {
        let floor = self.of(FLOOR)?;
        let validated = self.of(VALIDATED)?;
        Ok([
            Aim {
                what: "machine, collector and validation, in floors",
                is: validated / floor,
                limit: Limit::AtMost(1.5),
            },
            Aim {
                what: "with a walk by the application on top, in floors",
                is: self.of(WALKED)? / floor,
                limit: Limit::AtMost(2.1),
            },
            Aim {
                what: "more for a cut within PARAMS, in floors",
                is: (self.of(CUT)? - validated) / floor,
                limit: Limit::AtMost(0.3),
            },
            Aim {
                what: "tokio-fastcgi, in times of the first of these",
                is: self.of(PEER)? / validated,
                limit: Limit::AtLeast(30.0),
            },
        ])
    }
}

struct Aim {
    what: &'static str,
    is: f64,
    limit: Limit,
}

enum Limit {
    AtMost(f64),
    AtLeast(f64),
}

impl Aim {
    fn is_met(&self) -> bool {
        match self.limit {
            Limit::AtMost(limit) => self.is <= limit,
            Limit::AtLeast(limit) => self.is >= limit,
        }
    }
}

impl std::fmt::Display for Aim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let word = if self.is_met() { "met" } else { "MISSED" };
        let (sign, limit) = match self.limit {
            Limit::AtMost(limit) => ("≤", limit),
            Limit::AtLeast(limit) => ("≥", limit),
        };
        write!(
            f,
            "{:<50}{:>8.3} {sign} {limit:<5}{word}",
            self.what, self.is
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{CUT, Counted, FLOOR, PEER, VALIDATED, WALKED, totals};

    #[test]
    fn reads_totals() {
        assert_eq!(
            totals("events: Ir\nsummary: 9\ntotals: 12345\n"),
            Some(12_345)
        );
        assert_eq!(totals("events: Ir\n"), None);
    }

    #[test]
    fn tells_aims_that_are_met_from_those_that_are_missed() {
        let met = |validated, walked, cut, peer| {
            let numbers = [
                (FLOOR, 1000.0),
                (VALIDATED, validated),
                (WALKED, walked),
                (CUT, cut),
                (PEER, peer),
            ];
            let counted = numbers.map(|(name, number)| (name.to_owned(), "1".to_owned(), number));
            let aims = Counted(counted.to_vec()).aims().unwrap();
            aims.map(|aim| aim.is_met())
        };
        assert_eq!(met(1500.0, 2100.0, 1800.0, 45_000.0), [true; 4]);
        assert_eq!(
            met(1500.0, 2101.0, 1801.0, 44_999.0),
            [true, false, false, false]
        );
        assert_eq!(
            met(1501.0, 2100.0, 1801.0, 50_000.0),
            [false, true, true, true]
        );
    }
}
