//! Authorizers (§6.3), and several roles in one application (§5.1, §5.5).

use super::*;

/// Without STDIN, with an empty one, with a body, and with one that has no end.
fn inputs() -> [Vec<u8>; 4] {
    [
        Vec::new(),
        end_of(STDIN, 1),
        [stream(STDIN, 1, b"body"), end_of(STDIN, 1)].concat(),
        stream(STDIN, 1, b"bo"),
    ]
}

#[track_caller]
fn decided(peer: &mut WebServer, query: &str) -> Answer {
    peer.ask(1, [head(AUTHORIZER, query), end_of(STDIN, 1)].concat())
}

#[test]
fn granted_with_variables() {
    let app = app("roles");
    let mut peer = app.connect();
    for input in inputs() {
        let answer = peer.ask(1, [head(AUTHORIZER, "grant"), input].concat());
        let head = answer.head();
        let mut lines: Vec<_> = head.lines().collect();
        lines.sort_unstable();
        let expected = [
            "Status: 200 OK",
            "Variable-TEXT: two words",
            // The last call of two for a name.
            "Variable-user_name: doe",
        ];
        assert_eq!(lines, expected);
        assert_eq!(answer.body(), b"");
        assert_eq!(answer.end, Some((0, REQUEST_COMPLETE)));
    }
    assert_eq!(
        peer.ask(1, request("q", b"body")).body(),
        b"[q] Responder body"
    );
}

#[test]
fn denied_with_a_page() {
    let app = app("roles");
    let mut peer = app.connect();
    for input in inputs() {
        for (query, status) in [
            ("deny=401", "Status: 401 "),
            ("deny=302", "Status: 302 "),
            ("deny=500", "Status: 500 "),
        ] {
            let answer = peer.ask(1, [head(AUTHORIZER, query), input.clone()].concat());
            assert!(answer.head().starts_with(status), "{}", answer.head());
            assert!(answer.head().contains("X-Why: as asked for"));
            assert_eq!(answer.body(), b"no");
            assert_eq!(answer.end, Some((0, REQUEST_COMPLETE)));
        }
    }
}

#[test]
fn denied_without_a_word() {
    let app = app("roles");
    let mut peer = app.connect();
    for query in ["", "deny-variables"] {
        let answer = decided(&mut peer, query);
        assert!(
            answer.head().starts_with("Status: 403 "),
            "{}",
            answer.head()
        );
        assert!(!answer.head().contains("Variable-"), "{}", answer.head());
        assert_eq!(answer.body(), b"");
    }
}

/// Whatever goes wrong, access is denied.
#[test]
fn doubt_denies() {
    let app = app("roles");
    let mut peer = app.connect();
    for query in [
        "deny=200",
        "deny=100",
        "deny=99",
        "grant-denied",
        "deny-granted",
        "deny-flushed",
        "deny-field",
        // Without a status it would be 200.
        "deny-raw",
        "error",
        "panic",
        "name=",
        "name=a b",
        "name=a:b",
        "name=ä",
        "value",
    ] {
        let answer = decided(&mut peer, query);
        let head = answer.head();
        assert!(head.starts_with(FAILED), "{query}: {head}");
        assert!(!head.contains("Variable-"), "{query}: {head}");
        assert_eq!(answer.end, Some((1, REQUEST_COMPLETE)), "{query}");
    }
    // None of them has cost the connection.
    assert_eq!(
        peer.ask(1, request("q", b"body")).body(),
        b"[q] Responder body"
    );
}

/// A bare END_REQUEST, and the connection goes on (§5.5).
#[test]
fn a_role_that_is_not_served() {
    let app = app("authorizer");
    let mut peer = app.connect();
    for _ in 0..3 {
        for role in [RESPONDER, FILTER, 4, 0, 65_535] {
            let refused = [head(role, "q"), stream(STDIN, 1, b"x"), end_of(STDIN, 1)].concat();
            let answer = peer.ask(1, refused);
            assert_eq!(answer.end, Some((0, UNKNOWN_ROLE)), "{role}");
            assert_eq!(answer.order, [END_REQUEST], "{role}");
        }
        let answer = decided(&mut peer, "grant");
        assert!(answer.head().contains("Variable-TEXT"), "{}", answer.head());
    }
}

/// One connection, all roles, in any order.
#[test]
fn several_roles_in_one_application() {
    let app = app("roles");
    let mut peer = app.connect();
    for _ in 0..3 {
        assert_eq!(
            peer.ask(1, request("q", b"body")).body(),
            b"[q] Responder body"
        );
        let answer = decided(&mut peer, "grant");
        assert!(answer.head().contains("Variable-TEXT"), "{}", answer.head());
        let filtered = [
            head(FILTER, "q"),
            end_of(STDIN, 1),
            stream(DATA, 1, b"file"),
            end_of(DATA, 1),
        ];
        assert_eq!(peer.ask(1, filtered.concat()).body(), b"None file");
        assert!(decided(&mut peer, "").head().starts_with("Status: 403 "));
    }
}

/// A Responder's query must not reach the Authorizer's handler, nor the other way round.
#[test]
fn each_role_has_its_handler() {
    let app = app("roles");
    let mut peer = app.connect();
    assert_eq!(
        peer.ask(1, request("grant", b"")).body(),
        b"[grant] Responder "
    );
    let answer = decided(&mut peer, "q");
    assert!(
        answer.head().starts_with("Status: 403 "),
        "{}",
        answer.head()
    );
}
