//! The legal order of one request's records (§6.1), as one table that both sides obey.
//!
//! The application judges what it receives with [`Exchange::input`] and what it sends with
//! [`Exchange::output`]; the web server does the reverse with the very same functions, so the two
//! sides cannot drift apart.

use crate::wire::{RecordType, Role};

/// A stream from the web server to the application.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Input {
    Params,
    Stdin,
    Data,
}

impl Input {
    pub(crate) const fn record_type(self) -> RecordType {
        match self {
            Input::Params => RecordType::PARAMS,
            Input::Stdin => RecordType::STDIN,
            Input::Data => RecordType::DATA,
        }
    }
}

/// A stream from the application to the web server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Output {
    Stdout,
    Stderr,
}

impl Output {
    pub(crate) const fn record_type(self) -> RecordType {
        match self {
            Output::Stdout => RecordType::STDOUT,
            Output::Stderr => RecordType::STDERR,
        }
    }
}

/// What the table says to a record that breaks no rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// Content of the stream, or its end for the first time.
    Pass,
    /// Not a stream of this role, or the end of a stream that has already ended: harmless, and
    /// nobody's business.
    Discard,
}

/// The rule that a record broke.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Violation {
    /// Before the stream's turn.
    OutOfOrder,
    /// Content after the stream's end.
    AfterEnd,
}

/// The input stream that may flow now.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
enum Phase {
    Params,
    Stdin,
    Data,
    Done,
}

/// The state of one request: two bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exchange {
    phase: Phase,
    flags: u8,
}

const ROLE: u8 = 0b11;
const STDOUT_USED: u8 = 1 << 2;
const STDOUT_ENDED: u8 = 1 << 3;
const STDERR_USED: u8 = 1 << 4;
const STDERR_ENDED: u8 = 1 << 5;
const ABORTED: u8 = 1 << 6;
const KEEP_CONN: u8 = 1 << 7;

impl Exchange {
    pub(crate) const fn new(role: Role, keep_conn: bool) -> Exchange {
        let role = match role {
            Role::Responder => 1,
            Role::Authorizer => 2,
            Role::Filter => 3,
        };
        let flags = if keep_conn { role | KEEP_CONN } else { role };
        Exchange {
            phase: Phase::Params,
            flags,
        }
    }

    pub(crate) const fn role(self) -> Role {
        match self.flags & ROLE {
            1 => Role::Responder,
            2 => Role::Authorizer,
            _ => Role::Filter,
        }
    }

    pub(crate) const fn keep_conn(self) -> bool {
        self.flags & KEEP_CONN != 0
    }

    pub(crate) const fn is_aborted(self) -> bool {
        self.flags & ABORTED != 0
    }

    /// Notes an abort; `false` when there was one already.
    pub(crate) fn abort(&mut self) -> bool {
        let first = !self.is_aborted();
        self.flags |= ABORTED;
        first
    }

    /// Whether all input streams of the role have ended.
    pub(crate) fn is_input_done(self) -> bool {
        self.phase == Phase::Done
    }

    /// Judges a record of an input stream; `end` says that it is the stream's empty record.
    #[inline]
    pub(crate) fn input(&mut self, stream: Input, end: bool) -> Result<Verdict, Violation> {
        let turn = match stream {
            Input::Params => Phase::Params,
            Input::Stdin => Phase::Stdin,
            Input::Data => Phase::Data,
        };
        if turn != self.phase {
            return self.out_of_turn(stream, turn, end);
        }
        if end {
            self.phase = self.after(stream);
        }
        Ok(Verdict::Pass)
    }

    #[cold]
    fn out_of_turn(self, stream: Input, turn: Phase, end: bool) -> Result<Verdict, Violation> {
        if self.phase == Phase::Params {
            return Err(Violation::OutOfOrder);
        }
        match stream {
            // Real web servers send an Authorizer an empty STDIN, and some a body.
            _ if !self.has(stream) => Ok(Verdict::Discard),
            _ if turn > self.phase => Err(Violation::OutOfOrder),
            Input::Stdin | Input::Data if end => Ok(Verdict::Discard),
            _ => Err(Violation::AfterEnd),
        }
    }

    /// Whether the role has this stream.
    pub(crate) const fn has(self, stream: Input) -> bool {
        matches!(
            (stream, self.role()),
            (Input::Params, _) | (Input::Stdin, Role::Responder | Role::Filter) | (_, Role::Filter)
        )
    }

    /// The stream after this one, by role (§6.2 to §6.4).
    const fn after(self, stream: Input) -> Phase {
        match (stream, self.role()) {
            (Input::Params, Role::Responder | Role::Filter) => Phase::Stdin,
            (Input::Stdin, Role::Filter) => Phase::Data,
            _ => Phase::Done,
        }
    }

    /// Whether the role may send output now: after PARAMS, a Filter after STDIN (§6.1).
    pub(crate) fn may_answer(self) -> bool {
        match self.role() {
            Role::Responder | Role::Authorizer => self.phase > Phase::Params,
            Role::Filter => self.phase > Phase::Stdin,
        }
    }

    /// Judges a record of an output stream.
    pub(crate) fn output(&mut self, stream: Output, end: bool) -> Result<Verdict, Violation> {
        let (used, ended) = match stream {
            Output::Stdout => (STDOUT_USED, STDOUT_ENDED),
            Output::Stderr => (STDERR_USED, STDERR_ENDED),
        };
        if self.flags & ended != 0 {
            return if end {
                Ok(Verdict::Discard)
            } else {
                Err(Violation::AfterEnd)
            };
        }
        self.flags |= if end { used | ended } else { used };
        Ok(Verdict::Pass)
    }

    /// Whether anything was sent on STDOUT or STDERR, the end of the stream included.
    pub(crate) const fn is_answered(self) -> bool {
        self.flags & (STDOUT_USED | STDERR_USED) != 0
    }

    /// Whether STDOUT still has to be ended: always used, so always ended (§6.1).
    pub(crate) const fn owes_stdout_end(self) -> bool {
        self.flags & STDOUT_ENDED == 0
    }

    /// Whether STDERR still has to be ended: only if it was used.
    pub(crate) const fn owes_stderr_end(self) -> bool {
        self.flags & (STDERR_USED | STDERR_ENDED) == STDERR_USED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What each role's streams do after the given ones have ended: `.` passes, `-` is discarded,
    /// `<` is too early, `>` is after the end.
    #[test]
    fn order_of_input_streams() {
        use Role::{Authorizer, Filter, Responder};
        let mark = |result| match result {
            Ok(Verdict::Pass) => '.',
            Ok(Verdict::Discard) => '-',
            Err(Violation::OutOfOrder) => '<',
            Err(Violation::AfterEnd) => '>',
        };
        let streams = [Input::Params, Input::Stdin, Input::Data];
        // Rows: streams ended so far. Columns: content of PARAMS, STDIN, DATA, then their ends.
        for (role, ended, expected) in [
            (Responder, 0, ".<<.<<"),
            (Responder, 1, ">.->.-"),
            (Responder, 2, ">>->--"),
            (Authorizer, 0, ".<<.<<"),
            (Authorizer, 1, ">-->--"),
            (Filter, 0, ".<<.<<"),
            (Filter, 1, ">.<>.<"),
            (Filter, 2, ">>.>-."),
            (Filter, 3, ">>>>--"),
        ] {
            let mut exchange = Exchange::new(role, true);
            for stream in &streams[..ended] {
                assert_eq!(exchange.input(*stream, true), Ok(Verdict::Pass));
            }
            let row: std::string::String = [false, true]
                .into_iter()
                .flat_map(|end| streams.map(|stream| mark(exchange.clone().input(stream, end))))
                .collect();
            assert_eq!(row, expected, "{role} after {ended}");
            let done = if role == Authorizer {
                1
            } else {
                role.number().into()
            };
            assert_eq!(
                exchange.is_input_done(),
                ended >= if role == Responder { 2 } else { done }
            );
        }
    }

    #[test]
    fn output_streams_end_once() {
        let mut exchange = Exchange::new(Role::Responder, false);
        assert!(!exchange.may_answer() && !exchange.is_answered());
        assert!(exchange.owes_stdout_end() && !exchange.owes_stderr_end());
        assert_eq!(exchange.output(Output::Stderr, false), Ok(Verdict::Pass));
        assert!(exchange.owes_stderr_end());
        for stream in [Output::Stdout, Output::Stderr] {
            assert_eq!(exchange.output(stream, true), Ok(Verdict::Pass));
            assert_eq!(exchange.output(stream, true), Ok(Verdict::Discard));
            assert_eq!(exchange.output(stream, false), Err(Violation::AfterEnd));
        }
        assert!(!exchange.owes_stdout_end() && !exchange.owes_stderr_end());
    }
}
