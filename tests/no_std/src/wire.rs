//! The wire format by itself, as tools look at it.

use core::fmt::Write as _;

use fcgi_core::wire::{BeginRequest, EndRequest, Header, Record, UnknownType};
use fcgi_core::wire::{encode_length, length, pair};

use crate::Input;
use crate::sink::Sink;

pub(crate) fn drive(input: &Input<'_>, sink: &mut Sink) {
    let mut rest = input.value;
    while let Ok((after, record)) = Record::parse(rest) {
        let _ = write!(sink, "{record}");
        rest = after;
    }
    let Some(body) = input.name.first_chunk::<8>() else {
        return;
    };
    match Header::decode(body) {
        Ok(header) => sink.bytes(&header.encode()),
        Err(error) => drop(write!(sink, "{error}")),
    }
    sink.bytes(&BeginRequest::decode(body).encode());
    sink.bytes(&EndRequest::decode(body).encode());
    sink.bytes(&UnknownType::decode(body).encode());
    match encode_length(input.value.len()) {
        Ok(bytes) => sink.bytes(&bytes),
        Err(error) => drop(write!(sink, "{error}")),
    }
    sink.number(length(input.value).map_or(0, |(_, length)| length));
    if let Ok((_, pair)) = pair(input.value) {
        sink.bytes(pair.name);
    }
}
