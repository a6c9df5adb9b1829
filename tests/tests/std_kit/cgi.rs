//! A program without a listening socket is a CGI program (RFC 3875).

use super::*;

const MODES: [&str; 3] = ["run", "loop", "stdio"];

#[test]
fn the_same_program_gives_the_same_page() {
    let large = vec![b'x'; 300_000];
    for mode in MODES {
        let app = app(mode);
        for (query, body) in [
            ("a=1", &b""[..]),
            ("b", b"body"),
            ("status=7", b""),
            ("c", &large),
        ] {
            let length = body.len().to_string();
            let pairs = [
                ("REQUEST_METHOD", "POST"),
                ("QUERY_STRING", query),
                ("CONTENT_LENGTH", &length),
            ];
            let answer = app.connect().ask(1, request(query, body));
            let ran = cgi(mode, &pairs, body);
            assert!(
                ran.stdout == answer.stdout,
                "{mode} {query}: {}",
                ran.head()
            );
            assert!(ran.body().ends_with(body));
            let (status, _) = answer.end.unwrap();
            assert_eq!(
                ran.exit.map(i32::cast_unsigned),
                Some(status),
                "{mode} {query}"
            );
        }
    }
}

#[test]
fn without_a_length_there_is_no_body() {
    // Standard input stays open, and nothing comes.
    for mode in MODES {
        let ran = cgi_get(mode, "q");
        assert_eq!(ran.exit, Some(0), "{}", ran.stderr);
        assert!(ran.body().starts_with(b"[q] "));
    }
    for length in ["", "0", "-1", "4x"] {
        let pairs = [("QUERY_STRING", "q"), ("CONTENT_LENGTH", length)];
        let ran = cgi("run", &pairs, b"body");
        assert_eq!(ran.exit, Some(0));
        assert_eq!(ran.body(), b"[q] Responder ", "{length:?}");
    }
}

/// Then a form is empty, as that of a FastCGI request is.
#[test]
fn without_a_length_there_is_no_form() {
    let app = app("run");
    for content_type in ["application/x-www-form-urlencoded", "text/plain"] {
        let pairs = [
            ("REQUEST_METHOD", "POST"),
            ("QUERY_STRING", "form"),
            ("CONTENT_TYPE", content_type),
        ];
        let answer = app.connect().ask(1, responder(1, KEEP, &pairs, b""));
        assert_eq!(answer.body(), b"0", "{content_type}");
        let ran = cgi("run", &pairs, b"");
        assert_eq!(ran.body(), b"0", "{content_type}: {}", ran.stderr);
    }
}

#[test]
fn a_body_that_is_cut_fails() {
    for (mode, exit) in [("run", 1), ("loop", 1), ("stdio", 1)] {
        let pairs = [("QUERY_STRING", "q"), ("CONTENT_LENGTH", "10")];
        let ran = cgi(mode, &pairs, b"body");
        assert_eq!(ran.exit, Some(exit), "{mode}: {}", ran.stderr);
        assert!(
            ran.stderr.contains("6 bytes before its announced length"),
            "{}",
            ran.stderr
        );
    }
    let pairs = [("QUERY_STRING", "q"), ("CONTENT_LENGTH", "10")];
    let ran = cgi("run", &pairs, b"body");
    assert!(ran.head().starts_with(FAILED), "{}", ran.head());
}

#[test]
fn exit_statuses() {
    for mode in MODES {
        for (set, exit) in [
            ("0", 0),
            ("3", 3),
            ("255", 255),
            ("256", 255),
            ("-1", 255),
            ("-256", 255),
            ("3,0", 0),
            ("0,4", 4),
        ] {
            let ran = cgi_get(mode, &format!("status={set}"));
            assert_eq!(ran.exit, Some(exit), "{mode} {set}");
            assert!(ran.body().starts_with(b"[status="));
        }
    }
}

#[test]
fn a_handler_that_fails() {
    for query in ["error", "panic"] {
        let ran = cgi_get("run", query);
        assert_eq!(ran.exit, Some(1));
        assert!(ran.head().starts_with(FAILED), "{}", ran.head());
        assert!(ran.stderr.contains("as asked for"), "{}", ran.stderr);
    }
    // Too late for another page.
    let ran = cgi_get("run", "late-error");
    assert_eq!(ran.exit, Some(1));
    assert_eq!(ran.head(), "Content-Type: text/plain");
    assert_eq!(ran.body(), b"begun\n");
}

/// In a loop of one's own the panic goes on, and ends the process.
#[test]
fn a_loop_that_panics() {
    let ran = cgi_get("loop", "panic");
    assert_eq!(ran.exit, Some(101));
    assert!(ran.head().starts_with(FAILED), "{}", ran.head());
}

#[test]
fn a_response_to_head_has_no_body() {
    let pairs = [("REQUEST_METHOD", "HEAD"), ("QUERY_STRING", "q")];
    let ran = cgi("run", &pairs, b"");
    assert_eq!(ran.exit, Some(0));
    assert_eq!(
        (&*ran.head(), ran.body()),
        ("Content-Type: text/plain", &b""[..])
    );
}

#[test]
fn what_is_printed_past_the_response_goes_to_the_log() {
    let ran = cgi_get("run", "stray");
    assert_eq!(ran.body(), b"[stray] Responder ");
    assert!(ran.stderr.contains("a stray line\n"), "{}", ran.stderr);
    let ran = cgi_get("run", "logged");
    assert_eq!(ran.body(), b"[logged] Responder ");
    assert_eq!(ran.stderr, "a line for the log\n");
}

#[test]
fn the_loop_ends_after_one_request() {
    for mode in ["loop", "stdio"] {
        let ran = cgi_get(mode, "q");
        assert_eq!(ran.exit, Some(0));
        assert!(ran.stderr.ends_with("1 requests\n"), "{}", ran.stderr);
    }
    // One thread has it, the others have nothing to do.
    let ran = cgi_get("threads", "q");
    assert_eq!(ran.exit, Some(0));
    assert!(ran.body() == b"one \n" || ran.body() == b"two \n");
}

#[test]
fn variables_come_as_they_are() {
    let (reader, _writer) = io::pipe().unwrap();
    let variables = odd_variables();
    let mut command = program("run");
    command.env("QUERY_STRING", "variables");
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    let ran = end(start(&mut command, reader));
    let mut expected: Vec<_> = variables
        .iter()
        .map(|(name, value)| {
            let name = name.as_encoded_bytes().escape_ascii();
            format!("{name}={}\n", value.as_encoded_bytes().escape_ascii())
        })
        .chain(["QUERY_STRING=variables\n".to_owned()])
        .collect();
    expected.sort();
    assert_eq!(String::from_utf8_lossy(ran.body()), expected.concat());
}

/// "httpoxy", CVE-2016-5385.
#[test]
fn a_proxy_header_is_none() {
    let pairs = [
        ("QUERY_STRING", "headers"),
        ("HTTP_PROXY", "evil"),
        ("HTTP_HOST", "a"),
    ];
    assert_eq!(cgi("run", &pairs, b"").body(), b"HOST ");
}

/// Beyond the limits of FCGI_PARAMS: what the system has let through is no attack.
#[test]
fn a_large_environment() {
    let value = "v".repeat(100_000);
    let names: Vec<_> = (0..10).map(|n| format!("LARGE_{n}")).collect();
    let small: Vec<_> = (0..2000).map(|n| format!("SMALL_{n}")).collect();
    let mut command = program("run");
    command
        .env("QUERY_STRING", "sizes")
        .envs(names.iter().map(|name| (name, &value)))
        .envs(small.iter().map(|name| (name, "v")));
    let (reader, _writer) = io::pipe().unwrap();
    let ran = end(start(&mut command, reader));
    assert_eq!(ran.exit, Some(0));
    assert_eq!(ran.body(), b"1002005");
}

#[test]
fn what_the_rules_refuse() {
    let pairs = |length| [("QUERY_STRING", "q"), ("CONTENT_LENGTH", length)];
    let ran = cgi("limited", &pairs("4"), b"body");
    assert_eq!(ran.body(), b"[q] Responder body");
    let ran = cgi("limited", &pairs("5"), b"body.");
    assert!(
        ran.head().starts_with("Status: 413 Content Too Large"),
        "{}",
        ran.head()
    );
    assert_eq!(ran.exit, Some(0));
    // A CGI program is a Responder.
    let ran = cgi_get("authorizer", "grant");
    assert!(ran.head().starts_with(FAILED), "{}", ran.head());
    assert_eq!(ran.exit, Some(1));
    assert!(ran.stderr.contains("unknown role"), "{}", ran.stderr);
}
