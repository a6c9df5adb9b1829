//! An application in this process, and the nginx before it.

use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use fcgi_std::{Handle, Request, Server};
use fcgi_tests::address::Address;
use fcgi_tests::nginx::{Nginx, Setup};
use tempfile::TempDir;

/// How long a step may take before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How nginx reaches the application.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    /// Over a unix socket; over TCP otherwise.
    pub(crate) unix: bool,
    /// With `fastcgi_keep_conn on`.
    pub(crate) kept: bool,
}

/// Makes four tests of each function: `unix_kept::NAME`, `unix::NAME`, `tcp_kept::NAME`,
/// `tcp::NAME`.
macro_rules! four_ways {
    ($($case:ident),* $(,)?) => {
        four_ways! { @ unix_kept, true, true, $($case)* }
        four_ways! { @ unix, true, false, $($case)* }
        four_ways! { @ tcp_kept, false, true, $($case)* }
        four_ways! { @ tcp, false, false, $($case)* }
    };
    (@ $way:ident, $unix:literal, $kept:literal, $($case:ident)*) => {
        mod $way {
            const WAY: crate::site::Way = crate::site::Way { unix: $unix, kept: $kept };
            $(#[test] fn $case() { super::$case(WAY); })*
        }
    };
}
pub(crate) use four_ways;

/// An application that serves until its value is dropped.
///
/// Then it is stopped gracefully, which has to be over at once: drop nginx first. An incident that
/// the test did not ask for fails it.
pub(crate) struct App {
    address: Address,
    kept: bool,
    incidents: Arc<Mutex<Vec<String>>>,
    handle: Handle,
    server: Option<JoinHandle<io::Result<()>>>,
    _directory: TempDir,
}

impl App {
    /// Serves with the default settings.
    pub(crate) fn start<F>(way: Way, handler: F) -> App
    where
        F: Fn(&mut Request) -> io::Result<()> + Send + Sync + 'static,
    {
        App::with(way, |server| server, handler)
    }

    /// Serves with other settings.
    pub(crate) fn with<F>(way: Way, settings: impl FnOnce(Server) -> Server, handler: F) -> App
    where
        F: Fn(&mut Request) -> io::Result<()> + Send + Sync + 'static,
    {
        App::run(way, settings, |server| server.serve(handler))
    }

    /// Serves in whatever way `run` does it.
    pub(crate) fn run<R>(way: Way, settings: impl FnOnce(Server) -> Server, run: R) -> App
    where
        R: FnOnce(Server) -> io::Result<()> + Send + 'static,
    {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.sock");
        let server = match way.unix {
            true => Server::bind(path.to_str().unwrap()),
            false => Server::bind("127.0.0.1:0"),
        };
        let incidents = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&incidents);
        let server = settings(server.unwrap())
            .on_incident(move |incident| seen.lock().unwrap().push(incident.to_string()));
        let address = match &server.addresses().unwrap()[..] {
            [fcgi_std::Address::Unix(path)] => Address::Unix(path.clone()),
            [fcgi_std::Address::Ip(address)] => Address::Tcp(*address),
            other => panic!("bound to {other:?}"),
        };
        App {
            address,
            kept: way.kept,
            incidents,
            handle: server.handle(),
            server: Some(thread::spawn(move || run(server))),
            _directory: directory,
        }
    }

    /// An nginx before it, with up to 16 idle connections if they are kept.
    pub(crate) fn nginx(&self) -> Setup {
        let setup = Nginx::before(self.address.clone());
        if self.kept {
            setup.keep_conn(16)
        } else {
            setup
        }
    }

    /// A handle to stop it with.
    pub(crate) fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Stops it; the incidents of its life.
    pub(crate) fn stop(mut self) -> Vec<String> {
        self.end();
        mem::take(&mut *self.incidents.lock().unwrap())
    }

    /// Asserts that serving ended well and soon.
    fn end(&mut self) {
        let Some(server) = self.server.take() else {
            return;
        };
        let begun = Instant::now();
        self.handle.stop(PATIENCE);
        let served = server.join().expect("serving does not panic");
        served.expect("a graceful stop");
        let took = begun.elapsed();
        assert!(took < PATIENCE / 2, "stopping took {took:?}");
    }
}

impl Drop for App {
    fn drop(&mut self) {
        if thread::panicking() {
            self.handle.stop(Duration::ZERO);
            eprintln!("--- incidents: {:#?}", self.incidents.lock());
            return;
        }
        self.end();
        let incidents = self.incidents.lock().unwrap();
        assert!(incidents.is_empty(), "incidents: {incidents:#?}");
    }
}

/// Answers with a plain text.
pub(crate) fn text(request: &mut Request, text: &str) -> io::Result<()> {
    request.header("Content-Type", "text/plain")?;
    request.stdout.write_all(text.as_bytes())
}
