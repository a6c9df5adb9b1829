//! Requests that lie whole in the input: taken in one step.

use super::Connection;
use crate::exchange::{Exchange, Input};
use crate::table;
use crate::wire::{BODY_LEN, BeginRequest, HEADER_LEN, Header, RecordType, RequestId, Role};

/// A Responder's request of which everything is there; see [`Connection::receive_whole`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Whole<'input> {
    /// The new request; active until [`Connection::end`], and its input is done.
    pub id: RequestId,
    /// Whether the web server keeps the connection.
    pub keep_conn: bool,
    /// The PARAMS stream (§5.2), to be checked by [`Params::parse`](crate::params::Params::parse).
    pub params: &'input [u8],
    /// The STDIN stream (§5.3).
    pub stdin: &'input [u8],
}

impl<const REQUESTS: usize> Connection<REQUESTS> {
    /// Eats a Responder's request from the front of `input`, if all of it is there and each of its
    /// streams has one record besides its end, as small requests of most web servers have. `None`
    /// means that nothing was eaten: go on with [`receive`](Connection::receive).
    ///
    /// This is a shorter way to the same place: the connection is in the state in which the events
    /// Begin, Params, ParamsEnd, Stdin and StdinEnd would have brought it. Whatever breaks a rule
    /// or needs an answer is left to [`receive`](Connection::receive).
    ///
    /// Work: looks at five headers and at all active requests, once.
    #[inline]
    pub fn receive_whole<'i>(&mut self, input: &mut &'i [u8]) -> Option<Whole<'i>> {
        if !self.machine.takes_whole() {
            return None;
        }
        let (whole, rest) = cut(input)?;
        if table::find(&self.table, whole.id).is_some() {
            return None;
        }
        let mut exchange = Exchange::new(Role::Responder, whole.keep_conn);
        for stream in [Input::Params, Input::Stdin] {
            exchange.input(stream, true).ok()?;
        }
        if !table::insert(&mut self.table, whole.id, exchange) {
            return None;
        }
        self.machine.closing |= !whole.keep_conn;
        *input = rest;
        Some(whole)
    }
}

/// The request at the front, and what follows it.
#[inline]
fn cut(mut input: &[u8]) -> Option<(Whole<'_>, &[u8])> {
    let [_, _, id1, id0, ..] = *input.first_chunk::<HEADER_LEN>()?;
    let id = RequestId::new(u16::from_be_bytes([id1, id0]))?;
    let begin = record(&mut input, RecordType::BEGIN_REQUEST, id)?;
    let begin = BeginRequest::decode(begin.first_chunk::<BODY_LEN>()?);
    if begin.role != Role::Responder.number() {
        return None;
    }
    let whole = Whole {
        id,
        keep_conn: begin.keep_conn,
        params: stream(&mut input, RecordType::PARAMS, id)?,
        stdin: stream(&mut input, RecordType::STDIN, id)?,
    };
    Some((whole, input))
}

/// The content of a stream that has one record and its end, or its end alone.
#[inline]
fn stream<'i>(input: &mut &'i [u8], record_type: RecordType, id: RequestId) -> Option<&'i [u8]> {
    let content = record(input, record_type, id)?;
    if content.is_empty() {
        return Some(content);
    }
    let end = record(input, record_type, id)?;
    end.is_empty().then_some(content)
}

/// The content of a record of this type and request.
#[inline]
fn record<'i>(input: &mut &'i [u8], record_type: RecordType, id: RequestId) -> Option<&'i [u8]> {
    let (header, rest) = input.split_first_chunk::<HEADER_LEN>()?;
    let header = Header::decode(header).ok()?;
    if header.record_type != record_type || header.request_id != id.get() {
        return None;
    }
    let (content, rest) = rest.split_at_checked(header.content_length.into())?;
    *input = rest.get(header.padding_length.into()..)?;
    Some(content)
}
