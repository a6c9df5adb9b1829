//! Standard input and output of a CGI program, in all the states in which web servers leave them.

use std::fs::File;
use std::io::Read;
use std::os::unix::net::UnixStream;

use rustix::io::ioctl_fionbio;

use super::*;

#[test]
fn the_response_ends_while_the_program_goes_on() {
    let (reader, mut writer) = io::pipe().unwrap();
    let mut command = program("loop");
    command.envs([("QUERY_STRING", "after"), ("CONTENT_LENGTH", "4")]);
    let mut child = start(&mut command, reader);
    writer.write_all(b"bodyand").unwrap();
    let mut response = Vec::new();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_to_end(&mut response).unwrap();
    assert!(response.ends_with(b"[after] Responder body"));
    assert!(child.try_wait().unwrap().is_none(), "it waits for a line");
    writer.write_all(b" more\n").unwrap();
    let ran = end(child);
    assert_eq!(ran.exit, Some(0));
    // Nothing behind the body was taken with it (RFC 3875 §4.2).
    assert!(
        ran.stderr.starts_with("worked on \"and more\\n\"\n"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_reader_that_has_gone() {
    let (reader, _writer) = io::pipe().unwrap();
    let mut command = program("run");
    command.env("QUERY_STRING", "abort");
    let mut child = start(&mut command, reader);
    let mut stdout = child.stdout.take().unwrap();
    let mut begun = [0; b"Content-Type: text/plain\r\n\r\nbegun\n".len()];
    stdout.read_exact(&mut begun).unwrap();
    assert!(begun.ends_with(b"begun\n"), "{}", begun.escape_ascii());
    drop(stdout);
    let ran = end(child);
    assert!(
        ran.stderr.starts_with("aborted, BrokenPipe\n"),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
}

#[test]
fn a_reader_that_was_never_there() {
    for mode in ["run", "loop", "stdio"] {
        let (reader, _writer) = io::pipe().unwrap();
        let mut command = program(mode);
        command.env("QUERY_STRING", "q");
        let mut child = start(&mut command, reader);
        drop(child.stdout.take());
        let ran = end(child);
        assert!(!ran.stderr.contains("panicked"), "{mode}: {}", ran.stderr);
        assert!(ran.exit.is_some(), "{mode}: no signal ends it");
    }
}

#[test]
fn a_response_that_finds_no_room() {
    for mode in ["run", "loop", "stdio"] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut command = program(mode);
        command.env("QUERY_STRING", "q").stdout(full);
        let exit = command.stdin(Stdio::null()).stderr(Stdio::null()).status();
        assert_eq!(exit.unwrap().code(), Some(1), "{mode}");
    }
}

/// Event loops leave their pipes like that.
#[test]
fn descriptors_that_do_not_block() {
    const SIZE: usize = 1_000_000;
    for mode in ["run", "loop", "stdio"] {
        let (stdin, mut input) = io::pipe().unwrap();
        let (mut output, stdout) = io::pipe().unwrap();
        ioctl_fionbio(&stdin, true).unwrap();
        ioctl_fionbio(&stdout, true).unwrap();
        let mut command = program(mode);
        let length = SIZE.to_string();
        command
            .envs([("QUERY_STRING", "q"), ("CONTENT_LENGTH", &length)])
            .stdin(stdin)
            .stdout(stdout)
            .stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        drop(command);
        let feeder = thread::spawn(move || {
            for piece in vec![b'b'; SIZE].chunks(30_000) {
                input.write_all(piece).unwrap();
                thread::yield_now();
            }
        });
        let mut response = Vec::new();
        output.read_to_end(&mut response).unwrap();
        feeder.join().unwrap();
        let ran = end(child);
        assert_eq!(ran.exit, Some(0), "{mode}: {}", ran.stderr);
        let body = response.iter().rev().take_while(|&&byte| byte == b'b');
        assert_eq!(body.count(), SIZE, "{mode}");
    }
}

/// Before `main` there is the null device where a descriptor was closed.
#[test]
fn descriptors_that_are_closed() {
    let app = env!("CARGO_BIN_EXE_kit-app");
    for mode in ["run", "loop", "stdio"] {
        for (closed, is_read) in [
            ("<&-", true),
            ("2>&-", true),
            ("<&- 2>&-", true),
            (">&-", false),
            ("<&- >&- 2>&-", false),
        ] {
            let mut shell = Command::new("/bin/sh");
            shell
                .args(["-c", &format!("exec \"$0\" \"$1\" {closed}"), app, mode])
                .env_clear()
                .env("QUERY_STRING", "logged");
            let (reader, _writer) = io::pipe().unwrap();
            let ran = end(start(&mut shell, reader));
            assert_eq!(ran.exit, Some(0), "{mode} {closed}: {}", ran.stderr);
            if is_read {
                assert!(ran.body().starts_with(b"[logged] "), "{mode} {closed}");
            } else {
                assert_eq!(ran.stdout, b"", "{mode} {closed}");
            }
        }
    }
}

/// Files instead of pipes, as by hand.
#[test]
fn descriptors_of_files() {
    let directory = TempDir::new().unwrap();
    let (input, output) = (
        directory.path().join("body"),
        directory.path().join("response"),
    );
    std::fs::write(&input, b"body and more").unwrap();
    let mut command = program("run");
    command
        .envs([("QUERY_STRING", "q"), ("CONTENT_LENGTH", "4")])
        .stdin(std::fs::File::open(&input).unwrap())
        .stdout(std::fs::File::create(&output).unwrap())
        .stderr(Stdio::piped());
    let ran = end(command.spawn().unwrap());
    assert_eq!(ran.exit, Some(0), "{}", ran.stderr);
    let response = std::fs::read(&output).unwrap();
    assert!(response.ends_with(b"\r\n\r\n[q] Responder body"));
}

/// fcgiwrap passes the body on before it takes the response, and answers 502 when nobody reads it.
#[test]
fn a_body_that_nobody_wants() {
    let (reader, mut writer) = io::pipe().unwrap();
    let mut command = program("limited");
    command.envs([("REQUEST_METHOD", "POST"), ("CONTENT_LENGTH", "1000000")]);
    let mut child = start(&mut command, reader);
    let mut response = Vec::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_end(&mut response)
        .unwrap();
    assert!(
        response.starts_with(b"Status: 413 "),
        "{}",
        response.escape_ascii()
    );
    // Time for it to end, which it must not.
    thread::sleep(Duration::from_millis(100));
    writer.write_all(&[b'x'; 1_000_000]).unwrap();
    drop(writer);
    assert_eq!(end(child).exit, Some(0));
}

/// The response comes back through the socket that the body came by, as with Apache's `mod_cgid`.
/// If that were closed while the body comes, the web server could not send the rest, nor read.
#[test]
fn a_refused_body_that_comes_through_the_socket_of_the_response() {
    let (mut near, far) = UnixStream::pair().unwrap();
    let mut command = program("limited");
    command
        .envs([("REQUEST_METHOD", "POST"), ("CONTENT_LENGTH", "1000000")])
        .stdin(OwnedFd::from(far.try_clone().unwrap()))
        .stdout(OwnedFd::from(far))
        .stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    drop(command);
    near.set_write_timeout(Some(PATIENCE)).unwrap();
    near.set_read_timeout(Some(PATIENCE)).unwrap();
    near.write_all(&[b'x'; 1_000_000]).unwrap();
    let mut response = Vec::new();
    near.read_to_end(&mut response).unwrap();
    assert!(
        response.starts_with(b"Status: 413 "),
        "{}",
        response.escape_ascii()
    );
    assert_eq!(end(child).exit, Some(0));
}
