//! The `fcgi` program, with applications as its children.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use fcgi_tests::http::{Client, Request};
use fcgi_tests::process::{Running, example};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

const PATIENCE: Duration = Duration::from_secs(20);

/// `fcgi serve` on a free port.
struct Serve {
    running: Running,
    address: SocketAddr,
}

impl Serve {
    #[track_caller]
    fn start(arguments: &[&str]) -> Serve {
        Serve::start_by(&mut Command::new(env!("CARGO_BIN_EXE_fcgi")), arguments)
    }

    /// By a command that hands its arguments on to `fcgi`.
    #[track_caller]
    fn start_by(command: &mut Command, arguments: &[&str]) -> Serve {
        let running = Running::start(
            command
                .args(["serve", "--http", "127.0.0.1:0"])
                .args(arguments),
        );
        let mut serve = Serve {
            running,
            address: "127.0.0.1:0".parse().unwrap(),
        };
        let line = serve.line("fcgi serve: http://");
        let address = line.split('/').nth(2).unwrap();
        serve.address = address.parse().unwrap();
        serve
    }

    /// Waits until such a line was printed.
    #[track_caller]
    fn line(&mut self, what: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let log = self.running.log();
            if let Some(line) = log.lines().find(|line| line.contains(what)) {
                return line.to_owned();
            }
            let status = self.running.exited();
            assert_eq!(status, None, "before it printed {what:?}: {log}");
            assert!(Instant::now() < deadline, "no {what:?} in {log}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[track_caller]
    fn get(&self, target: &str) -> fcgi_tests::http::Response {
        Client::connect(self.address).call(&Request::get(target))
    }

    /// Ends it; it has to exit well.
    #[track_caller]
    fn stop(mut self, signal: Signal) {
        self.running.signal(signal);
        let status = self.running.wait(PATIENCE).expect("it stops");
        assert!(status.success(), "{status}: {}", self.running.log());
    }
}

/// An example program, as an argument.
fn program(name: &str) -> String {
    example(name).get_program().to_str().unwrap().to_owned()
}

/// The process id in the page of `tiny-fcgi`.
#[track_caller]
fn process_of(page: &str) -> Pid {
    let (_, id) = page.rsplit_once("process ").expect(page);
    let id = id.trim().trim_end_matches('.').parse().unwrap();
    Pid::from_raw(id).unwrap()
}

#[track_caller]
fn assert_gone(process: Pid) {
    let deadline = Instant::now() + PATIENCE;
    while test_kill_process(process).is_ok() {
        assert!(Instant::now() < deadline, "{process:?} still runs");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_child_is_started_and_stopped() {
    // One that is ignored here is by what is started here.
    let heeded = fcgi_tools::stop::signals();
    let signals = [Signal::INT, Signal::TERM, Signal::HUP];
    for signal in signals
        .into_iter()
        .filter(|signal| heeded.contains(&signal.as_raw()))
    {
        let serve = Serve::start(&["--", &program("tiny-fcgi")]);
        let pages = [(); 3].map(|()| serve.get("/").text());
        for (page, number) in pages.iter().zip(1..) {
            assert!(
                page.contains(&format!("Request number {number} ")),
                "{page}"
            );
        }
        let process = process_of(&pages[0]);
        test_kill_process(process).expect("the child runs");
        serve.stop(signal);
        assert_gone(process);
    }
}

#[test]
fn its_socket_goes_away_with_it() {
    let mut serve = Serve::start(&["--", &program("tiny-fcgi")]);
    let line = serve.line(" shows unix:");
    let path = line.rsplit_once("unix:").unwrap().1.to_owned();
    let directory = std::path::Path::new(&path).parent().unwrap().to_owned();
    assert!(directory.is_dir());
    serve.stop(Signal::TERM);
    assert!(!fs::exists(directory).unwrap());
}

/// Also one whose place was chosen.
#[test]
fn its_path_goes_away_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.sock");
    let program = program("tiny-fcgi");
    let serve = Serve::start(&["--listen", path.to_str().unwrap(), "--", &program]);
    assert!(serve.get("/").text().contains("Request number 1 "));
    assert!(path.exists());
    serve.stop(Signal::TERM);
    assert!(!path.exists());
}

#[test]
fn a_child_may_listen_on_tcp() {
    let mut serve = Serve::start(&["--listen", "127.0.0.1:0", "--", &program("echo")]);
    serve.line(" shows 127.0.0.1:");
    let page = Client::connect(serve.address).call(&Request::post("/", "body"));
    assert!(page.text().ends_with("\n\nbody"), "{}", page.text());
    serve.stop(Signal::INT);
}

#[test]
fn a_child_that_dies_is_started_again() {
    let mut serve = Serve::start(&["--", &program("tiny-fcgi")]);
    let mut last = process_of(&serve.get("/").text());
    for _ in 0..2 {
        kill_process(last, Signal::KILL).unwrap();
        serve.line("has ended: killed by signal 9; it is started again in 100ms");
        // A client that comes in the pause waits for the new one.
        let next = process_of(&serve.get("/").text());
        assert_ne!(next, last);
        last = next;
    }
    serve.stop(Signal::TERM);
    assert_gone(last);
}

#[test]
fn a_child_that_does_not_stay_gets_a_page() {
    let mut serve = Serve::start(&["--", "sh", "-c", "exit 3"]);
    // Waiting requests are not left alone when it turns out that nobody will come.
    let page = serve.get("/");
    assert_eq!(page.status, 503);
    assert!(
        page.text().contains("has ended: exit status 3"),
        "{}",
        page.text()
    );
    assert_eq!(page.field("Retry-After").as_deref(), Some("1"));
    let log = serve.running.log();
    for pause in ["100ms", "200ms", "400ms", "800ms"] {
        serve.line(&format!(
            "sh has ended: exit status 3; it is started again in {pause}"
        ));
    }
    assert!(!log.contains("GET / 200"), "{log}");
    serve.stop(Signal::TERM);
}

#[test]
fn output_of_the_child_passes_through() {
    let script = format!(
        "echo to stdout; echo to stderr >&2; exec {}",
        program("echo")
    );
    let mut serve = Serve::start(&["--param", "A=b", "--", "sh", "-c", &script]);
    assert!(serve.get("/").text().contains("\nA=b\n"));
    serve.line("to stdout");
    serve.line("to stderr");
    serve.line("GET / 200 ");
    serve.stop(Signal::TERM);
}

/// A chunked body is collected in a file, which here may have so many bytes. The very last byte is
/// one too many: the application must not get the others as the whole.
#[test]
fn a_body_that_finds_no_room_is_refused() {
    const ROOM: usize = 100 * 1024;
    let mut shell = Command::new("sh");
    // In blocks of 512 bytes. Unless it is ignored, a signal ends whoever writes more.
    let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$@\"", ROOM / 512);
    shell.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_fcgi")]);
    let serve = Serve::start_by(&mut shell, &["--", &program("echo")]);
    let mut client = Client::connect(serve.address);
    let upload = Request::post("/", "").chunked();
    client.send(&upload.head_bytes()).unwrap();
    client.send(format!("{ROOM:x}\r\n").as_bytes()).unwrap();
    client.send(&[b'x'; ROOM]).unwrap();
    client.send(b"\r\n1\r\ny\r\n0\r\n\r\n").unwrap();
    let mut page = Vec::new();
    let status = client.receive(false, &mut page).unwrap().status;
    assert_eq!(status, 507, "{}", String::from_utf8_lossy(&page));
    serve.stop(Signal::TERM);
}

/// Requests in flight end before the child is stopped.
#[test]
fn a_stop_waits_for_requests() {
    let mut serve = Serve::start(&["--", &program("echo")]);
    let mut client = Client::connect(serve.address);
    let upload = Request::post("/", "0123456789");
    client.send(&upload.head_bytes()).unwrap();
    client.send(b"01234").unwrap();
    // Until the application has it.
    thread::sleep(Duration::from_millis(300));
    serve.running.signal(Signal::INT);
    serve.line("stopping; 1 requests may go on");
    client.send(b"56789").unwrap();
    let mut body = Vec::new();
    assert_eq!(client.receive(false, &mut body).unwrap().status, 200);
    assert!(body.ends_with(b"\n\n0123456789"));
    let status = serve.running.wait(PATIENCE).expect("it stops");
    assert!(status.success());
}

/// A second Ctrl-C does not wait, neither for requests nor for a child that ignores SIGTERM.
#[test]
fn a_second_signal_stops_at_once() {
    // A shell starts what runs in its background with another standard input, unless told.
    let script = format!(
        "trap '' TERM; exec 3<&0; {} <&3 & wait; wait",
        program("tiny-fcgi")
    );
    let mut serve = Serve::start(&["--", "sh", "-c", &script]);
    let process = process_of(&serve.get("/").text());
    let begun = Instant::now();
    serve.running.signal(Signal::INT);
    thread::sleep(Duration::from_millis(100));
    serve.running.signal(Signal::INT);
    let status = serve.running.wait(PATIENCE).expect("it stops");
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert!(status.success());
    assert_gone(process);
}

#[test]
fn mistakes_are_reported() {
    for (arguments, text) in [
        (&["serve"][..], "--connect"),
        (&["serve", "--connect", "9000"], "bare port"),
        (
            &["serve", "--connect", ":1", "--", "true"],
            "cannot be used with",
        ),
        (&["serve", "--", "/nonexistent/app"], "/nonexistent/app"),
        (&["serve", "--param", "X", "--connect", ":1"], "NAME=VALUE"),
        (
            &["serve", "--param", "HTTP_PROXY=x", "--connect", ":1"],
            "HTTP_PROXY",
        ),
        (&["serve", "--script-name", "x", "--connect", ":1"], "slash"),
        (
            &["serve", "--http", "/tmp/x", "--connect", ":1"],
            "unix sockets",
        ),
        (
            &["serve", "--http", "192.0.2.1:1", "--connect", ":1"],
            "192.0.2.1:1",
        ),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fcgi"));
        let mut running = Running::start(command.args(arguments));
        let status = running.wait(PATIENCE).expect("it ends");
        let log = running.log();
        assert!(!status.success(), "{arguments:?}: {log}");
        assert!(log.contains(text), "{text} in {log}");
    }
}
