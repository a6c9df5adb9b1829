//! When a connection to an application is good for another request.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use fcgi_listen::Stream;
use fcgi_std::Role;
use fcgi_std::web_server::{Application, Request};
use fcgi_tests::hand;

fn answer() -> Vec<u8> {
    [
        hand::stream(hand::STDOUT, 1, b"Content-Type: text/plain\r\n\r\nhello"),
        hand::end_request(1, 0, hand::REQUEST_COMPLETE),
    ]
    .concat()
}

/// A connection, and the application's end of it.
fn pair() -> (Application, UnixStream) {
    let (near, far) = UnixStream::pair().unwrap();
    let mut application = Application::over(Stream::from(near)).unwrap();
    application.set_timeout(Some(Duration::from_secs(20)));
    (application, far)
}

/// What the application did not take of the last request, half a record perhaps, would be missing
/// before the next one.
#[test]
fn an_application_that_has_stopped_reading_gets_no_other_request() {
    let (mut application, mut far) = pair();
    let played = thread::spawn(move || {
        far.read_exact(&mut [0; 8]).unwrap();
        far.shutdown(Shutdown::Read).unwrap();
        far.write_all(&answer()).unwrap();
        far
    });
    let mut body = io::repeat(b'x').take(10 << 20);
    let mut response = application
        .send(&Request::new(Role::Responder), &mut body)
        .unwrap();
    let mut text = String::new();
    response.read_to_string(&mut text).unwrap();
    assert_eq!(text, "hello");
    assert_eq!(response.finish().unwrap().app_status, Some(0));
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
    far.write_all(&answer()).unwrap();
    let response = application
        .send(&Request::new(Role::Responder), &mut nothing)
        .unwrap();
    assert_eq!(response.finish().unwrap().app_status, Some(0));
    let begin = hand::read_record(&mut far).unwrap().unwrap();
    assert_eq!(begin.kind, hand::BEGIN_REQUEST);
    let role = u16::from_be_bytes([begin.content[0], begin.content[1]]);
    assert_eq!(role, hand::RESPONDER);
}
