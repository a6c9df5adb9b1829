//! Tasks in combinations: with HEAD, deferred, ended before their input, Filters that fail early,
//! and destructors that panic.

mod kit;

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use fcgi_mio::{
    Body, Chunk, Deferred, Plan, Producer, Request, Response, Service, Settings, Task, whole,
};
use fcgi_tests::blocking::WebServer;
use fcgi_tests::hand::*;
use kit::*;

/// A task that is one closure; requests that ask for "lives" are answered whole.
struct OneTask<F>(F);

/// What a task is called for.
enum Turn<'a> {
    Input(&'a [u8]),
    End,
    Output,
}

type Step = Box<dyn FnMut(Turn<'_>, &mut Response<'_>) -> io::Result<()>>;

impl<F: FnMut() -> Step> Service for OneTask<F> {
    type Task = Stepping;

    fn begin(&mut self, request: &Request<'_>) -> Plan<Stepping> {
        if request.param("QUERY_STRING") == Some(b"lives") {
            return Plan::Whole;
        }
        Plan::Stream(Stepping(self.0()))
    }

    fn whole(&mut self, request: &Request<'_>, response: &mut Response<'_>) -> io::Result<()> {
        echo(request, response)
    }
}

struct Stepping(Step);

impl Task for Stepping {
    fn input(&mut self, bytes: &[u8], response: &mut Response<'_>) -> io::Result<()> {
        (self.0)(Turn::Input(bytes), response)
    }

    fn input_end(&mut self, response: &mut Response<'_>) -> io::Result<()> {
        (self.0)(Turn::End, response)
    }

    fn output(&mut self, response: &mut Response<'_>) -> io::Result<()> {
        (self.0)(Turn::Output, response)
    }
}

fn tasks<F, G>(settings: Settings, step: F) -> App
where
    F: Fn() -> G + Send + 'static,
    G: FnMut(Turn<'_>, &mut Response<'_>) -> io::Result<()> + 'static,
{
    App::tcp(settings, move || {
        OneTask(move || -> Step { Box::new(step()) })
    })
}

/// A request of a role, up to the end of its parameters.
fn open(id: u16, role: u16, keep: u8) -> Vec<u8> {
    [begin(id, role, keep), params(id, GET), end_of(PARAMS, id)].concat()
}

#[test]
fn a_task_that_is_asked_by_head_comes_to_its_end() {
    for by_producer in [false, true] {
        let app = tasks(Settings::new(), move || {
            let mut calls = 0;
            move |turn, response: &mut Response<'_>| {
                if !matches!(turn, Turn::Output) {
                    return Ok(());
                }
                calls += 1;
                match calls {
                    1..20 => response.write([b'x'; 10_000])?,
                    20 if by_producer => response.body(Body::producer(Finite(3)))?,
                    20 => response.body(vec![b'x'; 100_000])?,
                    _ => response.end(),
                }
                Ok(())
            }
        });
        let mut peer = app.connect();
        let answer = peer.ask(1, responder(1, KEEP, &[("REQUEST_METHOD", "HEAD")], b""));
        assert_eq!(answer.body(), b"");
        assert_eq!(answer.end, Some((0, REQUEST_COMPLETE)));
        let answer = peer.ask(1, responder(1, KEEP, GET, b""));
        let last = if by_producer { 3 } else { 100_000 };
        assert_eq!(answer.body().len(), 190_000 + last);
        lives(&mut peer);
    }
}

/// So many bytes, one at a time.
struct Finite(usize);

impl Producer for Finite {
    fn produce(&mut self, chunk: &mut Chunk<'_>) -> io::Result<bool> {
        self.0 -= chunk.write(b"x");
        Ok(self.0 > 0)
    }
}

#[test]
fn a_task_that_has_deferred_is_not_asked_for_output() {
    let (sender, deferred) = channel();
    let app = tasks(Settings::new(), move || {
        let sender: Sender<Deferred> = sender.clone();
        move |turn, response: &mut Response<'_>| {
            if let Turn::Output = turn {
                sender.send(response.defer()?).expect("the test runs");
                // It has nothing more to say by itself.
                response.end();
            }
            Ok(())
        }
    });
    let mut peer = app.connect();
    peer.send(open(1, RESPONDER, KEEP));
    let handle = patiently(&deferred);
    peer.send([stream(STDIN, 1, b"some"), end_of(STDIN, 1)].concat());
    peer.sync();
    handle.complete("done").expect("it waits");
    let answer = peer.answer(1);
    assert_eq!(answer.body(), b"done");
    assert_eq!(answer.end, Some((0, REQUEST_COMPLETE)));
    lives(&mut peer);
}

fn patiently<T>(receiver: &Receiver<T>) -> T {
    let patience = Duration::from_secs(20);
    receiver.recv_timeout(patience).expect("the task is called")
}

#[test]
fn a_deferred_head_cannot_be_left_to_the_program() {
    let app = App::tcp(Settings::new(), || {
        whole(|request, response| {
            if request.param("QUERY_STRING") == Some(b"lives") {
                return echo(request, response);
            }
            let handle = response.defer()?;
            assert!(response.raw().is_err());
            handle.complete("body").map_err(io::Error::other)
        })
    });
    let mut peer = app.connect();
    let answer = peer.ask(1, responder(1, KEEP, GET, b""));
    assert!(answer.head().contains("Content-Type"), "{}", answer.head());
    assert_eq!(answer.body(), b"body");
    lives(&mut peer);
}

/// It ends with an answer that takes more than one write, and takes no more input.
fn early(length: usize) -> App {
    tasks(Settings::new(), move || {
        let mut has_ended = false;
        move |turn, response: &mut Response<'_>| {
            assert!(!has_ended, "called after its end");
            if let Turn::Input(_) = turn {
                has_ended = true;
                response.body(vec![b'x'; length])?;
                response.end();
            }
            Ok(())
        }
    })
}

#[test]
fn a_task_that_has_ended_is_not_called_any_more() {
    let app = early(8 << 20);
    let mut peer = app.connect();
    peer.send([open(1, RESPONDER, KEEP), stream(STDIN, 1, b"one")].concat());
    app.wait_until("its answer begins", |c| c.bytes_out > 0);
    peer.send([stream(STDIN, 1, b"two"), end_of(STDIN, 1)].concat());
    let answer = peer.answer(1);
    assert_eq!(answer.body().len(), 8 << 20);
    assert_eq!(answer.end, Some((0, REQUEST_COMPLETE)));
    // All of its input in one piece.
    let answer = peer.ask(1, responder(1, KEEP, GET, b"all"));
    assert_eq!(answer.body().len(), 8 << 20);
    assert_eq!(answer.end, Some((0, REQUEST_COMPLETE)));
    assert_eq!(app.counters().failed, 0);
    lives(&mut peer);
}

#[test]
fn an_early_answer_is_not_lost_with_the_input_behind_it() {
    let app = early(1 << 20);
    let mut peer = app.connect();
    peer.send([open(1, RESPONDER, CLOSE), stream(STDIN, 1, b"one")].concat());
    app.wait_until("it has ended", |c| c.ended == 1);
    for _ in 0..10 {
        peer.send(stream(STDIN, 1, &[b'x'; 10_000]));
        std::thread::sleep(Duration::from_millis(5));
    }
    let answer = peer.answer(1);
    assert_eq!(answer.body().len(), 1 << 20);
    peer.expect_end();
}

#[test]
fn a_filter_that_fails_early_is_answered_when_that_is_allowed() {
    let app = tasks(Settings::new(), || {
        |turn, response: &mut Response<'_>| match turn {
            Turn::Input(b"fail") => Err(io::Error::other("on purpose")),
            Turn::Input(b"panic") => panic!("on purpose"),
            Turn::Input(b"defer") => response.defer().map(drop),
            _ => panic!("it goes on"),
        }
    });
    let mut peer = app.connect();
    for how in ["fail", "panic", "defer"] {
        peer.send([open(1, FILTER, KEEP), stream(STDIN, 1, how.as_bytes())].concat());
        peer.sync();
        peer.send([stream(STDIN, 1, b"more"), end_of(STDIN, 1)].concat());
        is_page(&peer.answer(1), "500", 1);
        peer.send([stream(DATA, 1, b"file"), end_of(DATA, 1)].concat());
        lives(&mut peer);
    }
    assert_eq!(app.counters().failed, 3);
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("on purpose");
    }
}

impl Producer for Bomb {
    fn produce(&mut self, chunk: &mut Chunk<'_>) -> io::Result<bool> {
        Ok(chunk.write(b"x") > 0)
    }
}

#[test]
fn a_destructor_that_panics_costs_its_own_request() {
    let (sender, deferred) = channel();
    let app = tasks(Settings::new(), move || {
        let (sender, bomb): (Sender<Deferred>, _) = (sender.clone(), Bomb);
        move |turn, response: &mut Response<'_>| {
            let _ = &bomb;
            match turn {
                Turn::Input(b"defers") => sender.send(response.defer()?).expect("the test runs"),
                Turn::Input(b"produces") => response.body(Body::producer(Bomb))?,
                Turn::Input(_) => {
                    response.write("x")?;
                    response.end();
                }
                Turn::End | Turn::Output => {}
            }
            Ok(())
        }
    });
    let ends = |peer: &mut WebServer| {
        let answer = peer.answer(1);
        assert_eq!(answer.end, Some((1, REQUEST_COMPLETE)));
    };
    let mut peer = app.connect();
    let begin = |how: &str| responder(1, KEEP, GET, how.as_bytes());
    assert_eq!(peer.ask(1, begin("ends")).body(), b"x");
    peer.send(begin("defers"));
    patiently(&deferred).complete("late").expect("it waits");
    assert_eq!(peer.answer(1).body(), b"late");
    peer.send(begin("defers"));
    let handle = patiently(&deferred);
    peer.send(abort(1));
    ends(&mut peer);
    assert!(handle.complete(Body::producer(Finite(1))).is_err());
    peer.send([begin("produces"), abort(1)].concat());
    ends(&mut peer);
    // A body that comes to a connection which has gone.
    let mut gone = app.connect();
    gone.send(begin("defers"));
    let handle = patiently(&deferred);
    drop(gone);
    let _ = std::thread::spawn(move || handle.complete(Body::producer(Bomb))).join();
    lives(&mut peer);
    lives(&mut app.connect());
}
