//! Several requests on one connection, with an application played by hand.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use fcgi_tests::hand;
use fcgi_tests::http::Request;

use crate::played::Played;

const MULTIPLEXES: &[(&str, &str)] = &[("FCGI_MPXS_CONNS", "1"), ("FCGI_MAX_REQS", "3")];

/// Sends a GET and leaves the answer to be read.
fn ask(gateway: &crate::gateway::Gateway, target: &str) -> fcgi_tests::http::Client {
    let mut client = gateway.client();
    client.send(&Request::get(target).head_bytes()).unwrap();
    client
}

fn text(client: &mut fcgi_tests::http::Client) -> String {
    let mut body = Vec::new();
    let page = client.receive(false, &mut body).unwrap();
    assert_eq!(page.status, 200);
    String::from_utf8(body).unwrap()
}

#[test]
fn requests_share_a_connection_up_to_its_limit() {
    let played = Played::new();
    let gateway = played.gateway();
    let mut clients: Vec<_> = (0..4)
        .map(|number| ask(&gateway, &format!("/{number}")))
        .collect();
    played.answer_question(MULTIPLEXES);
    let mut talk = played.accept();
    let heard = [talk.request(), talk.request(), talk.request()];
    assert_eq!(heard.each_ref().map(|heard| heard.id), [1, 2, 3]);
    assert!(heard.iter().all(|heard| heard.keep));
    // The fourth has no room there.
    let mut other = played.accept();
    let last = other.request();
    other.answer(last.id, &last.param("REQUEST_URI"));
    for heard in heard.iter().rev() {
        talk.answer(heard.id, &heard.param("REQUEST_URI"));
    }
    for (number, client) in clients.iter_mut().enumerate() {
        assert_eq!(text(client), format!("/{number}"));
    }
    // Later requests find the connections again, and nobody asks again.
    let mut client = ask(&gateway, "/again");
    let (mut talk, first) = [other, talk]
        .into_iter()
        .find_map(|mut talk| talk.soon().map(|first| (talk, first)))
        .unwrap();
    let heard = talk.request_after(&first);
    talk.answer(heard.id, &heard.param("REQUEST_URI"));
    assert_eq!(text(&mut client), "/again");
    assert!(played.accepted().is_none());
}

#[test]
fn uploads_and_answers_interleave() {
    let played = Played::new();
    let gateway = played.gateway();
    let mut slow = gateway.client();
    let upload = Request::post("/slow", "0123456789");
    slow.send(&upload.head_bytes()).unwrap();
    slow.send(b"01234").unwrap();
    played.answer_question(MULTIPLEXES);
    let mut talk = played.accept();
    assert_eq!(talk.record().kind, hand::BEGIN_REQUEST);
    assert_eq!((talk.record().id, talk.record().id), (1, 1), "PARAMS");
    assert_eq!(talk.record().content, b"01234");
    // While one body is stuck, another request comes and goes.
    let mut quick = ask(&gateway, "/quick");
    let heard = talk.request();
    assert_eq!(heard.id, 2);
    let begun = hand::stream(hand::STDOUT, 1, b"Content-Type: a/b\n\nbegun");
    talk.send(&begun);
    talk.answer(2, "quick");
    assert_eq!(text(&mut quick), "quick");
    assert_eq!(slow.receive_head().unwrap().status, 200);
    slow.send(b"56789").unwrap();
    assert_eq!(talk.record().content, b"56789");
    assert_eq!(talk.record().content, b"", "the end of STDIN");
    talk.send(&hand::end_request(1, 0, hand::REQUEST_COMPLETE));
    assert_eq!(slow.receive_bytes(15).unwrap(), b"5\r\nbegun\r\n0\r\n\r\n");
}

/// The client's leaving ends its request and no other; its id is used again only after its end.
#[test]
fn a_client_that_leaves_aborts_its_request_alone() {
    let played = Played::new();
    let gateway = played.gateway();
    let leaving = ask(&gateway, "/leaving");
    played.answer_question(MULTIPLEXES);
    let mut talk = played.accept();
    assert_eq!(talk.request().id, 1);
    let mut staying = ask(&gateway, "/staying");
    assert_eq!(talk.request().id, 2);
    drop(leaving);
    let abort = talk.record();
    assert_eq!((abort.kind, abort.id), (hand::ABORT_REQUEST, 1));
    gateway.line("access: GET /leaving - 0 B");
    // Output of an aborted request goes nowhere.
    talk.send(&hand::stream(hand::STDOUT, 1, &[b'x'; 60_000]));
    let mut third = ask(&gateway, "/third");
    assert_eq!(talk.request().id, 3);
    talk.send(&hand::end_request(1, 0, hand::REQUEST_COMPLETE));
    talk.answer(3, "third");
    assert_eq!(text(&mut third), "third");
    let mut fourth = ask(&gateway, "/fourth");
    assert_eq!(talk.request().id, 1, "free again");
    talk.answer(2, "staying");
    talk.answer(1, "fourth");
    assert_eq!(text(&mut staying), "staying");
    assert_eq!(text(&mut fourth), "fourth");
    assert!(played.accepted().is_none());
}

/// A client that breaks off its upload: the application is told, and never sees the end of STDIN.
#[test]
fn an_upload_that_breaks_off_is_aborted() {
    let played = Played::new();
    let gateway = played.gateway();
    let mut client = gateway.client();
    client
        .send(&Request::post("/", "0123456789").head_bytes())
        .unwrap();
    client.send(b"01234").unwrap();
    played.answer_question(MULTIPLEXES);
    let mut talk = played.accept();
    let kinds = [(); 4].map(|()| talk.record().kind);
    assert_eq!(
        kinds,
        [hand::BEGIN_REQUEST, hand::PARAMS, hand::PARAMS, hand::STDIN]
    );
    drop(client);
    assert_eq!(talk.record().kind, hand::ABORT_REQUEST);
    talk.send(&hand::end_request(1, 0, hand::REQUEST_COMPLETE));
    // The connection is still good.
    let mut client = ask(&gateway, "/next");
    assert_eq!(talk.request().id, 1);
    talk.answer(1, "next");
    assert_eq!(text(&mut client), "next");
}

/// An application that serves one request at a time may close behind its answer to an abort.
#[test]
fn after_an_abort_one_that_does_not_multiplex_has_a_new_connection() {
    let played = Played::new();
    let gateway = played.gateway();
    let client = ask(&gateway, "/");
    played.answer_question(&[("FCGI_MPXS_CONNS", "0")]);
    let mut talk = played.accept();
    assert_eq!(talk.request().id, 1);
    drop(client);
    assert_eq!(talk.record().kind, hand::ABORT_REQUEST);
    talk.send(&hand::end_request(1, 0, hand::REQUEST_COMPLETE));
    let mut client = ask(&gateway, "/next");
    let mut other = played.accept();
    let heard = other.request();
    other.answer(heard.id, "next");
    assert_eq!(text(&mut client), "next");
    assert!(talk.is_closed());
}

/// An application that does not heed an abort loses the connection, when nothing else runs on it.
#[test]
fn an_abort_that_is_not_heeded_closes_the_connection() {
    let played = Played::new();
    let gateway = played.gateway();
    let client = ask(&gateway, "/");
    played.answer_question(MULTIPLEXES);
    let mut talk = played.accept();
    assert_eq!(talk.request().id, 1);
    drop(client);
    assert_eq!(talk.record().kind, hand::ABORT_REQUEST);
    assert!(talk.is_closed());
}

/// One client that does not read: the application is held up after a bounded number of bytes, and
/// new requests take another connection.
#[test]
fn a_slow_reader_holds_the_application_up() {
    let played = Played::new();
    let gateway = played.gateway();
    let mut slow = ask(&gateway, "/slow");
    played.answer_question(MULTIPLEXES);
    let mut talk = played.accept();
    assert_eq!(talk.request().id, 1);
    talk.send(&hand::stream(hand::STDOUT, 1, b"Content-Type: a/b\n\n"));
    // Far more than all buffers between the two ends, so that most of it has to wait.
    let length = 64 << 20;
    let written = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&written);
    let writer = thread::spawn(move || {
        let piece = hand::stream(hand::STDOUT, 1, &[b'x'; 65_536]);
        for _ in 0..length / 65_536 {
            talk.send(&piece);
            count.fetch_add(1, Ordering::Relaxed);
        }
        talk.send(&hand::end_request(1, 0, hand::REQUEST_COMPLETE));
        talk
    });
    let mut before = 0;
    while before == 0 || written.load(Ordering::Relaxed) > before {
        before = written.load(Ordering::Relaxed);
        thread::sleep(Duration::from_millis(500));
    }
    assert!(!writer.is_finished(), "somebody holds 64 MiB");
    let mut quick = ask(&gateway, "/quick");
    let mut other = played.accept();
    let heard = other.request();
    other.answer(heard.id, "quick");
    assert_eq!(text(&mut quick), "quick");
    let mut count = Count(0);
    slow.receive(false, &mut count).unwrap();
    assert_eq!(count.0, length);
    writer.join().unwrap();
}

struct Count(usize);

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Whatever else an application does with the question, requests go one at a time.
#[test]
fn without_a_good_answer_nothing_is_shared() {
    let answers: [(&str, &[u8]); 6] = [
        ("closed", b""),
        ("does not know", &hand::unknown_type(hand::GET_VALUES)),
        (
            "nothing to say",
            &hand::get_values_result::<&str, &str>(&[]),
        ),
        (
            "no",
            &hand::get_values_result(&[("FCGI_MPXS_CONNS", "0"), ("FCGI_MAX_REQS", "9")]),
        ),
        (
            "one",
            &hand::get_values_result(&[("FCGI_MPXS_CONNS", "1"), ("FCGI_MAX_REQS", "1")]),
        ),
        ("garbage", &[7; 64]),
    ];
    for (what, answer) in answers {
        let played = Played::new();
        let gateway = played.gateway();
        let mut clients = [ask(&gateway, "/a"), ask(&gateway, "/b")];
        let mut question = played.accept();
        assert_eq!(question.record().kind, hand::GET_VALUES);
        question.send(answer);
        drop(question);
        let mut talks = [played.accept(), played.accept()];
        for talk in &mut talks {
            let heard = talk.request();
            assert_eq!(heard.id, 1, "{what}");
            talk.answer(1, &heard.param("REQUEST_URI"));
        }
        assert_eq!(clients.each_mut().map(text), ["/a", "/b"], "{what}");
    }
}

/// As libfcgi: the question is answered when it is too late, and one connection is served after the
/// other.
#[test]
fn an_application_that_serves_one_connection_after_the_other() {
    let played = Played::new();
    let gateway = played.gateway();
    let server = thread::spawn(move || {
        let mut served = 0;
        while served < 40 {
            let mut talk = played.accept();
            while let Some(first) = talk.try_record() {
                if first.kind == hand::GET_VALUES {
                    continue;
                }
                let heard = talk.request_after(&first);
                assert!(heard.keep);
                talk.answer(heard.id, &heard.param("REQUEST_URI"));
                served += 1;
            }
        }
    });
    thread::scope(|scope| {
        for number in 0..10 {
            let mut client = gateway.client();
            scope.spawn(move || {
                for round in 0..4 {
                    let target = format!("/{number}/{round}");
                    assert_eq!(client.call(&Request::get(&target)).text(), target);
                }
            });
        }
    });
    drop(gateway);
    server.join().unwrap();
}
