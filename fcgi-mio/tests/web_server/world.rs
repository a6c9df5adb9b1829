//! A `Poll` with an `Outgoing` in it, and receivers that note what comes.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use fcgi_core::Role;
use fcgi_listen::Address;
use fcgi_mio::web_server::{
    Application, Call, Cause, End, Failure, Flow, Outgoing, Receiver, Request, Settings,
};
use mio::event::Event;
use mio::{Events, Poll};

/// How long a test waits before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct World {
    pub(crate) poll: Poll,
    events: Events,
    pub(crate) outgoing: Outgoing,
    /// How often it has waited.
    pub(crate) waits: usize,
}

impl World {
    pub(crate) fn new(settings: Settings) -> World {
        let poll = Poll::new().unwrap();
        let outgoing = Outgoing::new(poll.registry(), 1000..2000, settings).unwrap();
        World {
            poll,
            events: Events::with_capacity(64),
            outgoing,
            waits: 0,
        }
    }

    pub(crate) fn application(&self, address: &Address) -> Application {
        self.outgoing.application(address.clone())
    }

    /// Waits once, at most for so long.
    pub(crate) fn step(&mut self, most: Duration, mut others: impl FnMut(&Event)) {
        let deadline = self.outgoing.next_deadline();
        let wait = deadline.map_or(most, |at| {
            at.saturating_duration_since(Instant::now()).min(most)
        });
        self.poll.poll(&mut self.events, Some(wait)).unwrap();
        self.waits += 1;
        for event in &self.events {
            if !self.outgoing.ready(event) {
                others(event);
            }
        }
        self.outgoing.expired();
    }

    #[track_caller]
    pub(crate) fn run_until(&mut self, what: &str, mut is_so: impl FnMut(&Outgoing) -> bool) {
        let patience = Instant::now() + PATIENCE;
        while !is_so(&self.outgoing) {
            let counters = self.outgoing.counters();
            assert!(Instant::now() < patience, "{what}: {counters:?}");
            self.step(Duration::from_millis(5), |_| panic!("nobody's event"));
        }
    }

    /// Until all these requests have ended.
    #[track_caller]
    pub(crate) fn run(&mut self, logs: &[&Log]) {
        self.run_until("the end", |_| logs.iter().all(|log| log.is_over()));
    }
}

/// What one receiver got.
#[derive(Clone, Default)]
pub(crate) struct Log(Rc<Inner>);

#[derive(Default)]
struct Inner {
    stdout: RefCell<Vec<u8>>,
    stderr: RefCell<Vec<u8>>,
    end: RefCell<Option<io::Result<End>>>,
    rooms: Cell<usize>,
    is_paused: Cell<bool>,
    is_dropped: Cell<bool>,
}

impl Log {
    pub(crate) fn receiver(&self) -> Notes {
        Notes(self.clone())
    }

    /// Answers every piece with a pause.
    pub(crate) fn paused(self) -> Log {
        self.0.is_paused.set(true);
        self
    }

    /// From here on it takes what comes.
    pub(crate) fn unpause(&self) {
        self.0.is_paused.set(false);
    }

    pub(crate) fn stdout(&self) -> Vec<u8> {
        self.0.stdout.borrow().clone()
    }

    pub(crate) fn stdout_len(&self) -> usize {
        self.0.stdout.borrow().len()
    }

    pub(crate) fn stderr(&self) -> Vec<u8> {
        self.0.stderr.borrow().clone()
    }

    pub(crate) fn rooms(&self) -> usize {
        self.0.rooms.get()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.0.end.borrow().is_some()
    }

    pub(crate) fn is_dropped(&self) -> bool {
        self.0.is_dropped.get()
    }

    pub(crate) fn is_failed(&self) -> bool {
        matches!(&*self.0.end.borrow(), Some(Err(_)))
    }

    /// How it ended well.
    #[track_caller]
    pub(crate) fn app_status(&self) -> Option<u32> {
        match &*self.0.end.borrow() {
            Some(Ok(end)) => end.app_status,
            other => panic!("{other:?}"),
        }
    }

    /// The text of its failure and the kind of it, and the cause.
    #[track_caller]
    pub(crate) fn failure(&self) -> (String, io::ErrorKind, Cause) {
        let end = self.0.end.borrow();
        let Some(Err(error)) = &*end else {
            panic!("{end:?}");
        };
        let failure = error.get_ref().and_then(|inner| inner.downcast_ref());
        let failure: &Failure = failure.expect("a failure");
        (error.to_string(), error.kind(), failure.cause().clone())
    }
}

/// A receiver that notes what comes.
pub(crate) struct Notes(Log);

impl Receiver for Notes {
    fn stdout(&mut self, bytes: &[u8]) -> io::Result<Flow> {
        assert!(!bytes.is_empty() && !self.0.is_over());
        self.0.0.stdout.borrow_mut().extend_from_slice(bytes);
        Ok(if self.0.0.is_paused.get() {
            Flow::Pause
        } else {
            Flow::More
        })
    }

    fn stderr(&mut self, bytes: &[u8]) {
        assert!(!bytes.is_empty() && !self.0.is_over());
        self.0.0.stderr.borrow_mut().extend_from_slice(bytes);
    }

    fn room(&mut self) {
        self.0.0.rooms.set(self.0.0.rooms.get() + 1);
    }

    fn end(self: Box<Self>, result: io::Result<End>) {
        let before = self.0.0.end.replace(Some(result));
        assert!(before.is_none(), "it ended twice");
    }
}

impl Drop for Notes {
    fn drop(&mut self) {
        self.0.0.is_dropped.set(true);
    }
}

/// A GET for a path.
pub(crate) fn get(path: &str) -> Request {
    let mut request = Request::new(Role::Responder);
    request.param("REQUEST_METHOD", "GET").unwrap();
    request.param("REQUEST_URI", path).unwrap();
    request.param("QUERY_STRING", path).unwrap();
    request
}

/// A POST with a body.
pub(crate) fn post(path: &str, body: Vec<u8>) -> Request {
    let mut request = Request::new(Role::Responder);
    request.param("REQUEST_METHOD", "POST").unwrap();
    request.param("REQUEST_URI", path).unwrap();
    request.param("QUERY_STRING", path).unwrap();
    let length = body.len().to_string();
    request.param("CONTENT_LENGTH", length).unwrap();
    request.body(body);
    request
}

/// Sends it, and what comes of it.
pub(crate) fn send(application: &Application, request: Request) -> (Call, Log) {
    let log = Log::default();
    let call = application.send(request, log.receiver());
    (call, log)
}
