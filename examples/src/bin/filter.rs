//! A Filter, which the kit had no example of: numbers the lines of a file, and keeps the result
//! as long as the file stays as it is.
//!
//! ```text
//! target/release/cgi-fcgi -start -connect :9000 target/release/filter
//! target/release/fcgi request 127.0.0.1:9000 /notes.txt --role filter --filter-file notes.txt
//! ```
//!
//! The second request for the same file is answered without reading it. No web server in use today
//! sends FCGI_DATA; `fcgi request` does.

use std::collections::HashMap;
use std::env;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use fcgi_std::Server;
use fcgi_std::roles::Roles;

/// The longest file in bytes, and the most files that are kept.
const MOST_BYTES: usize = 1024 * 1024;
const MOST_FILES: usize = 100;
/// How long requests may go on when a signal stops the program.
const PATIENCE: Duration = Duration::from_secs(30);

struct Made {
    of: SystemTime,
    text: Arc<str>,
}

type Cache = HashMap<String, Made>;

fn main() -> io::Result<ExitCode> {
    let server = Server::detect(env::args().nth(1).as_deref())?;
    let cache = Mutex::new(Cache::new());
    Roles::new()
        .filter(move |filter| {
            let name = filter.params.text("SCRIPT_NAME").into_owned();
            let known = lock(&cache)
                .get(&name)
                .filter(|made| filter.is_unchanged_since(made.of))
                .map(|made| Arc::clone(&made.text));
            let (text, how) = match known {
                Some(text) => (text, "kept"),
                None => {
                    let text: Arc<str> = number(&filter.read_data(MOST_BYTES)?).into();
                    if let Some(of) = filter.last_modified() {
                        let mut cache = lock(&cache);
                        if cache.len() == MOST_FILES {
                            cache.clear();
                        }
                        let text = Arc::clone(&text);
                        cache.insert(name, Made { of, text });
                    }
                    (text, "made")
                }
            };
            filter.content_type("text/plain; charset=utf-8")?;
            filter.header("X-Result", how)?;
            filter.stdout.write_all(text.as_bytes())
        })
        .run(server.stop_on_signals(PATIENCE))
}

fn lock(cache: &Mutex<Cache>) -> MutexGuard<'_, Cache> {
    cache.lock().unwrap_or_else(PoisonError::into_inner)
}

fn number(file: &[u8]) -> String {
    let text = String::from_utf8_lossy(file);
    let lines = text.lines().zip(1..);
    lines
        .map(|(line, at)| format!("{at:4}  {line}\n"))
        .collect()
}
