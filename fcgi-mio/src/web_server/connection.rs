//! One connection to an application.

use std::io;

use fcgi_core::web_server::{Connection, Values};
use fcgi_listen::Stream;

use super::REQUESTS;
use super::failure::Cause;
use super::io_state::Io;
use super::job::Job;

/// The addresses of a name that have not been tried yet.
pub(super) type Attempts = Box<dyn Iterator<Item = io::Result<Stream>>>;

pub(super) enum Phase {
    Connecting(Attempts),
    /// GET_VALUES has been sent, or is in the outbox.
    Asking,
    Open,
    /// It is of no use any more, and why.
    Broken(Cause),
}

/// One connection. Without a request it has no buffers.
pub(super) struct Conn {
    pub(super) key: usize,
    pub(super) pool: usize,
    pub(super) stream: Stream,
    pub(super) phase: Phase,
    pub(super) machine: Connection<REQUESTS>,
    pub(super) jobs: Vec<Job>,
    /// Records on their way, of which `sent` bytes are out.
    pub(super) outbox: Vec<u8>,
    pub(super) sent: usize,
    /// When the socket last took or gave something, or something began to wait for it.
    pub(super) moved: u64,
    /// Input that had to wait for a receiver, from `rest_at` on.
    pub(super) rest: Vec<u8>,
    pub(super) rest_at: usize,
    /// What the application said of itself, until the pool has heard it.
    pub(super) values: Option<Values>,
    /// The most requests at a time.
    pub(super) limit: usize,
    /// Whose turn it is to be sent.
    pub(super) next: usize,
    /// When it was opened, or when its last request ended.
    pub(super) since: u64,
    /// The earliest deadline that is in the heap.
    pub(super) planned: u64,
    /// Whether the application is asked about multiplexing first.
    pub(super) asks: bool,
    /// Whether the application has taken it.
    pub(super) has_opened: bool,
    /// Whether a request has ended on it.
    pub(super) has_served: bool,
    /// Whether it takes no more requests.
    pub(super) is_last: bool,
    /// Whether what is written cannot arrive any more.
    pub(super) is_deaf: bool,
    pub(super) is_readable: bool,
    pub(super) is_writable: bool,
    /// Whether the end of its input is known to come.
    pub(super) is_ending: bool,
    pub(super) is_queued: bool,
}

impl Conn {
    pub(super) fn new(key: usize, pool: usize, stream: Stream, attempts: Attempts) -> Conn {
        Conn {
            key,
            pool,
            stream,
            phase: Phase::Connecting(attempts),
            machine: Connection::new(),
            jobs: Vec::new(),
            outbox: Vec::new(),
            sent: 0,
            moved: 0,
            rest: Vec::new(),
            rest_at: 0,
            values: None,
            limit: 1,
            next: 0,
            since: 0,
            planned: u64::MAX,
            asks: false,
            has_opened: false,
            has_served: false,
            is_last: false,
            is_deaf: false,
            is_readable: false,
            is_writable: false,
            is_ending: false,
            is_queued: false,
        }
    }

    /// Has its turn come without an event.
    pub(super) fn queue(&mut self, io: &mut Io) {
        if !self.is_queued {
            self.is_queued = true;
            io.ready.push_back(self.key);
        }
    }

    pub(super) fn waiting(&self) -> usize {
        self.outbox.len() - self.sent
    }

    pub(super) fn is_broken(&self) -> bool {
        matches!(self.phase, Phase::Broken(_))
    }

    /// Whether it stands and is of use.
    pub(super) fn is_connected(&self) -> bool {
        matches!(self.phase, Phase::Asking | Phase::Open)
    }

    /// The application has taken the connection.
    pub(super) fn connected(&mut self) {
        (self.has_opened, self.is_writable) = (true, true);
        self.phase = Phase::Open;
        if self.asks {
            self.outbox.extend_from_slice(&self.machine.get_values());
            self.phase = Phase::Asking;
        }
    }

    /// Only the first cause counts.
    pub(super) fn fail(&mut self, cause: Cause) {
        if !self.is_broken() {
            self.phase = Phase::Broken(cause);
        }
    }

    /// Whether a request can be given to it.
    pub(super) fn takes(&self, job: &Job) -> bool {
        let has_place = self.jobs.len() < self.limit && !self.is_paused();
        let shares = job.request.keep_conn && has_place;
        let has_room = self.jobs.is_empty() || shares;
        let is_fresh = job.attempts == 0 || !self.has_served;
        has_room && is_fresh && !self.is_last && matches!(self.phase, Phase::Open)
    }

    /// Whether a receiver has to take something before more is read.
    pub(super) fn is_paused(&self) -> bool {
        self.jobs.iter().any(|job| job.is_paused)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.jobs.is_empty() && self.waiting() == 0 && self.rest.is_empty()
    }

    /// Whether nobody has any use of it at the moment.
    pub(super) fn is_resting(&self) -> bool {
        self.is_idle() && matches!(self.phase, Phase::Open)
    }

    pub(super) fn has_output(&self) -> bool {
        self.waiting() > 0 || self.jobs.iter().any(Job::has_output)
    }

    /// Whether there is something to do before the next event.
    pub(super) fn can_go_on(&self) -> bool {
        let parses = !self.rest.is_empty() || self.is_readable;
        let reads = parses && !self.is_paused();
        let writes = self.is_writable && !self.is_deaf && self.has_output();
        self.is_connected() && (reads || writes)
    }
}

#[cfg(test)]
mod tests {
    use super::Conn;

    #[test]
    fn an_idle_connection_is_small() {
        assert!(size_of::<Conn>() <= 384, "{}", size_of::<Conn>());
    }
}
