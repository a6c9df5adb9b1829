//! Applications played by hand, record by record.

use std::io::{ErrorKind, Write};
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fcgi_listen::Address;
use fcgi_tests::address::Connection;
use fcgi_tests::hand::{self, Pair, Record};
use fcgi_tools::serve::{Application, Options};
use tempfile::TempDir;

use crate::gateway::Gateway;

/// How long the gateway may take for a step.
const PATIENCE: Duration = Duration::from_secs(10);

/// A listener; the test accepts, reads and answers.
pub(crate) struct Played {
    listener: UnixListener,
    directory: TempDir,
}

impl Played {
    pub(crate) fn new() -> Played {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("app.sock")).unwrap();
        listener.set_nonblocking(true).unwrap();
        Played {
            listener,
            directory,
        }
    }

    pub(crate) fn address(&self) -> Address {
        Address::Unix(self.directory.path().join("app.sock"))
    }

    pub(crate) fn gateway(&self) -> Gateway {
        Gateway::start(Application::Connect(self.address()), |options| options)
    }

    /// The next connection.
    #[track_caller]
    pub(crate) fn accept(&self) -> Talk {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(talk) = self.accepted() {
                return talk;
            }
            thread::sleep(Duration::from_millis(1));
        }
        panic!("nobody connects");
    }

    /// A connection, if one waits.
    pub(crate) fn accepted(&self) -> Option<Talk> {
        match self.listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false).unwrap();
                Some(Talk(stream.try_into().unwrap()))
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// Accepts the connection on which the gateway asks for the application's limits, and answers.
    #[track_caller]
    pub(crate) fn answer_question(&self, values: &[(&str, &str)]) {
        let mut talk = self.accept();
        let question = talk.record();
        assert_eq!((question.kind, question.id), (hand::GET_VALUES, 0));
        let names: Vec<_> = hand::pairs(&question.content);
        assert_eq!(names.len(), 3, "{names:?}");
        talk.send(&hand::get_values_result(values));
        assert!(talk.is_closed(), "a connection for the question alone");
    }
}

/// The application's end of a connection.
pub(crate) struct Talk(Connection);

/// A request as it came.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) id: u16,
    pub(crate) keep: bool,
    pub(crate) params: Vec<Pair>,
    pub(crate) stdin: Vec<u8>,
}

impl Heard {
    /// A parameter, lossily as text.
    pub(crate) fn param(&self, name: &str) -> String {
        let mut named = self
            .params
            .iter()
            .filter(|(other, _)| other == name.as_bytes());
        let value = named
            .next()
            .map(|(_, value)| &value[..])
            .unwrap_or_default();
        String::from_utf8_lossy(value).into_owned()
    }
}

impl Talk {
    /// The next record; `None` at the end of the connection.
    pub(crate) fn try_record(&mut self) -> Option<Record> {
        hand::read_record(&mut self.0).unwrap()
    }

    #[track_caller]
    pub(crate) fn record(&mut self) -> Record {
        self.try_record().expect("a record, not the end")
    }

    /// Reads a whole request, of which nothing was read.
    #[track_caller]
    pub(crate) fn request(&mut self) -> Heard {
        let first = self.record();
        self.request_after(&first)
    }

    /// Reads the rest of a request that begins with this record.
    #[track_caller]
    pub(crate) fn request_after(&mut self, first: &Record) -> Heard {
        assert_eq!(first.kind, hand::BEGIN_REQUEST, "{first:?}");
        let (mut params, mut stdin) = (Vec::new(), Vec::new());
        loop {
            let record = self.record();
            assert_eq!(record.id, first.id, "{record:?}");
            match record.kind {
                hand::PARAMS => params.extend(&record.content),
                hand::STDIN if record.content.is_empty() => break,
                hand::STDIN => stdin.extend(&record.content),
                _ => panic!("{record:?}"),
            }
        }
        Heard {
            id: first.id,
            keep: first.content[2] == hand::KEEP,
            params: hand::pairs(&params),
            stdin,
        }
    }

    #[track_caller]
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    /// Answers with a plain text, and ends the request.
    #[track_caller]
    pub(crate) fn answer(&mut self, id: u16, text: &str) {
        self.send(&answer(id, format!("Content-Type: text/plain\n\n{text}")));
    }

    /// Whether the gateway closes the connection, without another record.
    #[track_caller]
    pub(crate) fn is_closed(&mut self) -> bool {
        match self.try_record() {
            None => true,
            Some(record) => panic!("{record:?}"),
        }
    }

    /// A record that comes within a tenth of a second.
    pub(crate) fn soon(&mut self) -> Option<Record> {
        self.0
            .set_read_patience(Duration::from_millis(100))
            .unwrap();
        let read = hand::read_record(&mut self.0);
        self.0.set_read_patience(PATIENCE).unwrap();
        match read {
            Ok(record) => record,
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) => panic!("{error}"),
        }
    }
}

/// STDOUT and the end of a request.
pub(crate) fn answer(id: u16, stdout: impl AsRef<[u8]>) -> Vec<u8> {
    [
        hand::stream(hand::STDOUT, id, stdout.as_ref()),
        hand::end_of(hand::STDOUT, id),
        hand::end_request(id, 0, hand::REQUEST_COMPLETE),
    ]
    .concat()
}

/// Serves each connection on a thread of its own, to the end of the test's process: the function
/// makes the records that answer a request, given its number. When it makes none, the connection is
/// closed.
pub(crate) fn scripted<F>(script: F) -> Gateway
where
    F: Fn(&Heard, usize) -> Vec<u8> + Send + Sync + 'static,
{
    scripted_with(|options| options, script)
}

/// As [`scripted`], with other options of the gateway.
pub(crate) fn scripted_with<F>(change: impl FnOnce(Options) -> Options, script: F) -> Gateway
where
    F: Fn(&Heard, usize) -> Vec<u8> + Send + Sync + 'static,
{
    let played = Played::new();
    let gateway = Gateway::start(Application::Connect(played.address()), change);
    let script = Arc::new((script, AtomicUsize::new(0)));
    thread::spawn(move || {
        // All of it, with the directory of the socket.
        let played = played;
        played.listener.set_nonblocking(false).unwrap();
        while let Ok((stream, _)) = played.listener.accept() {
            let script = Arc::clone(&script);
            thread::spawn(move || serve(&mut Talk(stream.try_into().unwrap()), &script));
        }
    });
    gateway
}

fn serve<F>(talk: &mut Talk, (script, count): &(F, AtomicUsize))
where
    F: Fn(&Heard, usize) -> Vec<u8>,
{
    while let Ok(Some(first)) = hand::read_record(&mut talk.0) {
        let answer = match first.kind {
            hand::GET_VALUES => hand::get_values_result(&[("FCGI_MPXS_CONNS", "0")]),
            hand::ABORT_REQUEST => hand::end_request(first.id, 0, hand::REQUEST_COMPLETE),
            _ => {
                let heard = talk.request_after(&first);
                script(&heard, count.fetch_add(1, Ordering::SeqCst))
            }
        };
        if answer.is_empty() || talk.0.write_all(&answer).is_err() {
            return;
        }
    }
}
