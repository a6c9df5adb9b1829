//! How requests end.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use fcgi_core::{ProtocolStatus, Role};
use fcgi_tests::hand;
use fcgi_tools::exchange::{Failure, Outcome, Reason, Request, Sink, Source};

use crate::played::{Talk, application};

/// Long after anything that a test waits for.
const LONG: Duration = Duration::from_secs(60);

/// Runs a request without a body that the application answers with these bytes before it closes.
fn answered(keep_conn: bool, bytes: Vec<u8>) -> (Result<Outcome, Failure>, Vec<u8>) {
    let (stream, talking) = application(move |mut talk| {
        talk.stream(hand::PARAMS);
        talk.send(&[bytes]);
    });
    let mut page = Vec::new();
    let result = Request::new(Role::Responder, &[]).keep_conn(keep_conn).run(
        &stream,
        Sink::Writer(&mut page),
        Sink::Writer(&mut io::sink()),
    );
    talking.join().unwrap();
    (result, page)
}

fn page() -> Vec<u8> {
    hand::stream(hand::STDOUT, 1, b"page")
}

fn stdout_end() -> Vec<u8> {
    hand::end_of(hand::STDOUT, 1)
}

#[test]
fn every_status() {
    for status in [0, 1, 255, 256, u32::MAX] {
        let end = hand::end_request(1, status, hand::REQUEST_COMPLETE);
        let (result, body) = answered(false, [page(), end].concat());
        let outcome = result.unwrap();
        assert_eq!(outcome.app_status, Some(status));
        assert_eq!(outcome.protocol_status, ProtocolStatus::REQUEST_COMPLETE);
        assert_eq!(body, b"page");
    }
    for status in [hand::OVERLOADED, hand::UNKNOWN_ROLE, 77] {
        let (result, body) = answered(true, hand::end_request(1, 0, status));
        let outcome = result.unwrap();
        assert_eq!(outcome.protocol_status.0, status);
        assert!(body.is_empty());
    }
}

#[test]
fn a_close_instead_of_an_end() {
    let whole = [page(), stdout_end()].concat();
    let outcome = answered(false, whole.clone()).0.unwrap();
    assert_eq!(outcome.app_status, None);
    assert_eq!(outcome.protocol_status, ProtocolStatus::REQUEST_COMPLETE);

    for (keep_conn, bytes) in [(true, whole), (false, page())] {
        let (result, body) = answered(keep_conn, bytes);
        let failure = result.unwrap_err();
        assert!(matches!(failure.reason, Reason::ClosedEarly), "{failure}");
        assert_eq!(failure.progress.stdout, 4);
        assert_eq!(body, b"page", "what it said before is not lost");
    }
}

#[test]
fn a_broken_protocol() {
    let wrong = hand::record_of_version(9, hand::STDOUT, 1, b"", 0);
    let (result, body) = answered(false, [page(), wrong].concat());
    let failure = result.unwrap_err();
    assert!(matches!(failure.reason, Reason::Protocol(_)), "{failure}");
    assert_eq!(io::Error::from(failure).kind(), io::ErrorKind::InvalidData);
    assert_eq!(body, b"page");
}

/// Before the failure is told, a descriptor gets what came before it.
#[test]
fn a_failure_behind_a_slow_reader() {
    let (stream, talking) = application(|mut talk: Talk| {
        talk.stream(hand::PARAMS);
        talk.stdout(&[b'x'; 200_000]);
    });
    let (mut reader, stdout) = io::pipe().unwrap();
    let reading = std::thread::spawn(move || {
        talking.join().unwrap();
        io::copy(&mut reader, &mut io::sink()).unwrap()
    });
    let failure = Request::new(Role::Responder, &[])
        .run(
            &stream,
            Sink::Descriptor(stdout.as_fd()),
            Sink::Writer(&mut io::sink()),
        )
        .unwrap_err();
    drop(stdout);
    assert_eq!(failure.progress.stdout, 200_000);
    assert_eq!(reading.join().unwrap(), 200_000);
}

#[test]
fn an_authorizer_has_no_stdin() {
    let (stream, talking) = application(|mut talk| {
        let begin = talk.record();
        assert_eq!(begin.content[..3], [0, 2, 0]);
        talk.stream(hand::PARAMS);
        talk.end(0);
        talk.is_closed()
    });
    Request::new(Role::Authorizer, &[])
        .stdin(Source::Bytes(b"not for it"))
        .run(
            &stream,
            Sink::Writer(&mut io::sink()),
            Sink::Writer(&mut io::sink()),
        )
        .unwrap();
    drop(stream);
    assert!(talking.join().unwrap());
}

#[test]
fn silence() {
    let (stream, talking) = application(|mut talk| {
        talk.stream(hand::PARAMS);
        talk.stream(hand::STDIN);
        talk.is_closed()
    });
    let failure = Request::new(Role::Responder, &[])
        .timeout(Some(LONG))
        .silence(Some(Duration::from_millis(50)))
        .run(
            &stream,
            Sink::Writer(&mut io::sink()),
            Sink::Writer(&mut io::sink()),
        )
        .unwrap_err();
    assert!(matches!(failure.reason, Reason::Silence), "{failure}");
    drop(stream);
    assert!(talking.join().unwrap());
}

/// An application that goes on for ever is never silent.
#[test]
fn the_whole_takes_too_long() {
    let (stream, talking) = application(|mut talk| {
        use std::io::Write;

        talk.stream(hand::PARAMS);
        while talk.0.write_all(&page()).is_ok() {
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    let failure = Request::new(Role::Responder, &[])
        .timeout(Some(Duration::from_millis(100)))
        .silence(Some(LONG))
        .run(
            &stream,
            Sink::Writer(&mut io::sink()),
            Sink::Writer(&mut io::sink()),
        )
        .unwrap_err();
    assert!(matches!(failure.reason, Reason::Timeout), "{failure}");
    drop(stream);
    talking.join().unwrap();
}
