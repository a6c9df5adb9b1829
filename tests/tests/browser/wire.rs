//! WebDriver's protocol: JSON over HTTP, to a chromedriver of our own.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fcgi_tests::http::{Client, Request};
use fcgi_tests::process::Running;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;

use crate::wait::until;

/// A running chromedriver, which is the leader of a process group.
pub(crate) struct Driver {
    process: Running,
    address: SocketAddr,
}

/// Why a command was not carried out.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The driver says no: one of the error codes of WebDriver §6.6, and its message.
    Refused { code: String, message: String },
    /// The driver does not answer, or not in JSON.
    Lost(io::Error),
}

impl Driver {
    /// Starts chromedriver on a free port. It keeps its files, and so does the browser, in `home`.
    #[track_caller]
    pub(crate) fn start(home: &Path) -> Self {
        let mut command = Command::new(program());
        command
            .arg("--port=0")
            .env("HOME", home)
            .env("TMPDIR", home)
            .stdin(Stdio::null())
            .process_group(0);
        let mut process = Running::start(&mut command);
        let port = until("chromedriver to tell its port", || {
            let port = port_in(&process.log());
            if let (None, Some(status)) = (port, process.exited()) {
                panic!("chromedriver ended: {status}");
            }
            port
        });
        Self {
            process,
            address: (Ipv4Addr::LOCALHOST, port).into(),
        }
    }

    /// Sends a command and returns the `value` of the answer.
    pub(crate) fn command(&self, method: &str, path: &str, body: &Value) -> Result<Value, Failure> {
        let request = match method {
            "POST" => Request::post(path, body.to_string()),
            _ => Request::new(method, path),
        };
        let request = request.header("Content-Type", "application/json; charset=utf-8");
        let mut answer = Vec::new();
        let response = Client::try_connect(self.address)?.exchange(&request, &mut answer)?;
        let mut answer: Value = serde_json::from_slice(&answer).map_err(io::Error::from)?;
        let value = answer["value"].take();
        if response.status == 200 {
            return Ok(value);
        }
        let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
        Err(Failure::Refused {
            code: text("error"),
            message: text("message"),
        })
    }
}

/// Ends the browser too, should it have outlived its session.
impl Drop for Driver {
    fn drop(&mut self) {
        // Not yet waited for, so the id is still the group's.
        let id = i32::try_from(self.process.id())
            .ok()
            .and_then(Pid::from_raw);
        let _ = kill_process_group(id.expect("a process id is positive"), Signal::KILL);
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Lost(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { code, message } => write!(f, "{code}: {message}"),
            Self::Lost(error) => write!(f, "chromedriver does not answer: {error}"),
        }
    }
}

/// In PATH, or where Debian puts it.
#[track_caller]
fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&path)
        .chain(["/usr/bin".into()])
        .map(|directory| directory.join("chromedriver"));
    match places.find(|program| program.is_file()) {
        Some(program) => program,
        None => panic!("no chromedriver: `cargo xtask ci` installs it and Chromium for the tests"),
    }
}

/// The port in "ChromeDriver was started successfully on port 37259.", once the line is whole.
fn port_in(log: &str) -> Option<u16> {
    let (_, rest) = log.split_once("started successfully on port ")?;
    let (port, _) = rest.split_once(".\n")?;
    port.parse().ok()
}
