//! The command: files, standard input, and the proxy until Ctrl-C.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

use fcgi_tests::address::Address;
use fcgi_tests::hand::{
    self, CLOSE, OVERLOADED, RESPONDER, STDIN, end_of, end_request, record, responder,
};
use rustix::process::Signal;

use crate::echo;
use crate::tool::{end, fcgi, fcgi_with, interrupt, signal, start};

#[test]
fn files_and_standard_input() {
    let bytes = [
        hand::begin(1, RESPONDER, CLOSE),
        record(STDIN, 1, b"a\nb\x1b", 3),
        end_of(STDIN, 1),
        end_request(1, 0, OVERLOADED),
        record(77, 0, b"", 0),
    ]
    .concat();
    let expected = "{FCGI_BEGIN_REQUEST, 1, {FCGI_RESPONDER, 0}}\n\
                    {FCGI_STDIN, 1, \"a\\nb\\033\"}\n\
                    {FCGI_STDIN, 1, \"\"}\n\
                    {FCGI_END_REQUEST, 1, {0, FCGI_OVERLOADED}}\n\
                    {type 77, 0, \"\"}\n";
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&bytes).unwrap();
    let ran = fcgi(["dump", file.path().to_str().unwrap()]);
    assert_eq!((ran.code, ran.text()), (Some(0), expected), "{ran:?}");
    let ran = fcgi_with(&bytes, &["dump", "-"]);
    assert_eq!((ran.code, ran.text()), (Some(0), expected), "{ran:?}");
    let ran = fcgi_with(&bytes, &["dump", "-", "--max-content", "2"]);
    assert!(
        ran.text().contains("{FCGI_STDIN, 1, \"a\\n\"... 2 more}\n"),
        "{ran:?}"
    );
    let ran = fcgi_with(b"", &["dump", "-"]);
    assert_eq!((ran.code, ran.text()), (Some(0), ""), "{ran:?}");
}

#[test]
fn pairs_of_a_file() {
    let bytes = responder(1, CLOSE, &[("A", "b")], b"");
    let ran = fcgi_with(&bytes, &["dump", "-", "--decode"]);
    assert!(
        ran.text()
            .contains("{FCGI_PARAMS, 1, 4 bytes}\n    \"A\" = \"b\"\n"),
        "{ran:?}"
    );
}

#[test]
fn what_is_wrong_with_a_file() {
    let record = record(STDIN, 1, b"body", 4);
    for (bytes, expected) in [
        (
            record[..15].to_vec(),
            "(truncated: 15 of 16 bytes of the record at byte 0)\n",
        ),
        (
            [&record[..], &record[..3]].concat(),
            "{FCGI_STDIN, 1, \"body\"}\n(truncated: 3 of 8 bytes of the header at byte 16)\n",
        ),
        (
            [&record[..], b"\x02 and so on"].concat(),
            "{FCGI_STDIN, 1, \"body\"}\n(broken: record of version 2, only version 1 exists \
             (§3.3) at byte 16; what follows is not read)\n",
        ),
        (
            hand::record(STDIN, 0, b"", 0),
            "{FCGI_STDIN, 0, \"\"}\n(broken: FCGI_STDIN with the null request id (§3.3))\n",
        ),
    ] {
        let ran = fcgi_with(&bytes, &["dump", "-"]);
        assert_eq!((ran.code, ran.text()), (Some(1), expected), "{ran:?}");
    }
}

/// What comes from a pipe is printed as it comes, and what cannot be read is not read.
#[test]
fn a_pipe_that_stays_open() {
    let mut child = start(&["dump", "-"]);
    let mut pipe = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    pipe.write_all(&record(STDIN, 1, b"body", 4)).unwrap();
    let line = lines.next().unwrap().unwrap();
    assert_eq!(line, "{FCGI_STDIN, 1, \"body\"}");
    pipe.write_all(b"HTTP/1.1").unwrap();
    let line = lines.next().unwrap().unwrap();
    assert!(line.starts_with("(broken: record of version 72"), "{line}");
    assert_eq!(end(child).code, Some(1));
    drop(pipe);
}

/// Many records, of which the reader takes few.
#[test]
fn a_reader_that_has_seen_enough() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, record(STDIN, 1, b"body", 4).repeat(50_000)).unwrap();
    let mut child = start(&["dump", file.to_str().unwrap()]);
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert_eq!(line, "{FCGI_STDIN, 1, \"body\"}\n");
    drop(reader);
    let ran = end(child);
    assert_eq!((ran.code, &*ran.stderr), (Some(0), ""));
}

#[test]
fn a_proxy_until_ctrl_c() {
    let app = echo();
    let directory = tempfile::tempdir().unwrap();
    let save = directory.path().join("saved");
    let application = app.address().to_string();
    let listen = directory.path().join("proxy.sock");
    let mut child = start(&[
        "dump",
        "--listen",
        listen.to_str().unwrap(),
        "--connect",
        &application,
        "--save",
        save.to_str().unwrap(),
    ]);
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    errors.read_line(&mut line).unwrap();
    let expected = format!(
        "fcgi: listening on unix:{}, passing on to",
        listen.display()
    );
    assert!(line.starts_with(&expected), "{line}");

    let mut connection = Address::Unix(listen.clone()).connect().unwrap();
    let request = responder(1, CLOSE, &[("CONTENT_LENGTH", "4")], b"body");
    connection.write_all(&request).unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).unwrap();
    assert_eq!(hand::answers(&answer)[&1].body(), b"body");
    drop(connection);

    // All of it is printed by then.
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut seen = Vec::new();
    while seen
        .iter()
        .filter(|line: &&String| line.ends_with("(end)"))
        .count()
        < 2
    {
        seen.push(lines.next().unwrap().unwrap());
    }
    interrupt(&child);
    let mut rest = String::new();
    errors.read_to_string(&mut rest).unwrap();
    assert!(
        rest.starts_with("fcgi: connections: 1, records: "),
        "{rest}"
    );
    assert!(rest.ends_with(", faults: 0\n"), "{rest}");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(!listen.exists());

    let file = save.join("00001-application.fcgi");
    assert_eq!(fs::read(&file).unwrap(), answer);
    let ran = fcgi(["dump", file.to_str().unwrap()]);
    let from_file: Vec<&str> = ran.text().lines().collect();
    let from_proxy: Vec<&str> = seen
        .iter()
        .filter_map(|line| line.split_once(" #1 < "))
        .map(|(_, rest)| rest)
        .filter(|rest| *rest != "(end)")
        .collect();
    assert_eq!(from_file, from_proxy);
}

/// As nohup(1) starts it: a hang-up is no reason to end, and Ctrl-C is the first signal.
#[test]
fn a_hangup_that_is_ignored() {
    let app = echo();
    let directory = tempfile::tempdir().unwrap();
    let listen = directory.path().join("proxy.sock");
    let mut child = Command::new("/bin/sh")
        .args(["-c", "trap '' HUP; exec \"$@\"", "sh"])
        .args([env!("CARGO_BIN_EXE_fcgi"), "dump", "--listen"])
        .arg(&listen)
        .arg("--connect")
        .arg(app.address().to_string())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    errors.read_line(&mut line).unwrap();
    assert!(line.starts_with("fcgi: listening on "), "{line}");
    signal(&child, Signal::HUP);
    interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(!listen.exists());
}
