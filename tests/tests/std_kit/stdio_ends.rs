//! Requests that end in other ways than by the loop.

use super::*;

/// The loop goes on.
#[test]
fn a_web_server_that_goes_away() {
    let app = app("stdio");
    for count in 1..4 {
        let mut peer = app.connect();
        peer.send(request("gone", b""));
        let record = peer.record();
        assert_eq!(record.kind, STDOUT, "{record:?}");
        drop(peer);
        eventually(
            || app.child.log().matches("finished: Err(").count() == count,
            || app.child.log(),
        );
        // Whose end is a success again, or the program would end.
        let answer = app.connect().ask(1, request("finish", b""));
        assert_eq!(answer.end, Some((0, REQUEST_COMPLETE)));
    }
    assert!(!app.child.log().contains("panicked"), "{}", app.child.log());
}

/// What was printed goes out, as that of a CGI program does.
#[test]
fn exit_inside_a_request() {
    for status in [0, 3] {
        let mut app = app("stdio");
        let mut peer = app.connect();
        let answer = peer.ask(1, request(&format!("exit={status}"), b""));
        assert_eq!(answer.body(), b"out\n");
        assert_eq!(answer.end, Some((1, REQUEST_COMPLETE)), "nobody said so");
        assert_eq!(app.exit(), Some(status));

        let ran = cgi_get("stdio", &format!("exit={status}"));
        assert_eq!(ran.body(), b"out\n");
        assert_eq!(ran.exit, Some(status));
    }
}

#[test]
fn a_panic_inside_a_request() {
    for (query, head) in [
        ("panic", FAILED),
        ("late-panic", "Content-Type: text/plain"),
    ] {
        let mut app = app("stdio");
        let mut peer = app.connect();
        let answer = peer.ask(1, request(query, b""));
        assert!(answer.head().starts_with(head), "{}", answer.head());
        assert_eq!(answer.end, Some((1, REQUEST_COMPLETE)));
        assert_eq!(app.exit(), Some(101));

        let ran = cgi_get("stdio", query);
        assert!(ran.head().starts_with(head), "{}", ran.head());
        assert_eq!(ran.exit, Some(101));
    }
}

/// An error takes the program out of its loop, and is its exit status.
#[test]
fn an_error_inside_a_request() {
    let mut app = app("stdio");
    let pairs = [("QUERY_STRING", "q"), ("CONTENT_LENGTH", "10")];
    let answer = app.connect().ask(1, responder(1, KEEP, &pairs, b"body"));
    assert_eq!(answer.end, Some((1, REQUEST_COMPLETE)));
    assert_eq!(app.exit(), Some(1));
}

/// A second look at descriptor 0 would find none, and take the process for a CGI program.
#[test]
fn a_first_try_that_failed_is_not_repeated() {
    let mut command = program("threads");
    command
        .env("FCGI_WEB_SERVER_ADDRS", "localhost")
        .env("QUERY_STRING", "q");
    let mut app = app_of(&mut command);
    assert_eq!(app.exit(), Some(1), "{}", app.child.log());
    let log = app.child.log();
    assert!(!log.contains("Content-Type"), "{log}");
    assert!(log.contains("Error: "), "{log}");
}

/// Whatever belongs to a thread may print as the thread ends.
#[test]
fn printing_at_the_end_of_a_thread() {
    let (reader, _writer) = io::pipe().unwrap();
    let ran = end(start(program("farewell").env("NAME", "you"), reader));
    assert_eq!(ran.stdout, b"hello\nfarewell, you None\n", "{}", ran.stderr);
    assert_eq!(ran.exit, Some(0), "{}", ran.stderr);
}
