//! A listening socket that a program on libfcgi shares with one of ours, each as its descriptor 0.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::process::Command;

use fcgi_tests::blocking::eventually;
use fcgi_tests::http::{Client, Request};
use fcgi_tests::libfcgi::compile;
use fcgi_tests::nginx::Nginx;
use fcgi_tests::process::{Running, example};
use rustix::process::Signal;

use crate::supervised::PATIENCE;

/// The kit's own smallest page, in C.
const TINY: &str = r#"
#include <fcgi_stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(void)
{
    int count = 0;

    while (FCGI_Accept() >= 0)
        printf("Content-Type: text/html\r\n\r\n"
               "Request number %d running on host <i>%s</i> in process %d.\n",
               ++count, getenv("SERVER_NAME"), (int)getpid());
    return 0;
}
"#;

/// Which process has answered.
#[track_caller]
fn ask(nginx: &Nginx) -> u32 {
    let page = Client::connect(nginx.address()).call(&Request::get("/tiny.fcgi"));
    let text = page.text();
    assert_eq!(page.status, 200, "{text}");
    let (_, process) = text.split_once("in process ").expect(&text);
    process.trim_end_matches(".\n").parse().expect(&text)
}

/// Asks until each of them, and nobody else, has answered ten times.
#[track_caller]
fn all_serve(nginx: &Nginx, wanted: &[u32]) {
    let mut answers = Vec::new();
    eventually(
        || {
            answers.push(ask(nginx));
            let count = |pid| answers.iter().filter(|answer| **answer == pid).count();
            wanted.iter().all(|pid| count(*pid) >= 10)
        },
        || "not all of them serve".to_owned(),
    );
    let seen: BTreeSet<_> = answers.iter().copied().collect();
    assert_eq!(seen, wanted.iter().copied().collect());
}

#[test]
fn both_serve_and_each_goes_on_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let program = compile(directory.path(), TINY);
    let start = |mut command: Command| {
        let listener = OwnedFd::from(listener.try_clone().unwrap());
        Running::start(command.stdin(listener))
    };
    let mut libfcgi = start(Command::new(&program));
    let ours = start(example("tiny-fcgi"));
    let nginx = Nginx::before(path)
        .directive("fastcgi_next_upstream off;")
        .start();
    all_serve(&nginx, &[libfcgi.id(), ours.id()]);

    // As an operator stops it while it waits.
    libfcgi.signal(Signal::TERM);
    assert!(libfcgi.wait(PATIENCE).is_some());
    all_serve(&nginx, &[ours.id()]);

    let libfcgi = start(Command::new(&program));
    all_serve(&nginx, &[libfcgi.id(), ours.id()]);
    let mut ours = ours;
    ours.signal(Signal::TERM);
    let status = ours.wait(PATIENCE);
    assert!(status.is_some_and(|status| status.success()), "{status:?}");
    all_serve(&nginx, &[libfcgi.id()]);

    let ours = start(example("tiny-fcgi2"));
    all_serve(&nginx, &[libfcgi.id(), ours.id()]);
}
