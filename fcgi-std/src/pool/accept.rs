//! Taking in connections.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Instant;

use fcgi_listen::{AcceptAction, Peer, Stream};

use super::{Accepting, LISTENERS, Pool, Slot, Table};
use crate::advance::Waiting;
use crate::incident::Incident;
use crate::poller::{Interest, Mode};
use crate::request::Request;
use crate::session::Session;

impl Pool {
    pub(super) fn accept(self: &Arc<Pool>, at: u64) -> Option<Request> {
        let listener = self.listeners.get(usize::try_from(at).ok()?)?;
        if !self.promise() {
            return None;
        }
        let session = self.arrived(listener.accept());
        if self.mode == Mode::OneShot {
            let table = self.table();
            if table.accepting == Accepting::On {
                let _ = self
                    .poller
                    .arm(listener.as_fd(), LISTENERS + at, Interest::Readable);
            }
        }
        self.drive(&session?)
    }

    /// Promises that what is about to be accepted will be served: until it has
    /// [arrived](Pool::arrived), a stop waits with its end, for a while. `false` in a stop, and
    /// when there is no room.
    pub(crate) fn promise(&self) -> bool {
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
                if !is_admitted {
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

    fn accept_failed(&self, error: io::Error) {
        let action = AcceptAction::for_error(&error);
        if matches!(action, AcceptAction::Retry | AcceptAction::WouldBlock) {
            return;
        }
        self.context.report(&Incident::Accept(error));
        let mut table = self.table();
        if action == AcceptAction::Fatal {
            self.set_accepting(&mut table, Accepting::Off);
            return;
        }
        let until = Instant::now() + table.backoff.pause();
        table.sweep_by(until);
        self.set_accepting(&mut table, Accepting::Paused(until));
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
    pub(crate) fn adopt(&self, accepted: io::Result<(Stream, Peer)>) {
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
        let interest = match accepting {
            Accepting::On => Interest::Readable,
            Accepting::Paused(_) | Accepting::Full | Accepting::Off => Interest::Nothing,
        };
        for (token, listener) in (LISTENERS..).zip(&self.listeners) {
            // One that blocks is not registered: another thread accepts there.
            let _ = self.poller.arm(listener.as_fd(), token, interest);
        }
    }
}
