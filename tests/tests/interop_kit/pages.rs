//! The same binary gives the same page, however a request gets to it.

use fcgi_tests::http::{Request, Response};
use fcgi_tests::pattern;

use crate::bridge;
use crate::site::{Inherited, Site, Way};

/// The page of each way, compared with nginx's.
fn alike<T: PartialEq + std::fmt::Debug>(
    name: &str,
    requests: &[Request],
    page: impl Fn(&Response) -> T,
) {
    let mut first: Option<Vec<T>> = None;
    for way in Way::ALL {
        let site = Site::start(way, name);
        let pages: Vec<T> = requests
            .iter()
            .map(|request| page(&site.ask(request)))
            .collect();
        match &first {
            None => first = Some(pages),
            Some(first) => {
                for (number, (page, first)) in pages.iter().zip(first).enumerate() {
                    assert!(
                        page == first,
                        "{name} {number}, {way:?}: {page:.2000?}\n{first:.2000?}"
                    );
                }
            }
        }
    }
}

/// Status, kind and text, without the numbers of requests and processes.
fn without_numbers(page: &Response) -> (u16, Option<String>, String) {
    let text = page.text().replace(|c: char| c.is_ascii_digit(), "");
    (page.status, page.field("Content-Type"), text)
}

#[test]
fn tiny() {
    let requests = [
        Request::get("/app.fcgi"),
        Request::get("/app.fcgi?a=b"),
        Request::post("/app.fcgi", "nobody reads this"),
        // More than the pipes on the way hold.
        Request::post("/app.fcgi", pattern::bytes(500_000)),
        Request::head("/app.fcgi"),
        Request::get("/app.fcgi/path"),
    ];
    alike("tiny-fcgi", &requests, without_numbers);
    alike("tiny-fcgi2", &requests, without_numbers);
}

/// A query without `=` becomes arguments of a CGI program (RFC 3875 §4.4), by which a client could
/// have it listen somewhere.
#[test]
fn the_client_gives_no_arguments() {
    for name in ["tiny-fcgi2", "echo2", "size", "threaded"] {
        let site = Site::start(Way::Cgid, name);
        for query in ["127.0.0.1:0", "unix:app.sock", "no+address"] {
            let page = site.ask(&Request::get(format!("/app.fcgi?{query}")));
            assert_eq!(page.status, 200, "{name} {query}: {}", page.text());
        }
    }
}

/// Of its two ways, `tiny-cgi` gives the page of the first request.
#[test]
fn tiny_counts_where_its_process_stays() {
    for (way, name) in [
        (Way::Nginx, "tiny-fcgi"),
        (Way::Fcgiwrap, "tiny-fcgi"),
        (Way::Cgid, "tiny-fcgi"),
        (Way::Bridge, "tiny-fcgi"),
        (Way::Fcgiwrap, "tiny-cgi"),
        (Way::Cgid, "tiny-cgi"),
    ] {
        let site = Site::start(way, name);
        let mut processes = Vec::new();
        for number in 1..=3 {
            let page = site.ask(&Request::get("/app.fcgi")).text();
            let count = if way.is_cgi() { 1 } else { number };
            assert!(page.contains(&format!("number {count} ")), "{way:?} {page}");
            processes.push(crate::supervised::process_of(&page));
        }
        let is_one = processes.iter().all(|process| *process == processes[0]);
        assert_eq!(is_one, !way.is_cgi(), "{way:?}: {processes:?}");
        if let Some(app) = &site.app {
            assert_eq!(processes[0], app.process.id());
        }
    }
}

/// The variables that the client decides, and the body.
pub(crate) fn told(page: &Response) -> (u16, Vec<String>, Vec<u8>) {
    const THOSE: [&str; 8] = [
        "CONTENT_LENGTH=",
        "CONTENT_TYPE=",
        "HTTP_",
        "PATH_INFO=",
        "QUERY_STRING=",
        "REQUEST_METHOD=",
        "SCRIPT_NAME=",
        "SERVER_NAME=",
    ];
    let end = page.body.windows(2).position(|two| two == b"\n\n");
    let Some(end) = end else {
        panic!("{} {:.500}", page.status, page.text())
    };
    let (variables, body) = page.body.split_at(end + 2);
    let variables = String::from_utf8_lossy(variables);
    let mut told: Vec<_> = variables
        .lines()
        .filter(|line| THOSE.iter().any(|name| line.starts_with(name)))
        // nginx says these twice.
        .filter(|line| !line.starts_with("HTTP_CONTENT_"))
        // Apache leaves out what is not there.
        .filter(|line| !line.ends_with('='))
        .map(str::to_owned)
        .collect();
    told.sort();
    (page.status, told, body.to_vec())
}

#[test]
fn echo() {
    let kind = "application/x-www-form-urlencoded";
    let requests = [
        Request::get("/app.fcgi"),
        Request::get("/app.fcgi?a=%00&b=c+d").header("X-Field", "with a=b; \"c\""),
        Request::get("/app.fcgi/some/path?q").header("Cookie", "a=b; c=d"),
        Request::post("/app.fcgi", "quantity=100&item=3047936").header("Content-Type", kind),
        Request::post("/app.fcgi?q", [0, 1, 0xff, b'\n', b'\n']),
        Request::post("/app.fcgi", pattern::bytes(65_536)),
        Request::post("/app.fcgi", pattern::bytes(3 << 20)),
    ];
    alike("echo", &requests, told);
    alike("echo2", &requests, told);
}

#[test]
fn size() {
    let numbers = [0, 1, 79, 80, 81, 8191, 8192, 65_535, 65_536, 3_000_000];
    let mut requests: Vec<_> = numbers
        .iter()
        .map(|number| Request::get(format!("/app.fcgi/{number}")))
        .collect();
    requests.push(Request::get("/app.fcgi"));
    requests.push(Request::get("/app.fcgi/many"));
    requests.push(Request::head("/app.fcgi/1000"));
    // Apache does not trust the Content-Length of a CGI program.
    alike("size", &requests, |page| (page.status, page.body.clone()));
}

#[test]
fn prime() {
    let requests = ["0", "1", "2", "500", "999900", "999983", "1000000"]
        .map(|from| Request::get(format!("/app.fcgi?from={from}")));
    alike("prime", &requests, |page| (page.status, page.text()));
}

/// `cgi-fcgi` without a web server: what it prints is what the program prints when it is run as a
/// CGI program with the same variables, and so is its status.
#[test]
fn the_bridge_in_the_place_of_the_program() {
    for name in ["echo", "echo2"] {
        let app = Inherited::start(name);
        for length in [0, 1, 100_000, 5 << 20] {
            let body = pattern::bytes(length);
            let variables = [
                ("GATEWAY_INTERFACE", "CGI/1.1"),
                ("REQUEST_METHOD", "POST"),
                ("QUERY_STRING", "a=b&c"),
                ("CONTENT_LENGTH", &length.to_string()),
                ("HTTP_COOKIE", "d=e"),
            ];
            let through = bridge::run(&app.address, &variables, &body);
            let direct = bridge::direct(name, &variables, &body);
            assert!(through.stdout.ends_with(&body));
            assert_eq!((through.status, direct.status), (Some(0), Some(0)));
            assert!(
                through.sorted_lines(&body) == direct.sorted_lines(&body),
                "{through:?}\n{direct:?}"
            );
        }
    }
}

/// A handler that fails: its client gets a 500, and the starter a status that is not 0.
#[test]
fn the_exit_status_comes_through() {
    let app = Inherited::start("log-dump");
    let granted = [
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("REQUEST_METHOD", "GET"),
        ("LOG_ACCESS", "ACCESS_OK.1"),
        ("LOG_FILE", "/does/not/exist"),
    ];
    let through = bridge::run(&app.address, &granted, b"");
    let direct = bridge::direct("log-dump", &granted, b"");
    assert_eq!((through.status, direct.status), (Some(1), Some(1)));
    assert_eq!(through.stdout, direct.stdout);
    let text = String::from_utf8_lossy(&through.stdout);
    assert!(text.starts_with("Status: 500 "), "{text}");
    let log = &direct.stderr;
    assert!(log.contains("LOG_FILE \"/does/not/exist\": "), "{log}");
    // Without the grant there is nothing to fail at.
    let through = bridge::run(&app.address, &granted[..2], b"");
    let direct = bridge::direct("log-dump", &granted[..2], b"");
    assert_eq!((through.status, direct.status), (Some(0), Some(0)));
    assert_eq!(through.stdout, direct.stdout);
}
