//! Forms and cookies: read, decoded, and cookies made.

use core::fmt::Write as _;

use fcgi_core::form::brackets::{Path, Segment};
use fcgi_core::form::cookie::{CookieError, SameSite, SetCookie, cookies};
use fcgi_core::form::multipart::{Boundary, Event, Limits, Parser, PartHead, base_name};
use fcgi_core::form::urlencoded::pairs;
use fcgi_core::form::{Encoded, FormError, decode_in_place};

use crate::Input;
use crate::sink::Sink;

type Store = heapless::Vec<u8, 1024>;

pub(crate) fn drive(input: &Input<'_>, sink: &mut Sink) {
    urlencoded(input, sink);
    cookie(input, sink);
    if let Err(error) = multipart(input, sink) {
        let _ = write!(sink, "{error}");
        sink.number(error.status().code());
    }
}

fn urlencoded(input: &Input<'_>, sink: &mut Sink) {
    let form = pairs(input.value);
    for pair in form.clone() {
        encoded(pair.name, input, sink);
        encoded(pair.value, input, sink);
    }
    sink.bytes(form.get(input.name).map_or(&[], Encoded::raw));
    for value in form.get_all(input.name) {
        sink.bytes(value.raw());
    }
    let mut place = Store::new();
    sink.number(place.extend_from_slice(input.value).is_ok());
    sink.bytes(decode_in_place(&mut place));
}

fn encoded(sent: Encoded<'_>, input: &Input<'_>, sink: &mut Sink) {
    let _ = write!(sink, "{sent:?}");
    sink.bytes(sent.as_plain().unwrap_or_default());
    sink.number(sent.is(input.name));
    let mut appended = Store::new();
    sink.number(sent.decode_into(&mut appended).is_ok());
    sink.bytes(&appended);
    let mut room = [0; 100];
    let Ok(decoded) = sent.decode_to(&mut room) else {
        return;
    };
    sink.bytes(base_name(decoded).unwrap_or_default());
    let path = Path::of(decoded);
    sink.bytes(path.base());
    sink.number(path.depth() > 3);
    for segment in path {
        match segment {
            Segment::Key(key) => sink.bytes(key),
            Segment::Append => sink.number(0_u8),
        }
    }
    for byte in sent.bytes() {
        sink.number(byte);
    }
}

fn cookie(input: &Input<'_>, sink: &mut Sink) {
    let header = cookies(input.value);
    sink.bytes(header.get(input.name).unwrap_or_default());
    for value in header.get_all(input.name) {
        sink.bytes(value);
    }
    for cookie in header {
        sink.bytes(cookie.name);
        sink.bytes(cookie.unquoted());
    }
    if let Err(error) = set_cookie(input, sink) {
        let _ = write!(sink, "{error}");
    }
}

fn set_cookie(input: &Input<'_>, sink: &mut Sink) -> Result<(), CookieError> {
    let text = |bytes| core::str::from_utf8(bytes).unwrap_or_default();
    let (name, value) = (text(input.name), text(input.value));
    let mut cookie = SetCookie::new(name, value);
    if input.number > 1 {
        cookie = cookie.secure().http_only().partitioned();
        cookie = cookie.path(value).domain(name).expires(value);
        cookie = cookie
            .max_age(input.number.into())
            .same_site(SameSite::None);
    }
    let mut out = Store::new();
    cookie.write(&mut out)?;
    SetCookie::removal(name).write(&mut out)?;
    sink.bytes(&out);
    Ok(())
}

fn multipart(input: &Input<'_>, sink: &mut Sink) -> Result<(), FormError> {
    let boundary = if input.number > 1 {
        Boundary::from_content_type(input.value)?
    } else {
        Boundary::new(input.name)?
    };
    sink.bytes(boundary.as_bytes());
    let limits = Limits {
        bare_lf: input.number > 2,
        ..Limits::default()
    };
    let mut parser = Parser::new(&boundary, Store::new(), limits);
    for piece in input.pieces {
        let mut rest = *piece;
        while let Some(event) = parser.receive(&mut rest)? {
            match event {
                Event::Part(head) => part(head, input, sink),
                Event::Body(bytes) => sink.bytes(bytes),
                Event::PartEnd => sink.number(1_u8),
                Event::End => sink.number(2_u8),
            }
        }
        if let Some(head) = parser.part() {
            part(head, input, sink);
        }
    }
    parser.finish()?;
    sink.bytes(&parser.into_storage());
    Ok(())
}

fn part(head: PartHead<'_>, input: &Input<'_>, sink: &mut Sink) {
    let _ = write!(sink, "{head:?}");
    encoded(head.name(), input, sink);
    if let Some(name) = head.file_name() {
        encoded(name, input, sink);
    }
    sink.number(head.is_file());
    sink.bytes(head.content_type().unwrap_or_default());
    for (name, value) in head.fields() {
        sink.bytes(name);
        sink.bytes(value);
    }
}
