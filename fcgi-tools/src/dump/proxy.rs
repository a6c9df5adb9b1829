//! The proxy between web server and application.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::Shutdown;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use fcgi_listen::{AcceptAction, Address, Backoff, Listener, Peer, Stream};

use super::connection::{Connection, Counts, Direction};
use super::faults::Judge;
use super::output::Output;
use super::save::Directory;
use super::style::Style;

/// How often is looked whether to stop.
const TICK: Duration = Duration::from_millis(100);

/// How long the application may take to be connected to.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where a [`Proxy`] stands, and what it prints.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the web server connects to.
    pub listen: Address,
    /// Where the application listens.
    pub connect: Address,
    /// How records are printed.
    pub style: Style,
    /// An empty or new directory for `00001-web-server.fcgi` and `00001-application.fcgi`: the
    /// bytes that each side of connection 1 has sent, for [`read`](super::read); and so on for the
    /// others. Nothing is saved unless set.
    pub save: Option<PathBuf>,
}

impl Options {
    /// A proxy with the usual [`Style`] that saves nothing.
    #[must_use]
    pub fn new(listen: Address, connect: Address) -> Options {
        Options {
            listen,
            connect,
            style: Style::new(),
            save: None,
        }
    }
}

/// A listening proxy, with two threads for each connection.
///
/// ```no_run
/// use fcgi_tools::dump::{Options, Proxy};
/// use std::sync::atomic::AtomicBool;
///
/// static STOP: AtomicBool = AtomicBool::new(false); // set by a handler of signals
///
/// let options = Options::new("127.0.0.1:9001".parse()?, "127.0.0.1:9000".parse()?);
/// let summary = Proxy::bind(options)?.run(std::io::stdout(), &STOP)?;
/// eprintln!("{} connections, {} records", summary.connections, summary.records);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Bytes are passed on as they come; printing never makes them wait. Up to 16 MiB of lines wait
/// for a slow terminal, further ones are left out and counted. Half-closed connections stay so: an
/// end of one direction is passed on, and the other one goes on.
#[derive(Debug)]
pub struct Proxy {
    listener: Listener,
    connect: Address,
    style: Style,
    save: Option<Directory>,
}

/// What has passed a [`Proxy`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Summary {
    /// Connections of the web server.
    pub connections: u64,
    /// Whole records, both ways.
    pub records: u64,
    /// Bytes, both ways.
    pub bytes: u64,
    /// How often one of the two broke the protocol.
    pub faults: u64,
}

impl Proxy {
    /// Opens the socket that the web server connects to.
    ///
    /// # Errors
    ///
    /// Those of [`Listener::bind`]; the directory for the files cannot be made or is not empty.
    pub fn bind(options: Options) -> io::Result<Proxy> {
        let save = options.save.as_deref().map(Directory::open).transpose()?;
        let listener = Listener::bind(&options.listen, &fcgi_listen::Options::new())?;
        listener.set_nonblocking(true)?;
        Ok(Proxy {
            listener,
            connect: options.connect,
            style: options.style,
            save,
        })
    }

    /// Where the web server connects to, with the port that the system chose for port 0.
    ///
    /// # Errors
    ///
    /// Those of [`Listener::local_address`].
    pub fn local_address(&self) -> io::Result<Address> {
        self.listener.local_address()
    }

    /// Passes on and prints, until `stop` is set; then it closes all connections.
    ///
    /// # Errors
    ///
    /// `out` cannot be written, which stops the proxy too; the listener fails.
    pub fn run(self, out: impl Write + Send, stop: &AtomicBool) -> io::Result<Summary> {
        let output = Output::default();
        let run = Run {
            proxy: &self,
            output: &output,
            counts: Counts::default(),
            started: Instant::now(),
            open: Mutex::default(),
        };
        let failed = AtomicBool::new(false);
        thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let written = output.write(out);
                failed.store(written.is_err(), Ordering::Relaxed);
                written
            });
            let is_over = || stop.load(Ordering::Relaxed) || failed.load(Ordering::Relaxed);
            let accepted = thread::scope(|scope| {
                let accepted = run.accept(scope, is_over);
                run.close();
                accepted
            });
            output.end();
            // A thread that panicked makes the scope panic; there is no other way to fail here.
            let written = writer.join().unwrap_or(Ok(()));
            let connections = accepted?;
            written?;
            Ok(Summary {
                connections,
                records: run.counts.records.load(Ordering::Relaxed),
                bytes: run.counts.bytes.load(Ordering::Relaxed),
                faults: run.counts.faults.load(Ordering::Relaxed),
            })
        })
    }
}

/// A proxy at work.
struct Run<'p> {
    proxy: &'p Proxy,
    output: &'p Output,
    counts: Counts,
    started: Instant,
    /// The connections, to be closed in the end.
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    streams: BTreeMap<u64, [Arc<Stream>; 2]>,
    is_over: bool,
}

impl<'p> Run<'p> {
    /// Accepts until it is over; how many connections there were.
    fn accept<'s>(
        &'s self,
        scope: &'s Scope<'s, '_>,
        is_over: impl Fn() -> bool,
    ) -> io::Result<u64> {
        let listener = &self.proxy.listener;
        let mut backoff = Backoff::new();
        let mut connections = 0;
        while !is_over() {
            match listener.accept() {
                Ok((stream, peer)) => {
                    backoff.reset();
                    connections += 1;
                    self.start(scope, connections, stream, &peer);
                }
                Err(error) => match AcceptAction::for_error(&error) {
                    AcceptAction::Retry => {}
                    AcceptAction::WouldBlock => _ = listener.wait(Some(TICK))?,
                    AcceptAction::Pause => thread::sleep(backoff.pause()),
                    AcceptAction::Fatal => return Err(error),
                },
            }
        }
        Ok(connections)
    }

    fn start<'s>(&'s self, scope: &'s Scope<'s, '_>, number: u64, stream: Stream, peer: &Peer) {
        let connection = Arc::new(Connection {
            number,
            started: self.started,
            output: self.output,
            style: self.proxy.style,
            counts: &self.counts,
            judge: Mutex::new(Judge::new()),
        });
        connection.note(format_args!("connected from {peer}"));
        let serving = Arc::clone(&connection);
        let serve = move || {
            if let Err(error) = self.serve(scope, &serving, stream) {
                serving.note(format_args!("(given up: {error})"));
            }
        };
        if let Err(error) = thread::Builder::new().spawn_scoped(scope, serve) {
            connection.note(format_args!("(given up: {error})"));
        }
    }

    /// Connects to the application and passes on both ways.
    fn serve<'s>(
        &'s self,
        scope: &'s Scope<'s, '_>,
        connection: &Arc<Connection<'s>>,
        web_server: Stream,
    ) -> io::Result<()> {
        web_server.set_nonblocking(false)?;
        let [to_application, to_web_server] = self.files(connection);
        let address = &self.proxy.connect;
        let application = Stream::connect(address, Some(PATIENCE))
            .map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))?;
        let (web_server, application) = (Arc::new(web_server), Arc::new(application));
        let number = connection.number;
        if !self.add(number, [&web_server, &application]) {
            return Ok(());
        }
        let answers = {
            let connection = Arc::clone(connection);
            let (from, to) = (Arc::clone(&application), Arc::clone(&web_server));
            move || connection.pass(Direction::ToWebServer, &from, &to, to_web_server)
        };
        let answers = thread::Builder::new().spawn_scoped(scope, answers);
        if answers.is_ok() {
            let direction = Direction::ToApplication;
            connection.pass(direction, &web_server, &application, to_application);
        }
        // Both directions are over before the sockets are closed. A panic is the scope's matter.
        let ended = answers.map(|answers| _ = answers.join());
        self.lock().streams.remove(&number);
        ended
    }

    fn files(&self, connection: &Connection<'_>) -> [Option<std::fs::File>; 2] {
        let Some(directory) = &self.proxy.save else {
            return [None, None];
        };
        match directory.files(connection.number) {
            Ok(files) => files.map(Some),
            Err(error) => {
                connection.note(format_args!("(not saved: {error})"));
                [None, None]
            }
        }
    }

    /// Notes an open connection; `false` if all is over already.
    fn add(&self, number: u64, streams: [&Arc<Stream>; 2]) -> bool {
        let mut open = self.lock();
        open.streams.insert(number, streams.map(Arc::clone));
        !open.is_over
    }

    /// Ends all connections.
    fn close(&self) {
        let mut open = self.lock();
        open.is_over = true;
        for stream in open.streams.values().flatten() {
            // It may have ended by itself.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Open> {
        // What is inside is whole after every statement.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
