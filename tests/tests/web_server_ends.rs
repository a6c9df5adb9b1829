//! fcgi-std's web server's side: what the end of one request leaves for the next.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use fcgi_listen::Stream;
use fcgi_std::Role;
use fcgi_std::web_server::{Application, Request};
use fcgi_tests::hand::*;

const PATIENCE: Option<Duration> = Some(Duration::from_secs(20));

fn page(body: &str) -> Vec<u8> {
    stream(STDOUT, 1, format!("Status: 200\n\n{body}").as_bytes())
}

fn end() -> Vec<u8> {
    end_request(1, 0, REQUEST_COMPLETE)
}

/// A connection, and the application's end of it.
fn pair() -> (Application, UnixStream) {
    let (near, far) = UnixStream::pair().unwrap();
    let mut application = Application::over(Stream::from(near)).unwrap();
    application.set_timeout(PATIENCE);
    (application, far)
}

/// The body and the appStatus of the answer to a request without a body.
#[track_caller]
fn ask(application: &mut Application, request: &Request) -> (String, Option<u32>) {
    let mut nothing = io::empty();
    let mut response = application.send(request, &mut nothing).unwrap();
    let mut text = String::new();
    response.read_to_string(&mut text).unwrap();
    (text, response.finish().unwrap().app_status)
}

/// The application may wait for the rest of the body, and take a request for it. Of one that has
/// stopped reading, what it did not take, half a record perhaps, would be missing before the next.
#[test]
fn a_request_that_ends_before_its_body_leaves_no_connection_to_reuse() {
    for stops_reading in [false, true] {
        let (mut application, mut far) = pair();
        let played = thread::spawn(move || {
            read_record(&mut far).unwrap().unwrap();
            if stops_reading {
                far.shutdown(Shutdown::Read).unwrap();
            }
            far.write_all(&[page("early"), end()].concat()).unwrap();
            far
        });
        let mut body = io::repeat(b'x').take(10 << 20);
        let mut response = application
            .send(&Request::new(Role::Responder), &mut body)
            .unwrap();
        let mut text = String::new();
        response.read_to_string(&mut text).unwrap();
        assert_eq!(text, "early");
        assert_eq!(response.finish().unwrap().app_status, Some(0));
        assert!(!application.is_reusable(), "{stops_reading}");
        drop(played.join().unwrap());
    }
}

/// It may take that for an error, and be about to close.
#[test]
fn an_aborted_request_leaves_no_connection_to_reuse() {
    let (mut application, mut far) = pair();
    let played = thread::spawn(move || {
        far.write_all(&page("a piece")).unwrap();
        while read_record(&mut far).unwrap().unwrap().kind != ABORT_REQUEST {}
        far.write_all(&end()).unwrap();
        far
    });
    let mut body = io::repeat(b'x');
    let mut response = application
        .send(&Request::new(Role::Responder), &mut body)
        .unwrap();
    response.head().unwrap();
    assert_eq!(response.abort().unwrap().app_status, Some(0));
    assert!(!application.is_reusable());
    drop(played.join().unwrap());
}

/// Nothing was sent, so the connection is as good as before.
#[test]
fn a_filter_without_data_is_refused_before_it_is_begun() {
    let (mut application, mut far) = pair();
    let mut nothing = io::empty();
    let filter = Request::new(Role::Filter);
    let refused = application.send(&filter, &mut nothing).map(drop);
    assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::InvalidInput);
    assert!(application.is_reusable());
    far.write_all(&[page("hello"), end()].concat()).unwrap();
    let response = application
        .send(&Request::new(Role::Responder), &mut nothing)
        .unwrap();
    assert_eq!(response.finish().unwrap().app_status, Some(0));
    let begin = read_record(&mut far).unwrap().unwrap();
    assert_eq!(begin.kind, BEGIN_REQUEST);
    let role = u16::from_be_bytes([begin.content[0], begin.content[1]]);
    assert_eq!(role, RESPONDER);
}

/// The next request has the same id.
#[test]
fn what_comes_after_the_end_is_not_the_next_requests() {
    let (mut application, mut far) = pair();
    let late = [
        page("late"),
        stream(STDERR, 1, b"late"),
        end_request(1, 9, 0),
    ]
    .concat();
    far.write_all(&[page("one"), end(), late].concat()).unwrap();
    let request = Request::new(Role::Responder);
    assert_eq!(ask(&mut application, &request), ("one".into(), Some(0)));
    far.write_all(&[page("two"), end()].concat()).unwrap();
    assert_eq!(ask(&mut application, &request), ("two".into(), Some(0)));
    far.write_all(
        &[
            page("three"),
            end(),
            get_values_result(&[("FCGI_MAX_REQS", "7")]),
        ]
        .concat(),
    )
    .unwrap();
    assert_eq!(ask(&mut application, &request), ("three".into(), Some(0)));
    far.write_all(&[unknown_type(GET_VALUES), page("late")].concat())
        .unwrap();
    assert_eq!(application.values().unwrap(), None);
    far.write_all(&[page("four"), end()].concat()).unwrap();
    assert_eq!(ask(&mut application, &request), ("four".into(), Some(0)));
}

/// An application that closes with input unread resets the connection, whatever it has said.
#[test]
fn a_complete_answer_is_no_less_complete_for_a_reset_after_it() {
    for (stdout_end, is_complete) in [(true, true), (false, false)] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut far, _) = listener.accept().unwrap();
        let mut application = Application::over(Stream::from(near)).unwrap();
        application.set_timeout(PATIENCE);
        let mut request = Request::new(Role::Responder);
        request.keep_conn(false);
        let mut nothing = io::empty();
        let mut response = application.send(&request, &mut nothing).unwrap();
        far.write_all(&page("")).unwrap();
        assert_eq!(response.head().unwrap().status().code(), 200);
        if stdout_end {
            far.write_all(&end_of(STDOUT, 1)).unwrap();
        }
        far.peek(&mut [0]).unwrap();
        drop(far);
        let ended = response.finish().map(|end| end.app_status);
        let kind = ended.map_err(|error| error.kind());
        assert_eq!(kind.is_ok(), is_complete, "{kind:?}");
        assert!(!application.is_reusable());
    }
}

/// On a connection that is to be kept only END_REQUEST ends a request; on others the end of STDOUT
/// is enough.
#[test]
fn an_answer_that_is_cut_at_any_byte_is_complete_or_an_error() {
    let whole = [page("x"), end_of(STDOUT, 1), end()].concat();
    let stdout_end = whole.len() - end().len();
    for keep in [true, false] {
        for cut in 0..=whole.len() {
            let (mut application, mut far) = pair();
            far.write_all(&whole[..cut]).unwrap();
            far.shutdown(Shutdown::Write).unwrap();
            let mut request = Request::new(Role::Responder);
            request.keep_conn(keep);
            let mut nothing = io::empty();
            let mut response = application.send(&request, &mut nothing).unwrap();
            let mut text = String::new();
            let read = response.read_to_string(&mut text);
            let ended = read.and_then(|_| response.finish());
            let ended = ended.map(|end| end.app_status).map_err(|e| e.kind());
            let expected = match cut {
                _ if cut == whole.len() => Ok(Some(0)),
                _ if cut == stdout_end && !keep => Ok(None),
                _ => Err(io::ErrorKind::UnexpectedEof),
            };
            assert_eq!(ended, expected, "{keep}, {cut}");
            assert_eq!(application.is_reusable(), keep && cut == whole.len());
        }
    }
}
