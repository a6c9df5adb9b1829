//! Running the programs that the chores are made of.

use std::ffi::OsStr;
use std::fmt::{self, Display};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::{env, io};

/// What a chore gives back.
pub(crate) type Result<T = ()> = std::result::Result<T, Failure>;

/// Why a chore failed, for a person to read.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self(message)
    }
}

impl From<&str> for Failure {
    fn from(message: &str) -> Self {
        Self(message.to_owned())
    }
}

/// The directory of the workspace.
pub(crate) fn root() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}

/// Where cargo puts what it builds: variables and configuration may say, so cargo is asked.
pub(crate) fn target_dir() -> PathBuf {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    let directory = DIRECTORY.get_or_init(|| {
        let metadata = output(&mut cargo("metadata --no-deps --format-version 1"));
        let directory = metadata.ok().and_then(|metadata| target_of(&metadata));
        root().join(directory.unwrap_or_else(|| "target".to_owned()))
    });
    directory.clone()
}

/// The target directory that cargo's metadata names.
fn target_of(metadata: &str) -> Option<String> {
    let metadata: serde_json::Value = serde_json::from_str(metadata).ok()?;
    metadata["target_directory"].as_str().map(str::to_owned)
}

/// `program` with `arguments`, to be run in the workspace's directory.
pub(crate) fn command<S: AsRef<OsStr>>(
    program: &str,
    arguments: impl IntoIterator<Item = S>,
) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root());
    command
}

/// The cargo that runs us, with `arguments` that are parted by spaces.
pub(crate) fn cargo(arguments: &str) -> Command {
    let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = command(&cargo, arguments.split_whitespace());
    // What is built once needs no pieces for the next time; they take more disk than the rest.
    command.env("CARGO_INCREMENTAL", "0");
    command
}

/// Shows and runs `command`; its output goes where ours goes.
pub(crate) fn run(command: &mut Command) -> Result {
    println!("$ {}", shown(command));
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure(format!("`{}`: {status}", shown(command)))),
        Err(error) => Err(not_started(command, &error)),
    }
}

/// Runs `command` quietly and gives what it wrote to its standard output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    match command.stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        }
        Ok(output) => {
            let errors = String::from_utf8_lossy(&output.stderr);
            Err(Failure(format!(
                "`{}`: {}\n{errors}",
                shown(command),
                output.status
            )))
        }
        Err(error) => Err(not_started(command, &error)),
    }
}

/// Whether `command` can be started and succeeds; what it writes is dropped.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    let quiet = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

fn not_started(command: &Command, error: &io::Error) -> Failure {
    Failure(format!(
        "`{}` could not be started: {error}",
        shown(command)
    ))
}

/// The command as one would type it, the variables that were set for it included.
fn shown(command: &Command) -> String {
    let variables = command.get_envs().filter_map(|(name, value)| {
        let (name, value) = (name.to_string_lossy(), value?.to_string_lossy());
        Some(format!("{name}={}", quoted(&value)))
    });
    let program = Path::new(command.get_program());
    let program = program
        .file_name()
        .unwrap_or(program.as_os_str())
        .to_string_lossy();
    let arguments = command
        .get_args()
        .map(|argument| quoted(&argument.to_string_lossy()));
    let words: Vec<String> = variables
        .chain([program.into_owned()])
        .chain(arguments)
        .collect();
    words.join(" ")
}

fn quoted(word: &str) -> String {
    if word.contains([' ', '*', '\n']) {
        format!("'{word}'")
    } else {
        word.to_owned()
    }
}
