//! An application in this process, and the nginx before it.

use std::io;
use std::mem;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use fcgi_core::params::Params;
use fcgi_listen::Address as Bound;
use fcgi_std::Request;
use fcgi_tests::address::Address;
use fcgi_tests::nginx::{Nginx, Setup};
use tempfile::TempDir;

use crate::exchange::{Exchange, Upload, Uploads, Whole, take};

/// How long a step may take before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What serves the application.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Frontend {
    /// Worker threads: `fcgi-std`.
    Std,
    /// An event loop: `fcgi-mio`.
    Mio,
}

/// How nginx reaches the application.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    pub(crate) frontend: Frontend,
    /// Over a unix socket; over TCP otherwise.
    pub(crate) unix: bool,
    /// With `fastcgi_keep_conn on`.
    pub(crate) kept: bool,
}

/// Makes four tests of each function that serves with `fcgi-std`: `unix_kept::NAME`,
/// `unix::NAME`, `tcp_kept::NAME`, `tcp::NAME`.
macro_rules! four_ways {
    ($($case:ident),* $(,)?) => { crate::site::four_ways! { @ Std, $($case)* } };
    (@ $frontend:ident, $($case:ident)*) => {
        crate::site::four_ways! { @ $frontend, unix_kept, true, true, $($case)* }
        crate::site::four_ways! { @ $frontend, unix, true, false, $($case)* }
        crate::site::four_ways! { @ $frontend, tcp_kept, false, true, $($case)* }
        crate::site::four_ways! { @ $frontend, tcp, false, false, $($case)* }
    };
    (@ $frontend:ident, $way:ident, $unix:literal, $kept:literal, $($case:ident)*) => {
        mod $way {
            const WAY: crate::site::Way = crate::site::Way {
                frontend: crate::site::Frontend::$frontend,
                unix: $unix,
                kept: $kept,
            };
            $(#[test] fn $case() { super::$case(WAY); })*
        }
    };
}
pub(crate) use four_ways;

/// Makes eight tests of each function: `threads::` and `event_loop::` before the four.
macro_rules! eight_ways {
    ($($case:ident),* $(,)?) => {
        mod threads {
            use super::{$($case),*};
            crate::site::four_ways! { @ Std, $($case)* }
        }
        mod event_loop {
            use super::{$($case),*};
            crate::site::four_ways! { @ Mio, $($case)* }
        }
    };
}
pub(crate) use eight_ways;

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

/// What both frontends can be told; their defaults unless set.
#[derive(Clone, Copy, Default)]
pub(crate) struct Rules {
    /// Whole bodies of up to this length, and no longer ones.
    pub(crate) body: Option<usize>,
    /// The most parameters, in bytes and pairs.
    pub(crate) params: Option<(usize, usize)>,
    /// The most requests at the same time.
    pub(crate) requests: Option<usize>,
    /// Whether refusals are pages.
    pub(crate) readable: Option<bool>,
    /// For `fcgi-std`: how many threads at least and at most.
    pub(crate) workers: Option<(usize, usize)>,
}

/// Stops an application.
#[derive(Clone)]
pub(crate) enum Handle {
    Std(fcgi_std::Handle),
    Mio(fcgi_mio::Handle),
}

impl Handle {
    pub(crate) fn stop(&self, patience: Duration) {
        match self {
            Handle::Std(handle) => handle.stop(patience),
            Handle::Mio(handle) => handle.stop(patience),
        }
    }
}

impl App {
    /// Serves with the default settings.
    pub(crate) fn start<F>(way: Way, handler: F) -> App
    where
        F: Fn(&mut dyn Exchange) -> io::Result<()> + Send + Sync + 'static,
    {
        App::with(way, Rules::default(), handler)
    }

    /// Serves with other settings.
    pub(crate) fn with<F>(way: Way, rules: Rules, handler: F) -> App
    where
        F: Fn(&mut dyn Exchange) -> io::Result<()> + Send + Sync + 'static,
    {
        match way.frontend {
            Frontend::Std => App::threads(way, rules.of_threads(), |server| {
                server.serve(move |request| handler(request))
            }),
            Frontend::Mio => App::event_loop(way, rules, |server| {
                server.serve(move |request, response| handler(&mut Whole { request, response }))
            }),
        }
    }

    /// Takes uploads as they come.
    pub(crate) fn uploads<U: Upload>(
        way: Way,
        make: impl Fn(Params<'_>) -> U + Send + Sync + 'static,
    ) -> App {
        match way.frontend {
            Frontend::Std => App::threads(
                way,
                |server| server,
                |server| {
                    server.serve(move |request: &mut Request| {
                        let upload = make(request.params.view());
                        take(request, upload)
                    })
                },
            ),
            Frontend::Mio => {
                App::event_loop(way, Rules::default(), |server| server.run(Uploads(make)))
            }
        }
    }

    /// Serves with `fcgi-std`, in whatever way `run` does it.
    pub(crate) fn threads<R>(
        way: Way,
        settings: impl FnOnce(fcgi_std::Server) -> fcgi_std::Server,
        run: R,
    ) -> App
    where
        R: FnOnce(fcgi_std::Server) -> io::Result<()> + Send + 'static,
    {
        let place = Place::new(way);
        let server = fcgi_std::Server::bind(&place.bind).unwrap();
        let addresses = server.addresses().unwrap();
        let report = place.report();
        let server = settings(server).on_incident(move |incident| report(incident.to_string()));
        let handle = Handle::Std(server.handle());
        place.run(&addresses, handle, move || run(server))
    }

    fn event_loop<R>(way: Way, rules: Rules, run: R) -> App
    where
        R: FnOnce(fcgi_mio::Server) -> io::Result<()> + Send + 'static,
    {
        let place = Place::new(way);
        let server = fcgi_mio::Server::bind(&place.bind).unwrap();
        let addresses = server.addresses().unwrap();
        let report = place.report();
        let settings = rules
            .of_event_loop()
            .on_incident(move |incident| report(incident.to_string()));
        let server = server.settings(settings);
        let handle = Handle::Mio(server.handle());
        place.run(&addresses, handle, move || run(server))
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

impl Rules {
    fn of_threads(self) -> impl FnOnce(fcgi_std::Server) -> fcgi_std::Server {
        move |mut server| {
            if let Some(most) = self.body {
                server = server.buffer_body(most).max_body(most as u64);
            }
            if let Some((bytes, pairs)) = self.params {
                server = server.params_limits(bytes, pairs);
            }
            if let Some(most) = self.requests {
                server = server.max_requests(most);
            }
            if let Some((least, most)) = self.workers {
                server = server.workers(least, most);
            }
            server.readable_refusals(self.readable.unwrap_or(true))
        }
    }

    fn of_event_loop(self) -> fcgi_mio::Settings {
        let mut settings = fcgi_mio::Settings::new();
        if let Some(most) = self.body {
            settings = settings.max_body(most);
        }
        if let Some((bytes, pairs)) = self.params {
            settings = settings.params_limits(bytes, pairs);
        }
        if let Some(most) = self.requests {
            settings = settings.max_requests(most);
        }
        settings.readable_refusals(self.readable.unwrap_or(true))
    }
}

/// Where an application is going to listen, and what it will report.
struct Place {
    bind: String,
    kept: bool,
    incidents: Arc<Mutex<Vec<String>>>,
    directory: TempDir,
}

impl Place {
    fn new(way: Way) -> Place {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.sock");
        let bind = match way.unix {
            true => path.to_str().unwrap(),
            false => "127.0.0.1:0",
        };
        Place {
            bind: bind.to_owned(),
            kept: way.kept,
            incidents: Arc::default(),
            directory,
        }
    }

    fn report(&self) -> impl Fn(String) + Send + Sync + 'static {
        let incidents = Arc::clone(&self.incidents);
        move |incident| incidents.lock().unwrap().push(incident)
    }

    fn run(
        self,
        addresses: &[Bound],
        handle: Handle,
        run: impl FnOnce() -> io::Result<()> + Send + 'static,
    ) -> App {
        let address = match addresses {
            [Bound::Unix(path)] => Address::Unix(path.clone()),
            [Bound::Ip(address)] => Address::Tcp(*address),
            other => panic!("bound to {other:?}"),
        };
        App {
            address,
            kept: self.kept,
            incidents: self.incidents,
            handle,
            server: Some(thread::spawn(run)),
            _directory: self.directory,
        }
    }
}
