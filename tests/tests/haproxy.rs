//! The event loop behind a real HAProxy, which asks for FCGI_MPXS_CONNS and then multiplexes.

use std::collections::VecDeque;
use std::io;
use std::sync::LazyLock;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use fcgi_mio::{
    Abort, Counters, Deferred, Handle, Plan, REQUESTS, Request, Response, Server, Service,
    Settings, Task,
};
use fcgi_tests::address::Address;
use fcgi_tests::haproxy::Haproxy;
use fcgi_tests::http::{self, Client};
use fcgi_tests::pattern;
use tempfile::TempDir;

const MIB: usize = 1 << 20;

/// A large body.
static LARGE: LazyLock<Vec<u8>> = LazyLock::new(|| pattern::bytes(4 * MIB));

/// How long a step may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// An application, and the HAProxy before it.
struct Site {
    haproxy: Haproxy,
    handle: Handle,
    /// Requests whose query is "wait", and their bodies.
    waiting: Receiver<(Vec<u8>, Deferred)>,
    /// What becomes of requests whose query is "upload".
    uploads: Receiver<String>,
    server: Option<JoinHandle<io::Result<()>>>,
    _directory: TempDir,
}

impl Site {
    /// Over a unix socket, or over TCP.
    fn start(unix: bool, settings: Settings) -> Site {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.sock");
        let bind = match unix {
            true => path.to_str().unwrap(),
            false => "127.0.0.1:0",
        };
        let server = Server::bind(bind).unwrap().settings(settings);
        let address = match server.addresses().unwrap().remove(0) {
            fcgi_listen::Address::Unix(path) => Address::Unix(path),
            fcgi_listen::Address::Ip(address) => Address::Tcp(address),
            other => panic!("bound to {other:?}"),
        };
        let handle = server.handle();
        let (tell, waiting) = channel();
        let (told, uploads) = channel();
        let application = Application { tell, told };
        let server = thread::spawn(move || server.run(application));
        Site {
            haproxy: Haproxy::start(&address),
            handle,
            waiting,
            uploads,
            server: Some(server),
            _directory: directory,
        }
    }

    fn client(&self) -> Client {
        Client::connect(self.haproxy.address())
    }

    /// The next request that waits.
    fn next(&self) -> (Vec<u8>, Deferred) {
        self.waiting
            .recv_timeout(PATIENCE)
            .expect("the request reaches the application")
    }

    #[track_caller]
    fn wait_until(&self, what: &str, is_so: impl Fn(&Counters) -> bool) {
        let begun = Instant::now();
        while !is_so(&self.handle.counters()) {
            let counters = self.handle.counters();
            assert!(begun.elapsed() < PATIENCE, "{what}: {counters:?}");
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.handle.stop(Duration::ZERO);
        let served = self.server.take().map(JoinHandle::join);
        if thread::panicking() {
            eprintln!("{:?}\n{}", self.handle.counters(), self.haproxy.log());
        } else {
            assert!(matches!(served, Some(Ok(_))), "serving does not panic");
        }
    }
}

struct Application {
    tell: Sender<(Vec<u8>, Deferred)>,
    told: Sender<String>,
}

impl Service for Application {
    type Task = Upload;

    fn begin(&mut self, request: &Request<'_>) -> Plan<Upload> {
        match request.param("QUERY_STRING") {
            Some(b"upload") => Plan::Stream(Upload(0, self.told.clone())),
            _ => Plan::Whole,
        }
    }

    fn whole(&mut self, request: &Request<'_>, response: &mut Response<'_>) -> io::Result<()> {
        match request.param("QUERY_STRING").unwrap_or_default() {
            b"wait" => {
                let waits = (request.body().to_vec(), response.defer()?);
                self.tell.send(waits).expect("the test still runs");
                Ok(())
            }
            b"missing" => {
                response.status(404)?;
                response.header("Content-Type", "text/plain")?;
                response.write("nothing here")
            }
            b"large" => response.body(&LARGE[..]),
            _ => {
                response.header("Content-Type", "text/plain")?;
                if request.param("REQUEST_METHOD") == Some(b"POST") {
                    return response.body(request.body().to_vec());
                }
                response.write(request.param("SCRIPT_NAME").unwrap_or_default())?;
                response.write(" ")?;
                response.write(request.param("PATH_INFO").unwrap_or_default())
            }
        }
    }
}

/// Tells when 50,000 bytes have come, and how it is aborted.
struct Upload(usize, Sender<String>);

impl Task for Upload {
    fn input(&mut self, bytes: &[u8], _: &mut Response<'_>) -> io::Result<()> {
        let before = self.0;
        self.0 += bytes.len();
        if before < 50_000 && self.0 >= 50_000 {
            self.1.send("much".to_owned()).expect("the test still runs");
        }
        Ok(())
    }

    fn input_end(&mut self, _: &mut Response<'_>) -> io::Result<()> {
        Err(io::Error::other("the client has sent it all"))
    }

    fn abort(&mut self, why: Abort) {
        self.1
            .send(format!("{why:?}"))
            .expect("the test still runs");
    }
}

/// Over either kind of socket.
fn both(test: impl Fn(&Site)) {
    for unix in [true, false] {
        let settings = Settings::new().max_body(2 * MIB).on_incident(|_| {});
        test(&Site::start(unix, settings));
    }
}

/// So many clients send requests that wait; all are answered when the last of them has arrived.
fn meet(site: &Site, count: usize) {
    let address = site.haproxy.address();
    thread::scope(|scope| {
        for number in 0..count {
            scope.spawn(move || {
                let body = format!("client {number}");
                let request = http::Request::post("/a.fcgi?wait", &body);
                let page = Client::connect(address).call(&request);
                assert_eq!((page.status, page.text()), (200, body));
            });
        }
        let all: Vec<_> = (0..count).map(|_| site.next()).collect();
        for (body, deferred) in all {
            deferred.complete(body).unwrap();
        }
    });
}

#[test]
fn pages_posts_and_heads() {
    both(|site| {
        let mut client = site.client();
        for length in [0, 1, 1000, 100_000, MIB] {
            let body = pattern::bytes(length);
            let page = client.call(&http::Request::post("/a.fcgi", &body));
            assert_eq!((page.status, page.body == body), (200, true), "{length}");
            let kind = page.field("Content-Type");
            assert_eq!(kind.as_deref(), Some("text/plain"));
        }
        let page = client.call(&http::Request::get("/a.fcgi/b"));
        assert_eq!((page.status, &*page.text()), (200, "/a.fcgi /b"));
        let head = client.call(&http::Request::head("/a.fcgi"));
        assert_eq!((head.status, head.body.len()), (200, 0));
        let missing = client.call(&http::Request::get("/a.fcgi?missing"));
        assert_eq!((missing.status, &*missing.text()), (404, "nothing here"));
        let large = client.call(&http::Request::get("/a.fcgi?large"));
        assert_eq!(large.status, 200);
        assert!(large.body == *LARGE);
        let counters = site.handle.counters();
        assert_eq!((counters.accepted, counters.failed), (1, 0), "{counters:?}");
    });
}

#[test]
fn dozens_of_requests_share_one_connection() {
    both(|site| {
        // The question for the values comes before it, so that the rest knows the answer.
        assert_eq!(site.client().call(&http::Request::get("/")).status, 200);
        for _ in 0..4 {
            meet(site, REQUESTS);
        }
        let counters = site.handle.counters();
        assert_eq!((counters.ended, counters.refused), (65, 0), "{counters:?}");
        // A place that has just become free may not be known as such yet; then there are two.
        assert!(counters.accepted <= 2, "{counters:?}");
        assert!(counters.multiplexed >= 50, "{counters:?}");
    });
}

/// Here it is HAProxy that decides how many connections there are: it gives some of them requests
/// before it knows how many they take, and those wait for others to end.
#[test]
fn a_hundred_at_once_share_a_few_connections() {
    both(|site| {
        let address = site.haproxy.address();
        thread::scope(|scope| {
            for number in 0..100 {
                scope.spawn(move || {
                    let body = format!("client {number}");
                    let request = http::Request::post("/a.fcgi?wait", &body);
                    let page = Client::connect(address).call(&request);
                    assert_eq!((page.status, page.text()), (200, body));
                });
            }
            let begun = Instant::now();
            let mut held = VecDeque::new();
            let mut completed = 0;
            while completed < 100 && begun.elapsed() < PATIENCE {
                let next = site.waiting.recv_timeout(Duration::from_millis(100));
                let nothing = next.is_err();
                held.extend(next.ok());
                // The oldest when there are many, and all when nothing else comes.
                let kept = if nothing { 0 } else { 50 };
                while held.len() > kept {
                    completed += usize::from(held.pop_front().is_some_and(complete));
                }
            }
        });
        let counters = site.handle.counters();
        assert_eq!((counters.ended, counters.refused), (100, 0), "{counters:?}");
        assert!(counters.multiplexed >= 25, "{counters:?}");
    });
}

fn complete((body, deferred): (Vec<u8>, Deferred)) -> bool {
    deferred.complete(body).is_ok()
}

/// An application that takes one request at a time says so, and is heeded.
#[test]
fn without_multiplexing_there_is_none() {
    let settings = Settings::new().multiplex(1).on_incident(|_| {});
    let site = Site::start(true, settings);
    let address = site.haproxy.address();
    thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(move || {
                for _ in 0..5 {
                    let page = Client::connect(address).call(&http::Request::get("/a.fcgi"));
                    assert_eq!((page.status, &*page.text()), (200, "/a.fcgi "));
                }
            });
        }
    });
    let counters = site.handle.counters();
    assert_eq!((counters.ended, counters.refused), (100, 0), "{counters:?}");
    assert_eq!(counters.multiplexed, 0, "{counters:?}");
}

#[test]
fn large_answers_share_a_connection() {
    both(|site| {
        assert_eq!(site.client().call(&http::Request::get("/")).status, 200);
        let address = site.haproxy.address();
        thread::scope(|scope| {
            for _ in 0..12 {
                scope.spawn(move || {
                    let large = http::Request::get("/a.fcgi?large");
                    let page = Client::connect(address).call(&large);
                    assert!(page.body == *LARGE);
                });
            }
        });
        let counters = site.handle.counters();
        assert_eq!(counters.ended, 13, "{counters:?}");
        assert!(counters.multiplexed > 0, "{counters:?}");
    });
}

/// HAProxy aborts the request (§5.4) and keeps the connection, with whoever else is served on it.
#[test]
fn an_abort_reaches_its_request_alone() {
    both(|site| {
        assert_eq!(site.client().call(&http::Request::get("/")).status, 200);
        let mut stays = site.client();
        let wait = http::Request::get("/a.fcgi?wait");
        stays.send(&wait.head_bytes()).unwrap();
        let (_, kept) = site.next();
        let upload =
            http::Request::new("POST", "/a.fcgi?upload").header("Content-Length", "200000");
        for round in 1..=3 {
            let mut leaves = site.client();
            leaves.send(&upload.head_bytes()).unwrap();
            leaves.send(&[b'x'; 100_000]).unwrap();
            let told = || site.uploads.recv_timeout(PATIENCE);
            assert_eq!(told().as_deref(), Ok("much"));
            leaves.reset().unwrap();
            assert_eq!(told().as_deref(), Ok("Requested"));
            site.wait_until("an abort", |counters| counters.aborted == round);
        }
        assert!(!kept.is_gone());
        kept.complete("still here").unwrap();
        let mut body = Vec::new();
        stays.receive(false, &mut body).unwrap();
        assert_eq!(body, b"still here");
        let counters = site.handle.counters();
        assert_eq!((counters.accepted, counters.closed), (1, 0), "{counters:?}");
    });
}
