//! Receiving, without the table's capacity.

use super::Event;
use super::answers::Answers;
use crate::error::Error;
use crate::exchange::{Output, Verdict};
use crate::records::Records;
use crate::table::{self, Table};
use crate::wire::values::Scanner;
use crate::wire::{BODY_LEN, EndRequest, Header, RecordType, RequestId, UnknownType};

/// What the content of the current record is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Target {
    Skip,
    Stream(Output),
    End,
    Values,
    UnknownType,
}

/// Everything but the table; its capacity is erased, so this code exists once.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub(super) records: Records,
    scanner: Scanner,
    answers: Answers,
    target: Target,
    failed: Option<Error>,
}

impl Machine {
    pub(super) const fn new() -> Machine {
        Machine {
            records: Records::new(),
            scanner: Scanner::new(),
            answers: Answers::new(),
            target: Target::Skip,
            failed: None,
        }
    }

    #[inline]
    pub(super) fn receive<'i>(
        &mut self,
        table: &mut Table,
        input: &mut &'i [u8],
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
        self.advance(table, input)
    }

    fn advance<'i>(
        &mut self,
        table: &mut Table,
        input: &mut &'i [u8],
    ) -> Result<Option<Event<'i>>, Error> {
        self.next_event(table, input)
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
                let Some(bytes) = self.records.content(input) else {
                    return Ok(None);
                };
                self.collect(bytes);
                if !self.records.is_content_done() {
                    return Ok(None);
                }
            }
            let event = self.complete(table);
            if event.is_some() {
                return Ok(event);
            }
        }
    }

    /// Decides what a record is for.
    fn target(&mut self, table: &mut Table, header: Header) -> Result<Target, Error> {
        let Header {
            record_type,
            request_id,
            content_length,
            ..
        } = header;
        let short = usize::from(content_length) < BODY_LEN;
        Ok(match (record_type, RequestId::new(request_id)) {
            (RecordType::STDOUT, Some(id)) => return stream(table, id, Output::Stdout, header),
            (RecordType::STDERR, Some(id)) => return stream(table, id, Output::Stderr, header),
            (RecordType::END_REQUEST, Some(_)) | (RecordType::UNKNOWN_TYPE, None) if short => {
                return Err(Error::ShortBody {
                    record_type,
                    request_id,
                    content_length,
                });
            }
            (RecordType::END_REQUEST, Some(_)) => Target::End,
            (RecordType::UNKNOWN_TYPE, None) => Target::UnknownType,
            (RecordType::GET_VALUES_RESULT, None) => {
                self.scanner = Scanner::new();
                self.answers = Answers::new();
                Target::Values
            }
            (RecordType::STDOUT | RecordType::STDERR | RecordType::END_REQUEST, None) => {
                return Err(Error::NullRequestId { record_type });
            }
            (RecordType::GET_VALUES, None) => {
                return Err(Error::WrongDirection {
                    request_id,
                    record_type,
                });
            }
            _ if record_type.is_application() => {
                return Err(Error::WrongDirection {
                    request_id,
                    record_type,
                });
            }
            _ => Target::Skip,
        })
    }

    /// A piece of a stream. Only END_REQUEST makes its id inactive, and that cannot come inside
    /// this record.
    #[inline]
    fn piece<'i>(&mut self, stream: Output, input: &mut &'i [u8]) -> Option<Event<'i>> {
        let id = self.records.request_id()?;
        let bytes = self.records.content(input)?;
        Some(match stream {
            Output::Stdout => Event::Stdout { id, bytes },
            Output::Stderr => Event::Stderr { id, bytes },
        })
    }

    /// Keeps what is needed of a piece of a discrete record's content.
    fn collect(&mut self, bytes: &[u8]) {
        match self.target {
            Target::End | Target::UnknownType => self.records.collect(bytes),
            Target::Values => self.answers.read(&mut self.scanner, bytes),
            Target::Skip | Target::Stream(_) => {}
        }
    }

    /// Acts on the end of a stream, or on a discrete record whose content is complete.
    fn complete(&mut self, table: &mut Table) -> Option<Event<'static>> {
        match self.target {
            Target::Stream(stream) => self.records.request_id().map(|id| match stream {
                Output::Stdout => Event::StdoutEnd { id },
                Output::Stderr => Event::StderrEnd { id },
            }),
            Target::End => {
                let EndRequest {
                    app_status,
                    protocol_status,
                } = EndRequest::decode(&self.records.take_body());
                let id = self.records.request_id()?;
                table::remove(table, id)?;
                Some(Event::End {
                    id,
                    app_status,
                    protocol_status,
                })
            }
            Target::UnknownType => {
                let UnknownType { record_type } = UnknownType::decode(&self.records.take_body());
                Some(Event::UnknownType { record_type })
            }
            Target::Values => Some(Event::Values(self.answers.values())),
            Target::Skip => None,
        }
    }
}

/// A record of an output stream.
fn stream(
    table: &mut Table,
    id: RequestId,
    stream: Output,
    header: Header,
) -> Result<Target, Error> {
    // Late records of a request that has ended.
    let Some(exchange) = table::find_mut(table, id) else {
        return Ok(Target::Skip);
    };
    let record_type = header.record_type;
    match exchange.output(stream, header.content_length == 0) {
        Ok(Verdict::Pass) => Ok(Target::Stream(stream)),
        Ok(Verdict::Discard) => Ok(Target::Skip),
        Err(_) => Err(Error::AfterEnd { id, record_type }),
    }
}
