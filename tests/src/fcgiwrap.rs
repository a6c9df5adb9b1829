//! A real fcgiwrap on a unix socket, stopped when dropped: it runs CGI programs for web servers that
//! cannot do so themselves.
//!
//! ```no_run
//! use fcgi_tests::fcgiwrap::Fcgiwrap;
//! use fcgi_tests::http::{Client, Request};
//! use fcgi_tests::nginx::Nginx;
//!
//! let fcgiwrap = Fcgiwrap::start(4);
//! // Programs are found by SCRIPT_FILENAME.
//! let nginx = Nginx::before(fcgiwrap.address().clone())
//!     .directive("root /srv/www;")
//!     .start();
//! let page = Client::connect(nginx.address()).call(&Request::get("/program.fcgi"));
//! ```

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::process::Command;

use tempfile::TempDir;

use crate::address::Address;
use crate::process::{Running, server};

/// A running fcgiwrap, of one process or several that share a listener.
#[derive(Debug)]
pub struct Fcgiwrap {
    processes: Vec<Running>,
    address: Address,
    _directory: TempDir,
}

impl Fcgiwrap {
    /// Starts so many processes: that is how many CGI programs can run at the same time.
    ///
    /// Each inherits the listener (§2.2); those that fcgiwrap itself starts (`-c`) would outlive
    /// it.
    ///
    /// # Panics
    ///
    /// If there is no fcgiwrap, or it does not start.
    #[must_use]
    #[track_caller]
    pub fn start(processes: usize) -> Fcgiwrap {
        let program = server("fcgiwrap", "FCGI_TESTS_FCGIWRAP");
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("fcgiwrap.sock");
        let listener = UnixListener::bind(&path).expect("a socket in a new directory");
        let start = || {
            let listener = listener.try_clone().expect("a second handle of a socket");
            let mut command = Command::new(&program);
            Running::start(command.arg("-f").stdin(OwnedFd::from(listener)))
        };
        Fcgiwrap {
            processes: (0..processes).map(|_| start()).collect(),
            address: path.into(),
            _directory: directory,
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The process ids.
    #[must_use]
    pub fn processes(&self) -> Vec<u32> {
        self.processes.iter().map(Running::id).collect()
    }
}
