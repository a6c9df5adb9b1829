//! Programs in C on libfcgi.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Compiles a source; source and program lie in the directory.
///
/// # Panics
///
/// If it does not compile, as where a C compiler or libfcgi-dev is missing.
#[must_use]
#[track_caller]
pub fn compile(directory: &Path, source: &str) -> PathBuf {
    let (file, program) = (directory.join("app.c"), directory.join("app"));
    fs::write(&file, source).expect("a directory to write to");
    let mut compiler = Command::new("cc");
    compiler.arg(&file).arg("-o").arg(&program).arg("-lfcgi");
    let status = compiler.status().expect("a C compiler: install gcc");
    assert!(status.success(), "install libfcgi-dev");
    program
}
