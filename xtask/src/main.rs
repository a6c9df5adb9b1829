//! Every chore of the project as one command: `cargo xtask ci` is all the checks, and each check
//! is a command of its own.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::shell::Result;
use crate::steps::{
    bench, checks, compare, doubling, fuzz, instructions, layers, no_std, packages, tests,
};

mod ci;
mod rust_source;
mod shell;
mod steps;

fn main() -> ExitCode {
    match Chores::parse().chore.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// The chores of the FastCGI toolkit.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Chores {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Run every check, in order, and say how long each took
    Ci {
        /// End with the first check that fails, instead of going on to the next
        #[arg(long)]
        fail_fast: bool,
    },
    /// Install the Debian packages that the checks use, where they are missing (root or sudo)
    Packages,
    /// Check the formatting of all crates
    Fmt {
        /// Format the files instead of complaining about them
        #[arg(long)]
        fix: bool,
    },
    /// Run clippy on every crate, and on the core with each set of features; warnings are errors
    Clippy,
    /// Build the documentation; warnings, such as broken links, are errors
    Docs,
    /// Build all crates, the examples included
    Build,
    /// Run the tests that need no web server: unit, property, integration and documentation tests
    Test,
    /// Run the tests against real web servers
    Interop,
    /// Prove by a linked artefact that the core needs no std and no allocator, and cannot panic
    NoStd,
    /// Check who depends on whom, and that only the C ABI has unsafe code
    Layers,
    /// Run the benches
    Bench {
        /// Run each once, without optimization and without measuring
        #[arg(long)]
        once: bool,
        /// Arguments for criterion, such as a filter
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Serve one page by FastCGI and by CGI, behind nginx: what it saves to keep the process
    Cgi {
        /// Arguments for the comparison; --help tells them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Compare our servers with others under load: processor time, system calls, memory, latency
    Compare {
        /// Arguments for the comparison; --help tells them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Count the instructions of each workload of the benches, with callgrind
    Instructions {
        /// Fail if an aim is missed
        #[arg(long)]
        check: bool,
        /// Instead, count those for forms whose inputs double, and fail if they grow faster
        #[arg(long, conflicts_with = "check")]
        doubling: bool,
        /// Double up to 16 MiB, which takes twenty minutes, instead of 2 MiB
        #[arg(long, requires = "doubling")]
        full: bool,
    },
    /// Fuzz one target, or each in turn (needs a nightly toolchain and cargo-fuzz)
    Fuzz {
        /// The target; all of them if absent
        target: Option<String>,
        /// How long to run each target
        #[arg(long, default_value_t = 60)]
        seconds: u32,
    },
}

impl Chore {
    fn run(self) -> Result {
        match self {
            Self::Ci { fail_fast } => ci::run(fail_fast),
            Self::Packages => packages::for_checks(),
            Self::Fmt { fix } => checks::format(fix),
            Self::Clippy => checks::clippy(),
            Self::Docs => checks::docs(),
            Self::Build => checks::build(),
            Self::Test => tests::without_servers(),
            Self::Interop => packages::for_checks().and_then(|()| tests::with_servers()),
            Self::NoStd => no_std::run(),
            Self::Layers => layers::run(),
            Self::Bench { once: true, .. } => bench::once(),
            Self::Bench { arguments, .. } => bench::run_with(&arguments),
            Self::Cgi { arguments } => compare::with_cgi(&arguments),
            Self::Compare { arguments } => compare::run_with(&arguments),
            Self::Instructions {
                doubling: true,
                full,
                ..
            } => doubling::run_all(full),
            Self::Instructions { check, .. } => instructions::run_all(check),
            Self::Fuzz { target, seconds } => fuzz::run_targets(target.as_deref(), seconds),
        }
    }
}
