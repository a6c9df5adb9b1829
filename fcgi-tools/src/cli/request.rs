//! `fcgi request`.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use fcgi_core::Role;
use fcgi_core::cgi::Head;
use fcgi_listen::Address;
use fcgi_tools::request::{self, Errors, Receive, RequestError, Response, Shown, Verdict, Whole};

use super::ask::Ask;
use super::{Outcome, parse, tell};

const EXIT_CODES: &str = "\
Exit codes:
  0  as expected: a status below 400 or that of --expect-status,
     and an appStatus of 0
  1  a file could not be read, or the answer not be written
  2  the command line is wrong
  3  another status
  4  an appStatus other than 0
  5  refused: FCGI_OVERLOADED, FCGI_CANT_MPX_CONN, FCGI_UNKNOWN_ROLE
  6  the protocol broken, no head, or the connection closed early
  7  cannot be connected to
  8  took too long
  9  the body does not have the expected text";

#[derive(Args)]
#[command(after_help = EXIT_CODES)]
pub(super) struct Request {
    /// Where the application listens: HOST:PORT, or a unix socket's path
    #[arg(value_name = "ADDR")]
    address: Address,

    #[command(flatten)]
    ask: Ask,

    /// What the application is asked to be
    #[arg(long, value_enum, value_name = "ROLE", default_value_t = RoleName::Responder)]
    role: RoleName,

    /// The file that a filter gets (FCGI_DATA)
    #[arg(long, value_name = "FILE", required_if_eq("role", "filter"))]
    filter_file: Option<PathBuf>,

    /// How long the answer may take, as 10, 500ms or 2m
    #[arg(short, long, value_name = "TIME", default_value = "30", value_parser = parse::duration)]
    timeout: Duration,

    /// Print the head of the answer before its body
    #[arg(short, long)]
    include: bool,

    /// Print nothing of the answer
    #[arg(short, long, conflicts_with_all = ["include", "json"])]
    quiet: bool,

    /// Print the whole answer as a JSON object, with a body of up to 64 MiB
    #[arg(long, conflicts_with = "include")]
    json: bool,

    /// The status of a good answer; any below 400 if absent
    #[arg(long, value_name = "STATUS", value_parser = clap::value_parser!(u16).range(100..=999))]
    expect_status: Option<u16>,

    /// A text that the body of a good answer has somewhere
    #[arg(long, value_name = "TEXT")]
    expect_text: Option<String>,

    /// Ask how many connections and requests the application takes (FCGI_GET_VALUES)
    #[arg(
        long,
        conflicts_with_all = [
            "target", "method", "headers", "params", "data", "data_file", "script_filename",
            "document_root", "script_name", "role", "filter_file", "include", "expect_status",
            "expect_text"
        ]
    )]
    values: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum RoleName {
    Responder,
    Authorizer,
    Filter,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Role {
        match name {
            RoleName::Responder => Role::Responder,
            RoleName::Authorizer => Role::Authorizer,
            RoleName::Filter => Role::Filter,
        }
    }
}

impl Request {
    pub(super) fn run(self) -> Outcome {
        if self.values {
            return self.ask_values();
        }
        let request = self.request()?;
        if self.json {
            return whole(&request);
        }
        let mut printed = Printed {
            out: Out::stdout(),
            include: self.include,
            quiet: self.quiet,
        };
        let mut errors = Lines::new(Out::stderr());
        let outcome = request.run(&mut printed, &mut errors);
        errors.finish()?;
        let written = printed.out.finish();
        let verdict = request.verdict(&outcome);
        if verdict != Verdict::Good {
            tell(&complaint(verdict, &outcome));
            return Ok(verdict.code().into());
        }
        written?;
        Ok(ExitCode::SUCCESS)
    }

    fn request(&self) -> Result<request::Request, Box<dyn std::error::Error>> {
        let variables = self.ask.variables(false)?;
        let mut request = request::Request::new(self.address.clone(), variables);
        let (body, content_type) = self.ask.body()?;
        request.body = body;
        content_type.clone_into(&mut request.content_type);
        request.role = self.role.into();
        if let Some(file) = &self.filter_file {
            let named = |error| format!("{}: {error}", file.display());
            request.filter_file(file).map_err(named)?;
        }
        request.timeout = self.timeout;
        request.expected_status = self.expect_status;
        request.expected_text.clone_from(&self.expect_text);
        Ok(request)
    }

    fn ask_values(&self) -> Outcome {
        let values = match request::values(&self.address, self.timeout) {
            Ok(values) => values,
            Err(error) => {
                tell(&error);
                return Ok(Verdict::of(&error).code().into());
            }
        };
        let mut out = io::stdout().lock();
        if self.json {
            let members = values.map(|(name, value)| (name.to_owned(), value.into()));
            let object: serde_json::Map<_, _> = members.into_iter().collect();
            writeln!(out, "{:#}", serde_json::Value::Object(object))?;
            return Ok(ExitCode::SUCCESS);
        }
        for (name, value) in values {
            match value {
                Some(value) => writeln!(out, "{name} = {value}")?,
                None => writeln!(out, "{name} is not told")?,
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Prints an object, whatever came.
fn whole(request: &request::Request) -> Outcome {
    let (mut answer, mut errors) = (Whole::default(), Errors::default());
    let outcome = request.run(&mut answer, &mut errors);
    let verdict = request.verdict(&outcome);
    let object = request::json(&outcome, verdict, &answer, &errors.bytes);
    writeln!(io::stdout().lock(), "{}", request::printable(&object))?;
    Ok(verdict.code().into())
}

/// What is not as expected.
fn complaint(verdict: Verdict, outcome: &Result<Response, RequestError>) -> String {
    match (verdict, outcome) {
        (_, Err(error)) => error.to_string(),
        (Verdict::Status, Ok(response)) => format!("the status is {}", response.status),
        (Verdict::AppStatus, Ok(response)) => format!("appStatus {}", response.app_status),
        (_, Ok(_)) => "the body does not have the expected text".to_owned(),
    }
}

/// A standard stream, with escapes if it is a terminal.
enum Out {
    Plain(Box<dyn Write>),
    Terminal(Shown<Box<dyn Write>>),
}

impl Out {
    fn stdout() -> Out {
        let stdout = io::stdout();
        Out::new(stdout.is_terminal(), Box::new(stdout.lock()))
    }

    fn stderr() -> Out {
        let stderr = io::stderr();
        Out::new(stderr.is_terminal(), Box::new(stderr.lock()))
    }

    fn new(is_terminal: bool, out: Box<dyn Write>) -> Out {
        if is_terminal {
            Out::Terminal(Shown::new(out))
        } else {
            Out::Plain(out)
        }
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Out::Plain(mut out) => out.flush(),
            Out::Terminal(out) => out.finish(),
        }
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Out::Plain(out) => out.write(bytes),
            Out::Terminal(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Out::Plain(out) => out.flush(),
            Out::Terminal(out) => out.flush(),
        }
    }
}

/// What ends with a line end, though its writer may have forgotten it: a line of ours may follow.
struct Lines {
    out: Out,
    is_open: bool,
}

impl Lines {
    fn new(out: Out) -> Lines {
        Lines {
            out,
            is_open: false,
        }
    }

    fn finish(mut self) -> io::Result<()> {
        if self.is_open {
            self.out.write_all(b"\n")?;
        }
        self.out.finish()
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        if let Some(last) = bytes[..written].last() {
            self.is_open = *last != b'\n';
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Prints head and body.
struct Printed {
    out: Out,
    include: bool,
    quiet: bool,
}

impl Receive for Printed {
    fn head(&mut self, head: &Head<'_>) -> io::Result<()> {
        if !self.include {
            return Ok(());
        }
        writeln!(self.out, "Status: {}", head.status())?;
        for (name, value) in head.fields() {
            self.out.write_all(&[name, b": ", value, b"\n"].concat())?;
        }
        writeln!(self.out)
    }

    fn body(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.quiet {
            return Ok(());
        }
        self.out.write_all(bytes)
    }
}
