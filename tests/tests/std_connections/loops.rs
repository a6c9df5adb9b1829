//! The loop style: requests for threads of one's own.

use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier, Mutex};

use fcgi_std::Requests;

use super::*;

/// Accepts in so many threads, and handles in them.
fn accept_in(threads: usize, requests: &Requests) -> io::Result<()> {
    thread::scope(|scope| {
        let accepting: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| -> io::Result<()> {
                    while let Some(mut request) = requests.accept()? {
                        answer(&mut request)?;
                        request.finish()?;
                    }
                    Ok(())
                })
            })
            .collect();
        accepting
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap())
    })
}

/// Accepts in so many threads, and handles and finishes in so many others.
fn hand_over(accepting: usize, finishing: usize, requests: &Requests) -> io::Result<()> {
    let (sender, receiver) = channel::<Request>();
    let receiver = Arc::new(Mutex::new(receiver));
    let finishers: Vec<_> = (0..finishing)
        .map(|_| {
            let receiver = Arc::clone(&receiver);
            thread::spawn(move || {
                loop {
                    let next = receiver.lock().unwrap().recv();
                    let Ok(mut request) = next else { return };
                    answer(&mut request).unwrap();
                    request.finish().unwrap();
                }
            })
        })
        .collect();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..accepting)
            .map(|_| {
                let sender = sender.clone();
                scope.spawn(move || {
                    while let Some(request) = requests.accept().unwrap() {
                        sender.send(request).unwrap();
                    }
                })
            })
            .collect();
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
    });
    drop(sender);
    finishers
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    Ok(())
}

/// Connections that pipeline their requests; all at the same time.
fn pipelined_on_many_connections(app: &App) {
    thread::scope(|scope| {
        for connection in 0..12 {
            scope.spawn(move || {
                let mut peer = app.connect();
                for _ in 0..3 {
                    let queries: Vec<_> = (0..10)
                        .map(|turn| {
                            let kind = if turn % 3 == 0 { "unread" } else { "read" };
                            format!("{kind} {connection} {turn}")
                        })
                        .collect();
                    let requests: Vec<_> = queries
                        .iter()
                        .map(|query| request(1, KEEP, query, b"body"))
                        .collect();
                    peer.send(requests.concat());
                    for query in &queries {
                        let body = if query.starts_with("read") {
                            "body"
                        } else {
                            ""
                        };
                        let expected = format!("[{query}]{body}");
                        assert_eq!(peer.answer(1).body(), expected.as_bytes());
                    }
                }
            });
        }
    });
}

#[test]
fn one_thread_or_several() {
    for threads in [1, 2, 5] {
        let app =
            blocking::prepare(Socket::Unix).requests(move |requests| accept_in(threads, &requests));
        lives(&mut app.connect());
        pipelined_on_many_connections(&app);
        app.handle().stop(Duration::from_secs(60));
        app.join().unwrap();
    }
}

#[test]
fn finished_in_other_threads() {
    for (accepting, finishing) in [(1, 1), (1, 4), (2, 1), (3, 4)] {
        let app = blocking::prepare(Socket::Unix)
            .requests(move |requests| hand_over(accepting, finishing, &requests));
        lives(&mut app.connect());
        pipelined_on_many_connections(&app);
        app.handle().stop(Duration::from_secs(60));
        app.join().unwrap();
    }
}

/// Two connections have their next requests here already when a third thread finishes them. One
/// thread may be woken for both, and is held up by the first.
#[test]
fn leftovers_are_not_forgotten_when_one_of_them_takes_long() {
    let gate = Gate::default();
    // No deadline wakes the other thread while the test waits.
    let patient = |server: Server| server.drain(1000, Duration::from_secs(60));
    for _ in 0..50 {
        let at_gate = gate.clone();
        let (sender, held) = channel::<Request>();
        let app = blocking::prepare(Socket::Unix)
            .rules(patient)
            .requests(move |requests| {
                thread::scope(|scope| {
                    for _ in 0..2 {
                        let (requests, at_gate, sender) = (&requests, &at_gate, sender.clone());
                        scope.spawn(move || {
                            while let Some(mut request) = requests.accept().unwrap() {
                                match &*request.params.text("QUERY_STRING") {
                                    "hold" => sender.send(request).unwrap(),
                                    "long" => {
                                        at_gate.pass();
                                        answer(&mut request).unwrap();
                                    }
                                    _ => answer(&mut request).unwrap(),
                                }
                            }
                        });
                    }
                });
                Ok(())
            });
        let (mut a, mut b) = (app.connect(), app.connect());
        let requests = |next| [request(1, KEEP, "hold", b""), request(1, KEEP, next, b"")].concat();
        a.send(requests("long"));
        let first = held.recv_timeout(blocking::PATIENCE).unwrap();
        b.send(requests("quick"));
        let second = held.recv_timeout(blocking::PATIENCE).unwrap();
        // Both threads wait again.
        thread::sleep(Duration::from_millis(5));
        let both = Barrier::new(2);
        thread::scope(|scope| {
            for request in [first, second] {
                scope.spawn(|| {
                    both.wait();
                    request.finish().unwrap();
                });
            }
        });
        let _ = (a.answer(1), b.answer(1));
        gate.wait_for_one();
        assert_eq!(b.answer(1).body(), b"[quick]", "while the long one runs");
        gate.let_through(1);
        assert_eq!(a.answer(1).body(), b"[long]");
    }
}

#[test]
fn a_request_that_outlives_the_loop() {
    let kept = Arc::<Mutex<Option<Request>>>::default();
    let keep = Arc::clone(&kept);
    let (sender, ended) = channel();
    let app = blocking::prepare(Socket::Unix).requests(move |requests| {
        *keep.lock().unwrap() = requests.accept()?;
        drop(requests);
        sender.send(()).unwrap();
        Ok(())
    });
    let mut peer = app.connect();
    peer.send(request(1, KEEP, "late", b"body"));
    ended.recv_timeout(blocking::PATIENCE).unwrap();
    let mut request = kept.lock().unwrap().take().unwrap();
    answer(&mut request).unwrap();
    request.finish().unwrap();
    assert_eq!(peer.answer(1).body(), b"[late]body");
    app.join().unwrap();
}
