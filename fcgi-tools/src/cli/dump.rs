//! `fcgi dump`.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use fcgi_listen::Address;
use fcgi_tools::dump::{self, Contents, Options, Proxy, Style};

use super::stop::flag_of_signals;
use super::{Outcome, tell};

#[derive(Args)]
#[command(
    override_usage = "fcgi dump [OPTIONS] <FILE>\n       \
                      fcgi dump [OPTIONS] --listen <ADDR> --connect <ADDR>",
    after_help = "The exit code for a FILE that breaks the protocol or ends inside a record is 1."
)]
pub(super) struct Dump {
    /// The bytes of one direction, as --save writes them; - is standard input
    #[arg(value_name = "FILE", conflicts_with_all = ["listen", "connect", "save"])]
    file: Option<PathBuf>,

    /// Where the web server connects to; port 0 takes a free one
    #[arg(
        long,
        value_name = "ADDR",
        requires = "connect",
        required_unless_present = "file"
    )]
    listen: Option<Address>,

    /// Where the application listens: HOST:PORT, or a unix socket's path
    #[arg(long, value_name = "ADDR", requires = "listen")]
    connect: Option<Address>,

    /// Save what passes, as two files for each connection, in a new or empty directory
    #[arg(long, value_name = "DIR", requires = "listen")]
    save: Option<PathBuf>,

    /// Print parameters as pairs, one a line
    #[arg(short, long)]
    decode: bool,

    /// How many bytes of a record's content, or of a value, to print
    #[arg(short, long, value_name = "BYTES", default_value_t = Style::new().max_content)]
    max_content: usize,
}

impl Dump {
    pub(super) fn run(self) -> Outcome {
        let mut style = Style::new();
        style.max_content = self.max_content;
        style.decode = self.decode;
        match (self.file, self.listen, self.connect) {
            (Some(file), _, _) => print(&file, style),
            (None, Some(listen), Some(connect)) => {
                let mut options = Options::new(listen, connect);
                options.style = style;
                options.save = self.save;
                pass(options)
            }
            // clap lets one of the two pass.
            _ => Err("give a file, or --listen and --connect".into()),
        }
    }
}

fn print(file: &Path, style: Style) -> Outcome {
    let out = io::stdout().lock();
    let printed = if file == Path::new("-") {
        dump::read(io::stdin().lock(), style, io::BufWriter::new(out))
    } else {
        let named = |error: io::Error| format!("{}: {error}", file.display());
        let opened = File::open(file).map_err(named)?;
        if opened.metadata().map_err(named)?.is_dir() {
            return Err(named(io::ErrorKind::IsADirectory.into()).into());
        }
        dump::read(opened, style, io::BufWriter::new(out))
    };
    match printed {
        Ok(Contents {
            is_broken: false,
            is_truncated: false,
            ..
        }) => Ok(ExitCode::SUCCESS),
        Ok(_) => Ok(ExitCode::FAILURE),
        // Whoever reads has seen enough, as `head` has.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(error) => Err(error.into()),
    }
}

fn pass(options: Options) -> Outcome {
    let connect = options.connect.clone();
    let stop = flag_of_signals()?;
    let proxy = Proxy::bind(options)?;
    let listen = proxy.local_address()?;
    tell(&format_args!(
        "listening on {listen}, passing on to {connect}"
    ));
    let summary = match proxy.run(io::stdout(), &stop) {
        Ok(summary) => summary,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
        Err(error) => return Err(error.into()),
    };
    tell(&format_args!(
        "connections: {}, records: {}, bytes: {}, faults: {}",
        summary.connections, summary.records, summary.bytes, summary.faults
    ));
    Ok(ExitCode::SUCCESS)
}
