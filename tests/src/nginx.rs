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

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;

use crate::address::Address;
use crate::nginx_request::{DOCUMENT_ROOT, FASTCGI_PARAMS, SERVER_NAME};
use crate::process::{WebServer, server};

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
        Nginx(WebServer::start("nginx", |directory, address, ready| {
            let file = directory.join("nginx.conf");
            fs::write(&file, self.config(address, ready)).expect("a file in a new directory");
            let mut command = Command::new(&program);
            command.arg("-p").arg(directory).arg("-c").arg(file);
            command.stdin(Stdio::null());
            command
        }))
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
pub struct Nginx(WebServer);

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
        self.0.address
    }

    /// Its process id: one process does everything.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.0.process.id()
    }

    /// Its error log so far.
    #[must_use]
    pub fn error_log(&self) -> String {
        let log = fs::read(self.0.directory.path().join("error.log")).unwrap_or_default();
        self.0.process.log() + &String::from_utf8_lossy(&log)
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

/// The one that `FCGI_TESTS_NGINX` names, or else the system's.
#[track_caller]
fn program() -> PathBuf {
    server("nginx", "FCGI_TESTS_NGINX")
}
