//! Fuzzing: needs a nightly toolchain, so no check does it; plain tests replay the corpora.

use std::fs;

use crate::shell::{Failure, Result, command, output, root, run, succeeds, target_dir};

/// Runs `target`, or each of the targets, for so many seconds.
pub(crate) fn run_targets(target: Option<&str>, seconds: u32) -> Result {
    require()?;
    let targets = match target {
        Some(target) => vec![target.to_owned()],
        None => output(&mut nightly(["fuzz", "list"]))?
            .split_whitespace()
            .map(str::to_owned)
            .collect(),
    };
    targets
        .iter()
        .try_for_each(|target| run_target(target, seconds))
}

/// What libFuzzer finds goes to the target directory first, so that nothing enters the corpora,
/// which every test run replays, without somebody choosing it.
fn run_target(target: &str, seconds: u32) -> Result {
    let found = target_dir().join("fuzz-found").join(target);
    fs::create_dir_all(&found)
        .map_err(|error| Failure::from(format!("{}: {error}", found.display())))?;
    let corpus = root().join("fuzz/corpus").join(target);

    let mut fuzz = nightly(["fuzz", "run", target]);
    fuzz.arg(&found);
    if corpus.is_dir() {
        fuzz.arg(&corpus);
    }
    run(fuzz.arg("--").arg(format!("-max_total_time={seconds}")))?;
    println!("{target}: new inputs, if any, are in {}", found.display());
    Ok(())
}

fn require() -> Result {
    if !succeeds(&mut nightly(["--version"])) {
        return Err("fuzzing needs a nightly toolchain: `rustup toolchain install nightly`".into());
    }
    if !succeeds(&mut nightly(["fuzz", "--version"])) {
        return Err("fuzzing needs cargo-fuzz: `cargo install --locked cargo-fuzz`".into());
    }
    if !root().join("fuzz/Cargo.toml").exists() {
        return Err("there is no package in fuzz/".into());
    }
    Ok(())
}

fn nightly<'a>(arguments: impl IntoIterator<Item = &'a str>) -> std::process::Command {
    command(
        "rustup",
        ["run", "nightly", "cargo"].into_iter().chain(arguments),
    )
}
