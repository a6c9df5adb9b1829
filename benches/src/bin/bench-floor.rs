//! The floor: what the kernel alone costs, and the least that a responder can add to it.
//!
//! One thread, edge-triggered. It looks at record headers to know where requests end and which ids
//! they have, and writes an answer that was made before. It checks nothing, hands nothing to
//! anybody, has no limits and no deadlines, and uses none of our crates; a peer that breaks the
//! protocol gets nonsense.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, OwnedFd};

use fcgi_benches::serving::{Arguments, HEAD, TEXT, Workload, body};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with};
use slab::Slab;

/// What the canned page says instead of looking the parameter up.
const URI: &str = "/cart.fcgi/items/4711?view=list&sort=price&page=2";

/// What the canned answer says instead of counting.
const UPLOADED: &str = "1048576";

const LISTENER: u64 = u64::MAX;
const BUFFER: usize = 64 * 1024;
const EVENTS: usize = 1024;
/// So many answers go out in one write.
const PIECES: usize = 16;

fn main() -> io::Result<()> {
    let arguments = Arguments::from_env().map_err(io::Error::other)?;
    let listener = io::stdin().as_fd().try_clone_to_owned()?;
    rustix::io::ioctl_fionbio(&listener, true)?;
    let mut floor = Floor {
        epoll: epoll::create(CreateFlags::CLOEXEC)?,
        listener,
        connections: Slab::new(),
        answers: Answers::new(arguments.workload),
        buffer: vec![0; BUFFER],
    };
    epoll::add(
        &floor.epoll,
        &floor.listener,
        EventData::new_u64(LISTENER),
        EventFlags::IN,
    )?;
    let mut events = Vec::with_capacity(EVENTS);
    loop {
        match epoll::wait(&floor.epoll, spare_capacity(&mut events), None) {
            Err(Errno::INTR) => continue,
            result => result?,
        };
        for event in events.drain(..) {
            let (key, flags) = (event.data.u64(), event.flags);
            match usize::try_from(key) {
                Ok(key) if event.data.u64() != LISTENER => {
                    let end = EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR;
                    floor.ready(key, flags.intersects(end))?;
                }
                _ => floor.accept()?,
            }
        }
    }
}

struct Floor {
    epoll: OwnedFd,
    listener: OwnedFd,
    connections: Slab<Connection>,
    answers: Answers,
    buffer: Vec<u8>,
}

impl Floor {
    fn accept(&mut self) -> io::Result<()> {
        loop {
            match accept_with(&self.listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
                Ok(stream) => {
                    let mut connection = Connection::new(stream);
                    // Its request is often there, so that it need not be waited for.
                    if connection.turn(&mut self.buffer, &mut self.answers, false) == Turn::Waits {
                        self.register(connection)?;
                    }
                }
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn register(&mut self, mut connection: Connection) -> io::Result<()> {
        let entry = self.connections.vacant_entry();
        let flags = connection.waits_for();
        let data = EventData::new_u64(entry.key() as u64);
        epoll::add(&self.epoll, &connection.stream, data, flags)?;
        connection.registered = flags;
        entry.insert(connection);
        Ok(())
    }

    fn ready(&mut self, key: usize, to_end: bool) -> io::Result<()> {
        let Some(connection) = self.connections.get_mut(key) else {
            return Ok(());
        };
        if connection.turn(&mut self.buffer, &mut self.answers, to_end) == Turn::Over {
            self.connections.remove(key);
            return Ok(());
        }
        let flags = connection.waits_for();
        if flags != connection.registered {
            connection.registered = flags;
            let data = EventData::new_u64(key as u64);
            epoll::modify(&self.epoll, &connection.stream, data, flags)?;
        }
        Ok(())
    }
}

struct Connection {
    stream: OwnedFd,
    scan: Scan,
    /// The ids whose answers are to be sent, and how much of the first one is.
    outbox: VecDeque<u16>,
    sent: usize,
    registered: EventFlags,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Waits,
    Over,
}

impl Connection {
    fn new(stream: OwnedFd) -> Connection {
        Connection {
            stream,
            scan: Scan::default(),
            outbox: VecDeque::new(),
            sent: 0,
            registered: EventFlags::empty(),
        }
    }

    /// Once writing had to wait, it is always waited for, too: that saves a call each time.
    fn waits_for(&self) -> EventFlags {
        let read = EventFlags::IN | EventFlags::RDHUP | EventFlags::ET;
        if self.outbox.is_empty() {
            read | self.registered
        } else {
            read | EventFlags::OUT
        }
    }

    /// Reads and answers until there is nothing to read or no room to write.
    fn turn(&mut self, buffer: &mut [u8], answers: &mut Answers, to_end: bool) -> Turn {
        let mut is_drained = false;
        loop {
            match self.flush(answers) {
                Ok(true) if self.scan.ended && !self.scan.keep => return Turn::Over,
                Ok(true) if !is_drained => {}
                Ok(_) => return Turn::Waits,
                Err(_) => return Turn::Over,
            }
            let length = match rustix::io::read(&self.stream, &mut *buffer) {
                Ok(0) => return Turn::Over,
                Ok(length) => length,
                Err(Errno::AGAIN) => return Turn::Waits,
                Err(Errno::INTR) => continue,
                Err(_) => return Turn::Over,
            };
            let mut input = &buffer[..length];
            while let Some(id) = self.scan.next_end(&mut input) {
                answers.make(id);
                self.outbox.push_back(id);
            }
            is_drained = length < buffer.len() && !to_end;
        }
    }

    /// Sends what is taken; whether that was all.
    fn flush(&mut self, answers: &Answers) -> rustix::io::Result<bool> {
        while let Some(first) = self.outbox.front() {
            let first = &answers.of(*first)[self.sent..];
            let written = if self.outbox.len() == 1 {
                rustix::io::write(&self.stream, first)
            } else {
                let mut pieces = [IoSlice::new(&[]); PIECES];
                let mut count = 0;
                for (piece, id) in pieces.iter_mut().zip(&self.outbox) {
                    *piece = IoSlice::new(answers.of(*id));
                    count += 1;
                }
                pieces[0] = IoSlice::new(first);
                rustix::io::writev(&self.stream, &pieces[..count])
            };
            match written {
                Ok(length) => self.advance(length, answers),
                Err(Errno::AGAIN) => return Ok(false),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    fn advance(&mut self, length: usize, answers: &Answers) {
        self.sent += length;
        while let Some(first) = self.outbox.front() {
            let length = answers.of(*first).len();
            if self.sent < length {
                return;
            }
            self.sent -= length;
            self.outbox.pop_front();
        }
    }
}

/// Where the input stands.
#[derive(Default)]
struct Scan {
    /// A header, or the content of BEGIN_REQUEST.
    bytes: [u8; 8],
    filled: usize,
    in_begin: bool,
    /// What is left of contents and padding that nobody looks at.
    skip: usize,
    /// What the last request said about its connection.
    keep: bool,
    /// Whether a request has come whole.
    ended: bool,
}

impl Scan {
    /// The id of the next request that ends in `input`.
    fn next_end(&mut self, input: &mut &[u8]) -> Option<u16> {
        loop {
            let skipped = self.skip.min(input.len());
            *input = &input[skipped..];
            self.skip -= skipped;
            let taken = (8 - self.filled).min(input.len());
            let (piece, rest) = input.split_at(taken);
            self.bytes[self.filled..self.filled + taken].copy_from_slice(piece);
            *input = rest;
            self.filled += taken;
            if self.filled < 8 {
                return None;
            }
            self.filled = 0;
            if self.in_begin {
                self.in_begin = false;
                self.keep = self.bytes[2] & 1 == 1;
                continue;
            }
            let [_, kind, id_high, id_low, high, low, padding, _] = self.bytes;
            let content = u16::from_be_bytes([high, low]);
            self.skip = usize::from(content) + usize::from(padding);
            match kind {
                // BEGIN_REQUEST: its eight bytes of content are the next ones.
                1 => {
                    self.in_begin = true;
                    self.skip = 0;
                }
                // The end of STDIN.
                5 if content == 0 => {
                    self.ended = true;
                    return Some(u16::from_be_bytes([id_high, id_low]));
                }
                _ => {}
            }
        }
    }
}

/// The bytes of the answer, for each id that was seen.
struct Answers {
    stdout: Vec<u8>,
    made: Vec<Vec<u8>>,
}

impl Answers {
    fn new(workload: Workload) -> Answers {
        let body = match workload {
            Workload::Page => [URI, TEXT].concat().into_bytes(),
            Workload::Body(length) => body(length),
            Workload::Upload => UPLOADED.into(),
        };
        Answers {
            stdout: [HEAD.as_bytes(), &body].concat(),
            made: Vec::new(),
        }
    }

    fn of(&self, id: u16) -> &[u8] {
        &self.made[usize::from(id)]
    }

    fn make(&mut self, id: u16) {
        let index = usize::from(id);
        if self.made.len() <= index {
            self.made.resize(index + 1, Vec::new());
        }
        if self.made[index].is_empty() {
            self.made[index] = records(id, &self.stdout);
        }
    }
}

/// STDOUT, its end, and END_REQUEST.
fn records(id: u16, stdout: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Long records hold a multiple of eight bytes, and the last one is padded to it.
    for content in stdout.chunks(65_528) {
        // At most 65,528, which fits.
        record(&mut bytes, 6, id, content);
    }
    record(&mut bytes, 6, id, &[]);
    record(&mut bytes, 3, id, &[0; 8]);
    bytes
}

fn record(bytes: &mut Vec<u8>, kind: u8, id: u16, content: &[u8]) {
    let [id_high, id_low] = id.to_be_bytes();
    let length = content.len() as u64;
    let [.., high, low] = length.to_be_bytes();
    let padding = content.len().next_multiple_of(8) - content.len();
    let [.., padding_length] = (padding as u64).to_be_bytes();
    bytes.extend([1, kind, id_high, id_low, high, low, padding_length, 0]);
    bytes.extend(content);
    bytes.resize(bytes.len() + padding, 0);
}
