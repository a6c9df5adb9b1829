//! A PHP-FPM configured in a temporary directory, for tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use fcgi_tests::address::Address;
use fcgi_tests::process::Running;
use tempfile::TempDir;

/// A running PHP-FPM of two processes.
pub(crate) struct Fpm {
    _running: Running,
    directory: TempDir,
}

impl Fpm {
    /// Serves a site of these scripts, given as names and texts; `settings` are further lines of
    /// the pool's configuration.
    pub(crate) fn start(scripts: &[(&str, &str)], settings: &str) -> Fpm {
        let directory = tempfile::tempdir().unwrap();
        let (socket, site) = (directory.path().join("sock"), directory.path().join("site"));
        fs::create_dir(&site).unwrap();
        for (name, text) in scripts {
            fs::write(site.join(name), text).unwrap();
        }
        let configuration = directory.path().join("fpm.conf");
        let text = format!(
            "[global]\nerror_log = /dev/stderr\ndaemonize = no\n\
             [www]\nlisten = {}\npm = static\npm.max_children = 2\n\
             php_admin_value[post_max_size] = 64M\nuser = root\ngroup = root\n{settings}\n",
            socket.display()
        );
        fs::write(&configuration, text).unwrap();
        let mut command = Command::new(program());
        // What root starts keeps root's rights only when told (-R); others ignore the user.
        command.args(["-n", "-F", "-R", "-y"]).arg(&configuration);
        let mut running = Running::start(&mut command);
        running.wait_for(&Address::Unix(socket));
        Fpm {
            _running: running,
            directory,
        }
    }

    /// The path of its socket.
    pub(crate) fn address(&self) -> String {
        self.directory.path().join("sock").display().to_string()
    }

    /// The directory of the scripts.
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
