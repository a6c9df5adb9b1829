//! Bytes on their way through the program.

use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use fcgi_tests::blocking::{Socket, prepare};
use fcgi_tests::{hand, pattern};

use crate::kit::{PATIENCE, Place, cgi_fcgi, finish, run, spawn, stat};
use crate::peer::play;

/// Larger than all buffers on the way together.
const LARGE: usize = 4 << 20;

/// As many variables as the system lets a process have by default, nearly: one may have 128 KiB.
#[test]
fn params_of_a_mebibyte() {
    const EACH: usize = 120_000;
    let prepared = prepare(Socket::Unix).rules(|server| server.params_limits(4 << 20, 1000));
    let address = prepared.server.addresses().unwrap()[0].to_string();
    let served = prepared.serve(|request| {
        request.header("Content-Type", "text/plain")?;
        for number in 0..9 {
            let value = request
                .params
                .get(format!("LONG_{number}"))
                .unwrap_or_default();
            let digit = b'0' + number;
            let is_whole = value.len() == EACH && value.iter().all(|&byte| byte == digit);
            write!(request.stdout, "{is_whole} ")?;
        }
        Ok(())
    });
    let mut command = cgi_fcgi(&["-bind", "-connect", &address]);
    for number in 0..9 {
        command.env(format!("LONG_{number}"), number.to_string().repeat(EACH));
    }
    let ran = run(&mut command);
    assert_eq!(ran.status, 0, "{ran:?}");
    assert_eq!(ran.text(), "true ".repeat(9));
    drop(served);
}

/// The application sends back at once what it gets, so that it stops reading when nobody reads what
/// it writes: input and output have to flow at the same time. Both ends of the program are pipes.
#[test]
fn an_echo() {
    let place = Place::new();
    let peer = play(&place, |talk| {
        talk.record();
        talk.stream(hand::PARAMS);
        talk.send(&hand::stream(hand::STDOUT, 1, b"\r\n\r\n"));
        loop {
            let record = talk.record();
            assert_eq!(record.kind, hand::STDIN);
            if record.content.is_empty() {
                break;
            }
            talk.send(&hand::stream(hand::STDOUT, 1, &record.content));
        }
        talk.answer(b"", 0);
    });
    let mut command = cgi_fcgi(&["-bind", "-connect", &place.socket()]);
    command.env("CONTENT_LENGTH", LARGE.to_string());
    let mut child = spawn(command.stdin(Stdio::piped()));
    let mut stdin = child.stdin.take().unwrap();
    let writing = thread::spawn(move || stdin.write_all(&pattern::bytes(LARGE)));
    let ran = finish(child);
    writing.join().unwrap().unwrap();
    peer.join().unwrap();
    assert_eq!(ran.status, 0);
    assert!(ran.body() == pattern::bytes(LARGE));
}

/// The client has gone in the middle of its upload, and the application thinks: no processor time
/// is spent on a pipe that has come to its end.
#[test]
fn a_body_cut_short_costs_nothing() {
    let place = Place::new();
    let (mut stop_waiting, may_answer) = io::pipe().unwrap();
    let (has_all, mut wait_for_all) = {
        let (reader, writer) = io::pipe().unwrap();
        (writer, reader)
    };
    let peer = play(&place, move |talk| {
        let heard = talk.request();
        (&has_all).write_all(b".").unwrap();
        stop_waiting.read_exact(&mut [0]).unwrap();
        talk.answer(b"", 0);
        heard.stdin
    });
    let mut command = cgi_fcgi(&["-bind", "-connect", &place.socket()]);
    command.env("CONTENT_LENGTH", "1000");
    let mut child = spawn(command.stdin(Stdio::piped()));
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"half").unwrap();
    drop(stdin);
    wait_for_all.read_exact(&mut [0]).unwrap();
    let id = i32::try_from(child.id()).unwrap();
    let before = ticks(id);
    thread::sleep(Duration::from_secs(1));
    let after = ticks(id);
    (&may_answer).write_all(b".").unwrap();
    assert_eq!(finish(child).status, 0);
    assert_eq!(peer.join().unwrap(), b"half");
    assert!(
        after - before <= 10,
        "{} hundredths of a second",
        after - before
    );
}

/// Processor time, in hundredths of a second: user and system.
fn ticks(id: i32) -> u64 {
    let fields = stat(id).unwrap();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// The application ends the request without reading the body: the response ends, too. More of the
/// body is read, as a web server may write all of it first, but not waited for without end.
#[test]
fn an_early_end() {
    let place = Place::new();
    let peer = play(&place, |talk| {
        talk.record();
        talk.stream(hand::PARAMS);
        talk.answer(b"\r\n\r\nenough", 4);
    });
    let mut command = cgi_fcgi(&["-bind", "-connect", &place.socket()]);
    command.env("CONTENT_LENGTH", (LARGE + 1).to_string());
    let mut child = spawn(command.stdin(Stdio::piped()));
    let mut response = Vec::new();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_to_end(&mut response).unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&pattern::bytes(LARGE)).unwrap();
    let status = child.wait().unwrap();
    drop(stdin);
    peer.join().unwrap();
    assert_eq!(
        (status.code(), &response[..]),
        (Some(4), &b"\r\n\r\nenough"[..])
    );
}

/// The web server no longer reads: the application is told by the end of the connection.
#[test]
fn the_web_server_goes() {
    let place = Place::new();
    let peer = play(&place, |talk| {
        talk.request();
        talk.send(&hand::stream(hand::STDOUT, 1, b"\r\n\r\nfirst"));
        !matches!(hand::read_record(&mut talk.0), Ok(Some(_)))
    });
    let mut child = spawn(&mut cgi_fcgi(&["-bind", "-connect", &place.socket()]));
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0; 9]).unwrap();
    drop(stdout);
    let ran = finish(child);
    assert_eq!(ran.status, 74);
    assert!(ran.stderr.contains("its reader has gone"), "{}", ran.stderr);
    assert!(peer.join().unwrap());
}

/// Starts a program whose standard input and output are one socket, in which a body waits; and the
/// other end.
fn on_a_socket(mut command: Command, body: &[u8]) -> (Child, UnixStream) {
    let (mut near, far) = UnixStream::pair().unwrap();
    let out = far.try_clone().unwrap();
    near.write_all(body).unwrap();
    near.set_read_timeout(Some(PATIENCE)).unwrap();
    command
        .stdin(OwnedFd::from(far))
        .stdout(OwnedFd::from(out))
        .stderr(Stdio::null());
    // The command goes, and with it the program's end of the pair.
    (command.spawn().unwrap(), near)
}

/// Standard input and output may be one socket, as Apache's mod_cgid has it. Closed while something
/// is unread it would be reset, which the server takes for the loss of the response.
#[test]
fn a_socket_is_read_to_its_end() {
    let place = Place::new();
    for arguments in [
        &["-bind", "-connect", &place.socket()][..],
        &["-bind", "-connect"],
    ] {
        let mut command = cgi_fcgi(arguments);
        command
            .env("GATEWAY_INTERFACE", "CGI/1.1")
            .env("CONTENT_LENGTH", "50000");
        let (mut child, mut near) = on_a_socket(command, &[b'x'; 50_000]);
        let mut response = Vec::new();
        near.read_to_end(&mut response).unwrap();
        assert!(response.starts_with(b"Status: 50"), "{response:?}");
        child.wait().unwrap();
    }
}

/// A web server that keeps that socket open, and sends no more of a body that nobody reads, does
/// not hold the program for ever.
#[test]
fn a_socket_that_stays_open_is_given_up() {
    let place = Place::new();
    let peer = play(&place, |talk| {
        talk.record();
        talk.stream(hand::PARAMS);
        talk.answer(b"\r\n\r\nenough", 4);
    });
    let mut command = cgi_fcgi(&["-bind", "-connect", &place.socket()]);
    command.env("CONTENT_LENGTH", "1000");
    let (mut child, mut near) = on_a_socket(command, b"");
    let mut response = Vec::new();
    near.read_to_end(&mut response).unwrap();
    assert_eq!(response, b"\r\n\r\nenough");
    assert_eq!(child.wait().unwrap().code(), Some(4));
    peer.join().unwrap();
}
