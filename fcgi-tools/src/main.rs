//! The `fcgi` command.
#![forbid(unsafe_code)]

mod cli;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match cli::Fcgi::parse().run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("fcgi: {error}");
            ExitCode::FAILURE
        }
    }
}
