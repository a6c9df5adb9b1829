//! Command files.

use std::io;
use std::process::Command;

use crate::kit::{Place, Ran, cgi_fcgi, finish, run, spawn};
use crate::peer::play;

/// Runs something while an application answers at the place's socket.
fn answered(place: &Place, command: &mut Command) -> Ran {
    let peer = play(place, |talk| {
        talk.request();
        talk.answer(b"\r\n\r\npage", 5);
    });
    let ran = run(command);
    peer.join().unwrap();
    ran
}

#[test]
fn comments_quotes_and_lines() {
    let place = Place::new();
    for text in [
        format!("-bind -connect {}\n", place.socket()),
        format!(
            "#!/usr/bin/cgi-fcgi -f\n# The form.\n-bind\n\n  -connect\\\n \\\n{}",
            place.socket()
        ),
        format!("--bind # a remark\r\n--connect '{}'\r\n", place.socket()),
    ] {
        let file = place.write("file", &text);
        let ran = answered(&place, &mut cgi_fcgi(&["-f", file.to_str().unwrap()]));
        assert_eq!((ran.status, ran.body()), (5, &b"page"[..]), "{text}");
        std::fs::remove_file(place.socket()).unwrap();
    }
}

/// The system runs the interpreter of a file's first line, with the arguments that a web server
/// made of the query behind it (RFC 3875 §4.4): they are no options.
#[test]
fn a_file_as_a_program() {
    let place = Place::new();
    let program = env!("CARGO_BIN_EXE_cgi-fcgi");
    for end in ["\n", "\r\n"] {
        let text = format!("#!{program} -f{end}-bind -connect {}{end}", place.socket());
        let file = place.write("file.cgi", &text);
        let mut command = Command::new(file);
        command.args(["--start", "-connect", "/etc/passwd"]);
        let ran = answered(&place, &mut command);
        assert_eq!((ran.status, ran.body()), (5, &b"page"[..]), "{end:?}");
        std::fs::remove_file(place.socket()).unwrap();
    }
}

#[test]
fn files_that_are_none() {
    let place = Place::new();
    let missing = place.path("missing");
    let ran = run(&mut cgi_fcgi(&["-f", missing.to_str().unwrap()]));
    assert_eq!(ran.status, 2);
    assert!(
        ran.stderr.contains("missing cannot be read"),
        "{}",
        ran.stderr
    );

    let open = place.write("open", "-bind -connect '/a\n");
    let ran = run(&mut cgi_fcgi(&["-f", open.to_str().unwrap()]));
    assert_eq!(ran.status, 2);
    assert!(
        ran.stderr.contains("quote without its end"),
        "{}",
        ran.stderr
    );

    let nested = place.write("nested", "-f other\n");
    let ran = run(&mut cgi_fcgi(&["-f", nested.to_str().unwrap()]));
    assert_eq!(ran.status, 2);
    assert!(
        ran.stderr.contains("-f must be the first"),
        "{}",
        ran.stderr
    );
}

/// A file may start the application, too.
#[test]
fn a_file_that_starts() {
    let place = Place::new();
    let text = format!(
        "--allow-root -connect {}\n{} 2\n",
        place.socket(),
        place.app()
    );
    let file = place.write("file", &text);
    let mut command = cgi_fcgi(&["-f", file.to_str().unwrap()]);
    let child = spawn(&mut command);
    let ran = finish(child);
    assert_eq!(ran.status, 0, "{ran:?}");
    assert_eq!(place.supervisors(), [ran.id("supervisor")]);
    assert_eq!(crate::kit::children(ran.id("supervisor")).len(), 2);
    assert_eq!(
        io::read_to_string(std::fs::File::open(file).unwrap()).unwrap(),
        text
    );
}
