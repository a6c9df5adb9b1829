//! What is asked for, as variables.

use super::*;

fn value(variables: &Variables, name: &str) -> Option<String> {
    let pairs = variables.pairs();
    let mut values = pairs.iter().filter(|(other, _)| other == name.as_bytes());
    let value = values
        .next()
        .map(|(_, value)| String::from_utf8(value.clone()).unwrap());
    assert_eq!(values.next(), None, "{name} twice");
    value
}

#[track_caller]
fn check(variables: &Variables, expected: &[(&str, Option<&str>)]) {
    for (name, expected) in expected {
        assert_eq!(value(variables, name).as_deref(), *expected, "{name}");
    }
}

#[test]
fn what_the_path_names() {
    let path = || Variables::new("GET", "/a.php/b%20c?x=1?").unwrap();
    check(
        &path(),
        &[
            ("REQUEST_URI", Some("/a.php/b%20c?x=1?")),
            ("QUERY_STRING", Some("x=1?")),
            ("SCRIPT_NAME", Some("/a.php/b c")),
            ("SCRIPT_FILENAME", Some("/a.php/b c")),
            ("PATH_INFO", None),
            ("DOCUMENT_ROOT", None),
        ],
    );
    check(
        &path().document_root("/srv/").unwrap(),
        &[
            ("SCRIPT_NAME", Some("/a.php")),
            ("SCRIPT_FILENAME", Some("/srv/a.php")),
            ("PATH_INFO", Some("/b c")),
            ("PATH_TRANSLATED", Some("/srv/b c")),
            ("DOCUMENT_ROOT", Some("/srv")),
        ],
    );
    check(
        &path().script_name("").unwrap(),
        &[
            ("SCRIPT_NAME", Some("")),
            ("SCRIPT_FILENAME", None),
            ("PATH_INFO", Some("/a.php/b c")),
            ("PATH_TRANSLATED", None),
        ],
    );
    check(
        &path().script_filename("/srv/front.php"),
        &[
            ("SCRIPT_NAME", Some("/a.php/b c")),
            ("SCRIPT_FILENAME", Some("/srv/front.php")),
        ],
    );
    assert_eq!(
        path().script_name("/b"),
        Err(VariableError::OutsideOfScript)
    );
    assert_eq!(path().script_name("a"), Err(VariableError::ScriptName));
}

#[test]
fn headers_and_parameters() {
    let variables = Variables::new("POST", "/").unwrap().body(4, "text/plain");
    let variables = [
        "Host: example.org:8080",
        "X-A: 1",
        "x-a:2",
        "Cookie: a=1",
        "Cookie: b=2",
    ]
    .iter()
    .fold(variables, |variables, field| {
        variables.header(field).unwrap()
    });
    let variables = variables.param("REMOTE_ADDR=10.0.0.1").unwrap();
    let variables = variables.param("A=1").unwrap().param("A=2=3").unwrap();
    check(
        &variables,
        &[
            ("SERVER_NAME", Some("example.org")),
            ("HTTP_HOST", Some("example.org:8080")),
            ("HTTP_X_A", Some("1, 2")),
            ("HTTP_COOKIE", Some("a=1; b=2")),
            ("CONTENT_LENGTH", Some("4")),
            ("CONTENT_TYPE", Some("text/plain")),
            ("REMOTE_ADDR", Some("10.0.0.1")),
            ("A", Some("2=3")),
        ],
    );
    let variables = Variables::new("GET", "/").unwrap();
    let typed = variables
        .clone()
        .header("Content-Type: a/b")
        .unwrap()
        .body(1, "c/d");
    check(
        &typed,
        &[("CONTENT_TYPE", Some("a/b")), ("HTTP_CONTENT_TYPE", None)],
    );
    check(
        &variables,
        &[("HTTP_HOST", Some("localhost")), ("CONTENT_LENGTH", None)],
    );
}

#[test]
fn an_authorizer_is_told_less() {
    let variables = Variables::new("POST", "/a/b")
        .unwrap()
        .body(4, "text/plain");
    let variables = variables.script_name("/a").unwrap();
    let pairs = variables.pairs_for(Role::Authorizer);
    for name in [
        "SCRIPT_NAME",
        "PATH_INFO",
        "PATH_TRANSLATED",
        "CONTENT_LENGTH",
    ] {
        assert!(
            pairs.iter().all(|(other, _)| other != name.as_bytes()),
            "{name}"
        );
    }
    assert!(pairs.iter().any(|(name, _)| name == b"REQUEST_URI"));
}

#[test]
fn what_cannot_be_said() {
    for method in ["", "GET /", "A\n"] {
        assert_eq!(
            Variables::new(method, "/"),
            Err(VariableError::Method),
            "{method:?}"
        );
    }
    for path in ["", "app", "/%", "/..", "/%00"] {
        let error = Variables::new("GET", path).unwrap_err();
        assert!(matches!(error, VariableError::Path(_)), "{path}");
    }
    let variables = Variables::new("GET", "/").unwrap();
    for (field, error) in [
        ("Proxy: http://x", VariableError::ProxyHeader),
        ("content-length: 3", VariableError::LengthHeader),
        ("X_A: 1", VariableError::Header("X_A: 1".into())),
        ("none", VariableError::Header("none".into())),
        (": 1", VariableError::Header(": 1".into())),
        ("A: b\nc", VariableError::Header("A: b\nc".into())),
    ] {
        assert_eq!(variables.clone().header(field), Err(error), "{field}");
    }
    for pair in ["A", "=1", ""] {
        let error = VariableError::Param(pair.into());
        assert_eq!(variables.clone().param(pair), Err(error));
    }
}

#[test]
fn hosts_without_ports() {
    for (host, expected) in [
        ("a:80", "a"),
        ("a", "a"),
        ("[::1]:80", "[::1]"),
        ("[::1]", "[::1]"),
        ("", ""),
    ] {
        assert_eq!(without_port(host.as_bytes()), expected.as_bytes(), "{host}");
    }
}
