//! Applications played by hand, on the socket of a place.

use std::io::Write;
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread::{self, JoinHandle};

use fcgi_tests::hand::{self, Pair, Record};

use crate::kit::{PATIENCE, Place};

/// One connection.
pub(crate) struct Talk(pub(crate) UnixStream);

/// Plays the application for one connection.
pub(crate) fn play<T: Send + 'static>(
    place: &Place,
    play: impl FnOnce(&mut Talk) -> T + Send + 'static,
) -> JoinHandle<T> {
    let listener = UnixListener::bind(place.socket()).unwrap();
    thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        play(&mut Talk(stream))
    })
}

/// A request as it came.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) role: u8,
    pub(crate) params: Vec<Pair>,
    pub(crate) stdin: Vec<u8>,
    pub(crate) data: Vec<u8>,
}

impl Talk {
    pub(crate) fn record(&mut self) -> Record {
        hand::read_record(&mut self.0)
            .unwrap()
            .expect("one more record")
    }

    pub(crate) fn stream(&mut self, kind: u8) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let record = self.record();
            assert_eq!(record.kind, kind);
            if record.content.is_empty() {
                return all;
            }
            all.extend(record.content);
        }
    }

    /// A whole request.
    pub(crate) fn request(&mut self) -> Heard {
        let role = self.record().content[1];
        let params = hand::pairs(&self.stream(hand::PARAMS));
        let mut heard = Heard {
            role,
            params,
            stdin: Vec::new(),
            data: Vec::new(),
        };
        if role != 2 {
            heard.stdin = self.stream(hand::STDIN);
        }
        if role == 3 {
            heard.data = self.stream(hand::DATA);
        }
        heard
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    /// A page, and the end of the request.
    pub(crate) fn answer(&mut self, page: &[u8], app_status: u32) {
        let whole = [
            hand::stream(hand::STDOUT, 1, page),
            hand::end_of(hand::STDOUT, 1),
            hand::end_request(1, app_status, hand::REQUEST_COMPLETE),
        ];
        self.send(&whole.concat());
    }
}

impl Heard {
    pub(crate) fn param(&self, name: &str) -> Option<&[u8]> {
        let named = |pair: &&Pair| pair.0 == name.as_bytes();
        self.params.iter().find(named).map(|pair| &pair.1[..])
    }
}
