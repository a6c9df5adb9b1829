//! Signals and retirement (§7): how an application ends.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;

use rustix::process::Signal;

use super::*;

const SIGNALS: [Signal; 3] = [Signal::TERM, Signal::INT, Signal::USR1];
const MODES: [&str; 2] = ["run", "stdio"];

/// Answers one request, so that it is known to run.
#[track_caller]
fn served(app: &App) -> WebServer {
    let mut peer = app.connect();
    let answer = peer.ask(1, request("q", b""));
    assert!(answer.body().starts_with(b"[q] "));
    peer
}

/// Begins a request that lasts until its body ends.
#[track_caller]
fn begun(app: &App) -> WebServer {
    let mut peer = app.connect();
    peer.send(head(RESPONDER, "hold"));
    let record = peer.record();
    assert!(record.content.ends_with(b"begun\n"), "{record:?}");
    peer
}

#[test]
fn an_idle_application_ends_at_once() {
    for mode in MODES {
        for signal in SIGNALS {
            let mut app = app(mode);
            drop(served(&app));
            app.child.signal(signal);
            assert_eq!(app.exit(), Some(0), "{mode} {signal:?}");
        }
    }
}

/// It has a moment for a request that may be on its way.
#[test]
fn a_kept_connection_is_closed() {
    for mode in MODES {
        let mut app = app(mode);
        let mut kept = served(&app);
        app.child.signal(Signal::TERM);
        kept.expect_end();
        assert_eq!(app.exit(), Some(0), "{mode}");
    }
}

#[test]
fn a_request_is_completed() {
    for signal in SIGNALS {
        let mut app = app("run");
        let (mut peer, mut idle) = (begun(&app), served(&app));
        app.child.signal(signal);
        // By now the stop has begun.
        idle.expect_end();
        peer.send([stream(STDIN, 1, b"body"), end_of(STDIN, 1)].concat());
        let rest = peer.answer(1);
        assert_eq!(rest.stdout, b"[hold] Responder body");
        assert_eq!(rest.end, Some((0, REQUEST_COMPLETE)));
        peer.expect_end();
        assert_eq!(app.exit(), Some(0), "{signal:?}");
    }
}

/// In a loop, too: the thread that serves is the one that would stop.
#[test]
fn a_current_request_is_completed() {
    let mut app = app("stdio");
    let mut peer = app.connect();
    peer.send(head(RESPONDER, "q"));
    peer.sync();
    app.child.signal(Signal::TERM);
    peer.send([stream(STDIN, 1, b"body"), end_of(STDIN, 1)].concat());
    let answer = peer.answer(1);
    assert_eq!(answer.body(), b"[q] body");
    peer.expect_end();
    assert_eq!(app.exit(), Some(0));
}

/// The patience is an hour here.
#[test]
fn a_second_signal_cuts_off() {
    let mut app = app("linger");
    let (mut peer, mut idle) = (begun(&app), served(&app));
    app.child.signal(Signal::TERM);
    idle.expect_end();
    app.child.signal(Signal::TERM);
    peer.expect_end_or_reset();
    app.wait_for_log("over\n");
}

/// The one thread of a loop waits for a body that does not come, and sees neither.
#[test]
fn a_second_signal_cuts_off_a_current_request() {
    let mut app = app("stdio");
    let (mut idle, mut peer) = (served(&app), app.connect());
    peer.send(head(RESPONDER, "q"));
    peer.sync();
    app.child.signal(Signal::TERM);
    idle.expect_end();
    app.child.signal(Signal::TERM);
    peer.expect_end_or_reset();
    assert_eq!(app.exit(), Some(1), "reading failed");
}

/// A program that does not come back from its request is ended by the one after that.
#[test]
fn a_third_signal_ends_a_stuck_program() {
    let mut app = app("stdio");
    let mut peer = app.connect();
    peer.send(request("stuck", b""));
    assert_eq!(peer.record().kind, STDOUT);
    app.child.signal(Signal::TERM);
    app.child.signal(Signal::INT);
    peer.expect_end_or_reset();
    app.child.signal(Signal::TERM);
    let status = app.child.wait(PATIENCE).expect("it ends");
    assert_eq!(status.signal(), Some(Signal::TERM.as_raw()));
}

/// Then signals do again what they do by themselves.
#[test]
fn after_the_stop_a_signal_ends_the_process() {
    for mode in ["linger", "stdio-linger"] {
        for signal in SIGNALS {
            let mut app = app(mode);
            let _kept = served(&app);
            app.child.signal(Signal::TERM);
            app.wait_for_log("over\n");
            assert!(app.child.exited().is_none());
            app.child.signal(signal);
            let status = app.child.wait(PATIENCE).expect("it ends");
            assert_eq!(status.signal(), Some(signal.as_raw()), "{mode}");
        }
    }
}

/// Who connects would wait for as long as the program goes on.
#[test]
fn after_the_stop_nobody_can_connect() {
    for mode in ["linger", "stdio-linger"] {
        let mut app = app(mode);
        drop(served(&app));
        app.child.signal(Signal::TERM);
        app.wait_for_log("over\n");
        eventually(
            || app.address.connect().is_err(),
            || format!("{mode} still listens"),
        );
    }
}

/// One that is over must not end the process while another one serves.
#[test]
fn a_signal_stops_the_server_that_runs_and_not_the_process() {
    for signal in SIGNALS {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("second.sock");
        let mut app = app_of(program("pair").env("SECOND", &path));
        app.address = path.into();
        app.child.wait_for(&app.address);
        let (mut peer, mut idle) = (begun(&app), served(&app));
        app.child.signal(signal);
        idle.expect_end();
        peer.send([stream(STDIN, 1, b"body"), end_of(STDIN, 1)].concat());
        assert_eq!(peer.answer(1).stdout, b"[hold] Responder body");
        assert_eq!(app.exit(), Some(0), "{signal:?}");
    }
}

/// Who connects meanwhile would wait for an answer that does not come.
#[test]
fn a_socket_of_its_own_goes_away_when_the_stop_begins() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("second.sock");
    let mut app = app_of(program("pair").env("SECOND", &path));
    app.address = path.clone().into();
    app.child.wait_for(&app.address);
    let mut peer = begun(&app);
    app.child.signal(Signal::TERM);
    eventually(
        || app.address.connect().is_err() && !path.exists(),
        || "it still listens".to_owned(),
    );
    peer.send([stream(STDIN, 1, b"body"), end_of(STDIN, 1)].concat());
    assert_eq!(peer.answer(1).stdout, b"[hold] Responder body");
    assert_eq!(app.exit(), Some(0));
}

/// Others are not touched.
#[test]
fn a_cgi_program_heeds_no_signals() {
    let (reader, _writer) = io::pipe().unwrap();
    let mut command = program("run");
    command.envs([("QUERY_STRING", "hold"), ("CONTENT_LENGTH", "4")]);
    let mut child = start(&mut command, reader);
    let mut begun = [0; b"Content-Type: text/plain\r\n\r\nbegun\n".len()];
    io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut begun).unwrap();
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(Signal::TERM.as_raw()));
}

#[test]
fn retirement() {
    let mut by_variable = program("run");
    by_variable.env("FCGI_MAX_REQUESTS", "3");
    let mut current = program("stdio");
    current.env("FCGI_MAX_REQUESTS", "3");
    for command in [&mut program("retire"), &mut by_variable, &mut current] {
        let mut app = app_of(command);
        let mut idle = app.connect();
        assert!(idle.ask(1, request("q", b"")).body().starts_with(b"[q] "));
        let mut peer = app.connect();
        assert!(peer.ask(1, request("q", b"")).body().starts_with(b"[q] "));
        let answer = peer.ask(1, request("q", b"last"));
        assert!(answer.body().ends_with(b"last"));
        peer.expect_end();
        idle.expect_end();
        assert_eq!(app.exit(), Some(0), "{}", app.child.log());
    }
}

/// The last request may take its time, and connections that are new then get their first one.
#[test]
fn retirement_loses_nothing() {
    let mut app = app("retire");
    drop((served(&app), served(&app)));
    let mut new = app.connect();
    new.sync();
    let mut last = begun(&app);
    let answer = new.ask(1, request("q", b"new"));
    assert_eq!(answer.body(), b"[q] Responder new");
    new.expect_end();
    last.send(end_of(STDIN, 1));
    assert_eq!(last.answer(1).end, Some((0, REQUEST_COMPLETE)));
    last.expect_end();
    assert_eq!(app.exit(), Some(0));
}

#[test]
fn a_number_of_requests_that_is_none() {
    for number in ["0", "-1", "many", "", " 3", "3.5", "18446744073709551616"] {
        for mode in MODES {
            let mut command = program(mode);
            let mut app = app_of(command.env("FCGI_MAX_REQUESTS", number));
            assert_eq!(app.exit(), Some(1), "{number:?}");
            let log = app.child.log();
            assert!(log.contains("FCGI_MAX_REQUESTS"), "{log}");
        }
    }
}

/// A CGI program serves one anyway.
#[test]
fn a_number_of_requests_is_not_for_cgi() {
    let pairs = [("QUERY_STRING", "q"), ("FCGI_MAX_REQUESTS", "0")];
    assert_eq!(cgi("run", &pairs, b"").body(), b"[q] Responder ");
}

#[test]
fn connections_that_were_there_before_the_stop_get_one_more_request() {
    for mode in MODES {
        let mut app = app(mode);
        let (mut new, mut kept) = (app.connect(), served(&app));
        // It has been accepted, and no request has begun.
        new.sync();
        app.child.signal(Signal::TERM);
        for peer in [&mut new, &mut kept] {
            let answer = peer.ask(1, request("q", b"last"));
            assert!(answer.body().ends_with(b"last"));
        }
        new.expect_end();
        kept.expect_end();
        assert_eq!(app.exit(), Some(0), "{mode}");
    }
}

/// It ends by itself, long before any timeout of a connection.
#[test]
fn a_connection_that_stays_silent_does_not_hold_the_stop_up() {
    for mode in ["linger", "stdio-linger"] {
        let mut app = app(mode);
        let mut silent = app.connect();
        silent.sync();
        app.child.signal(Signal::TERM);
        silent.expect_end();
        app.wait_for_log("over\n");
    }
}

/// Nor does one that asks again and again what the application can do (§4.1).
#[test]
fn questions_do_not_hold_the_stop_up() {
    for mode in ["linger", "stdio-linger"] {
        let mut app = app(mode);
        let mut asking = app.connect();
        asking.sync();
        app.child.signal(Signal::TERM);
        eventually(
            || {
                let question = get_values(&["FCGI_MPXS_CONNS"]);
                let asked = asking.connection.write_all(&question);
                let answered = asked.and_then(|()| asking.connection.read(&mut [0; 64]));
                !matches!(answered, Ok(1..))
            },
            || "the connection is still open".to_owned(),
        );
        app.wait_for_log("over\n");
    }
}

/// A request that comes with the one that runs is not served any more, and told so.
#[test]
fn a_request_that_comes_in_the_stop() {
    let mut app = app("run");
    let (mut peer, mut idle) = (begun(&app), served(&app));
    app.child.signal(Signal::TERM);
    idle.expect_end();
    peer.send([end_of(STDIN, 1), request("late", b"")].concat());
    assert_eq!(peer.answer(1).end, Some((0, REQUEST_COMPLETE)));
    let late = peer.rest();
    let late = exchanges(&late);
    assert!(
        late.iter()
            .all(|(_, answer)| answer.end == Some((0, OVERLOADED))),
        "{late:?}"
    );
    assert_eq!(app.exit(), Some(0));
}
