//! The application's side: requests in, answers out.

use core::fmt::Write as _;

use fcgi_core::application::{Connection, Event};
use fcgi_core::params::{Collector, Held, Limits, Params};
use fcgi_core::{Error, Record, Refusal, RequestId, SendError};

use crate::Input;
use crate::sink::Sink;

type Store = heapless::Vec<u8, 2048>;

pub(crate) fn drive<const REQUESTS: usize>(input: &Input<'_>, sink: &mut Sink) {
    let mut connection = Connection::<REQUESTS>::new();
    let mut collector = Collector::new(Store::new(), Limits::default());
    for piece in input.pieces {
        if let Err(error) = slice(&mut connection, &mut collector, piece, input, sink) {
            let _ = write!(sink, "{error}");
            break;
        }
    }
    connection.stop_accepting();
    for id in connection.ids() {
        sink.number(id.get());
        sink.number(connection.is_input_done(id));
        sink.number(connection.may_answer(id));
        sink.number(connection.role(id).is_some());
    }
    sink.number(connection.should_close());
    sink.number(connection.is_between_records());
}

fn slice<const REQUESTS: usize>(
    connection: &mut Connection<REQUESTS>,
    collector: &mut Collector<Store>,
    mut rest: &[u8],
    input: &Input<'_>,
    sink: &mut Sink,
) -> Result<(), Error> {
    let mut held = Held::new();
    loop {
        while let Some(whole) = connection.receive_whole(&mut rest) {
            if let Ok(params) = Params::parse(whole.params, 100) {
                let _ = write!(sink, "{whole:?} {:?}", params.framing());
            }
            if let Ok(end) = connection.end(whole.id, 0) {
                let _ = write!(sink, "{end:?}");
            }
        }
        let event = match connection.receive_before_begin(&mut rest)? {
            Some(event) => Some(event),
            None => connection.receive(&mut rest)?,
        };
        let Some(event) = event else { break };
        match event {
            Event::Begin {
                id,
                role,
                keep_conn,
            } => {
                let _ = write!(sink, "{id} {role} {keep_conn}");
            }
            Event::Params { id, bytes } => {
                if let Err(refusal) = collector.push(&mut held, bytes) {
                    refuse(connection, id, refusal, input, sink);
                    collector.clear();
                }
            }
            Event::ParamsEnd { id } => {
                match collector.finish(&mut held) {
                    Ok(params) => params.iter().for_each(|pair| sink.bytes(pair.value)),
                    Err(refusal) => refuse(connection, id, refusal, input, sink),
                }
                collector.clear();
            }
            Event::Stdin { bytes, .. } | Event::Data { bytes, .. } => sink.bytes(bytes),
            Event::StdinEnd { id } | Event::DataEnd { id } => {
                if let Err(error) = answer(connection, id, input, sink) {
                    let _ = write!(sink, "{error}");
                }
            }
            Event::Abort { id } => match connection.end(id, input.number) {
                Ok(bytes) => sink.bytes(&bytes),
                Err(error) => drop(write!(sink, "{error}")),
            },
            Event::Reply(reply) => {
                sink.number(reply.ends().is_some());
                sink.bytes(&reply.encode(input.number, input.number));
            }
        }
    }
    if let Err(refusal) = collector.keep(held) {
        let _ = write!(sink, "{refusal}");
    }
    Ok(())
}

fn answer<const REQUESTS: usize>(
    connection: &mut Connection<REQUESTS>,
    id: RequestId,
    input: &Input<'_>,
    sink: &mut Sink,
) -> Result<(), SendError> {
    let mut body = input.value;
    while let Some(record) = connection.stdout(id, &mut body)? {
        send(record, input, sink);
    }
    let mut log = input.name;
    while let Some(record) = connection.stderr(id, &mut log)? {
        send(record, input, sink);
    }
    if input.number > 1 {
        send(connection.stderr_end(id)?, input, sink);
        send(connection.stdout_end(id)?, input, sink);
    }
    sink.bytes(&connection.end(id, input.number)?);
    Ok(())
}

fn refuse<const REQUESTS: usize>(
    connection: &mut Connection<REQUESTS>,
    id: RequestId,
    refusal: Refusal,
    input: &Input<'_>,
    sink: &mut Sink,
) {
    let _ = write!(sink, "{refusal}");
    match connection.refuse(id, refusal) {
        Ok(reply) => sink.bytes(&reply.encode(input.number, 1)),
        Err(error) => drop(write!(sink, "{error}")),
    }
}

/// Sends a record as a socket would take it that has room for little at a time.
pub(crate) fn send(mut record: Record<'_>, input: &Input<'_>, sink: &mut Sink) {
    while !record.is_empty() {
        for part in record.parts() {
            sink.bytes(part);
        }
        let went_out = input.value.len().max(1);
        sink.number(record.advance(went_out) == 0);
    }
}
