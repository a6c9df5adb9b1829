//! What the examples say of a command line that does not fit.

use std::net::TcpListener;
use std::process::{Command, Stdio};

/// Runs a program that must fail; what it says.
#[track_caller]
fn error_of(program: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn of_several_arguments_the_wrong_one_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let embed = env!("CARGO_BIN_EXE_mio-embed");
    let processes = env!("CARGO_BIN_EXE_processes");
    for (program, second) in [(embed, &*taken), (embed, "nonsense"), (processes, "four")] {
        let error = error_of(program, &["127.0.0.1:0", second]);
        assert!(error.contains(second), "{error}");
    }
}
