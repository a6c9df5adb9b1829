//! A program in C on libfcgi, compiled for a test.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::Command;

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
        let mut program = Command::new(compile(&directory, source));
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

/// Compiles a source; the program lies in the directory.
pub(crate) fn compile(directory: &TempDir, source: &str) -> PathBuf {
    let file = directory.path().join("app.c");
    std::fs::write(&file, source).unwrap();
    let program = directory.path().join("app");
    let status = Command::new("cc")
        .arg(&file)
        .arg("-o")
        .arg(&program)
        .arg("-lfcgi")
        .status()
        .expect("a C compiler: install gcc");
    assert!(status.success(), "install libfcgi-dev");
    program
}
