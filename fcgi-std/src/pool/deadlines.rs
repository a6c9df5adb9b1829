//! What ends by time: waits that were in vain, and pauses.

use std::time::Instant;

use fcgi_listen::Peer;

use super::{Accepting, Pool, SWEEP_EVERY, Slot, Table};
use crate::advance::Waiting;
use crate::incident::Incident;

impl Pool {
    /// Closes the connections whose time is over.
    pub(super) fn sweep(&self) {
        let now = Instant::now();
        let mut table = self.table();
        if table.next_sweep.is_none_or(|at| now < at) {
            return;
        }
        let expired = |slot: &Slot| slot.parked.is_some_and(|(until, _)| until <= now);
        let keys: Vec<usize> = table
            .slots
            .iter()
            .filter(|(_, slot)| expired(slot))
            .map(|(key, _)| key)
            .collect();
        let mut incidents = Vec::new();
        for key in keys {
            let slot = table.slots.remove(key);
            let peer = slot.session.peer;
            incidents.extend(slot.parked.and_then(|(_, waiting)| waiting.incident(peer)));
            self.forget(&mut table, slot);
        }
        if let Accepting::Paused(until) = table.accepting {
            if until <= now {
                self.set_accepting(&mut table, Accepting::On);
            }
        }
        if table.stop_until.is_some_and(|until| until <= now) {
            self.cut(&mut table);
        }
        self.finish_if_empty(&mut table);
        table.plan_sweep(now);
        drop(table);
        incidents
            .iter()
            .for_each(|incident| self.context.report(incident));
    }
}

impl Table {
    /// Has the deadlines looked at by this moment.
    pub(super) fn sweep_by(&mut self, at: Instant) {
        self.next_sweep = Some(self.next_sweep.map_or(at, |planned| planned.min(at)));
    }

    fn plan_sweep(&mut self, now: Instant) {
        let parked = self
            .slots
            .iter()
            .filter_map(|(_, slot)| slot.parked.map(|(until, _)| until));
        let paused = match self.accepting {
            Accepting::Paused(until) => Some(until),
            _ => None,
        };
        let promised = self.grace_until.filter(|_| self.promises > 0);
        let ends = self.stop_until.into_iter().chain(promised);
        let earliest = parked.chain(paused).chain(ends).min();
        self.next_sweep = earliest.map(|at| at.max(now + SWEEP_EVERY));
    }
}

impl Waiting {
    /// What to report when it was in vain.
    fn incident(self, peer: Peer) -> Option<Incident> {
        let waiting_for = match self {
            Waiting::Idle | Waiting::Drain => return None,
            Waiting::Head => "FCGI_PARAMS did not end",
            Waiting::Body => "FCGI_STDIN did not end",
            Waiting::Write => "the answer was not read",
        };
        Some(Incident::TimedOut { peer, waiting_for })
    }
}
