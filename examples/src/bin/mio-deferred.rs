//! Work that takes time, done by threads while the loop goes on serving.
//!
//! ```text
//! cargo run --release -p fcgi-examples --bin mio-deferred 127.0.0.1:9000
//! curl 'http://localhost/?9223372036854775783'                # through your web server
//! ```
//!
//! It answers whether the number is prime, found the slow way: that one takes some seconds, and
//! others are answered meanwhile. The queue is bounded: with a hundred numbers waiting, the next
//! client gets a 503 at once.

use std::io;
use std::sync::mpsc::{Receiver, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use fcgi_mio::{Deferred, Server};

const WORKERS: usize = 4;
const QUEUE: usize = 100;

/// A number, and the request that waits for the answer.
type Job = (u64, Deferred);

fn main() -> io::Result<()> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:9000".to_owned());
    let (queue, jobs) = sync_channel::<Job>(QUEUE);
    let jobs = Arc::new(Mutex::new(jobs));
    for _ in 0..WORKERS {
        let jobs = Arc::clone(&jobs);
        thread::spawn(move || work(&jobs));
    }
    Server::inherited_or_bind(&address)?.serve(move |request, response| {
        response.header("Content-Type", "text/plain")?;
        let query = request.param("QUERY_STRING").unwrap_or_default();
        let number = std::str::from_utf8(query).ok();
        let Some(number) = number.and_then(|text| text.parse().ok()) else {
            response.status(400)?;
            return response.write("Ask for a number, as in /?17\n");
        };
        if let Err(full) = queue.try_send((number, response.defer()?)) {
            let (TrySendError::Full((_, mut deferred))
            | TrySendError::Disconnected((_, mut deferred))) = full;
            deferred.status(503)?;
            // Whether or not the client is still there.
            let _ = deferred.complete("Too busy, please come back later.\n");
        }
        Ok(())
    })
}

fn work(jobs: &Mutex<Receiver<Job>>) {
    loop {
        // One worker waits for a job, the others for their turn to wait.
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((number, deferred)) = job else {
            return;
        };
        // The client may have left while the job was waiting, or may leave meanwhile.
        if !deferred.is_gone() {
            let is = if is_prime(number) { "is" } else { "is not" };
            let _ = deferred.complete(format!("{number} {is} prime\n"));
        }
    }
}

fn is_prime(number: u64) -> bool {
    let mut divisors = (2..).take_while(|divisor| *divisor <= number / divisor);
    number > 1 && divisors.all(|divisor| !number.is_multiple_of(divisor))
}
