//! The command line, in the kit's spelling: `-connect` and `--connect` are the same.

use std::ffi::{OsStr, OsString};
use std::num::{NonZeroU64, NonZeroUsize};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use clap::Parser;
use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::error::ErrorKind;
use fcgi_listen::{Address, AddressError};

use super::command_file;

/// Reads the command line, or the command file that it names.
pub(super) fn read(words: Vec<OsString>) -> Result<Arguments, clap::Error> {
    // What follows the file is not ours: a web server makes arguments of a query without `=`
    // (RFC 3875 §4.4).
    let [program, option, file, ..] = &words[..] else {
        return parse(words);
    };
    if !names_a_file(option) {
        return parse(words);
    }
    let read = command_file::words(file.as_ref())
        .map_err(|error| clap::Error::raw(ErrorKind::Io, format!("{error}\n")))?;
    let program = [program.clone()].into_iter();
    parse(
        program
            .chain(read.into_iter().map(OsString::from))
            .collect(),
    )
    .map_err(|error| {
        if !error.use_stderr() {
            return error;
        }
        let text = error.to_string();
        let text = text.strip_prefix("error: ").unwrap_or(&text);
        let file = file.display();
        clap::Error::raw(error.kind(), format!("the command file {file}: {text}"))
    })
}

fn parse(words: Vec<OsString>) -> Result<Arguments, clap::Error> {
    let raw = words.get(1..).unwrap_or_default().to_vec();
    let mut arguments = Arguments::try_parse_from(words.into_iter().map(in_our_spelling))?;
    let conflict = |why| Err(clap::Error::raw(ErrorKind::ArgumentConflict, why));
    if arguments.file.is_some() {
        return conflict("-f must be the first argument, and not stand in a command file\n");
    }
    if arguments.restricts_a_path() && !matches!(arguments.connect, Some(Address::Unix(_))) {
        return conflict("--socket-mode and --socket-user are for the path of a unix socket\n");
    }
    arguments.raw = raw;
    Ok(arguments)
}

/// Whether that is `-f`. Behind it there is a CR if the lines of the command file end with CR LF:
/// the system takes the rest of a `#!` line as it is.
fn names_a_file(word: &OsStr) -> bool {
    word == "-f" || word == "--file" || word == "-f\r"
}

/// The kit spells its options with one dash. So all words are read that have one and two letters, and
/// a slip of the pen is not taken for a heap of short options.
fn in_our_spelling(word: OsString) -> OsString {
    if matches!(word.as_bytes(), [b'-', b'a'..=b'z', b'a'..=b'z', ..]) {
        let mut double = OsString::from("-");
        double.push(word);
        return double;
    }
    word
}

/// Pass a CGI request on to a FastCGI application, or start one
#[derive(Clone, Debug, Parser)]
#[command(
    name = "cgi-fcgi",
    version,
    override_usage = "cgi-fcgi -f CMDPATH\n       \
                      cgi-fcgi -bind -connect CONN\n       \
                      cgi-fcgi [OPTIONS] -connect CONN APP [N]\n       \
                      cgi-fcgi [OPTIONS] -start -connect CONN APP [N]\n       \
                      cgi-fcgi [OPTIONS] -supervise -connect CONN APP [N]",
    after_help = "The options -bind, -connect, -start and -supervise may have one dash or two."
)]
pub(super) struct Arguments {
    /// Read the arguments from this file; for a first line `#!/usr/bin/cgi-fcgi -f`
    #[arg(short = 'f', long, value_name = "CMDPATH", exclusive = true)]
    file: Option<PathBuf>,

    /// Where the application listens: a socket's path, HOST:PORT or :PORT
    #[arg(
        long,
        value_name = "CONN",
        required = true,
        value_parser = OsStringValueParser::new().try_map(|text| connection(&text))
    )]
    pub(super) connect: Option<Address>,

    /// Pass the request on to an application that runs; never start one
    #[arg(long, conflicts_with_all = ["start", "supervise"])]
    bind: bool,

    /// Start the application and return
    #[arg(long, requires = "app")]
    start: bool,

    /// Start the application and watch over it until SIGTERM
    #[arg(long, requires = "app")]
    supervise: bool,

    /// As which user the application runs; its group as well, unless --group is given
    #[arg(long, value_name = "USER", conflicts_with = "bind")]
    pub(super) user: Option<String>,

    /// As which group the application runs
    #[arg(long, value_name = "GROUP", conflicts_with = "bind")]
    pub(super) group: Option<String>,

    /// The permissions of the unix socket, as 660; the umask decides if absent
    #[arg(long, value_name = "MODE", conflicts_with = "bind", value_parser = mode)]
    pub(super) socket_mode: Option<u32>,

    /// Whom the unix socket belongs to: USER, USER:GROUP or :GROUP
    #[arg(long, value_name = "OWNER", conflicts_with = "bind")]
    pub(super) socket_user: Option<String>,

    /// Let the application run as root
    #[arg(long, conflicts_with = "bind")]
    pub(super) allow_root: bool,

    /// After how many requests a process is to be replaced, if it heeds FCGI_MAX_REQUESTS
    #[arg(long, value_name = "COUNT", conflicts_with = "bind")]
    pub(super) max_requests: Option<NonZeroU64>,

    /// This is the supervisor that a starter has started
    #[arg(long, hide = true, requires = "supervise")]
    pub(super) detached: bool,

    /// The application's program; run when nobody listens at CONN
    #[arg(required_unless_present_any = ["bind", "file"])]
    pub(super) app: Option<PathBuf>,

    /// How many processes of it to run
    #[arg(value_name = "N", default_value = "1", value_parser = count)]
    pub(super) count: NonZeroUsize,

    /// The words that all this was read from, for the supervisor to be started with.
    #[arg(skip)]
    pub(super) raw: Vec<OsString>,
}

/// What to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    Bridge,
    Start,
    Supervise,
}

impl Arguments {
    pub(super) fn form(&self) -> Form {
        match (self.supervise, self.start) {
            (true, _) => Form::Supervise,
            (false, true) => Form::Start,
            (false, false) => Form::Bridge,
        }
    }

    /// Whether the socket is to be for some users only, which a socket without a path cannot be.
    fn restricts_a_path(&self) -> bool {
        self.socket_mode.is_some() || self.socket_user.is_some()
    }

    /// The program to start if nobody listens.
    pub(super) fn startable(&self) -> Option<&PathBuf> {
        self.app.as_ref().filter(|_| !self.bind)
    }
}

/// As the kit reads it: what has a colon is TCP, all else is a path. A path that has a slash may
/// have a colon as well.
fn connection(text: &OsString) -> Result<Address, AddressError> {
    let is_path = || Ok(Address::Unix(PathBuf::from(text)));
    let Some(known) = text.to_str() else {
        return is_path();
    };
    if known.starts_with("unix:") || known.is_empty() {
        return known.parse();
    }
    if text.as_bytes().contains(&b'/') || !known.contains(':') {
        return is_path();
    }
    match known.strip_prefix("*:") {
        Some(port) => format!(":{port}").parse(),
        None => known.parse(),
    }
}

fn count(text: &str) -> Result<NonZeroUsize, String> {
    let count = text.parse();
    count.map_err(|_| "write how many processes, a number from 1".to_owned())
}

fn mode(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text, 8) {
        Ok(mode) if mode <= 0o777 && !text.starts_with('+') => Ok(mode),
        _ => Err("not an octal number from 0 to 777".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Arguments, clap::Error> {
        let words = line.split(' ').filter(|word| !word.is_empty());
        read(
            std::iter::once("cgi-fcgi")
                .chain(words)
                .map(OsString::from)
                .collect(),
        )
    }

    #[test]
    fn the_forms() {
        for (line, form, app, count) in [
            ("-bind -connect /a", Form::Bridge, None, 1),
            ("-connect /a app", Form::Bridge, Some("app"), 1),
            ("-connect /a app 7", Form::Bridge, Some("app"), 7),
            ("app 7 -connect /a", Form::Bridge, Some("app"), 7),
            ("-start -connect /a app 2", Form::Start, Some("app"), 2),
            ("--start --connect /a app", Form::Start, Some("app"), 1),
            (
                "-supervise -connect /a app",
                Form::Supervise,
                Some("app"),
                1,
            ),
            // The order of the kit's own usage text.
            (
                "-start -supervise -connect /a app 3",
                Form::Supervise,
                Some("app"),
                3,
            ),
        ] {
            let arguments = parsed(line).unwrap();
            assert_eq!(arguments.form(), form, "{line}");
            assert_eq!(
                arguments.startable(),
                app.map(PathBuf::from).as_ref(),
                "{line}"
            );
            assert_eq!(arguments.count.get(), count, "{line}");
            assert_eq!(
                arguments.connect,
                Some(Address::Unix("/a".into())),
                "{line}"
            );
        }
        // With -bind the kit reads a program and never runs it.
        assert_eq!(parsed("-bind -connect /a app 2").unwrap().startable(), None);
    }

    #[test]
    fn mistakes() {
        for line in [
            "",
            "-f",
            "-bind",
            "-connect",
            "-connect /a",
            "-start -connect /a",
            "-bind -start -connect /a app",
            "-connect /a app 0",
            "-connect /a app many",
            "-connect /a app 1 2",
            "-connect host: app",
            "-unknown -connect /a app",
            "-bind -connect /a --user nobody",
            "-start -connect /a app --socket-mode 888",
            "-start -connect /a app --socket-mode 1000",
            "-start -connect /a app --max-requests 0",
            "-bind -connect /a -f file",
            "-start -connect :9000 app --socket-mode 600",
            "-supervise -connect 127.0.0.1:9000 app --socket-user nobody",
            "-connect unix:@name app --socket-mode 600",
        ] {
            let error = parsed(line).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line}: {error}");
        }
        for (line, told) in [
            ("-conect /a app", "unexpected argument '--conect' found"),
            ("-conect /a app", "similar argument exists: '--connect'"),
            ("-connect /a app 0", "a number from 1"),
            ("-connect :1 app --socket-mode 600", "path of a unix socket"),
        ] {
            let error = parsed(line).unwrap_err().to_string();
            assert!(error.contains(told), "{line}: {error}");
        }
        for line in ["-h", "--help", "-V", "--version"] {
            assert_eq!(parsed(line).unwrap_err().exit_code(), 0, "{line}");
        }
    }

    #[test]
    fn connections_as_the_kit_reads_them() {
        let unix = |path: &str| Address::Unix(path.into());
        for (text, wanted) in [
            ("/run/a.sock", unix("/run/a.sock")),
            ("a.sock", unix("a.sock")),
            ("9000", unix("9000")),
            ("dir/a:1", unix("dir/a:1")),
            ("unix:b", unix("b")),
            (":9000", Address::AllInterfaces(9000)),
            ("*:9000", Address::AllInterfaces(9000)),
            ("127.0.0.1:9000", Address::Ip(([127, 0, 0, 1], 9000).into())),
        ] {
            assert_eq!(connection(&text.into()), Ok(wanted), "{text}");
        }
        assert!(connection(&"".into()).is_err());
        assert!(connection(&"host:port".into()).is_err());
    }

    #[test]
    fn settings() {
        let line = "-start -connect /a --user u --group g --socket-mode 660 --socket-user a:b \
                    --allow-root --max-requests 500 app 2";
        let arguments = parsed(line).unwrap();
        assert_eq!(arguments.user.as_deref(), Some("u"));
        assert_eq!(arguments.group.as_deref(), Some("g"));
        assert_eq!(arguments.socket_mode, Some(0o660));
        assert_eq!(arguments.socket_user.as_deref(), Some("a:b"));
        assert!(arguments.allow_root);
        assert_eq!(arguments.max_requests, NonZeroU64::new(500));
        assert_eq!(arguments.raw.len(), 16);
    }
}
