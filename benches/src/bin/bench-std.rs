//! `fcgi-std` under load.

#![forbid(unsafe_code)]

use std::io::{self, BufRead, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fcgi_benches::serving::{Arguments, PARAM, TEXT, Workload, body};
use fcgi_std::{Request, Server};

fn main() -> io::Result<()> {
    let arguments = Arguments::from_env().map_err(io::Error::other)?;
    let server = Server::inherited_or_bind(&arguments.listen)?
        .workers(arguments.workers, arguments.workers)
        .idle_timeout(Duration::from_secs(3600));
    let handle = server.handle();
    let bytes = match arguments.workload {
        Workload::Body(length) => body(length),
        Workload::Page | Workload::Upload => Vec::new(),
    };
    let left = arguments.requests.map(AtomicU64::new);
    server.serve(move |request| {
        let is_last = |left: &AtomicU64| left.fetch_sub(1, Ordering::Relaxed) == 1;
        if left.as_ref().is_some_and(is_last) {
            handle.stop(Duration::from_secs(1));
        }
        answer(request, arguments.workload, &bytes)
    })
}

fn answer(request: &mut Request, workload: Workload, body: &[u8]) -> io::Result<()> {
    request.header("Content-Type", "text/plain")?;
    match workload {
        Workload::Page => {
            let value = request.params.get(PARAM).unwrap_or_default();
            request.stdout.write_all(value)?;
            request.stdout.write_all(TEXT.as_bytes())
        }
        Workload::Body(_) => request.stdout.write_all(body),
        Workload::Upload => {
            let mut length = 0;
            while let count @ 1.. = request.stdin.fill_buf()?.len() {
                request.stdin.consume(count);
                length += count;
            }
            write!(request.stdout, "{length}")
        }
    }
}
