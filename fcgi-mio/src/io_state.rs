//! What all connections of a loop share: rules, clock, deadlines, spare memory.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::{Interest, Registry, Token};

use crate::Incident;
use crate::connection::Active;
use crate::deferred::{Place, Shared};
use crate::response::HIGH;
use crate::retirement::Retirement;
use crate::settings::Settings;

/// So many of each kind of buffer are kept for those that become busy.
const SPARE: usize = 64;

/// A buffer that has grown beyond this is not kept.
const LARGEST_SPARE: usize = 2 * HIGH;

pub(crate) struct Io<T> {
    pub(crate) settings: Settings,
    pub(crate) shared: Arc<Shared>,
    pub(crate) registry: Registry,
    pub(crate) tokens: Tokens,
    started: Instant,
    /// Milliseconds since the loop started, as of the last look at the clock.
    pub(crate) now: u64,
    pub(crate) deadlines: BinaryHeap<Reverse<(u64, Place)>>,
    /// Connections that can go on without an event.
    pub(crate) ready: VecDeque<Place>,
    pub(crate) stop: Stop,
    /// Counts the requests, if so many are to be the end.
    pub(crate) retirement: Option<Arc<Retirement>>,
    /// Requests that run.
    pub(crate) running: usize,
    /// What handlers write to STDERR in one call.
    pub(crate) errors: Vec<u8>,
    pub(crate) buffers: Vec<Vec<u8>>,
    #[expect(
        clippy::vec_box,
        reason = "they go to connections and come back as they are"
    )]
    actives: Vec<Box<Active<T>>>,
}

impl<T> Io<T> {
    pub(crate) fn new(
        settings: Settings,
        shared: Arc<Shared>,
        registry: Registry,
        tokens: Tokens,
        retirement: Option<Arc<Retirement>>,
    ) -> Io<T> {
        Io {
            settings,
            shared,
            registry,
            tokens,
            started: Instant::now(),
            now: 0,
            deadlines: BinaryHeap::new(),
            ready: VecDeque::new(),
            stop: Stop::Off,
            retirement,
            running: 0,
            errors: Vec::new(),
            buffers: Vec::new(),
            actives: Vec::new(),
        }
    }

    pub(crate) fn look_at_clock(&mut self) {
        self.now = millis(self.started.elapsed());
        #[cfg(test)]
        (self.now += tests::passed());
    }

    /// A moment of the loop's clock as one of the system's.
    pub(crate) fn instant(&self, at: u64) -> Instant {
        self.started + Duration::from_millis(at)
    }

    pub(crate) fn tick(&self, at: Instant) -> u64 {
        // Late rather than early.
        millis(at.saturating_duration_since(self.started)).saturating_add(1)
    }

    pub(crate) fn after(&self, timeout: Duration) -> u64 {
        self.now.saturating_add(millis(timeout))
    }

    /// Has a connection's deadline looked at by this moment.
    pub(crate) fn plan(&mut self, at: u64, place: Place) {
        self.deadlines.push(Reverse((at, place)));
    }

    /// Counts a request that begins on this connection, where so many are to be the end.
    #[cold]
    pub(crate) fn count(&mut self, place: Place) {
        let is_last = self.retirement.as_ref().is_some_and(|it| it.count());
        if is_last && self.stop == Stop::Off {
            self.stop = Stop::Near(place);
        }
    }

    pub(crate) fn report(&self, incident: &Incident) {
        self.settings.tell(incident);
    }

    pub(crate) fn give_back(&mut self, mut buffer: Vec<u8>) {
        let capacity = buffer.capacity();
        if capacity > 0 && capacity <= LARGEST_SPARE && self.buffers.len() < 4 * SPARE {
            buffer.clear();
            self.buffers.push(buffer);
        }
    }

    pub(crate) fn take_active(&mut self) -> Box<Active<T>> {
        self.actives
            .pop()
            .unwrap_or_else(|| Box::new(Active::new()))
    }

    /// Takes back what an idle connection does not need.
    pub(crate) fn give_back_active(&mut self, mut active: Box<Active<T>>) {
        if self.actives.len() >= SPARE {
            return;
        }
        active.outbox.clear();
        active.outbox.shrink_to(LARGEST_SPARE);
        active.spill.shrink_to(LARGEST_SPARE);
        active.rest.clear();
        active.rest.shrink_to(LARGEST_SPARE);
        (active.sent, active.next, active.blocked_since) = (0, 0, None);
        self.actives.push(active);
    }
}

/// How far a stop has come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    Off,
    /// The last request before the process retires has begun, on this connection. Nothing is
    /// accepted any more, and other connections go on until the loop hears of the stop.
    Near(Place),
    /// No new requests, but the first ones of connections that rested.
    Begun,
}

/// Whole milliseconds, the unit of the loop's clock.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The tokens of a loop: one for its handles, then the listeners, then the connections with as many
/// generations as there is room for.
pub(crate) struct Tokens {
    first: usize,
    listeners: usize,
    slots: usize,
    generations: usize,
}

pub(crate) enum Meaning {
    Handles,
    Listener(usize),
    Connection { key: usize, generation: usize },
}

/// What listeners and connections are registered for.
pub(crate) const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

impl Tokens {
    pub(crate) fn new(
        range: std::ops::Range<usize>,
        listeners: usize,
        slots: usize,
    ) -> Option<Tokens> {
        let room = range.len().checked_sub(1 + listeners)?;
        let generations = (room / slots).min(usize::try_from(u32::MAX).unwrap_or(usize::MAX));
        (generations > 0).then_some(Tokens {
            first: range.start,
            listeners,
            slots,
            generations,
        })
    }

    pub(crate) fn handles(&self) -> Token {
        Token(self.first)
    }

    pub(crate) fn listener(&self, index: usize) -> Token {
        Token(self.first + 1 + index)
    }

    pub(crate) fn connection(&self, place: Place) -> Token {
        let generation = self.generation(place);
        Token(self.first + 1 + self.listeners + generation * self.slots + place.key())
    }

    /// As much of a connection's generation as its token says.
    pub(crate) fn generation(&self, place: Place) -> usize {
        usize::try_from(place.generation).unwrap_or(0) % self.generations
    }

    pub(crate) fn meaning(&self, token: Token) -> Option<Meaning> {
        let offset = token.0.checked_sub(self.first)?;
        let Some(offset) = offset.checked_sub(1) else {
            return Some(Meaning::Handles);
        };
        let Some(offset) = offset.checked_sub(self.listeners) else {
            return Some(Meaning::Listener(offset));
        };
        let generation = offset / self.slots;
        (generation < self.generations).then_some(Meaning::Connection {
            key: offset % self.slots,
            generation,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        static PASSED: Cell<u64> = const { Cell::new(0) };
    }

    /// Has time pass on the clocks of this thread's loops.
    pub(crate) fn pass(time: Duration) {
        PASSED.set(PASSED.get() + millis(time));
    }

    pub(super) fn passed() -> u64 {
        PASSED.get()
    }
}
