//! fcgi-std's web server's side: against fcgi-std's own applications, and against one that a test
//! plays by hand.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use fcgi_listen::Stream;
use fcgi_std::web_server::{Application, Request};
use fcgi_std::{ProtocolStatus, Role, Server};
use fcgi_tests::hand;
use fcgi_tests::pattern::{Check, Source};

const PATIENCE: Option<Duration> = Some(Duration::from_secs(20));
const TEN_MIB: u64 = 10 * 1024 * 1024;

/// An application of this crate's own, stopped when it goes out of scope.
struct Served {
    address: fcgi_std::Address,
    handle: fcgi_std::Handle,
    thread: Option<thread::JoinHandle<io::Result<()>>>,
}

impl Served {
    fn by(
        handler: impl Fn(&mut fcgi_std::Request) -> io::Result<()> + Send + Sync + 'static,
    ) -> Served {
        let server = Server::bind("127.0.0.1:0").unwrap().on_incident(|_| {});
        let address = server.addresses().unwrap().remove(0);
        let handle = server.handle();
        let thread = Some(thread::spawn(move || server.serve(handler)));
        Served {
            address,
            handle,
            thread,
        }
    }

    fn connect(&self) -> Application {
        let mut application = Application::connect(&self.address, PATIENCE).unwrap();
        application.set_timeout(PATIENCE);
        application
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.handle.stop(Duration::from_secs(5));
        let ended = self.thread.take().map(thread::JoinHandle::join);
        if !thread::panicking() {
            ended.unwrap().unwrap().unwrap();
        }
    }
}

fn request(role: Role, params: &[(&str, &[u8])]) -> Request {
    let mut request = Request::new(role);
    for (name, value) in params {
        request.param(name, value).unwrap();
    }
    request
}

#[test]
fn every_byte_in_values_and_the_query_arrives_as_it_is() {
    let served = Served::by(|request| {
        request.header("Content-Type", "application/octet-stream")?;
        for name in ["HTTP_X_ALL", "QUERY_STRING"] {
            request
                .stdout
                .write_all(request.params.get(name).unwrap_or_default())?;
        }
        Ok(())
    });
    let all: Vec<u8> = (0..=255).collect();
    let escaped: String = all.iter().map(|byte| format!("%{byte:02X}")).collect();
    let mut application = served.connect();
    for _ in 0..3 {
        let request = request(
            Role::Responder,
            &[("HTTP_X_ALL", &all), ("QUERY_STRING", escaped.as_bytes())],
        );
        let mut nothing = io::empty();
        let mut response = application.send(&request, &mut nothing).unwrap();
        let mut body = Vec::new();
        response.read_to_end(&mut body).unwrap();
        assert_eq!(body, [&all, escaped.as_bytes()].concat());
        assert_eq!(response.finish().unwrap().app_status, Some(0));
    }
}

#[test]
fn ten_mib_each_way_do_not_block_each_other() {
    // The application echoes as it reads: whoever stops reading while it writes would stop both.
    let served = Served::by(|request| {
        request.header("Content-Type", "application/octet-stream")?;
        io::copy(&mut request.stdin, &mut request.stdout).map(drop)
    });
    let mut application = served.connect();
    for _ in 0..2 {
        let request = request(Role::Responder, &[("CONTENT_LENGTH", b"10485760")]);
        let mut body = Source::new(TEN_MIB);
        let mut response = application.send(&request, &mut body).unwrap();
        let mut check = Check::new();
        io::copy(&mut response, &mut check).unwrap();
        check.assert(TEN_MIB);
        assert_eq!(response.finish().unwrap().app_status, Some(0));
    }
    assert!(application.is_reusable());
}

#[test]
fn an_early_answer_ends_the_upload() {
    let served = Served::by(|request| {
        request.status(403)?;
        request.header("Content-Type", "text/plain")?;
        request.stdout.write_all(b"no")
    });
    let mut application = served.connect();
    let request = request(Role::Responder, &[("CONTENT_LENGTH", b"10485760")]);
    let mut body = Source::new(TEN_MIB);
    let mut response = application.send(&request, &mut body).unwrap();
    assert_eq!(response.head().unwrap().status().code(), 403);
    let mut text = String::new();
    response.read_to_string(&mut text).unwrap();
    assert_eq!(text, "no");
    response.finish().unwrap();
}

#[test]
fn authorizer_and_filter() {
    let served = Served::by(|request| {
        let role = request.role();
        request.header("Content-Type", "text/plain")?;
        request.header("Variable-ROLE", role.to_string())?;
        let mut all = Vec::new();
        request.stdin.read_to_end(&mut all)?;
        all.push(b'|');
        request.data.read_to_end(&mut all)?;
        request.stdout.write_all(&all)
    });
    let mut application = served.connect();
    let asked = request(Role::Authorizer, &[("REQUEST_METHOD", b"GET")]);
    let mut unsent = &b"never sent"[..];
    let mut response = application.send(&asked, &mut unsent).unwrap();
    assert_eq!(
        response.head().unwrap().get("variable-role"),
        Some(&b"FCGI_AUTHORIZER"[..])
    );
    response.finish().unwrap();

    let filtered = request(
        Role::Filter,
        &[("CONTENT_LENGTH", b"5"), ("FCGI_DATA_LENGTH", b"4")],
    );
    let (mut stdin, mut data) = (&b"query"[..], &b"file"[..]);
    let mut response = application
        .send_to_filter(&filtered, &mut stdin, &mut data)
        .unwrap();
    let mut text = String::new();
    response.read_to_string(&mut text).unwrap();
    assert_eq!(text, "query|file");
    assert_eq!(response.finish().unwrap().app_status, Some(0));
}

#[test]
fn stderr_exit_status_and_values() {
    let served = Served::by(|request| {
        request.stderr.write_all(b"careful")?;
        request.set_exit_status(-1);
        request.header("Content-Type", "text/plain")
    });
    let mut application = served.connect();
    let values = application.values().unwrap().unwrap();
    assert_eq!((values.max_reqs, values.mpxs_conns), (Some(1), Some(false)));
    let mut nothing = io::empty();
    let mut response = application
        .send(&Request::new(Role::Responder), &mut nothing)
        .unwrap();
    io::copy(&mut response, &mut io::sink()).unwrap();
    assert_eq!(response.stderr(), b"careful");
    let end = response.finish().unwrap();
    assert_eq!(end.app_status, Some(u32::MAX), "all 32 bits");
    assert_eq!(end.protocol_status, ProtocolStatus::REQUEST_COMPLETE);
}

#[test]
fn an_abort_reaches_the_handler() {
    let (began, begun) = std::sync::mpsc::channel();
    let served = Served::by(move |request| {
        request.header("Content-Type", "text/plain")?;
        request.stdout.flush()?;
        began.send(()).map_err(io::Error::other)?;
        while !request.is_aborted() {
            thread::sleep(Duration::from_millis(1));
        }
        Err(io::ErrorKind::ConnectionAborted.into())
    });
    let mut application = served.connect();
    let mut nothing = io::empty();
    let mut response = application
        .send(&Request::new(Role::Responder), &mut nothing)
        .unwrap();
    response.head().unwrap();
    begun.recv_timeout(Duration::from_secs(20)).unwrap();
    assert_eq!(response.abort().unwrap().app_status, Some(1));
}

/// An application that answers the first request with these bytes, then closes.
fn canned(answer: Vec<u8>) -> Application {
    let (near, mut far) = UnixStream::pair().unwrap();
    thread::spawn(move || {
        let mut first = [0; 8];
        far.read_exact(&mut first).unwrap();
        far.write_all(&answer).unwrap();
        far.shutdown(std::net::Shutdown::Write).unwrap();
        // A close with unread input would be a reset.
        io::copy(&mut far, &mut io::sink()).unwrap();
    });
    let mut application = Application::over(Stream::from(near)).unwrap();
    application.set_timeout(PATIENCE);
    application
}

const PAGE: &[u8] = b"Content-Type: text/plain\r\n\r\nhello";

#[test]
fn endings_that_applications_leave_out() {
    let stdout = hand::stream(hand::STDOUT, 1, PAGE);
    let stdout_end = hand::end_of(hand::STDOUT, 1);
    let end = hand::end_request(1, 7, hand::REQUEST_COMPLETE);
    for (keep, answer, expected) in [
        // PHP leaves out the end of STDOUT.
        (true, [&stdout[..], &end].concat(), Ok(Some(7))),
        (
            false,
            [&stdout[..], &stdout_end, &end].concat(),
            Ok(Some(7)),
        ),
        // Closed instead of ended: good enough if it was to be closed.
        (false, [&stdout[..], &stdout_end].concat(), Ok(None)),
        (
            true,
            [&stdout[..], &stdout_end].concat(),
            Err(io::ErrorKind::UnexpectedEof),
        ),
        (false, stdout.clone(), Err(io::ErrorKind::UnexpectedEof)),
        (
            false,
            stdout[..20].to_vec(),
            Err(io::ErrorKind::UnexpectedEof),
        ),
        (
            false,
            hand::stream(hand::STDIN, 1, b"x"),
            Err(io::ErrorKind::InvalidData),
        ),
    ] {
        let mut application = canned(answer);
        let mut request = Request::new(Role::Responder);
        request.keep_conn(keep);
        let mut nothing = io::empty();
        let mut response = application.send(&request, &mut nothing).unwrap();
        let mut text = String::new();
        let read = response.read_to_string(&mut text);
        let ended = read
            .and_then(|_| response.finish())
            .map(|end| end.app_status);
        assert_eq!(ended.map_err(|error| error.kind()), expected);
        if expected.is_ok() {
            assert_eq!(text, "hello");
        }
        assert_eq!(application.is_reusable(), keep && expected.is_ok());
        if !application.is_reusable() {
            let mut nothing = io::empty();
            let again = application.send(&request, &mut nothing).map(drop);
            assert_eq!(again.unwrap_err().kind(), io::ErrorKind::NotConnected);
        }
    }
}

#[test]
fn a_refusal_says_so() {
    let mut application = canned(hand::end_request(1, 0, hand::OVERLOADED));
    let mut nothing = io::empty();
    let mut response = application
        .send(&Request::new(Role::Responder), &mut nothing)
        .unwrap();
    let error = response.head().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the application refused the request: FCGI_OVERLOADED"
    );
    assert_eq!(
        response.finish().unwrap().protocol_status,
        ProtocolStatus::OVERLOADED
    );
}

#[test]
fn an_application_that_answers_no_questions() {
    let mut application = canned(hand::unknown_type(hand::GET_VALUES));
    assert_eq!(application.values().unwrap(), None);
    let mut application = canned(Vec::new());
    assert_eq!(
        application.values().unwrap_err().kind(),
        io::ErrorKind::UnexpectedEof
    );
}

#[test]
fn a_dropped_response_leaves_no_connection_to_reuse() {
    let served = Served::by(|request| request.header("Content-Type", "text/plain"));
    let mut application = served.connect();
    let mut nothing = io::empty();
    drop(
        application
            .send(&Request::new(Role::Responder), &mut nothing)
            .unwrap(),
    );
    assert!(!application.is_reusable());
}
