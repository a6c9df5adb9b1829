//! `fcgi generate`.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Command, CommandFactory, Subcommand, ValueEnum};
use clap_complete::Shell;
use clap_mangen::Man;
use fcgi_tools::bridge;

use super::{Fcgi, Outcome};

#[derive(Args)]
pub(super) struct Generate {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Write manual pages: fcgi.1, one for each subcommand, and cgi-fcgi.1
    Man {
        /// Where to, as in /usr/local/share/man/man1; made unless it is there
        #[arg(value_name = "DIR")]
        directory: PathBuf,
    },
    /// Print completions for a shell
    ///
    /// For bash: fcgi generate completions bash >
    /// ~/.local/share/bash-completion/completions/fcgi
    Completions {
        /// The shell
        #[arg(value_name = "SHELL")]
        shell: Shell,

        /// The command to complete
        #[arg(long, value_enum, value_name = "COMMAND", default_value_t = Completed::Fcgi)]
        command: Completed,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Completed {
    Fcgi,
    CgiFcgi,
}

/// Its page is written by hand: its options are those of the kit, with one dash.
const CGI_FCGI: &str = include_str!("../../man/cgi-fcgi.1");

impl Generate {
    pub(super) fn run(self) -> Outcome {
        match self.what {
            What::Man { directory } => {
                let named = |error: io::Error| format!("{}: {error}", directory.display());
                fs::create_dir_all(&directory).map_err(named)?;
                let mut command = Fcgi::command().disable_help_subcommand(true);
                command.build();
                pages(&command, &directory).map_err(named)?;
                fs::write(directory.join("cgi-fcgi.1"), CGI_FCGI).map_err(named)?;
            }
            What::Completions { shell, command } => {
                let (mut command, name) = match command {
                    Completed::Fcgi => (Fcgi::command(), "fcgi"),
                    Completed::CgiFcgi => (bridge::command(), "cgi-fcgi"),
                };
                // The generators end the process when they cannot write: into memory they can.
                let mut script = Vec::new();
                clap_complete::generate(shell, &mut command, name, &mut script);
                io::stdout().lock().write_all(&script)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The pages of a command and of all below it.
fn pages(command: &Command, directory: &Path) -> io::Result<()> {
    Man::new(command.clone())
        .source(concat!("fcgi ", env!("CARGO_PKG_VERSION")))
        .manual("FastCGI tools")
        .generate_to(directory)?;
    command
        .get_subcommands()
        .try_for_each(|command| pages(command, directory))
}
