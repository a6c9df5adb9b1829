//! What stands still: whose fault it is, and what becomes of the application's part.

use std::io::{self, Write};
use std::thread;
use std::time::Duration;

use fcgi_tests::hand;
use fcgi_tests::http::Request;
use fcgi_tests::pattern::{Check, Source};
use fcgi_tools::serve::{Application, Options};

use crate::app::{App, Way};
use crate::gateway::Gateway;
use crate::played::{Played, answer, scripted_with};

const TIMEOUT: Duration = Duration::from_secs(1);

fn soon(options: Options) -> Options {
    Options {
        timeout: TIMEOUT,
        ..options
    }
}

/// A body whose length is not known is collected first; that takes no longer than any other wait.
#[test]
fn a_chunked_body_that_does_not_go_on_is_given_up() {
    let gateway = scripted_with(soon, |_, _| panic!("half a body"));
    let mut client = gateway.client();
    let upload = Request::post("/", "").chunked();
    client.send(&upload.head_bytes()).unwrap();
    client.send(b"5\r\nhello\r\n").unwrap();
    let page = client.receive(false, &mut Vec::new()).unwrap();
    assert_eq!(page.status, 408);
    gateway.line("access: POST / 408 ");
}

/// The client has sent all: what follows is the application's fault.
#[test]
fn an_application_that_has_the_whole_body_is_to_blame() {
    let gateway = scripted_with(soon, |heard, _| {
        thread::sleep(2 * TIMEOUT);
        answer(heard.id, "Content-Type: a/b\n\ntoo late")
    });
    for length in [1, 10_000, 1_000_000] {
        let page = gateway.client().call(&Request::post_pattern("/", length));
        assert_eq!(page.status, 504, "{length} bytes");
    }
}

/// It has said all, and does not end the request: its connection is not held for ever.
#[test]
fn a_request_that_is_not_ended_is_aborted() {
    let played = Played::new();
    let application = Application::Connect(played.address());
    let gateway = Gateway::start(application, soon);
    let mut client = gateway.client();
    client.send(&Request::get("/").head_bytes()).unwrap();
    played.answer_question(&[("FCGI_MPXS_CONNS", "0")]);
    let mut talk = played.accept();
    let id = talk.request().id;
    let page = b"Content-Type: a/b\n\nall of it";
    let stdout = hand::stream(hand::STDOUT, id, page);
    talk.send(&[stdout, hand::end_of(hand::STDOUT, id)].concat());
    let mut body = Vec::new();
    assert_eq!(client.receive(false, &mut body).unwrap().status, 200);
    assert_eq!(body, b"all of it");
    assert_eq!(talk.record().kind, hand::ABORT_REQUEST);
    assert!(talk.is_closed(), "it does not heed that either");
}

/// A client that rests, as a player of films does, gets the rest when it wants it.
#[test]
fn a_client_that_rests_loses_nothing() {
    const LENGTH: u64 = 64 << 20;
    let app = App::start(Way::Tcp, |request| {
        request.content_type("application/octet-stream")?;
        request.content_length(LENGTH)?;
        io::copy(&mut Source::new(LENGTH), &mut request.stdout).map(drop)
    });
    let gateway = app.gateway_with(soon);
    let mut client = gateway.client();
    client.send(&Request::get("/").head_bytes()).unwrap();
    assert_eq!(client.receive_head().unwrap().status, 200);
    let mut check = Check::new();
    let mut left = LENGTH;
    for _ in 0..2 {
        check
            .write_all(&client.receive_bytes(1 << 20).unwrap())
            .unwrap();
        left -= 1 << 20;
        thread::sleep(2 * TIMEOUT);
    }
    while left > 0 {
        let length = left.min(1 << 20);
        let piece = client.receive_bytes(usize::try_from(length).unwrap());
        check.write_all(&piece.unwrap()).unwrap();
        left -= length;
    }
    check.assert(LENGTH);
    gateway.line("access: GET / 200 67108864 B");
}
