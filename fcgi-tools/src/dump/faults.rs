//! Who breaks the protocol, and where.

use fcgi_core::application::Connection;
use fcgi_core::wire::{BODY_LEN, Header, Record, RecordType};
use fcgi_core::{Error, RequestId};

/// So many requests at a time on one connection are watched; more are not judged.
const MOST_REQUESTS: usize = 256;

/// What is wrong with a record, whatever came before it.
pub(super) fn alone(record: &Record<'_>) -> Option<Error> {
    let Header {
        record_type,
        request_id,
        content_length,
        ..
    } = record.header;
    if record_type.is_application() && request_id == 0 {
        return Some(Error::NullRequestId { record_type });
    }
    let has_body = matches!(
        record_type,
        RecordType::BEGIN_REQUEST | RecordType::END_REQUEST | RecordType::UNKNOWN_TYPE
    );
    (has_body && usize::from(content_length) < BODY_LEN).then_some(Error::ShortBody {
        record_type,
        request_id,
        content_length,
    })
}

/// Follows the requests of a connection as its application does.
pub(super) struct Judge {
    requests: Connection<MOST_REQUESTS>,
    /// Whether nothing more is to be said about the web server.
    is_done: bool,
}

impl Judge {
    pub(super) fn new() -> Judge {
        Judge {
            requests: Connection::new(),
            is_done: false,
        }
    }

    /// What is wrong with a record from the web server, given as all its bytes. The first fault is
    /// the last one that is told: an application closes the connection there.
    pub(super) fn web_server_sent(&mut self, mut bytes: &[u8]) -> Option<Error> {
        if self.is_done {
            return None;
        }
        loop {
            match self.requests.receive(&mut bytes) {
                Ok(Some(_)) => {}
                Ok(None) => return None,
                Err(error) => {
                    self.is_done = true;
                    return Some(error);
                }
            }
        }
    }

    /// What is wrong with a record from the application. The end of a request sets its id free.
    pub(super) fn application_sent(&mut self, record: &Record<'_>) -> Option<Error> {
        let Header {
            record_type,
            request_id,
            ..
        } = record.header;
        let is_the_web_servers = matches!(
            record_type,
            RecordType::BEGIN_REQUEST
                | RecordType::ABORT_REQUEST
                | RecordType::PARAMS
                | RecordType::STDIN
                | RecordType::DATA
                | RecordType::GET_VALUES
        );
        if is_the_web_servers {
            return Some(Error::WrongDirection {
                request_id,
                record_type,
            });
        }
        if record_type == RecordType::END_REQUEST {
            if let Some(id) = RequestId::new(request_id) {
                // Not active if the application ends what nobody began; web servers skip that too.
                let _ = self.requests.end(id, 0);
            }
        }
        alone(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fcgi_tests::hand::{self, CLOSE, KEEP, PARAMS, RESPONDER, STDIN, STDOUT};

    fn from_application(judge: &mut Judge, bytes: &[u8]) -> Option<String> {
        let (_, record) = Record::parse(bytes).unwrap();
        judge
            .application_sent(&record)
            .map(|error| error.to_string())
    }

    #[test]
    fn an_id_is_free_when_its_request_has_ended() {
        let mut judge = Judge::new();
        let request = hand::responder(1, KEEP, &[("A", "b")], b"body");
        assert_eq!(judge.web_server_sent(&request), None);
        let end = hand::end_request(1, 0, hand::REQUEST_COMPLETE);
        assert_eq!(from_application(&mut judge, &end), None);
        assert_eq!(judge.web_server_sent(&request), None);
        let error = judge
            .web_server_sent(&hand::begin(1, RESPONDER, CLOSE))
            .unwrap();
        assert_eq!(
            error.to_string(),
            "FCGI_BEGIN_REQUEST for request 1, which is active (§3.3)"
        );
        assert_eq!(judge.web_server_sent(&request), None, "told once");
    }

    #[test]
    fn order_and_direction() {
        let begin = hand::begin(1, RESPONDER, CLOSE);
        for (records, expected) in [
            (
                vec![hand::record(STDIN, 1, b"x", 0)],
                "FCGI_STDIN of request 1 before its turn (§6.1)",
            ),
            (
                vec![hand::end_of(PARAMS, 1), hand::record(PARAMS, 1, b"x", 0)],
                "FCGI_PARAMS of request 1 after the end of that stream (§3.3)",
            ),
            (
                vec![hand::record(STDOUT, 1, b"x", 0)],
                "FCGI_STDOUT of request 1 in the wrong direction (§8)",
            ),
        ] {
            let mut judge = Judge::new();
            let stream = [begin.clone(), records.concat()].concat();
            let error = judge.web_server_sent(&stream).unwrap();
            assert_eq!(error.to_string(), expected);
        }
        let mut judge = Judge::new();
        for (record, expected) in [
            (hand::record(STDOUT, 1, b"x", 0), None),
            (hand::unknown_type(77), None),
            (
                hand::record(STDOUT, 0, b"x", 0),
                Some("FCGI_STDOUT with the null request id (§3.3)"),
            ),
            (
                begin,
                Some("FCGI_BEGIN_REQUEST of request 1 in the wrong direction (§8)"),
            ),
            (
                hand::record(3, 2, b"1234567", 1),
                Some("FCGI_END_REQUEST of request 2 with a body of 7 bytes, 8 are needed (§5)"),
            ),
        ] {
            assert_eq!(from_application(&mut judge, &record).as_deref(), expected);
        }
    }
}
