//! Peers made by hand, each on a unix socket of its own.

use std::io::Write;
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;

use fcgi_tests::hand::{BEGIN_REQUEST, STDIN, read_record};
use tempfile::TempDir;

/// Something that listens, and its address.
pub(crate) struct Peer {
    directory: TempDir,
}

impl Peer {
    /// Gives every connection to `serve`, with its number from 0, in a thread of its own.
    pub(crate) fn start(serve: impl Fn(usize, UnixStream) + Clone + Send + 'static) -> Peer {
        let directory = tempfile::tempdir().unwrap();
        let peer = Peer { directory };
        let listener = UnixListener::bind(peer.address()).unwrap();
        thread::spawn(move || {
            for (number, stream) in listener.incoming().map_while(Result::ok).enumerate() {
                let serve = serve.clone();
                thread::spawn(move || serve(number, stream));
            }
        });
        peer
    }

    /// Answers each request with what `answer` makes for its id.
    pub(crate) fn answering(answer: impl Fn(u16) -> Vec<u8> + Clone + Send + 'static) -> Peer {
        Peer::start(move |_, stream| answer_all(stream, &answer))
    }

    pub(crate) fn address(&self) -> String {
        let path = self.directory.path().join("peer.sock");
        path.to_str().unwrap().to_owned()
    }
}

/// Answers until the other end closes, and closes itself after a request that asked for it.
pub(crate) fn answer_all(mut stream: UnixStream, answer: impl Fn(u16) -> Vec<u8>) {
    let mut keep = true;
    while let Ok(Some(record)) = read_record(&mut stream) {
        if record.kind == BEGIN_REQUEST {
            keep = record.content[2] & 1 == 1;
        }
        let is_end = record.kind == STDIN && record.content.is_empty();
        if is_end && (stream.write_all(&answer(record.id)).is_err() || !keep) {
            return;
        }
    }
}
