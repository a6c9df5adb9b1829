//! The `cgi-fcgi` command.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    fcgi_tools::bridge::run(std::env::args_os())
}
