//! The heads of responses: formatted and parsed.

use core::fmt::Write as _;

use fcgi_core::cgi::{
    HeadError, HeadLimits, HeadParser, Kind, ParseError, ResponseHead, Status, error_response,
    escape_path, exit_status,
};
use fcgi_core::form::cookie::SetCookie;

use crate::Input;
use crate::sink::Sink;

type Store = heapless::Vec<u8, 1024>;

pub(crate) fn drive(input: &Input<'_>, sink: &mut Sink) {
    let status = u16::try_from(input.number)
        .ok()
        .and_then(Status::new)
        .unwrap_or(Status::OK);
    let _ = write!(sink, "{status}");
    sink.bytes(error_response(status));
    if let Err(error) = format(status, input, sink) {
        let _ = write!(sink, "{error}");
    }
    if let Err(error) = parse(input, sink) {
        let _ = write!(sink, "{error}");
    }
}

fn format(status: Status, input: &Input<'_>, sink: &mut Sink) -> Result<(), HeadError> {
    let mut head = ResponseHead::new(Store::new());
    sink.number(head.is_empty());
    sink.number(exit_status(input.number));
    head.set_status(status);
    head.set_status_with_reason(status, input.value)?;
    for piece in input.pieces {
        head.add(input.name, piece)?;
    }
    head.set_content_length(input.number.into());
    sink.number(head.content_length().unwrap_or(0));
    sink.number(head.status().code());
    sink.number(head.body_allowed(input.number > 1));
    let mut out = Store::new();
    sink.number(head.write(&mut out).is_ok());
    sink.bytes(&out);
    edit(status, &mut head, input, sink)?;
    head.clear();
    sink.bytes(&head.into_storage());
    Ok(())
}

fn edit(
    status: Status,
    head: &mut ResponseHead<Store>,
    input: &Input<'_>,
    sink: &mut Sink,
) -> Result<(), HeadError> {
    for (name, value) in head.fields() {
        sink.bytes(name);
        sink.bytes(value);
    }
    sink.bytes(head.get(input.name).unwrap_or_default());
    for value in head.get_all(input.name) {
        sink.bytes(value);
    }
    head.set(input.name, input.value)?;
    sink.number(head.remove(input.name));
    let text = |bytes| core::str::from_utf8(bytes).unwrap_or_default();
    head.set_cookie(&SetCookie::new(text(input.name), text(input.value)))?;
    head.redirect(status, input.value)?;
    head.local_redirect(input.value)?;
    head.x_accel_redirect(input.value)?;
    head.x_sendfile(input.value)?;
    let mut escaped = Store::new();
    sink.number(escape_path(input.value, &mut escaped).is_ok());
    sink.bytes(&escaped);
    Ok(())
}

fn parse(input: &Input<'_>, sink: &mut Sink) -> Result<(), ParseError> {
    let mut parser = HeadParser::new(Store::new(), HeadLimits::default());
    if input.number > 1 {
        parser = parser.reporting_interim();
    }
    for piece in input.pieces {
        let mut rest = *piece;
        while parser.push(&mut rest)? {
            let Some(head) = parser.head() else { break };
            sink.number(head.status().code());
            sink.number(head.kind() == Kind::Document);
            sink.number(head.content_length().unwrap_or(0));
            sink.number(head.body_allowed(false));
            sink.bytes(head.get(input.name).unwrap_or_default());
            for (name, value) in head.fields() {
                sink.bytes(name);
                sink.bytes(value);
            }
            if !head.status().is_informational() {
                sink.bytes(rest);
                break;
            }
            parser.skip_interim();
        }
    }
    parser.finish()?;
    parser.clear();
    sink.bytes(&parser.into_storage());
    Ok(())
}
