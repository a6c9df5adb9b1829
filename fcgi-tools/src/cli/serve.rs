//! `fcgi serve`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use fcgi_listen::Address;
use fcgi_tools::serve::{self, Application, Options, Site, SiteError};

use super::{Outcome, parse};

#[derive(Args)]
#[command(override_usage = "fcgi serve [OPTIONS] (--connect <ADDR> | -- <COMMAND>...)")]
pub(super) struct Serve {
    /// Where to listen for HTTP; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    http: Address,

    /// Where the application listens: HOST:PORT, or a unix socket's path
    #[arg(
        long,
        value_name = "ADDR",
        conflicts_with_all = ["listen", "command"],
        required_unless_present = "command"
    )]
    connect: Option<Address>,

    /// Where the started COMMAND listens; on a private unix socket if absent
    #[arg(long, value_name = "ADDR", requires = "command")]
    listen: Option<Address>,

    /// Mount the application at this path (SCRIPT_NAME), as in /app
    #[arg(long, value_name = "PATH")]
    script_name: Option<String>,

    /// The site's directory (DOCUMENT_ROOT, SCRIPT_FILENAME), as PHP needs it
    #[arg(long, value_name = "DIR")]
    document_root: Option<PathBuf>,

    /// Another variable for the application, or a new value for one
    #[arg(long = "param", value_name = "NAME=VALUE")]
    params: Vec<String>,

    /// How long a request may stand still, as 10, 500ms or 2m
    #[arg(long, value_name = "TIME", default_value = "60", value_parser = parse::duration)]
    timeout: Duration,

    /// How many bytes of a body of unknown length to collect; 0 refuses such bodies
    #[arg(long, value_name = "BYTES", default_value_t = 64 << 20)]
    spool_limit: u64,

    /// The application, and its arguments
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

impl Serve {
    pub(super) fn run(self) -> Outcome {
        let site = self.site()?;
        let mut command = self.command.into_iter();
        let application = match (self.connect, command.next()) {
            (None, Some(program)) => Application::Command {
                program,
                arguments: command.collect(),
                listen: self.listen,
            },
            (Some(address), None) => Application::Connect(address),
            // clap lets exactly one of them pass.
            _ => return Err("give either --connect or a command".into()),
        };
        serve::run(Options {
            http: self.http,
            site,
            timeout: self.timeout,
            spool_limit: self.spool_limit,
            ..Options::new(application)
        })?;
        Ok(ExitCode::SUCCESS)
    }

    fn site(&self) -> Result<Site, SiteError> {
        let mut site = Site::default();
        if let Some(name) = &self.script_name {
            site = site.script_name(name)?;
        }
        if let Some(root) = &self.document_root {
            site = site.document_root(root)?;
        }
        for pair in &self.params {
            site = site.param(pair)?;
        }
        Ok(site)
    }
}
