//! The application's side of a connection: requests in, answers out (§2 to §6).

mod machine;
mod whole;

pub use self::whole::Whole;

use self::machine::Machine;
use crate::error::{Error, Refusal, SendError};
use crate::exchange::{Output, Verdict};
use crate::frame::{Encoded, Record, empty_header, end_request};
use crate::reply::Reply;
use crate::table::{self, Table, TableOf};
use crate::wire::{ProtocolStatus, RecordType, RequestId, Role};

/// One connection as the application sees it, for up to `REQUESTS` requests at a time.
///
/// A state machine without I/O and without a clock. Feed it with what was read from the socket, in
/// any pieces, and act on each event:
///
/// ```
/// use fcgi_core::application::{Connection, Event};
///
/// # fn answer(input: &[u8]) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
/// # let mut output = Vec::new();
/// let mut connection = Connection::<16>::new();
/// let mut rest = input; // what one read gave
/// while let Some(event) = connection.receive(&mut rest)? {
///     match event {
///         Event::Begin { .. } => {}                 // a request is active
///         Event::Params { id: _, bytes: _ } => {}   // collect, see fcgi_core::params
///         Event::ParamsEnd { .. } => {}
///         Event::Stdin { id: _, bytes: _ } => {}    // a piece of the body
///         Event::StdinEnd { id } => {
///             let mut page = &b"Content-Type: text/plain\r\n\r\nhello\n"[..];
///             while let Some(record) = connection.stdout(id, &mut page)? {
///                 output.extend(record.parts().concat()); // or a vectored write
///             }
///             output.extend_from_slice(&connection.end(id, 0)?);
///         }
///         Event::Data { .. } | Event::DataEnd { .. } => {}
///         Event::Abort { id } => output.extend_from_slice(&connection.end(id, 1)?),
///         Event::Reply(reply) => output.extend_from_slice(&reply.encode(1, 16)),
///     }
/// }
/// # Ok(output)
/// # }
/// # let mut input = vec![1, 1, 0, 1, 0, 8, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0];
/// # input.extend([1, 4, 0, 1, 0, 0, 0, 0, 1, 5, 0, 1, 0, 0, 0, 0]);
/// # assert!(answer(&input).unwrap().windows(5).any(|w| w == b"hello"));
/// ```
///
/// Memory: 44 bytes, and 4 for each request; nothing is allocated and nothing of the input
/// is kept. Work: each call looks at each byte of its slice at most once, and at most at all active
/// requests once a record.
#[derive(Clone, Debug)]
pub struct Connection<const REQUESTS: usize> {
    machine: Machine,
    table: TableOf<REQUESTS>,
}

/// What the web server did. The bytes are borrowed from the input and from nothing else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event<'input> {
    /// BEGIN_REQUEST (§5.1): the id is active from here until [`Connection::end`] or
    /// [`Connection::refuse`].
    Begin {
        /// The new request.
        id: RequestId,
        /// What it asks for.
        role: Role,
        /// Whether the web server keeps the connection; if not, see [`Connection::should_close`].
        keep_conn: bool,
    },
    /// A piece of the PARAMS stream (§5.2), never empty, cut anywhere.
    Params {
        /// The request.
        id: RequestId,
        /// The piece.
        bytes: &'input [u8],
    },
    /// The end of PARAMS. Output may be sent from here on (a Filter's: from the end of STDIN).
    ParamsEnd {
        /// The request.
        id: RequestId,
    },
    /// A piece of the STDIN stream (§5.3), never empty.
    Stdin {
        /// The request.
        id: RequestId,
        /// The piece.
        bytes: &'input [u8],
    },
    /// The end of STDIN. An Authorizer has no STDIN; what web servers send of it is skipped.
    StdinEnd {
        /// The request.
        id: RequestId,
    },
    /// A piece of the DATA stream of a Filter (§5.3), never empty.
    Data {
        /// The request.
        id: RequestId,
        /// The piece.
        bytes: &'input [u8],
    },
    /// The end of DATA.
    DataEnd {
        /// The request.
        id: RequestId,
    },
    /// ABORT_REQUEST (§5.4), at most once a request: end it soon with [`Connection::end`]; output
    /// before that is allowed.
    Abort {
        /// The request.
        id: RequestId,
    },
    /// The connection owes the web server an answer that needs no decision: encode and send it.
    Reply(Reply),
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

    /// Eats from the front of `input` up to the next event.
    ///
    /// - `None` means that `input` is empty: everything has been taken in, and nothing of it is
    ///   needed any more.
    /// - The bytes of an event are the last bytes consumed.
    /// - Cutting the input anywhere changes nothing but the pieces of streams.
    /// - A record is acted on as soon as its last content byte is there; its padding is skipped
    ///   whenever it comes.
    ///
    /// # Errors
    ///
    /// [`Error`] when the web server breaks the protocol; from then on every call returns the same
    /// error: close the connection.
    #[inline]
    pub fn receive<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Event<'i>>, Error> {
        self.machine.receive(&mut self.table, input, false)
    }

    /// As [`receive`](Connection::receive), but stops before a BEGIN_REQUEST: `None` with a
    /// non-empty `input` means that another request begins there.
    ///
    /// For frontends that serve pipelined requests one after the other: while a request runs they
    /// still see ABORT_REQUEST and GET_VALUES, and the next request is neither refused nor begun.
    ///
    /// # Errors
    ///
    /// As [`receive`](Connection::receive).
    pub fn receive_before_begin<'i>(
        &mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<Event<'i>>, Error> {
        self.machine.receive(&mut self.table, input, true)
    }

    /// Takes the next record of STDOUT from the front of `bytes`; `None` when they are empty.
    ///
    /// # Errors
    ///
    /// [`SendError`] when the id is not active, before the end of PARAMS (a Filter: of STDIN), or
    /// after the end of STDOUT.
    pub fn stdout<'b>(
        &mut self,
        id: RequestId,
        bytes: &mut &'b [u8],
    ) -> Result<Option<Record<'b>>, SendError> {
        send(&mut self.table, id, Output::Stdout, bytes)
    }

    /// The empty record that ends STDOUT. [`end`](Connection::end) sends it too when it is still
    /// missing.
    ///
    /// # Errors
    ///
    /// As [`stdout`](Connection::stdout).
    pub fn stdout_end(&mut self, id: RequestId) -> Result<Record<'static>, SendError> {
        send_end(&mut self.table, id, Output::Stdout)
    }

    /// Takes the next record of STDERR from the front of `bytes`; `None` when they are empty.
    ///
    /// # Errors
    ///
    /// As [`stdout`](Connection::stdout).
    pub fn stderr<'b>(
        &mut self,
        id: RequestId,
        bytes: &mut &'b [u8],
    ) -> Result<Option<Record<'b>>, SendError> {
        send(&mut self.table, id, Output::Stderr, bytes)
    }

    /// The empty record that ends STDERR. [`end`](Connection::end) sends it too when it is needed.
    ///
    /// # Errors
    ///
    /// As [`stdout`](Connection::stdout).
    pub fn stderr_end(&mut self, id: RequestId) -> Result<Record<'static>, SendError> {
        send_end(&mut self.table, id, Output::Stderr)
    }

    /// Ends a request (§5.5): the ends of the streams that are still owed, then END_REQUEST with
    /// REQUEST_COMPLETE. At most 32 bytes.
    ///
    /// The id is inactive from here on; input that is still on its way for it is skipped. The input
    /// need not have been read to its end.
    ///
    /// # Errors
    ///
    /// [`SendError::NotActive`]: there is exactly one END_REQUEST for each BEGIN_REQUEST.
    #[inline]
    pub fn end(&mut self, id: RequestId, app_status: u32) -> Result<Encoded<32>, SendError> {
        let exchange = table::remove(&mut self.table, id).ok_or(SendError::NotActive { id })?;
        self.machine.forget(id);
        let [header, body] = end_request(id, app_status, ProtocolStatus::REQUEST_COMPLETE);
        let stdout_end = empty_header(RecordType::STDOUT, id);
        let stderr_end = empty_header(RecordType::STDERR, id);
        Ok(
            match (exchange.owes_stderr_end(), exchange.owes_stdout_end()) {
                (false, true) => Encoded::concat(&[[stdout_end, header, body].as_flattened()]),
                (false, false) => Encoded::concat(&[[header, body].as_flattened()]),
                (true, false) => Encoded::concat(&[[stderr_end, header, body].as_flattened()]),
                (true, true) => {
                    Encoded::concat(&[[stderr_end, stdout_end, header, body].as_flattened()])
                }
            },
        )
    }

    /// Refuses a request of which nothing was answered: a bare END_REQUEST with the refusal's
    /// protocolStatus (§5.5).
    ///
    /// The id is inactive from here on; the rest of the request is skipped.
    ///
    /// # Errors
    ///
    /// [`SendError::NotActive`], or [`SendError::AlreadyAnswered`] when output was sent.
    pub fn refuse(&mut self, id: RequestId, refusal: Refusal) -> Result<Reply, SendError> {
        let exchange = table::find(&self.table, id).ok_or(SendError::NotActive { id })?;
        if exchange.is_answered() {
            return Err(SendError::AlreadyAnswered { id });
        }
        self.forget(id);
        Ok(Reply::refused(id, refusal))
    }

    /// Makes an id inactive.
    fn forget(&mut self, id: RequestId) {
        table::remove(&mut self.table, id);
        self.machine.forget(id);
    }

    /// Refuses every new request from here on with OVERLOADED, for a graceful stop; see
    /// [`should_close`](Connection::should_close).
    pub fn stop_accepting(&mut self) {
        self.machine.closing = true;
    }

    /// Whether the application has to close now: no request is active, and either one came without
    /// FCGI_KEEP_CONN (§5.1) or [`stop_accepting`](Connection::stop_accepting) was called.
    #[must_use]
    pub fn should_close(&self) -> bool {
        self.machine.closing && self.table.is_empty()
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

    /// The role of an active request.
    #[must_use]
    pub fn role(&self, id: RequestId) -> Option<Role> {
        table::find(&self.table, id).map(|exchange| exchange.role())
    }

    /// Whether an active request has got all its input: the end of the last stream of its role.
    /// `false` for an id that is not active.
    ///
    /// When the web server closes the connection, the requests for which this is `false` are
    /// incomplete.
    #[must_use]
    pub fn is_input_done(&self, id: RequestId) -> bool {
        table::find(&self.table, id).is_some_and(|exchange| exchange.is_input_done())
    }

    /// Whether output for an active request is allowed now (§6.1): after PARAMS, for a Filter after
    /// STDIN.
    #[must_use]
    pub fn may_answer(&self, id: RequestId) -> bool {
        table::find(&self.table, id).is_some_and(|exchange| exchange.may_answer())
    }

    /// Whether the input stands between two records, so that an end of the stream here cuts
    /// nothing.
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
    stream: Output,
    bytes: &mut &'b [u8],
) -> Result<Option<Record<'b>>, SendError> {
    if bytes.is_empty() {
        // Writing nothing ends nothing.
        return Ok(None);
    }
    judge(table, id, stream, false)?;
    Ok(Some(Record::cut(stream.record_type(), id.get(), bytes)))
}

fn send_end(
    table: &mut Table,
    id: RequestId,
    stream: Output,
) -> Result<Record<'static>, SendError> {
    judge(table, id, stream, true)?;
    Ok(Record::empty(stream.record_type(), id.get()))
}

fn judge(table: &mut Table, id: RequestId, stream: Output, end: bool) -> Result<(), SendError> {
    let exchange = table::find_mut(table, id).ok_or(SendError::NotActive { id })?;
    let record_type = stream.record_type();
    if !exchange.may_answer() {
        return Err(SendError::TooEarly { id, record_type });
    }
    match exchange.output(stream, end) {
        Ok(Verdict::Pass) => Ok(()),
        _ => Err(SendError::Ended { id, record_type }),
    }
}
