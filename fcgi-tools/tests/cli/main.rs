//! The command line itself: pages, completions, and what cannot be said.

mod tool;

use std::fs;

use tool::{fcgi, fcgi_with};

const SUBCOMMANDS: [&str; 5] = ["serve", "request", "dump", "bench", "generate"];

#[test]
fn every_subcommand_has_a_page() {
    let directory = tempfile::tempdir().unwrap();
    let pages = directory.path().join("share/man1");
    let ran = fcgi(["generate", "man", pages.to_str().unwrap()]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let page = |name: &str| fs::read_to_string(pages.join(format!("{name}.1"))).unwrap();
    let main = page("fcgi");
    for subcommand in SUBCOMMANDS {
        let name = format!("fcgi\\-{subcommand}");
        assert!(main.contains(&name), "{name} in {main}");
        let page = page(&format!("fcgi-{subcommand}"));
        assert!(page.contains(".SH SYNOPSIS"), "{page}");
        assert!(page.contains(&name), "{name} in {page}");
    }
    assert!(page("cgi-fcgi").starts_with(".TH CGI"));
    let request = page("fcgi-request");
    assert!(request.contains("\\-\\-expect\\-status"), "{request}");
    assert!(request.contains("Exit codes:"), "{request}");
}

/// As many pages as `--help` lists subcommands, so that the list above cannot be out of date.
#[test]
fn the_list_of_subcommands_is_whole() {
    let ran = fcgi(["--help"]);
    let lines = ran.text().lines().map(str::trim_start);
    let listed = lines.skip_while(|line| *line != "Commands:").skip(1);
    let listed = listed.take_while(|line| !line.is_empty());
    let listed = listed.filter_map(|line| line.split_whitespace().next());
    let listed: Vec<&str> = listed.filter(|name| *name != "help").collect();
    assert_eq!(listed, SUBCOMMANDS);
}

#[test]
fn completions_know_all_subcommands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = fcgi(["generate", "completions", shell]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        for word in SUBCOMMANDS
            .into_iter()
            .chain(["expect-status", "max-content"])
        {
            assert!(ran.text().contains(word), "{word} for {shell}");
        }
        let ran = fcgi(["generate", "completions", shell, "--command", "cgi-fcgi"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(ran.text().contains("supervise"), "{shell}");
    }
}

#[test]
fn what_cannot_be_said() {
    for arguments in [
        &["request"][..],
        &["request", "9000"],
        &["request", "127.0.0.1:9000", "/", "--role", "filter"],
        &["request", "127.0.0.1:9000", "/", "--timeout", "never"],
        &["request", "127.0.0.1:9000", "/", "--values"],
        &[
            "request",
            "127.0.0.1:9000",
            "/",
            "--data",
            "a",
            "--data-file",
            "b",
        ],
        &["dump"],
        &["dump", "--listen", "127.0.0.1:0"],
        &[
            "dump",
            "file",
            "--listen",
            "127.0.0.1:0",
            "--connect",
            "127.0.0.1:9000",
        ],
        &["dump", "file", "--save", "directory"],
        &["bench", "127.0.0.1:9000", "--depth", "65"],
        &["bench", "127.0.0.1:9000", "--depth", "2", "--no-keep-alive"],
        &["bench", "127.0.0.1:9000", "-n", "1", "-t", "1"],
        &["bench", "127.0.0.1:9000", "-c", "0"],
        &["serve", "--connect", ":9000", "--timeout", "0"],
        &["serve", "--connect", ":9000", "--script-name", "x"],
        &["bench", "127.0.0.1:9000", "--data-size", "1073741825"],
        &["bench", "127.0.0.1:9000", "-H", "no header"],
        &["request", "127.0.0.1:9000", "-X", "G T"],
        &["generate", "completions", "tcsh"],
    ] {
        let ran = fcgi_with(b"", arguments);
        assert_eq!(ran.code, Some(2), "{arguments:?}: {ran:?}");
        assert!(
            ran.stdout.is_empty() && !ran.stderr.is_empty(),
            "{arguments:?}"
        );
    }
}

#[test]
fn what_cannot_be_asked() {
    for (arguments, text) in [
        (&["app"][..], "not a path"),
        (&["-H", "Proxy: x"], "CVE-2016-5385"),
        (&["-p", "x"], "NAME=VALUE"),
    ] {
        let ran = fcgi_with(b"", &[&["request", "127.0.0.1:9000"], arguments].concat());
        assert_eq!(ran.code, Some(2), "{arguments:?}: {ran:?}");
        assert!(ran.stderr.contains(text), "{arguments:?}: {ran:?}");
    }
}

/// A standard error that takes nothing does not change the exit code.
#[test]
fn nobody_has_to_listen() {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_fcgi"));
    command.args(["request", "/nowhere/app.sock"]);
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let status = command.stderr(full).status().unwrap();
    assert_eq!(status.code(), Some(7));
}

/// A body from a pipe is collected first; who has no room for it is told where.
#[test]
fn no_room_for_a_body() {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_fcgi"));
    command.args(["request", "127.0.0.1:9000", "--data-file", "-"]);
    let ran = command.env("TMPDIR", "/nowhere").output().unwrap();
    let told = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(1));
    assert!(told.contains("a temporary file in /nowhere: "), "{told}");
}

#[test]
fn what_cannot_be_done() {
    for (arguments, text) in [
        (
            &["request", "127.0.0.1:9000", "--data-file", "/nowhere"][..],
            "/nowhere: ",
        ),
        (&["dump", "/nowhere"], "/nowhere: "),
        (&["dump", "/dev"], "/dev: "),
        (
            &["bench", "name.invalid:9000", "-n", "1"],
            "name.invalid:9000: ",
        ),
        (&["generate", "man", "/dev/null/man1"], "/dev/null/man1: "),
    ] {
        let ran = fcgi_with(b"", arguments);
        assert_eq!(ran.code, Some(1), "{arguments:?}: {ran:?}");
        assert!(ran.stderr.contains(text), "{arguments:?}: {ran:?}");
    }
}
