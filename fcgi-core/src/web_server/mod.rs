//! The web server's side of a connection: requests out, answers in. The mirror of
//! [`application`](crate::application).

mod answers;
mod machine;

use self::machine::Machine;
use crate::error::{Error, SendError};
use crate::exchange::{Exchange, Input, Verdict, Violation};
use crate::frame::{Encoded, Record};
use crate::table::{self, Table, TableOf};
use crate::wire::values::Variable;
use crate::wire::{BeginRequest, Header, ProtocolStatus, RecordType, RequestId, Role};

/// One connection as the web server sees it, for up to `REQUESTS` requests at a time.
///
/// A state machine without I/O and without a clock: its methods make the records of requests, and
/// [`receive`](Connection::receive) takes what the application answers, in any pieces.
///
/// ```
/// use fcgi_core::web_server::{Connection, Event};
/// use fcgi_core::{Role, params};
///
/// # fn f() -> Result<(), Box<dyn std::error::Error>> {
/// let mut connection = Connection::<1>::new();
/// let mut output = Vec::new(); // to the application
/// let (id, begin) = connection.begin(Role::Responder, true)?;
/// output.extend_from_slice(&begin);
/// let mut stream = heapless::Vec::<u8, 512>::new();
/// params::append(&mut stream, "REQUEST_METHOD", "GET")?;
/// for mut chunk in params::chunks(&stream) {
///     while let Some(record) = connection.params(id, &mut chunk)? {
///         output.extend(record.parts().concat());
///     }
/// }
/// output.extend(connection.params_end(id)?.parts().concat());
/// output.extend(connection.stdin_end(id)?.parts().concat());
///
/// let mut input: &[u8] = &[]; // from the application
/// while let Some(event) = connection.receive(&mut input)? {
///     match event {
///         Event::Stdout { id: _, bytes: _ } => {} // a piece of the CGI response, see fcgi_core::cgi
///         Event::End { app_status: _, protocol_status: _, .. } => {} // the id is free again
///         _ => {}
///     }
/// }
/// # Ok(())
/// # }
/// # f().unwrap();
/// ```
///
/// Memory: 60 bytes, and 4 for each request. Work: each call of
/// `receive` looks at each byte of its slice at most once, and at all active requests at most once
/// a record.
#[derive(Clone, Debug)]
pub struct Connection<const REQUESTS: usize> {
    machine: Machine,
    table: TableOf<REQUESTS>,
}

/// What the application did. The bytes are borrowed from the input and from nothing else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event<'input> {
    /// A piece of STDOUT (§5.3), never empty.
    Stdout {
        /// The request.
        id: RequestId,
        /// The piece.
        bytes: &'input [u8],
    },
    /// The end of STDOUT. Some applications leave it out (PHP does): [`Event::End`] ends it too.
    StdoutEnd {
        /// The request.
        id: RequestId,
    },
    /// A piece of STDERR (§5.3), never empty.
    Stderr {
        /// The request.
        id: RequestId,
        /// The piece.
        bytes: &'input [u8],
    },
    /// The end of STDERR; comes only when the application says so.
    StderrEnd {
        /// The request.
        id: RequestId,
    },
    /// END_REQUEST (§5.5): the request is over and its id is free again.
    End {
        /// The request.
        id: RequestId,
        /// All 32 bits of the application's exit status.
        app_status: u32,
        /// Anything but REQUEST_COMPLETE is a request that was not served.
        protocol_status: ProtocolStatus,
    },
    /// GET_VALUES_RESULT (§4.1).
    Values(Values),
    /// UNKNOWN_TYPE (§4.2): the application does not know a management record that was sent.
    UnknownType {
        /// The type that it does not know; GET_VALUES means that it answers no questions.
        record_type: RecordType,
    },
}

/// What an application said of itself in GET_VALUES_RESULT (§4.1); `None` for what it left out or
/// what was no number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Values {
    /// FCGI_MAX_CONNS: the most connections at the same time.
    pub max_conns: Option<u32>,
    /// FCGI_MAX_REQS: the most requests at the same time.
    pub max_reqs: Option<u32>,
    /// FCGI_MPXS_CONNS: whether requests may be multiplexed on one connection.
    pub mpxs_conns: Option<bool>,
}

/// What it means for an active request that the application closed the connection (§3.5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Closed {
    /// It ended its STDOUT on a connection that was not to be kept, and left END_REQUEST out:
    /// complete, without an appStatus.
    Complete,
    /// The answer is cut short.
    Truncated,
}

impl<const REQUESTS: usize> Connection<REQUESTS> {
    /// A connection on which nothing has happened yet.
    #[must_use]
    pub const fn new() -> Self {
        Connection {
            machine: Machine::new(),
            table: TableOf::new(),
        }
    }

    /// Begins a request (§5.1) with the smallest id that is free. An id is free again only when
    /// END_REQUEST came, also after an abort. Work: looks at all active requests once for each id
    /// up to the new one.
    ///
    /// # Errors
    ///
    /// [`SendError::Full`] when `REQUESTS` requests are active.
    pub fn begin(
        &mut self,
        role: Role,
        keep_conn: bool,
    ) -> Result<(RequestId, Encoded<16>), SendError> {
        let id = table::smallest_free_id(&self.table).ok_or(SendError::Full)?;
        if !table::insert(&mut self.table, id, Exchange::new(role, keep_conn)) {
            return Err(SendError::Full);
        }
        let body = BeginRequest {
            role: role.number(),
            keep_conn,
        };
        Ok((
            id,
            Encoded::concat(&[
                &header(RecordType::BEGIN_REQUEST, id.get(), 8),
                &body.encode(),
            ]),
        ))
    }

    /// Takes the next record of PARAMS from the front of `bytes`; `None` when they are empty.
    ///
    /// For pairs that stay whole, give it the [`chunks`](crate::params::chunks) of the stream one
    /// by one.
    ///
    /// # Errors
    ///
    /// [`SendError`] when the id is not active, or PARAMS have ended.
    pub fn params<'b>(
        &mut self,
        id: RequestId,
        bytes: &mut &'b [u8],
    ) -> Result<Option<Record<'b>>, SendError> {
        send(&mut self.table, id, Input::Params, bytes)
    }

    /// The empty record that ends PARAMS.
    ///
    /// # Errors
    ///
    /// As [`params`](Connection::params).
    pub fn params_end(&mut self, id: RequestId) -> Result<Record<'static>, SendError> {
        send_end(&mut self.table, id, Input::Params)
    }

    /// Takes the next record of STDIN from the front of `bytes`; `None` when they are empty.
    ///
    /// # Errors
    ///
    /// [`SendError`] when the id is not active, the request is an Authorizer's, before the end of
    /// PARAMS, or after the end of STDIN.
    pub fn stdin<'b>(
        &mut self,
        id: RequestId,
        bytes: &mut &'b [u8],
    ) -> Result<Option<Record<'b>>, SendError> {
        send(&mut self.table, id, Input::Stdin, bytes)
    }

    /// The empty record that ends STDIN.
    ///
    /// # Errors
    ///
    /// As [`stdin`](Connection::stdin).
    pub fn stdin_end(&mut self, id: RequestId) -> Result<Record<'static>, SendError> {
        send_end(&mut self.table, id, Input::Stdin)
    }

    /// Takes the next record of DATA from the front of `bytes`; `None` when they are empty.
    ///
    /// # Errors
    ///
    /// [`SendError`] when the id is not active, the role is not Filter, before the end of STDIN, or
    /// after the end of DATA.
    pub fn data<'b>(
        &mut self,
        id: RequestId,
        bytes: &mut &'b [u8],
    ) -> Result<Option<Record<'b>>, SendError> {
        send(&mut self.table, id, Input::Data, bytes)
    }

    /// The empty record that ends DATA.
    ///
    /// # Errors
    ///
    /// As [`data`](Connection::data).
    pub fn data_end(&mut self, id: RequestId) -> Result<Record<'static>, SendError> {
        send_end(&mut self.table, id, Input::Data)
    }

    /// ABORT_REQUEST (§5.4). The request stays active until the application ends it.
    ///
    /// # Errors
    ///
    /// [`SendError::NotActive`].
    pub fn abort(&mut self, id: RequestId) -> Result<Encoded<8>, SendError> {
        table::find_mut(&mut self.table, id)
            .ok_or(SendError::NotActive { id })?
            .abort();
        Ok(Encoded::concat(&[&header(
            RecordType::ABORT_REQUEST,
            id.get(),
            0,
        )]))
    }

    /// GET_VALUES for all three variables of the specification (§4.1).
    pub fn get_values(&self) -> Encoded<56> {
        let mut content = heapless::Vec::<u8, 48, u8>::new();
        for variable in Variable::ALL {
            let fits = crate::params::append(&mut content, variable.name(), []);
            debug_assert!(
                fits.is_ok(),
                "names of 14, 13 and 15 bytes, two lengths each"
            );
        }
        let length = u16::try_from(content.len()).unwrap_or(0);
        Encoded::concat(&[&header(RecordType::GET_VALUES, 0, length), &content])
    }

    /// Eats from the front of `input` up to the next event.
    ///
    /// The same laws hold as for an application: `None` means that `input` is empty, an event's
    /// bytes are the last bytes consumed, and cuts change nothing but the pieces. What an
    /// application sends of a request that is not active is skipped.
    ///
    /// # Errors
    ///
    /// [`Error`] when the application breaks the protocol; sticky: close the connection.
    #[inline]
    pub fn receive<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Event<'i>>, Error> {
        self.machine.receive(&mut self.table, input)
    }

    /// What it means for an active request that the connection was closed by the application;
    /// `None` for an id that is not active.
    #[must_use]
    pub fn closed(&self, id: RequestId) -> Option<Closed> {
        let exchange = table::find(&self.table, id)?;
        let complete = !exchange.keep_conn() && !exchange.owes_stdout_end();
        Some(if complete && self.machine.records.is_between() {
            Closed::Complete
        } else {
            Closed::Truncated
        })
    }

    /// How many requests are active.
    #[must_use]
    pub fn active(&self) -> usize {
        self.table.len()
    }

    /// The ids of the active requests, in no particular order.
    pub fn ids(&self) -> impl Iterator<Item = RequestId> {
        table::ids(&self.table)
    }

    /// Whether the input stands between two records.
    #[must_use]
    pub fn is_between_records(&self) -> bool {
        self.machine.records.is_between()
    }
}

impl<const REQUESTS: usize> Default for Connection<REQUESTS> {
    fn default() -> Self {
        Connection::new()
    }
}

fn send<'b>(
    table: &mut Table,
    id: RequestId,
    stream: Input,
    bytes: &mut &'b [u8],
) -> Result<Option<Record<'b>>, SendError> {
    if bytes.is_empty() {
        // Writing nothing ends nothing.
        return Ok(None);
    }
    judge(table, id, stream, false)?;
    Ok(Some(Record::cut(stream.record_type(), id.get(), bytes)))
}

fn send_end(table: &mut Table, id: RequestId, stream: Input) -> Result<Record<'static>, SendError> {
    judge(table, id, stream, true)?;
    Ok(Record::empty(stream.record_type(), id.get()))
}

fn judge(table: &mut Table, id: RequestId, stream: Input, end: bool) -> Result<(), SendError> {
    let exchange = table::find_mut(table, id).ok_or(SendError::NotActive { id })?;
    let record_type = stream.record_type();
    match exchange.input(stream, end) {
        Ok(Verdict::Pass) => Ok(()),
        Ok(Verdict::Discard) if exchange.has(stream) => Err(SendError::Ended { id, record_type }),
        Ok(Verdict::Discard) => Err(SendError::NotOfRole { id, record_type }),
        Err(Violation::OutOfOrder) => Err(SendError::TooEarly { id, record_type }),
        Err(Violation::AfterEnd) => Err(SendError::Ended { id, record_type }),
    }
}

const fn header(record_type: RecordType, request_id: u16, content_length: u16) -> [u8; 8] {
    Header {
        record_type,
        request_id,
        content_length,
        padding_length: 0,
    }
    .encode()
}
