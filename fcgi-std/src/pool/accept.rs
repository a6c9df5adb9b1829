//! Taking in connections.

use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use fcgi_listen::{AcceptAction, Listener, Peer, Stream};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::{Accepting, Entrance, LISTENERS, Pool, Slot, Table};
use crate::advance::Waiting;
use crate::incident::Incident;
use crate::poller::{Interest, Mode};
use crate::request::Request;
use crate::session::Session;

impl Pool {
    pub(super) fn accept(self: &Arc<Pool>, at: u64) -> Option<Request> {
        let entrance = self.entrances.get(usize::try_from(at).ok()?)?;
        if entrance.is_dead.load(Ordering::Relaxed) || !self.promise() {
            return None;
        }
        let accepted = match &*entrance.listener() {
            Some(listener) => accept_from(listener),
            // A stop was faster.
            None => Err(io::ErrorKind::WouldBlock.into()),
        };
        let action = accepted.as_ref().err().map(AcceptAction::for_error);
        let is_dead = action == Some(AcceptAction::Fatal);
        entrance.is_dead.store(is_dead, Ordering::Relaxed);
        let session = self.arrived(accepted);
        if self.mode == Mode::OneShot || is_dead {
            let table = self.table();
            self.watch(entrance, LISTENERS + at, table.accepting);
        }
        self.drive(&session?)
    }

    fn watch(&self, entrance: &Entrance, token: u64, accepting: Accepting) {
        let is_dead = entrance.is_dead.load(Ordering::Relaxed);
        let interest = match accepting {
            Accepting::On if !is_dead => Interest::Readable,
            _ => Interest::Nothing,
        };
        // One that blocks is not registered: another thread accepts there.
        if let Some(listener) = &*entrance.listener() {
            let _ = self.poller.arm(listener.as_fd(), token, interest);
        }
    }

    /// In a stop: closes what this process has opened, with its path. Nobody else accepts there, and
    /// who connects would wait in vain.
    pub(super) fn close_entrances(&self) {
        for (token, entrance) in (LISTENERS..).zip(&self.entrances) {
            let is_ours = |listener: &mut Listener| !listener.is_inherited();
            let mut listener = entrance
                .listener
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            if let Some(closed) = listener.take_if(is_ours) {
                self.poller.forget(token);
                drop(closed);
            }
        }
    }

    /// Promises that what is about to be accepted will be served: until it has
    /// [arrived](Pool::arrived), a stop waits with its end, for a while. `false` in a stop, and
    /// when there is no room.
    pub(super) fn promise(&self) -> bool {
        let mut table = self.table();
        let may_come = table.stop_until.is_none() && self.make_room(&mut table);
        table.promises += usize::from(may_come);
        may_come
    }

    /// Makes room for one more connection, if need be by closing the one that has been idle
    /// longest; else accepting rests until one is idle or closes.
    fn make_room(&self, table: &mut Table) -> bool {
        if table.slots.len() < self.context.rules.max_connections {
            return true;
        }
        let idle = table
            .slots
            .iter()
            .filter_map(|(key, slot)| match slot.parked {
                Some((until, Waiting::Idle)) => Some((until, key)),
                _ => None,
            });
        let Some((_, oldest)) = idle.min() else {
            self.set_accepting(table, Accepting::Full);
            return false;
        };
        let slot = table.slots.remove(oldest);
        self.forget(table, slot);
        true
    }

    /// Takes over what was accepted after a [promise](Pool::promise), if it may come in.
    fn arrived(&self, accepted: io::Result<(Stream, Peer)>) -> Option<Arc<Session>> {
        let admitted = match accepted {
            // Of a peer that cannot be told nothing is known that would let it in.
            Ok((stream, peer)) => {
                let is_admitted = self.allowed.admits(&stream, &peer).unwrap_or(false);
                // In a stop it may be this process.
                if !is_admitted && !self.context.is_stopping() {
                    self.context.report(&Incident::Stranger(peer));
                }
                is_admitted.then_some((stream, peer))
            }
            Err(error) => {
                self.accept_failed(error);
                None
            }
        };
        let mut table = self.table();
        let session = admitted
            .filter(|_| !table.finished)
            .map(|(stream, peer)| self.enter(&mut table, stream, peer));
        table.promises -= 1;
        self.finish_if_empty(&mut table);
        session
    }

    pub(super) fn accept_failed(&self, error: io::Error) {
        let action = AcceptAction::for_error(&error);
        if matches!(action, AcceptAction::Retry | AcceptAction::WouldBlock) {
            return;
        }
        self.context.report(&Incident::Accept(error));
        if action == AcceptAction::Fatal {
            // Others may be sound.
            return;
        }
        let mut table = self.table();
        let until = Instant::now() + table.backoff.pause();
        table.sweep_by(until);
        self.set_accepting(&mut table, Accepting::Paused(until));
        drop(table);
        // This thread may be busy when the pause is over.
        let _ = self.poller.notify();
    }

    fn enter(&self, table: &mut Table, stream: Stream, peer: Peer) -> Arc<Session> {
        table.backoff.reset();
        let entry = table.slots.vacant_entry();
        let session = Arc::new(Session::new(entry.key(), stream, peer, &self.context.rules));
        entry.insert(Slot {
            session: Arc::clone(&session),
            parked: None,
        });
        session
    }

    /// As [`arrived`](Pool::arrived), in another thread than those that wait.
    pub(super) fn adopt(&self, accepted: io::Result<(Stream, Peer)>) {
        if let Some(session) = self.arrived(accepted) {
            let until = Instant::now() + self.context.rules.idle_timeout;
            self.park(&session, Interest::Readable, until, Waiting::Idle);
        }
    }

    pub(super) fn set_accepting(&self, table: &mut Table, accepting: Accepting) {
        if table.accepting == Accepting::Off || table.accepting == accepting {
            return;
        }
        table.accepting = accepting;
        for (token, entrance) in (LISTENERS..).zip(&self.entrances) {
            self.watch(entrance, token, accepting);
        }
    }
}

/// Accepts. A unix socket that was shut down is ready for ever, and has nobody waiting.
fn accept_from(listener: &Listener) -> io::Result<(Stream, Peer)> {
    let accepted = listener.accept();
    let action = accepted.as_ref().err().map(AcceptAction::for_error);
    if action == Some(AcceptAction::WouldBlock) {
        let mut polled = [PollFd::new(listener, PollFlags::empty())];
        let looked = poll(&mut polled, Some(&Timespec::default()));
        if looked.is_ok() && polled[0].revents().contains(PollFlags::HUP) {
            // What others say of theirs.
            return Err(Errno::INVAL.into());
        }
    }
    accepted
}
