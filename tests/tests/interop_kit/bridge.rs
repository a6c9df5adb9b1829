//! `cgi-fcgi` and examples, run as CGI programs without a web server.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;

use fcgi_tests::address::Address;
use fcgi_tests::process::{example, tool};

/// What a CGI program has done.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    /// What goes to the web server's log.
    pub(crate) stderr: String,
}

impl Ran {
    /// The lines before the body, without an order.
    pub(crate) fn sorted_lines(&self, body: &[u8]) -> BTreeSet<String> {
        let head = self.stdout.strip_suffix(body).expect("the body");
        let head = String::from_utf8_lossy(head);
        head.lines().map(str::to_owned).collect()
    }
}

/// Passes a request to the application with `cgi-fcgi -bind -connect`.
#[track_caller]
pub(crate) fn run(application: &Address, variables: &[(&str, &str)], body: &[u8]) -> Ran {
    let mut command = tool("cgi-fcgi");
    let Address::Unix(path) = application else {
        panic!("the application listens on a unix socket");
    };
    command.args(["-bind", "-connect"]).arg(path);
    cgi(command, variables, body)
}

/// Runs the example itself.
#[track_caller]
pub(crate) fn direct(name: &str, variables: &[(&str, &str)], body: &[u8]) -> Ran {
    cgi(example(name), variables, body)
}

/// Without any other variables, and with pipes for everything.
#[track_caller]
fn cgi(mut command: Command, variables: &[(&str, &str)], body: &[u8]) -> Ran {
    command.env_clear().envs(variables.iter().copied());
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let output = thread::scope(|scope| {
        // A program that does not want all of it may have ended.
        scope.spawn(move || stdin.write_all(body));
        child.wait_with_output().unwrap()
    });
    Ran {
        status: output.status.code(),
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
