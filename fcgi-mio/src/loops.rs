//! Several loops in threads of their own.

use std::io;
use std::num::{NonZero, NonZeroU64};
use std::sync::Arc;
use std::thread::{self, Builder, ScopedJoinHandle};
use std::time::Duration;

use fcgi_listen::{Address, Listener, Options, inherited, inherited_max_requests};

use crate::deferred::Shared;
use crate::hall::{Acceptor, Hall};
use crate::handle::Handle;
use crate::retirement::Retirement;
use crate::server::{Part, Seat};
use crate::service::{Service, whole};
use crate::settings::Settings;
use crate::{Request, Response};

/// A FastCGI application that serves in as many threads as it is told to, a loop in each.
///
/// ```no_run
/// fn main() -> std::io::Result<()> {
///     fcgi_mio::Loops::bind("127.0.0.1:9000", 0)?.serve(|request, response| {
///         response.header("Content-Type", "text/plain")?;
///         response.write("Hello, ")?;
///         response.write(request.param("REMOTE_ADDR").unwrap_or(b"whoever you are"))
///     })
/// }
/// ```
///
/// A connection stays with one loop. At a TCP address each loop has a listening socket of its own
/// (`SO_REUSEPORT`), and the kernel deals connections out among them. Otherwise a thread that does
/// nothing else accepts them, and hands each to the loop that has the fewest.
///
/// [`Settings`] are for each loop, except that all of them count their requests together if they
/// are to [retire](Settings::retire_after).
#[must_use = "loops do nothing until they are run"]
pub struct Loops {
    /// The listeners of each loop, or those of the acceptor.
    listeners: Listeners,
    loops: usize,
    settings: Settings,
    /// After how many requests whoever has started the process wants it to retire.
    max_requests: Option<NonZeroU64>,
}

enum Listeners {
    Each(Vec<Listener>),
    Common(Vec<Listener>),
}

impl Loops {
    /// Listens on an address, as [`Server::bind`](crate::Server::bind) does, for this many loops;
    /// 0 is one for each core.
    ///
    /// # Errors
    ///
    /// The address is malformed or cannot be bound.
    pub fn bind(address: &str, loops: usize) -> io::Result<Loops> {
        let address: Address = address.parse()?;
        let loops = count(loops);
        let options = Options::new().reuse_port(true);
        let first = Listener::bind(&address, &options)?;
        if first.is_unix() {
            return Ok(Loops::new(vec![first], loops));
        }
        // The port may have been the system's choice.
        let address = first.local_address()?;
        let mut listeners = vec![first];
        while listeners.len() < loops {
            listeners.push(Listener::bind(&address, &options)?);
        }
        Ok(Loops {
            listeners: Listeners::Each(listeners),
            loops,
            settings: Settings::new(),
            max_requests: None,
        })
    }

    /// Takes over what the parent process opened, as
    /// [`Server::inherited_or_bind`](crate::Server::inherited_or_bind) does; if there is nothing,
    /// listens on `address`. FCGI_MAX_REQUESTS is heeded as there.
    ///
    /// # Errors
    ///
    /// The inherited descriptors are unusable, FCGI_MAX_REQUESTS is malformed, or as
    /// [`bind`](Loops::bind).
    pub fn inherited_or_bind(address: &str, loops: usize) -> io::Result<Loops> {
        let listeners = inherited()?;
        if listeners.is_empty() {
            return Loops::bind(address, loops);
        }
        let mut loops = Loops::new(listeners, loops);
        loops.max_requests = inherited_max_requests()?;
        Ok(loops)
    }

    /// Serves listeners that are open already; 0 is one loop for each core.
    pub fn new(listeners: Vec<Listener>, loops: usize) -> Loops {
        Loops {
            listeners: Listeners::Common(listeners),
            loops: count(loops),
            settings: Settings::new(),
            max_requests: None,
        }
    }

    /// Serves by these settings; limits are those of each loop.
    pub fn settings(mut self, settings: Settings) -> Loops {
        self.settings = settings;
        self
    }

    /// The addresses on which the loops listen, with the ports that the system chose for port 0.
    ///
    /// # Errors
    ///
    /// Those of getsockname(2).
    pub fn addresses(&self) -> io::Result<Vec<Address>> {
        match &self.listeners {
            Listeners::Each(listeners) => listeners[..1].iter(),
            Listeners::Common(listeners) => listeners.iter(),
        }
        .map(Listener::local_address)
        .collect()
    }

    /// Calls `handler` for each whole request, from all loops at a time, until so many
    /// [requests](Settings::retire_after) have begun if that was set. Otherwise only the handle of
    /// [`start`](Loops::start) stops them.
    ///
    /// # Errors
    ///
    /// As [`run`](Loops::run).
    pub fn serve<F>(self, handler: F) -> io::Result<()>
    where
        F: Fn(&Request<'_>, &mut Response<'_>) -> io::Result<()> + Sync,
    {
        self.run(|_| whole(&handler))
    }

    /// Serves with the [`Service`] that `make` makes for each loop, in the loop's thread; it is
    /// given the loop's number.
    ///
    /// # Errors
    ///
    /// As [`Server::run`](crate::Server::run), of the first loop that fails; the others are stopped
    /// then, and their requests cut off.
    pub fn run<S: Service>(self, make: impl Fn(usize) -> S + Sync) -> io::Result<()> {
        self.start()?.run(make)
    }

    /// Makes what the loops need before they run, so that there is a handle to stop them.
    ///
    /// # Errors
    ///
    /// FCGI_WEB_SERVER_ADDRS is malformed, or the system gives no descriptors.
    pub fn start(self) -> io::Result<Started> {
        let mut shared = Vec::new();
        let mut inboxes = Vec::new();
        for _ in 0..self.loops {
            let (one, inbox) = Shared::new()?;
            shared.push(one);
            inboxes.push(inbox);
        }
        let settings = self.settings;
        let mut hall = None;
        let mut acceptor = None;
        let mut own = Vec::new();
        match self.listeners {
            Listeners::Each(listeners) => own = listeners,
            Listeners::Common(listeners) => {
                let most = settings.max_connections;
                let (common, receiver) = Hall::new(shared.clone(), most)?;
                let open = Acceptor::new(listeners, Arc::clone(&common), receiver, &settings)?;
                acceptor = Some(open);
                hall = Some(common);
            }
        }
        let handle = Handle::new(shared.clone(), hall.clone());
        let most = settings.retire_after.or(self.max_requests);
        let retirement = Retirement::after(most, handle.clone());
        let mut own = own.into_iter();
        let parts = shared.iter().zip(inboxes).enumerate();
        let parts = parts.map(|(index, (shared, inbox))| Part {
            listeners: own.next().into_iter().collect(),
            settings: settings.clone(),
            shared: Arc::clone(shared),
            inbox,
            seat: hall.clone().map(|hall| Seat { hall, index }),
            retirement: retirement.clone(),
        });
        let parts = parts.collect();
        Ok(Started {
            parts,
            acceptor,
            handle,
        })
    }
}

/// [`Loops`] that are ready to run.
#[must_use = "loops do nothing until they are run"]
pub struct Started {
    parts: Vec<Part>,
    acceptor: Option<Acceptor>,
    handle: Handle,
}

impl Started {
    /// Stops the loops and reads their counters from any thread.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// As [`Loops::run`].
    ///
    /// # Errors
    ///
    /// As [`Loops::run`].
    pub fn run<S: Service>(self, make: impl Fn(usize) -> S + Sync) -> io::Result<()> {
        let Started {
            parts,
            acceptor,
            handle,
        } = self;
        let make = &make;
        thread::scope(|scope| {
            let mut threads = Vec::new();
            let mut result = Ok(());
            for (index, part) in parts.into_iter().enumerate() {
                let guard = StopsOthers(Some(handle.clone()));
                let run = move || guard.unless(part.run(make(index)));
                let name = format!("fcgi-loop-{index}");
                match Builder::new().name(name).spawn_scoped(scope, run) {
                    Ok(thread) => threads.push(thread),
                    Err(error) => result = result.and(Err(error)),
                }
            }
            if let Some(acceptor) = acceptor.filter(|_| result.is_ok()) {
                let guard = StopsOthers(Some(handle));
                result = guard.unless(acceptor.run());
            }
            threads
                .into_iter()
                .fold(result, |result, thread| result.and(join(thread)))
        })
    }
}

fn join(thread: ScopedJoinHandle<'_, io::Result<()>>) -> io::Result<()> {
    thread
        .join()
        .unwrap_or_else(|_| Err(io::Error::other("the thread of a loop panicked")))
}

/// Stops all loops when one of them fails or panics.
struct StopsOthers(Option<Handle>);

impl StopsOthers {
    fn unless(mut self, result: io::Result<()>) -> io::Result<()> {
        if result.is_ok() {
            self.0 = None;
        }
        result
    }
}

impl Drop for StopsOthers {
    fn drop(&mut self) {
        if let Some(handle) = &self.0 {
            handle.stop(Duration::ZERO);
        }
    }
}

fn count(loops: usize) -> usize {
    if loops > 0 {
        return loops;
    }
    thread::available_parallelism().map_or(1, NonZero::get)
}
