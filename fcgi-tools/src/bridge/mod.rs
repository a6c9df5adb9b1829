//! `cgi-fcgi`: the bridge from CGI to FastCGI, and the starter of applications.
//!
//! A web server that speaks CGI alone runs it as a CGI program (RFC 3875). It passes the request on
//! to a FastCGI application, the response back, and ends with the application's exit status. It has
//! the forms and options of the program of that name in the FastCGI Developer's Kit; its manual
//! page tells all of them and what differs.
//!
//! ```no_run
//! # fn main() -> std::process::ExitCode {
//! // As `cgi-fcgi -bind -connect /run/app.sock`.
//! fcgi_tools::bridge::run(["cgi-fcgi", "-bind", "-connect", "/run/app.sock"])
//! # }
//! ```

mod arguments;
mod cgi;
mod command_file;
mod connect;
mod lock;
mod problem;
mod starter;
mod supervise;

use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;

use clap::CommandFactory;
use fcgi_core::ProtocolStatus;
use fcgi_core::cgi::exit_status;

use self::arguments::{Arguments, Form};
use self::cgi::Cgi;
use self::problem::Problem;
use crate::exchange::{Failure, Progress, Sink};

/// Runs the program with these arguments, the first of which is its name; what it should end with.
pub fn run<A: Into<OsString>>(arguments: impl IntoIterator<Item = A>) -> ExitCode {
    let arguments = arguments.into_iter().map(Into::into).collect();
    let arguments = match arguments::read(arguments) {
        Ok(arguments) => arguments,
        Err(error) if error.use_stderr() && env::var_os("GATEWAY_INTERFACE").is_some() => {
            return ExitCode::from(refuse(error));
        }
        Err(error) => {
            // Nobody can be told that standard error is closed.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let result = match arguments.form() {
        Form::Bridge => return ExitCode::from(bridge(&arguments)),
        Form::Start => starter::start(&arguments),
        Form::Supervise => supervise::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

/// The definition of the command line, for those who make completions or check manual pages.
#[must_use]
pub fn command() -> clap::Command {
    Arguments::command()
}

/// One line on standard error, where web servers take their log from.
fn complain(what: &dyn std::fmt::Display) {
    // Standard error may be closed; the exit status tells of it then.
    let _ = writeln!(io::stderr(), "cgi-fcgi: {what}");
}

/// Serves one request; the exit status.
fn bridge(arguments: &Arguments) -> u8 {
    let cgi = match Cgi::read(env::vars_os()) {
        Ok(cgi) => cgi,
        Err(problem) => return fail(&problem, 0),
    };
    let (result, progress) = serve(&cgi, arguments);
    let status = match result {
        Ok(app_status) => exit_status(app_status),
        Err(problem) => fail(&problem, progress.stdout),
    };
    end(&cgi, progress.stdin);
    status
}

/// Ends the response, and takes what is left of the body, `read` bytes of which were read.
fn end(cgi: &Cgi, read: u64) {
    // The web server sees the end, whatever the rest of the body takes.
    let _ = rustix::stdio::dup2_stdout(io::stderr());
    cgi.drain(io::stdin().as_fd(), read);
}

/// What the web server gets from a program whose arguments are wrong; the exit status.
fn refuse(error: clap::Error) -> u8 {
    let status = fail(&Problem::Arguments(error), 0);
    if let Ok(cgi) = Cgi::read(env::vars_os()) {
        end(&cgi, 0);
    }
    status
}

/// Tells the log, and the client as well if nothing of a response was written before; the exit
/// status.
fn fail(problem: &Problem, written: u64) -> u8 {
    complain(problem);
    if written == 0 {
        // If the web server has gone, nobody is left to read it.
        let _ = io::stdout().write_all(problem.page().as_bytes());
        let _ = io::stdout().flush();
    }
    problem.exit_status()
}

/// The application's exit status, or what went wrong; and what has flowed.
fn serve(cgi: &Cgi, arguments: &Arguments) -> (Result<u32, Problem>, Progress) {
    let stream = match connect::open(arguments) {
        Ok(stream) => stream,
        Err(problem) => return (Err(problem), Progress::default()),
    };
    let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
    let outcome = cgi.request(stdin.as_fd()).run(
        &stream,
        Sink::Descriptor(stdout.as_fd()),
        Sink::Descriptor(stderr.as_fd()),
    );
    match outcome {
        Err(Failure { reason, progress }) => (Err(Problem::Failed(reason)), progress),
        Ok(outcome) => {
            let result = match outcome.protocol_status {
                ProtocolStatus::REQUEST_COMPLETE => Ok(outcome.app_status.unwrap_or(0)),
                refused => Err(Problem::Refused(refused)),
            };
            (result, outcome.progress)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        command().debug_assert();
    }
}
