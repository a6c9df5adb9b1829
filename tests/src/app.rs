//! A canned application: it gives every request the same response and keeps what it was sent.
//!
//! For tests of the harness, and to see what a web server puts on the wire. Built with [`hand`]
//! alone.

use std::io::Write;
use std::net::{Ipv4Addr, Shutdown, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::{io, mem};

use crate::address::{Address, Connection};
use crate::hand;

/// An application that listens until it is dropped.
#[derive(Debug)]
pub struct Canned {
    address: Address,
    state: Arc<State>,
    acceptor: Option<JoinHandle<()>>,
}

/// One request as it arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Which connection brought it, counted from 0.
    pub connection: usize,
    /// Its parameters, in order.
    pub params: Vec<hand::Pair>,
    /// Its body.
    pub stdin: Vec<u8>,
    /// The bytes of all its records.
    pub bytes: Vec<u8>,
}

#[derive(Debug)]
struct State {
    stdout: Vec<u8>,
    stopped: AtomicBool,
    connections: Mutex<Vec<Connection>>,
    seen: Mutex<Vec<Seen>>,
}

enum Listener {
    Unix(UnixListener),
    Tcp(TcpListener),
}

impl Listener {
    fn accept(&self) -> io::Result<Connection> {
        match self {
            Self::Unix(listener) => listener.accept()?.0.try_into(),
            Self::Tcp(listener) => listener.accept()?.0.try_into(),
        }
    }
}

impl Canned {
    /// Listens on a unix socket, and answers every request with these bytes on STDOUT.
    ///
    /// # Panics
    ///
    /// If the path cannot be bound.
    #[must_use]
    pub fn unix(path: impl Into<PathBuf>, stdout: impl AsRef<[u8]>) -> Self {
        let path = path.into();
        let listener = UnixListener::bind(&path).expect("a new path for a socket");
        Self::start(
            Listener::Unix(listener),
            Address::Unix(path),
            stdout.as_ref(),
        )
    }

    /// Listens on a free TCP port of the loopback interface; otherwise as [`Canned::unix`].
    ///
    /// # Panics
    ///
    /// If there is none.
    #[must_use]
    pub fn tcp(stdout: impl AsRef<[u8]>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free loopback port");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        Self::start(
            Listener::Tcp(listener),
            Address::Tcp(address),
            stdout.as_ref(),
        )
    }

    fn start(listener: Listener, address: Address, stdout: &[u8]) -> Self {
        let state = Arc::new(State {
            stdout: stdout.to_vec(),
            stopped: AtomicBool::new(false),
            connections: Mutex::default(),
            seen: Mutex::default(),
        });
        let acceptor = thread::spawn({
            let state = Arc::clone(&state);
            move || accept(&listener, &state)
        });
        Self {
            address,
            state,
            acceptor: Some(acceptor),
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The requests that were read to their end, so far.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.state.seen).clone()
    }
}

impl Drop for Canned {
    fn drop(&mut self) {
        self.state.stopped.store(true, Ordering::SeqCst);
        // Wakes the acceptor, which then sees that it is over.
        let woken = self.address.connect();
        if let (Ok(_), Some(acceptor)) = (woken, self.acceptor.take()) {
            let _ = acceptor.join();
        }
    }
}

fn accept(listener: &Listener, state: &Arc<State>) {
    let mut threads = Vec::new();
    while let Ok(connection) = listener.accept() {
        if state.stopped.load(Ordering::SeqCst) {
            break;
        }
        let handle = connection
            .try_clone()
            .expect("a second handle of a connection");
        let number = {
            let mut connections = lock(&state.connections);
            connections.push(handle);
            connections.len() - 1
        };
        let state = Arc::clone(state);
        threads.push(thread::spawn(move || {
            // A web server may leave whenever it likes.
            let _ = serve(connection, number, &state);
        }));
    }
    for connection in lock(&state.connections).drain(..) {
        let _ = connection.shutdown(Shutdown::Both);
    }
    for thread in threads {
        let _ = thread.join();
    }
}

/// Serves one request after the other; multiplexing is not for a canned application.
fn serve(mut connection: Connection, number: usize, state: &State) -> io::Result<()> {
    let mut keep = false;
    let mut params = Vec::new();
    let mut seen = Seen {
        connection: number,
        ..Seen::default()
    };
    while let Some(record) = hand::read_record(&mut connection)? {
        seen.bytes.extend(record.bytes());
        match record.kind {
            hand::BEGIN_REQUEST => keep = record.content.get(2) == Some(&hand::KEEP),
            hand::PARAMS => params.extend(record.content),
            hand::STDIN if !record.content.is_empty() => seen.stdin.extend(record.content),
            hand::STDIN => {
                seen.params = hand::pairs(&mem::take(&mut params));
                let next = Seen {
                    connection: number,
                    ..Seen::default()
                };
                lock(&state.seen).push(mem::replace(&mut seen, next));
                let answer = [
                    hand::stream(hand::STDOUT, record.id, &state.stdout),
                    hand::end_of(hand::STDOUT, record.id),
                    hand::end_request(record.id, 0, hand::REQUEST_COMPLETE),
                ];
                connection.write_all(&answer.concat())?;
                if !keep {
                    return connection.shutdown(Shutdown::Both);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// What another thread left behind in a panic is still worth looking at.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
