//! The kit's program and ours, with the same requests to the same application.

use std::path::Path;
use std::process::{Command, Stdio};

use fcgi_tests::libfcgi::compile;
use fcgi_tests::pattern;

use crate::c_program::Program;
use crate::kit::{Place, Ran, cgi_fcgi, run_with};
use crate::libfcgi::{AUTHORIZER, ECHO, STATUS};

/// Where packages put the kit's program.
const KIT: &str = "/usr/bin/cgi-fcgi";

/// The same command line for the kit's program.
pub(crate) fn kit(arguments: &[&str]) -> Command {
    assert!(Path::new(KIT).exists(), "install libfcgi-bin");
    let mut command = Command::new(KIT);
    command.args(arguments).env_clear().stdin(Stdio::null());
    command
}

/// One request through both; what both say of it.
#[track_caller]
fn alike(arguments: &[&str], variables: &[(&str, &str)], body: &[u8]) -> Ran {
    let go = |mut command: Command| {
        command.envs(variables.iter().copied());
        run_with(&mut command, body)
    };
    let (theirs, ours) = (go(kit(arguments)), go(cgi_fcgi(arguments)));
    assert_eq!(ours.status, theirs.status, "{variables:?}");
    assert_eq!(ours.stderr, theirs.stderr, "{variables:?}");
    assert!(ours.stdout == theirs.stdout, "{theirs:?}\n{ours:?}");
    ours
}

#[test]
fn an_echo() {
    let program = Program::start(ECHO);
    let socket = program.socket();
    let bind = ["-bind", "-connect", &socket];
    let page = alike(&bind, &[], b"");
    assert_eq!(page.text(), "FCGI_ROLE=RESPONDER\n");

    let long = "x".repeat(20_000);
    let variables = [
        ("CONTENT_LENGTH", "11"),
        ("EMPTY", ""),
        ("EQUALS", "a=b=c"),
        ("LONG", &long[..]),
        ("REQUEST_METHOD", "POST"),
        ("UMLAUT", "ä"),
    ];
    let page = alike(&bind, &variables, b"hello world");
    assert!(page.text().ends_with("UMLAUT=ä\nhello world"), "{page:?}");
    // Less than was announced.
    alike(&bind, &variables, b"hello");
    alike(&bind, &[("CONTENT_LENGTH", "0")], b"hello");

    let large = pattern::bytes(3 << 20);
    let length = large.len().to_string();
    let page = alike(&bind, &[("CONTENT_LENGTH", &length)], &large);
    assert!(page.stdout.ends_with(&large));
}

/// RFC 3875 §4.2 lets a program read no more of the body than was announced. The kit's program
/// passes on what it happens to read.
#[test]
fn more_than_was_announced() {
    let program = Program::start(ECHO);
    let bind = ["-bind", "-connect", &program.socket()];
    let page = run_with(
        cgi_fcgi(&bind).env("CONTENT_LENGTH", "5"),
        b"hello, and more",
    );
    assert!(page.text().ends_with("\nhello"), "{page:?}");
}

#[test]
fn many_variables() {
    let program = Program::start(ECHO);
    let names: Vec<String> = (0..1000)
        .map(|number| format!("VARIABLE_{number}"))
        .collect();
    let value = "v".repeat(100);
    let variables: Vec<_> = names.iter().map(|name| (&name[..], &value[..])).collect();
    let page = alike(&["-bind", "-connect", &program.socket()], &variables, b"");
    assert_eq!(page.text().lines().count(), 1001);
}

#[test]
fn an_authorizer() {
    let program = Program::start(AUTHORIZER);
    let socket = program.socket();
    let bind = ["-bind", "-connect", &socket];
    let granted = [("AUTH_TYPE", "Basic"), ("REMOTE_PASSWD", "xxxx")];
    let page = alike(&bind, &granted, b"");
    let head = "Status: 200 OK\r\nVariable-AUTH_METHOD: Basic\r\nVariable-MEMBER: yes\r\n\r\n";
    assert_eq!(page.stdout, head.as_bytes());
    let page = alike(&bind, &[("REMOTE_PASSWD", "guess")], b"");
    assert!(page.stdout.starts_with(b"Status: 401 "), "{page:?}");

    // The kit's program knows no roles; ours passes them on.
    let mut command = cgi_fcgi(&bind);
    command.env("FCGI_ROLE", "AUTHORIZER").envs(granted);
    assert_eq!(run_with(&mut command, b"").stdout, head.as_bytes());
}

#[test]
fn exit_statuses_and_standard_error() {
    let program = Program::start(STATUS);
    let socket = program.socket();
    for status in ["0", "1", "3", "127", "255", "257", "-1"] {
        let page = alike(
            &["-bind", "-connect", &socket],
            &[("QUERY_STRING", status)],
            b"",
        );
        assert_eq!(page.text(), "before\nbehind\n");
        assert_eq!(page.stderr, format!("status {status}\n"));
    }
}

#[test]
fn command_files() {
    let program = Program::start(STATUS);
    let place = Place::new();
    let socket = program.socket();
    for text in [
        format!("-bind -connect {socket}\n"),
        format!("#!/usr/bin/cgi-fcgi -f\n#-start\n-bind -connect {socket}  \t\n"),
        format!("#! /usr/bin/cgi-fcgi -f\n-bind\n-connect {socket}\n"),
        format!("-connect {socket} -bind\n# end\n"),
        format!("-bind -connect {socket} /no/such/program 3\n"),
    ] {
        let file = place.write("file", &text);
        let arguments = ["-f", file.to_str().unwrap()];
        let page = alike(&arguments, &[("QUERY_STRING", "6")], b"");
        assert_eq!(page.status, 6, "{text}");
        // What a web server makes of a query without `=`.
        let arguments = ["-f", file.to_str().unwrap(), "-start", "query"];
        assert_eq!(alike(&arguments, &[("QUERY_STRING", "7")], b"").status, 7);
    }
}

/// A program of others is started by ours, and answers through both.
#[test]
fn a_started_program() {
    let place = Place::new();
    let directory = tempfile::tempdir().unwrap();
    let app = compile(directory.path(), STATUS);
    let (socket, app) = (place.socket(), app.to_str().unwrap());
    let bridge = || {
        let mut command = cgi_fcgi(&["--allow-root", "-connect", &socket, app, "2"]);
        run_with(command.env("QUERY_STRING", "5"), b"")
    };
    let first = bridge();
    assert_eq!(
        (first.status, first.text()),
        (5, "before\nbehind\n"),
        "{first:?}"
    );
    assert_eq!(bridge().status, 5);
    assert_eq!(place.supervisors().len(), 1);
    let bind = ["-bind", "-connect", &socket];
    assert_eq!(alike(&bind, &[("QUERY_STRING", "4")], b"").status, 4);
}

/// Nobody listens: the kit's program writes nothing, which web servers show as an error of theirs.
#[test]
fn no_application() {
    let place = Place::new();
    let socket = place.socket();
    let arguments = ["-bind", "-connect", &socket];
    let theirs = run_with(&mut kit(&arguments), b"");
    assert!(
        theirs.status != 0 && theirs.stderr.contains("Could not connect"),
        "{theirs:?}"
    );
    let ours = run_with(&mut cgi_fcgi(&arguments), b"");
    assert_ne!(ours.status, 0);
    assert!(
        ours.stdout
            .starts_with(b"Status: 503 Service Unavailable\r\n")
    );
    assert!(ours.stderr.contains("cannot connect"), "{ours:?}");
}
