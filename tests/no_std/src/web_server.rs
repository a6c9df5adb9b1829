//! The web server's side: requests out, answers in.

use core::fmt::Write as _;

use fcgi_core::web_server::{Connection, Event};
use fcgi_core::{Error, Role, SendError};

use crate::Input;
use crate::application::send;
use crate::sink::Sink;

pub(crate) fn drive<const REQUESTS: usize>(input: &Input<'_>, sink: &mut Sink) {
    let mut connection = Connection::<REQUESTS>::new();
    sink.bytes(&connection.get_values());
    for piece in input.pieces {
        if let Err(error) = request(&mut connection, input, sink) {
            let _ = write!(sink, "{error}");
        }
        if let Err(error) = responses(&mut connection, piece, sink) {
            let _ = write!(sink, "{error}");
            break;
        }
    }
    sink.number(connection.active() > 1);
    sink.number(connection.is_between_records());
    for id in connection.ids() {
        let _ = write!(sink, "{:?}", connection.closed(id));
    }
}

fn request<const REQUESTS: usize>(
    connection: &mut Connection<REQUESTS>,
    input: &Input<'_>,
    sink: &mut Sink,
) -> Result<(), SendError> {
    let role = match input.number {
        0 => Role::Filter,
        1 => Role::Authorizer,
        _ => Role::Responder,
    };
    let (id, begin) = connection.begin(role, input.number > 2)?;
    sink.bytes(&begin);
    let (mut params, mut body, mut file) = (input.name, input.value, input.value);
    while let Some(record) = connection.params(id, &mut params)? {
        send(record, input, sink);
    }
    send(connection.params_end(id)?, input, sink);
    while let Some(record) = connection.stdin(id, &mut body)? {
        send(record, input, sink);
    }
    send(connection.stdin_end(id)?, input, sink);
    if input.number > 3 {
        sink.bytes(&connection.abort(id)?);
    }
    while let Some(record) = connection.data(id, &mut file)? {
        send(record, input, sink);
    }
    send(connection.data_end(id)?, input, sink);
    Ok(())
}

fn responses<const REQUESTS: usize>(
    connection: &mut Connection<REQUESTS>,
    mut rest: &[u8],
    sink: &mut Sink,
) -> Result<(), Error> {
    while let Some(event) = connection.receive(&mut rest)? {
        match event {
            Event::Stdout { id, bytes } | Event::Stderr { id, bytes } => {
                sink.number(id.get());
                sink.bytes(bytes);
            }
            Event::StdoutEnd { id } | Event::StderrEnd { id } => sink.number(id.get()),
            Event::End {
                id,
                app_status,
                protocol_status,
            } => {
                let _ = write!(sink, "{id} {app_status} {protocol_status}");
            }
            Event::Values(values) => {
                sink.number(values.max_conns.unwrap_or(0));
                sink.number(values.max_reqs.unwrap_or(0));
                sink.number(values.mpxs_conns.unwrap_or(false));
            }
            Event::UnknownType { record_type } => drop(write!(sink, "{record_type}")),
        }
    }
    Ok(())
}
