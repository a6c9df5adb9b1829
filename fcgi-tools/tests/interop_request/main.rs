//! `fcgi request` and `fcgi bench` on PHP-FPM and on a C program, and `fcgi dump` behind nginx.
//!
//! They need the Debian packages `nginx`, `php-fpm`, `libfcgi-dev` and a C compiler, and fail where
//! those are missing.

#[path = "../cli/tool.rs"]
mod tool;

#[path = "../common/c_program.rs"]
mod c_program;

#[path = "../common/fpm.rs"]
mod fpm;

#[path = "../dump/proxied.rs"]
mod proxied;

mod libfcgi;

use fcgi_core::Role;
use fcgi_tests::blocking::unix;
use fcgi_tests::http::{Client, Request};
use fcgi_tests::nginx::Nginx;
use fcgi_tools::dump::Style;
use fpm::Fpm;
use proxied::Proxied;
use tool::{fcgi, fcgi_with};

const PAGE: &str = r#"<?php
if ($_SERVER['QUERY_STRING'] === 'down') {
    http_response_code(503);
    exit;
}
header('Content-Type: text/plain');
header('X-Script: ' . $_SERVER['SCRIPT_FILENAME']);
echo $_SERVER['REQUEST_METHOD'], ' ', ($_SERVER['PATH_INFO'] ?? '') ?: '-', ' ';
echo $_POST['text'] ?? '-', "\n";
error_log("for " . $_SERVER['REQUEST_URI']);
"#;

const ECHO: &str = r#"<?php
header('Content-Type: application/octet-stream');
readfile('php://input');
"#;

/// With pages that tell of itself.
const SETTINGS: &str = "ping.path = /ping\nping.response = alive\npm.status_path = /status";

fn php() -> Fpm {
    Fpm::start(&[("page.php", PAGE), ("echo.php", ECHO)], SETTINGS)
}

#[test]
fn ping_and_status() {
    let fpm = php();
    let address = fpm.address();
    let ran = fcgi(["request", &address, "/ping"]);
    assert_eq!((ran.code, ran.text()), (Some(0), "alive"), "{ran:?}");
    let ran = fcgi(["request", &address, "/ping", "--expect-text", "pong"]);
    assert_eq!(ran.code, Some(9), "{ran:?}");
    let ran = fcgi(["request", &address, "/status?full", "-i"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let page = ran.text();
    assert!(page.starts_with("Status: 200 OK\n"), "{page}");
    for line in [
        "pool:                 www",
        "request URI:          /status?full",
    ] {
        assert!(page.lines().any(|other| other == line), "{line} in {page}");
    }
    let status = fcgi(["request", &address, "/status?json", "--json"]).json();
    let status: serde_json::Value = serde_json::from_str(status["body"].as_str().unwrap()).unwrap();
    assert_eq!(status["pool"], "www");
}

#[test]
fn a_script() {
    let fpm = php();
    let (address, site) = (fpm.address(), fpm.site());
    let ran = fcgi([
        "request",
        &address,
        "/page.php/a%20b",
        "--document-root",
        &site,
        "--data",
        "text=Gr%C3%BC%C3%9Fe",
        "--include",
    ]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let page = ran.text();
    assert!(
        page.contains(&format!("\nX-Script: {site}/page.php\n")),
        "{page}"
    );
    assert!(page.ends_with("\n\nPOST /a b Grüße\n"), "{page}");
    assert!(
        ran.stderr.contains("PHP message: for /page.php/a%20b"),
        "{ran:?}"
    );

    let script = format!("{site}/page.php");
    let ran = fcgi([
        "request",
        &address,
        "/any/path",
        "--script-filename",
        &script,
    ]);
    assert_eq!((ran.code, ran.text()), (Some(0), "GET - -\n"), "{ran:?}");

    let ran = fcgi([
        "request",
        &address,
        "/missing.php",
        "--document-root",
        &site,
    ]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(
        ran.stderr.contains("the status is 404 Not Found"),
        "{ran:?}"
    );
    let ran = fcgi([
        "request",
        &address,
        "/page.php?down",
        "--document-root",
        &site,
    ]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(
        ran.stderr.contains("the status is 503 Service Unavailable"),
        "{ran:?}"
    );
}

#[test]
fn ten_mebibytes_there_and_back() {
    let fpm = php();
    let body = fcgi_tests::pattern::bytes(10 << 20);
    let ran = fcgi_with(
        &body,
        &[
            "request",
            &fpm.address(),
            "/echo.php",
            "--document-root",
            &fpm.site(),
            "--data-file",
            "-",
        ],
    );
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert!(ran.stdout == body, "{} bytes", ran.stdout.len());
}

#[test]
fn values_of_php() {
    let fpm = php();
    let values = fcgi(["request", &fpm.address(), "--values", "--json"]);
    assert_eq!(values.code, Some(0), "{values:?}");
    assert_eq!(values.json()["FCGI_MPXS_CONNS"], 0);
}

#[test]
fn bench_of_php() {
    let fpm = php();
    let ran = fcgi([
        "bench",
        &fpm.address(),
        "/page.php",
        "--document-root",
        &fpm.site(),
        "-n",
        "50",
        "-c",
        "2",
        "--json",
    ]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.json()["answers"], 50);
}

/// What nginx sends an application of ours, and what it gets.
#[test]
fn dump_between_nginx_and_our_application() {
    let app = unix(
        |server| server.workers(2, 2).roles([Role::Responder]),
        |request| {
            request.header("Content-Type", "text/plain")?;
            std::io::copy(&mut request.stdin, &mut request.stdout).map(|_| ())
        },
    );
    let mut style = Style::new();
    style.decode = true;
    let proxied = Proxied::before(&app.address().to_string(), style, None);
    let nginx = Nginx::before(proxied.address().clone()).start();
    let page =
        Client::connect(nginx.address()).call(&Request::post("/a.fcgi/b?x=1", "quantity=100"));
    assert_eq!((page.status, page.text().as_str()), (200, "quantity=100"));
    let there = proxied.direction(1, '>');
    assert_eq!(there[0], "{FCGI_BEGIN_REQUEST, 1, {FCGI_RESPONDER, 0}}");
    assert!(there[1].starts_with("{FCGI_PARAMS, 1, "), "{there:#?}");
    assert_eq!(
        there[2..],
        [
            r#"{FCGI_PARAMS, 1, ""}"#,
            r#"{FCGI_STDIN, 1, "quantity=100"}"#,
            r#"{FCGI_STDIN, 1, ""}"#,
            "(end)"
        ]
    );
    let back = proxied.direction(1, '<');
    let end = "{FCGI_END_REQUEST, 1, {0, FCGI_REQUEST_COMPLETE}}";
    assert!(
        back[0].starts_with(r#"{FCGI_STDOUT, 1, "Content-Type: text/plain\r\n"#),
        "{back:#?}"
    );
    assert_eq!(back[back.len() - 2..], [end, "(end)"]);
    let (summary, lines) = proxied.end();
    assert_eq!(summary.faults, 0, "{lines:#?}");
    for pair in [
        r#""REQUEST_METHOD" = "POST""#,
        r#""QUERY_STRING" = "x=1""#,
        r#""SCRIPT_NAME" = "/a.fcgi""#,
        r#""PATH_INFO" = "/b""#,
    ] {
        assert!(
            lines.iter().any(|line| line == pair),
            "{pair} in {lines:#?}"
        );
    }
}

/// PHP closes without the ends that the specification wants; nginx and PHP go on as without us.
#[test]
fn dump_between_nginx_and_php() {
    let fpm = php();
    let proxied = Proxied::before(&fpm.address(), Style::new(), None);
    let script = format!("{}/page.php", fpm.site());
    let nginx = Nginx::before(proxied.address().clone())
        .param("SCRIPT_FILENAME", &script)
        .keep_conn(2)
        .start();
    let mut client = Client::connect(nginx.address());
    for _ in 0..3 {
        let page = client.call(&Request::get("/page.fcgi"));
        assert_eq!((page.status, page.text().as_str()), (200, "GET - -\n"));
    }
    let lines = proxied.wait_for(3, "< {FCGI_END_REQUEST, 1, {0, FCGI_REQUEST_COMPLETE}}");
    let begin = "#1 > {FCGI_BEGIN_REQUEST, 1, {FCGI_RESPONDER, FCGI_KEEP_CONN}}";
    let kept = lines.iter().filter(|line| *line == begin).count();
    assert_eq!(kept, 3, "one connection: {lines:#?}");
    assert!(
        lines.iter().any(|line| line.contains("{FCGI_STDERR, 1, ")),
        "{lines:#?}"
    );
    drop(nginx);
    let (summary, lines) = proxied.end();
    assert_eq!(summary.faults, 0, "{lines:#?}");
}
