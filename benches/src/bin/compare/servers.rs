//! What is compared.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::scenarios::Scenario;

/// One server, or one shape of it.
pub(crate) struct Server {
    /// As on the command line and in the tables.
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    kind: Kind,
    /// Whether it takes part where nobody says which.
    pub(crate) by_default: bool,
}

#[derive(Clone, Copy)]
enum Kind {
    /// A program of this package.
    Rust(&'static str, &'static [&'static str]),
    /// The C program with one thread, or with one for each connection.
    Libfcgi {
        many: bool,
    },
    Go,
}

/// The one that others are divided by.
pub(crate) const FLOOR: &str = "floor";

const fn server(name: &'static str, about: &'static str, kind: Kind) -> Server {
    Server {
        name,
        about,
        kind,
        by_default: true,
    }
}

/// All of them. The floor comes first, so that it was measured when the others are.
pub(crate) const ALL: [Server; 8] = [
    server(
        FLOOR,
        "a canned epoll responder",
        Kind::Rust("bench-floor", &[]),
    ),
    server(
        "fcgi-mio",
        "this project's event loop",
        Kind::Rust("bench-mio", &[]),
    ),
    server(
        "fcgi-std",
        "this project's blocking frontend, 1 worker",
        Kind::Rust("bench-std", &[]),
    ),
    Server {
        by_default: false,
        ..server(
            "fcgi-std-4",
            "the same with 4 workers",
            Kind::Rust("bench-std", &["--workers", "4"]),
        )
    },
    server(
        "libfcgi-1",
        "libfcgi in C, 1 thread",
        Kind::Libfcgi { many: false },
    ),
    server(
        "libfcgi-n",
        "libfcgi in C, a thread for each connection and at least 32, no accept mutex",
        Kind::Libfcgi { many: true },
    ),
    server(
        "tokio-fastcgi",
        "tokio-fastcgi 1.3, 1 thread",
        Kind::Rust("bench-tokio", &[]),
    ),
    server("go", "Go's net/http/fcgi", Kind::Go),
];

impl Server {
    /// Whether it wants its listener to block: libfcgi's accept fails if it does not.
    pub(crate) fn blocks(&self) -> bool {
        matches!(self.kind, Kind::Libfcgi { .. })
    }

    /// Whether it is made of this package alone, so that nothing that is not installed excuses it.
    pub(crate) fn is_ours(&self) -> bool {
        matches!(self.kind, Kind::Rust(..))
    }

    /// Whether callgrind can run it.
    pub(crate) fn runs_in_valgrind(&self) -> bool {
        !matches!(self.kind, Kind::Go)
    }

    /// The command that serves a scenario.
    pub(crate) fn command(&self, built: &Built, scenario: &Scenario) -> Vec<String> {
        let program = |path: &Path| path.display().to_string();
        let workload = scenario.workload.to_string();
        match self.kind {
            Kind::Rust(name, options) => {
                let mut words = vec![program(&built.directory.join(name)), workload];
                words.extend(options.iter().map(|&option| option.to_owned()));
                words
            }
            Kind::Libfcgi { many } => {
                let threads = if many {
                    scenario.connections.max(32)
                } else {
                    1
                };
                let path = built.libfcgi.as_deref().unwrap_or_default();
                vec![program(Path::new(path)), threads.to_string(), workload]
            }
            Kind::Go => {
                let path = built.go.as_deref().unwrap_or_default();
                vec![program(Path::new(path)), workload]
            }
        }
    }
}

/// Where the programs are, and why some are not.
pub(crate) struct Built {
    /// Those of this package.
    directory: PathBuf,
    libfcgi: Result<String, String>,
    go: Result<String, String>,
}

impl Built {
    /// Builds the peers into `scratch`, as far as there are compilers for `servers`.
    pub(crate) fn new(servers: &[&Server], scratch: &Path) -> Result<Built, String> {
        let this = env::current_exe().map_err(|error| format!("where am I? {error}"))?;
        let directory = this.parent().unwrap_or(Path::new(".")).to_path_buf();
        let wanted =
            |is_kind: fn(&Kind) -> bool| servers.iter().any(|server| is_kind(&server.kind));
        let not_wanted = || Err("not asked for".to_owned());
        let libfcgi = if wanted(|kind| matches!(kind, Kind::Libfcgi { .. })) {
            libfcgi(scratch)
        } else {
            not_wanted()
        };
        let go = if wanted(|kind| matches!(kind, Kind::Go)) {
            go(scratch)
        } else {
            not_wanted()
        };
        Ok(Built {
            directory,
            libfcgi,
            go,
        })
    }

    /// Why a server cannot take part.
    pub(crate) fn missing(&self, server: &Server) -> Option<String> {
        match server.kind {
            Kind::Rust(name, _) => {
                let is_there = self.directory.join(name).is_file();
                let build = "build it: cargo build --release -p fcgi-benches --bins";
                (!is_there).then(|| build.to_owned())
            }
            Kind::Libfcgi { .. } => self.libfcgi.as_ref().err().cloned(),
            Kind::Go => self.go.as_ref().err().cloned(),
        }
    }
}

fn peers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}

fn libfcgi(scratch: &Path) -> Result<String, String> {
    let program = scratch.join("libfcgi").display().to_string();
    let source = peers().join("libfcgi.c").display().to_string();
    let options = [
        "-O2",
        "-Wall",
        "-o",
        &program,
        &source,
        "-lfcgi",
        "-lpthread",
    ];
    compile(Command::new("cc").args(options), "cc with libfcgi-dev")?;
    Ok(program)
}

fn go(scratch: &Path) -> Result<String, String> {
    let program = scratch.join("go-fcgi").display().to_string();
    let mut build = Command::new("go");
    build
        .args(["build", "-o", &program])
        .current_dir(peers().join("go"));
    compile(&mut build, "go")?;
    Ok(program)
}

fn compile(command: &mut Command, compiler: &str) -> Result<(), String> {
    match command.stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let errors = String::from_utf8_lossy(&output.stderr);
            let first = errors.lines().find(|line| line.contains("error"));
            Err(format!("{compiler}: {}", first.unwrap_or("failed").trim()))
        }
        Err(_) => Err(format!("{compiler} is not installed")),
    }
}
