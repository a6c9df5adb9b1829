//! Bodies in both directions.

use std::io::{self, Read, Write};
use std::thread;

use fcgi_std::Request;
use fcgi_tests::http;
use fcgi_tests::pattern::{self, Check, Source};
use fcgi_tools::serve::Options;

use crate::app::{App, Way, both_ways, text};

const MIB: u64 = 1 << 20;

both_ways! {
    a_page, uploads, echo_of_10_mib, downloads_of_64_mib, early_answer, answer_before_the_body,
    a_hundred_clients, chunked_bodies_up_to_a_limit, expectations,
}

/// Reads the body and says what it was: CONTENT_LENGTH, the length, and where it is wrong.
fn check_upload(request: &mut Request) -> io::Result<()> {
    let mut check = Check::new();
    io::copy(&mut request.stdin, &mut check)?;
    let announced = request.params.get("CONTENT_LENGTH").map(<[u8]>::to_vec);
    let announced = announced.map_or("none".into(), |length| String::from_utf8(length).unwrap());
    let (length, mismatch) = (check.length(), check.mismatch());
    text(request, &format!("{announced}/{length}/{mismatch:?}"))
}

fn a_page(way: Way) {
    let app = App::start(way, |request| {
        let page = ["SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "REQUEST_METHOD"]
            .map(|name| request.params.text(name).into_owned());
        text(request, &page.join(" "))
    });
    let gateway = app.gateway();
    let mut client = gateway.client();
    for number in 0..20 {
        let page = client.call(&http::Request::get(format!("/a%20b/c?{number}")));
        assert_eq!((page.status, page.reason.as_str()), (200, "OK"));
        assert_eq!(page.field("Content-Type").as_deref(), Some("text/plain"));
        assert_eq!(page.text(), format!(" /a b/c {number} GET"));
    }
    let line = gateway.line("access: GET /a%20b/c?19 200 14 B ");
    assert!(line.ends_with(" ms"), "{line}");
}

fn uploads(way: Way) {
    let app = App::start(way, check_upload);
    let gateway = app.gateway();
    let mut client = gateway.client();
    assert_eq!(client.call(&http::Request::get("/")).text(), "none/0/None");
    for length in [0, 1, 65_535, 65_536, 65_537, 10 * MIB] {
        for chunked in [false, true] {
            let mut request = http::Request::post_pattern("/", length);
            if chunked {
                request = request.chunked();
            }
            let expected = format!("{length}/{length}/None");
            assert_eq!(client.call(&request).text(), expected, "chunked: {chunked}");
        }
    }
}

fn echo_of_10_mib(way: Way) {
    let app = App::start(way, |request| {
        request.header("Content-Type", "application/octet-stream")?;
        io::copy(&mut request.stdin, &mut request.stdout).map(drop)
    });
    let gateway = app.gateway();
    for chunked in [false, true] {
        let mut request = http::Request::post_pattern("/", 10 * MIB);
        if chunked {
            request = request.chunked();
        }
        let mut check = Check::new();
        let page = gateway.client().exchange(&request, &mut check).unwrap();
        check.assert(10 * MIB);
        assert_eq!(page.status, 200);
    }
}

fn downloads_of_64_mib(way: Way) {
    let length = 64 * MIB;
    let app = App::start(way, move |request| {
        request.header("Content-Type", "application/octet-stream")?;
        if request.params.text("QUERY_STRING") == "announced" {
            request.header("Content-Length", length.to_string())?;
        }
        // Pieces that fill no record evenly.
        let mut piece = vec![0; 100_001];
        let mut source = Source::new(length);
        loop {
            match source.read(&mut piece)? {
                0 => return Ok(()),
                count => request.stdout.write_all(&piece[..count])?,
            }
        }
    });
    let gateway = app.gateway();
    let mut client = gateway.client();
    for (target, announced) in [("/?announced", Some("67108864")), ("/", None)] {
        let mut check = Check::new();
        let page = client
            .exchange(&http::Request::get(target), &mut check)
            .unwrap();
        check.assert(length);
        assert_eq!(page.field("Content-Length").as_deref(), announced);
        let chunked = announced.is_none().then_some("chunked");
        assert_eq!(page.field("Transfer-Encoding").as_deref(), chunked);
        gateway.line(&format!("access: GET {target} 200 67108864 B"));
    }
    assert_eq!(app.incidents(), [""; 0], "no request was aborted");
}

/// The application answers without having read, and ends the request: the upload stops.
fn early_answer(way: Way) {
    let app = App::start(way, |request| text(request, "seen enough"));
    let gateway = app.gateway();
    for round in 0..5 {
        for length in [10_000, 10 * MIB] {
            let upload = http::Request::post_pattern("/", length);
            let page = gateway.client().call(&upload);
            let answer = (page.status, page.text());
            let expected = (200, "seen enough".to_owned());
            assert_eq!(answer, expected, "{length} bytes, round {round}");
        }
        let page = gateway.client().call(&http::Request::get("/"));
        assert_eq!(page.text(), "seen enough", "round {round}");
    }
}

/// The first half of the answer is there before the second half of the upload was sent.
fn answer_before_the_body(way: Way) {
    let app = App::start(way, |request| {
        let mut half = [0; 5];
        request.header("Content-Type", "text/plain")?;
        for _ in 0..2 {
            request.stdin.read_exact(&mut half)?;
            request.stdout.write_all(&half)?;
            request.stdout.flush()?;
        }
        Ok(())
    });
    let gateway = app.gateway();
    let mut client = gateway.client();
    let upload = http::Request::post("/", "firsthalf!");
    client.send(&upload.head_bytes()).unwrap();
    client.send(b"first").unwrap();
    assert_eq!(client.receive_head().unwrap().status, 200);
    assert_eq!(client.receive_bytes(10).unwrap(), b"5\r\nfirst\r\n");
    client.send(b"half!").unwrap();
    assert_eq!(
        client.receive_bytes(15).unwrap(),
        b"5\r\nhalf!\r\n0\r\n\r\n"
    );
}

fn a_hundred_clients(way: Way) {
    let app = App::start(way, |request| {
        let body = io::read_to_string(&mut request.stdin)?;
        let query = request.params.text("QUERY_STRING").into_owned();
        text(request, &format!("{query} {body}"))
    });
    let gateway = app.gateway();
    thread::scope(|scope| {
        for number in 0..100 {
            let mut client = gateway.client();
            scope.spawn(move || {
                for round in 0..10 {
                    let body = format!("{number} {round}");
                    let mut request = http::Request::post(format!("/?{number}"), &body);
                    if round % 2 == 1 {
                        request = request.chunked();
                    }
                    let page = client.call(&request);
                    assert_eq!(page.text(), format!("{number} {body}"));
                }
            });
        }
    });
}

fn chunked_bodies_up_to_a_limit(way: Way) {
    let app = App::start(way, check_upload);
    let limited = |spool_limit| {
        app.gateway_with(move |options| Options {
            spool_limit,
            ..options
        })
    };
    let gateway = limited(100_000);
    let upload = |length| http::Request::post_pattern("/", length).chunked();
    for (length, status) in [(100_000, 200), (100_001, 413), (10 * MIB, 413)] {
        let page = gateway.client().call(&upload(length));
        assert_eq!(page.status, status, "{length}");
    }
    let long = http::Request::post_pattern("/", MIB);
    assert_eq!(gateway.client().call(&long).text(), "1048576/1048576/None");
    assert_eq!(limited(0).client().call(&upload(1)).status, 411);
}

/// `Expect: 100-continue` is answered when somebody wants the body, and not passed on.
fn expectations(way: Way) {
    let app = App::start(way, |request| {
        assert_eq!(request.params.get("HTTP_EXPECT"), None);
        if request.params.text("QUERY_STRING") == "refuse" {
            request.status(403)?;
            return text(request, "no");
        }
        let body = io::read_to_string(&mut request.stdin)?;
        text(request, &body)
    });
    let gateway = app.gateway();
    let mut client = gateway.client();
    let request = http::Request::post("/", "body").header("Expect", "100-continue");
    client.send(&request.head_bytes()).unwrap();
    assert_eq!(client.receive_head().unwrap().status, 100);
    client.send(b"body").unwrap();
    let mut body = Vec::new();
    assert_eq!(client.receive(false, &mut body).unwrap().status, 200);
    assert_eq!(body, b"body");

    let body = pattern::bytes(100);
    let request = http::Request::post("/?refuse", body).header("Expect", "100-continue");
    let mut client = gateway.client();
    client.send(&request.head_bytes()).unwrap();
    let page = client.receive(false, &mut Vec::new()).unwrap();
    assert_eq!(page.status, 403);
}
