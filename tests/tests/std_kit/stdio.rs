//! The current request of a thread.

use super::*;

/// As a CGI program and as a FastCGI application: the response, the log, the exit status.
#[track_caller]
fn both(query: &str, body: &[u8]) -> [(Vec<u8>, String, i32); 2] {
    let app = app("stdio");
    let answer = app.connect().ask(1, request(query, body));
    let (status, _) = answer.end.unwrap();
    let log = String::from_utf8_lossy(&answer.stderr).into_owned();
    let length = body.len().to_string();
    let pairs = [
        ("REQUEST_METHOD", "POST"),
        ("QUERY_STRING", query),
        ("CONTENT_LENGTH", &length),
    ];
    let ran = cgi("stdio", &pairs, body);
    let exit = ran.exit.expect("no signal");
    [
        (answer.stdout, log, status.cast_signed()),
        (ran.stdout, ran.stderr, exit),
    ]
}

#[test]
fn a_page() {
    for (stdout, _, status) in both("q", b"body") {
        assert_eq!(stdout, b"Content-Type: text/plain\r\n\r\n[q] body");
        assert_eq!(status, 0);
    }
}

#[test]
fn a_line_for_the_log() {
    for (stdout, log, _) in both("logged", b"") {
        assert_eq!(stdout, b"Content-Type: text/plain\r\n\r\n[logged] ");
        assert!(log.contains("a line for the log\n"), "{log}");
    }
}

#[test]
fn nothing_printed_is_no_response() {
    for query in ["silent", "blank"] {
        for (stdout, _, status) in both(query, b"") {
            assert!(stdout.starts_with(FAILED.as_bytes()), "{query}");
            assert_eq!(status, 1);
        }
    }
}

/// What is printed is the body then.
#[test]
fn a_field_of_the_head() {
    for (stdout, _, status) in both("field", b"") {
        let head = b"X-Field: yes\r\nContent-Type: application/octet-stream\r\n\r\n";
        assert_eq!(stdout, [&head[..], b"a body"].concat());
        assert_eq!(status, 0);
    }
}

#[test]
fn what_is_formatted_may_print_and_look_at_variables() {
    for (stdout, _, _) in both("nested", b"") {
        assert_eq!(
            stdout,
            b"Content-Type: text/plain\r\n\r\ninner <POST>\n".as_slice()
        );
    }
}

#[test]
fn a_line_of_the_body() {
    for (stdout, _, _) in both("line", "größe\nmore".as_bytes()) {
        assert!(stdout.ends_with("8 \"größe\\n\"".as_bytes()));
    }
    for (stdout, _, _) in both("line", b"") {
        assert!(stdout.ends_with(b"0 \"\""));
    }
}

#[test]
fn only_a_filter_has_data() {
    for (stdout, _, _) in both("data", b"") {
        assert!(stdout.ends_with(b"Err(InvalidInput)"));
    }
}

#[test]
fn the_file_of_a_filter() {
    let app = app("stdio");
    let mut peer = app.connect();
    let filtered = [
        head(FILTER, "filter"),
        stream(STDIN, 1, b"body, "),
        end_of(STDIN, 1),
        stream_of(DATA, 1, b"the file", 3),
        end_of(DATA, 1),
    ]
    .concat();
    for _ in 0..2 {
        let answer = peer.ask(1, &filtered);
        assert_eq!(answer.body(), b"body, the file");
        assert_eq!(answer.end, Some((0, REQUEST_COMPLETE)));
        // The next one reads STDIN again.
        let answer = peer.ask(1, request("q", b"body"));
        assert_eq!(answer.body(), b"[q] body");
    }
}

#[test]
fn an_authorizer_by_hand() {
    let app = app("stdio");
    let mut peer = app.connect();
    let pairs = [("QUERY_STRING", "grant"), ("REMOTE_USER", "doe")];
    let head = [
        begin(1, AUTHORIZER, KEEP),
        params(1, &pairs),
        end_of(PARAMS, 1),
    ]
    .concat();
    for input in [vec![], end_of(STDIN, 1), stream(STDIN, 1, b"body")] {
        let answer = peer.ask(1, [&*head, &input].concat());
        assert_eq!(answer.head(), "Status: 200 OK\r\nVariable-USER: doe");
        assert_eq!(answer.end, Some((0, REQUEST_COMPLETE)));
    }
    assert_eq!(peer.ask(1, request("grant", b"")).body(), b"[grant] ");
}

/// Each of these must not know of the one before it.
#[test]
fn no_request_is_in_the_next_one() {
    let app = app("stdio");
    for is_kept in [true, false] {
        let mut peer = app.connect();
        let mut ask = |sent: Vec<u8>| {
            if !is_kept {
                peer = app.connect();
            }
            peer.ask(1, sent)
        };
        let variables = |name| {
            let pairs = [("QUERY_STRING", "variables"), (name, "x")];
            responder(1, KEEP, &pairs, b"")
        };
        let answer = ask(variables("FIRST"));
        assert_eq!(answer.body(), b"QUERY_STRING=variables\nFIRST=x\n");
        let answer = ask(variables("SECOND"));
        assert_eq!(answer.body(), b"QUERY_STRING=variables\nSECOND=x\n");
        // Half of a line and of a body, unread.
        assert_eq!(ask(request("line", b"a\nrest")).body(), b"2 \"a\\n\"");
        assert_eq!(ask(request("q", b"")).body(), b"[q] ");
        assert_eq!(ask(request("half", b"12345678")).body(), b"half");
        assert_eq!(ask(request("q", b"body")).body(), b"[q] body");
        // Statuses, fields and failures.
        assert_eq!(ask(request("status=9", b"")).end, Some((9, 0)));
        assert_eq!(ask(request("q", b"")).end, Some((0, 0)));
        assert!(ask(request("field", b"")).head().contains("X-Field"));
        assert!(ask(request("silent", b"")).head().starts_with(FAILED));
        let answer = ask(request("q", b""));
        assert_eq!(answer.head(), "Content-Type: text/plain");
        assert_eq!(answer.end, Some((0, REQUEST_COMPLETE)));
    }
}

#[test]
fn each_thread_has_a_request_of_its_own() {
    let app = app("threads");
    let ask = |query: &str, who: &str| {
        let mut peer = app.connect();
        peer.send(responder(
            1,
            KEEP,
            &[("QUERY_STRING", query), ("WHO", who)],
            b"",
        ));
        peer
    };
    for _ in 0..20 {
        let mut peers = [ask("meet", "a"), ask("meet", "b")];
        let bodies = peers.each_mut().map(|peer| peer.answer(1).body().to_vec());
        let [a, b] = bodies.map(|body| String::from_utf8(body).unwrap());
        let pair = (&*a, &*b);
        assert!(
            pair == ("one a\n", "two b\n") || pair == ("two a\n", "one b\n"),
            "{pair:?}"
        );
    }
    assert!(ask("alone", "c").answer(1).body().ends_with(b" c\n"));
}

/// Where there is no current request, the streams are those of the process.
#[test]
fn before_the_first_and_after_the_end() {
    let mut command = program("stdio");
    let app = app_of(command.env("QUERY_STRING", "of the process"));
    app.wait_for_log("before: Some(\"of the process\")\n");
    let mut peer = app.connect();
    let answer = peer.ask(1, request("finish", b""));
    assert_eq!(answer.body(), b"request 1\n");
    app.wait_for_log("after 1: Some(\"of the process\") None\n");
    let answer = peer.ask(1, request("finish", b""));
    assert_eq!(answer.body(), b"request 2\n");
    app.wait_for_log("after 2: ");
}

/// What is printed behind the response is not part of it.
#[test]
fn after_the_end_of_a_cgi_program() {
    let ran = cgi_get("stdio", "finish");
    assert_eq!(ran.exit, Some(0));
    assert_eq!(ran.body(), b"request 1\n");
    assert!(ran.stderr.contains("after 1: "), "{}", ran.stderr);
}
