//! A real nginx in a temporary directory: one process, a free port, stopped when dropped.
//!
//! ```no_run
//! use fcgi_tests::http::{Client, Request};
//! use fcgi_tests::nginx::Nginx;
//!
//! # let address = fcgi_tests::address::Address::free_tcp();
//! let nginx = Nginx::before(address).keep_conn(16).large_headers().start();
//! let page = Client::connect(nginx.address()).call(&Request::get("/index.fcgi"));
//! ```
//!
//! The parameters are those of [`FASTCGI_PARAMS`]; a path up to `.fcgi` is the
//! script's name, and what follows is `PATH_INFO`.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::address::Address;
use crate::http::{Client, Request};
use crate::nginx_request::{DOCUMENT_ROOT, FASTCGI_PARAMS, SERVER_NAME};
use crate::process::Running;

/// How long nginx may take until it answers.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a port is tried that another process took in the meantime.
const PORTS: usize = 5;

/// An nginx that is going to be started.
#[derive(Clone, Debug)]
pub struct Setup {
    application: Address,
    keepalive: Option<u16>,
    location: Vec<String>,
}

impl Setup {
    /// Keeps up to `connections` idle connections to the application; without it each request has a
    /// connection of its own.
    #[must_use]
    pub fn keep_conn(mut self, connections: u16) -> Self {
        self.keepalive = Some(connections);
        self.directive("fastcgi_keep_conn on;")
    }

    /// Hands the response to the client as it comes.
    #[must_use]
    pub fn unbuffered_response(self) -> Self {
        self.directive("fastcgi_buffering off;")
    }

    /// Hands the request's body to the application as it comes.
    #[must_use]
    pub fn unbuffered_request(self) -> Self {
        self.directive("fastcgi_request_buffering off;")
    }

    /// Makes room for heads of up to 60 KiB both ways; nginx stops at 4 or 8 KiB otherwise.
    #[must_use]
    pub fn large_headers(self) -> Self {
        self.directive("fastcgi_buffer_size 64k;")
            .directive("fastcgi_buffers 8 64k;")
    }

    /// Sends one more parameter; `value` is as in nginx's configuration, with its variables.
    #[must_use]
    pub fn param(self, name: &str, value: &str) -> Self {
        self.directive(&format!("fastcgi_param {name} \"{value}\";"))
    }

    /// Adds a directive to the location that passes requests on.
    #[must_use]
    pub fn directive(mut self, directive: &str) -> Self {
        self.location.push(directive.to_owned());
        self
    }

    /// Starts nginx and waits until it answers.
    ///
    /// # Panics
    ///
    /// If there is no nginx, or it does not start.
    #[must_use]
    #[track_caller]
    pub fn start(self) -> Nginx {
        let program = program();
        for _ in 0..PORTS {
            if let Some(nginx) = self.start_on_free_port(&program) {
                return nginx;
            }
        }
        panic!("nginx found its port taken {PORTS} times");
    }

    /// `None` if another process took the port in the meantime.
    #[track_caller]
    fn start_on_free_port(&self, program: &Path) -> Option<Nginx> {
        let Address::Tcp(address) = Address::free_tcp() else {
            unreachable!("free_tcp returns a TCP address");
        };
        let directory = tempfile::Builder::new().prefix("fcgi-nginx-").tempdir();
        let directory = directory.expect("a temporary directory");
        // No other nginx answers there, should two of them have got the same port.
        let name = directory
            .path()
            .file_name()
            .expect("a directory has a name");
        let ready = format!("/ready/{}", name.to_string_lossy());
        let config = directory.path().join("nginx.conf");
        fs::write(&config, self.config(address, &ready)).expect("a file in a new directory");
        let mut command = Command::new(program);
        command
            .arg("-p")
            .arg(directory.path())
            .arg("-c")
            .arg(&config)
            .stdin(Stdio::null());
        let mut nginx = Nginx {
            process: Running::start(&mut command),
            address,
            directory,
        };

        let deadline = Instant::now() + PATIENCE;
        while !nginx.answers(&ready) {
            if let Some(status) = nginx.process.exited() {
                let log = nginx.error_log();
                assert!(
                    log.contains("Address already in use"),
                    "nginx ended: {status}\n{log}"
                );
                return None;
            }
            assert!(Instant::now() < deadline, "nginx does not answer");
            thread::sleep(Duration::from_millis(10));
        }
        Some(nginx)
    }

    /// The configuration: relative paths lie in the temporary directory, and the one process keeps
    /// the user's rights, so that root's and anybody's temporary files will do.
    fn config(&self, listen: SocketAddr, ready: &str) -> String {
        let user = if rustix::process::geteuid().is_root() {
            "user root;"
        } else {
            ""
        };
        let keepalive = self
            .keepalive
            .map(|n| format!("keepalive {n};"))
            .unwrap_or_default();
        let mut location = String::new();
        for (name, value) in FASTCGI_PARAMS {
            writeln!(location, "fastcgi_param {name} {value};").expect("a String takes any text");
        }
        location.push_str(&self.location.join("\n"));
        format!(
            "daemon off;
master_process off;
{user}
pid nginx.pid;
error_log error.log info;
events {{ worker_connections 2048; }}
http {{
access_log access.log;
client_body_temp_path client_body;
fastcgi_temp_path fastcgi;
proxy_temp_path proxy;
scgi_temp_path scgi;
uwsgi_temp_path uwsgi;
client_max_body_size 1g;
client_header_buffer_size 4k;
large_client_header_buffers 4 64k;
keepalive_requests 1000000;
upstream application {{ server {application}; {keepalive} }}
server {{
listen {listen} backlog=1024;
server_name {SERVER_NAME};
root {DOCUMENT_ROOT};
location = {ready} {{ return 204; }}
location / {{
fastcgi_pass application;
fastcgi_split_path_info ^(.+?\\.fcgi)(/.*)$;
{location}
}}
}}
}}
",
            application = self.application,
        )
    }
}

/// A running nginx.
#[derive(Debug)]
pub struct Nginx {
    // First, so that nginx has ended before its directory goes.
    process: Running,
    address: SocketAddr,
    directory: TempDir,
}

impl Nginx {
    /// An nginx that passes every request to the application at this address.
    #[must_use]
    pub fn before(application: impl Into<Address>) -> Setup {
        Setup {
            application: application.into(),
            keepalive: None,
            location: Vec::new(),
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its error log so far.
    #[must_use]
    pub fn error_log(&self) -> String {
        let log = fs::read(self.directory.path().join("error.log")).unwrap_or_default();
        self.process.log() + &String::from_utf8_lossy(&log)
    }

    fn answers(&self, ready: &str) -> bool {
        let answer = Client::try_connect(self.address)
            .and_then(|mut client| client.exchange(&Request::get(ready), &mut Vec::new()));
        matches!(answer, Ok(response) if response.status == 204)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- error log of nginx:\n{}---", self.error_log());
        }
    }
}

/// The version of the nginx that tests use, as in `1.22.1`.
///
/// # Panics
///
/// If there is none.
#[must_use]
#[track_caller]
pub fn version() -> String {
    let output = Command::new(program())
        .arg("-v")
        .output()
        .expect("nginx can be run");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let version = text
        .split_once("nginx/")
        .and_then(|(_, rest)| rest.split_whitespace().next());
    version
        .unwrap_or_else(|| panic!("no version in {text:?}"))
        .to_owned()
}

#[track_caller]
fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    match find(std::env::var_os("FCGI_TESTS_NGINX"), &path) {
        Ok(program) => program,
        Err(why) => panic!("{why}: `cargo xtask ci` installs nginx for the tests"),
    }
}

/// The one that `FCGI_TESTS_NGINX` names, or else in PATH, or where distributions put it for root.
fn find(named: Option<OsString>, path: &OsStr) -> Result<PathBuf, String> {
    let mut places = match named {
        Some(program) => vec![PathBuf::from(program)],
        None => std::env::split_paths(path)
            .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
            .map(|directory| directory.join("nginx"))
            .collect(),
    };
    let found = places.iter().position(|program| program.is_file());
    found
        .map(|n| places.swap_remove(n))
        .ok_or_else(|| format!("no nginx in {places:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_nginx_goes_before_the_one_in_the_path() {
        let directory = tempfile::tempdir().unwrap();
        let (here, named) = (
            directory.path().join("nginx"),
            directory.path().join("other"),
        );
        fs::write(&here, "").unwrap();
        fs::write(&named, "").unwrap();
        let path = directory.path().as_os_str();
        assert_eq!(find(None, path), Ok(here));
        assert_eq!(find(Some(named.clone().into()), path), Ok(named));
        let why = find(Some("/nowhere/nginx".into()), path).unwrap_err();
        assert_eq!(why, "no nginx in [\"/nowhere/nginx\"]");
    }
}
