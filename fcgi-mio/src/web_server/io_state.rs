//! What all connections share: settings, clock, deadlines, spare memory.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use fcgi_listen::Stream;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};

use super::counters::Counters;
use super::job::Job;
use super::settings::Settings;

/// So many buffers are kept for connections that become busy.
const SPARE: usize = 64;

/// A buffer that has grown beyond this is not kept.
const LARGEST_SPARE: usize = 128 * 1024;

/// What connections are registered for.
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// Who has a deadline. It is a hint: whoever is there by then is looked at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Who {
    Connection(usize),
    Pool(usize),
}

pub(super) struct Io {
    pub(super) settings: Settings,
    pub(super) registry: Registry,
    /// The token of connection 0, and how many follow it.
    pub(super) first_token: usize,
    pub(super) tokens: usize,
    pub(super) counters: Counters,
    started: Instant,
    /// Milliseconds since the start, as of the last look at the clock.
    pub(super) now: u64,
    /// When the last wait began, or before: what had come until then has been seen by now. A
    /// deadline that has passed since is met after the next wait.
    pub(super) seen_until: u64,
    pub(super) deadlines: BinaryHeap<Reverse<(u64, Who)>>,
    /// Connections that can go on without an event.
    pub(super) ready: VecDeque<usize>,
    /// Requests that go back to the queue.
    pub(super) returned: Vec<Job>,
    /// What a producer makes, or a write leaves of bodies.
    pub(super) scratch: Vec<u8>,
    buffers: Vec<Vec<u8>>,
}

impl Io {
    pub(super) fn new(settings: Settings, registry: Registry, tokens: Range<usize>) -> Io {
        Io {
            settings,
            registry,
            first_token: tokens.start,
            tokens: tokens.len(),
            counters: Counters::default(),
            started: Instant::now(),
            now: 0,
            seen_until: 0,
            deadlines: BinaryHeap::new(),
            ready: VecDeque::new(),
            returned: Vec::new(),
            scratch: Vec::new(),
            buffers: Vec::new(),
        }
    }

    pub(super) fn look_at_clock(&mut self) {
        self.now = millis(self.started.elapsed());
    }

    /// Has events of a connection's socket come.
    pub(super) fn register(&self, key: usize, stream: &Stream) -> io::Result<()> {
        let token = Token(self.first_token + key);
        let socket = stream.as_raw_fd();
        self.registry.register(&mut SourceFd(&socket), token, BOTH)
    }

    pub(super) fn instant(&self, at: u64) -> Instant {
        self.started + Duration::from_millis(at)
    }

    pub(super) fn plan(&mut self, at: u64, who: Who) {
        self.deadlines.push(Reverse((at, who)));
    }

    pub(super) fn buffer(&mut self) -> Vec<u8> {
        self.buffers.pop().unwrap_or_default()
    }

    pub(super) fn give_back(&mut self, mut buffer: Vec<u8>) {
        let capacity = buffer.capacity();
        if capacity > 0 && capacity <= LARGEST_SPARE && self.buffers.len() < SPARE {
            buffer.clear();
            self.buffers.push(buffer);
        }
    }
}

/// A moment of the clock, in whole milliseconds. A timeout is never shorter than it says.
pub(super) fn later(since: u64, timeout: Duration) -> u64 {
    since.saturating_add(millis(timeout)).saturating_add(1)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
