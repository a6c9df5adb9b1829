//! Threads.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use fcgi_core::cgi::Status;

use crate::form;
use crate::incident::Incident;
use crate::pool::{Next, Pool};
use crate::request::Request;

/// An extra worker ends when it has had nothing to do for so long.
const PATIENCE: Duration = Duration::from_secs(10);

/// After a stop has cut off what was left, its handlers get so long to notice.
const GRACE: Duration = Duration::from_secs(1);

/// The workers of one server.
struct Crew<F> {
    pool: Arc<Pool>,
    handler: F,
    least: usize,
    most: usize,
    staff: Arc<Staff>,
}

/// How many workers there are. Apart from the crew, which the last worker takes with it when it
/// leaves: the listeners are closed by then.
#[derive(Default)]
struct Staff {
    count: Mutex<Count>,
    changed: Condvar,
}

#[derive(Default)]
struct Count {
    threads: usize,
    /// Why a worker had to give up.
    failed: Option<io::Error>,
}

/// Why a worker leaves.
enum Left {
    /// There are enough others; it is no longer counted.
    Extra,
    /// The server has stopped.
    Stopped,
}

/// Serves until the pool is stopped.
pub(crate) fn run<F>(pool: &Arc<Pool>, least: usize, most: usize, handler: F) -> io::Result<()>
where
    F: Fn(&mut Request) -> io::Result<()> + Send + Sync + 'static,
{
    let crew = Arc::new(Crew {
        pool: Arc::clone(pool),
        handler,
        least,
        most,
        staff: Arc::default(),
    });
    for _ in 0..least {
        if let Err(error) = crew.hire() {
            pool.stop(Instant::now());
            return crew.wait().and(Err(error));
        }
    }
    crew.wait()
}

impl<F> Crew<F>
where
    F: Fn(&mut Request) -> io::Result<()> + Send + Sync + 'static,
{
    /// Starts one more worker, if there may be one.
    fn hire(self: &Arc<Self>) -> io::Result<()> {
        {
            let mut count = self.staff.count();
            if count.threads >= self.most {
                return Ok(());
            }
            count.threads += 1;
        }
        let (crew, staff) = (Arc::clone(self), Arc::clone(&self.staff));
        let work = move || {
            let left = crew.work();
            drop(crew);
            match left {
                Ok(Left::Extra) => {}
                Ok(Left::Stopped) => staff.leave(None),
                Err(error) => staff.leave(Some(error)),
            }
        };
        let started = thread::Builder::new().name("fastcgi".into()).spawn(work);
        started.map(drop).inspect_err(|_| self.staff.leave(None))
    }

    /// Serves until the server has stopped, or there is no more use for this worker.
    fn work(self: &Arc<Self>) -> io::Result<Left> {
        loop {
            match self.pool.next(Some(PATIENCE)) {
                Ok(Next::Request(mut request)) => {
                    if self.pool.waiting() == 0 {
                        if let Err(error) = self.hire() {
                            self.pool.context().report(&Incident::Thread(error));
                        }
                    }
                    handle(&self.handler, &mut request, |incident| {
                        self.pool.context().report(incident);
                    });
                }
                Ok(Next::Idle) => {
                    let mut count = self.staff.count();
                    // The others may be busy for long: one stays, for what comes meanwhile.
                    if count.threads > self.least && self.pool.waiting() > 0 {
                        count.threads -= 1;
                        return Ok(Left::Extra);
                    }
                }
                Ok(Next::Finished) => return Ok(Left::Stopped),
                Err(error) => {
                    self.pool.stop(Instant::now());
                    return Err(error);
                }
            }
        }
    }

    /// Waits until all workers have left, or a stop has taken too long.
    fn wait(&self) -> io::Result<()> {
        self.pool.wait_for_stop();
        let mut count = self.staff.count();
        while count.threads > 0 {
            // Looked at again and again: a second stop may be less patient.
            let until = self.pool.stop_until();
            if until.is_some_and(|until| Instant::now().duration_since(until) > GRACE) {
                let left = format!("handlers that ignored the end of a stop: {}", count.threads);
                return Err(io::Error::new(io::ErrorKind::TimedOut, left));
            }
            let pause = Duration::from_millis(20);
            let waited = self.staff.changed.wait_timeout(count, pause);
            (count, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        count.failed.take().map_or(Ok(()), Err)
    }
}

/// Has one request handled, and ends it.
pub(crate) fn handle<F>(handler: &F, request: &mut Request, report: impl FnOnce(&Incident))
where
    F: Fn(&mut Request) -> io::Result<()>,
{
    let id = request.id();
    let mut status = Status::INTERNAL_SERVER_ERROR;
    let incident = match catch_unwind(AssertUnwindSafe(|| handler(request))) {
        Ok(Ok(())) => match request.end() {
            Ok(()) => return,
            Err(error) if is_hang_up(&error) => Incident::Abandoned { id, error },
            Err(error) => Incident::HandlerFailed { id, error },
        },
        Ok(Err(error)) if request.is_given_up() => Incident::Abandoned { id, error },
        Ok(Err(error)) => {
            status = form::Error::status_of(&error).unwrap_or(status);
            Incident::HandlerFailed { id, error }
        }
        Err(panic) => Incident::HandlerPanicked {
            id,
            message: message(panic.as_ref()),
        },
    };
    request.fail(status);
    report(&incident);
}

impl Staff {
    fn leave(&self, failed: Option<io::Error>) {
        let mut count = self.count();
        count.threads -= 1;
        if count.failed.is_none() {
            count.failed = failed;
        }
        self.changed.notify_all();
    }

    fn count(&self) -> MutexGuard<'_, Count> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the end of a request failed because nobody takes it.
fn is_hang_up(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
    )
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let owned = || panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(owned).unwrap_or("no message").to_owned()
}
