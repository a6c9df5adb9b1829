//! Applications by hand: a thread that accepts, and reads and writes records.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use fcgi_listen::{Address, Stream};
use fcgi_tests::address::Connection;
use fcgi_tests::hand::*;

/// A listening application in a thread; `finish` says what its script returned.
pub(crate) struct Peer<T> {
    pub(crate) address: Address,
    thread: JoinHandle<T>,
}

pub(crate) enum Door {
    Unix(UnixListener),
    Tcp(TcpListener),
}

impl Door {
    pub(crate) fn accept(&self) -> Line {
        let connection = match self {
            Door::Unix(listener) => listener.accept().unwrap().0.try_into(),
            Door::Tcp(listener) => listener.accept().unwrap().0.try_into(),
        };
        Line(connection.unwrap())
    }
}

/// One connection, as the application sees it.
pub(crate) struct Line(pub(crate) Connection);

impl Line {
    pub(crate) fn record(&mut self) -> Record {
        read_record(&mut self.0).unwrap().expect("a record")
    }

    /// Reads a request up to its last record: the end of STDIN, or ABORT_REQUEST.
    pub(crate) fn request(&mut self) -> Vec<Record> {
        let mut records = Vec::new();
        loop {
            let record = self.record();
            let is_end = record.kind == STDIN && record.content.is_empty();
            let is_last = is_end || record.kind == ABORT_REQUEST;
            records.push(record);
            if is_last {
                return records;
            }
        }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).unwrap();
    }

    /// Reads a request with id 1 and answers it with this body.
    pub(crate) fn serve(&mut self, body: &str) -> Vec<Record> {
        let request = self.request();
        self.send(page(request[0].id, body));
        request
    }

    /// Whether the web server has closed it, and sends nothing before.
    pub(crate) fn is_closed(&mut self) -> bool {
        // A reset is an end too.
        !matches!(self.0.read(&mut [0]), Ok(1))
    }
}

/// A whole answer.
pub(crate) fn page(id: u16, body: &str) -> Vec<u8> {
    let text = format!("Content-Type: text/plain\r\n\r\n{body}");
    [
        stream(STDOUT, id, text.as_bytes()),
        end_of(STDOUT, id),
        end_request(id, 0, REQUEST_COMPLETE),
    ]
    .concat()
}

pub(crate) fn unix_path() -> std::path::PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("fcgi-mio-out-{}-{count}.sock", std::process::id());
    std::env::temp_dir().join(name)
}

/// A unix socket whose backlog takes next to nothing.
pub(crate) fn narrow_door() -> (Door, Address) {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};
    let path = unix_path();
    let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&socket, &SocketAddrUnix::new(&path).unwrap()).unwrap();
    rustix::net::listen(&socket, 0).unwrap();
    (Door::Unix(socket.into()), Address::Unix(path))
}

/// Takes the path of a unix socket away.
pub(crate) fn remove(address: &Address) {
    if let Address::Unix(path) = address {
        std::fs::remove_file(path).unwrap();
    }
}

/// Connects until the backlog takes no more.
pub(crate) fn fill_backlog(address: &Address) -> Vec<Stream> {
    let dial = || Stream::dial(address).unwrap().next().unwrap();
    std::iter::from_fn(|| dial().ok()).collect()
}

impl<T: Send + 'static> Peer<T> {
    pub(crate) fn unix(script: impl FnOnce(&Door) -> T + Send + 'static) -> Peer<T> {
        let path = unix_path();
        let door = Door::Unix(UnixListener::bind(&path).unwrap());
        let address = Address::Unix(path.clone());
        let thread = std::thread::spawn(move || {
            let result = script(&door);
            let _ = std::fs::remove_file(path);
            result
        });
        Peer { address, thread }
    }

    pub(crate) fn tcp(script: impl FnOnce(&Door) -> T + Send + 'static) -> Peer<T> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = Address::Ip(listener.local_addr().unwrap());
        let door = Door::Tcp(listener);
        let thread = std::thread::spawn(move || script(&door));
        Peer { address, thread }
    }

    /// Waits for the end of the script.
    #[track_caller]
    pub(crate) fn finish(self) -> T {
        self.thread.join().expect("the application's script")
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }
}
