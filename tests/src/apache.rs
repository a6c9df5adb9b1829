//! A real Apache httpd on a free port, stopped when dropped.
//!
//! ```no_run
//! use fcgi_tests::apache::{Apache, shared_directory};
//! use fcgi_tests::http::{Client, Request};
//!
//! # let address = "127.0.0.1:9000";
//! let documents = shared_directory();
//! let config = format!("ProxyPass /app fcgi://{address}/app enablereuse=on");
//! let apache = Apache::start(documents.path(), &["proxy", "proxy_fcgi"], &config);
//! let page = Client::connect(apache.address()).call(&Request::get("/app"));
//! ```
//!
//! `mpm_event`, `alias` and `authz_core` are loaded; one process with many threads serves. Apache
//! does not serve as root: where root runs the tests, requests are served and programs run by a
//! user without rights, who has to reach what they need. See [`shared_directory`], [`share`].
//!
//! `FCGI_TESTS_APACHE` may name another program than `apache2`, and `FCGI_TESTS_APACHE_MODULES` the
//! directory of its modules.

use std::env;
use std::fmt::Write as _;
use std::fs::{self, DirEntry, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Signal, geteuid};
use tempfile::TempDir;

use crate::address::Address;
use crate::process::{WebServer, server};

/// Where distributions keep the modules.
const MODULES: [&str; 3] = [
    "/usr/lib/apache2/modules",
    "/usr/lib64/httpd/modules",
    "/usr/lib/httpd/modules",
];

/// How long it may take to stop: one second is for the programs that `mod_fcgid` has started.
const PATIENCE: Duration = Duration::from_secs(20);

/// The user without rights that serves where root runs the tests.
const USER: u32 = 65534;

/// A running Apache httpd.
#[derive(Debug)]
pub struct Apache(WebServer);

impl Apache {
    /// Starts an Apache that serves the files in `documents`, with more modules (`proxy_fcgi` is
    /// `mod_proxy_fcgi.so`) and further lines of configuration.
    ///
    /// # Panics
    ///
    /// If there is no Apache, or it does not start.
    #[must_use]
    #[track_caller]
    pub fn start(documents: &Path, modules: &[&str], config: &str) -> Apache {
        let program = server("apache2", "FCGI_TESTS_APACHE");
        let loads = loads(modules);
        let server = WebServer::start("apache", |directory, address, ready| {
            share(directory);
            let file = directory.join("apache.conf");
            let base = base_config(directory, documents, address, ready);
            fs::write(&file, loads.clone() + &base + config).expect("a file in a new directory");
            let mut command = Command::new(&program);
            command.arg("-D").arg("FOREGROUND").arg("-f").arg(file);
            command.stdin(Stdio::null());
            command
        });
        if modules.contains(&"cgid") {
            wait_for_cgid(server.directory.path());
        }
        Apache(server)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// What it has said so far, and the programs that it has started.
    #[must_use]
    pub fn log(&self) -> String {
        self.0.process.log()
    }

    /// Stops it, with the programs that it has started; all that it has said.
    ///
    /// # Panics
    ///
    /// If it does not stop, or not well.
    #[track_caller]
    pub fn stop(&mut self) -> String {
        let process = &mut self.0.process;
        process.signal(Signal::TERM);
        let status = process.wait(PATIENCE);
        let log = process.log();
        assert!(
            status.is_some_and(|status| status.success()),
            "{status:?}\n{log}"
        );
        log
    }
}

/// Apache answers before its daemon for CGI programs has handed its socket to Apache's user.
#[track_caller]
fn wait_for_cgid(directory: &Path) {
    let is_there = |entry: &DirEntry| {
        let name = entry.file_name();
        let file = entry.metadata();
        let is_socket = name.to_string_lossy().starts_with("cgid.sock");
        is_socket && file.is_ok_and(|file| !geteuid().is_root() || file.uid() == USER)
    };
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut entries = fs::read_dir(directory).expect("the server's directory");
        if entries.any(|entry| entry.is_ok_and(|entry| is_there(&entry))) {
            return;
        }
        assert!(Instant::now() < deadline, "mod_cgid does not listen");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A temporary directory that Apache's user can enter and read.
///
/// # Panics
///
/// If there is none.
#[must_use]
pub fn shared_directory() -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    share(directory.path());
    directory
}

/// Lets Apache's user enter a directory, run a program, or connect to a socket.
///
/// # Panics
///
/// If the file is not there, or another user's.
#[track_caller]
pub fn share(path: &Path) {
    let is_enterable = fs::metadata(path).is_ok_and(|file| file.is_dir() || file.is_file());
    let mode = if is_enterable { 0o755 } else { 0o666 };
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("a file of this user");
}

/// What a configuration needs in which `mod_authnz_fcgi` asks an Authorizer.
pub const AUTHNZ_FCGI: [&str; 7] = [
    "auth_basic",
    "authn_core",
    "authnz_fcgi",
    "authz_user",
    "mime",
    "proxy",
    "proxy_fcgi",
];

/// The application's address as `ProxyPass` and `SetHandler` take it.
#[must_use]
pub fn backend(application: &Address) -> String {
    match application {
        Address::Unix(path) => format!("unix:{}|fcgi://localhost", path.display()),
        Address::Tcp(address) => format!("fcgi://{address}"),
    }
}

/// Loads modules, from where `FCGI_TESTS_APACHE_MODULES` says or else where they usually are.
/// `unixd` is a part of Debian's program.
fn loads(modules: &[&str]) -> String {
    let directory = match env::var_os("FCGI_TESTS_APACHE_MODULES") {
        Some(directory) => PathBuf::from(directory),
        None => {
            let mut places = MODULES.iter().map(Path::new);
            let found = places.find(|place| place.is_dir());
            found.unwrap_or(Path::new(MODULES[0])).to_path_buf()
        }
    };
    let mut loads = String::new();
    for module in ["mpm_event", "unixd", "alias", "authz_core"]
        .iter()
        .chain(modules)
    {
        let file = directory.join(format!("mod_{module}.so"));
        let load = format!("LoadModule {module}_module {}", file.display());
        writeln!(loads, "<IfModule !{module}_module>\n{load}\n</IfModule>")
            .expect("a String takes any text");
    }
    loads
}

/// Messages go to standard error, and so do those of the programs that Apache starts.
fn base_config(directory: &Path, documents: &Path, listen: SocketAddr, ready: &str) -> String {
    let user = if geteuid().is_root() {
        format!("User #{USER}\nGroup #{USER}")
    } else {
        String::new()
    };
    format!(
        "ServerRoot {directory}
DefaultRuntimeDir {directory}
PidFile {directory}/apache.pid
ErrorLog /dev/stderr
LogLevel info
{user}
Listen {listen}
ServerName localhost
ServerLimit 1
StartServers 1
MinSpareThreads 1
MaxSpareThreads 64
ThreadsPerChild 64
MaxRequestWorkers 64
MaxKeepAliveRequests 0
LimitRequestBody 0
DocumentRoot {documents}
<IfModule fcgid_module>
FcgidIPCDir {directory}/fcgid
FcgidProcessTableFile {directory}/fcgid_processes
FcgidMaxRequestLen 1073741824
</IfModule>
<IfModule cgid_module>
ScriptSock {directory}/cgid.sock
</IfModule>
Redirect 204 {ready}
",
        directory = directory.display(),
        documents = documents.display(),
    )
}
