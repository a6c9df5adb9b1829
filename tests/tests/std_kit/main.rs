//! What the Developer's Kit gave its users, in processes of their own: one program as a CGI program
//! and as a FastCGI application, current requests, roles, signals.

mod cgi;
mod cgi_descriptors;
mod filters;
mod roles;
mod sharing;
mod signals;
mod stdio;
mod stdio_ends;

use std::ffi::OsString;
use std::io::{self, PipeReader, PipeWriter, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use fcgi_tests::address::Address;
use fcgi_tests::blocking::{WebServer, eventually};
use fcgi_tests::hand::*;
use fcgi_tests::process::Running;
use tempfile::TempDir;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The program in one of its modes, with no variables but its own.
fn program(mode: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kit-app"));
    command.arg(mode).env_clear();
    command
}

/// A FastCGI application, on a listening socket as descriptor 0.
struct App {
    child: Running,
    address: Address,
    _directory: TempDir,
}

fn app(mode: &str) -> App {
    app_of(&mut program(mode))
}

fn app_of(command: &mut Command) -> App {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("app.sock");
    let listener = OwnedFd::from(UnixListener::bind(&path).unwrap());
    App {
        child: Running::start(command.stdin(listener)),
        address: path.into(),
        _directory: directory,
    }
}

impl App {
    fn connect(&self) -> WebServer {
        connect(&self.address)
    }

    /// What the program has printed past its requests.
    #[track_caller]
    fn wait_for_log(&self, text: &str) {
        eventually(|| self.child.log().contains(text), || self.child.log());
    }

    /// The exit status, when the program has ended by itself.
    #[track_caller]
    fn exit(&mut self) -> Option<i32> {
        let status = self.child.wait(PATIENCE);
        status.expect("it ends").code()
    }
}

fn connect(address: &Address) -> WebServer {
    let connection = address.connect().unwrap();
    connection.set_read_patience(PATIENCE).unwrap();
    WebServer { connection }
}

/// A whole Responder request.
fn request(query: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len().to_string();
    let pairs = [
        ("REQUEST_METHOD", "POST"),
        ("QUERY_STRING", query),
        ("CONTENT_LENGTH", &length),
    ];
    responder(1, KEEP, &pairs, body)
}

/// The beginning of a request: no end of STDIN, and no CONTENT_LENGTH.
fn head(role: u16, query: &str) -> Vec<u8> {
    let pairs = [("QUERY_STRING", query)];
    [begin(1, role, KEEP), params(1, &pairs), end_of(PARAMS, 1)].concat()
}

/// What the run of a CGI program has left behind.
struct Ran {
    /// `None` after a signal.
    exit: Option<i32>,
    stdout: Vec<u8>,
    stderr: String,
}

/// Runs a CGI program with these variables and this input.
#[track_caller]
fn cgi(mode: &str, variables: &[(&str, &str)], body: &[u8]) -> Ran {
    let (reader, mut writer) = io::pipe().unwrap();
    let mut command = program(mode);
    command.envs(variables.iter().copied());
    let child = start(&mut command, reader);
    let body = body.to_vec();
    let feeder = thread::spawn(move || {
        // It may end without having read it.
        let _ = writer.write_all(&body);
    });
    let ran = end(child);
    feeder.join().unwrap();
    ran
}

/// With a query string and no body, on a standard input that does not end.
#[track_caller]
fn cgi_get(mode: &str, query: &str) -> Ran {
    let (reader, writer) = io::pipe().unwrap();
    let mut command = program(mode);
    command.envs([("REQUEST_METHOD", "GET"), ("QUERY_STRING", query)]);
    let ran = end(start(&mut command, reader));
    drop::<PipeWriter>(writer);
    ran
}

fn start(command: &mut Command, stdin: PipeReader) -> Child {
    let command = command.stdin(stdin).stdout(Stdio::piped());
    let child = command.stderr(Stdio::piped()).spawn().unwrap();
    // The command would keep its end of the pipe open.
    command.stdin(Stdio::null());
    child
}

/// Waits for the end of a CGI program.
#[track_caller]
fn end(child: Child) -> Ran {
    let id = i32::try_from(child.id()).unwrap();
    let (sender, output) = channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    match output.recv_timeout(PATIENCE) {
        Ok(output) => {
            let output = output.unwrap();
            Ran {
                exit: output.status.code(),
                stdout: output.stdout,
                stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            }
        }
        Err(RecvTimeoutError::Timeout) => {
            let id = rustix::process::Pid::from_raw(id).unwrap();
            let _ = rustix::process::kill_process(id, rustix::process::Signal::KILL);
            panic!("the CGI program does not end");
        }
        Err(RecvTimeoutError::Disconnected) => panic!("nobody waits for the CGI program"),
    }
}

impl Ran {
    #[track_caller]
    fn head(&self) -> String {
        let (head, _) = self.split();
        String::from_utf8_lossy(head).into_owned()
    }

    #[track_caller]
    fn body(&self) -> &[u8] {
        self.split().1
    }

    #[track_caller]
    fn split(&self) -> (&[u8], &[u8]) {
        let mut ends = self.stdout.windows(4);
        let Some(end) = ends.position(|bytes| bytes == b"\r\n\r\n") else {
            panic!(
                "no head in {:?}: {}",
                self.stdout.escape_ascii(),
                self.stderr
            );
        };
        (&self.stdout[..end], &self.stdout[end + 4..])
    }
}

/// The ready response that says that the program failed.
const FAILED: &str = "Status: 500 Internal Server Error";

/// Variables of several kinds of names and values.
fn odd_variables() -> Vec<(OsString, OsString)> {
    use std::os::unix::ffi::OsStringExt;

    let pairs: [(&[u8], &[u8]); 6] = [
        (b"EMPTY", b""),
        (b"BYTES", b"\xff\xfe a=b\r\n\t"),
        (b"HTTP_X_\xe4", b"\xe4"),
        (b"lower.case-name", b"=="),
        (b"UTF8", "größe".as_bytes()),
        (b"L128", &[b'v'; 128]),
    ];
    let owned = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
    pairs
        .iter()
        .map(|(name, value)| (owned(name), owned(value)))
        .collect()
}
