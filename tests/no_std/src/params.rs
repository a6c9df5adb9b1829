//! Parameters of a request: built, cut into records, and read.

use core::fmt::Write as _;

use fcgi_core::form::{Kind, is_get};
use fcgi_core::params::{Params, append, chunks};

use crate::Input;
use crate::sink::Sink;

pub(crate) fn drive(input: &Input<'_>, sink: &mut Sink) {
    let mut stream = heapless::Vec::<u8, 1024>::new();
    for piece in input.pieces {
        if let Err(error) = append(&mut stream, input.name, piece) {
            let _ = write!(sink, "{error}");
        }
    }
    for chunk in chunks(input.value).chain(chunks(&stream)) {
        sink.bytes(chunk);
    }
    match Params::parse(input.value, input.name.len()) {
        Ok(params) => read(params, input, sink),
        Err(refusal) => drop(write!(sink, "{refusal}")),
    }
}

fn read(params: Params<'_>, input: &Input<'_>, sink: &mut Sink) {
    sink.number(u8::from(is_get(&params)));
    match Kind::of(&params) {
        Ok(Kind::Multipart(boundary)) => sink.bytes(boundary.as_bytes()),
        Ok(Kind::Urlencoded) => sink.number(1_u8),
        Ok(Kind::Other) | Err(_) => sink.number(2_u8),
    }
    for pair in params.iter().chain(params.headers()) {
        sink.bytes(pair.name);
        sink.bytes(pair.value);
    }
    sink.bytes(params.get(input.name).unwrap_or_default());
    for value in params.get_all(input.name) {
        sink.bytes(value);
    }
    sink.number(params.content_length().unwrap_or(0));
    sink.number(params.data_length().unwrap_or(0));
    sink.number(params.data_last_mod().unwrap_or(0));
    sink.bytes(params.as_bytes());
    let _ = write!(sink, "{params:?}");
}
