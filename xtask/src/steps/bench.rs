//! The benches: each once by every check, measured on request.

use crate::shell::{Result, cargo, run};

/// Runs each bench once, without optimization: it takes seconds, and shows that all do their work.
pub(crate) fn once() -> Result {
    run(&mut cargo(
        "test --workspace --all-features --bench core --bench form",
    ))
}

/// Runs the benches; `arguments` are for criterion.
pub(crate) fn run_with(arguments: &[String]) -> Result {
    run(cargo("bench -p fcgi-benches --benches --").args(arguments))
}
