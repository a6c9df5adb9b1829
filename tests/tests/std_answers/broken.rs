//! Web servers that break the protocol: the connection is closed, everything else lives on.

use super::*;

/// A handler that reads on whatever happens, and never gets more than its own body.
fn stubborn(request: &mut Request) -> io::Result<()> {
    if request.params.text("QUERY_STRING") == "lives" {
        return echo(request);
    }
    let mut body = Vec::new();
    let result = request.stdin.read_to_end(&mut body);
    assert!(b"body".starts_with(&body), "{}", body.escape_ascii());
    request.stdout.write_all(b"not to be sent")?;
    result.map(drop)
}

/// What breaks the protocol, by the state in which it comes.
fn violations() -> Vec<(&'static str, Vec<u8>)> {
    let head = [
        begin(1, RESPONDER, KEEP),
        params(1, &[("QUERY_STRING", "x")]),
    ]
    .concat();
    let running = [&*head, &end_of(PARAMS, 1)].concat();
    let reading = [&*running, &stream(STDIN, 1, b"body")].concat();
    let filter = [begin(1, FILTER, KEEP), end_of(PARAMS, 1)].concat();
    let after = |before: &[u8], broken: Vec<u8>| [before, &broken].concat();
    vec![
        (
            "version",
            record_of_version(2, BEGIN_REQUEST, 1, &[0; 8], 0),
        ),
        ("version 0", vec![0; 8]),
        (
            "version in PARAMS",
            after(&head, record_of_version(0, PARAMS, 1, b"", 0)),
        ),
        (
            "version in STDIN",
            after(&reading, record_of_version(9, STDIN, 1, b"", 0)),
        ),
        (
            "null id",
            record(BEGIN_REQUEST, 0, &[0, 1, 0, 0, 0, 0, 0, 0], 0),
        ),
        ("null id in STDIN", after(&reading, end_of(STDIN, 0))),
        ("short BEGIN", record(BEGIN_REQUEST, 1, &[0, 1, 0, 0], 0)),
        (
            "STDIN before its turn",
            after(&head, stream(STDIN, 1, b"body")),
        ),
        (
            "DATA before its turn",
            after(&filter, stream(DATA, 1, b"file")),
        ),
        ("PARAMS after their end", after(&running, params(1, GET))),
        ("PARAMS in STDIN", after(&reading, params(1, GET))),
        ("BEGIN in PARAMS", after(&head, begin(1, RESPONDER, KEEP))),
        ("BEGIN in STDIN", after(&reading, begin(1, RESPONDER, KEEP))),
        ("END_REQUEST", after(&reading, end_request(1, 0, 0))),
        ("STDOUT", after(&reading, stream(STDOUT, 1, b"x"))),
    ]
}

#[test]
fn a_violation_closes_the_connection_without_an_answer() {
    for buffered in [0, 100] {
        everywhere(
            |s| s.buffer_body(buffered),
            stubborn,
            |app, _| {
                for (name, bytes) in violations() {
                    let mut peer = app.connect();
                    peer.send(&bytes);
                    // More than the socket's buffers hold need not be taken, but nothing is
                    // answered.
                    peer.expect_end_or_reset();
                    drop(peer);
                    lives(&mut app.connect());
                    assert!(!app.incidents().is_empty(), "{name}");
                }
            },
        );
    }
}

#[test]
fn a_violation_is_an_incident_that_says_what_and_who() {
    everywhere(
        |s| s,
        stubborn,
        |app, peer| {
            peer.send(violations()[0].1.as_slice());
            peer.expect_end_or_reset();
            app.wait_for_incident("protocol error of 127.0.0.1:");
            app.wait_for_incident("record of version 2, only version 1 exists");
        },
    );
}

#[test]
fn a_violation_while_a_handler_reads_is_an_incident_too() {
    everywhere(
        |s| s,
        stubborn,
        |app, peer| {
            peer.send([begin(1, RESPONDER, KEEP), end_of(PARAMS, 1)].concat());
            peer.send(begin(1, RESPONDER, KEEP));
            peer.expect_end_or_reset();
            app.wait_for_incident("protocol error of 127.0.0.1:");
            app.wait_for_incident("FCGI_BEGIN_REQUEST for request 1, which is active");
        },
    );
}

#[test]
fn what_was_answered_before_a_violation_can_still_be_read() {
    everywhere(
        |s| s,
        echo,
        |_, peer| {
            let mut bytes = responder(1, KEEP, &[("QUERY_STRING", "one")], b"body");
            bytes.extend(get_values(&["FCGI_MAX_REQS"]));
            bytes.extend([9; 1000]);
            peer.send(bytes);
            let rest = peer.rest();
            assert_eq!(answers(&rest)[&1].body(), b"[one]body");
            assert_eq!(management(&rest).len(), 1);
        },
    );
}
