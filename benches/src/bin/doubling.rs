//! Does the work of one kind of form on inputs that double: `doubling KIND LENGTH TIMES`. Without
//! arguments it lists the kinds, those marked with a star that come byte by byte.
//!
//! Run under callgrind, which counts the measured function alone and writes a profile for each
//! call of it; `cargo xtask instructions --doubling` does so for each kind.

use std::process::ExitCode;

use fcgi_benches::forms::doubling::KINDS;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [] => {
            for kind in KINDS {
                println!("{}{}", kind.name, if kind.is_slow() { " *" } else { "" });
            }
            ExitCode::SUCCESS
        }
        [name, length, times] => match (length.parse(), times.parse()) {
            (Ok(length), Ok(times)) => double(name, length, times),
            _ => fail("LENGTH and TIMES are numbers"),
        },
        _ => fail("usage: doubling [KIND LENGTH TIMES]"),
    }
}

/// Works on inputs of `length` bytes, twice as many, and so on.
fn double(name: &str, mut length: usize, times: u32) -> ExitCode {
    let Some(kind) = KINDS.iter().find(|kind| kind.name == name) else {
        return fail(&format!("no kind is called {name}"));
    };
    for _ in 0..=times {
        let input = kind.input(length);
        println!("{} {}", input.len(), kind.measured(&input));
        length *= 2;
    }
    ExitCode::SUCCESS
}

fn fail(message: &str) -> ExitCode {
    eprintln!("doubling: {message}");
    ExitCode::FAILURE
}
