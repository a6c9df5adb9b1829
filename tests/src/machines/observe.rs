//! Both machines behind one trait, and a driver that holds them to the laws of `receive`.

use fcgi_core::wire::Role;
use fcgi_core::{Error, RequestId, application, web_server};

use super::{Log, Seen, Transcript, joined};
use crate::hand;

/// How many connections a [`Seen::Reply`] is encoded for.
pub const MAX_CONNS: u32 = 7;
/// How many requests a [`Seen::Reply`] is encoded for.
pub const MAX_REQS: u32 = 9;

/// An event, and the part of the input that it borrows, if it does.
pub type Step<'i> = (Seen, Option<&'i [u8]>);

/// One of the two machines.
pub trait Side: Clone {
    /// One call of `receive`.
    ///
    /// # Errors
    ///
    /// That of `receive`.
    fn step<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Step<'i>>, Error>;

    /// What the receiver does where a [`Transcript`] says so.
    fn act(&mut self, id: u16);

    /// Whether the machine stands between two records.
    fn is_between(&self) -> bool;
}

/// A non-zero id.
///
/// # Panics
///
/// For 0.
#[must_use]
#[track_caller]
pub fn rid(id: u16) -> RequestId {
    RequestId::new(id).expect("an id of a request is not 0")
}

impl<const N: usize> Side for application::Connection<N> {
    fn step<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Step<'i>>, Error> {
        Ok(self.receive(input)?.map(of_web_server))
    }

    fn act(&mut self, id: u16) {
        let end = self.end(rid(id), 0).expect("the transcript knows its ids");
        assert!(!end.is_empty());
    }

    fn is_between(&self) -> bool {
        self.is_between_records()
    }
}

impl<const N: usize> Side for web_server::Connection<N> {
    fn step<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Step<'i>>, Error> {
        Ok(self.receive(input)?.map(of_application))
    }

    fn act(&mut self, id: u16) {
        let (begun, _) = self
            .begin(Role::Responder, true)
            .expect("the transcript knows its ids");
        assert_eq!(begun.get(), id);
    }

    fn is_between(&self) -> bool {
        self.is_between_records()
    }
}

/// What an application sees, in the terms of [`Seen`].
#[must_use]
pub fn of_web_server(event: application::Event<'_>) -> Step<'_> {
    use application::Event;
    match event {
        Event::Begin {
            id,
            role,
            keep_conn,
        } => {
            let begin = Seen::Begin {
                id: id.get(),
                role: role.number(),
                keep: keep_conn,
            };
            (begin, None)
        }
        Event::Params { id, bytes } => piece(id, hand::PARAMS, bytes),
        Event::ParamsEnd { id } => stream_end(id, hand::PARAMS),
        Event::Stdin { id, bytes } => piece(id, hand::STDIN, bytes),
        Event::StdinEnd { id } => stream_end(id, hand::STDIN),
        Event::Data { id, bytes } => piece(id, hand::DATA, bytes),
        Event::DataEnd { id } => stream_end(id, hand::DATA),
        Event::Abort { id } => (Seen::Abort(id.get()), None),
        Event::Reply(reply) => {
            let bytes = reply.encode(MAX_CONNS, MAX_REQS).to_vec();
            (Seen::Reply(bytes), None)
        }
    }
}

/// What a web server sees, in the terms of [`Seen`].
#[must_use]
pub fn of_application(event: web_server::Event<'_>) -> Step<'_> {
    use web_server::Event;
    match event {
        Event::Stdout { id, bytes } => piece(id, hand::STDOUT, bytes),
        Event::StdoutEnd { id } => stream_end(id, hand::STDOUT),
        Event::Stderr { id, bytes } => piece(id, hand::STDERR, bytes),
        Event::StderrEnd { id } => stream_end(id, hand::STDERR),
        Event::End {
            id,
            app_status,
            protocol_status,
        } => (Seen::Ended(id.get(), app_status, protocol_status.0), None),
        Event::Values(values) => {
            let seen = Seen::Values(values.max_conns, values.max_reqs, values.mpxs_conns);
            (seen, None)
        }
        Event::UnknownType { record_type } => (Seen::UnknownType(record_type.0), None),
    }
}

fn piece(id: RequestId, stream: u8, bytes: &[u8]) -> Step<'_> {
    let seen = Seen::Bytes {
        id: id.get(),
        stream,
        bytes: bytes.to_vec(),
    };
    (seen, Some(bytes))
}

fn stream_end(id: RequestId, stream: u8) -> Step<'static> {
    let id = id.get();
    (Seen::StreamEnd { id, stream }, None)
}

/// Feeds one slice, which begins `offset` bytes into the stream, and logs its events.
///
/// # Errors
///
/// That of `receive`; what was seen before is in the log.
///
/// # Panics
///
/// When the machine breaks a law: `None` if and only if the slice is empty; every event is
/// progress; its bytes are not empty and the last that were consumed; errors are sticky.
pub fn feed<S: Side>(
    side: &mut S,
    slice: &[u8],
    offset: usize,
    log: &mut Log,
) -> Result<(), Error> {
    let mut rest = slice;
    loop {
        let before = rest.len();
        let step = match side.step(&mut rest) {
            Ok(step) => step,
            Err(error) => {
                assert_eq!(side.step(&mut rest), Err(error), "an error is sticky");
                return Err(error);
            }
        };
        let Some((seen, bytes)) = step else {
            assert!(rest.is_empty(), "no event, but {} bytes left", rest.len());
            return Ok(());
        };
        assert!(rest.len() < before, "{seen:?} out of nothing");
        if let Some(bytes) = bytes {
            assert!(!bytes.is_empty(), "an empty piece");
            let end = bytes.as_ptr_range().end;
            assert_eq!(end, rest.as_ptr(), "not the last bytes consumed: {seen:?}");
        }
        log.push((offset + slice.len() - rest.len(), seen));
    }
}

/// Feeds a transcript, cut at `cuts` (ascending) and wherever the receiver acts.
///
/// # Errors
///
/// That of `receive`.
///
/// # Panics
///
/// As [`feed`] does.
pub fn run<S: Side>(side: &mut S, transcript: &Transcript, cuts: &[usize]) -> Result<Log, Error> {
    run_on(side, transcript, None, cuts)
}

/// As [`run`]; with an offset `from`, everything up to there has been fed and done.
fn run_on<S: Side>(
    side: &mut S,
    transcript: &Transcript,
    from: Option<usize>,
    cuts: &[usize],
) -> Result<Log, Error> {
    let bytes = transcript.bytes();
    let mut log = Log::new();
    let mut at = from.unwrap_or(0);
    let mut cuts = cuts.iter().copied().chain([bytes.len()]).peekable();
    let mut actions = transcript.actions().iter();
    let mut action = actions.find(|(due, _)| Some(*due) > from);
    while let Some(&cut) = cuts.peek() {
        let next = action.map_or(cut, |(due, _)| cut.min(*due));
        feed(side, &bytes[at..next], at, &mut log)?;
        at = next;
        while let Some((_, id)) = action.filter(|(due, _)| *due == at) {
            side.act(*id);
            action = actions.next();
        }
        cuts.next_if_eq(&at);
    }
    Ok(log)
}

/// Cuts a transcript at every pair of positions from `from` on, and holds what is seen against what
/// the transcript owes.
///
/// # Panics
///
/// When they differ, and as [`feed`] does.
pub fn check_every_pair_of_cuts<S: Side>(new: &S, transcript: &Transcript, from: usize) {
    let expected = joined(transcript.events().clone());
    let length = transcript.bytes().len();
    for first in from..=length {
        let mut at_first = new.clone();
        let head = run(&mut at_first, &transcript.up_to(first), &[]).expect("all is legal");
        for second in first..=length {
            let mut side = at_first.clone();
            let tail = run_on(&mut side, transcript, Some(first), &[second]).expect("all is legal");
            let mut log = head.clone();
            log.extend(tail);
            assert_eq!(joined(log), expected, "cut at {first} and {second}");
            assert!(side.is_between());
        }
    }
}

/// Feeds a transcript byte by byte, and holds what is seen against what the transcript owes: every
/// event comes with its last byte.
///
/// # Panics
///
/// When they differ, and as [`feed`] does.
pub fn check_by_bytes<S: Side>(side: &mut S, transcript: &Transcript) {
    let log = run_by_bytes(side, transcript).expect("all is legal");
    assert_eq!(&log, transcript.events());
    assert!(side.is_between());
}

/// Feeds a transcript byte by byte.
///
/// # Errors
///
/// That of `receive`.
///
/// # Panics
///
/// As [`feed`] does.
pub fn run_by_bytes<S: Side>(side: &mut S, transcript: &Transcript) -> Result<Log, Error> {
    let everywhere: Vec<_> = (1..transcript.bytes().len()).collect();
    run(side, transcript, &everywhere)
}
