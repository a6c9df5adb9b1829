//! Accepting at listeners that block, which only inherited ones do: in threads of their own.
//!
//! The blocking mode of a listener belongs to all processes that share it, libfcgi's programs among
//! them, which expect it to block. So it is left as it is. When poll(2) says that a connection is
//! there and another process is faster, the thread at that listener hangs in accept, and is all
//! that does.
//!
//! In a stop it has to come back, or it would take a connection that is meant for the others when
//! nobody serves it here any more. A connection of one's own is what gets it out of there: neither
//! a signal nor a closed descriptor does. Whoever gets that one instead sees it end.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use fcgi_listen::{AcceptAction, Listener, Stream};

use super::Pool;

/// A listener that blocks.
pub(super) struct Door {
    listener: Listener,
    /// Whether its thread is in accept, or close to it.
    is_accepting: AtomicBool,
}

/// So long a thread waits for a connection before it looks whether there is any use in that.
const PAUSE: Duration = Duration::from_millis(100);

/// The pause before each attempt to get threads out of accept, and how long one may take.
const BEAT: Duration = Duration::from_millis(10);

/// So many attempts are made: each gets out one thread, which may be that of another process.
const ATTEMPTS: usize = 100;

impl Door {
    pub(super) fn new(listener: Listener) -> Arc<Door> {
        Arc::new(Door {
            listener,
            is_accepting: AtomicBool::new(false),
        })
    }

    /// Accepts for the pool as long as it wants connections.
    fn serve(&self, pool: &Weak<Pool>) {
        loop {
            let is_ready = self.listener.wait(Some(PAUSE));
            let is_wanted = |pool: Arc<Pool>| pool.stop_until().is_none();
            if !pool.upgrade().is_some_and(is_wanted) {
                return;
            }
            match is_ready {
                Ok(true) if !self.accept(pool) => return,
                Ok(_) => {}
                Err(_) => thread::sleep(PAUSE),
            }
        }
    }

    /// Accepts one connection; `false` when the listener will never give one.
    fn accept(&self, pool: &Weak<Pool>) -> bool {
        // Before the promise: who stops the pool afterwards sees both.
        self.is_accepting.store(true, Ordering::SeqCst);
        let is_promised = pool.upgrade().is_some_and(|pool| pool.promise());
        // If another process was faster, this waits for the next connection. Meanwhile the pool may
        // be given up.
        let accepted = is_promised.then(|| self.listener.accept());
        self.is_accepting.store(false, Ordering::SeqCst);
        let Some(accepted) = accepted else {
            thread::sleep(PAUSE);
            return true;
        };
        let action = accepted.as_ref().err().map(AcceptAction::for_error);
        if let Some(pool) = pool.upgrade() {
            pool.adopt(accepted);
        }
        if action == Some(AcceptAction::Pause) {
            thread::sleep(PAUSE);
        }
        action != Some(AcceptAction::Fatal)
    }

    fn is_accepting(&self) -> bool {
        self.is_accepting.load(Ordering::SeqCst)
    }

    /// Connects, unless somebody else has: one connection is as good as another.
    fn knock(&self) -> io::Result<()> {
        if !self.listener.wait(Some(Duration::ZERO))? {
            Stream::connect(&self.listener.local_address()?, Some(BEAT))?;
        }
        Ok(())
    }
}

impl Pool {
    /// Starts a thread for each listener that blocks.
    pub(crate) fn accept_where_it_blocks(self: &Arc<Pool>) -> io::Result<()> {
        for door in &self.doors {
            let (door, pool) = (Arc::clone(door), Arc::downgrade(self));
            let name = String::from("fastcgi accept");
            thread::Builder::new()
                .name(name)
                .spawn(move || door.serve(&pool))?;
        }
        Ok(())
    }

    /// In a stop: gets threads out of accept, in another one.
    pub(super) fn leave_doors(&self) {
        let is_accepting = |door: &&Arc<Door>| door.is_accepting();
        let mut doors: Vec<_> = self.doors.iter().filter(is_accepting).cloned().collect();
        if doors.is_empty() {
            return;
        }
        let call = move || {
            for _ in 0..ATTEMPTS {
                // Most come back by themselves, with the connection that is there.
                thread::sleep(BEAT);
                doors.retain(|door| door.is_accepting());
                if doors.is_empty() {
                    return;
                }
                for door in &doors {
                    // There may be no way to it from here; then it stays.
                    let _ = door.knock();
                }
            }
        };
        // Without it, one that stays takes a connection more.
        let _ = thread::Builder::new()
            .name("fastcgi stop".into())
            .spawn(call);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;
    use std::time::Instant;

    use fcgi_listen::Address;

    use crate::poller::Mode;
    use crate::pool::{self, tests::eventually};
    use crate::rules::Rules;

    /// Enough of everything.
    const LONG: Duration = Duration::from_secs(3600);

    fn pool(listener: Listener) -> Arc<Pool> {
        pool::tests::pool(Rules::default(), Mode::OneShot, vec![listener])
    }

    /// What a thread does that poll(2) has told of a connection, which another process has by now.
    fn accept_too_late(pool: &Arc<Pool>) -> thread::JoinHandle<bool> {
        let (door, weak) = (Arc::clone(&pool.doors[0]), Arc::downgrade(pool));
        let accepting = thread::spawn(move || door.accept(&weak));
        eventually(|| pool.table().promises == 1);
        // So that it is in there, most likely.
        thread::sleep(Duration::from_millis(50));
        accepting
    }

    /// The connection that comes after a stop belongs to the processes that serve on.
    fn leaves_what_comes_later(listener: Listener, patience: Duration) {
        let shared = listener.try_clone().unwrap();
        let pool = pool(listener);
        let accepting = accept_too_late(&pool);
        pool.stop(Instant::now() + patience);
        let waiting = Arc::clone(&pool);
        let served = thread::spawn(move || waiting.next(None).map(drop));
        eventually(|| accepting.is_finished());
        eventually(|| served.is_finished());
        served.join().unwrap().unwrap();
        assert!(pool.table().slots.is_empty());
        let address = shared.local_address().unwrap();
        let _late = Stream::connect(&address, None).unwrap();
        // It is there for others.
        let _ = shared.accept().unwrap();
        assert!(!shared.is_nonblocking().unwrap());
    }

    #[test]
    fn a_thread_that_came_too_late_is_out_of_accept_after_a_stop() {
        let folder = tempfile::tempdir().unwrap();
        for (at, patience) in [LONG, Duration::ZERO].into_iter().enumerate() {
            let path = folder.path().join(at.to_string());
            leaves_what_comes_later(UnixListener::bind(path).unwrap().into(), patience);
            for address in ["127.0.0.1:0", "0.0.0.0:0"] {
                let listener = TcpListener::bind(address).unwrap();
                leaves_what_comes_later(listener.into(), patience);
            }
        }
    }

    /// Of a server that was given up, a signal says so.
    #[test]
    fn a_thread_in_accept_keeps_no_pool_alive() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = Address::from(listener.local_addr().unwrap());
        let pool = pool(listener.into());
        let accepting = accept_too_late(&pool);
        let weak = Arc::downgrade(&pool);
        drop(pool);
        assert_eq!(weak.strong_count(), 0);
        let mut late = Stream::connect(&address, None).unwrap();
        assert!(accepting.join().unwrap());
        assert_eq!(late.read(&mut [0]).unwrap(), 0);
    }
}
