//! Allocations of the event loop for each request, in the steady state: none but the application's
//! own. Alone in its process, since all of the process is counted.

use std::alloc::System;
use std::io::{self, Read, Write};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use fcgi_mio::{Deferred, Plan, Request, Response, Server, Service, Settings, Task, Whole, whole};
use fcgi_tests::address::{Address, Connection};
use fcgi_tests::hand::*;
use fcgi_tests::nginx_request::{self, Site};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const REQUESTS: u64 = 1000;

/// Serves on a unix socket, and asks for the same again and again on one connection; how many
/// allocations that took after the first hundred.
fn allocations<S: Service>(make: impl FnOnce() -> S + Send + 'static, request: &[u8]) -> usize {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.sock");
    let settings = Settings::new().on_incident(|incident| panic!("{incident}"));
    let server = Server::bind(path.to_str().unwrap()).unwrap();
    let handle = server.handle();
    let serving = thread::spawn(move || server.settings(settings).run(make()));
    let mut connection = Address::Unix(path).connect().unwrap();
    let mut answer = vec![0; length_of_an_answer(&mut connection, request)];
    // From here on nothing but the server may allocate.
    let mut ask = |number: u64| {
        // Every other one in two pieces, so that something has to be kept between them.
        let cut = if number.is_multiple_of(2) {
            0
        } else {
            request.len() / 3
        };
        let (first, second) = request.split_at(cut);
        let read = handle.counters().bytes_in + first.len() as u64;
        connection.write_all(first).unwrap();
        while handle.counters().bytes_in < read {
            thread::yield_now();
        }
        connection.write_all(second).unwrap();
        connection.read_exact(&mut answer).unwrap();
        // The last bytes of END_REQUEST: appStatus 0, and REQUEST_COMPLETE.
        assert!(answer.ends_with(&[0; 8]));
    };
    (0..100).for_each(&mut ask);
    let before = ALLOCATOR.stats();
    (0..REQUESTS).for_each(&mut ask);
    let taken = ALLOCATOR.stats() - before;
    assert_eq!(handle.counters().ended, handle.counters().begun);
    handle.stop(Duration::ZERO);
    serving.join().unwrap().unwrap();
    taken.allocations + taken.reallocations
}

/// All answers are as long as the first.
fn length_of_an_answer(connection: &mut Connection, request: &[u8]) -> usize {
    connection.write_all(request).unwrap();
    let answer = read_to_end_of(connection, 1);
    assert_eq!(answers(&answer)[&1].end, Some((0, REQUEST_COMPLETE)));
    answer.len()
}

fn closure() -> Whole<impl FnMut(&Request<'_>, &mut Response<'_>) -> io::Result<()>> {
    whole(|request, response| {
        response.header("Content-Type", "text/plain")?;
        response.write(request.param("REQUEST_URI").unwrap_or_default())?;
        response.write(request.body())
    })
}

/// Another thread completes each request, without a body of its own.
fn deferring() -> Whole<impl FnMut(&Request<'_>, &mut Response<'_>) -> io::Result<()>> {
    let (queue, jobs) = sync_channel::<Deferred>(1);
    thread::spawn(move || {
        for deferred in jobs {
            deferred.complete("later").expect("the web server waits");
        }
    });
    whole(move |_, response| {
        response.header("Content-Type", "text/plain")?;
        queue.send(response.defer()?).map_err(io::Error::other)
    })
}

/// Counts its input and answers in two pieces.
struct Counting {
    count: u64,
    is_answered: bool,
}

struct Streams;

impl Service for Streams {
    type Task = Counting;

    fn begin(&mut self, _: &Request<'_>) -> Plan<Counting> {
        Plan::Stream(Counting {
            count: 0,
            is_answered: false,
        })
    }

    fn whole(&mut self, _: &Request<'_>, _: &mut Response<'_>) -> io::Result<()> {
        Err(io::Error::other("every request streams"))
    }
}

impl Task for Counting {
    fn input(&mut self, bytes: &[u8], _: &mut Response<'_>) -> io::Result<()> {
        self.count += bytes.len() as u64;
        Ok(())
    }

    fn input_end(&mut self, response: &mut Response<'_>) -> io::Result<()> {
        response.header("Content-Type", "text/plain")?;
        self.is_answered = true;
        response.write(self.count.to_be_bytes())
    }

    fn output(&mut self, response: &mut Response<'_>) -> io::Result<()> {
        if self.is_answered {
            response.write("the end")?;
            response.end();
        }
        Ok(())
    }
}

#[test]
fn a_request_costs_no_allocation() {
    let small = nginx_request::bytes(&Site::default());
    let upload = responder(1, KEEP, &[("REQUEST_METHOD", "POST")], &[b'x'; 30_000]);
    for (what, request) in [("small", &small), ("an upload", &upload)] {
        let counted = [
            ("closure", allocations(closure, request)),
            ("task", allocations(|| Streams, request)),
            ("deferred", allocations(deferring, request)),
        ];
        let none = [("closure", 0), ("task", 0), ("deferred", 0)];
        assert_eq!(counted, none, "in {REQUESTS} requests, {what}");
    }
}
