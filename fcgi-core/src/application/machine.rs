//! Receiving, without the table's capacity.

use super::Event;
use crate::error::{Error, Refusal};
use crate::exchange::{Exchange, Input, Verdict, Violation};
use crate::records::Records;
use crate::reply::Reply;
use crate::table::{self, Table};
use crate::wire::values::{Found, Scanner};
use crate::wire::{BODY_LEN, BeginRequest, Header, RecordType, RequestId, Role};

/// What the content of the current record is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Target {
    Skip,
    Stream(Input),
    Begin,
    Abort,
    Values,
    Unknown,
}

/// Everything but the table; its capacity is erased, so this code exists once.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub(super) records: Records,
    scanner: Scanner,
    /// The variables that the current GET_VALUES has asked for.
    asked: u8,
    target: Target,
    pub(super) closing: bool,
    failed: Option<Error>,
}

impl Machine {
    pub(super) const fn new() -> Machine {
        Machine {
            records: Records::new(),
            scanner: Scanner::new(),
            asked: 0,
            target: Target::Skip,
            closing: false,
            failed: None,
        }
    }

    /// Whether a request may be taken in one step: no record is under way, and nothing forbids it.
    #[inline]
    pub(super) fn takes_whole(&self) -> bool {
        !self.closing && self.failed.is_none() && self.records.is_between()
    }

    /// A request is no longer active: what is left of its current record, if it is the current one,
    /// is skipped.
    pub(super) fn forget(&mut self, id: RequestId) {
        if self.records.request_id() == Some(id) && matches!(self.target, Target::Stream(_)) {
            self.target = Target::Skip;
        }
    }

    #[inline]
    pub(super) fn receive<'i>(
        &mut self,
        table: &mut Table,
        input: &mut &'i [u8],
        before_begin: bool,
    ) -> Result<Option<Event<'i>>, Error> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if input.is_empty() {
            return Ok(None);
        }
        // What bodies consist of needs no decision: cheap enough to be inlined into the caller's
        // loop.
        if !self.records.is_content_done() {
            if let Target::Stream(stream) = self.target {
                return Ok(self.piece(stream, input));
            }
        }
        self.advance(table, input, before_begin)
    }

    fn advance<'i>(
        &mut self,
        table: &mut Table,
        input: &mut &'i [u8],
        before_begin: bool,
    ) -> Result<Option<Event<'i>>, Error> {
        self.next_event(table, input, before_begin)
            .map_err(|error| self.fail(error))
    }

    #[cold]
    fn fail(&mut self, error: Error) -> Error {
        self.failed = Some(error);
        error
    }

    fn next_event<'i>(
        &mut self,
        table: &mut Table,
        input: &mut &'i [u8],
        before_begin: bool,
    ) -> Result<Option<Event<'i>>, Error> {
        loop {
            if self.records.is_content_done() {
                let Some(header) = self.records.header(input)? else {
                    return Ok(None);
                };
                self.target = self.target(table, header)?;
            }
            if !self.records.is_content_done() {
                if let Target::Stream(stream) = self.target {
                    return Ok(self.piece(stream, input));
                }
                if before_begin && self.target == Target::Begin {
                    return Ok(None);
                }
                let Some(bytes) = self.records.content(input) else {
                    return Ok(None);
                };
                self.collect(bytes);
                if !self.records.is_content_done() {
                    return Ok(None);
                }
            }
            let event = self.complete(table)?;
            if event.is_some() {
                return Ok(event);
            }
        }
    }

    /// Decides what a record is for.
    fn target(&mut self, table: &mut Table, header: Header) -> Result<Target, Error> {
        let Some(id) = RequestId::new(header.request_id) else {
            return self.management(header.record_type);
        };
        Ok(match header.record_type {
            RecordType::PARAMS => return stream(table, id, Input::Params, header),
            RecordType::STDIN => return stream(table, id, Input::Stdin, header),
            RecordType::DATA => return stream(table, id, Input::Data, header),
            RecordType::BEGIN_REQUEST if usize::from(header.content_length) < BODY_LEN => {
                return Err(Error::ShortBody {
                    record_type: header.record_type,
                    request_id: header.request_id,
                    content_length: header.content_length,
                });
            }
            RecordType::BEGIN_REQUEST => Target::Begin,
            RecordType::ABORT_REQUEST => Target::Abort,
            // Everything but BEGIN_REQUEST is ignored for an id that is not active (§3.3).
            record_type @ (RecordType::END_REQUEST | RecordType::STDOUT | RecordType::STDERR)
                if table::find(table, id).is_some() =>
            {
                return Err(Error::WrongDirection {
                    request_id: id.get(),
                    record_type,
                });
            }
            // Application records of a type that nobody knows, management types with an id
            // included.
            _ => Target::Skip,
        })
    }

    /// A record with the null id.
    #[cold]
    fn management(&mut self, record_type: RecordType) -> Result<Target, Error> {
        if record_type.is_application() {
            return Err(Error::NullRequestId { record_type });
        }
        Ok(match record_type {
            RecordType::GET_VALUES => {
                self.scanner = Scanner::new();
                self.asked = 0;
                Target::Values
            }
            // Answers to questions that an application does not ask: two reflecting peers must not
            // loop.
            RecordType::GET_VALUES_RESULT | RecordType::UNKNOWN_TYPE => Target::Skip,
            _ => Target::Unknown,
        })
    }

    /// A piece of a stream.
    #[inline]
    fn piece<'i>(&mut self, stream: Input, input: &mut &'i [u8]) -> Option<Event<'i>> {
        let id = self.records.request_id()?;
        let bytes = self.records.content(input)?;
        Some(match stream {
            Input::Params => Event::Params { id, bytes },
            Input::Stdin => Event::Stdin { id, bytes },
            Input::Data => Event::Data { id, bytes },
        })
    }

    /// Keeps what is needed of a piece of a discrete record's content.
    fn collect(&mut self, bytes: &[u8]) {
        match self.target {
            Target::Begin => self.records.collect(bytes),
            Target::Values => self.scan(bytes),
            Target::Skip | Target::Stream(_) | Target::Abort | Target::Unknown => {}
        }
    }

    /// Notes the variables that a piece of GET_VALUES asks for.
    #[cold]
    fn scan(&mut self, mut bytes: &[u8]) {
        while let Some(found) = self.scanner.next(&mut bytes) {
            if let Found::Pair(variable) = found {
                self.asked |= variable.mask();
            }
        }
    }

    /// Acts on the end of a stream, or on a discrete record whose content is complete.
    fn complete(&mut self, table: &mut Table) -> Result<Option<Event<'static>>, Error> {
        let id = self.records.request_id();
        Ok(match (self.target, id) {
            (Target::Stream(stream), Some(id)) => Some(stream_end(stream, id)),
            (Target::Begin, Some(id)) => {
                let body = self.records.take_body();
                Some(self.begin(table, id, BeginRequest::decode(&body))?)
            }
            (Target::Abort, Some(id)) => table::find_mut(table, id)
                .is_some_and(Exchange::abort)
                .then_some(Event::Abort { id }),
            (Target::Values, _) => Some(Event::Reply(Reply::values(self.asked))),
            (Target::Unknown, _) => Some(Event::Reply(Reply::unknown_type(
                self.records.record_type(),
            ))),
            _ => None,
        })
    }

    /// Takes a new request, or refuses it (§5.5).
    fn begin(
        &mut self,
        table: &mut Table,
        id: RequestId,
        body: BeginRequest,
    ) -> Result<Event<'static>, Error> {
        if table::find(table, id).is_some() {
            return Err(Error::ActiveRequest { id });
        }
        let was_closing = self.closing;
        let keep_conn = body.keep_conn;
        self.closing |= !keep_conn;
        let Some(role) = Role::from_number(body.role) else {
            return Ok(refused(id, Refusal::UnknownRole));
        };
        if was_closing {
            return Ok(refused(id, Refusal::Overloaded));
        }
        if !table::insert(table, id, Exchange::new(role, keep_conn)) {
            return Ok(refused(id, full(table)));
        }
        Ok(Event::Begin {
            id,
            role,
            keep_conn,
        })
    }
}

/// A record of an input stream.
fn stream(
    table: &mut Table,
    id: RequestId,
    stream: Input,
    header: Header,
) -> Result<Target, Error> {
    let Some(exchange) = table::find_mut(table, id) else {
        return Ok(Target::Skip);
    };
    let record_type = header.record_type;
    match exchange.input(stream, header.content_length == 0) {
        Ok(Verdict::Pass) => Ok(Target::Stream(stream)),
        Ok(Verdict::Discard) => Ok(Target::Skip),
        Err(Violation::OutOfOrder) => Err(Error::OutOfOrder { id, record_type }),
        Err(Violation::AfterEnd) => Err(Error::AfterEnd { id, record_type }),
    }
}

/// What a full table means: no other request beside the one, or just not now.
#[cold]
#[inline(never)]
fn full(table: &Table) -> Refusal {
    if table.capacity() == 1 {
        Refusal::CantMultiplex
    } else {
        Refusal::Overloaded
    }
}

#[cold]
const fn refused(id: RequestId, refusal: Refusal) -> Event<'static> {
    Event::Reply(Reply::refused(id, refusal))
}

const fn stream_end(stream: Input, id: RequestId) -> Event<'static> {
    match stream {
        Input::Params => Event::ParamsEnd { id },
        Input::Stdin => Event::StdinEnd { id },
        Input::Data => Event::DataEnd { id },
    }
}
