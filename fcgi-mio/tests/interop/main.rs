//! Outgoing connections to a real application, PHP-FPM; the tests fail where it is not installed.

#[path = "../web_server/world.rs"]
#[allow(dead_code, reason = "the other test program uses all of it")]
mod world;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fcgi_core::Role;
use fcgi_listen::Address;
use fcgi_mio::web_server::{Request, Settings};
use fcgi_tests::pattern;
use fcgi_tests::process::Running;

use crate::world::*;

const SCRIPT: &str = r#"<?php
header('Content-Type: text/plain');
if ($_SERVER['QUERY_STRING'] === 'endless') {
    while (true) { echo str_repeat('x', 4096); flush(); usleep(1000); }
}
if ($_SERVER['QUERY_STRING'] === 'warn') { error_log('a warning'); }
echo '[', $_SERVER['QUERY_STRING'], ']';
readfile('php://input');
"#;

/// PHP-FPM with one child, in a directory of its own.
struct Php {
    address: Address,
    directory: PathBuf,
    _running: Running,
}

impl Drop for Php {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn program() -> Option<PathBuf> {
    let names = ["php-fpm", "php-fpm8.2", "php-fpm8.3", "php-fpm8.4"];
    let all = ["/usr/sbin", "/usr/bin", "/usr/local/sbin"];
    let all = all
        .iter()
        .flat_map(|at| names.map(|name| Path::new(at).join(name)));
    all.into_iter().find(|path| path.exists())
}

impl Php {
    fn start() -> Php {
        let program = program().expect("PHP-FPM, which `cargo xtask packages` installs");
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("fcgi-mio-php-{}-{count}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir(&directory).unwrap();
        let socket = directory.join("socket");
        std::fs::write(directory.join("script.php"), SCRIPT).unwrap();
        let configuration = format!(
            "[global]\ndaemonize = no\nerror_log = {0}/log\n[www]\nlisten = {0}/socket\n\
             user = {1}\ngroup = {2}\npm = static\npm.max_children = 1\n",
            directory.display(),
            rustix::process::getuid().as_raw(),
            rustix::process::getgid().as_raw(),
        );
        let file = directory.join("php-fpm.conf");
        std::fs::write(&file, configuration).unwrap();
        let running = Running::start(
            Command::new(program)
                .args(["-F", "-R", "-n", "-y"])
                .arg(file),
        );
        let patience = Instant::now() + PATIENCE;
        while std::os::unix::net::UnixStream::connect(&socket).is_err() {
            assert!(Instant::now() < patience, "it does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        Php {
            address: Address::Unix(socket),
            directory,
            _running: running,
        }
    }

    fn request(&self, query: &str, body: Vec<u8>) -> Request {
        let mut request = Request::new(Role::Responder);
        let script = self.directory.join("script.php");
        let length = body.len().to_string();
        let pairs = [
            ("SCRIPT_FILENAME", script.to_str().unwrap()),
            ("REQUEST_METHOD", "POST"),
            ("REQUEST_URI", "/script.php"),
            ("QUERY_STRING", query),
            ("CONTENT_LENGTH", &length),
        ];
        for (name, value) in pairs {
            request.param(name, value).unwrap();
        }
        request.body(body);
        request
    }
}

#[test]
fn php_serves_one_request_after_the_other_on_a_kept_connection() {
    let php = Php::start();
    let mut world = World::new(Settings::new().max_connections(1));
    let application = world.application(&php.address);
    let sizes = [0, 1, 100_000, 4 << 20, 3];
    let sent = sizes.map(|size| send(&application, php.request("q", pattern::bytes(size))));
    world.run(&sent.each_ref().map(|(_, log)| log));
    for ((_, log), size) in sent.iter().zip(sizes) {
        assert_eq!(log.app_status(), Some(0));
        assert!(
            log.stdout()
                .ends_with(&[b"[q]", &pattern::bytes(size)[..]].concat())
        );
    }
    assert_eq!(world.outgoing.counters().opened, 1);
}

#[test]
fn php_says_no_and_is_served_one_by_one() {
    let php = Php::start();
    let mut world = World::new(Settings::new().multiplex(16).max_connections(1));
    let application = world.application(&php.address);
    let sent = [(); 5].map(|()| send(&application, php.request("warn", Vec::new())));
    world.run(&sent.each_ref().map(|(_, log)| log));
    for (_, log) in &sent {
        assert_eq!(log.app_status(), Some(0));
        assert!(log.stdout().ends_with(b"[warn]"));
        assert!(String::from_utf8_lossy(&log.stderr()).contains("a warning"));
    }
    assert_eq!(world.outgoing.counters().multiplexed, 0);
}

#[test]
fn php_does_not_hear_an_abort_and_loses_the_connection() {
    let php = Php::start();
    let timeout = Duration::from_millis(100);
    let settings = Settings::new().max_connections(1).abort_timeout(timeout);
    let mut world = World::new(settings);
    let application = world.application(&php.address);
    let (call, log) = send(&application, php.request("endless", Vec::new()));
    world.run_until("it has begun", |_| log.stdout_len() > 100_000);
    drop(call);
    let (_call, next) = send(&application, php.request("next", Vec::new()));
    world.run(&[&next]);
    assert!(next.stdout().ends_with(b"[next]"));
    assert_eq!(world.outgoing.counters().opened, 2);
}
