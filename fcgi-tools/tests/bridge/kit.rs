//! Runs of the program, and the application that it starts.

use std::fmt;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(10);

/// A directory with a socket, and an application to be started there. What was started is stopped
/// when this is dropped.
pub(crate) struct Place {
    directory: TempDir,
}

/// What a run gave.
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Place {
    pub(crate) fn new() -> Place {
        let directory = tempfile::Builder::new().prefix("cgi-fcgi-").tempdir();
        let place = Place {
            directory: directory.unwrap(),
        };
        // This very program is the application: see the function `application`.
        let me = std::env::current_exe().unwrap();
        place.write(
            "app",
            &format!(
                "#!/bin/sh\nexec '{}' --exact kit::application --ignored\n",
                me.display()
            ),
        );
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The path of the socket.
    pub(crate) fn socket(&self) -> String {
        self.path("sock").to_str().unwrap().to_owned()
    }

    /// The path of the application.
    pub(crate) fn app(&self) -> String {
        self.path("app").to_str().unwrap().to_owned()
    }

    /// Makes an executable file. Another process does it: a file that is open for writing in this
    /// one cannot be run, and a child that is being started in another thread may have it open too.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        let mut writer = Command::new("/bin/sh")
            .args(["-c", "cat > \"$0\" && chmod +x \"$0\""])
            .arg(&path)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = writer.stdin.take().unwrap();
        stdin.write_all(text.as_bytes()).unwrap();
        drop(stdin);
        assert!(writer.wait().unwrap().success());
        path
    }

    /// The supervisors that run for this place.
    pub(crate) fn supervisors(&self) -> Vec<i32> {
        let paths = [self.socket(), self.app()];
        let is_ours = |id: &i32| {
            let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            let words: Vec<&[u8]> = line.split(|&byte| byte == 0).collect();
            words.contains(&&b"--detached"[..])
                && paths.iter().any(|path| words.contains(&path.as_bytes()))
        };
        processes().filter(is_ours).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let left = self.supervisors();
            if left.is_empty() {
                return;
            }
            for id in left {
                let _ = kill_process(Pid::from_raw(id).unwrap(), Signal::TERM);
            }
            thread::sleep(PAUSE);
        }
    }
}

fn processes() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The fields of `/proc/PID/stat` from the third on, which is the state.
pub(crate) fn stat(id: i32) -> Option<Vec<String>> {
    let line = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let (_, fields) = line.rsplit_once(") ")?;
    Some(fields.split(' ').map(str::to_owned).collect())
}

/// The children of a process that are no zombies.
pub(crate) fn children(parent: i32) -> Vec<i32> {
    let is_child = |id: &i32| {
        stat(*id).is_some_and(|fields| fields[0] != "Z" && fields[1] == parent.to_string())
    };
    processes().filter(is_child).collect()
}

/// Waits until something holds.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        thread::sleep(PAUSE);
    }
}

/// The program, with these arguments, an empty environment and no input.
pub(crate) fn cgi_fcgi(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cgi-fcgi"));
    command.args(arguments).env_clear().stdin(Stdio::null());
    command
}

/// Runs a command to its end.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> Ran {
    finish(spawn(command))
}

/// Runs a command with these bytes as its input.
#[track_caller]
pub(crate) fn run_with(command: &mut Command, stdin: &[u8]) -> Ran {
    let mut child = spawn(command.stdin(Stdio::piped()));
    let mut pipe = child.stdin.take().unwrap();
    thread::scope(|scope| {
        // It may end without reading all of it.
        scope.spawn(move || drop(pipe.write_all(stdin)));
        finish(child)
    })
}

#[track_caller]
pub(crate) fn spawn(command: &mut Command) -> Child {
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// Waits for the end of a child, and of its output.
#[track_caller]
pub(crate) fn finish(child: Child) -> Ran {
    let id = i32::try_from(child.id()).unwrap();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    let Ok(output) = receiver.recv_timeout(PATIENCE) else {
        // Nobody has waited for it, so the id is still its own.
        let _ = kill_process(Pid::from_raw(id).unwrap(), Signal::KILL);
        panic!("the program does not end");
    };
    let output = output.unwrap();
    Ran {
        status: output.status.code().expect("an exit status"),
        stdout: output.stdout,
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// What a reader of a failed test can take in.
impl fmt::Debug for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = &self.stdout[..self.stdout.len().min(2000)];
        let stdout = String::from_utf8_lossy(start);
        let (status, length, stderr) = (self.status, self.stdout.len(), &self.stderr);
        write!(f, "status {status}, {length} bytes: {stdout:?}, {stderr:?}")
    }
}

impl Ran {
    /// The response behind its head.
    #[track_caller]
    pub(crate) fn body(&self) -> &[u8] {
        let head = self.stdout.windows(4).position(|end| end == b"\r\n\r\n");
        let head = head.unwrap_or_else(|| panic!("no head: {self:?}"));
        &self.stdout[head + 4..]
    }

    #[track_caller]
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(self.body()).unwrap()
    }

    /// The value of a line `name=value` in the body.
    #[track_caller]
    pub(crate) fn value(&self, name: &str) -> &str {
        let line = self.text().lines().find_map(|line| {
            let (other, value) = line.split_once('=')?;
            (other == name).then_some(value)
        });
        line.unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }

    #[track_caller]
    pub(crate) fn id(&self, name: &str) -> i32 {
        self.value(name).parse().unwrap()
    }
}

/// Whether a path is there.
pub(crate) fn exists(path: &str) -> bool {
    Path::new(path).exists()
}

/// No test, but the application that the others start: it serves what it was started with on
/// descriptor 0. Anybody else finds that it has nothing to do.
#[test]
#[ignore = "run by the program under test"]
fn application() {
    let listeners = fcgi_listen::inherited().unwrap();
    if listeners.is_empty() {
        return;
    }
    let server = fcgi_std::Server::new(listeners);
    server
        .serve(|request| {
            request.header("Content-Type", "text/plain")?;
            let status = request.params.text("EXIT").parse().unwrap_or(0);
            request.set_exit_status(status);
            if request.params.text("ECHO") == "yes" {
                let mut body = Vec::new();
                request.stdin.read_to_end(&mut body)?;
                return request.stdout.write_all(&body);
            }
            let out = &mut request.stdout;
            writeln!(out, "process={}", std::process::id())?;
            writeln!(out, "supervisor={}", std::os::unix::process::parent_id())?;
            for (name, value) in std::env::vars() {
                writeln!(out, "own.{name}={value}")?;
            }
            Ok(())
        })
        .unwrap();
}
