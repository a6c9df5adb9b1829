//! The cases: each starts a child and judges what it says.

use std::env;
use std::fs;
use std::io::{self, Read};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};

use fcgi_listen::{Address, Stream};
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

const CASES: &[(&str, fn())] = &[
    (
        "descriptor_0_becomes_a_listener",
        descriptor_0_becomes_a_listener,
    ),
    (
        "descriptor_0_of_a_unix_socket",
        descriptor_0_of_a_unix_socket,
    ),
    (
        "closed_outputs_never_become_the_listener",
        closed_outputs_never_become_the_listener,
    ),
    (
        "a_closed_input_is_no_listener",
        a_closed_input_is_no_listener,
    ),
    ("other_inputs_are_left_alone", other_inputs_are_left_alone),
    (
        "an_input_of_packets_is_an_error",
        an_input_of_packets_is_an_error,
    ),
    (
        "the_blocking_mode_is_left_as_found",
        the_blocking_mode_is_left_as_found,
    ),
    ("listen_fds_are_taken", listen_fds_are_taken),
    (
        "one_socket_passed_twice_is_one_listener",
        one_socket_passed_twice_is_one_listener,
    ),
    (
        "listen_fds_of_another_process_are_not",
        listen_fds_of_another_process_are_not,
    ),
    (
        "other_descriptors_are_passed_over",
        other_descriptors_are_passed_over,
    ),
    ("senseless_numbers_are_errors", senseless_numbers_are_errors),
    (
        "web_servers_come_from_the_environment",
        web_servers_come_from_the_environment,
    ),
    (
        "without_descriptors_accept_asks_for_a_pause",
        without_descriptors_accept_asks_for_a_pause,
    ),
    (
        "a_relative_path_is_removed_from_anywhere",
        a_relative_path_is_removed_from_anywhere,
    ),
];

/// Runs the cases whose names contain one of the arguments, or all.
pub(crate) fn run(arguments: &[String]) {
    let words: Vec<_> = arguments
        .iter()
        .filter(|word| !word.starts_with('-'))
        .collect();
    for (name, case) in CASES {
        if words.is_empty() || words.iter().any(|word| name.contains(word.as_str())) {
            println!("test {name}");
            case();
        }
    }
}

/// A child that the shell starts after it has run `script`, which moves descriptors about.
struct Child {
    folder: TempDir,
    command: Command,
}

impl Child {
    fn new(part: &str, script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command
            .args([
                "-c",
                &format!("{script}\nexec \"$0\""),
                env::current_exe().unwrap().to_str().unwrap(),
            ])
            .env("FCGI_LISTEN_TEST_CHILD", part)
            .env("REPORT", folder.path().join("report"))
            .env_remove("LISTEN_FDS")
            .env_remove("LISTEN_PID")
            .env_remove("FCGI_WEB_SERVER_ADDRS")
            .stdin(Stdio::null());
        Self { folder, command }
    }

    fn stdin(mut self, descriptor: impl Into<OwnedFd>) -> Self {
        self.command.stdin(Stdio::from(descriptor.into()));
        self
    }

    fn stdout(mut self, descriptor: impl Into<OwnedFd>) -> Self {
        self.command.stdout(Stdio::from(descriptor.into()));
        self
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it to its end and returns its report.
    fn report(mut self) -> String {
        assert!(self.command.status().unwrap().success());
        fs::read_to_string(self.folder.path().join("report")).unwrap()
    }
}

fn tcp() -> (TcpListener, Address) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().into();
    (listener, address)
}

/// Connects before the child runs, as the backlog keeps the connection for it.
fn connect(address: &Address) -> Stream {
    Stream::connect(address, None).unwrap()
}

fn assert_greeted(mut stream: Stream) {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert_eq!(text, "hello");
}

fn assert_says(report: &str, line: &str) {
    assert!(
        report.lines().any(|found| found == line),
        "no {line:?} in\n{report}"
    );
}

fn assert_none(report: &str) {
    assert!(
        !report.contains("listener") && !report.contains("error"),
        "{report}"
    );
}

fn descriptor_0_becomes_a_listener() {
    let (listener, address) = tcp();
    let client = connect(&address);
    let report = Child::new("report", "").stdin(listener).report();
    assert_says(
        &report,
        &format!("listener {address} cloexec=true nonblocking=false"),
    );
    assert_says(&report, "descriptor 0 /dev/null");
    assert_says(&report, "again 0");
    assert_greeted(client);
}

fn descriptor_0_of_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let client = connect(&Address::Unix(path.clone()));
    let report = Child::new("report", "").stdin(listener).report();
    let text = format!(
        "listener unix:{} cloexec=true nonblocking=false",
        path.display()
    );
    assert_says(&report, &text);
    assert_greeted(client);
    assert!(path.exists(), "whoever bound the path removes it");
}

fn closed_outputs_never_become_the_listener() {
    let (listener, address) = tcp();
    let client = connect(&address);
    let report = Child::new("report", "exec 1>&- 2>&-")
        .stdin(listener)
        .report();
    assert_says(
        &report,
        &format!("listener {address} cloexec=true nonblocking=false"),
    );
    for number in 0..3 {
        assert_says(&report, &format!("descriptor {number} /dev/null"));
    }
    assert_greeted(client);
}

fn a_closed_input_is_no_listener() {
    assert_none(&Child::new("report", "exec 0<&-").report());
}

fn other_inputs_are_left_alone() {
    let bound = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    bound
        .bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    let (listener, _) = tcp();
    let connected = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let others: [(OwnedFd, &str); 4] = [
        (io::pipe().unwrap().0.into(), "pipe"),
        (UnixStream::pair().unwrap().0.into(), "socket"),
        (connected.into(), "socket"),
        (bound.into(), "socket"),
    ];
    for (descriptor, kind) in others {
        let report = Child::new("report", "").stdin(descriptor).report();
        assert_none(&report);
        assert_says(&report, &format!("descriptor 0 {kind}"));
    }
}

fn an_input_of_packets_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let packets = Socket::new(Domain::UNIX, Type::SEQPACKET, None).unwrap();
    packets
        .bind(&socket2::SockAddr::unix(folder.path().join("socket")).unwrap())
        .unwrap();
    packets.listen(1).unwrap();
    let report = Child::new("report", "").stdin(packets).report();
    assert_says(
        &report,
        "error InvalidInput the listening socket is not a stream socket",
    );
    assert_says(&report, "descriptor 0 socket");
}

fn the_blocking_mode_is_left_as_found() {
    let (listener, address) = tcp();
    listener.set_nonblocking(true).unwrap();
    let client = connect(&address);
    let report = Child::new("report", "").stdin(listener).report();
    assert_says(
        &report,
        &format!("listener {address} cloexec=true nonblocking=true"),
    );
    assert_greeted(client);
}

/// Moves descriptors 0 and 1 to 3 and 4, where `LISTEN_FDS` expects them.
const MOVE: &str = "exec 3<&0 4<&1 0</dev/null 1>&2\nexport LISTEN_PID=$$";

fn listen_fds_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let unix = UnixListener::bind(&path).unwrap();
    let (tcp, address) = tcp();
    let clients = [connect(&address), connect(&Address::Unix(path.clone()))];
    let report = Child::new("report", MOVE)
        .stdin(tcp)
        .stdout(unix)
        .env("LISTEN_FDS", "2")
        .report();
    assert_says(
        &report,
        &format!("listener {address} cloexec=true nonblocking=false"),
    );
    let text = format!(
        "listener unix:{} cloexec=true nonblocking=false",
        path.display()
    );
    assert_says(&report, &text);
    assert_says(&report, "LISTEN_FDS None");
    clients.into_iter().for_each(assert_greeted);
}

fn one_socket_passed_twice_is_one_listener() {
    let (listener, address) = tcp();
    let client = connect(&address);
    let report = Child::new("report", "exec 3<&0\nexport LISTEN_PID=$$")
        .stdin(listener)
        .env("LISTEN_FDS", "1")
        .report();
    assert_eq!(report.matches("listener").count(), 1, "{report}");
    assert_says(&report, "descriptor 0 /dev/null");
    assert_greeted(client);
}

fn listen_fds_of_another_process_are_not() {
    for pid in ["export LISTEN_PID=1", "export LISTEN_PID=", ":"] {
        let (listener, _) = tcp();
        let script = format!("exec 3<&0 0</dev/null\n{pid}");
        let report = Child::new("report", &script)
            .stdin(listener)
            .env("LISTEN_FDS", "1")
            .report();
        assert_none(&report);
        assert_says(&report, "LISTEN_FDS Some(\"1\")");
    }
}

fn other_descriptors_are_passed_over() {
    let (listener, address) = tcp();
    let connected = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    listener.accept().unwrap();
    let client = connect(&address);
    // 3 is a connection, 4 a file, 5 closed, 6 the listener.
    let script = "exec 3<&0 4</dev/null 6<&1 0</dev/null 1>&2\nexport LISTEN_PID=$$";
    let report = Child::new("report", script)
        .stdin(connected)
        .stdout(listener)
        .env("LISTEN_FDS", "4")
        .report();
    assert_eq!(report.matches("listener").count(), 1, "{report}");
    assert_greeted(client);
}

fn senseless_numbers_are_errors() {
    for (name, value) in [
        ("LISTEN_FDS", "4294967295"),
        ("LISTEN_FDS", "4097"),
        ("LISTEN_FDS", "-1"),
        ("LISTEN_FDS", "one"),
        ("LISTEN_FDS_FIRST_FD", "0"),
        ("LISTEN_FDS_FIRST_FD", "2147483647"),
    ] {
        let report = Child::new("report", "export LISTEN_PID=$$")
            .env("LISTEN_FDS", "1")
            .env(name, value)
            .report();
        assert_says(
            &report,
            &format!("error InvalidData {name} is not a sensible number"),
        );
    }
}

fn web_servers_come_from_the_environment() {
    let report = |value: &str| {
        Child::new("report", "")
            .env("FCGI_WEB_SERVER_ADDRS", value)
            .report()
    };
    assert_says(&report("127.0.0.1,10.0.0.1"), "web servers bound=true");
    assert_says(&report(""), "web servers bound=false");
    assert_says(
        &Child::new("report", "").report(),
        "web servers bound=false",
    );
    let text = "web servers FCGI_WEB_SERVER_ADDRS: \"any\" is not an IP address";
    assert_says(&report("any"), text);
    let script = "export FCGI_WEB_SERVER_ADDRS=$(printf '\\377')";
    let text = "web servers FCGI_WEB_SERVER_ADDRS: \"\u{fffd}\" is not an IP address";
    assert_says(&Child::new("report", script).report(), text);
}

fn without_descriptors_accept_asks_for_a_pause() {
    let (listener, address) = tcp();
    let client = connect(&address);
    let mut child = Child::new("exhausted", "ulimit -n 20").stdin(listener);
    assert!(child.command.status().unwrap().success());
    client.shutdown(Shutdown::Write).unwrap();
    assert_greeted(client);
}

fn a_relative_path_is_removed_from_anywhere() {
    let mut child = Child::new("moved", "");
    let output = child
        .command
        .current_dir(child.folder.path())
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "done",
        "{output:?}"
    );
    assert!(output.status.success());
}
