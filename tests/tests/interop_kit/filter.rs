//! The Filter, asked by our own web server side: no web server in use sends FCGI_DATA.

use std::io::Read;

use fcgi_listen::Address as Bound;
use fcgi_std::web_server::{Application, End, Request};
use fcgi_std::{ProtocolStatus, Role};
use fcgi_tests::address::Address;

use crate::site::Inherited;
use crate::supervised::PATIENCE;

/// A file at a moment of its life.
#[derive(Clone, Copy)]
struct Version<'a> {
    name: &'a str,
    bytes: &'a [u8],
    modified: u64,
}

struct Answer {
    status: u16,
    how: Option<String>,
    text: String,
    end: End,
}

/// Asks for the file, whose length is said to be `length`.
#[track_caller]
fn ask(application: &mut Application, file: Version<'_>, length: usize) -> Answer {
    let mut request = Request::new(Role::Filter);
    for (name, value) in [
        ("REQUEST_METHOD", "GET"),
        ("SCRIPT_NAME", file.name),
        ("FCGI_DATA_LENGTH", &length.to_string()),
        ("FCGI_DATA_LAST_MOD", &file.modified.to_string()),
    ] {
        request.param(name, value).unwrap();
    }
    let (mut stdin, mut data) = (&b""[..], file.bytes);
    let mut response = application
        .send_to_filter(&request, &mut stdin, &mut data)
        .unwrap();
    let head = response.head().unwrap();
    let status = head.status().code();
    let how = head.get("X-Result");
    let how = how.map(|how| String::from_utf8_lossy(how).into_owned());
    let mut text = String::new();
    response.read_to_string(&mut text).unwrap();
    let end = response.finish().unwrap();
    Answer {
        status,
        how,
        text,
        end,
    }
}

#[track_caller]
fn assert_answer(answer: &Answer, how: &str, text: &str) {
    let told = (answer.status, answer.how.as_deref(), answer.text.as_str());
    assert_eq!(told, (200, Some(how), text));
    assert_eq!(answer.end.app_status, Some(0));
    assert_eq!(answer.end.protocol_status, ProtocolStatus::REQUEST_COMPLETE);
}

#[test]
fn a_file_is_made_once_and_kept_until_it_changes() {
    let app = Inherited::start("filter");
    let mut application = connect(&app);
    let notes = Version {
        name: "/notes.txt",
        bytes: b"one\ntwo\n",
        modified: 1000,
    };
    let numbered = "   1  one\n   2  two\n";
    let mut ask = |file: Version<'_>| {
        // An answer that came before the end of the file ends the connection as well.
        if !application.is_reusable() {
            application = connect(&app);
        }
        ask(&mut application, file, file.bytes.len())
    };
    assert_answer(&ask(notes), "made", numbered);
    // Which is not read: its bytes would say otherwise.
    let unread = Version {
        bytes: b"TWO\nONE\n",
        ..notes
    };
    assert_answer(&ask(unread), "kept", numbered);
    let older = Version {
        modified: 999,
        ..unread
    };
    assert_answer(&ask(older), "kept", numbered);
    // A large one that is not read.
    let long = vec![b'x'; 900_000];
    let large = Version {
        bytes: &long,
        ..notes
    };
    assert_answer(&ask(large), "kept", numbered);

    let changed = Version {
        bytes: b"three",
        modified: 1001,
        ..notes
    };
    assert_answer(&ask(changed), "made", "   1  three\n");
    assert_answer(&ask(notes), "kept", "   1  three\n");
    let other = Version {
        name: "/other.txt",
        bytes: b"",
        ..notes
    };
    assert_answer(&ask(other), "made", "");
    assert_answer(&ask(other), "kept", "");
    assert_answer(&ask(changed), "kept", "   1  three\n");
}

/// What does not come as it was announced is an error, and is not kept.
#[test]
fn a_file_that_is_cut_is_an_error() {
    let app = Inherited::start("filter");
    let notes = Version {
        name: "/notes.txt",
        bytes: b"one\ntwo\n",
        modified: 1000,
    };
    // One byte too few, and nothing at all.
    for bytes in [&notes.bytes[..7], b""] {
        let cut = Version { bytes, ..notes };
        let answer = ask(&mut connect(&app), cut, notes.bytes.len());
        assert_eq!((answer.status, answer.how), (500, None), "{}", answer.text);
        assert_eq!(answer.end.app_status, Some(1));
    }
    // Longer than this Filter takes.
    let long = vec![b'\n'; 1024 * 1024 + 1];
    let large = Version {
        bytes: &long,
        ..notes
    };
    let answer = ask(&mut connect(&app), large, long.len());
    assert_eq!((answer.status, answer.how), (500, None), "{}", answer.text);
    let answer = ask(&mut connect(&app), notes, notes.bytes.len());
    assert_answer(&answer, "made", "   1  one\n   2  two\n");
}

/// The program has the one role.
#[test]
fn a_responder_it_is_not() {
    let app = Inherited::start("filter");
    let mut application = connect(&app);
    let (request, mut nothing) = (Request::new(Role::Responder), &b""[..]);
    let end = application.send(&request, &mut nothing).unwrap().finish();
    let refused = ProtocolStatus::UNKNOWN_ROLE;
    assert_eq!(end.unwrap().protocol_status, refused);
}

#[track_caller]
fn connect(app: &Inherited) -> Application {
    let Address::Unix(path) = app.address.clone() else {
        panic!("the application listens on a unix socket");
    };
    let mut application = Application::connect(&Bound::Unix(path), Some(PATIENCE)).unwrap();
    application.set_timeout(Some(PATIENCE));
    application
}
