//! Bodies in both directions.

use std::io::{self, BufRead, Write};

use fcgi_std::Request;
use fcgi_tests::http::{self, Client};
use fcgi_tests::nginx::Nginx;
use fcgi_tests::pattern::{self, Check, Source};

use crate::exchange::{Upload, bytes, text};
use crate::site::{App, Rules, Way, eight_ways, four_ways};

const MIB: u64 = 1 << 20;

eight_ways! {
    a_page, upload_of_10_mib, echo_of_10_mib, download_of_64_mib, head_of_a_large_page,
    early_answer, answer_in_the_middle_of_the_body,
}

four_ways! { upload_line_by_line, collected_upload }

/// All combinations of nginx's buffering.
fn with_and_without_buffers(app: &App) -> [(&'static str, Nginx); 4] {
    [
        ("buffered", app.nginx().start()),
        (
            "unbuffered response",
            app.nginx().unbuffered_response().start(),
        ),
        (
            "unbuffered request",
            app.nginx().unbuffered_request().start(),
        ),
        (
            "unbuffered",
            app.nginx()
                .unbuffered_request()
                .unbuffered_response()
                .start(),
        ),
    ]
}

/// Reads the body and says what it was: CONTENT_LENGTH, the length, and where it is wrong.
fn check_upload(request: &mut Request) -> io::Result<()> {
    let mut check = Check::new();
    io::copy(&mut request.stdin, &mut check)?;
    let announced = request.params.text("CONTENT_LENGTH").into_owned();
    let (length, mismatch) = (check.length(), check.mismatch());
    text(request, &format!("{announced}/{length}/{mismatch:?}"))
}

fn a_page(way: Way) {
    let app = App::start(way, |request| {
        let page = ["SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "REQUEST_METHOD"]
            .map(|name| request.text_param(name));
        text(request, &page.join(" "))
    });
    let nginx = app.nginx().start();
    let mut client = Client::connect(nginx.address());
    for number in 0..20 {
        let page = client.call(&http::Request::get(format!("/a.fcgi/b?{number}")));
        assert_eq!((page.status, page.reason.as_str()), (200, "OK"));
        assert_eq!(page.field("Content-Type").as_deref(), Some("text/plain"));
        assert_eq!(page.text(), format!("/a.fcgi /b {number} GET"));
    }
}

/// As [`check_upload`], of a body that is taken as it comes.
struct Checked(String, Check);

impl Upload for Checked {
    fn piece(&mut self, bytes: &[u8]) -> bool {
        self.1.write_all(bytes).is_ok()
    }

    fn answer(&mut self) -> String {
        let (length, mismatch) = (self.1.length(), self.1.mismatch());
        format!("{}/{length}/{mismatch:?}", self.0)
    }
}

fn upload_of_10_mib(way: Way) {
    let app = App::uploads(way, |params| {
        let announced = params.get("CONTENT_LENGTH").unwrap_or_default();
        Checked(String::from_utf8_lossy(announced).into(), Check::new())
    });
    let length = 10 * MIB;
    for (buffers, nginx) in with_and_without_buffers(&app) {
        for chunked in [false, true] {
            let mut request = http::Request::post_pattern("/", length);
            let mut expected = format!("{length}/{length}/None");
            if chunked {
                request = request.chunked();
                // nginx does not know the length before the end, and sends an empty parameter.
                if buffers.starts_with("unbuffered") && buffers != "unbuffered response" {
                    expected = format!("/{length}/None");
                }
            }
            let page = Client::connect(nginx.address()).call(&request);
            assert_eq!(page.text(), expected, "{buffers}, chunked: {chunked}");
        }
    }
}

fn upload_line_by_line(way: Way) {
    let read = |request: &mut Request| {
        let (mut lines, mut bytes) = (0_u64, 0_u64);
        let mut line = String::new();
        while request.stdin.read_line(&mut line)? > 0 {
            assert_eq!(line, format!("line {lines}\n"));
            lines += 1;
            bytes += line.len() as u64;
            line.clear();
        }
        assert_eq!(request.params.content_length(), Some(bytes));
        assert_eq!(request.stdin.announced(), Some(0));
        text(request, &format!("{lines} lines"))
    };
    let app = App::threads(way, |server| server, move |server| server.serve(read));
    let body: String = (0..30_000)
        .map(|number| format!("line {number}\n"))
        .collect();
    for (buffers, nginx) in with_and_without_buffers(&app) {
        let page = Client::connect(nginx.address()).call(&http::Request::post("/", &body));
        assert_eq!(page.text(), "30000 lines", "{buffers}");
    }
}

fn collected_upload(way: Way) {
    let app = App::threads(
        way,
        |server| server.buffer_body(100_000),
        |server| server.serve(check_upload),
    );
    for (buffers, nginx) in with_and_without_buffers(&app) {
        let mut client = Client::connect(nginx.address());
        for length in [0, 1, 99_999, 100_000, 100_001, MIB] {
            let page = client.call(&http::Request::post_pattern("/", length));
            let expected = format!("{length}/{length}/None");
            assert_eq!(page.text(), expected, "{buffers}");
        }
    }
}

/// nginx sends no more of a body once it has passed on the head of the answer. Hence a handler that
/// answers while it reads needs the body collected.
fn echo_of_10_mib(way: Way) {
    let rules = Rules {
        body: Some(10 << 20),
        ..Rules::default()
    };
    let app = App::with(way, rules, |request| {
        let body = request.body()?;
        request.write(&body)
    });
    for (buffers, nginx) in with_and_without_buffers(&app) {
        let mut check = Check::new();
        let request = http::Request::post_pattern("/", 10 * MIB);
        let page = Client::connect(nginx.address()).exchange(&request, &mut check);
        let page = page.unwrap_or_else(|error| panic!("{buffers}: {error}"));
        assert_eq!((page.status, check.mismatch()), (200, None), "{buffers}");
        assert_eq!(check.length(), 10 * MIB, "{buffers}");
        assert_eq!(
            page.field("Content-Type").as_deref(),
            Some("application/octet-stream"),
            "none was given"
        );
    }
}

fn download_of_64_mib(way: Way) {
    let length = 64 * MIB;
    let app = App::start(way, move |request| {
        match request.text_param("QUERY_STRING").as_str() {
            "next" => return text(request, "the next page"),
            "announced" => request.header("Content-Length", length.to_string().as_bytes())?,
            _ => {}
        }
        request.pour(Box::new(Source::new(length)))
    });
    for (nginx, target, announced) in [
        (app.nginx().start(), "/?announced", Some("67108864")),
        (app.nginx().unbuffered_response().start(), "/", None),
    ] {
        let mut check = Check::new();
        let mut client = Client::connect(nginx.address());
        let page = client
            .exchange(&http::Request::get(target), &mut check)
            .unwrap();
        check.assert(length);
        assert_eq!(page.field("Content-Length").as_deref(), announced);
        // Who leaves with the last byte that was announced may be ahead of END_REQUEST.
        let next = client.call(&http::Request::get("/?next"));
        assert_eq!(next.text(), "the next page");
    }
}

fn head_of_a_large_page(way: Way) {
    let app = App::start(way, |request| {
        request.header("Content-Length", b"1000000")?;
        let method = request.param("REQUEST_METHOD");
        request.header("X-Method", &method)?;
        bytes(request, &pattern::bytes(1_000_000))
    });
    for (buffers, nginx) in with_and_without_buffers(&app) {
        let mut client = Client::connect(nginx.address());
        for method in ["HEAD", "GET", "HEAD", "HEAD", "GET"] {
            let page = client.call(&http::Request::new(method, "/"));
            assert_eq!(page.status, 200);
            assert_eq!(page.field("X-Method").as_deref(), Some(method));
            assert_eq!(page.field("Content-Length").as_deref(), Some("1000000"));
            let expected = if method == "HEAD" { 0 } else { 1_000_000 };
            assert_eq!(page.body.len(), expected, "{method}, {buffers}");
        }
    }
    // nginx may be content with Content-Length bytes, and be gone before END_REQUEST.
    for incident in app.stop() {
        assert!(incident.contains("Broken pipe"), "{incident}");
    }
}

/// Wants so many bytes of the body and no more.
struct Beginning {
    wanted: usize,
    seen: Vec<u8>,
}

impl Upload for Beginning {
    fn piece(&mut self, bytes: &[u8]) -> bool {
        self.seen.extend_from_slice(bytes);
        self.seen.len() < self.wanted
    }

    fn answer(&mut self) -> String {
        self.seen.truncate(self.wanted);
        let same = self.seen == pattern::bytes(self.seen.len());
        format!("seen enough: {same}")
    }
}

fn early_answer(way: Way) {
    let app = App::uploads(way, |_| Beginning {
        wanted: 0,
        seen: Vec::new(),
    });
    for (buffers, nginx) in with_and_without_buffers(&app) {
        for round in 0..5 {
            for length in [10_000, 10 * MIB] {
                let upload = http::Request::post_pattern("/", length);
                let page = Client::connect(nginx.address()).call(&upload);
                let answer = (page.status, page.text());
                let expected = (200, "seen enough: true".to_owned());
                assert_eq!(answer, expected, "{length} bytes, {buffers}, round {round}");
            }
            let page = Client::connect(nginx.address()).call(&http::Request::get("/"));
            assert_eq!(page.text(), "seen enough: true", "{buffers}, round {round}");
        }
    }
}

fn answer_in_the_middle_of_the_body(way: Way) {
    let app = App::uploads(way, |_| Beginning {
        wanted: 100_000,
        seen: Vec::new(),
    });
    for (buffers, nginx) in with_and_without_buffers(&app) {
        for length in [100_000, 200_000, 10 * MIB] {
            let upload = http::Request::post_pattern("/", length);
            let page = Client::connect(nginx.address()).call(&upload);
            let answer = (page.status, page.text());
            let expected = (200, "seen enough: true".to_owned());
            assert_eq!(answer, expected, "{length} bytes, {buffers}");
        }
    }
}
