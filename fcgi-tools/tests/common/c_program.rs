//! A program in C on libfcgi that serves a socket.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::process::Command;

use fcgi_tests::libfcgi::compile;
use fcgi_tests::process::Running;
use tempfile::TempDir;

/// A compiled program that serves a socket.
pub(crate) struct Program {
    _running: Running,
    directory: TempDir,
}

impl Program {
    /// Compiles it and starts it with the listening socket as its descriptor 0.
    pub(crate) fn start(source: &str) -> Program {
        let directory = tempfile::tempdir().unwrap();
        let mut program = Command::new(compile(directory.path(), source));
        let listener = UnixListener::bind(directory.path().join("sock")).unwrap();
        Program {
            _running: Running::start(program.stdin(OwnedFd::from(listener))),
            directory,
        }
    }

    /// The path of its socket.
    pub(crate) fn socket(&self) -> String {
        let path = self.directory.path().join("sock");
        path.to_str().unwrap().to_owned()
    }
}
