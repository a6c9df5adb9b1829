//! One output stream on its way to its sink.

use std::io;
use std::os::fd::BorrowedFd;

use rustix::fs::{FileType, OFlags, fcntl_getfl, fstat};
use rustix::io::Errno;

use super::Sink;

/// With more than this waiting, the application has to wait too.
const HIGH: usize = 64 * 1024;

/// What a descriptor that is ready takes without blocking, if it blocks otherwise: a pipe counts as
/// ready when there is room for one page (PIPE_BUF).
const CAREFUL: usize = 4096;

/// A sink, and what it has not taken yet.
pub(super) struct Outlet<'a> {
    sink: Option<Sink<'a>>,
    queue: Vec<u8>,
    taken: usize,
    /// How much is written at once.
    most: usize,
}

impl<'a> Outlet<'a> {
    pub(super) fn new(sink: Sink<'a>) -> Outlet<'a> {
        let most = match &sink {
            Sink::Descriptor(fd) if !may_block(*fd) => HIGH,
            _ => CAREFUL,
        };
        Outlet {
            sink: Some(sink),
            queue: Vec::new(),
            taken: 0,
            most,
        }
    }

    /// Gives bytes to a writer, or queues them for a descriptor; how many were taken at once.
    pub(super) fn put(&mut self, bytes: &[u8]) -> io::Result<u64> {
        match &mut self.sink {
            Some(Sink::Writer(writer)) => {
                writer.write_all(bytes)?;
                Ok(bytes.len() as u64)
            }
            Some(Sink::Descriptor(_)) => {
                self.queue.extend_from_slice(bytes);
                Ok(0)
            }
            None => Ok(0),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.taken == self.queue.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.queue.len() - self.taken >= HIGH
    }

    /// The descriptor, if the sink is one.
    pub(super) fn fd(&self) -> Option<BorrowedFd<'a>> {
        match self.sink {
            Some(Sink::Descriptor(fd)) => Some(fd),
            Some(Sink::Writer(_)) | None => None,
        }
    }

    /// Writes once of what waits, to a descriptor that is ready; how many bytes it took.
    pub(super) fn write(&mut self) -> io::Result<u64> {
        let Some(fd) = self.fd() else {
            return Ok(0);
        };
        let waiting = &self.queue[self.taken..];
        let piece = &waiting[..waiting.len().min(self.most)];
        let count = match rustix::io::write(fd, piece) {
            Ok(count) => count,
            Err(Errno::INTR | Errno::AGAIN) => return Ok(0),
            Err(errno) => return Err(errno.into()),
        };
        self.taken += count;
        if self.is_empty() {
            self.queue.clear();
            self.taken = 0;
        } else if self.taken >= HIGH {
            self.queue.drain(..self.taken);
            self.taken = 0;
        }
        Ok(count as u64)
    }

    /// Nothing more goes to the sink, and what waits is dropped.
    pub(super) fn close(&mut self) {
        self.sink = None;
        self.queue.clear();
        self.taken = 0;
    }

    /// Makes a writer pass on what it holds back.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        match &mut self.sink {
            Some(Sink::Writer(writer)) => writer.flush(),
            Some(Sink::Descriptor(_)) | None => Ok(()),
        }
    }
}

/// Whether a write may wait for a reader: not on regular files, nor if the descriptor was told not
/// to.
fn may_block(fd: BorrowedFd<'_>) -> bool {
    let is_file =
        fstat(fd).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile);
    let is_told = fcntl_getfl(fd).is_ok_and(|flags| flags.contains(OFlags::NONBLOCK));
    !is_file && !is_told
}
