//! What the children run.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Tells a child that its parent is a supervisor, by the parent's process id.
pub(crate) const SUPERVISOR: &str = "FCGI_SUPERVISOR_PID";

/// The program that the children run, with its arguments and environment.
///
/// The listening socket is its standard input (FastCGI §2.2); standard output, standard error and
/// the rest of the environment are those of the supervisor.
///
/// ```
/// use fcgi_process::Program;
///
/// let program = Program::new("/usr/lib/app").arg("--quiet").env("LANG", "C.UTF-8");
/// assert_eq!(program.to_string(), "/usr/lib/app");
/// ```
#[derive(Clone, Debug)]
#[must_use = "a program does nothing until a supervisor runs it"]
pub struct Program {
    path: PathBuf,
    name: Option<OsString>,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, Option<OsString>)>,
    directory: Option<PathBuf>,
}

impl Program {
    /// A program by its path; one without a slash is looked for in `PATH`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            name: None,
            arguments: Vec::new(),
            environment: Vec::new(),
            directory: None,
        }
    }

    /// This program again, with the arguments that it was started with. In the child
    /// [`is_supervised`] is true, and `fcgi_listen::inherited` finds the socket.
    ///
    /// The path is looked up now: a replacement later runs what is found there then, also if the
    /// file was replaced by a newer one.
    ///
    /// # Errors
    ///
    /// The system does not tell where this program is.
    pub fn current() -> io::Result<Self> {
        let mut arguments = env::args_os();
        let name = arguments.next();
        Ok(Self {
            name,
            arguments: arguments.collect(),
            ..Self::new(env::current_exe()?)
        })
    }

    /// Adds an argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        let arguments = arguments.into_iter();
        self.arguments
            .extend(arguments.map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        let value = Some(value.as_ref().to_owned());
        self.environment.push((name.as_ref().to_owned(), value));
        self
    }

    /// Leaves out an environment variable that the supervisor has.
    pub fn env_remove(mut self, name: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.as_ref().to_owned(), None));
        self
    }

    /// The directory in which the children start; by default that of the supervisor.
    pub fn current_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    pub(crate) fn directory(&self) -> Option<&Path> {
        self.directory.as_deref()
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        if let Some(name) = &self.name {
            command.arg0(name);
        }
        command.args(&self.arguments);
        for (name, value) in &self.environment {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        command
    }
}

/// The path.
impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)
    }
}

/// Whether this process was started by a supervisor of this crate, and is to serve: a program that
/// supervises [itself](Program::current) asks this first.
///
/// The supervisor names its process id in the environment variable `FCGI_SUPERVISOR_PID`, which is
/// compared with that of the parent, so that a child's own children do not believe it.
#[must_use]
pub fn is_supervised() -> bool {
    let parent = rustix::process::getppid().map(rustix::process::Pid::as_raw_nonzero);
    let named = env::var(SUPERVISOR).ok().and_then(|id| id.parse().ok());
    parent.is_some() && parent == named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_made_of_all_parts() {
        let program = Program::new("/bin/app")
            .arg("-x")
            .args(["1", "2"])
            .env("A", "b")
            .env_remove("C")
            .current_dir("/tmp");
        let command = program.command();
        assert_eq!(command.get_program(), "/bin/app");
        assert_eq!(command.get_args().collect::<Vec<_>>(), ["-x", "1", "2"]);
        let envs: Vec<_> = command.get_envs().collect();
        let (a, b, c) = (OsStr::new("A"), OsStr::new("b"), OsStr::new("C"));
        assert_eq!(envs, [(a, Some(b)), (c, None)]);
        assert_eq!(command.get_current_dir().unwrap(), "/tmp");
    }

    #[test]
    fn the_current_program_has_its_arguments_again() {
        let command = Program::current().unwrap().command();
        assert_eq!(command.get_program(), env::current_exe().unwrap());
        assert!(command.get_args().eq(env::args_os().skip(1)));
    }

    #[test]
    fn nobody_supervises_the_tests() {
        assert!(!is_supervised());
    }
}
