//! The other end.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::PATIENCE;
use crate::address::Connection;
use crate::hand::{self, Answer, Record};

/// The web server's end of a connection.
#[derive(Debug)]
pub struct WebServer {
    /// The connection itself.
    pub connection: Connection,
}

impl WebServer {
    /// Sends bytes.
    ///
    /// # Panics
    ///
    /// If the connection does not take them.
    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        if let Err(error) = self.connection.write_all(bytes.as_ref()) {
            panic!("the application does not take what is sent: {error}");
        }
    }

    /// Reads one record.
    ///
    /// # Panics
    ///
    /// If none comes.
    #[must_use]
    #[track_caller]
    pub fn record(&mut self) -> Record {
        match hand::read_record(&mut self.connection) {
            Ok(Some(record)) => record,
            Ok(None) => panic!("the connection ended"),
            Err(error) => panic!("no record comes: {error}"),
        }
    }

    /// Reads up to the end of request `id`, which must be the only one that is answered.
    ///
    /// # Panics
    ///
    /// If something else comes, or nothing.
    #[must_use]
    #[track_caller]
    pub fn answer(&mut self, id: u16) -> Answer {
        let bytes = hand::read_to_end_of(&mut self.connection, id);
        let mut answers = hand::answers(&bytes);
        let answer = answers.remove(&id).expect("its end was read");
        assert!(answers.is_empty(), "nothing for others: {answers:?}");
        answer
    }

    /// Sends a request and reads its answer.
    ///
    /// # Panics
    ///
    /// As [`send`](Self::send) and [`answer`](Self::answer).
    #[must_use]
    #[track_caller]
    pub fn ask(&mut self, id: u16, request: impl AsRef<[u8]>) -> Answer {
        self.send(request);
        self.answer(id)
    }

    /// Asks GET_VALUES and waits for the answer, so that all that was sent before has been taken
    /// in.
    ///
    /// # Panics
    ///
    /// If something else is answered.
    #[track_caller]
    pub fn sync(&mut self) {
        self.send(hand::get_values(&["FCGI_MPXS_CONNS"]));
        let record = self.record();
        assert_eq!(record.kind, hand::GET_VALUES_RESULT, "{record:?}");
        assert_eq!(hand::pairs(&record.content).len(), 1, "{record:?}");
    }

    /// Waits until there is something to read, or the connection has ended.
    ///
    /// # Panics
    ///
    /// If neither happens.
    #[track_caller]
    pub fn wait_readable(&self) {
        let fd = match &self.connection {
            Connection::Unix(stream) => stream.as_fd(),
            Connection::Tcp(stream) => stream.as_fd(),
        };
        let patience = Timespec::try_from(PATIENCE).expect("ten seconds");
        let polled = poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&patience));
        assert_eq!(polled, Ok(1), "nothing comes");
    }

    /// Reads to the end of the connection.
    ///
    /// # Panics
    ///
    /// If it is reset or does not end.
    #[must_use]
    #[track_caller]
    pub fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if let Err(error) = self.connection.read_to_end(&mut bytes) {
            panic!("{error} after {:?}", hand::parse(&bytes));
        }
        bytes
    }

    /// The application closes the connection and sends nothing more.
    ///
    /// # Panics
    ///
    /// If it does something else.
    #[track_caller]
    pub fn expect_end(&mut self) {
        let rest = self.rest();
        assert!(rest.is_empty(), "{:?}", hand::parse(&rest));
    }

    /// The application ends the connection, by a close or by a reset, without another record.
    ///
    /// # Panics
    ///
    /// If it does something else.
    #[track_caller]
    pub fn expect_end_or_reset(&mut self) {
        match self.connection.read(&mut [0; 64]) {
            Ok(0) => {}
            Ok(count) => panic!("{count} bytes instead of the end"),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
        }
    }
}
