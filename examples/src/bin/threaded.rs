//! The kit's threaded: twenty threads, each with a loop over the same requests.
//!
//! ```text
//! cargo run --release -p fcgi-examples --bin threaded 127.0.0.1:9000
//! ```
//!
//! Nothing is locked by hand: `accept` may be called by all threads at once, and a web server that
//! keeps its connections occupies none of them.

use std::env;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use fcgi_std::{Requests, Server};

const THREADS: usize = 20;
/// How long requests may go on when a signal stops the program.
const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> io::Result<()> {
    let server = Server::detect(env::args().nth(1).as_deref())?;
    let requests = server.stop_on_signals(PATIENCE).requests()?;
    let counts: [AtomicU64; THREADS] = [const { AtomicU64::new(0) }; THREADS];
    thread::scope(|scope| {
        for number in 0..THREADS {
            let (requests, counts) = (&requests, &counts);
            scope.spawn(move || {
                if let Err(error) = work(number, requests, counts) {
                    eprintln!("thread {number} ended: {error}");
                }
            });
        }
    });
    Ok(())
}

fn work(number: usize, requests: &Requests, counts: &[AtomicU64]) -> io::Result<()> {
    while let Some(mut request) = requests.accept()? {
        counts[number].fetch_add(1, Ordering::Relaxed);
        request.content_type("text/plain")?;
        let mut page = format!("Thread {number} of process {}.\n", std::process::id());
        for (other, count) in counts.iter().enumerate() {
            let served = count.load(Ordering::Relaxed);
            page += &format!("{other:2} has served {served}\n");
        }
        let sent = request.stdout.write_all(page.as_bytes());
        // A client that went away is no reason to end.
        if let Err(error) = sent.and_then(|()| request.finish()) {
            eprintln!("thread {number}: {error}");
        }
    }
    Ok(())
}
