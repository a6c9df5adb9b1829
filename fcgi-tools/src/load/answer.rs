//! Whether an answer is the right one, looked at while it comes.

use fcgi_core::ProtocolStatus;
use fcgi_core::cgi::{HeadLimits, HeadParser};

use super::plan::{Body, Plan};
use super::report::Failure;

/// What every answer is compared with.
pub(super) struct Expected {
    status: Option<u16>,
    body: Body,
    /// The bytes of a right head that came in one piece: nearly all that follow are the same, and
    /// comparing costs less than parsing.
    head: Vec<u8>,
}

impl Expected {
    pub(super) fn new(plan: &Plan) -> Expected {
        Expected {
            status: plan.status,
            body: plan.answer.clone(),
            head: Vec::new(),
        }
    }
}

/// One answer so far.
pub(super) struct Answer {
    head: HeadParser<Vec<u8>>,
    stage: Stage,
    /// How much of the body has come.
    length: u64,
    failure: Option<Failure>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Begin,
    Head,
    Body,
}

impl Answer {
    pub(super) fn new() -> Answer {
        Answer {
            head: HeadParser::new(Vec::new(), HeadLimits::default()),
            stage: Stage::Begin,
            length: 0,
            failure: None,
        }
    }

    /// Gets ready for the next answer and keeps the room.
    pub(super) fn clear(&mut self) {
        if self.stage == Stage::Head {
            self.head.clear();
        }
        self.stage = Stage::Begin;
        self.length = 0;
        self.failure = None;
    }

    /// Takes a piece of STDOUT.
    pub(super) fn stdout(&mut self, mut bytes: &[u8], expected: &mut Expected) {
        if self.failure.is_some() {
            return;
        }
        if self.stage != Stage::Body {
            let piece = bytes;
            if self.stage == Stage::Begin && !expected.head.is_empty() {
                if let Some(body) = piece.strip_prefix(expected.head.as_slice()) {
                    self.stage = Stage::Body;
                    return self.body(body, expected);
                }
            }
            let in_one_piece = self.stage == Stage::Begin;
            self.stage = Stage::Head;
            match self.head.push(&mut bytes) {
                Ok(true) => {}
                Ok(false) => return,
                Err(_) => return self.fail(Failure::Head),
            }
            let status = self.head.head().map(|head| head.status().code());
            self.head.clear();
            self.stage = Stage::Body;
            if expected.status.is_some() && status != expected.status {
                return self.fail(Failure::Status);
            }
            if in_one_piece {
                expected.head.clear();
                let (head, _) = piece.split_at(piece.len() - bytes.len());
                expected.head.extend_from_slice(head);
            }
        }
        self.body(bytes, expected);
    }

    fn body(&mut self, bytes: &[u8], expected: &Expected) {
        let at = self.length;
        // More than 2^64 bytes do not come.
        self.length += bytes.len() as u64;
        let right = match &expected.body {
            Body::Any => true,
            Body::Length(length) => self.length <= *length,
            Body::Bytes(all) => {
                let rest = usize::try_from(at).ok().and_then(|at| all.get(at..));
                rest.is_some_and(|rest| rest.starts_with(bytes))
            }
        };
        if !right {
            self.fail(Failure::Body);
        }
    }

    fn fail(&mut self, failure: Failure) {
        self.failure = self.failure.or(Some(failure));
    }

    /// The end of the request: what was wrong, if anything.
    pub(super) fn end(
        &mut self,
        app_status: u32,
        protocol_status: ProtocolStatus,
        expected: &Expected,
    ) -> Result<(), Failure> {
        if protocol_status != ProtocolStatus::REQUEST_COMPLETE {
            return Err(Failure::Refused);
        }
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        if self.stage != Stage::Body {
            return Err(Failure::Head);
        }
        let right = match &expected.body {
            Body::Any => true,
            Body::Length(length) => self.length == *length,
            Body::Bytes(all) => self.length == all.len() as u64,
        };
        if !right {
            return Err(Failure::Body);
        }
        if app_status == 0 {
            Ok(())
        } else {
            Err(Failure::AppStatus)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &[u8] = b"Content-Type: text/plain\r\n\r\nhello";

    /// One answer after the other, each cut into pieces of every size.
    fn judge(status: Option<u16>, body: &Body, stdout: &[u8]) -> Result<(), Failure> {
        let mut plan = Plan::new("127.0.0.1:1".parse().unwrap());
        plan.status = status;
        plan.answer = body.clone();
        let mut results = Vec::new();
        for size in 1..=stdout.len().max(1) {
            let mut expected = Expected::new(&plan);
            let mut answer = Answer::new();
            for bytes in [GOOD, stdout] {
                answer.clear();
                for piece in bytes.chunks(size) {
                    answer.stdout(piece, &mut expected);
                }
            }
            results.push(answer.end(0, ProtocolStatus::REQUEST_COMPLETE, &expected));
        }
        results.dedup();
        assert_eq!(results.len(), 1, "cuts change nothing: {results:?}");
        results[0]
    }

    #[test]
    fn answers_and_what_is_wrong_with_them() {
        let hello = Body::Bytes((*b"hello").into());
        let length = Body::Length(5);
        let cases: [(&[u8], &Body, Result<(), Failure>); 14] = [
            (GOOD, &hello, Ok(())),
            (GOOD, &length, Ok(())),
            (GOOD, &Body::Any, Ok(())),
            (b"Content-Type: text/html\n\nhello", &hello, Ok(())),
            (
                b"Content-Type: text/plain\r\n\r\nhallo",
                &hello,
                Err(Failure::Body),
            ),
            (b"Content-Type: text/plain\r\n\r\nhallo", &length, Ok(())),
            (
                b"Content-Type: text/plain\r\n\r\nhell",
                &hello,
                Err(Failure::Body),
            ),
            (
                b"Content-Type: text/plain\r\n\r\nhell",
                &length,
                Err(Failure::Body),
            ),
            (
                b"Content-Type: text/plain\r\n\r\nhello!",
                &hello,
                Err(Failure::Body),
            ),
            (
                b"Content-Type: text/plain\r\n\r\nhello!",
                &length,
                Err(Failure::Body),
            ),
            (b"Status: 404 No\r\n\r\nhello", &hello, Err(Failure::Status)),
            (
                b"Content-Type: text/plain\r\n",
                &Body::Any,
                Err(Failure::Head),
            ),
            (b"no head\r\n\r\nhello", &Body::Any, Err(Failure::Head)),
            (b"", &Body::Any, Err(Failure::Head)),
        ];
        for (stdout, body, result) in cases {
            let shown = stdout.escape_ascii();
            assert_eq!(
                judge(Some(200), body, stdout),
                result,
                "{shown} for {body:?}"
            );
        }
        assert_eq!(
            judge(None, &Body::Any, b"Status: 404 No\r\n\r\nhello"),
            Ok(())
        );
    }

    #[test]
    fn a_wrong_answer_spoils_no_other() {
        let plan = Plan::new("127.0.0.1:1".parse().unwrap());
        let mut expected = Expected::new(&plan);
        let mut answer = Answer::new();
        let complete = ProtocolStatus::REQUEST_COMPLETE;
        for _ in 0..3 {
            let cases = [
                (GOOD, 0, complete, Ok(())),
                (&b"Status: 500\n\n"[..], 0, complete, Err(Failure::Status)),
                (&b"cut off: her"[..], 0, complete, Err(Failure::Head)),
                (GOOD, 7, complete, Err(Failure::AppStatus)),
                (
                    &b""[..],
                    0,
                    ProtocolStatus::OVERLOADED,
                    Err(Failure::Refused),
                ),
            ];
            for (stdout, app_status, protocol_status, result) in cases {
                answer.clear();
                answer.stdout(stdout, &mut expected);
                assert_eq!(answer.end(app_status, protocol_status, &expected), result);
            }
        }
    }
}
