//! Records on their way to the application.

use std::io::{self, Write};

use fcgi_core::Record;
use fcgi_listen::Stream;

/// What the socket has not taken yet: at most one record at a time, and the short ones around it.
#[derive(Default)]
pub(super) struct Outbox {
    bytes: Vec<u8>,
    sent: usize,
}

impl Outbox {
    pub(super) fn is_empty(&self) -> bool {
        self.sent == self.bytes.len()
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn push_record(&mut self, record: &Record<'_>) {
        record
            .parts()
            .into_iter()
            .for_each(|part| self.bytes.extend_from_slice(part));
    }

    /// Sends as much as the socket takes without waiting; whether anything went.
    pub(super) fn flush(&mut self, mut stream: &Stream) -> io::Result<bool> {
        let mut went = false;
        while !self.is_empty() {
            match stream.write(&self.bytes[self.sent..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    self.sent += count;
                    went = true;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(went),
                Err(error) => return Err(error),
            }
        }
        self.clear();
        Ok(went)
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.sent = 0;
    }
}
