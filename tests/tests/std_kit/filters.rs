//! Filters (§6.4): STDIN, then a file.

use super::*;

/// A request to a Filter, up to the end of its STDIN.
fn filter(query: &str, file: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let pairs = [&[("QUERY_STRING", query)], file].concat();
    [
        begin(1, FILTER, KEEP),
        params(1, &pairs),
        end_of(PARAMS, 1),
        stream(STDIN, 1, body),
        end_of(STDIN, 1),
    ]
    .concat()
}

fn data(file: &[u8]) -> Vec<u8> {
    [stream_of(DATA, 1, file, 3), end_of(DATA, 1)].concat()
}

#[track_caller]
fn lives(peer: &mut WebServer) {
    assert_eq!(
        peer.ask(1, request("q", b"body")).body(),
        b"[q] Responder body"
    );
}

#[test]
fn the_whole_file() {
    let app = app("roles");
    let mut peer = app.connect();
    for (length, file, expected) in [
        (Some("8"), &b"the file"[..], &b"Some(8) the file"[..]),
        (Some("10"), b"0123456789", b"Some(10) 0123456789"),
        (Some("0"), b"", b"Some(0) "),
        (None, b"the file", b"None the file"),
        (None, b"0123456789", b"None 0123456789"),
        (None, b"", b"None "),
        // No numbers.
        (Some("eight"), b"the file", b"None the file"),
        (Some("-1"), b"the file", b"None the file"),
    ] {
        let pairs: Vec<_> = length
            .map(|length| ("FCGI_DATA_LENGTH", length))
            .into_iter()
            .collect();
        for body in [&b""[..], b"unread"] {
            let answer = peer.ask(1, [filter("q", &pairs, body), data(file)].concat());
            assert_eq!(answer.body(), expected, "{length:?}");
            assert_eq!(answer.end, Some((0, REQUEST_COMPLETE)));
        }
        let answer = peer.ask(1, [filter("both", &pairs, b"body+"), data(file)].concat());
        assert!(answer.body().ends_with(&[b"body+", file].concat()));
    }
    lives(&mut peer);
}

/// A file that was cut does not pass for a short one.
#[test]
fn a_file_that_is_cut() {
    let app = app("roles");
    let mut peer = app.connect();
    for file in [&b"the fil"[..], b""] {
        let pairs = [("FCGI_DATA_LENGTH", "8")];
        let answer = peer.ask(1, [filter("q", &pairs, b""), data(file)].concat());
        assert!(answer.head().starts_with(FAILED), "{}", answer.head());
        assert_eq!(answer.end, Some((1, REQUEST_COMPLETE)));
        lives(&mut peer);
    }
}

/// No more than was announced is handed out.
#[test]
fn a_file_that_goes_on() {
    let app = app("roles");
    let mut peer = app.connect();
    let pairs = [("FCGI_DATA_LENGTH", "3")];
    let answer = peer.ask(1, [filter("q", &pairs, b""), data(b"the file")].concat());
    assert_eq!(answer.body(), b"Some(3) the");
    lives(&mut peer);
}

#[test]
fn a_file_that_is_too_long() {
    let app = app("roles");
    let mut peer = app.connect();
    let announced = [("FCGI_DATA_LENGTH", "11")];
    for pairs in [&announced[..], &[]] {
        let answer = peer.ask(1, [filter("q", pairs, b""), data(b"0123456789a")].concat());
        assert!(answer.head().starts_with(FAILED), "{}", answer.head());
        assert_eq!(answer.end, Some((1, REQUEST_COMPLETE)));
        lives(&mut peer);
    }
    // Reported behind the answer.
    app.wait_for_log("longer than this Filter takes");
}

/// The answer comes before the file, which then is skipped.
#[test]
fn an_answer_from_a_cache() {
    let app = app("roles");
    let mut peer = app.connect();
    let large = vec![b'x'; 200_000];
    for (modified, is_cached) in [("999", true), ("1000", true), ("1001", false), ("", false)] {
        let pairs = [("FCGI_DATA_LENGTH", "3"), ("FCGI_DATA_LAST_MOD", modified)];
        for file in [&b"new"[..], &large] {
            peer.send(filter("cached", &pairs, b"body"));
            if is_cached {
                assert_eq!(peer.answer(1).body(), b"Some(3) from the cache");
                peer.send(data(file));
            } else {
                peer.send(data(file));
                let answer = peer.answer(1);
                assert_eq!(answer.body(), [b"Some(3) ", &file[..3]].concat());
            }
            lives(&mut peer);
        }
    }
}
