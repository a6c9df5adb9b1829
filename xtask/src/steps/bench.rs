//! The benches: compiled by every check, run on request.

use crate::shell::{Result, cargo, run};

/// Compiles the benches, but for the optimization across crates: it takes minutes and finds no
/// mistakes.
pub(crate) fn compile() -> Result {
    run(cargo("bench -p fcgi-benches --benches --no-run")
        .env("CARGO_PROFILE_BENCH_LTO", "off")
        .env("CARGO_PROFILE_BENCH_CODEGEN_UNITS", "16"))
}

/// Runs the benches; `arguments` are for criterion.
pub(crate) fn run_with(arguments: &[String]) -> Result {
    run(cargo("bench -p fcgi-benches --benches --").args(arguments))
}
