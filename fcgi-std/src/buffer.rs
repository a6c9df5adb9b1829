//! Bytes on their way in and out of one connection.

use std::io::{self, IoSlice, Read, Write};

use fcgi_listen::Stream;

/// Bytes that were read: a piece of a stream that is being handed out, then what was not parsed
/// yet.
///
/// ```text
///   bytes  [ used | held piece | unread | room ]
///                              ^ start  ^ end
/// ```
///
/// The storage is initialised once and then reused, so that reading costs no clearing.
#[derive(Default)]
pub(crate) struct Input {
    bytes: Vec<u8>,
    held: usize,
    start: usize,
    end: usize,
}

/// What one attempt to read gave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Filled {
    /// Bytes; `drained` when there was room for more than came, so that nothing else is waiting
    /// now.
    Bytes { drained: bool },
    /// Nothing is waiting.
    WouldBlock,
    /// The peer has closed its side.
    End,
    /// There is no room: use what is there first.
    Full,
}

impl Input {
    /// The size of an input while a request runs, in bytes.
    pub(crate) const SIZE: usize = 64 * 1024;

    /// What was not parsed yet.
    pub(crate) fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Whether there is nothing at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.held == 0 && self.start == self.end
    }

    /// Forgets what was read.
    pub(crate) fn clear(&mut self) {
        (self.held, self.start, self.end) = (0, 0, 0);
    }

    /// Whether this is storage worth keeping for another connection: there, and of the usual size.
    pub(crate) fn is_reusable(&self) -> bool {
        self.bytes.len() == Input::SIZE
    }

    /// Everything has been parsed up to the last `left` bytes, and the last `held` of it are a
    /// piece to be handed out.
    pub(crate) fn parsed(&mut self, left: usize, held: usize) {
        self.start = self.end - left;
        self.held = held;
    }

    /// The piece that is being handed out.
    pub(crate) fn held(&self) -> &[u8] {
        &self.bytes[self.start - self.held..self.start]
    }

    /// The first `count` bytes of the piece were handed out.
    pub(crate) fn release(&mut self, count: usize) {
        self.held -= count;
    }

    /// Reads once, without waiting, growing up to `most` bytes.
    pub(crate) fn fill(&mut self, mut stream: &Stream, most: usize) -> io::Result<Filled> {
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
        }
        if self.end == self.bytes.len() {
            self.make_room(most);
        }
        let room = &mut self.bytes[self.end..];
        if room.is_empty() {
            return Ok(Filled::Full);
        }
        loop {
            match stream.read(room) {
                Ok(0) => return Ok(Filled::End),
                Ok(count) => {
                    self.end += count;
                    return Ok(Filled::Bytes {
                        drained: count < room.len(),
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Filled::WouldBlock);
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn make_room(&mut self, most: usize) {
        let used = self.start - self.held;
        if used > 0 {
            self.bytes.copy_within(used..self.end, 0);
            self.start -= used;
            self.end -= used;
        } else if self.bytes.len() < most {
            let larger = (self.bytes.len() * 2).clamp(Input::SIZE.min(most), most);
            self.bytes.resize(larger, 0);
        }
    }
}

/// Bytes that the kernel did not take yet.
#[derive(Default)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    sent: usize,
}

impl Outbox {
    /// With more than this waiting, whoever produces output has to wait too.
    pub(crate) const HIGH: usize = 64 * 1024;

    /// With more than this waiting, which takes many answers to questions (§4) behind output,
    /// nothing more is parsed.
    pub(crate) const FULL: usize = 4 * Outbox::HIGH;

    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.sent
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Queues bytes behind those that wait.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Sends the parts at once if nothing waits before them, without a copy; queues what the kernel
    /// does not take.
    pub(crate) fn send(&mut self, mut stream: &Stream, parts: &[&[u8]]) -> io::Result<()> {
        let mut sent = 0;
        if self.is_empty() {
            let mut slices = [IoSlice::new(&[]); 8];
            for (slice, part) in slices.iter_mut().zip(parts) {
                *slice = IoSlice::new(part);
            }
            sent = without_waiting(|| stream.write_vectored(&slices[..parts.len().min(8)]))?;
        }
        for part in parts {
            let gone = sent.min(part.len());
            sent -= gone;
            self.push(&part[gone..]);
        }
        Ok(())
    }

    /// Sends what waits, as far as the kernel takes it now; how many bytes that were.
    pub(crate) fn flush(&mut self, mut stream: &Stream) -> io::Result<usize> {
        let mut total = 0;
        while !self.is_empty() {
            let sent = without_waiting(|| stream.write(&self.bytes[self.sent..]))?;
            if sent == 0 {
                break;
            }
            self.sent += sent;
            total += sent;
        }
        if self.is_empty() {
            self.sent = 0;
            self.bytes.clear();
            self.bytes.shrink_to(Outbox::HIGH);
        } else if self.sent >= Outbox::HIGH {
            // With a slow reader it may never be empty.
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
        Ok(total)
    }
}

/// Zero when the write would have to wait.
fn without_waiting(mut write: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match write() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    fn pair() -> (Stream, UnixStream) {
        let (near, far) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        (Stream::from(near), far)
    }

    #[test]
    fn input_grows_compacts_and_reports() {
        let (near, mut far) = pair();
        let mut input = Input::default();
        assert_eq!(input.fill(&near, 4).unwrap(), Filled::WouldBlock);
        far.write_all(b"abcdef").unwrap();
        assert_eq!(
            input.fill(&near, 4).unwrap(),
            Filled::Bytes { drained: false }
        );
        assert_eq!(input.unread(), b"abcd");
        assert_eq!(input.fill(&near, 4).unwrap(), Filled::Full);
        input.parsed(1, 2);
        assert_eq!((input.held(), input.unread()), (&b"bc"[..], &b"d"[..]));
        input.release(1);
        assert_eq!(
            input.fill(&near, 4).unwrap(),
            Filled::Bytes { drained: false }
        );
        assert_eq!(
            (input.held(), input.unread()),
            (&b"c"[..], &b"def"[..]),
            "moved, not lost"
        );
        drop(far);
        input.parsed(0, 0);
        assert!(input.is_empty());
        assert_eq!(input.fill(&near, 4).unwrap(), Filled::End);
    }

    #[test]
    fn outbox_keeps_the_order_of_what_the_kernel_refuses() {
        let (near, mut far) = pair();
        let mut outbox = Outbox::default();
        let body: Vec<u8> = (0..4_000_000u32).map(|i| i.to_le_bytes()[0]).collect();
        outbox.send(&near, &[b"head", &body, b"", b"tail"]).unwrap();
        assert!(!outbox.is_empty(), "no socket takes 4 MB at once");
        outbox.send(&near, &[b"later"]).unwrap();
        let reader = std::thread::spawn(move || {
            let mut all = Vec::new();
            far.read_to_end(&mut all).unwrap();
            all
        });
        while !outbox.is_empty() {
            outbox.flush(&near).unwrap();
        }
        drop(near);
        assert_eq!(
            reader.join().unwrap(),
            [b"head", &body[..], b"tail", b"later"].concat()
        );
    }

    /// A long answer to a slow reader must not pile up behind what is sent of it.
    #[test]
    fn what_is_sent_is_given_up_though_something_always_waits() {
        let (near, mut far) = pair();
        let mut outbox = Outbox::default();
        let mut piece = vec![1; Outbox::HIGH];
        // More than the socket takes.
        for _ in 0..64 {
            outbox.push(&piece);
        }
        outbox.flush(&near).unwrap();
        let most = outbox.capacity();
        for _ in 0..256 {
            far.read_exact(&mut piece).unwrap();
            outbox.flush(&near).unwrap();
            assert!(!outbox.is_empty());
            outbox.push(&piece);
        }
        assert!(outbox.capacity() <= most, "{most}, {}", outbox.capacity());
    }
}
