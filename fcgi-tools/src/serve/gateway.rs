//! The HTTP side: listening, connections, and the end.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener as StdListener};
use std::os::fd::OwnedFd;
use std::pin::{self, pin};
use std::sync::Arc;
use std::time::Duration;

use fcgi_listen::{AcceptAction, Address, Backoff, Listener};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::child::{self, Health, Program};
use super::handler::{self, Peers};
use super::pool::Pool;
use super::{Application, Options};

/// How long a client may take to read the end of a response while it still sends a body that nobody
/// wants.
const LINGER: Duration = Duration::from_secs(2);

/// A gateway whose addresses are open: clients can connect, and are served once it runs.
#[must_use = "a gateway serves nothing until it is run"]
pub struct Gateway {
    listener: StdListener,
    address: SocketAddr,
    application: Address,
    program: Option<Program>,
    options: Options,
}

impl Gateway {
    /// Opens the HTTP address and, for an application that is a command, the socket on which that
    /// will listen.
    ///
    /// # Errors
    ///
    /// An address cannot be bound, or the HTTP address is a unix socket's.
    pub fn bind(mut options: Options) -> io::Result<Gateway> {
        // Times beyond that are as good as for ever, and can be added to any clock.
        let longest = Duration::from_secs(365 * 24 * 3600);
        options.timeout = options.timeout.min(longest);
        options.grace = options.grace.min(longest);
        if options.http.is_unix() {
            let why = "browsers do not connect to unix sockets: write HOST:PORT";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        let listener = Listener::bind(&options.http, &fcgi_listen::Options::new())?;
        let listener = StdListener::from(OwnedFd::from(listener));
        listener.set_nonblocking(true)?;
        let (program, application) = match &options.application {
            Application::Connect(address) => (None, address.clone()),
            Application::Command {
                program,
                arguments,
                listen,
            } => {
                let program =
                    Program::prepare(program.clone(), arguments.clone(), listen.as_ref())?;
                let address = program.address()?;
                (Some(program), address)
            }
        };
        Ok(Gateway {
            address: listener.local_addr()?,
            listener,
            application,
            program,
            options,
        })
    }

    /// Where it listens for HTTP, with the port that the system chose for port 0.
    #[must_use]
    pub fn http_address(&self) -> SocketAddr {
        self.address
    }

    /// Where the application listens.
    #[must_use]
    pub fn application_address(&self) -> &Address {
        &self.application
    }

    /// What to type into a browser on this machine.
    #[must_use]
    pub fn url(&self) -> String {
        let path = self.options.site.places.script_name.as_deref();
        let path = path.unwrap_or_default();
        let port = self.address.port();
        match self.address.ip() {
            ip if ip.is_unspecified() => format!("http://localhost:{port}{path}/"),
            IpAddr::V4(ip) => format!("http://{ip}:{port}{path}/"),
            IpAddr::V6(ip) => format!("http://[{ip}]:{port}{path}/"),
        }
    }

    /// Serves until `stop` is ready. Then no more connections are accepted, requests in flight may
    /// end within [`Options::grace`], and a child gets SIGTERM and, after five seconds, SIGKILL.
    ///
    /// Dropping the future ends all requests at once. A child then gets SIGTERM as above, and
    /// SIGKILL when the runtime ends too.
    ///
    /// Needs a tokio runtime with I/O and time.
    ///
    /// # Errors
    ///
    /// The command cannot be started, or the listener fails for good.
    pub async fn run_until(self, stop: impl Future<Output = ()>) -> io::Result<()> {
        let url = self.url();
        let console = self.options.console.clone();
        let pool = Pool::new(
            self.application.clone(),
            console.clone(),
            self.options.timeout,
        );
        let listener = TcpListener::from_std(self.listener)?;
        let (stop_child, child_stops) = watch::channel(false);
        let (health, child) = match self.program {
            None => (Health::unknown(), None),
            Some(program) => {
                let pool = Arc::clone(&pool);
                let (health, task) = child::supervise(program, pool, console.clone(), child_stops)?;
                (health, Some(task))
            }
        };
        console.notice(&format!("fcgi serve: {url} shows {}", self.application));
        let gateway = Arc::new(handler::Gateway {
            site: self.options.site,
            spool_limit: self.options.spool_limit,
            timeout: self.options.timeout,
            console,
            pool: Arc::clone(&pool),
            health,
        });
        let served = serve(listener, gateway, stop, self.options.grace).await;
        pool.close();
        if let Some(child) = child {
            // The task only ends; and without a receiver it has ended.
            let _ = stop_child.send(true);
            let _ = child.await;
        }
        served
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway")
            .field("http", &self.address)
            .field("application", &self.application)
            .finish_non_exhaustive()
    }
}

/// Accepts until `stop`, then waits for the connections.
async fn serve(
    listener: TcpListener,
    gateway: Arc<handler::Gateway>,
    stop: impl Future<Output = ()>,
    grace: Duration,
) -> io::Result<()> {
    let mut stop = pin!(stop);
    let (stopping, stops) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut backoff = Backoff::new();
    let result = loop {
        tokio::select! {
            () = &mut stop => break Ok(()),
            Some(_) = connections.join_next() => {}
            accepted = accept(&listener, &mut backoff) => match accepted {
                Ok((stream, remote)) => {
                    let task = connection(stream, remote, Arc::clone(&gateway), stops.clone());
                    connections.spawn(task);
                }
                Err(error) => break Err(error),
            },
        }
    };
    drop(listener);
    // Every connection holds a receiver; without any there is nothing to tell.
    let _ = stopping.send(true);
    let count = gateway.pool.running();
    if count > 0 {
        let text = format!("fcgi serve: stopping; {count} requests may go on for {grace:?}");
        gateway.console.notice(&text);
    }
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(grace, ended).await.is_err() {
        connections.shutdown().await;
    }
    result
}

/// The next connection; an error means that there will never be one.
async fn accept(
    listener: &TcpListener,
    backoff: &mut Backoff,
) -> io::Result<(TcpStream, SocketAddr)> {
    loop {
        match listener.accept().await {
            Ok(accepted) => {
                backoff.reset();
                return Ok(accepted);
            }
            Err(error) => match AcceptAction::for_error(&error) {
                AcceptAction::Retry | AcceptAction::WouldBlock => {}
                AcceptAction::Pause => tokio::time::sleep(backoff.pause()).await,
                AcceptAction::Fatal => return Err(error),
            },
        }
    }
}

/// Serves the requests of one client.
async fn connection(
    stream: TcpStream,
    remote: SocketAddr,
    gateway: Arc<handler::Gateway>,
    mut stops: watch::Receiver<bool>,
) {
    let Ok(local) = stream.local_addr() else {
        return;
    };
    // A response is written in whole pieces; waiting for more only delays it.
    let _ = stream.set_nodelay(true);
    let peers = Peers { remote, local };
    let service =
        service_fn(move |request| Box::pin(handler::answer(Arc::clone(&gateway), peers, request)));
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .title_case_headers(true)
        .serve_connection(TokioIo::new(stream), service);
    let mut is_stopping = false;
    loop {
        tokio::select! {
            // What goes wrong with a client is over with it; its requests have told what matters.
            _ = poll_fn(|context| connection.poll_without_shutdown(context)) => break,
            _ = stops.wait_for(|stop| *stop), if !is_stopping => {
                is_stopping = true;
                pin::Pin::new(&mut connection).graceful_shutdown();
            }
        }
    }
    if !is_stopping {
        let stream = connection.into_parts().io.into_inner();
        // Over when the time is over, or the client.
        let _ = tokio::time::timeout(LINGER, linger(stream)).await;
    }
}

/// Closes politely: a close with unread input resets the connection, and could cost the client the
/// end of its response.
async fn linger(mut stream: TcpStream) -> io::Result<()> {
    stream.shutdown().await?;
    let mut sink = vec![0; 16 * 1024];
    while stream.read(&mut sink).await? > 0 {}
    Ok(())
}
