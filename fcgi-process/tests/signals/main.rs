//! Signals, which only a process of its own can show. This program is the supervisor, its children,
//! and the one that judges both.

mod child;
mod parent;

use std::env;
use std::io::Write;
use std::process;
use std::time::Duration;

use fcgi_listen::{Address, Listener, Options};
use fcgi_process::{Program, Supervisor};
use nix::sys::signal::SigSet;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let is_supervisor = env::var_os("FCGI_PROCESS_TEST").is_some();
    match arguments.first().map(String::as_str) {
        // First, as the children have the supervisor's arguments and environment.
        Some(mode) if fcgi_process::is_supervised() => child::run(mode),
        Some("grandchild") => process::exit(child::GRANDCHILD_KNOWS),
        Some(_) if is_supervisor => supervise(&arguments[1]),
        _ => parent::run(&arguments),
    }
}

/// Prints events as lines; exits with status 0 when it has stopped.
fn supervise(address: &str) {
    if env::var_os("BLOCKED").is_some() {
        SigSet::all().thread_block().unwrap();
    }
    let address: Address = address.parse().unwrap();
    let listener = Listener::bind(&address, &Options::new()).unwrap();
    // The children share the socket, and wait for other things as well.
    listener.set_nonblocking(true).unwrap();
    let millis = |name: &str| {
        let value = env::var(name).map_or(1_000_000, |value| value.parse().unwrap());
        Duration::from_millis(value)
    };
    Supervisor::new(listener, Program::current().unwrap())
        .children(2)
        .allow_root(true)
        .settle(millis("SETTLE"))
        .patience(millis("PATIENCE"))
        .on_event(|event| {
            println!("{event}");
            std::io::stdout().flush().unwrap();
        })
        .run()
        .unwrap();
}
