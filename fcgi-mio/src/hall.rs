//! One acceptor that hands connections out to several loops.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fcgi_listen::Listener;
use mio::unix::pipe;
use mio::{Events, Interest, Poll, Token};

use crate::accept::{Doors, Knock};
use crate::deferred::Shared;
use crate::settings::Settings;

/// Where the acceptor and its loops meet.
pub(crate) struct Hall {
    loops: Vec<Arc<Shared>>,
    /// How many connections each loop has.
    loads: Vec<AtomicUsize>,
    /// How many each may have.
    most: usize,
    /// Whether the acceptor waits for a loop with room.
    is_full: AtomicBool,
    is_over: AtomicBool,
    /// Whether the acceptor has gone, so that loops get nothing more.
    is_deserted: AtomicBool,
    sender: pipe::Sender,
}

impl Hall {
    pub(crate) fn new(
        loops: Vec<Arc<Shared>>,
        most: usize,
    ) -> io::Result<(Arc<Hall>, pipe::Receiver)> {
        let (sender, receiver) = pipe::new()?;
        let hall = Hall {
            loads: loops.iter().map(|_| AtomicUsize::new(0)).collect(),
            loops,
            most,
            is_full: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            is_deserted: AtomicBool::new(false),
            sender,
        };
        Ok((Arc::new(hall), receiver))
    }

    /// The loop with the fewest connections, if any has room.
    fn roomiest(&self) -> Option<usize> {
        let loads = self.loads.iter().map(|load| load.load(Ordering::SeqCst));
        let (load, index) = loads.zip(0..).min()?;
        (load < self.most).then_some(index)
    }

    /// A loop has one connection less.
    pub(crate) fn left(&self, index: usize) {
        self.loads[index].fetch_sub(1, Ordering::SeqCst);
        if self.is_full.swap(false, Ordering::SeqCst) {
            self.wake();
        }
    }

    /// Whether a loop has no connection, also none on its way, and will get none.
    pub(crate) fn is_free(&self, index: usize) -> bool {
        // In this order: what was handed over last is among the loads by then.
        self.is_deserted.load(Ordering::SeqCst) && self.loads[index].load(Ordering::SeqCst) == 0
    }

    /// Nothing more is accepted.
    pub(crate) fn close(&self) {
        self.is_over.store(true, Ordering::SeqCst);
        self.wake();
    }

    fn wake(&self) {
        // A full pipe wakes as well, and without an acceptor there is nobody to wake.
        let _ = (&self.sender).write(&[1]);
    }
}

/// Accepts in a thread that does nothing else, so that no handler can keep newcomers waiting.
pub(crate) struct Acceptor {
    poll: Poll,
    doors: Doors,
    hall: Arc<Hall>,
    receiver: pipe::Receiver,
    settings: Settings,
    rests_until: Option<Instant>,
}

/// The pipe's; the listeners have those behind it.
const BELL: Token = Token(0);

impl Acceptor {
    pub(crate) fn new(
        listeners: Vec<Listener>,
        hall: Arc<Hall>,
        mut receiver: pipe::Receiver,
        settings: &Settings,
    ) -> io::Result<Acceptor> {
        let poll = Poll::new()?;
        let registry = poll.registry();
        registry.register(&mut receiver, BELL, Interest::READABLE)?;
        let doors = Doors::open(listeners, settings, registry, |index| Token(1 + index))?;
        Ok(Acceptor {
            poll,
            doors,
            hall,
            receiver,
            settings: settings.clone(),
            rests_until: None,
        })
    }

    /// Accepts until the hall is closed.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(16);
        while !self.is_over() {
            self.accept();
            let now = Instant::now();
            let rest = self.rests_until.map(|at| at.saturating_duration_since(now));
            match self.poll.poll(&mut events, rest) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => result?,
            }
            if rest == Some(Duration::ZERO) {
                self.rests_until = None;
            }
            for event in &events {
                match event.token() {
                    BELL => while matches!(self.receiver.read(&mut [0; 64]), Ok(1..)) {},
                    Token(door) => self.doors.note(door - 1, event),
                }
            }
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.hall.is_over.load(Ordering::SeqCst)
    }

    fn accept(&mut self) {
        while self.rests_until.is_none() && self.doors.is_ready() && !self.is_over() {
            let Some(index) = self.hall.roomiest() else {
                self.hall.is_full.store(true, Ordering::SeqCst);
                // One may have left in between, and not have known.
                if self.hall.roomiest().is_some() {
                    continue;
                }
                return;
            };
            match self.doors.knock() {
                Knock::Guest(stream, peer) => {
                    self.hall.loads[index].fetch_add(1, Ordering::SeqCst);
                    self.hall.loops[index].hand(stream, peer);
                }
                Knock::Nobody => {}
                Knock::Trouble(incident, rest) => {
                    self.settings.tell(&incident);
                    self.rests_until = rest.map(|rest| Instant::now() + rest);
                }
            }
        }
    }
}

impl Drop for Acceptor {
    /// Loops that are about to end wait for this: until now, a connection may have been on its way
    /// to them.
    fn drop(&mut self) {
        self.hall.is_deserted.store(true, Ordering::SeqCst);
        self.hall.loops.iter().for_each(|shared| shared.nudge());
    }
}
