//! Taking connections in.

use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;

use fcgi_core::application::Connection;
use fcgi_listen::{AcceptAction, Backoff, Listener, Peer, Stream, WebServerAddrs};
use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};

use crate::Incident;
use crate::connection::{Conn, Phase};
use crate::deferred::Place;
use crate::event_loop::Loop;
use crate::io_state::Stop;
use crate::service::Service;
use crate::settings::Settings;

/// So many connections are accepted before others have their turn.
const ACCEPTS: usize = 64;

/// Listeners, and who may come in.
pub(crate) struct Doors {
    doors: Vec<Door>,
    /// At which one to knock first.
    next: usize,
    allowed: WebServerAddrs,
    backoff: Backoff,
}

struct Door {
    listener: Listener,
    outside: Outside,
}

/// Who waits at a door.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outside {
    Nobody,
    /// Perhaps somebody.
    Somebody,
    /// Perhaps somebody, and then nobody any more: another process has shut the listener down.
    TheLast,
    /// Nobody any more, and that is known.
    NoMore,
}

impl Door {
    fn is_ready(&self) -> bool {
        matches!(self.outside, Outside::Somebody | Outside::TheLast)
    }
}

/// What one look at a door gave.
pub(crate) enum Knock {
    /// A connection of somebody who may come in.
    Guest(Stream, Peer),
    /// Nobody; perhaps at another door.
    Nobody,
    /// Something to report, after which accepting may have to rest.
    Trouble(Incident, Option<Duration>),
}

impl Doors {
    /// Registers the listeners, which are made non-blocking.
    pub(crate) fn open(
        listeners: Vec<Listener>,
        settings: &Settings,
        registry: &Registry,
        token: impl Fn(usize) -> Token,
    ) -> io::Result<Doors> {
        let allowed = match settings.allowed.clone() {
            Some(allowed) => allowed,
            None => WebServerAddrs::from_env()?,
        };
        for (index, listener) in listeners.iter().enumerate() {
            listener.set_nonblocking(true)?;
            let socket = listener.as_raw_fd();
            registry.register(&mut SourceFd(&socket), token(index), Interest::READABLE)?;
        }
        let doors = listeners.into_iter().map(|listener| Door {
            listener,
            outside: Outside::Somebody,
        });
        Ok(Doors {
            doors: doors.collect(),
            next: 0,
            allowed,
            backoff: Backoff::new(),
        })
    }

    /// Notes that somebody has come, or nobody will.
    pub(crate) fn note(&mut self, index: usize, event: &Event) {
        match self.doors.get_mut(index) {
            Some(door) if door.outside != Outside::NoMore => {
                door.outside = match event.is_read_closed() {
                    true => Outside::TheLast,
                    false => Outside::Somebody,
                };
            }
            _ => {}
        }
    }

    /// Whether somebody may be waiting.
    pub(crate) fn is_ready(&self) -> bool {
        self.doors.iter().any(Door::is_ready)
    }

    /// Accepts a connection, if there is one.
    pub(crate) fn knock(&mut self) -> Knock {
        // One after the other, so that a crowd at one door keeps nobody waiting at another.
        let count = self.doors.len();
        let mut turns = (self.next..self.next + count).map(|turn| turn % count);
        let Some(at) = turns.find(|&at| self.doors[at].is_ready()) else {
            return Knock::Nobody;
        };
        self.next = at + 1;
        let door = &mut self.doors[at];
        let error = match door.listener.accept() {
            Ok((stream, peer)) => {
                self.backoff.reset();
                // Of a peer that cannot be told nothing is known that would let it in.
                if self.allowed.admits(&stream, &peer).unwrap_or(false) {
                    return Knock::Guest(stream, peer);
                }
                return Knock::Trouble(Incident::Stranger(peer), None);
            }
            Err(error) => error,
        };
        match AcceptAction::for_error(&error) {
            AcceptAction::Retry => Knock::Nobody,
            // What accept(2) says at a unix socket that was shut down, too.
            AcceptAction::WouldBlock if door.outside == Outside::TheLast => {
                door.outside = Outside::NoMore;
                let error = io::Error::other("the listener was shut down");
                Knock::Trouble(Incident::Accept(error), None)
            }
            AcceptAction::WouldBlock => {
                door.outside = Outside::Nobody;
                Knock::Nobody
            }
            AcceptAction::Pause => {
                // It stays ready: whoever waits there causes no further event.
                let rest = self.backoff.pause();
                Knock::Trouble(Incident::Accept(error), Some(rest))
            }
            AcceptAction::Fatal => {
                door.outside = Outside::NoMore;
                Knock::Trouble(Incident::Accept(error), None)
            }
        }
    }

    /// Closes them. Connections that wait there are refused; other processes may share the sockets.
    pub(crate) fn close(&mut self, registry: &Registry) {
        for door in self.doors.drain(..) {
            let socket = door.listener.as_raw_fd();
            let _ = registry.deregister(&mut SourceFd(&socket));
        }
    }
}

impl<S: Service> Loop<S> {
    pub(crate) fn may_accept(&self) -> bool {
        self.io.stop == Stop::Off
            && self.paused_until.is_none()
            && self.connections.len() < self.io.settings.max_connections
            && self.doors.is_ready()
    }

    /// Accepts connections and serves each at once: its first request is often there already.
    pub(crate) fn accept(&mut self) {
        for _ in 0..ACCEPTS {
            if !self.may_accept() {
                return;
            }
            match self.doors.knock() {
                Knock::Guest(stream, peer) => self.admit(stream, peer),
                Knock::Nobody => {}
                Knock::Trouble(incident, rest) => {
                    self.io.report(&incident);
                    self.paused_until = rest.map(|rest| self.io.after(rest));
                }
            }
        }
    }

    pub(crate) fn admit(&mut self, stream: Stream, peer: Peer) {
        self.io.shared.cells.accepted.add(1);
        let entry = self.connections.vacant_entry();
        let key = entry.key();
        let place = Place::new(key, self.next_generation);
        self.next_generation = self.next_generation.wrapping_add(1);
        entry.insert(Conn {
            stream,
            peer,
            machine: Connection::new(),
            active: None,
            place,
            due: u64::MAX,
            planned: u64::MAX,
            drain_left: 0,
            phase: Phase::Open,
            is_registered: false,
            is_readable: true,
            is_writable: true,
            is_ended: false,
            is_ending: false,
            is_hung_up: false,
            rests_in_stop: self.io.stop == Stop::Begun,
            is_queued: false,
            is_clean: true,
            is_held: false,
            is_paused: false,
        });
        self.turn(key);
    }
}
