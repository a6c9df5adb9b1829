//! The tests: those that need nothing but cargo, and those that need real web servers.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::shell::{Failure, Result, cargo, root, run};
use crate::steps::checks::CORE_FEATURES;

/// Targets whose names begin with one of these talk to that server, to a browser, or to
/// applications that others made.
const SERVERS: &[&str] = &["browser", "haproxy", "interop", "nginx"];

/// All packages at once, with all features: one set of features compiles each dependency once.
const ALL: &str = "test --workspace --all-features --no-fail-fast";

/// Unit, property, integration and documentation tests, and the core with each set of features.
pub(crate) fn without_servers() -> Result {
    let targets = selection(|needs_server| !needs_server)?;
    run(&mut cargo(&format!(
        "{ALL} --lib --bins --examples {targets}"
    )))?;
    run(&mut cargo(&format!("{ALL} --doc")))?;
    for features in CORE_FEATURES {
        run(&mut cargo(&format!(
            "test -p fcgi-core {features} --no-fail-fast"
        )))?;
    }
    Ok(())
}

/// The tests against real web servers. They fail, and do not skip, where a server is missing.
pub(crate) fn with_servers() -> Result {
    let targets = selection(|needs_server| needs_server)?;
    run(&mut cargo(&format!("{ALL} {targets}")))
}

/// The `--test` options that choose among the integration tests of all members, by whether they
/// need a server.
fn selection(wanted: impl Fn(bool) -> bool) -> Result<String> {
    let mut options = BTreeSet::new();
    for member in entries(root())? {
        let tests = member.join("tests");
        if !member.join("Cargo.toml").is_file() || !tests.is_dir() {
            continue;
        }
        for target in entries(&tests)?.iter().filter_map(|path| target(path)) {
            if wanted(SERVERS.iter().any(|server| target.starts_with(server))) {
                options.insert(format!("--test {target}"));
            }
        }
    }
    if options.is_empty() {
        return Err("no integration tests found".into());
    }
    Ok(Vec::from_iter(options).join(" "))
}

/// The name of the target that lies at `path`: a file, or a folder with a main file.
fn target(path: &Path) -> Option<&str> {
    let name = path.file_name()?.to_str()?;
    if path.join("main.rs").is_file() {
        return Some(name);
    }
    name.strip_suffix(".rs")
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = |error| Failure::from(format!("{}: {error}", directory.display()));
    fs::read_dir(directory)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
        .map_err(unreadable)
}
