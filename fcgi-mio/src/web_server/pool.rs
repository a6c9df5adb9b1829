//! The connections to one application, and the requests that wait for one.

use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use fcgi_core::web_server::Values;
use fcgi_listen::{Address, Stream, is_shortage};
use slab::Slab;

use super::REQUESTS;
use super::call::Place;
use super::connection::{Conn, Phase};
use super::failure::Cause;
use super::io_state::{Io, Who, later};
use super::job::Job;

/// How long no connection is opened after one that could not be for the time being, in
/// milliseconds.
const REST: u64 = 20;

pub(super) struct Pool {
    pub(super) key: usize,
    pub(super) address: Rc<Address>,
    /// The keys of its connections.
    connections: Vec<usize>,
    /// Requests that go out again, and before whom nobody goes; then new ones. Each are in the order
    /// in which they began to wait.
    queues: [VecDeque<Job>; 2],
    question: Question,
    /// The most requests at a time on one connection.
    limit: usize,
    /// Until when no connection is opened.
    rests_until: Option<u64>,
    /// The earliest deadline that is in the heap.
    pub(super) planned: u64,
}

/// Whether the application was asked about multiplexing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Question {
    ToBeAsked,
    Asked,
    Answered,
}

impl Pool {
    pub(super) fn new(key: usize, address: Rc<Address>, multiplex: usize) -> Pool {
        let question = if multiplex > 1 {
            Question::ToBeAsked
        } else {
            Question::Answered
        };
        Pool {
            key,
            address,
            connections: Vec::new(),
            queues: Default::default(),
            question,
            limit: 1,
            rests_until: None,
            planned: u64::MAX,
        }
    }

    /// Whether nothing is lost with it.
    pub(super) fn is_idle(&self, io: &Io) -> bool {
        let knows_nothing = io.settings.multiplex == 1;
        knows_nothing && self.connections.is_empty() && !self.has_queue()
    }

    pub(super) fn has_queue(&self) -> bool {
        self.waiting() > 0
    }

    fn waiting(&self) -> usize {
        self.queues.iter().map(VecDeque::len).sum()
    }

    /// Whose turn it is.
    fn first(&self) -> Option<&Job> {
        self.queues.iter().find_map(VecDeque::front)
    }

    fn take_first(&mut self) -> Option<Job> {
        self.queues.iter_mut().find_map(VecDeque::pop_front)
    }

    /// The queue of the request that waits longest, and since when.
    fn longest(&mut self) -> Option<(u64, &mut VecDeque<Job>)> {
        let queues = self.queues.iter_mut();
        queues
            .filter_map(|queue| Some((queue.front()?.since, queue)))
            .min_by_key(|(since, _)| *since)
    }

    /// Takes a new request, and fails it when too many are waiting.
    pub(super) fn enqueue(&mut self, mut job: Job, io: &mut Io, connections: &mut Slab<Conn>) {
        job.since = io.now;
        job.state.place.set(Place::Queue(self.key));
        let [_, queue] = &mut self.queues;
        queue.push_back(job);
        self.serve(io, connections);
        let limit = io.settings.max_waiting;
        if self.waiting() > limit.saturating_add(self.coming(connections)) {
            let [_, queue] = &mut self.queues;
            if let Some(job) = queue.pop_back() {
                job.end(Err(Cause::QueueFull { limit }));
            }
        }
        self.plan(io);
    }

    /// Takes requests back that were on a connection. They do not wait behind new ones again.
    pub(super) fn take_back(&mut self, io: &mut Io) {
        let [again, _] = &mut self.queues;
        for mut job in io.returned.drain(..) {
            job.since = io.now;
            job.state.place.set(Place::Queue(self.key));
            again.push_back(job);
        }
    }

    /// Drops requests that nobody wants any more.
    pub(super) fn forget_unwanted(&mut self) {
        for queue in &mut self.queues {
            queue.retain_mut(|job| {
                if job.is_unwanted() {
                    job.give_up(None);
                }
                !job.is_given_up()
            });
        }
    }

    /// The application has said how many requests it takes on a connection.
    pub(super) fn learn(&mut self, values: Values, io: &Io) {
        self.question = Question::Answered;
        self.limit = match (values.mpxs_conns, values.max_reqs) {
            (Some(true), None) => io.settings.multiplex,
            (Some(true), Some(most)) => {
                let most = usize::try_from(most).unwrap_or(REQUESTS);
                most.clamp(1, io.settings.multiplex)
            }
            _ => 1,
        };
    }

    /// A connection is over.
    pub(super) fn lost(&mut self, conn: &Conn, io: &mut Io) {
        self.connections.retain(|&key| key != conn.key);
        let Phase::Broken(cause) = &conn.phase else {
            return;
        };
        if conn.has_opened {
            if conn.asks && self.question == Question::Asked {
                // It hung up on the question, or did not answer: then it gets none, and one request
                // at a time.
                self.question = Question::Answered;
            }
            return;
        }
        if self.question == Question::Asked {
            self.question = Question::ToBeAsked;
        }
        // Each attempt to connect that fails costs one request.
        if let Some(job) = self.take_first() {
            job.end(Err(cause.clone()));
        }
        self.plan(io);
    }

    /// Gives requests to connections that have room, and opens connections for the others.
    pub(super) fn serve(&mut self, io: &mut Io, connections: &mut Slab<Conn>) {
        while let Some(job) = self.first() {
            if let Some(key) = self.choose(job, connections) {
                if let (Some(job), Some(conn)) = (self.take_first(), connections.get_mut(key)) {
                    self.attach(job, conn, io);
                }
                continue;
            }
            let is_again = job.attempts > 0;
            let is_full = self.connections.len() >= io.settings.max_connections;
            if is_full && is_again {
                // It needs a fresh connection: kept ones may be as dead as the one that it was on.
                make_room(io, connections, |conn| conn.pool == self.key);
            }
            let is_resting = self.rests_until.is_some();
            let has_asked = self.question == Question::Asked;
            if is_full || is_resting || has_asked || self.waiting() <= self.coming(connections) {
                break;
            }
            let Err(error) = self.open(io, connections) else {
                continue;
            };
            if let Some(rest) = rest_after(&error, io, connections) {
                self.rests_until = Some(io.now + rest);
            } else if let Some(job) = self.take_first() {
                job.end(Err(Cause::Connect(Arc::new(error))));
            }
        }
        self.plan(io);
    }

    /// The connection with the fewest requests; of idle ones the one that was used last, so that
    /// those which are not needed come to their end.
    fn choose(&self, job: &Job, connections: &Slab<Conn>) -> Option<usize> {
        let all = self
            .connections
            .iter()
            .filter_map(|&key| connections.get(key));
        all.filter(|conn| conn.takes(job) && conn.jobs.len() < self.limit)
            .min_by_key(|conn| (conn.jobs.len(), u64::MAX - conn.since))
            .map(|conn| conn.key)
    }

    fn attach(&mut self, mut job: Job, conn: &mut Conn, io: &mut Io) {
        job.state.place.set(Place::Connection(conn.key));
        job.since = io.now;
        job.attempts += 1;
        job.was_kept = conn.has_served;
        conn.limit = self.limit;
        conn.is_last |= !job.request.keep_conn;
        conn.jobs.push(job);
        conn.queue(io);
    }

    /// How many requests will find room without anything else being done.
    fn coming(&self, connections: &Slab<Conn>) -> usize {
        let all = self
            .connections
            .iter()
            .filter_map(|&key| connections.get(key));
        let opening = |conn: &&Conn| matches!(conn.phase, Phase::Connecting(_) | Phase::Asking);
        all.filter(opening).count() * self.limit
    }

    fn open(&mut self, io: &mut Io, connections: &mut Slab<Conn>) -> io::Result<()> {
        if connections.len() >= io.tokens {
            let why = "no token is left for another connection";
            return Err(io::Error::new(io::ErrorKind::QuotaExceeded, why));
        }
        let mut attempts = Stream::dial(&self.address)?;
        let mut last = io::Error::new(io::ErrorKind::AddrNotAvailable, "the name has no address");
        let stream = loop {
            match attempts.next() {
                Some(Ok(stream)) => break stream,
                Some(Err(error)) => last = error,
                None => return Err(last),
            }
        };
        let entry = connections.vacant_entry();
        let key = entry.key();
        io.register(key, &stream)?;
        let is_there = matches!(stream, Stream::Unix(_));
        let mut conn = Conn::new(key, self.key, stream, Box::new(attempts));
        conn.since = io.now;
        conn.asks = self.question == Question::ToBeAsked;
        if conn.asks {
            self.question = Question::Asked;
        }
        if is_there {
            conn.connected();
        }
        conn.planned = later(io.now, io.settings.connect_timeout);
        conn.queue(io);
        io.plan(conn.planned, Who::Connection(key));
        io.counters.opened += 1;
        self.connections.push(key);
        entry.insert(conn);
        Ok(())
    }

    /// What has to be done at this moment.
    pub(super) fn expire(&mut self, io: &mut Io, connections: &mut Slab<Conn>) {
        self.planned = u64::MAX;
        if self.rests_until.is_some_and(|until| until <= io.seen_until) {
            self.rests_until = None;
        }
        self.serve(io, connections);
        while let Some((since, queue)) = self.longest() {
            if later(since, io.settings.queue_timeout) > io.seen_until {
                break;
            }
            if let Some(job) = queue.pop_front() {
                io.counters.timed_out += 1;
                job.end(Err(Cause::NoRoomInTime));
            }
        }
        self.plan(io);
    }

    fn plan(&mut self, io: &mut Io) {
        let longest = self.longest().map(|(since, _)| since);
        let due = longest.map(|since| later(since, io.settings.queue_timeout));
        let rest = self.rests_until.filter(|_| longest.is_some());
        if let Some(at) = due.into_iter().chain(rest).min() {
            if at < self.planned {
                self.planned = at;
                io.plan(at, Who::Pool(self.key));
            }
        }
    }

    /// Everything that waits, for the last time.
    pub(super) fn take_queues(&mut self) -> impl Iterator<Item = Job> + use<> {
        std::mem::take(&mut self.queues).into_iter().flatten()
    }
}

/// How long to wait before another connection is opened, in milliseconds; `None` if the error will
/// not pass by that. Where other connections have what a new one needs, one that rests makes room.
fn rest_after(error: &io::Error, io: &mut Io, connections: &mut Slab<Conn>) -> Option<u64> {
    let is_shortage = error.kind() == io::ErrorKind::QuotaExceeded || is_shortage(error);
    if is_shortage && make_room(io, connections, |_| true) {
        return Some(1);
    }
    let is_full = error.kind() == io::ErrorKind::WouldBlock;
    (is_full || is_shortage && !connections.is_empty()).then_some(REST)
}

/// Has the connection closed that rests longest of those, unless one is being closed; whether there
/// is any.
fn make_room(io: &mut Io, connections: &mut Slab<Conn>, of: impl Fn(&Conn) -> bool) -> bool {
    let resting = connections.iter_mut().map(|(_, conn)| conn);
    let resting = resting.filter(|conn| conn.is_resting() && of(conn));
    let Some(conn) = resting.min_by_key(|conn| (!conn.is_last, conn.since)) else {
        return false;
    };
    conn.is_last = true;
    conn.queue(io);
    true
}
