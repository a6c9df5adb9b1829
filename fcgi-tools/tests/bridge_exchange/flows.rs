//! What flows while something else does not.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use fcgi_core::Role;
use fcgi_tests::{hand, pattern};
use fcgi_tools::exchange::{Reason, Request, Sink, Source};

use crate::played::{application, variables};

/// Large enough to fill every buffer on the way many times.
const LARGE: usize = 4 << 20;

/// The application sends back what it receives at once, so that both directions have to flow at
/// the same time; with pipes at both ends, one of them read in small pieces.
#[test]
fn an_echo_through_pipes() {
    let (stream, echo) = application(|mut talk| {
        assert_eq!(talk.record().kind, hand::BEGIN_REQUEST);
        talk.stream(hand::PARAMS);
        loop {
            let record = talk.record();
            assert_eq!(record.kind, hand::STDIN);
            if record.content.is_empty() {
                break;
            }
            talk.stdout(&record.content);
            talk.send(&[hand::record(hand::STDERR, 1, b".", 0)]);
        }
        talk.end(7);
    });
    let (stdin, mut writer) = io::pipe().unwrap();
    let (mut reader, stdout) = io::pipe().unwrap();
    let body = pattern::bytes(LARGE);
    let sent = body.clone();
    let writing = thread::spawn(move || writer.write_all(&sent));
    let reading = thread::spawn(move || {
        let (mut all, mut piece) = (Vec::new(), [0; 999]);
        loop {
            match reader.read(&mut piece).unwrap() {
                0 => return all,
                count => all.extend_from_slice(&piece[..count]),
            }
        }
    });
    let mut errors = Vec::new();
    let outcome = Request::new(Role::Responder, &variables(&[("A", "b")]))
        .stdin(Source::Descriptor {
            fd: stdin.as_fd(),
            limit: Some(LARGE as u64),
        })
        .run(
            &stream,
            Sink::Descriptor(stdout.as_fd()),
            Sink::Writer(&mut errors),
        )
        .unwrap();
    drop(stdout);
    writing.join().unwrap().unwrap();
    echo.join().unwrap();
    assert!(reading.join().unwrap() == body);
    assert_eq!(outcome.app_status, Some(7));
    let progress = outcome.progress;
    assert_eq!(
        (progress.stdin, progress.stdout),
        (LARGE as u64, LARGE as u64)
    );
    assert_eq!(progress.stderr, errors.len() as u64);
    assert!(!errors.is_empty() && errors.iter().all(|&byte| byte == b'.'));
}

/// Nobody writes to STDIN's source, and nobody closes it: the output arrives all the same, and the
/// end of the request is the end.
#[test]
fn an_input_that_blocks_holds_nothing_up() {
    let (stdin, _writer) = io::pipe().unwrap();
    let (mut reader, stdout) = io::pipe().unwrap();
    let (mut goes_on, may_end) = io::pipe().unwrap();
    let (stream, talking) = application(move |mut talk| {
        talk.stream(hand::PARAMS);
        talk.stdout(b"early");
        // The test has read it.
        goes_on.read_exact(&mut [0]).unwrap();
        talk.end(0);
    });
    let reading = thread::spawn(move || {
        let mut early = [0; 5];
        reader.read_exact(&mut early).unwrap();
        (&may_end).write_all(b".").unwrap();
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).unwrap();
        (early, rest)
    });
    let source = Source::Descriptor {
        fd: stdin.as_fd(),
        limit: None,
    };
    let outcome = Request::new(Role::Responder, &[])
        .stdin(source)
        .run(
            &stream,
            Sink::Descriptor(stdout.as_fd()),
            Sink::Writer(&mut io::sink()),
        )
        .unwrap();
    drop(stdout);
    talking.join().unwrap();
    assert_eq!(reading.join().unwrap(), (*b"early", Vec::new()));
    assert_eq!(outcome.progress.stdin, 0);
}

/// The source ends before its limit while the application thinks: it is told of the end, and
/// nothing is waited for in circles.
#[test]
fn an_input_that_ended_costs_nothing() {
    let (stdin, writer) = io::pipe().unwrap();
    (&writer).write_all(b"half").unwrap();
    drop(writer);
    let (stream, talking) = application(|mut talk| {
        talk.stream(hand::PARAMS);
        let body = talk.stream(hand::STDIN);
        thread::sleep(Duration::from_millis(300));
        talk.end(0);
        body
    });
    let source = Source::Descriptor {
        fd: stdin.as_fd(),
        limit: Some(1000),
    };
    let (_reader, stdout) = io::pipe().unwrap();
    let outcome = Request::new(Role::Responder, &[])
        .stdin(source)
        .run(
            &stream,
            Sink::Descriptor(stdout.as_fd()),
            Sink::Writer(&mut io::sink()),
        )
        .unwrap();
    assert_eq!(talking.join().unwrap(), b"half");
    assert!(outcome.progress.waits < 10, "{:?}", outcome.progress);
}

/// The application ends the request and closes while nobody reads its answer: neither is that lost,
/// nor is the wait for the reader a busy one.
#[test]
fn an_output_that_nobody_reads() {
    let (stream, talking) = application(|mut talk| {
        talk.stream(hand::PARAMS);
        talk.stdout(&pattern::bytes(100_000));
        talk.end(0);
    });
    let (mut reader, stdout) = io::pipe().unwrap();
    let reading = thread::spawn(move || {
        talking.join().unwrap();
        thread::sleep(Duration::from_millis(300));
        let mut all = Vec::new();
        reader.read_to_end(&mut all).unwrap();
        all
    });
    let outcome = Request::new(Role::Responder, &[])
        .run(
            &stream,
            Sink::Descriptor(stdout.as_fd()),
            Sink::Writer(&mut io::sink()),
        )
        .unwrap();
    drop(stdout);
    assert!(reading.join().unwrap() == pattern::bytes(100_000));
    // Some 25 pages, and a few more for what comes in.
    assert!(outcome.progress.waits < 200, "{:?}", outcome.progress);
}

/// While nobody reads the output, the application has to wait: what lies in between is bounded.
#[test]
fn an_output_that_nobody_reads_stops_the_application() {
    const ALL: usize = 32 << 20;
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    let (stream, talking) = application(move |mut talk| {
        talk.stream(hand::PARAMS);
        while counted.load(Ordering::SeqCst) < ALL {
            talk.stdout(&[b'x'; 32 * 1024]);
            counted.fetch_add(32 * 1024, Ordering::SeqCst);
        }
        talk.end(0);
    });
    let (mut reader, stdout) = io::pipe().unwrap();
    let reading = thread::spawn(move || {
        let mut before = usize::MAX;
        while before != sent.load(Ordering::SeqCst) || before == 0 {
            before = sent.load(Ordering::SeqCst);
            thread::sleep(Duration::from_millis(100));
        }
        let length = io::copy(&mut reader, &mut io::sink()).unwrap();
        (before, length)
    });
    let result = Request::new(Role::Responder, &[]).run(
        &stream,
        Sink::Descriptor(stdout.as_fd()),
        Sink::Writer(&mut io::sink()),
    );
    drop(stdout);
    result.unwrap();
    talking.join().unwrap();
    let (before, length) = reading.join().unwrap();
    assert!(before < 2 << 20, "{before} bytes lie somewhere");
    assert_eq!(length, ALL as u64);
}

/// The application answers without reading the body; the rest of that is not waited for.
#[test]
fn an_early_end() {
    let (stdin, writer) = io::pipe().unwrap();
    (&writer).write_all(b"some of it").unwrap();
    let (stream, talking) = application(|mut talk| {
        talk.stream(hand::PARAMS);
        talk.stdout(b"enough");
        talk.end(3);
    });
    let mut page = Vec::new();
    let outcome = Request::new(Role::Responder, &[])
        .stdin(Source::Descriptor {
            fd: stdin.as_fd(),
            limit: Some(1 << 30),
        })
        .run(
            &stream,
            Sink::Writer(&mut page),
            Sink::Writer(&mut io::sink()),
        )
        .unwrap();
    talking.join().unwrap();
    assert_eq!((outcome.app_status, &page[..]), (Some(3), &b"enough"[..]));
}

/// An application that reads no more can still write.
#[test]
fn a_half_closed_connection() {
    let (stream, talking) = application(|mut talk| {
        talk.stream(hand::PARAMS);
        talk.0.shutdown(std::net::Shutdown::Read).unwrap();
        thread::sleep(Duration::from_millis(50));
        talk.stdout(b"whole");
        talk.end(0);
    });
    let mut page = Vec::new();
    Request::new(Role::Responder, &[])
        .stdin(Source::Bytes(&pattern::bytes(LARGE)))
        .run(
            &stream,
            Sink::Writer(&mut page),
            Sink::Writer(&mut io::sink()),
        )
        .unwrap();
    talking.join().unwrap();
    assert_eq!(page, b"whole");
}

/// Somebody else has told the descriptors not to wait.
#[test]
fn descriptors_that_do_not_block() {
    let (stream, talking) = application(|mut talk| {
        talk.stream(hand::PARAMS);
        let body = talk.stream(hand::STDIN);
        talk.stdout(&body);
        talk.end(0);
    });
    let (stdin, mut writer) = io::pipe().unwrap();
    let (mut reader, stdout) = io::pipe().unwrap();
    for pipe in [stdin.as_fd(), stdout.as_fd()] {
        rustix::io::ioctl_fionbio(pipe, true).unwrap();
    }
    let writing = thread::spawn(move || {
        for piece in pattern::bytes(LARGE).chunks(100_000) {
            writer.write_all(piece).unwrap();
        }
    });
    let reading = thread::spawn(move || {
        let mut all = Vec::new();
        reader.read_to_end(&mut all).unwrap();
        all
    });
    let source = Source::Descriptor {
        fd: stdin.as_fd(),
        limit: None,
    };
    Request::new(Role::Responder, &[])
        .stdin(source)
        .run(
            &stream,
            Sink::Descriptor(stdout.as_fd()),
            Sink::Writer(&mut io::sink()),
        )
        .unwrap();
    drop(stdout);
    writing.join().unwrap();
    talking.join().unwrap();
    assert!(reading.join().unwrap() == pattern::bytes(LARGE));
}

#[test]
fn the_reader_of_stdout_goes() {
    let (stream, talking) = application(|mut talk| {
        talk.stream(hand::PARAMS);
        talk.stream(hand::STDIN);
        // It never answers, and is released by the end of the connection.
        talk.is_closed()
    });
    let (reader, stdout) = io::pipe().unwrap();
    drop(reader);
    let failure = Request::new(Role::Responder, &[])
        .run(
            &stream,
            Sink::Descriptor(stdout.as_fd()),
            Sink::Writer(&mut io::sink()),
        )
        .unwrap_err();
    assert!(matches!(failure.reason, Reason::Stdout(_)), "{failure}");
    drop(stream);
    assert!(talking.join().unwrap());
}

#[test]
fn the_reader_of_stderr_goes() {
    let (stream, talking) = application(|mut talk| {
        talk.stream(hand::PARAMS);
        for _ in 0..100 {
            talk.send(&[hand::stream(hand::STDERR, 1, &[b'e'; 10_000])]);
        }
        talk.stdout(b"page");
        talk.end(0);
    });
    let (reader, stderr) = io::pipe().unwrap();
    drop(reader);
    let mut page = Vec::new();
    Request::new(Role::Responder, &[])
        .run(
            &stream,
            Sink::Writer(&mut page),
            Sink::Descriptor(stderr.as_fd()),
        )
        .unwrap();
    talking.join().unwrap();
    assert_eq!(page, b"page");
}

#[test]
fn params_of_any_size() {
    let long = "v".repeat(1 << 20);
    let pairs = [("SHORT", "x"), ("LONG", &long), ("LAST", "")];
    let stream = variables(&pairs);
    let sent = stream.clone();
    let (connection, talking) = application(move |mut talk| {
        let params = talk.stream(hand::PARAMS);
        talk.end(0);
        params
    });
    Request::new(Role::Responder, &stream)
        .run(
            &connection,
            Sink::Writer(&mut io::sink()),
            Sink::Writer(&mut io::sink()),
        )
        .unwrap();
    assert!(talking.join().unwrap() == sent);
}

/// A file as input and a file as output; and a socket.
#[test]
fn a_filter() {
    let (stream, talking) = application(|mut talk| {
        let begin = talk.record();
        assert_eq!(begin.content[..3], [0, 3, 0]);
        talk.stream(hand::PARAMS);
        let stdin = talk.stream(hand::STDIN);
        let data = talk.stream(hand::DATA);
        talk.stdout(&data);
        talk.end(0);
        stdin
    });
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&pattern::bytes(200_000)).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    let (socket, mut other) = UnixStream::pair().unwrap();
    other.write_all(b"query").unwrap();
    other.shutdown(std::net::Shutdown::Write).unwrap();
    let mut output: File = tempfile::tempfile().unwrap();
    let outcome = Request::new(Role::Filter, &[])
        .stdin(Source::Descriptor {
            fd: socket.as_fd(),
            limit: None,
        })
        .data(Source::Descriptor {
            fd: file.as_fd(),
            limit: Some(150_000),
        })
        .run(
            &stream,
            Sink::Descriptor(output.as_fd()),
            Sink::Writer(&mut io::sink()),
        )
        .unwrap();
    assert_eq!(talking.join().unwrap(), b"query");
    output.seek(SeekFrom::Start(0)).unwrap();
    let mut page = Vec::new();
    output.read_to_end(&mut page).unwrap();
    assert!(page == pattern::bytes(150_000));
    assert_eq!(
        (outcome.progress.stdin, outcome.progress.data),
        (5, 150_000)
    );
}
