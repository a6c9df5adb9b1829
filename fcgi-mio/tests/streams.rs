//! Requests and responses that stream, and the kinds of bodies.

mod kit;

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use fcgi_mio::{
    Abort, Body, Chunk, Plan, Producer, Request, Response, Service, Settings, Task, whole,
};
use fcgi_tests::hand::*;
use fcgi_tests::pattern;
use kit::*;

/// Streams requests with a QUERY_STRING of one word.
struct Streams(Sender<String>);

enum Streamed {
    /// Counts the input and answers with the number.
    Count(u64, pattern::Check),
    /// Sends back what comes as it comes.
    Mirror,
    /// Sends so many bytes of the pattern, whenever there is room.
    Pour {
        at: usize,
        length: usize,
    },
    /// Answers by three bodies in a row.
    Bodies(usize),
    /// Waits for its end, and tells the test how that came.
    Wait(Sender<String>),
    Fail,
}

impl Service for Streams {
    type Task = Streamed;

    fn begin(&mut self, request: &Request<'_>) -> Plan<Streamed> {
        assert!(request.body().is_empty() && request.data().is_empty());
        Plan::Stream(match request.param("QUERY_STRING").unwrap_or(b"") {
            b"count" => Streamed::Count(0, pattern::Check::new()),
            b"mirror" => Streamed::Mirror,
            b"pour" => Streamed::Pour {
                at: 0,
                length: 5_000_000,
            },
            b"bodies" => Streamed::Bodies(0),
            b"wait" => Streamed::Wait(self.0.clone()),
            b"fail" => Streamed::Fail,
            b"panic" => panic!("on purpose"),
            _ => return Plan::Whole,
        })
    }

    fn whole(&mut self, request: &Request<'_>, response: &mut Response<'_>) -> io::Result<()> {
        echo(request, response)
    }
}

impl Task for Streamed {
    fn input(&mut self, bytes: &[u8], response: &mut Response<'_>) -> io::Result<()> {
        match self {
            Streamed::Count(count, check) => {
                *count += bytes.len() as u64;
                io::Write::write_all(check, bytes)
            }
            Streamed::Mirror => response.write(bytes),
            Streamed::Fail => Err(io::Error::other("on purpose")),
            _ => Ok(()),
        }
    }

    fn input_end(&mut self, response: &mut Response<'_>) -> io::Result<()> {
        match self {
            Streamed::Count(count, check) => {
                check.assert(*count);
                response.write(count.to_string())?;
                response.end();
            }
            Streamed::Mirror => response.end(),
            _ => {}
        }
        Ok(())
    }

    fn output(&mut self, response: &mut Response<'_>) -> io::Result<()> {
        match self {
            Streamed::Pour { at, length } => {
                let mut bytes = vec![0; response.room().min(*length - *at).min(10_000)];
                pattern::fill(*at as u64, &mut bytes);
                *at += bytes.len();
                response.write(bytes)?;
                if at == length {
                    response.end();
                }
            }
            Streamed::Bodies(count) => {
                *count += 1;
                response.body(vec![b'0' + u8::try_from(*count).unwrap(); 100_000])?;
                if *count == 3 {
                    response.end();
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn abort(&mut self, why: Abort) {
        if let Streamed::Wait(sender) = self {
            let _ = sender.send(format!("{why:?}"));
        }
    }
}

fn streams(settings: Settings) -> (Vec<App>, std::sync::mpsc::Receiver<String>) {
    let (sender, receiver) = channel();
    let (first, second) = (sender.clone(), sender);
    let apps = vec![
        App::tcp(settings.clone(), move || Streams(first)),
        App::unix(settings, move || Streams(second)),
    ];
    (apps, receiver)
}

fn query(word: &str) -> [(&'static str, String); 1] {
    [("QUERY_STRING", word.to_owned())]
}

#[test]
fn an_upload_beyond_the_limit_of_whole_requests() {
    for app in streams(Settings::new()).0 {
        let mut peer = app.connect();
        let answer = peer.ask(
            1,
            responder(1, KEEP, &query("count"), &pattern::bytes(8 << 20)),
        );
        assert_eq!(answer.body(), (8 << 20).to_string().as_bytes());
        lives(&mut peer);
    }
}

#[test]
fn input_comes_back_as_it_comes() {
    for app in streams(Settings::new()).0 {
        let mut peer = app.connect();
        peer.send(
            [
                begin(1, RESPONDER, KEEP),
                params(1, &query("mirror")),
                end_of(PARAMS, 1),
            ]
            .concat(),
        );
        for word in ["first", "second", "third"] {
            peer.send(stream(STDIN, 1, word.as_bytes()));
            let content = peer.record().content;
            assert!(
                content.ends_with(word.as_bytes()),
                "{}",
                content.escape_ascii()
            );
        }
        peer.send(end_of(STDIN, 1));
        assert_eq!(peer.answer(1).end, Some((0, REQUEST_COMPLETE)));
    }
}

#[test]
fn a_task_pours_while_others_are_served() {
    for app in streams(Settings::new()).0 {
        let mut peer = app.connect();
        peer.send(
            [
                responder(1, KEEP, &query("pour"), b""),
                responder(2, KEEP, GET, b"x"),
            ]
            .concat(),
        );
        let mut bytes = Vec::new();
        let mut ends = 0;
        while ends < 2 {
            let record = peer.record();
            ends += usize::from(record.kind == END_REQUEST);
            bytes.extend(record.bytes());
        }
        let answers = answers(&bytes);
        assert_eq!(answers[&2].body(), b"[]x");
        assert!(answers[&1].body() == pattern::bytes(5_000_000));
    }
}

#[test]
fn a_task_gives_bodies_one_after_the_other() {
    for app in streams(Settings::new()).0 {
        let mut peer = app.connect();
        let answer = peer.ask(1, responder(1, KEEP, &query("bodies"), b""));
        let expected = [[b'1'; 100_000], [b'2'; 100_000], [b'3'; 100_000]].concat();
        assert!(answer.body() == expected);
        assert_eq!(answer.end, Some((0, REQUEST_COMPLETE)));
        lives(&mut peer);
    }
}

#[test]
fn tasks_that_fail() {
    for app in streams(Settings::new()).0 {
        let mut peer = app.connect();
        is_page(
            &peer.ask(1, responder(1, KEEP, &query("fail"), b"x")),
            "500",
            1,
        );
        is_page(
            &peer.ask(1, responder(1, KEEP, &query("panic"), b"x")),
            "500",
            1,
        );
        lives(&mut peer);
    }
}

#[test]
fn a_task_learns_why_it_ends() {
    type End = fn(&App, &mut fcgi_tests::blocking::WebServer);
    let ends: [(&str, End); 5] = [
        ("Requested", |_, peer| {
            peer.send(abort(1));
            assert_eq!(peer.answer(1).end, Some((1, REQUEST_COMPLETE)));
        }),
        ("Incomplete", |_, peer| {
            peer.connection.shutdown(std::net::Shutdown::Write).unwrap();
            assert_eq!(peer.answer(1).end, Some((1, REQUEST_COMPLETE)));
        }),
        ("Disconnected", |_, peer| {
            peer.send(begin(1, RESPONDER, KEEP));
        }),
        ("TimedOut", |_, _| {}),
        ("Stopped", |app, _| app.handle.stop(Duration::ZERO)),
    ];
    for (why, end) in ends {
        let timeout = Duration::from_millis(if why == "TimedOut" { 50 } else { 20_000 });
        let (apps, reasons) = streams(Settings::new().body_timeout(timeout));
        for app in apps {
            let mut peer = app.connect();
            peer.send([begin(1, RESPONDER, KEEP), params(1, &query("wait"))].concat());
            peer.send([end_of(PARAMS, 1), stream(STDIN, 1, b"x")].concat());
            if why != "TimedOut" {
                peer.sync();
            }
            end(&app, &mut peer);
            let reason = reasons.recv_timeout(Duration::from_secs(20));
            assert_eq!(reason.as_deref(), Ok(why));
        }
    }
}

/// The pattern in pieces of growing size.
struct Growing(u64, u64);

impl Producer for Growing {
    fn produce(&mut self, chunk: &mut Chunk<'_>) -> io::Result<bool> {
        let count = (self.1 - self.0)
            .min(1 + self.0 / 3)
            .min(chunk.room() as u64);
        let mut bytes = vec![0; usize::try_from(count).unwrap()];
        pattern::fill(self.0, &mut bytes);
        self.0 += chunk.write(&bytes) as u64;
        Ok(self.0 < self.1)
    }
}

#[test]
fn every_kind_of_body_arrives() {
    const LARGE: usize = 2_000_000;
    let shared: Arc<[u8]> = pattern::bytes(LARGE).into();
    let constant: &'static [u8] = Vec::leak(pattern::bytes(LARGE));
    for app in [App::tcp, App::unix].map(|listen: fn(_, _) -> _| {
        let shared = Arc::clone(&shared);
        let make: Box<dyn FnOnce() -> _ + Send> = Box::new(move || kinds(shared, constant));
        listen(Settings::new(), make)
    }) {
        let mut peer = app.connect();
        for word in ["static", "vec", "arc", "producer"] {
            for size in [0, 1, 8192, 8193, 65_528, 65_529, 262_112, LARGE] {
                let pairs = [("QUERY_STRING", word), ("SIZE", &size.to_string())];
                let answer = peer.ask(1, responder(1, KEEP, &pairs, b""));
                assert!(answer.body() == &constant[..size], "{word} of {size}");
                assert_eq!(answer.end, Some((0, REQUEST_COMPLETE)), "{word} of {size}");
                assert!(answer.stdout_ended);
            }
        }
    }
}

fn kinds(shared: Arc<[u8]>, constant: &'static [u8]) -> impl Service {
    whole(move |request: &Request<'_>, response: &mut Response<'_>| {
        let size = request.param("SIZE").unwrap_or(b"0");
        let size: usize = std::str::from_utf8(size).unwrap().parse().unwrap();
        response.header("Content-Length", size.to_string())?;
        let body = match request.param("QUERY_STRING").unwrap_or(b"") {
            b"static" => Body::from(&constant[..size]),
            b"vec" => Body::from(constant[..size].to_vec()),
            b"arc" if size == shared.len() => Body::from(Arc::clone(&shared)),
            b"arc" => Body::from(Arc::<[u8]>::from(&shared[..size])),
            _ => Body::producer(Growing(0, size as u64)),
        };
        response.body(body)
    })
}

#[test]
fn a_filter_may_not_answer_before_its_input() {
    struct Early;
    struct Eager;
    impl Service for Early {
        type Task = Eager;
        fn begin(&mut self, _: &Request<'_>) -> Plan<Eager> {
            Plan::Stream(Eager)
        }
        fn whole(&mut self, _: &Request<'_>, _: &mut Response<'_>) -> io::Result<()> {
            Ok(())
        }
    }
    impl Task for Eager {
        fn input(&mut self, bytes: &[u8], response: &mut Response<'_>) -> io::Result<()> {
            if bytes == b"stdin" {
                assert!(response.write("early").is_err());
                assert!(response.stderr("early").is_err());
                return Ok(());
            }
            response.stderr("a message")?;
            response.write(bytes)
        }
        fn input_end(&mut self, response: &mut Response<'_>) -> io::Result<()> {
            response.write("|")
        }
        fn output(&mut self, response: &mut Response<'_>) -> io::Result<()> {
            let _ = response.room();
            Ok(())
        }
    }
    let app = App::tcp(Settings::new(), || Early);
    let mut peer = app.connect();
    peer.send([begin(1, FILTER, KEEP), params(1, GET), end_of(PARAMS, 1)].concat());
    peer.send([stream(STDIN, 1, b"stdin"), end_of(STDIN, 1)].concat());
    peer.send([stream(DATA, 1, b"file"), end_of(DATA, 1), abort(1)].concat());
    let answer = peer.answer(1);
    assert_eq!(
        (answer.body(), &*answer.stderr),
        (&b"|file|"[..], &b"a message"[..])
    );
    assert_eq!(answer.end, Some((1, REQUEST_COMPLETE)));
}

#[test]
fn an_abort_is_seen_while_a_body_goes_to_a_peer_that_does_not_read() {
    for app in [App::tcp, App::unix].map(|listen: fn(_, _) -> _| {
        let make: Box<dyn FnOnce() -> _ + Send> = Box::new(|| {
            whole(|_: &Request<'_>, response: &mut Response<'_>| {
                response.body(vec![b'x'; 16 << 20])
            })
        });
        listen(Settings::new(), make)
    }) {
        let mut peer = app.connect();
        peer.send(responder(1, KEEP, GET, b""));
        app.wait_until("it begins", |c| c.bytes_out > 0);
        peer.send(abort(1));
        app.wait_until("it is aborted", |c| c.aborted == 1);
        let answer = peer.answer(1);
        assert_eq!(answer.end, Some((1, REQUEST_COMPLETE)));
        assert!(answer.body().len() < 16 << 20);
    }
}
