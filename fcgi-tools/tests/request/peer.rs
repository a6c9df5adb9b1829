//! An application made by hand, on a unix socket of its own.

use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;

use tempfile::TempDir;

pub(crate) struct Peer {
    directory: TempDir,
}

impl Peer {
    /// Gives every connection to `serve`, in a thread of its own.
    pub(crate) fn start(serve: impl Fn(UnixStream) + Clone + Send + 'static) -> Peer {
        let directory = tempfile::tempdir().unwrap();
        let peer = Peer { directory };
        let listener = UnixListener::bind(peer.address()).unwrap();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let serve = serve.clone();
                thread::spawn(move || serve(stream));
            }
        });
        peer
    }

    pub(crate) fn address(&self) -> String {
        let path = self.directory.path().join("peer.sock");
        path.to_str().unwrap().to_owned()
    }
}
