//! What an application answered, request by request.

use std::collections::BTreeMap;

use super::{END_REQUEST, GET_VALUES_RESULT, Record, STDERR, STDOUT, UNKNOWN_TYPE, parse};

/// All that an application sent for one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Content of all STDOUT records.
    pub stdout: Vec<u8>,
    /// Content of all STDERR records.
    pub stderr: Vec<u8>,
    /// Whether the empty STDOUT record was sent.
    pub stdout_ended: bool,
    /// Whether the empty STDERR record was sent.
    pub stderr_ended: bool,
    /// `appStatus` and `protocolStatus` of the END_REQUEST record.
    pub end: Option<(u32, u8)>,
    /// The types of the request's records in the order they came.
    pub order: Vec<u8>,
}

impl Answer {
    /// The response's head: STDOUT up to its first empty line, lossily as text.
    #[must_use]
    pub fn head(&self) -> String {
        String::from_utf8_lossy(self.split().0).into_owned()
    }

    /// The response's body: STDOUT after its first empty line.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        self.split().1
    }

    fn split(&self) -> (&[u8], &[u8]) {
        for end in 0..self.stdout.len() {
            let (head, rest) = self.stdout.split_at(end);
            for empty_line in [&b"\r\n\r\n"[..], b"\n\n"] {
                if let Some(body) = rest.strip_prefix(empty_line) {
                    return (head, body);
                }
            }
        }
        (&self.stdout, &[])
    }

    #[track_caller]
    fn add(&mut self, record: &Record) {
        assert_eq!(self.end, None, "{record:?} after the request's end");
        self.order.push(record.kind);
        let (stream, ended) = match record.kind {
            STDOUT => (&mut self.stdout, &mut self.stdout_ended),
            STDERR => (&mut self.stderr, &mut self.stderr_ended),
            END_REQUEST => {
                self.end = Some(end_of_request(record));
                return;
            }
            _ => panic!("an application does not send {record:?}"),
        };
        assert!(!*ended, "{record:?} after its stream's end");
        if record.content.is_empty() {
            *ended = true;
        }
        stream.extend(&record.content);
    }
}

#[track_caller]
fn end_of_request(record: &Record) -> (u32, u8) {
    let &[a, b, c, d, protocol_status, 0, 0, 0] = &*record.content else {
        panic!("not the content of an END_REQUEST (§5.5): {record:?}");
    };
    (u32::from_be_bytes([a, b, c, d]), protocol_status)
}

/// Sorts an application's bytes by request; ids must not be reused in them.
///
/// Management records (id 0) are checked and left out: see [`management`].
///
/// # Panics
///
/// As [`parse`]; at records that an application does not send, with an id of the wrong kind, after
/// their stream's or their request's end; and when an id is answered twice.
#[must_use]
#[track_caller]
pub fn answers(bytes: &[u8]) -> BTreeMap<u16, Answer> {
    let mut answers = BTreeMap::<u16, Answer>::new();
    for record in parse(bytes) {
        if !is_management(&record) {
            answers.entry(record.id).or_default().add(&record);
        }
    }
    answers
}

/// Sorts an application's bytes by request, in the order of the requests' first records. An id may
/// come again after its END_REQUEST, as on a kept connection.
///
/// # Panics
///
/// As [`answers`], except that reuse of an id is a new request.
#[must_use]
#[track_caller]
pub fn exchanges(bytes: &[u8]) -> Vec<(u16, Answer)> {
    let mut exchanges = Vec::<(u16, Answer)>::new();
    for record in parse(bytes) {
        if is_management(&record) {
            continue;
        }
        let open = exchanges
            .iter_mut()
            .find(|(id, answer)| *id == record.id && answer.end.is_none());
        if let Some((_, answer)) = open {
            answer.add(&record);
        } else {
            let mut answer = Answer::default();
            answer.add(&record);
            exchanges.push((record.id, answer));
        }
    }
    exchanges
}

/// The management records that an application sent, in order.
///
/// # Panics
///
/// As [`answers`].
#[must_use]
#[track_caller]
pub fn management(bytes: &[u8]) -> Vec<Record> {
    parse(bytes).into_iter().filter(is_management).collect()
}

#[track_caller]
fn is_management(record: &Record) -> bool {
    let management = matches!(record.kind, GET_VALUES_RESULT | UNKNOWN_TYPE);
    assert_eq!(
        management,
        record.id == 0,
        "the id is of the wrong kind (§3.3): {record:?}"
    );
    if record.kind == UNKNOWN_TYPE {
        assert!(
            matches!(&*record.content, [_, 0, 0, 0, 0, 0, 0, 0]),
            "not the content of an UNKNOWN_TYPE (§4.2): {record:?}",
        );
    }
    management
}
