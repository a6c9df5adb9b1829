//! An application at the other end of a socket pair, in a thread of its own.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use fcgi_core::params;
use fcgi_listen::Stream;
use fcgi_tests::hand::{self, Record};

/// How long an application waits for the next record.
const PATIENCE: Duration = Duration::from_secs(60);

/// The application's end of a connection.
pub(crate) struct Talk(pub(crate) UnixStream);

/// Runs the application, and gives the web server's end.
pub(crate) fn application<T: Send + 'static>(
    play: impl FnOnce(Talk) -> T + Send + 'static,
) -> (Stream, JoinHandle<T>) {
    let (near, far) = UnixStream::pair().unwrap();
    far.set_read_timeout(Some(PATIENCE)).unwrap();
    far.set_write_timeout(Some(PATIENCE)).unwrap();
    (near.into(), thread::spawn(move || play(Talk(far))))
}

/// A PARAMS stream.
pub(crate) fn variables(pairs: &[(&str, &str)]) -> Vec<u8> {
    let mut stream = Vec::new();
    for (name, value) in pairs {
        params::append(&mut stream, name, value).unwrap();
    }
    stream
}

impl Talk {
    /// The next record.
    #[track_caller]
    pub(crate) fn record(&mut self) -> Record {
        let record = hand::read_record(&mut self.0).unwrap();
        record.expect("a record before the end of the connection")
    }

    /// Everything up to the end of a stream: its content.
    #[track_caller]
    pub(crate) fn stream(&mut self, kind: u8) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let record = self.record();
            if record.kind == hand::BEGIN_REQUEST {
                continue;
            }
            assert_eq!(record.kind, kind);
            if record.content.is_empty() {
                return all;
            }
            all.extend(record.content);
        }
    }

    /// Whether the web server has closed without another word.
    pub(crate) fn is_closed(&mut self) -> bool {
        !matches!(hand::read_record(&mut self.0), Ok(Some(_)))
    }

    pub(crate) fn send(&mut self, records: &[Vec<u8>]) {
        self.0.write_all(&records.concat()).unwrap();
    }

    pub(crate) fn stdout(&mut self, bytes: &[u8]) {
        self.send(&[hand::stream(hand::STDOUT, 1, bytes)]);
    }

    /// Ends the request, with STDOUT's end before.
    pub(crate) fn end(&mut self, app_status: u32) {
        self.send(&[
            hand::end_of(hand::STDOUT, 1),
            hand::end_request(1, app_status, hand::REQUEST_COMPLETE),
        ]);
    }
}
