//! A program of the tests, as a process that listens and as a file that web servers start.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use fcgi_tests::address::Address;
use fcgi_tests::apache::{share, shared_directory};
use fcgi_tests::process::Running;
use tempfile::TempDir;

/// A process that serves until its value is dropped. What it says then is an incident, of which
/// there should be none.
pub(crate) struct App {
    process: Running,
    address: Address,
    _directory: TempDir,
}

impl App {
    /// Starts the program with these arguments and its address, at a unix socket or over TCP.
    #[track_caller]
    pub(crate) fn start(program: &str, arguments: &[&str], unix: bool) -> App {
        let directory = shared_directory();
        let address = match unix {
            true => directory.path().join("app.sock").into(),
            false => Address::free_tcp(),
        };
        let mut command = Command::new(program);
        command.args(arguments).arg(address.to_string());
        let mut process = Running::start(command.stdin(Stdio::null()));
        process.wait_for(&address);
        if let Address::Unix(path) = &address {
            share(path);
        }
        App {
            process,
            address,
            _directory: directory,
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> &Address {
        &self.address
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let log = self.process.log();
        assert!(thread::panicking() || log.is_empty(), "{log}");
    }
}

/// A copy of the program that Apache's user may run.
///
/// Another process makes it: a file that this one has open for writing would be open in the children
/// that other tests are starting, too, and cannot be run meanwhile.
pub(crate) fn copy_program(program: &str, to: &Path) {
    let copied = Command::new("cp").arg(program).arg(to).status().unwrap();
    assert!(copied.success(), "{copied}");
    share(to);
}
