//! Multipart forms from two independent encoders, read in random pieces.

use std::ffi::OsStr;
use std::io::Cursor;

use fcgi_core::form::multipart::{Boundary, Event, Limits, Parser};
use form_data_builder::FormData;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

#[derive(Clone, Debug, PartialEq)]
struct Part {
    name: String,
    file_name: Option<String>,
    content_type: Option<String>,
    body: Vec<u8>,
}

/// Pieces of the sizes given, over and over.
fn read(boundary: &Boundary, form: &[u8], sizes: &[usize]) -> Vec<Part> {
    let mut parser = Parser::new(boundary, Vec::new(), Limits::default());
    let mut parts: Vec<Part> = Vec::new();
    let mut rest = form;
    let mut sizes = sizes.iter().cycle();
    let mut ended = false;
    while !rest.is_empty() {
        let size = sizes
            .next()
            .map_or(rest.len(), |&size| size.min(rest.len()));
        let (mut input, following) = rest.split_at(size);
        rest = following;
        while let Some(event) = parser.receive(&mut input).unwrap() {
            match event {
                Event::Part(head) => parts.push(Part {
                    name: head.name().to_text().into_owned(),
                    file_name: head.file_name().map(|name| name.to_text().into_owned()),
                    content_type: head
                        .content_type()
                        .map(|content_type| String::from_utf8(content_type.into()).unwrap()),
                    body: Vec::new(),
                }),
                Event::Body(bytes) => parts.last_mut().unwrap().body.extend_from_slice(bytes),
                Event::PartEnd => {}
                Event::End => ended = true,
            }
        }
    }
    assert_eq!((parser.finish(), ended), (Ok(()), true));
    parts
}

/// The form of a browser (HTML §4.10.21.8), by hand.
fn encode(boundary: &str, parts: &[Part]) -> Vec<u8> {
    let escape = |text: &str| {
        text.replace('\n', "%0A")
            .replace('\r', "%0D")
            .replace('"', "%22")
    };
    let mut form = Vec::new();
    for part in parts {
        form.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
        let name = escape(&part.name);
        form.extend_from_slice(
            format!("Content-Disposition: form-data; name=\"{name}\"").as_bytes(),
        );
        if let Some(file_name) = &part.file_name {
            form.extend_from_slice(format!("; filename=\"{}\"", escape(file_name)).as_bytes());
        }
        if let Some(content_type) = &part.content_type {
            form.extend_from_slice(format!("\r\nContent-Type: {content_type}").as_bytes());
        }
        form.extend_from_slice(b"\r\n\r\n");
        form.extend_from_slice(&part.body);
        form.extend_from_slice(b"\r\n");
    }
    form.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    form
}

/// Bodies full of what delimiters are made of.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let unit = select(vec![
        &b"\r"[..],
        b"\n",
        b"\r\n",
        b"-",
        b"--",
        b"\r\n--",
        b"\r\n--bound",
        b"\r\n--boundar\r\n",
        b"bound",
        b"ary",
        b" \t",
        b"x",
        b"\0\xff",
    ]);
    vec(unit, 0..30).prop_map(|units| units.concat())
}

fn text() -> impl Strategy<Value = String> {
    // No control characters but line ends, no "%" and no "\", which stand for themselves.
    "[ -$&-\\[\\]-~é€\r\n]{0,12}"
}

fn part() -> impl Strategy<Value = Part> {
    let content_type = proptest::option::of("[a-z]{1,9}/[a-z]{1,9}");
    (text(), proptest::option::of(text()), content_type, body()).prop_map(
        |(name, file_name, content_type, body)| Part {
            name,
            file_name,
            content_type,
            body,
        },
    )
}

proptest! {
    #[test]
    fn what_a_browser_sends_is_read(
        parts in vec(part(), 0..6),
        sizes in vec(1_usize..60, 0..8),
    ) {
        let boundary = "boundary";
        // A body may not have the delimiter in it, nor begin with what is left of one.
        let clean = |part: &Part| {
            let with_start = [b"\r\n", &part.body[..]].concat();
            !with_start.windows(12).any(|window| window == b"\r\n--boundary")
        };
        prop_assume!(parts.iter().all(clean));
        let form = encode(boundary, &parts);
        prop_assert_eq!(read(&Boundary::new(boundary).unwrap(), &form, &sizes), parts);
    }

    #[test]
    fn what_form_data_builder_sends_is_read(
        fields in vec(("[a-z]{1,8}", "[ -~\r\n]{0,40}"), 0..5),
        files in vec(("[a-z]{1,8}", "[a-z.]{1,8}", any::<Vec<u8>>()), 0..5),
        sizes in vec(1_usize..60, 0..8),
    ) {
        let mut form = FormData::new(Vec::new());
        let mut parts = Vec::new();
        for (name, value) in &fields {
            form.write_field(name, value).unwrap();
            parts.push(Part {
                name: name.clone(),
                file_name: None,
                content_type: None,
                body: value.clone().into_bytes(),
            });
        }
        for (name, file_name, body) in &files {
            let (reader, content_type) = (Cursor::new(body), "application/octet-stream");
            form.write_file(name, reader, Some(OsStr::new(file_name)), content_type).unwrap();
            parts.push(Part {
                name: name.clone(),
                file_name: Some(file_name.clone()),
                content_type: Some(content_type.into()),
                body: body.clone(),
            });
        }
        let boundary = Boundary::from_content_type(form.content_type_header()).unwrap();
        let form = form.finish().unwrap();
        prop_assert_eq!(read(&boundary, &form, &sizes), parts);
    }
}
