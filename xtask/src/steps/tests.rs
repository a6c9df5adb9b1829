//! The tests: those that need nothing but cargo, and those that need real web servers.

use std::fs;

use crate::shell::{Failure, Result, cargo, root, run};
use crate::steps::checks::CORE_FEATURES;

/// Targets whose names begin with one of these talk to that server, to a browser, or to
/// applications that others made.
const SERVERS: &[&str] = &["browser", "haproxy", "interop", "nginx"];

/// The packages that have such targets among others, and where their integration tests lie.
const MIXED: [(&str, &str); 3] = [
    ("fcgi-mio", "fcgi-mio/tests"),
    ("fcgi-tests", "tests/tests"),
    ("fcgi-tools", "fcgi-tools/tests"),
];

/// Unit, property, integration and documentation tests, and the core with each set of features.
pub(crate) fn without_servers() -> Result {
    run(&mut cargo(
        "test --workspace --exclude fcgi-mio --exclude fcgi-tests --exclude fcgi-tools \
         --all-features --no-fail-fast",
    ))?;
    for features in CORE_FEATURES {
        run(&mut cargo(&format!(
            "test -p fcgi-core {features} --no-fail-fast"
        )))?;
    }
    for (package, directory) in MIXED {
        let targets = selection(directory, |needs_server| !needs_server)?;
        run(&mut cargo(&format!(
            "test -p {package} --all-features --no-fail-fast --lib --bins {targets}"
        )))?;
        run(&mut cargo(&format!(
            "test -p {package} --all-features --doc"
        )))?;
    }
    Ok(())
}

/// The tests against real web servers. They fail, and do not skip, where a server is missing.
pub(crate) fn with_servers() -> Result {
    for (package, directory) in MIXED {
        let targets = selection(directory, |needs_server| needs_server)?;
        if targets.is_empty() {
            return Err(format!("{directory} has no tests against {}", SERVERS.join(", ")).into());
        }
        run(&mut cargo(&format!(
            "test -p {package} --all-features --no-fail-fast {targets}"
        )))?;
    }
    Ok(())
}

/// The `--test` options that choose the targets in a directory, by whether they need a server.
fn selection(directory: &str, wanted: impl Fn(bool) -> bool) -> Result<String> {
    let directory = root().join(directory);
    let unreadable = |error| Failure::from(format!("{}: {error}", directory.display()));
    let mut options = Vec::new();
    for entry in fs::read_dir(&directory).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // A target is a file, or a folder with a main file.
        let target = match name.strip_suffix(".rs") {
            Some(target) => target,
            None if entry.path().join("main.rs").is_file() => &*name,
            None => continue,
        };
        if wanted(SERVERS.iter().any(|server| target.starts_with(server))) {
            options.push(format!("--test {target}"));
        }
    }
    options.sort();
    Ok(options.join(" "))
}
