//! Does one workload again and again: `count WORKLOAD TIMES`. Without arguments it lists them all,
//! each with its size in bytes.
//!
//! Run under callgrind with two numbers of times, the difference in instructions is that of the
//! work alone; `cargo xtask instructions` does so for each workload.

use std::hint::black_box;
use std::process::ExitCode;

use fcgi_benches::workloads;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [] => list(),
        [name, times] => match times.parse() {
            Ok(times) => repeat(name, times),
            Err(error) => fail(&format!("{times}: {error}")),
        },
        _ => fail("usage: count [WORKLOAD TIMES]"),
    }
}

fn list() -> ExitCode {
    for workload in workloads::all() {
        println!("{} {}", workload.name, workload.bytes);
    }
    ExitCode::SUCCESS
}

fn repeat(name: &str, times: u32) -> ExitCode {
    let mut workloads = workloads::all();
    let Some(workload) = workloads.iter_mut().find(|workload| workload.name == name) else {
        return fail(&format!("no workload is called {name}"));
    };
    for _ in 0..times {
        black_box(workload.run());
    }
    ExitCode::SUCCESS
}

fn fail(message: &str) -> ExitCode {
    eprintln!("count: {message}");
    ExitCode::FAILURE
}
