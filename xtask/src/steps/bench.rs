//! The benches: compiled by every check, run on request.

use crate::shell::{Result, cargo, run};

/// Compiles the benches as they will be run.
pub(crate) fn compile() -> Result {
    run(&mut cargo("bench -p fcgi-benches --benches --no-run"))
}

/// Runs the benches; `arguments` are for criterion.
pub(crate) fn run_with(arguments: &[String]) -> Result {
    run(cargo("bench -p fcgi-benches --benches --").args(arguments))
}
