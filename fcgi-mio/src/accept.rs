//! Taking connections in.

use std::io;

use fcgi_core::application::Connection;
use fcgi_listen::{AcceptAction, Listener, Peer, Stream};

use crate::Incident;
use crate::connection::{Conn, Phase};
use crate::deferred::Place;
use crate::event_loop::Loop;
use crate::service::Service;

/// So many connections are accepted before others have their turn.
const ACCEPTS: usize = 64;

/// A listener, and whether somebody may be waiting there.
pub(crate) struct Door {
    pub(crate) listener: Listener,
    pub(crate) is_ready: bool,
}

impl<S: Service> Loop<S> {
    pub(crate) fn may_accept(&self) -> bool {
        self.stop_until.is_none()
            && self.paused_until.is_none()
            && self.connections.len() < self.io.settings.max_connections
            && self.listeners.iter().any(|door| door.is_ready)
    }

    /// Accepts connections and serves each at once: its first request is often there already.
    pub(crate) fn accept(&mut self) {
        for _ in 0..ACCEPTS {
            if !self.may_accept() {
                return;
            }
            let Some(index) = self.listeners.iter().position(|door| door.is_ready) else {
                return;
            };
            match self.listeners[index].listener.accept() {
                Ok((stream, peer)) => {
                    self.backoff.reset();
                    self.admit(stream, peer);
                }
                Err(error) => self.accept_failed(index, error),
            }
        }
    }

    fn accept_failed(&mut self, index: usize, error: io::Error) {
        match AcceptAction::for_error(&error) {
            AcceptAction::Retry => return,
            AcceptAction::WouldBlock => {
                self.listeners[index].is_ready = false;
                return;
            }
            AcceptAction::Pause => {
                // It stays ready: whoever waits there causes no further event.
                self.paused_until = Some(self.io.after(self.backoff.pause()));
            }
            AcceptAction::Fatal => self.listeners[index].is_ready = false,
        }
        self.io.report(&Incident::Accept(error));
    }

    fn admit(&mut self, stream: Stream, peer: Peer) {
        if !self.allowed.allows(&peer) {
            self.io.report(&Incident::Stranger(peer));
            return;
        }
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
            is_queued: false,
            is_clean: true,
            is_held: false,
            is_paused: false,
        });
        self.turn(key);
    }
}
