//! Both machines on any input, cut anywhere, while their owner answers as he likes.
//!
//! The low three bits of an operation say what is done, the others with what: 0 to 3 receive some
//! bytes, the rest are the owner's calls.

use std::collections::BTreeMap;

use fcgi_core::wire::Role;
use fcgi_core::{Error, Refusal, RequestId, SendError, application, web_server};

use super::{operations, part};
use crate::hand::{self, DATA, PARAMS, STDERR, STDIN, STDOUT};
use crate::machines::observe::{Side, feed, of_application, of_web_server};
use crate::machines::{Log, Seen, joined};

/// The same in one piece and byte by byte, to the same error if there is one.
fn check_cuts<S: Side>(new: &S, wire: &[u8]) {
    let (mut log, mut by_bytes) = (Log::new(), Log::new());
    let outcome = feed(&mut new.clone(), wire, 0, &mut log);
    let mut side = new.clone();
    let mut pieces = wire.chunks(1).enumerate();
    let other = pieces.try_for_each(|(at, piece)| feed(&mut side, piece, at, &mut by_bytes));
    assert_eq!(outcome, other);
    assert_eq!(joined(log), joined(by_bytes));
}

/// How much an operation receives.
fn size(operation: u8) -> usize {
    match operation & 3 {
        0 => 1 + usize::from(operation >> 3),
        1 => 8 * (1 + usize::from(operation >> 3)),
        2 => 64 * (1 + usize::from(operation >> 3)),
        _ => usize::MAX,
    }
}

/// The active request that an operation is about.
fn pick<T: Copy>(operation: u8, ids: impl Iterator<Item = T>) -> Option<T> {
    let ids: Vec<T> = ids.collect();
    ids.get(usize::from(operation >> 3) % ids.len().max(1))
        .copied()
}

/// An application on any input. All that it sends must be legal, whatever its owner tries.
pub fn application_receive(input: &[u8]) {
    let (operations, mut wire) = operations(input);
    check_cuts(&application::Connection::<3>::new(), wire);
    let mut application = Application::default();
    for &operation in operations {
        if operation & 7 > 3 {
            application.act(operation);
        } else if application
            .receive(part(&mut wire, size(operation)))
            .is_err()
        {
            break;
        }
    }
    _ = application.receive(wire);
    application.finish();
}

#[derive(Default)]
struct Application {
    connection: application::Connection<3>,
    /// The active requests: the streams that have ended.
    active: BTreeMap<u16, Vec<u8>>,
    output: Vec<u8>,
    ends_owed: usize,
}

impl Application {
    fn receive(&mut self, mut input: &[u8]) -> Result<(), Error> {
        while let Some(event) = self.connection.receive(&mut input)? {
            if let application::Event::Reply(reply) = event {
                self.ends_owed += usize::from(reply.ends().is_some());
                self.output.extend_from_slice(&reply.encode(1, 3));
            }
            self.note(of_web_server(event).0);
        }
        assert!(input.is_empty());
        assert_eq!(self.connection.active(), self.active.len());
        Ok(())
    }

    /// Holds an event against what came before.
    fn note(&mut self, seen: Seen) {
        match seen {
            Seen::Begin { id, role, .. } => {
                assert!((1..=3).contains(&role) && self.active.len() < 3);
                assert_eq!(self.active.insert(id, Vec::new()), None);
                self.ends_owed += 1;
            }
            Seen::Bytes { id, stream, .. } => self.check_turn(id, stream),
            Seen::StreamEnd { id, stream } => {
                self.check_turn(id, stream);
                self.active.entry(id).or_default().push(stream);
            }
            Seen::Abort(id) => assert!(self.active.contains_key(&id)),
            Seen::Reply(_) => {}
            other => panic!("{other:?} at an application"),
        }
    }

    fn check_turn(&self, id: u16, stream: u8) {
        let ended = self.active[&id].len();
        assert_eq!([PARAMS, STDIN, DATA][ended], stream);
    }

    fn act(&mut self, operation: u8) {
        let Some(id) = pick(operation, self.connection.ids()) else {
            self.connection.stop_accepting();
            return;
        };
        let body = [operation; 40];
        let mut bytes = &body[usize::from(operation >> 3)..];
        match operation & 7 {
            4 => self.end(id),
            7 => match self.connection.refuse(id, Refusal::Overloaded) {
                Ok(reply) => {
                    self.output.extend_from_slice(&reply.encode(1, 3));
                    self.active.remove(&id.get());
                }
                Err(error) => assert_eq!(error, SendError::AlreadyAnswered { id }),
            },
            stream => {
                let may = self.connection.may_answer(id);
                let record = if stream == 5 && operation >> 6 == 3 {
                    self.connection.stdout_end(id).map(Some)
                } else if stream == 5 {
                    self.connection.stdout(id, &mut bytes)
                } else {
                    self.connection.stderr(id, &mut bytes)
                };
                match record {
                    Ok(record) => {
                        assert!(may);
                        let record = record.expect("there are bytes");
                        self.output.extend(record.parts().concat());
                    }
                    Err(SendError::TooEarly { .. }) => assert!(!may),
                    Err(SendError::Ended { .. }) => assert!(may),
                    Err(other) => panic!("{other}"),
                }
            }
        }
    }

    fn end(&mut self, id: RequestId) {
        let end = self.connection.end(id, 7).expect("it is active");
        self.output.extend_from_slice(&end);
        assert!(self.active.remove(&id.get()).is_some());
    }

    /// Ends what is active; then there is exactly one END_REQUEST for each BEGIN_REQUEST.
    fn finish(mut self) {
        let ids: Vec<_> = self.connection.ids().collect();
        for id in ids {
            self.end(id);
        }
        let exchanges = hand::exchanges(&self.output);
        assert!(exchanges.iter().all(|(_, answer)| answer.end.is_some()));
        assert_eq!(exchanges.len(), self.ends_owed);
        for (_, answer) in exchanges {
            let complete = answer.end == Some((7, hand::REQUEST_COMPLETE));
            assert_eq!(answer.stdout_ended, complete);
            assert_eq!(answer.stderr_ended, !answer.stderr.is_empty());
        }
    }
}

/// A web server on any input, while it begins and aborts requests.
pub fn web_server_receive(input: &[u8]) {
    let (operations, mut wire) = operations(input);
    let mut begun = web_server::Connection::<3>::new();
    for role in [Role::Responder, Role::Filter] {
        assert!(begun.begin(role, true).is_ok());
    }
    check_cuts(&begun, wire);
    let mut web_server = WebServer::default();
    for &operation in operations {
        if operation & 7 > 3 {
            web_server.act(operation);
        } else if web_server
            .receive(part(&mut wire, size(operation)))
            .is_err()
        {
            break;
        }
    }
    _ = web_server.receive(wire);
    let sent = hand::parse(&web_server.output);
    assert!(sent.iter().all(|record| record.id != 0));
}

#[derive(Default)]
struct WebServer {
    connection: web_server::Connection<3>,
    /// The active requests: the streams that the application has ended.
    active: BTreeMap<u16, Vec<u8>>,
    output: Vec<u8>,
}

impl WebServer {
    fn receive(&mut self, mut input: &[u8]) -> Result<(), Error> {
        while let Some(event) = self.connection.receive(&mut input)? {
            match of_application(event).0 {
                Seen::Bytes { id, stream, .. } => assert!(!self.active[&id].contains(&stream)),
                Seen::StreamEnd { id, stream } => {
                    let ended = self.active.get_mut(&id).expect("it is active");
                    assert!([STDOUT, STDERR].contains(&stream) && !ended.contains(&stream));
                    ended.push(stream);
                }
                Seen::Ended(id, ..) => assert!(self.active.remove(&id).is_some()),
                Seen::Values(..) | Seen::UnknownType(_) => {}
                other => panic!("{other:?} at a web server"),
            }
        }
        assert!(input.is_empty());
        assert_eq!(self.connection.active(), self.active.len());
        Ok(())
    }

    fn act(&mut self, operation: u8) {
        let role =
            [Role::Responder, Role::Authorizer, Role::Filter][usize::from(operation >> 3) % 3];
        let Some(id) = pick(operation, self.connection.ids()).filter(|_| operation & 7 != 4) else {
            match self.connection.begin(role, operation >> 7 == 0) {
                Ok((id, begin)) => {
                    assert_eq!(self.active.insert(id.get(), Vec::new()), None);
                    self.output.extend_from_slice(&begin);
                }
                Err(error) => assert_eq!((error, self.active.len()), (SendError::Full, 3)),
            }
            return;
        };
        let mut bytes = &b"some bytes"[..];
        match operation & 7 {
            5 => {
                let abort = self.connection.abort(id).expect("it is active");
                self.output.extend_from_slice(&abort);
            }
            6 => {
                let sent = match operation >> 6 {
                    0 => self.connection.params_end(id).map(Some),
                    1 => self.connection.stdin(id, &mut bytes),
                    2 => self.connection.stdin_end(id).map(Some),
                    _ => self.connection.data(id, &mut bytes),
                };
                match sent {
                    Ok(record) => {
                        let record = record.expect("there are bytes");
                        self.output.extend(record.parts().concat());
                    }
                    Err(error) => assert!(!matches!(error, SendError::NotActive { .. })),
                }
            }
            _ => assert!(self.connection.closed(id).is_some()),
        }
    }
}
