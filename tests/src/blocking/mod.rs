//! Servers of `fcgi-std` in threads of the test, and the web server's end of their connections.
//!
//! Every wait has an end: what does not happen within ten seconds fails the test.

mod web_server;

pub use web_server::WebServer;

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use fcgi_std::{Handle, Incident, Request, Requests, Server};
use tempfile::TempDir;

use crate::address::Address;

/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The kind of socket to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Socket {
    /// In a temporary directory.
    Unix,
    /// On the loopback interface.
    Tcp,
}

/// Workers at least and at most, one pair for each way the server works: one thread, a fixed pool,
/// and one that grows.
pub const WORKERS: [(usize, usize); 3] = [(1, 1), (2, 2), (1, 4)];

/// A listening server that is not running yet; its incidents are kept.
pub struct Prepared {
    /// The server, to set its rules.
    pub server: Server,
    address: Address,
    incidents: Arc<Mutex<Vec<String>>>,
    directory: Option<TempDir>,
}

/// Opens a listener on a free address.
///
/// # Panics
///
/// If there is none.
#[must_use]
pub fn prepare(socket: Socket) -> Prepared {
    let (bind, directory) = match socket {
        Socket::Tcp => ("127.0.0.1:0".to_owned(), None),
        Socket::Unix => {
            let directory = TempDir::new().expect("a temporary directory");
            let path = directory.path().join("app.sock").display().to_string();
            (path, Some(directory))
        }
    };
    let incidents = Arc::<Mutex<Vec<String>>>::default();
    let kept = Arc::clone(&incidents);
    let server =
        Server::bind(&bind)
            .expect("a free address")
            .on_incident(move |incident: &Incident| {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.push(incident.to_string());
            });
    let address = match server.addresses().expect("a bound socket has an address")[..] {
        [fcgi_std::Address::Ip(address)] => Address::Tcp(address),
        _ => Address::Unix(bind.into()),
    };
    Prepared {
        server,
        address,
        incidents,
        directory,
    }
}

impl Prepared {
    /// Changes the rules.
    #[must_use]
    pub fn rules(mut self, rules: impl FnOnce(Server) -> Server) -> Self {
        self.server = rules(self.server);
        self
    }

    /// Runs the server in a thread.
    #[must_use]
    pub fn serve<F>(self, handler: F) -> App
    where
        F: Fn(&mut Request) -> io::Result<()> + Send + Sync + 'static,
    {
        let handle = self.server.handle();
        let (sender, result) = channel();
        let server = self.server;
        thread::spawn(move || sender.send(server.serve(handler)));
        App {
            address: self.address,
            handle,
            incidents: self.incidents,
            result: Mutex::new(result),
            over: false,
            _directory: self.directory,
        }
    }

    /// Gives the requests to `run`, which gets a thread of its own.
    ///
    /// # Panics
    ///
    /// If the server cannot start.
    #[must_use]
    pub fn requests<F>(self, run: F) -> App
    where
        F: FnOnce(Requests) -> io::Result<()> + Send + 'static,
    {
        let handle = self.server.handle();
        let (sender, result) = channel();
        let requests = self.server.requests().expect("a server can start");
        thread::spawn(move || sender.send(run(requests)));
        App {
            address: self.address,
            handle,
            incidents: self.incidents,
            result: Mutex::new(result),
            over: false,
            _directory: self.directory,
        }
    }
}

/// Runs a server on a unix socket.
#[must_use]
pub fn unix<F>(rules: impl FnOnce(Server) -> Server, handler: F) -> App
where
    F: Fn(&mut Request) -> io::Result<()> + Send + Sync + 'static,
{
    prepare(Socket::Unix).rules(rules).serve(handler)
}

/// Runs a server on TCP.
#[must_use]
pub fn tcp<F>(rules: impl FnOnce(Server) -> Server, handler: F) -> App
where
    F: Fn(&mut Request) -> io::Result<()> + Send + Sync + 'static,
{
    prepare(Socket::Tcp).rules(rules).serve(handler)
}

/// A running server; it is stopped without patience when it is dropped.
pub struct App {
    address: Address,
    handle: Handle,
    incidents: Arc<Mutex<Vec<String>>>,
    result: Mutex<Receiver<io::Result<()>>>,
    over: bool,
    _directory: Option<TempDir>,
}

impl App {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// What stops it.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// A new connection to it.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    #[must_use]
    #[track_caller]
    pub fn connect(&self) -> WebServer {
        let connection = self.address.connect().expect("the server listens");
        connection
            .set_read_patience(PATIENCE)
            .expect("a socket has timeouts");
        WebServer { connection }
    }

    /// The incidents so far.
    #[must_use]
    pub fn incidents(&self) -> Vec<String> {
        let incidents = self.incidents.lock();
        incidents.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for an incident with this text in it.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[track_caller]
    pub fn wait_for_incident(&self, text: &str) {
        eventually(
            || self.incidents().iter().any(|line| line.contains(text)),
            || format!("no incident says {text:?}: {:?}", self.incidents()),
        );
    }

    /// Waits for the end of the server's call.
    ///
    /// # Errors
    ///
    /// What the call returned.
    ///
    /// # Panics
    ///
    /// If it does not return, or panicked.
    #[track_caller]
    pub fn join(mut self) -> io::Result<()> {
        self.over = true;
        match self.ended() {
            Ok(result) => result,
            Err(RecvTimeoutError::Timeout) => panic!("the server does not stop"),
            Err(RecvTimeoutError::Disconnected) => panic!("the server panicked"),
        }
    }

    fn ended(&self) -> Result<io::Result<()>, RecvTimeoutError> {
        let result = self.result.lock().unwrap_or_else(PoisonError::into_inner);
        result.recv_timeout(PATIENCE)
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.handle.stop(Duration::ZERO);
        if !self.over && !thread::panicking() {
            let ended = self.ended();
            assert!(ended.is_ok(), "the server does not stop: {ended:?}");
        }
    }
}

/// A gate that handlers wait at until the test opens it.
#[derive(Clone)]
pub struct Gate {
    arrived: Sender<()>,
    arrivals: Arc<Mutex<Receiver<()>>>,
    open: Arc<(Mutex<usize>, Condvar)>,
}

impl Default for Gate {
    fn default() -> Self {
        let (arrived, arrivals) = channel();
        Self {
            arrived,
            arrivals: Arc::new(Mutex::new(arrivals)),
            open: Arc::default(),
        }
    }
}

impl Gate {
    /// For the handler: says that it is there, and waits to be let through, for a while.
    pub fn pass(&self) {
        let _ = self.arrived.send(());
        let (open, changed) = &*self.open;
        let open = open.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = changed.wait_timeout_while(open, PATIENCE, |open| *open == 0);
        let (mut open, late) = waited.unwrap_or_else(PoisonError::into_inner);
        if !late.timed_out() {
            *open -= 1;
        }
    }

    /// For the test: waits until one more handler is at the gate.
    ///
    /// # Panics
    ///
    /// If none comes.
    #[track_caller]
    pub fn wait_for_one(&self) {
        let arrivals = self.arrivals.lock();
        let arrivals = arrivals.unwrap_or_else(PoisonError::into_inner);
        let arrived = arrivals.recv_timeout(PATIENCE);
        assert!(arrived.is_ok(), "no handler arrives");
    }

    /// For the test: lets so many handlers through.
    pub fn let_through(&self, count: usize) {
        let (open, changed) = &*self.open;
        *open.lock().unwrap_or_else(PoisonError::into_inner) += count;
        changed.notify_all();
    }
}

/// Looks again and again whether something has happened.
///
/// # Panics
///
/// If it has not within [`PATIENCE`].
#[track_caller]
pub fn eventually(mut happened: impl FnMut() -> bool, otherwise: impl FnOnce() -> String) {
    let deadline = Instant::now() + PATIENCE;
    while !happened() {
        assert!(Instant::now() < deadline, "{}", otherwise());
        thread::sleep(Duration::from_millis(2));
    }
}
