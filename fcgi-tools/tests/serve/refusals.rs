//! Requests that the application does not take, connections that turn out to be closed, and
//! applications that are not there.

use std::time::{Duration, Instant};

use fcgi_listen::Address;
use fcgi_tests::hand;
use fcgi_tests::http::Request;
use fcgi_tests::pattern;
use fcgi_tools::serve::{Application, Options};

use crate::gateway::Gateway;
use crate::played::{Played, answer, scripted, scripted_with};

#[test]
fn a_refused_request_is_sent_once_more() {
    for status in [hand::OVERLOADED, hand::CANT_MPX_CONN] {
        let gateway = scripted(move |heard, count| match count {
            0 => hand::end_request(heard.id, 0, status),
            _ => {
                let (method, length) = (heard.param("REQUEST_METHOD"), heard.stdin.len());
                let is_same = heard.stdin == pattern::bytes(length);
                answer(
                    heard.id,
                    format!("Content-Type: a/b\n\n{method} {length} {is_same}"),
                )
            }
        });
        let upload = Request::post_pattern("/", 20_000);
        let page = gateway.client().call(&upload);
        assert_eq!(
            (page.status, page.text().as_str()),
            (200, "POST 20000 true")
        );
    }
}

/// A long body that was collected can be sent again; one that was streamed cannot.
#[test]
fn a_refused_body_is_sent_again_if_it_is_there() {
    for (chunked, status) in [(true, 200), (false, 503)] {
        let gateway = scripted(move |heard, count| match count {
            0 => hand::end_request(heard.id, 0, hand::OVERLOADED),
            _ => {
                assert_eq!(heard.stdin, pattern::bytes(1_000_000));
                answer(heard.id, "Content-Type: a/b\n\n")
            }
        });
        let mut upload = Request::post_pattern("/", 1_000_000);
        if chunked {
            upload = upload.chunked();
        }
        assert_eq!(gateway.client().call(&upload).status, status);
    }
}

#[test]
fn a_request_that_nobody_takes_gets_a_503() {
    for (protocol_status, status, text) in [
        (
            hand::OVERLOADED,
            503,
            "refused the request: FCGI_OVERLOADED",
        ),
        (
            hand::CANT_MPX_CONN,
            503,
            "refused the request: FCGI_CANT_MPX_CONN",
        ),
        (
            hand::UNKNOWN_ROLE,
            502,
            "refused the request: FCGI_UNKNOWN_ROLE",
        ),
        (77, 502, "refused the request"),
    ] {
        let gateway = scripted(move |heard, _| hand::end_request(heard.id, 0, protocol_status));
        let page = gateway.client().call(&Request::get("/"));
        assert_eq!(page.status, status, "{text}");
        assert!(page.text().contains(text), "{text} in {}", page.text());
        let again = (status == 503).then_some("1");
        assert_eq!(page.field("Retry-After").as_deref(), again);
    }
}

/// An application that promised to multiplex and does not: the second request waits for another
/// connection.
#[test]
fn a_connection_that_takes_no_second_request() {
    let played = Played::new();
    let gateway = played.gateway();
    let mut clients = [gateway.client(), gateway.client()];
    for (client, target) in clients.iter_mut().zip(["/0", "/1"]) {
        client.send(&Request::get(target).head_bytes()).unwrap();
    }
    played.answer_question(&[("FCGI_MPXS_CONNS", "1")]);
    let mut talk = played.accept();
    let (first, second) = (talk.request(), talk.request());
    talk.send(&hand::end_request(second.id, 0, hand::CANT_MPX_CONN));
    let mut other = played.accept();
    let again = other.request();
    assert_eq!(again.params, second.params);
    other.answer(again.id, &again.param("REQUEST_URI"));
    talk.answer(first.id, &first.param("REQUEST_URI"));
    for (number, client) in clients.iter_mut().enumerate() {
        let mut body = Vec::new();
        assert_eq!(client.receive(false, &mut body).unwrap().status, 200);
        assert_eq!(body, format!("/{number}").as_bytes());
    }
}

/// A kept connection that the application closes when the next request comes.
#[test]
fn a_stale_connection_is_replaced_if_that_is_safe() {
    for (request, status, sent) in [
        (Request::get("/"), 200, 3),
        (Request::new("DELETE", "/"), 200, 3),
        (Request::post("/", "body"), 502, 2),
    ] {
        let gateway = scripted(|heard, count| match count {
            1 => Vec::new(),
            _ => answer(heard.id, format!("Content-Type: a/b\n\n{count}")),
        });
        let mut client = gateway.client();
        assert_eq!(client.call(&Request::get("/")).text(), "0");
        let page = client.call(&request);
        assert_eq!(page.status, status, "{request:?}");
        assert_eq!(client.call(&Request::get("/")).text(), sent.to_string());
    }
}

/// On a new connection the application has failed at this request, and would again.
#[test]
fn a_fresh_connection_that_is_closed_is_an_error() {
    let gateway = scripted(|_, _| Vec::new());
    let page = gateway.client().call(&Request::get("/"));
    assert_eq!(page.status, 502);
    assert!(
        page.text().contains("closed the connection"),
        "{}",
        page.text()
    );
    gateway.line("access: GET / 502 ");
}

/// Once an answer has begun, nothing is sent again.
#[test]
fn an_answer_that_breaks_off_in_its_head_is_an_error() {
    let gateway = scripted(|heard, count| match count {
        0 => answer(heard.id, "Content-Type: a/b\n\n"),
        1 => {
            let begun = hand::stream(hand::STDOUT, heard.id, b"Content-Type:");
            [begun, hand::end_request(heard.id, 0, hand::OVERLOADED)].concat()
        }
        _ => panic!("sent again"),
    });
    let mut client = gateway.client();
    assert_eq!(client.call(&Request::get("/")).status, 200);
    assert_eq!(client.call(&Request::get("/")).status, 503);
}

#[test]
fn an_application_that_is_not_there() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.sock");
    let address = Address::Unix(path.clone());
    let gateway = Gateway::start(Application::Connect(address), |options| options);
    let mut client = gateway.client();
    for _ in 0..2 {
        let page = client.call(&Request::get("/"));
        assert_eq!(page.status, 503);
        assert_eq!(page.field("Retry-After").as_deref(), Some("1"));
        let path = path.display().to_string();
        for text in [path.as_str(), "No such file", "fcgi serve -- COMMAND"] {
            assert!(page.text().contains(text), "{text} in {}", page.text());
        }
    }
    gateway.line("access: GET / 503 ");
    // It comes up, and is served.
    let server = fcgi_std::Server::bind(path.to_str().unwrap()).unwrap();
    let handle = server.handle();
    let served = std::thread::spawn(move || {
        server.serve(|request| request.header("Content-Type", "text/plain"))
    });
    assert_eq!(client.call(&Request::get("/")).status, 200);
    drop(gateway);
    handle.stop(Duration::ZERO);
    served.join().unwrap().unwrap();
}

#[test]
fn an_application_that_does_nothing_times_out() {
    let timeout = Duration::from_millis(300);
    let change = |options| Options { timeout, ..options };
    let gateway = scripted_with(change, |heard, _| {
        if heard.param("PATH_INFO") == "/half" {
            return hand::stream(hand::STDOUT, heard.id, b"Content-Type: a/b\n\nhalf");
        }
        std::thread::sleep(Duration::from_secs(2));
        answer(heard.id, "Content-Type: a/b\n\ntoo late")
    });
    let begun = Instant::now();
    let page = gateway.client().call(&Request::get("/"));
    assert_eq!(page.status, 504);
    let took = begun.elapsed();
    assert!(took >= timeout && took < Duration::from_secs(2), "{took:?}");
    let page = gateway
        .client()
        .exchange(&Request::get("/half"), &mut Vec::new());
    page.unwrap_err();
    gateway.line("(cut short)");
    // Not the application's fault: the client sends half of its body.
    let mut client = gateway.client();
    client
        .send(&Request::post("/", "1234567890").head_bytes())
        .unwrap();
    client.send(b"12345").unwrap();
    let page = client.receive(false, &mut Vec::new()).unwrap();
    assert_eq!(page.status, 408);
}
