//! The parts that the child plays.

use std::env;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::fd::AsRawFd;

use fcgi_listen::{AcceptAction, Address, Listener, Options, WebServerAddrs, inherited};
use rustix::io::FdFlags;

/// Tells what was inherited, one fact per line, and greets one connection per listener.
pub(crate) fn report() {
    let mut text = String::new();
    let listeners = inherited().unwrap_or_else(|error| {
        writeln!(text, "error {:?} {error}", error.kind()).unwrap();
        Vec::new()
    });
    for listener in &listeners {
        let flags = rustix::io::fcntl_getfd(listener).unwrap();
        assert!(
            listener.as_raw_fd() > 2,
            "a listener among the standard descriptors"
        );
        assert!(listener.is_inherited());
        writeln!(
            text,
            "listener {} cloexec={} nonblocking={}",
            listener.local_address().unwrap(),
            flags.contains(FdFlags::CLOEXEC),
            listener.is_nonblocking().unwrap(),
        )
        .unwrap();
    }
    for number in 0..3 {
        let target = fs::read_link(format!("/proc/self/fd/{number}")).unwrap();
        let kind = target.display().to_string();
        let kind = kind.split(':').next().unwrap();
        writeln!(text, "descriptor {number} {kind}").unwrap();
    }
    writeln!(
        text,
        "again {}",
        inherited().map_or(99, |again| again.len())
    )
    .unwrap();
    writeln!(text, "LISTEN_FDS {:?}", env::var("LISTEN_FDS").ok()).unwrap();
    match WebServerAddrs::from_env() {
        Ok(list) => writeln!(text, "web servers bound={}", list.is_bound()).unwrap(),
        Err(error) => writeln!(text, "web servers {error}").unwrap(),
    }
    fs::write(env::var_os("REPORT").unwrap(), text).unwrap();
    for listener in &listeners {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"hello").unwrap();
    }
}

/// Runs out of descriptors, is told to pause, and accepts when there is room again.
pub(crate) fn exhausted() {
    let listener = inherited().unwrap().remove(0);
    let mut files = Vec::new();
    let error = loop {
        match File::open("/dev/null") {
            Ok(file) => files.push(file),
            Err(error) => break error,
        }
    };
    assert_eq!(AcceptAction::for_error(&error), AcceptAction::Pause);
    let error = listener.accept().unwrap_err();
    assert_eq!(
        AcceptAction::for_error(&error),
        AcceptAction::Pause,
        "{error}"
    );
    files.pop();
    let (mut stream, _) = listener.accept().unwrap();
    stream.write_all(b"hello").unwrap();
}

/// Binds a relative path, goes elsewhere, and still cleans up after itself.
pub(crate) fn moved() {
    let folder = env::current_dir().unwrap();
    let address: Address = "./socket".parse().unwrap();
    let listener = Listener::bind(&address, &Options::new()).unwrap();
    assert!(folder.join("socket").exists());
    env::set_current_dir("/").unwrap();
    drop(listener);
    assert!(!folder.join("socket").exists());
    std::io::stdout().write_all(b"done").unwrap();
}
