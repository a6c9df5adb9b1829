//! What a browser sees when a request is not served, or its handler fails.

use std::io::{self, Read};
use std::panic::resume_unwind;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;

use fcgi_tests::http::{self, Client};

use crate::exchange::text;
use crate::site::{App, Frontend, PATIENCE, Rules, Way, eight_ways};

eight_ways! {
    failing_handlers, failure_in_the_middle_of_a_response, wrong_content_length,
    too_many_parameters, too_long_a_body, too_long_a_body_without_length, too_many_requests,
    bare_refusals,
}

/// As `panic!` does, but without its message on standard error.
fn give_up(message: &'static str) -> ! {
    resume_unwind(Box::new(message))
}

fn failing_handlers(way: Way) {
    let app = App::start(way, |request| {
        match request.text_param("QUERY_STRING").as_str() {
            "panic" => give_up("at once"),
            "error" => return Err(io::Error::other("no luck")),
            "late-panic" => {
                request.status(201)?;
                text(request, "a beginning that nobody has seen")?;
                give_up("later");
            }
            "late-error" => {
                text(request, "a beginning that nobody has seen")?;
                return Err(io::Error::other("no luck later"));
            }
            _ => {}
        }
        text(request, "fine")
    });
    let nginx = app.nginx().start();
    let mut client = Client::connect(nginx.address());
    for failure in ["panic", "error", "late-panic", "late-error"] {
        let page = client.call(&http::Request::get(format!("/?{failure}")));
        assert_eq!(page.status, 500, "{failure}: {}", page.text());
        assert!(page.text().contains("500"), "{failure}: {}", page.text());
        let page = client.call(&http::Request::post(format!("/?{failure}"), "with a body"));
        assert_eq!(page.status, 500, "{failure}");
        assert_eq!(
            client.call(&http::Request::get("/")).text(),
            "fine",
            "{failure}"
        );
    }
    drop(nginx);
    let incidents = app.stop();
    assert_eq!(incidents.len(), 8, "{incidents:#?}");
    // They are reported after the answer, and may overtake each other.
    for expected in [
        "panicked: at once",
        "failed: no luck",
        "panicked: later",
        "no luck later",
    ] {
        let found = incidents
            .iter()
            .filter(|incident| incident.ends_with(expected));
        assert_eq!(found.count(), 2, "{expected}: {incidents:#?}");
    }
}

/// A body that comes no further.
struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        give_up("in the middle")
    }
}

/// What was sent cannot be taken back: the answer ends short of its Content-Length.
///
/// Behind a kept connection nginx takes END_REQUEST for the end of a good answer, and would let its
/// client wait for the rest: hence `Connection: close`.
fn failure_in_the_middle_of_a_response(way: Way) {
    let app = App::start(way, |request| {
        if request.text_param("QUERY_STRING").is_empty() {
            return text(request, "fine");
        }
        request.header("Content-Length", b"1000")?;
        request.pour(Box::new(io::Cursor::new("a beginning").chain(Broken)))
    });
    for setup in [app.nginx(), app.nginx().unbuffered_response()] {
        let nginx = setup.start();
        let mut part = Vec::new();
        let request = http::Request::get("/?x").header("Connection", "close");
        let cut = Client::connect(nginx.address()).exchange(&request, &mut part);
        assert_eq!(cut.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(part, b"a beginning");
        let page = Client::connect(nginx.address()).call(&http::Request::get("/"));
        assert_eq!(page.text(), "fine");
    }
    let incidents = app.stop();
    assert_eq!(incidents.len(), 2, "{incidents:#?}");
}

fn wrong_content_length(way: Way) {
    let app = App::start(way, |request| {
        let query = request.text_param("QUERY_STRING");
        request.header("Content-Length", b"10")?;
        match query.as_str() {
            "long" => {
                let error = request.write(b"eleven byte").unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
                request.write(b"ten bytes.")
            }
            "short" => request.write(b"nine byte"),
            "short-sent" => request.pour(Box::new(io::Cursor::new("nine byte"))),
            _ => request.write(b"ten bytes."),
        }
    });
    let nginx = app.nginx().start();
    for query in ["long", "right", "short", "right", "short-sent", "right"] {
        let mut body = Vec::new();
        let request = http::Request::get(format!("/?{query}")).header("Connection", "close");
        let page = Client::connect(nginx.address()).exchange(&request, &mut body);
        match page {
            // Nothing had been sent, so that it could still become an error.
            Ok(page) if query == "short" => assert_eq!(page.status, 500),
            Err(error) if query == "short-sent" => {
                assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
                assert_eq!(body, b"nine byte");
            }
            Ok(page) if !query.starts_with("short") => {
                assert_eq!((page.status, &body[..]), (200, &b"ten bytes."[..]));
            }
            other => panic!("{query}: {other:?}"),
        }
    }
    drop(nginx);
    let incidents = app.stop();
    assert_eq!(incidents.len(), 2, "{incidents:#?}");
    for incident in &incidents {
        let what = "shorter than its Content-Length";
        assert!(incident.contains(what), "{incidents:#?}");
    }
}

fn too_many_parameters(way: Way) {
    let rules = Rules {
        params: Some((4000, 60)),
        ..Rules::default()
    };
    let app = App::with(way, rules, |request| text(request, "served"));
    let nginx = app.nginx().start();
    let mut client = Client::connect(nginx.address());
    let long = || http::Request::get("/").header("X-Long", "x".repeat(4000));
    let many = |request: http::Request| {
        (0..60).fold(request, |request, number| {
            request.header(format!("X-{number}"), "x")
        })
    };
    for request in [
        long(),
        many(http::Request::get("/")),
        many(http::Request::post("/", "body")),
    ] {
        let page = client.call(&request);
        assert_eq!(page.status, 431, "{}", page.text());
        assert!(page.text().contains("431"), "{}", page.text());
        assert_eq!(client.call(&http::Request::get("/")).text(), "served");
    }
    let upload = many(http::Request::post_pattern("/", 10 << 20));
    assert_eq!(Client::connect(nginx.address()).call(&upload).status, 431);
    assert_eq!(client.call(&http::Request::get("/")).text(), "served");
    drop(nginx);
    let incidents = app.stop();
    assert_eq!(incidents.len(), 4, "{incidents:#?}");
    assert!(
        incidents
            .iter()
            .all(|incident| incident.contains("refused")),
        "{incidents:#?}"
    );
}

/// Up to 1000 bytes.
fn say_the_length(way: Way) -> App {
    let rules = Rules {
        body: Some(1000),
        ..Rules::default()
    };
    App::with(way, rules, |request| {
        let length = request.body()?.len();
        text(request, &format!("{length} bytes"))
    })
}

fn too_long_a_body(way: Way) {
    let app = say_the_length(way);
    for setup in [app.nginx(), app.nginx().unbuffered_request()] {
        let nginx = setup.start();
        for length in [0, 1000, 1001, 100_000, 10 << 20] {
            let upload = http::Request::post_pattern("/", length);
            let page = Client::connect(nginx.address()).call(&upload);
            let expected = if length <= 1000 { 200 } else { 413 };
            assert_eq!(page.status, expected, "{length} bytes: {}", page.text());
        }
    }
}

fn too_long_a_body_without_length(way: Way) {
    let app = say_the_length(way);
    let nginx = app.nginx().unbuffered_request().start();
    for length in [0, 1, 1000, 1001, 100_000, 10 << 20] {
        let upload = http::Request::post_pattern("/", length).chunked();
        let page = Client::connect(nginx.address()).call(&upload);
        let expected = if length <= 1000 { 200 } else { 413 };
        assert_eq!(page.status, expected, "{length} bytes: {}", page.text());
        if length <= 1000 {
            assert_eq!(page.text(), format!("{length} bytes"));
        }
    }
    drop(nginx);
    // A handler is told by an error that it returns. A short body may have come as a whole when
    // nginx made the parameters: then it has a length.
    let expected = match way.frontend {
        Frontend::Std => 2..=3,
        Frontend::Mio => 0..=0,
    };
    let incidents = app.stop();
    assert!(expected.contains(&incidents.len()), "{incidents:#?}");
    assert!(
        incidents
            .iter()
            .all(|incident| incident.contains("longer than")),
        "{incidents:#?}"
    );
}

fn too_many_requests(way: Way) {
    let (arrived, arrivals) = channel();
    let (go, gone) = channel();
    let gone = Arc::new(Mutex::new(gone));
    let rules = Rules {
        requests: Some(1),
        ..Rules::default()
    };
    let app = App::with(way, rules, move |request| {
        let waits = request.text_param("QUERY_STRING") == "wait";
        if !waits {
            return text(request, "served");
        }
        arrived.send(()).unwrap();
        let gone = Arc::clone(&gone);
        request.wait(Box::new(move || {
            gone.lock().unwrap().recv_timeout(PATIENCE).unwrap();
            "served".to_owned()
        }))
    });
    let nginx = app.nginx().start();
    thread::scope(|scope| {
        let first =
            scope.spawn(|| Client::connect(nginx.address()).call(&http::Request::get("/?wait")));
        arrivals.recv_timeout(PATIENCE).unwrap();
        let mut client = Client::connect(nginx.address());
        for request in [
            http::Request::get("/"),
            http::Request::post("/", "body"),
            http::Request::post_pattern("/", 10 << 20),
        ] {
            let page = client.call(&request);
            assert_eq!(page.status, 503, "{}", page.text());
            assert!(page.text().contains("503"), "{}", page.text());
        }
        go.send(()).unwrap();
        assert_eq!(first.join().unwrap().text(), "served");
        assert_eq!(client.call(&http::Request::get("/")).text(), "served");
    });
    drop(nginx);
    let incidents = app.stop();
    assert_eq!(incidents.len(), 3, "{incidents:#?}");
}

/// Without pages of its own, the application leaves it to nginx, which says 502.
fn bare_refusals(way: Way) {
    let rules = Rules {
        requests: Some(0),
        readable: Some(false),
        ..Rules::default()
    };
    let app = App::with(way, rules, |request| request.write(b"never"));
    let nginx = app.nginx().start();
    for request in [
        http::Request::get("/"),
        http::Request::post_pattern("/", 1 << 20),
    ] {
        let page = Client::connect(nginx.address()).call(&request);
        assert_eq!(page.status, 502, "{}", page.text());
    }
    drop(nginx);
    let incidents = app.stop();
    assert!(
        incidents
            .iter()
            .all(|incident| incident.contains("refused")),
        "{incidents:#?}"
    );
}
