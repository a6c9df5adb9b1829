//! Records that want answers (§4, §5.1, §5.4), in masses: answers that nobody reads do not pile up,
//! and those that are read late are all there.

mod kit;

use std::io::Write;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use fcgi_mio::{Body, Deferred, Request, Response, Settings, whole};
use fcgi_tests::hand::*;
use kit::*;

/// So much is not taken in of what is not answered: the buffers of two sockets, and of a loop.
const MOST: usize = 16 << 20;

/// The length of a body that is longer than what waits anywhere.
const LONG: usize = 8 << 20;

/// What wants one answer, which has this type and this id.
fn questions() -> [(Vec<u8>, u8, u16); 4] {
    [
        (get_values(&["FCGI_MAX_CONNS"]), GET_VALUES_RESULT, 0),
        (record(77, 0, b"whatever", 3), UNKNOWN_TYPE, 0),
        (begin(9, 77, KEEP), END_REQUEST, 9),
        (
            [begin(9, RESPONDER, KEEP), abort(9)].concat(),
            END_REQUEST,
            9,
        ),
    ]
}

/// Before the questions, and behind them: nothing, the parts of a request, requests whose answers
/// take their time.
fn situations() -> [(Vec<u8>, Vec<u8>); 4] {
    let request = |query| responder(1, KEEP, &[("QUERY_STRING", query)], b"");
    let head = [begin(1, RESPONDER, KEEP), end_of(PARAMS, 1)].concat();
    let body = [stream(STDIN, 1, b"body"), end_of(STDIN, 1)].concat();
    [
        (Vec::new(), request("")),
        ([head, stream(STDIN, 1, b"some")].concat(), body),
        (request("long"), Vec::new()),
        (request("later"), Vec::new()),
    ]
}

fn app(settings: Settings) -> (App, Receiver<Deferred>) {
    let (sender, receiver) = channel();
    let answer = move |request: &Request<'_>, response: &mut Response<'_>| {
        answer(request, response, &sender)
    };
    (App::unix(settings, move || whole(answer)), receiver)
}

fn answer(
    request: &Request<'_>,
    response: &mut Response<'_>,
    sender: &Sender<Deferred>,
) -> std::io::Result<()> {
    match request.param("QUERY_STRING") {
        Some(b"long") => response.body(Body::producer(Lots(LONG))),
        Some(b"later") => {
            sender.send(response.defer()?).expect("the test goes on");
            Ok(())
        }
        _ => response.write(request.body()),
    }
}

#[test]
fn answers_that_nobody_reads() {
    for (question, ..) in questions() {
        for (before, _) in situations() {
            let (app, _deferred) = app(Settings::new().write_timeout(Duration::from_millis(100)));
            let mut peer = app.connect();
            peer.send(&before);
            let questions = question.repeat(1000);
            let mut sent = 0;
            while peer.connection.write_all(&questions).is_ok() {
                sent += questions.len();
                assert!(sent < MOST, "everything is taken in and answered");
            }
            app.wait_until("it is cut off", |c| c.closed == 1 && c.timed_out == 1);
            let counters = app.counters();
            assert_eq!(counters.begun, counters.ended, "{counters:?}");
            assert!(
                app.connect()
                    .ask(1, responder(1, KEEP, GET, b""))
                    .end
                    .is_some()
            );
        }
    }
}

#[test]
fn answers_that_are_read_late() {
    const COUNT: usize = 50_000;
    for (question, kind, id) in questions() {
        for (before, behind) in situations() {
            let (app, deferred) = app(Settings::new());
            let mut peer = app.connect();
            let mut sender = peer.connection.try_clone().expect("another handle");
            let questions = question.repeat(COUNT);
            let sending = thread::spawn(move || {
                let all = [before, questions, behind].concat();
                sender.write_all(&all).expect("everything is taken");
            });
            app.wait_until("it pauses", |c| c.paused > 0);
            if let Ok(deferred) = deferred.try_recv() {
                deferred.complete(vec![b'd'; LONG]).expect("it waits");
            }
            let (mut answers, mut ends) = (0, 0);
            while answers < COUNT || ends < 1 {
                let record = peer.record();
                answers += usize::from((record.kind, record.id) == (kind, id));
                ends += usize::from((record.kind, record.id) == (END_REQUEST, 1));
            }
            assert_eq!((answers, ends), (COUNT, 1));
            sending.join().expect("no panic");
            // The connection is as it was before.
            let answer = peer.ask(5, responder(5, KEEP, GET, b"still"));
            assert_eq!(answer.body(), b"still");
        }
    }
}
