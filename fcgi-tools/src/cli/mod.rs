//! The command line: what can be said on it, and what it does.

mod ask;
mod bench;
mod dump;
mod generate;
mod parse;
mod request;
mod serve;
mod stop;

use std::error::Error;
use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use fcgi_tools::request::VariableError;
use fcgi_tools::serve::SiteError;

/// What a tool ends with: its exit code, or an error to be printed.
type Outcome = Result<ExitCode, Box<dyn Error>>;

/// The exit code for a wrong command line, as clap has it.
const USAGE: u8 = 2;

/// Tools for FastCGI applications.
#[derive(Parser)]
#[command(name = "fcgi", version)]
pub(crate) struct Fcgi {
    #[command(subcommand)]
    tool: Tool,
}

#[derive(Subcommand)]
enum Tool {
    /// Show an application in the browser: an HTTP gateway for development
    ///
    /// The application is one that runs already (--connect), or a COMMAND that is started with
    /// the listening socket as its descriptor 0, as FastCGI applications expect it.
    Serve(serve::Serve),
    /// Send one request and print what comes back
    ///
    /// Prints the body of the answer; what the application writes to its standard error goes to
    /// standard error. Works without a web server, and as a health check: the exit code tells what
    /// is wrong.
    Request(request::Request),
    /// Print the records that pass between a web server and an application, or lie in a file
    ///
    /// Stands between the two (--listen, --connect), passes every byte on, and prints the records
    /// in the notation of the specification. Each line has the seconds since the start, the number
    /// of the connection, and > for what goes to the application or < for what comes from it. What
    /// stands in round brackets is not on the wire.
    Dump(dump::Dump),
    /// Measure how fast an application answers
    ///
    /// Sends one request again and again over some connections, each of which sends the next one
    /// when an answer is complete, and checks the answers.
    Bench(bench::Bench),
    /// Write manual pages or completions for a shell
    Generate(generate::Generate),
}

impl Fcgi {
    pub(crate) fn run(self) -> ExitCode {
        let outcome = match self.tool {
            Tool::Serve(arguments) => arguments.run(),
            Tool::Request(arguments) => arguments.run(),
            Tool::Dump(arguments) => arguments.run(),
            Tool::Bench(arguments) => arguments.run(),
            Tool::Generate(arguments) => arguments.run(),
        };
        outcome.unwrap_or_else(|error| {
            tell(&error);
            if error.is::<VariableError>() || error.is::<SiteError>() {
                USAGE.into()
            } else {
                ExitCode::FAILURE
            }
        })
    }
}

/// One line on standard error.
fn tell(what: &dyn Display) {
    // Standard error may be closed; the exit code tells of it then.
    let _ = writeln!(io::stderr(), "fcgi: {what}");
}
