//! PHP-FPM with its ping and status pages, configured in a temporary directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use fcgi_tests::address::Address;
use fcgi_tests::process::Running;
use tempfile::TempDir;

const PAGE: &str = r#"<?php
if ($_SERVER['QUERY_STRING'] === 'down') {
    http_response_code(503);
    exit;
}
header('Content-Type: text/plain');
header('X-Script: ' . $_SERVER['SCRIPT_FILENAME']);
echo $_SERVER['REQUEST_METHOD'], ' ', ($_SERVER['PATH_INFO'] ?? '') ?: '-', ' ';
echo $_POST['text'] ?? '-', "\n";
error_log("for " . $_SERVER['REQUEST_URI']);
"#;

const ECHO: &str = r#"<?php
header('Content-Type: application/octet-stream');
readfile('php://input');
"#;

/// A running PHP-FPM of two processes.
pub(crate) struct Fpm {
    _running: Running,
    socket: PathBuf,
    directory: TempDir,
}

impl Fpm {
    pub(crate) fn start() -> Fpm {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let (socket, site) = (path.join("fpm.sock"), path.join("site"));
        fs::create_dir(&site).unwrap();
        fs::write(site.join("page.php"), PAGE).unwrap();
        fs::write(site.join("echo.php"), ECHO).unwrap();
        let configuration = path.join("fpm.conf");
        let text = format!(
            "[global]\nerror_log = /dev/stderr\ndaemonize = no\n\
             [www]\nlisten = {}\npm = static\npm.max_children = 2\n\
             ping.path = /ping\nping.response = alive\npm.status_path = /status\n\
             php_admin_value[post_max_size] = 64M\n\
             user = root\ngroup = root\n",
            socket.display()
        );
        fs::write(&configuration, text).unwrap();
        let mut command = Command::new(program());
        // What root starts keeps root's rights only when told; others ignore the user.
        command.args(["-n", "-F", "-R", "-y"]).arg(&configuration);
        let mut running = Running::start(&mut command);
        running.wait_for(&Address::Unix(socket.clone()));
        Fpm {
            _running: running,
            socket,
            directory,
        }
    }

    pub(crate) fn address(&self) -> String {
        self.socket.display().to_string()
    }

    /// The directory of the site.
    pub(crate) fn site(&self) -> String {
        self.directory.path().join("site").display().to_string()
    }
}

/// `php-fpm`, or with a version as Debian names it.
fn program() -> PathBuf {
    let places = ["/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/local/bin"];
    let entries = places
        .iter()
        .filter_map(|place| fs::read_dir(Path::new(place)).ok());
    let mut programs = entries.flatten().flatten().map(|entry| entry.path());
    programs
        .find(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("php-fpm")
        })
        .expect("install php-fpm")
}
