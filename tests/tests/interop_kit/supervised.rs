//! Examples with a supervisor, in this process or as `cgi-fcgi -supervise`, and clients that ask
//! without a pause.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use fcgi_listen::{Address as Bound, Listener, Options};
use fcgi_process::{Event, Program, Supervised, Supervisor};
use fcgi_tests::address::Address;
use fcgi_tests::http::{Client, Request};
use tempfile::TempDir;

use crate::site::path_of;

/// How long anything may take before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// New children have to live for so long. Not one of them is broken.
const SETTLE: Duration = Duration::from_millis(100);

/// How many children there are.
pub(crate) const CHILDREN: usize = 2;

/// How many clients ask at a time.
const CLIENTS: usize = 4;

/// An example under a supervisor of this process.
pub(crate) struct Children {
    pub(crate) supervised: Supervised,
    pub(crate) address: Address,
    events: Arc<Mutex<Vec<Told>>>,
    _directory: TempDir,
}

/// What the tests look at of an event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Told {
    Started(u32),
    /// With this status.
    Ended(u32, Option<i32>),
    Replaced,
    /// Whatever there should be none of.
    Wrong(String),
}

impl Children {
    #[track_caller]
    pub(crate) fn start(example: &str, rules: impl FnOnce(Supervisor) -> Supervisor) -> Children {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.sock");
        let listener = Listener::bind(&Bound::Unix(path.clone()), &Options::new()).unwrap();
        let events = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&events);
        let supervisor = Supervisor::new(listener, Program::new(path_of(example)))
            .children(CHILDREN)
            .allow_root(true)
            .settle(SETTLE)
            .backoff(Duration::from_millis(1), Duration::from_millis(1))
            .patience(PATIENCE)
            .on_event(move |event| {
                let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
                log.extend(told(event));
            });
        Children {
            supervised: rules(supervisor).start().unwrap(),
            address: path.into(),
            events,
            _directory: directory,
        }
    }

    pub(crate) fn events(&self) -> Vec<Told> {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.clone()
    }

    /// How many replacements are done.
    pub(crate) fn replacements(&self) -> usize {
        let events = self.events();
        events
            .iter()
            .filter(|event| **event == Told::Replaced)
            .count()
    }

    pub(crate) fn has_ended(&self, process: u32) -> bool {
        let is_end = |event: &Told| matches!(event, Told::Ended(pid, _) if *pid == process);
        self.events().iter().any(is_end)
    }

    /// The processes that were ever started.
    pub(crate) fn started(&self) -> Vec<u32> {
        let started = |event| match event {
            Told::Started(pid) => Some(pid),
            _ => None,
        };
        self.events().into_iter().filter_map(started).collect()
    }

    /// Stops the children. Each that has served has ended by itself, with status 0; one that has
    /// just been started may not have heard of signals yet.
    #[track_caller]
    pub(crate) fn stop(self, served: &BTreeMap<u32, usize>) {
        self.supervised.stop(PATIENCE);
        self.supervised.wait().unwrap();
        let events = self.events.lock().unwrap();
        for event in &*events {
            match event {
                Told::Ended(pid, status) if served.contains_key(pid) => {
                    assert_eq!(*status, Some(0), "{pid}: {events:?}");
                }
                Told::Ended(..) | Told::Started(_) | Told::Replaced => {}
                Told::Wrong(_) => panic!("{events:?}"),
            }
        }
    }
}

fn told(event: &Event) -> Option<Told> {
    match event {
        Event::Started { pid, .. } => Some(Told::Started(*pid)),
        Event::Ended { pid, status, .. } => {
            let code = status.and_then(|status| status.code());
            Some(Told::Ended(*pid, code))
        }
        Event::ReplacementDone => Some(Told::Replaced),
        Event::NotStarted { .. } | Event::ReplacementGivenUp | Event::Killed { .. } => {
            Some(Told::Wrong(event.to_string()))
        }
        _ => None,
    }
}

/// Asks for the page of `tiny-fcgi` again and again, each client on a connection of its own, at
/// least `requests` times and until `enough`; how many requests each process has answered.
///
/// # Panics
///
/// If one is not answered, or by another page.
#[track_caller]
pub(crate) fn load(
    web_server: SocketAddr,
    requests: usize,
    enough: impl Fn() -> bool + Sync,
) -> BTreeMap<u32, usize> {
    let (asked, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let deadline = Instant::now() + 2 * PATIENCE;
    let client = || {
        let mut served = BTreeMap::new();
        let mut client = Client::connect(web_server);
        let page = Request::get("/app.fcgi?a=b").header("Cookie", "c=d");
        while !is_over.load(Ordering::Relaxed) {
            let answer = client.call(&page);
            let number = asked.fetch_add(1, Ordering::Relaxed) + 1;
            let text = answer.text();
            if answer.status != 200 {
                is_over.store(true, Ordering::Relaxed);
                panic!("request {number}: {} {text}", answer.status);
            }
            *served.entry(process_of(&text)).or_insert(0) += 1;
            if number >= requests && (enough() || Instant::now() >= deadline) {
                is_over.store(true, Ordering::Relaxed);
            }
        }
        served
    };
    let all = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        let mut all = BTreeMap::new();
        for (pid, count) in clients
            .into_iter()
            .flat_map(|client| client.join().expect("a client whose requests are answered"))
        {
            *all.entry(pid).or_insert(0) += count;
        }
        all
    });
    assert!(enough(), "still not enough: {all:?}");
    all
}

/// Which process has printed this page of `tiny-fcgi`.
#[track_caller]
pub(crate) fn process_of(page: &str) -> u32 {
    let told = page
        .strip_prefix("<title>FastCGI Hello!</title>\n<h1>FastCGI Hello!</h1>\nRequest number ")
        .and_then(|rest| rest.split_once(" running on host <i>shop.example</i> in process "));
    let pid = told.and_then(|(number, rest)| {
        let _: u64 = number.parse().ok()?;
        rest.strip_suffix(".\n")?.parse().ok()
    });
    pid.unwrap_or_else(|| panic!("another page: {page:?}"))
}
