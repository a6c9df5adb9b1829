//! What time does to a loop that is busy. It passes as the tests say.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use fcgi_listen::Peer;
use fcgi_tests::hand::*;
use mio::{Events, Poll};

use super::*;
use crate::io_state::tests::pass;
use crate::{Request, Response, whole};

const TIMEOUT: Duration = Duration::from_secs(60);

/// What the next request does, in the place of a handler that takes its time.
type Deed = Rc<RefCell<Box<dyn FnMut()>>>;

struct Host<S: Service> {
    poll: Poll,
    inner: Loop<S>,
    deed: Deed,
}

fn host() -> Host<impl Service> {
    let settings = Settings::new()
        .header_timeout(TIMEOUT)
        .body_timeout(TIMEOUT)
        .idle_timeout(TIMEOUT)
        .on_incident(|_| ());
    let poll = Poll::new().unwrap();
    let deed: Deed = Rc::new(RefCell::new(Box::new(|| ())));
    let todo = Rc::clone(&deed);
    let service = whole(move |request: &Request<'_>, response: &mut Response<'_>| {
        if request.param("SLOW").is_some() {
            (todo.borrow_mut())();
        }
        response.write(request.body())
    });
    let registry = poll.registry();
    let inner = Loop::new(registry, 0..1 << 20, Vec::new(), settings, service).unwrap();
    Host { poll, inner, deed }
}

impl<S: Service> Host<S> {
    /// A new connection over which this comes at once.
    fn connect(&self, bytes: &[u8]) -> UnixStream {
        let (mut peer, stream) = UnixStream::pair().unwrap();
        for end in [&peer, &stream] {
            end.set_nonblocking(true).unwrap();
        }
        peer.write_all(bytes).unwrap();
        self.inner.io.shared.hand(stream.into(), Peer::Unix);
        peer
    }

    /// One round, without waiting.
    fn round(&mut self) {
        let mut events = Events::with_capacity(16);
        self.poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        for event in &events {
            assert!(self.inner.ready(event));
        }
        self.inner.expired();
    }

    /// So many rounds that nothing is left to be done.
    fn rounds(&mut self) {
        (0..5).for_each(|_| self.round());
    }
}

/// A request up to its body.
fn head(pairs: &[(&str, &str)]) -> Vec<u8> {
    let begin = begin(1, RESPONDER, KEEP);
    [begin, params(1, pairs), end_of(PARAMS, 1)].concat()
}

/// A request that does the deed.
fn slow() -> Vec<u8> {
    responder(1, KEEP, &[("SLOW", "")], b"")
}

/// The rest of a request.
fn body() -> Vec<u8> {
    [stream(STDIN, 1, b"body"), end_of(STDIN, 1)].concat()
}

/// Whether all of the answer is there, the end of the request as well.
fn is_answered(peer: &mut UnixStream) -> bool {
    let mut answer = [0; 1024];
    let count = peer.read(&mut answer).unwrap_or(0);
    let answers = answers(&answer[..count]);
    answers.get(&1).is_some_and(|it| it.body() == b"body")
}

/// What comes while a handler works has come in time.
#[test]
fn a_deadline_that_passes_while_the_loop_is_busy() {
    let mut host = host();
    let mut uploading = host.connect(&head(&[]));
    host.rounds();
    let mut sender = uploading.try_clone().unwrap();
    *host.deed.borrow_mut() = Box::new(move || {
        sender.write_all(&body()).unwrap();
        pass(2 * TIMEOUT);
    });
    let _busy = host.connect(&slow());
    host.rounds();
    assert!(is_answered(&mut uploading));
}

/// Those who are served behind a slow one have their whole time.
#[test]
fn time_begins_when_the_loop_gets_to_it() {
    let mut host = host();
    *host.deed.borrow_mut() = Box::new(|| pass(2 * TIMEOUT));
    let (_busy, mut newcomer) = (host.connect(&slow()), host.connect(&head(&[])));
    host.rounds();
    pass(TIMEOUT / 2);
    host.rounds();
    newcomer.write_all(&body()).unwrap();
    host.rounds();
    assert!(is_answered(&mut newcomer));
}

/// The time for its next request does not begin before.
#[test]
fn a_connection_rests_from_the_end_of_its_answer() {
    let mut host = host();
    *host.deed.borrow_mut() = Box::new(|| pass(2 * TIMEOUT));
    let mut peer = host.connect(&slow());
    host.rounds();
    let _ = peer.read(&mut [0; 1024]);
    peer.write_all(&[head(&[]), body()].concat()).unwrap();
    host.rounds();
    assert!(is_answered(&mut peer));
}

/// Deadlines are met, at the cost of one round that does nothing.
#[test]
fn a_deadline_that_passes_while_nothing_happens() {
    let mut host = host();
    let mut peer = host.connect(&head(&[]));
    host.rounds();
    pass(2 * TIMEOUT);
    host.round();
    host.round();
    assert_eq!(peer.read(&mut [0; 64]).unwrap(), 0);
    assert_eq!(host.inner.next_deadline(), None);
}
