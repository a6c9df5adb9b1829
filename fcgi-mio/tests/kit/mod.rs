//! A server in a thread of the test, and the web server's end of its connections.

#![allow(dead_code, reason = "each test program uses a part")]

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use fcgi_mio::{
    Chunk, Counters, Handle, Producer, Request, Response, Server, Service, Settings, whole,
};
use fcgi_tests::address::Address;
use fcgi_tests::blocking::WebServer;
use fcgi_tests::hand::{Answer, END_REQUEST, KEEP, REQUEST_COMPLETE, responder};

/// One parameter for requests that do not care.
pub(crate) const GET: &[(&str, &str)] = &[("REQUEST_METHOD", "GET")];

/// A running server; it is stopped when this is dropped.
pub(crate) struct App {
    pub(crate) address: Address,
    pub(crate) handle: Handle,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl App {
    /// On a port of the loopback interface.
    pub(crate) fn tcp<S: Service>(
        settings: Settings,
        make: impl FnOnce() -> S + Send + 'static,
    ) -> App {
        App::listen("127.0.0.1:0", settings, make)
    }

    /// On a unix socket.
    pub(crate) fn unix<S: Service>(
        settings: Settings,
        make: impl FnOnce() -> S + Send + 'static,
    ) -> App {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("fcgi-mio-{}-{count}.sock", std::process::id());
        let path = std::env::temp_dir().join(name);
        App::listen(path.to_str().expect("a path in UTF-8"), settings, make)
    }

    fn listen<S: Service>(
        address: &str,
        settings: Settings,
        make: impl FnOnce() -> S + Send + 'static,
    ) -> App {
        App::reporting(address, settings.on_incident(|_| {}), make)
    }

    /// With incidents as the settings have it.
    pub(crate) fn reporting<S: Service>(
        address: &str,
        settings: Settings,
        make: impl FnOnce() -> S + Send + 'static,
    ) -> App {
        let server = Server::bind(address)
            .expect("an address")
            .settings(settings);
        let address = match &server.addresses().expect("a bound address")[0] {
            fcgi_listen::Address::Ip(ip) => Address::Tcp(*ip),
            fcgi_listen::Address::Unix(path) => Address::Unix(path.clone()),
            other => panic!("{other:?}"),
        };
        let handle = server.handle();
        let thread = std::thread::spawn(move || server.run(make()));
        App {
            address,
            handle,
            thread: Some(thread),
        }
    }

    pub(crate) fn connect(&self) -> WebServer {
        WebServer {
            connection: self.address.connect().expect("the server listens"),
        }
    }

    pub(crate) fn counters(&self) -> Counters {
        self.handle.counters()
    }

    /// Waits until the counters are as said.
    #[track_caller]
    pub(crate) fn wait_until(&self, what: &str, is_so: impl Fn(&Counters) -> bool) {
        let patience = Instant::now() + Duration::from_secs(20);
        while !is_so(&self.counters()) {
            assert!(Instant::now() < patience, "{what}: {:?}", self.counters());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Stops it, and returns what its run returned.
    pub(crate) fn stop(mut self, patience: Duration) -> io::Result<()> {
        self.handle.stop(patience);
        self.thread
            .take()
            .expect("not stopped")
            .join()
            .expect("no panic")
    }
}

/// What a thread has returned, which is about to end by itself.
#[track_caller]
pub(crate) fn end_of_thread<T>(thread: JoinHandle<T>) -> T {
    let patience = Instant::now() + Duration::from_secs(60);
    while !thread.is_finished() {
        assert!(Instant::now() < patience, "it goes on");
        std::thread::sleep(Duration::from_millis(2));
    }
    thread.join().expect("no panic")
}

impl Drop for App {
    fn drop(&mut self) {
        self.handle.stop(Duration::ZERO);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Answers `[QUERY_STRING]` and the body.
pub(crate) fn echo(request: &Request<'_>, response: &mut Response<'_>) -> io::Result<()> {
    response.header("Content-Type", "text/plain")?;
    response.write("[")?;
    response.write(request.param("QUERY_STRING").unwrap_or(b""))?;
    response.write("]")?;
    response.write(request.data())?;
    response.write(request.body())
}

/// On each kind of socket in turn.
pub(crate) fn everywhere(
    settings: impl Fn(Settings) -> Settings,
    handler: fn(&Request<'_>, &mut Response<'_>) -> io::Result<()>,
    case: impl Fn(&App, &mut WebServer),
) {
    for app in [
        App::tcp(settings(Settings::new()), move || whole(handler)),
        App::unix(settings(Settings::new()), move || whole(handler)),
    ] {
        let mut other = app.connect();
        lives(&mut other);
        case(&app, &mut app.connect());
        lives(&mut other);
        lives(&mut app.connect());
    }
}

/// A kept connection on which requests are served by [`echo`].
#[track_caller]
pub(crate) fn lives(peer: &mut WebServer) {
    let answer = peer.ask(9, responder(9, KEEP, &[("QUERY_STRING", "lives")], b""));
    assert_eq!(answer.body(), b"[lives]");
    assert_eq!(answer.end, Some((0, REQUEST_COMPLETE)));
}

/// A response that needs no handler: its status, and how the request ended.
#[track_caller]
pub(crate) fn is_page(answer: &Answer, status: &str, app_status: u32) {
    let head = answer.head();
    assert!(head.starts_with(&format!("Status: {status} ")), "{head}");
    assert!(answer.body().starts_with(status.as_bytes()));
    assert!(answer.stdout_ended);
    assert_eq!(answer.end, Some((app_status, REQUEST_COMPLETE)));
}

/// END_REQUEST and nothing else.
#[track_caller]
pub(crate) fn is_bare(answer: &Answer, protocol_status: u8) {
    assert_eq!(answer.order, [END_REQUEST], "{answer:?}");
    assert_eq!(answer.end, Some((0, protocol_status)));
}

/// So many bytes, as many at a time as are taken.
pub(crate) struct Lots(pub(crate) usize);

impl Producer for Lots {
    fn produce(&mut self, chunk: &mut Chunk<'_>) -> io::Result<bool> {
        let piece = [b'p'; 32 * 1024];
        self.0 -= chunk.write(&piece[..self.0.min(piece.len())]);
        Ok(self.0 > 0)
    }
}
