//! How the instructions for forms grow when the input doubles, counted by callgrind: what is
//! quadratic somewhere shows as a four.

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::thread;

use super::instructions::{path, totals};
use crate::shell::{Result, cargo, command, output, run, target_dir};
use crate::steps::packages;

/// The function that is counted, once for each input.
const MEASURED: &str = "fcgi_benches::forms::doubling::Kind::measured";

/// A doubling of the input may cost so many times the instructions. A tree's maps cost the
/// logarithm of their size on top, and vectors grow in steps.
const AIM: f64 = 2.2;

/// How often the input is doubled.
const TIMES: u32 = 4;

const KIB: usize = 1024;

/// One kind of input: its name, and the instructions for each size of it.
struct Growth {
    kind: String,
    smallest: usize,
    instructions: Vec<u64>,
}

/// Counts every kind and prints how it grows; growing faster than the aim is a failure. If `full`,
/// inputs have up to 16 MiB; else 2 MiB, and those that come byte by byte 256 KiB.
pub(crate) fn run_all(full: bool) -> Result {
    packages::ensure(&[packages::VALGRIND])?;
    run(&mut cargo("build --release -p fcgi-benches --bin doubling"))?;
    let program = target_dir().join("release/doubling");
    let list = output(&mut command(path(&program)?, [""; 0]))?;
    let kinds: Vec<_> = list
        .lines()
        .map(|line| (line, smallest(line, full)))
        .collect();
    let missed = Mutex::new(Vec::new());
    let waiting = Mutex::new(kinds.iter());
    println!(
        "\n{:<20}{:>9}{:>16}   times the instructions, with each doubling",
        "kind", "largest", "instructions"
    );
    let work = || -> Result {
        loop {
            let next = waiting.lock().ok().and_then(|mut kinds| kinds.next());
            let Some((line, smallest)) = next else {
                return Ok(());
            };
            let kind = line.trim_end_matches(" *");
            let growth = count(&program, kind, *smallest)?;
            println!("{growth}");
            if !growth.is_met() {
                let mut missed = missed.lock().map_err(|_| "another worker panicked")?;
                missed.push(kind.to_owned());
            }
        }
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| {
            let result = worker.join();
            result.unwrap_or_else(|_| Err("a worker panicked".into()))
        })
    })?;
    let missed = missed.into_inner().unwrap_or_default();
    if missed.is_empty() {
        println!("\nat most {AIM} times with each doubling: met");
        return Ok(());
    }
    Err(format!(
        "more than {AIM} times with a doubling: {}",
        missed.join(", ")
    )
    .into())
}

/// The smallest input of a kind that was listed in this line.
fn smallest(line: &str, full: bool) -> usize {
    match (full, line.ends_with('*')) {
        (true, _) => 1024 * KIB,
        (false, false) => 128 * KIB,
        (false, true) => 16 * KIB,
    }
}

fn count(program: &Path, kind: &str, smallest: usize) -> Result<Growth> {
    let directory = target_dir().join("doubling");
    fs::create_dir_all(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let profile = directory.join(kind.replace('/', "-"));
    let profile = path(&profile)?;
    let arguments = [
        "--quiet".to_owned(),
        "--tool=callgrind".to_owned(),
        format!("--callgrind-out-file={profile}"),
        format!("--toggle-collect={MEASURED}"),
        format!("--dump-after={MEASURED}"),
        path(program)?.to_owned(),
        kind.to_owned(),
        smallest.to_string(),
        TIMES.to_string(),
    ];
    output(&mut command("valgrind", arguments))?;
    let instructions = (1..=TIMES + 1).map(|part| {
        let file = format!("{profile}.{part}");
        let profile = fs::read_to_string(&file).map_err(|error| format!("{file}: {error}"))?;
        let total = totals(&profile).filter(|&total| total > 0);
        total.ok_or_else(|| format!("{file}: nothing was counted").into())
    });
    let instructions = instructions.collect::<Result<_>>()?;
    let kind = kind.to_owned();
    Ok(Growth {
        kind,
        smallest,
        instructions,
    })
}

impl Growth {
    fn ratios(&self) -> impl Iterator<Item = f64> {
        let pairs = self.instructions.windows(2);
        pairs.map(|pair| pair[1] as f64 / pair[0] as f64)
    }

    fn is_met(&self) -> bool {
        self.ratios().all(|ratio| ratio <= AIM)
    }
}

impl std::fmt::Display for Growth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let largest = (self.smallest << TIMES) / KIB;
        let most = self.instructions.last().unwrap_or(&0);
        write!(f, "{:<20}{largest:>5} KiB{most:>16}   ", self.kind)?;
        self.ratios()
            .try_for_each(|ratio| write!(f, "{ratio:.2} "))?;
        f.write_str(if self.is_met() { "met" } else { "MISSED" })
    }
}

#[cfg(test)]
mod tests {
    use super::Growth;

    #[test]
    fn tells_linear_from_quadratic() {
        let growth = |instructions: &[u64]| {
            let growth = Growth {
                kind: "some".to_owned(),
                smallest: 1024,
                instructions: instructions.to_vec(),
            };
            growth.to_string()
        };
        assert!(growth(&[10, 20, 41, 82, 180]).ends_with("2.00 2.05 2.00 2.20 met"));
        assert!(growth(&[10, 20, 40, 80, 181]).ends_with(" 2.26 MISSED"));
        assert!(growth(&[10, 40, 80, 160, 320]).ends_with("MISSED"));
    }
}
