//! `fcgi request`: what it sends, what it prints, and its exit codes.

#[path = "../cli/tool.rs"]
mod tool;

mod codes;
mod peer;

use std::io::{Read, Write};

use fcgi_core::Role;
use fcgi_tests::blocking::{App, unix};
use tool::{fcgi, fcgi_with};

/// Tells its parameters, and what it reads.
fn app() -> App {
    unix(
        |server| server.roles([Role::Responder, Role::Authorizer, Role::Filter]),
        |request| {
            if request.params.text("SCRIPT_NAME") == "/binary" {
                request.header("Content-Type", "application/octet-stream")?;
                return request.stdout.write_all(b"\xff\0\n");
            }
            let (mut stdin, mut data) = (Vec::new(), Vec::new());
            request.stdin.read_to_end(&mut stdin)?;
            request.data.read_to_end(&mut data)?;
            request.header("Content-Type", "text/plain")?;
            request.header("X-Role", request.role().to_string())?;
            writeln!(request.stderr, "about to answer")?;
            let pairs = request.params.iter();
            let mut lines: Vec<String> = pairs
                .map(|(name, value)| {
                    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                    format!("{}={}\n", text(name), text(value))
                })
                .collect();
            lines.sort();
            request.stdout.write_all(lines.concat().as_bytes())?;
            writeln!(request.stdout, "stdin: {}", String::from_utf8_lossy(&stdin))?;
            writeln!(request.stdout, "data: {}", String::from_utf8_lossy(&data))
        },
    )
}

#[track_caller]
fn has(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.lines().any(|other| other == *line), "{line} in {text}");
    }
}

#[track_caller]
fn has_not(text: &str, names: &[&str]) {
    for name in names {
        let is_it = |line: &str| line.starts_with(&format!("{name}="));
        assert!(!text.lines().any(is_it), "{name} in {text}");
    }
}

#[test]
fn what_the_application_is_told() {
    let app = app();
    let ran = fcgi([
        "request",
        &app.address().to_string(),
        "/a%20b?x=1",
        "-H",
        "Accept: text/html",
        "-H",
        "Host: example.org:81",
        "-p",
        "HTTPS=on",
    ]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.stderr, "about to answer\n");
    let lines = [
        "REQUEST_METHOD=GET",
        "SCRIPT_NAME=/a b",
        "QUERY_STRING=x=1",
        "REQUEST_URI=/a%20b?x=1",
        "HTTP_ACCEPT=text/html",
        "HTTP_HOST=example.org:81",
        "SERVER_NAME=example.org",
        "GATEWAY_INTERFACE=CGI/1.1",
        "HTTPS=on",
        "stdin: ",
    ];
    has(ran.text(), &lines);
    has_not(ran.text(), &["CONTENT_LENGTH", "CONTENT_TYPE", "PATH_INFO"]);
}

#[test]
fn bodies() {
    let app = app();
    let address = app.address().to_string();
    let ran = fcgi(["request", &address, "/", "--data", "quantity=100"]);
    has(
        ran.text(),
        &[
            "REQUEST_METHOD=POST",
            "CONTENT_LENGTH=12",
            "CONTENT_TYPE=application/x-www-form-urlencoded",
            "stdin: quantity=100",
        ],
    );
    let from_stdin = ["request", &address, "/", "--data-file", "-", "-X", "PUT"];
    let ran = fcgi_with(b"from a pipe", &from_stdin);
    has(
        ran.text(),
        &[
            "REQUEST_METHOD=PUT",
            "CONTENT_LENGTH=11",
            "stdin: from a pipe",
        ],
    );
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"from a file").unwrap();
    let name = file.path().to_str().unwrap();
    let ran = fcgi([
        "request",
        &address,
        "/",
        "--data-file",
        name,
        "-H",
        "Content-Type: a/b",
    ]);
    has(
        ran.text(),
        &[
            "CONTENT_TYPE=a/b",
            "CONTENT_LENGTH=11",
            "stdin: from a file",
        ],
    );
    // Longer than the buffers on the way.
    let large = vec![b'x'; 3_000_000];
    let ran = fcgi_with(&large, &["request", &address, "/", "--data-file", "-"]);
    assert_eq!(ran.code, Some(0));
    let end = format!("stdin: {}\ndata: \n", "x".repeat(3_000_000));
    assert!(ran.text().ends_with(&end));
}

#[test]
fn an_authorizer() {
    let app = app();
    let address = app.address().to_string();
    let ran = fcgi([
        "request",
        &address,
        "/private",
        "--role",
        "authorizer",
        "-i",
    ]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    has(
        ran.text(),
        &["X-Role: FCGI_AUTHORIZER", "REQUEST_URI=/private"],
    );
    has_not(ran.text(), &["SCRIPT_NAME", "PATH_INFO", "CONTENT_LENGTH"]);
}

#[test]
fn a_filter() {
    let app = app();
    let address = app.address().to_string();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"the file").unwrap();
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(12_345);
    file.as_file().set_modified(time).unwrap();
    let name = file.path().to_str().unwrap();
    let ran = fcgi([
        "request",
        &address,
        "/",
        "--role",
        "filter",
        "--filter-file",
        name,
        "--data",
        "a=b",
        "--include",
    ]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    has(
        ran.text(),
        &[
            "X-Role: FCGI_FILTER",
            "FCGI_DATA_LENGTH=8",
            "FCGI_DATA_LAST_MOD=12345",
            "stdin: a=b",
            "data: the file",
        ],
    );
}

#[test]
fn what_is_printed() {
    let app = app();
    let address = app.address().to_string();
    let ran = fcgi(["request", &address, "/binary"]);
    assert_eq!(ran.stdout, b"\xff\0\n");
    let ran = fcgi(["request", &address, "/binary", "-i"]);
    let head = b"Status: 200 OK\nContent-Type: application/octet-stream\n\n";
    assert_eq!(ran.stdout, [&head[..], b"\xff\0\n"].concat());
    let ran = fcgi(["request", &address, "/binary", "--quiet"]);
    assert_eq!((ran.code, &ran.stdout[..]), (Some(0), &b""[..]));
}

#[test]
fn json() {
    let app = app();
    let address = app.address().to_string();
    let ran = fcgi(["request", &address, "/page", "--json"]);
    assert_eq!((ran.code, &*ran.stderr), (Some(0), ""), "{ran:?}");
    let answer = ran.json();
    assert_eq!(answer["status"], 200);
    assert_eq!(answer["verdict"], 0);
    assert_eq!(answer["app_status"], 0);
    assert_eq!(answer["error"], serde_json::Value::Null);
    assert_eq!(answer["headers"][0]["name"], "Content-Type");
    assert_eq!(answer["headers"][0]["value"], "text/plain");
    assert_eq!(answer["stderr"], "about to answer\n");
    assert_eq!(answer["body_encoding"], "utf-8");
    let body = answer["body"].as_str().unwrap();
    assert!(body.contains("SCRIPT_NAME=/page\n"), "{body}");
    assert!(answer["seconds"].as_f64().unwrap() > 0.0);

    let answer = fcgi(["request", &address, "/binary", "--json"]).json();
    assert_eq!(answer["body"], "\u{ff}\0\n");
    assert_eq!(answer["body_encoding"], "latin-1");
}

#[test]
fn values() {
    let app = app();
    let address = app.address().to_string();
    let ran = fcgi(["request", "--values", &address]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let names = ran
        .text()
        .lines()
        .map(|line| line.split(' ').next().unwrap());
    let names: Vec<&str> = names.collect();
    assert_eq!(
        names,
        ["FCGI_MAX_CONNS", "FCGI_MAX_REQS", "FCGI_MPXS_CONNS"]
    );
    let values = fcgi(["request", &address, "--values", "--json"]).json();
    assert_eq!(values["FCGI_MPXS_CONNS"], 0, "{values}");
    assert!(values["FCGI_MAX_REQS"].as_u64().unwrap() >= 1, "{values}");
}
