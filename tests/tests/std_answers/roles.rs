//! The three roles (§6).

use fcgi_std::Role;

use super::*;

/// Answers with all that the role gives to the application, stream by stream.
fn streams(request: &mut Request) -> io::Result<()> {
    if request.role() == Role::Responder {
        return echo(request);
    }
    let mut body = String::new();
    let mut file = String::new();
    match &*request.params.text("QUERY_STRING") {
        // A body that is not wanted.
        "data" => {}
        // Looks that take in what is there already.
        "look" => {
            for _ in 0..3 {
                assert!(!request.is_aborted());
            }
            request.stdin.read_to_string(&mut body)?;
        }
        "look-data" => assert!(!request.is_aborted()),
        "first" => {
            request.stdin.read_exact(&mut [0])?;
        }
        _ => _ = request.stdin.read_to_string(&mut body)?,
    }
    request.data.read_to_string(&mut file)?;
    assert_eq!(request.stdin.read(&mut [0])?, 0, "STDIN is over");
    assert_eq!(request.data.read(&mut [0])?, 0, "DATA are over");
    write!(request.stdout, "{:?} {body:?} {file:?}", request.role())
}

#[test]
fn an_authorizer_is_answered_after_its_parameters() {
    for buffered in [0, 1000] {
        everywhere(
            |s| s.buffer_body(buffered),
            streams,
            |_, peer| {
                let head = [
                    begin(1, AUTHORIZER, KEEP),
                    params(1, &[("CONTENT_LENGTH", "4")]),
                    end_of(PARAMS, 1),
                ]
                .concat();
                // Without STDIN, with an empty one, and with one that it has no use for.
                for stdin in [vec![], end_of(STDIN, 1), stream(STDIN, 1, b"body")] {
                    let answer = peer.ask(1, [&*head, &stdin].concat());
                    assert_eq!(answer.body(), br#"Authorizer "" """#);
                    assert_eq!(answer.end, Some((0, REQUEST_COMPLETE)));
                }
                lives(peer);
            },
        );
    }
}

/// A body that it does not have cannot be too long.
#[test]
fn an_authorizer_is_not_refused_for_the_length_of_a_body() {
    everywhere(
        |s| s.max_body(10),
        streams,
        |_, peer| {
            let head = [
                begin(1, AUTHORIZER, KEEP),
                params(1, &[("CONTENT_LENGTH", "11")]),
                end_of(PARAMS, 1),
            ];
            for stdin in [vec![], stream(STDIN, 1, b"12345678901")] {
                let answer = peer.ask(1, [&*head.concat(), &stdin].concat());
                assert_eq!(answer.body(), br#"Authorizer "" """#);
            }
        },
    );
}

/// Whole and with early DATA: the web server need not wait for anything.
#[test]
fn a_filter_gets_stdin_and_data() {
    let lengths = [("CONTENT_LENGTH", "4"), ("FCGI_DATA_LENGTH", "8")];
    for buffered in [0, 2, 1000] {
        for pairs in [&lengths[..], &[]] {
            everywhere(
                |s| s.buffer_body(buffered),
                streams,
                |_, peer| {
                    for piece in [1, 3, 100] {
                        let request = [
                            begin(1, FILTER, KEEP),
                            params(1, pairs),
                            end_of(PARAMS, 1),
                            stream_of(STDIN, 1, b"body", piece),
                            end_of(STDIN, 1),
                            stream_of(DATA, 1, b"the file", piece),
                            end_of(DATA, 1),
                        ];
                        let answer = peer.ask(1, request.concat());
                        assert_eq!(answer.body(), br#"Filter "body" "the file""#);
                        assert_eq!(answer.end, Some((0, REQUEST_COMPLETE)));
                    }
                    lives(peer);
                },
            );
        }
    }
}

#[test]
fn a_filter_gets_its_streams_as_they_come() {
    for buffered in [0, 1000] {
        everywhere(
            |s| s.buffer_body(buffered),
            streams,
            |_, peer| {
                peer.send([begin(1, FILTER, KEEP), end_of(PARAMS, 1)].concat());
                peer.sync();
                peer.send([stream(STDIN, 1, b"body"), end_of(STDIN, 1)].concat());
                peer.sync();
                peer.send(stream(DATA, 1, b"the "));
                peer.sync();
                peer.send([stream(DATA, 1, b"file"), end_of(DATA, 1)].concat());
                assert_eq!(peer.answer(1).body(), br#"Filter "body" "the file""#);
                lives(peer);
            },
        );
    }
}

#[test]
fn a_filter_may_go_on_to_its_data_without_the_rest_of_its_body() {
    for buffered in [0, 2, 1000] {
        everywhere(
            |s| s.buffer_body(buffered),
            streams,
            |_, peer| {
                for query in ["data", "first"] {
                    let request = [
                        begin(1, FILTER, KEEP),
                        params(1, &[("QUERY_STRING", query)]),
                        end_of(PARAMS, 1),
                        stream_of(STDIN, 1, b"body", 3),
                        end_of(STDIN, 1),
                        stream(DATA, 1, b"the file"),
                        end_of(DATA, 1),
                    ];
                    let answer = peer.ask(1, request.concat());
                    assert_eq!(answer.body(), br#"Filter "" "the file""#, "{query}");
                }
                lives(peer);
            },
        );
    }
}

/// Looking for an abort takes in what is there, and must not lose it.
#[test]
fn looking_for_an_abort_loses_no_data() {
    for stdin in [&b""[..], b"body"] {
        everywhere(
            |s| s,
            streams,
            |_, peer| {
                let request = [
                    begin(1, FILTER, KEEP),
                    params(1, &[("QUERY_STRING", "look")]),
                    end_of(PARAMS, 1),
                    stream(STDIN, 1, stdin),
                    end_of(STDIN, 1),
                    stream(DATA, 1, b"the file"),
                    end_of(DATA, 1),
                ];
                let answer = peer.ask(1, request.concat());
                let body = String::from_utf8_lossy(stdin);
                let expected = format!(r#"Filter "{body}" "the file""#);
                assert_eq!(answer.body(), expected.as_bytes());
                lives(peer);
            },
        );
    }
}

/// Its body, which was collected and is not wanted, must not pass for the file.
#[test]
fn a_filter_whose_file_is_empty() {
    for buffered in [0, 2, 1000] {
        for query in ["data", "look-data"] {
            everywhere(
                |s| s.buffer_body(buffered),
                streams,
                |_, peer| {
                    let request = [
                        begin(1, FILTER, KEEP),
                        params(1, &[("QUERY_STRING", query)]),
                        end_of(PARAMS, 1),
                        stream(STDIN, 1, b"body"),
                        end_of(STDIN, 1),
                        end_of(DATA, 1),
                    ];
                    let answer = peer.ask(1, request.concat());
                    assert_eq!(answer.body(), br#"Filter "" """#, "{buffered} {query}");
                },
            );
        }
    }
}

/// §6.1: a Filter's answer begins after the end of its STDIN.
#[test]
fn a_filter_that_does_not_read_is_answered_after_its_body() {
    everywhere(
        |s| s,
        |request: &mut Request| {
            if request.role() == Role::Responder {
                return echo(request);
            }
            request.stdout.write_all(b"short")
        },
        |_, peer| {
            peer.send([begin(1, FILTER, KEEP), end_of(PARAMS, 1)].concat());
            peer.send(stream(STDIN, 1, b"body"));
            peer.sync();
            peer.send(end_of(STDIN, 1));
            let answer = peer.answer(1);
            assert_eq!(
                (answer.body(), answer.end),
                (&b"short"[..], Some((0, REQUEST_COMPLETE)))
            );
            peer.send([stream(DATA, 1, b"file"), end_of(DATA, 1)].concat());
            lives(peer);
        },
    );
}

#[test]
fn a_responder_has_no_data() {
    everywhere(
        |s| s,
        |request: &mut Request| {
            assert_eq!(request.data.read(&mut [0])?, 0);
            echo(request)
        },
        |_, peer| {
            let request = [
                begin(1, RESPONDER, KEEP),
                end_of(PARAMS, 1),
                stream(DATA, 1, b"file"),
                stream(STDIN, 1, b"body"),
                end_of(STDIN, 1),
                end_of(DATA, 1),
            ];
            // Which is against the order of the streams, but of no stream that it has.
            peer.send(request.concat());
            assert_eq!(peer.answer(1).body(), b"[]body");
            lives(peer);
        },
    );
}
