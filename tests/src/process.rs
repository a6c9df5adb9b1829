//! Child processes of tests: the workspace's example programs, and anything else with a log.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use tempfile::{NamedTempFile, TempDir};

use crate::address::Address;
use crate::http::{Client, Request};

/// How long a child may take to stop.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a child may take until it listens: a busy machine is slow at starting programs.
const START: Duration = Duration::from_secs(60);
/// How often a port is tried that another process took in the meantime.
const PORTS: usize = 5;
/// How long to sleep between two looks at a child.
const PAUSE: Duration = Duration::from_millis(5);

/// A child that is stopped when its value is dropped; its output is printed if the test panics.
#[derive(Debug)]
pub struct Running {
    name: String,
    child: Child,
    log: NamedTempFile,
}

impl Running {
    /// Starts the command, with standard output and standard error in a temporary file.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    #[must_use]
    #[track_caller]
    pub fn start(command: &mut Command) -> Self {
        let log = NamedTempFile::new().expect("a temporary file");
        // One open file, so that what goes to either of the two lies behind what came before.
        let output = log.reopen().expect("a temporary file can be opened again");
        let errors = output.try_clone().expect("a second handle of a file");
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command.stdout(output).stderr(errors).spawn();
        match child {
            Ok(child) => Self { name, child, log },
            Err(error) => panic!("{name} cannot be started: {error}"),
        }
    }

    /// The child's process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What the child has written so far.
    #[must_use]
    pub fn log(&self) -> String {
        let log = fs::read(self.log.path()).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Waits until something accepts connections there.
    ///
    /// # Panics
    ///
    /// If the child ends before, or nothing listens after a minute.
    #[track_caller]
    pub fn wait_for(&mut self, address: &Address) {
        let deadline = Instant::now() + START;
        while let Err(error) = address.connect() {
            if let Some(status) = self.exited() {
                panic!(
                    "{} ended before it listened: {status}\n{}",
                    self.name,
                    self.log()
                );
            }
            assert!(
                Instant::now() < deadline,
                "{} does not listen: {error}",
                self.name
            );
            thread::sleep(PAUSE);
        }
    }

    /// Sends a signal, if the child still runs.
    pub fn signal(&mut self, signal: Signal) {
        // Not yet waited for, so the id is still the child's.
        if self.exited().is_none() {
            let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
            let _ = kill_process(id.expect("a process id is positive"), signal);
        }
    }

    /// The child's exit status, if it has ended.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be waited for")
    }

    /// Waits for the child's end up to `patience`.
    pub fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + patience;
        loop {
            let status = self.exited();
            if status.is_some() || Instant::now() >= deadline {
                return status;
            }
            thread::sleep(PAUSE);
        }
    }
}

/// SIGTERM first, and SIGKILL when the child does not heed it.
impl Drop for Running {
    fn drop(&mut self) {
        self.signal(Signal::TERM);
        if self.wait(PATIENCE).is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        let log = self.log();
        if thread::panicking() && !log.is_empty() {
            eprintln!("--- output of {}:\n{log}---", self.name);
        }
    }
}

/// Raises the number of descriptors that this process and its children may have, as far as it may;
/// how many that is.
///
/// # Panics
///
/// If the system does not take its own limit.
#[must_use]
pub fn raise_descriptor_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).expect("a process may use its limit");
    limit.maximum.unwrap_or(u64::MAX)
}

/// The value of a line of `/proc/PID/status`, as `RssAnon`, in KiB.
///
/// # Panics
///
/// If there is no such process or line.
#[must_use]
#[track_caller]
pub fn memory(process: u32, line: &str) -> u64 {
    let path = format!("/proc/{process}/status");
    let status = fs::read_to_string(&path).expect("the process runs, on Linux");
    let value = status
        .lines()
        .find_map(|text| text.strip_prefix(line)?.strip_prefix(':'));
    let number = value.and_then(|value| value.split_whitespace().next());
    number
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("no number {line} in {path}"))
}

/// A web server in a temporary directory, on a free port of the loopback interface.
#[derive(Debug)]
pub struct WebServer {
    // First, so that it has ended before its directory goes.
    /// The process.
    pub process: Running,
    /// Where it listens.
    pub address: SocketAddr,
    /// Where its files are.
    pub directory: TempDir,
}

impl WebServer {
    /// Runs what `command` makes of the directory, the address, and a path that no other server
    /// has, until it answers a GET of that path with 204.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[must_use]
    #[track_caller]
    pub fn start(name: &str, command: impl Fn(&Path, SocketAddr, &str) -> Command) -> WebServer {
        let prefix = format!("fcgi-{name}-");
        let directory = tempfile::Builder::new().prefix(&prefix).tempdir();
        let directory = directory.expect("a temporary directory");
        // No other one answers there, should two of them have got the same port.
        let ready = format!("/ready{}", directory.path().display());
        for _ in 0..PORTS {
            let Address::Tcp(address) = Address::free_tcp() else {
                unreachable!("free_tcp returns a TCP address");
            };
            let mut process = Running::start(&mut command(directory.path(), address, &ready));
            if process.answers(address, &ready) {
                return WebServer {
                    process,
                    address,
                    directory,
                };
            }
        }
        panic!("{PORTS} ports that had been free were taken");
    }
}

impl Running {
    /// Waits for the answer. `false` if another process took the port in the meantime.
    #[track_caller]
    fn answers(&mut self, address: SocketAddr, ready: &str) -> bool {
        let deadline = Instant::now() + START;
        let request = Request::get(ready);
        loop {
            let answer = Client::try_connect(address)
                .and_then(|mut client| client.exchange(&request, &mut Vec::new()));
            if matches!(answer, Ok(response) if response.status == 204) {
                return true;
            }
            if let Some(status) = self.exited() {
                let log = self.log();
                let is_taken =
                    log.contains("Address already in use") || log.contains("cannot bind socket");
                assert!(is_taken, "{} ended: {status}\n{log}", self.name);
                return false;
            }
            assert!(Instant::now() < deadline, "{} does not answer", self.name);
            thread::sleep(PAUSE);
        }
    }
}

/// A web server's program: the one that this variable of the environment names, or else in PATH, or
/// where distributions put it for root.
///
/// # Panics
///
/// If there is none.
#[must_use]
#[track_caller]
pub fn server(name: &str, variable: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    match find(name, std::env::var_os(variable), &path) {
        Ok(program) => program,
        Err(why) => panic!("{why}: `cargo xtask ci` installs it for the tests"),
    }
}

fn find(name: &str, named: Option<OsString>, path: &OsStr) -> Result<PathBuf, String> {
    let mut places = match named {
        Some(program) => vec![PathBuf::from(program)],
        None => std::env::split_paths(path)
            .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
            .map(|directory| directory.join(name))
            .collect(),
    };
    let found = places.iter().position(|program| program.is_file());
    found
        .map(|n| places.swap_remove(n))
        .ok_or_else(|| format!("no {name} in {places:?}"))
}

/// An example program of the workspace, ready for arguments, its standard input closed.
///
/// Under cargo it is built first, so that the test never runs one of yesterday.
///
/// # Panics
///
/// If it cannot be built or is not there.
#[must_use]
#[track_caller]
pub fn example(name: &str) -> Command {
    program("fcgi-examples", name)
}

/// A program of `fcgi-tools`, as `cgi-fcgi`; otherwise as [`example`].
///
/// # Panics
///
/// If it cannot be built or is not there.
#[must_use]
#[track_caller]
pub fn tool(name: &str) -> Command {
    program("fcgi-tools", name)
}

#[track_caller]
fn program(package: &'static str, name: &str) -> Command {
    /// What this process has built. One build at a time: the others would only wait for cargo's
    /// lock.
    static BUILT: Mutex<Vec<&str>> = Mutex::new(Vec::new());

    let directory = output_directory();
    if let Some(cargo) = std::env::var_os("CARGO") {
        let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
        if !built.contains(&package) {
            build(&cargo, package, &directory);
            built.push(package);
        }
    }
    let places = [directory.join(name), directory.join("examples").join(name)];
    let Some(program) = places.iter().find(|path| path.is_file()) else {
        panic!(
            "no {name} in {}: run `cargo build -p {package}`",
            directory.display()
        );
    };
    let mut command = Command::new(program);
    command.stdin(Stdio::null());
    command
}

/// Where cargo puts programs: `target/debug` or a sibling, from `target/debug/deps/test-0123abcd`.
fn output_directory() -> PathBuf {
    let test = std::env::current_exe().expect("the path of the running test");
    let directory = test
        .ancestors()
        .nth(2)
        .expect("a test lies two folders below its profile's");
    directory.to_path_buf()
}

#[track_caller]
fn build(cargo: &OsString, package: &str, directory: &Path) {
    let profile = match directory.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(profile) => profile,
    };
    let output = Command::new(cargo)
        .args([
            "build",
            "--quiet",
            "--package",
            package,
            "--bins",
            "--examples",
        ])
        .args(["--profile", profile, "--target-dir"])
        .arg(
            directory
                .parent()
                .expect("a profile's directory lies in the target directory"),
        )
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo can be run");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{package} cannot be built:\n{message}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_server_goes_before_the_one_in_the_path() {
        let directory = tempfile::tempdir().unwrap();
        let (here, named) = (
            directory.path().join("nginx"),
            directory.path().join("other"),
        );
        fs::write(&here, "").unwrap();
        fs::write(&named, "").unwrap();
        let path = directory.path().as_os_str();
        assert_eq!(find("nginx", None, path), Ok(here));
        assert_eq!(find("nginx", Some(named.clone().into()), path), Ok(named));
        let why = find("nginx", Some("/nowhere/nginx".into()), path).unwrap_err();
        assert_eq!(why, "no nginx in [\"/nowhere/nginx\"]");
    }
}
