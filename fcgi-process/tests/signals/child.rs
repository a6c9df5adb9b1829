//! The children: they answer connections with a line, and end with a status that tells why.

use std::env;
use std::io::Write;
use std::process::{self, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use signal_hook::consts::{SIGTERM, SIGUSR1};

/// The status after SIGTERM.
pub(crate) const TERMINATED: i32 = 22;
/// The status after SIGUSR1.
pub(crate) const FINISHED: i32 = 21;
/// The status of a child's own child that knows that it is not supervised.
pub(crate) const GRANDCHILD_KNOWS: i32 = 33;

pub(crate) fn run(mode: &str) {
    match mode {
        "nested" => nested(),
        "grandchild" => process::exit(1),
        _ => serve(mode),
    }
}

/// Has a child of its own, and ends as that does.
fn nested() -> ! {
    let program = env::current_exe().unwrap();
    let status = Command::new(program).arg("grandchild").status().unwrap();
    process::exit(status.code().unwrap());
}

/// `obedient` heeds SIGTERM and SIGUSR1, `unfinished` only SIGTERM, `stubborn` none of them.
fn serve(mode: &str) -> ! {
    let reason = Arc::new(AtomicUsize::new(0));
    for (signal, status) in [(SIGTERM, TERMINATED), (SIGUSR1, FINISHED)] {
        let heeded = mode == "obedient" || (mode == "unfinished" && signal == SIGTERM);
        if heeded {
            let status = usize::try_from(status).unwrap();
            signal_hook::flag::register_usize(signal, Arc::clone(&reason), status).unwrap();
        } else {
            let ignored = Arc::new(AtomicBool::new(false));
            signal_hook::flag::register(signal, ignored).unwrap();
        }
    }
    let listener = fcgi_listen::inherited().unwrap().remove(0);
    loop {
        let why = reason.load(Ordering::Relaxed);
        if why != 0 {
            process::exit(i32::try_from(why).unwrap());
        }
        // A signal between the look at the reason and this costs the timeout.
        if listener.wait(Some(Duration::from_millis(20))).unwrap() {
            // A sibling may have been quicker.
            if let Ok((mut stream, _)) = listener.accept() {
                stream
                    .write_all(format!("{}\n", process::id()).as_bytes())
                    .unwrap();
            }
        }
    }
}
