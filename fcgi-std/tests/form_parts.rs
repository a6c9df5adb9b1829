//! `form::Parts`: bodies with files from any reader, however it cuts them.

use std::io::{self, BufRead, BufReader, Read};

use fcgi_std::form::{Error, FormError, MultipartLimits, Parts};

const KIND: &str = "multipart/form-data; boundary=\"-x 1\"";

const BODY: &[u8] = b"ignored\r\n---x 1\r\n\
    Content-Disposition: form-data; name=\"a%22\"\r\n\r\n\
    one\r\n--\r\n---x 1two\r\n---x 1 \t\r\n\
    Content-Type: image/png\r\nContent-Disposition: form-data; name=b; filename=\"C:\\d\\f.png\"\r\n\r\n\
    \r\n---x 1\r\n\
    Content-Disposition: form-data; name=\"\"; filename=\"\"\r\n\r\n\
    \0\xff\r\n---x 1--\r\nignored";

/// Name, file name, type, and bytes of each part.
type Shown = (String, Option<String>, Option<String>, Vec<u8>);

fn shown(capacity: usize, how: usize) -> Result<Vec<Shown>, Error> {
    let reader = BufReader::with_capacity(capacity, BODY);
    let mut parts = Parts::new(KIND, reader, MultipartLimits::DEFAULT)?;
    let mut all = Vec::new();
    while let Some(mut part) = parts.next_part()? {
        let text = |value: Option<&fcgi_std::form::tree::Value>| {
            value.map(|value| value.to_text().into_owned())
        };
        let (name, file_name) = (text(Some(part.name())), text(part.file_name()));
        let kind = text(part.content_type());
        assert_eq!(part.is_file(), file_name.is_some());
        let mut bytes = Vec::new();
        match how {
            0 => {
                while let Some(chunk) = part.chunk()? {
                    assert!(!chunk.is_empty());
                    bytes.extend_from_slice(chunk);
                }
                assert!(part.chunk()?.is_none());
            }
            1 => drop(part.read_to_end(&mut bytes).unwrap()),
            2 => {
                // Byte by byte, and the last ones by another way.
                for byte in part.by_ref().bytes().take(2) {
                    bytes.push(byte.unwrap());
                }
                while let Some(chunk) = part.chunk()? {
                    bytes.extend_from_slice(chunk);
                }
            }
            _ => {
                part.read_until(b'-', &mut bytes).unwrap();
                part.read_to_end(&mut bytes).unwrap();
            }
        }
        all.push((name.unwrap(), file_name, kind, bytes));
    }
    assert!(parts.next_part()?.is_none());
    Ok(all)
}

#[test]
fn every_capacity_and_every_way_of_reading_give_the_same() {
    let text = |text: &str| Some(text.to_owned());
    let expected = [
        (
            "a\"".to_owned(),
            None,
            None,
            b"one\r\n--\r\n---x 1two".to_vec(),
        ),
        (
            "b".to_owned(),
            text(r"C:\d\f.png"),
            text("image/png"),
            Vec::new(),
        ),
        (String::new(), text(""), None, b"\0\xff".to_vec()),
    ];
    for capacity in 1..BODY.len() + 2 {
        for how in 0..4 {
            assert_eq!(shown(capacity, how).unwrap(), expected, "{capacity} {how}");
        }
    }
}

#[test]
fn what_is_not_read_of_a_part_is_skipped() {
    for capacity in 1..BODY.len() {
        let reader = BufReader::with_capacity(capacity, BODY);
        let mut parts = Parts::new(KIND, reader, MultipartLimits::DEFAULT).unwrap();
        let mut first = parts.next_part().unwrap().unwrap();
        let mut beginning = [0; 2];
        first.read_exact(&mut beginning).unwrap();
        assert_eq!(&beginning, b"on");
        let second = parts.next_part().unwrap().unwrap();
        assert_eq!(second.base_name(), Some(&b"f.png"[..]));
        assert!(parts.next_part().unwrap().is_some());
        assert!(parts.next_part().unwrap().is_none());
    }
}

/// All parts to their ends.
fn drain<R: BufRead>(parts: &mut Parts<R>) -> Result<(), Error> {
    while let Some(mut part) = parts.next_part()? {
        while part.chunk()?.is_some() {}
    }
    Ok(())
}

#[test]
fn a_form_that_is_cut_is_an_error_wherever_it_is_cut() {
    let end = BODY.windows(9).position(|at| at == b"---x 1--\r").unwrap() + 8;
    for length in 0..BODY.len() {
        let mut parts = Parts::new(KIND, &BODY[..length], MultipartLimits::DEFAULT).unwrap();
        let drained = drain(&mut parts);
        if length >= end {
            drained.unwrap();
            continue;
        }
        let error = drained.unwrap_err();
        assert!(
            matches!(error, Error::Form(FormError::UnexpectedEnd { .. })),
            "{length}: {error}"
        );
        assert_eq!(error.status().code(), 400);
        // It stays an error.
        assert!(parts.next_part().is_err());
    }
}

#[test]
fn an_error_of_the_reader_is_one_of_the_body_and_interruptions_are_none() {
    /// Interrupts every other read, and then fails.
    struct Restless<'a>(&'a [u8], bool);
    impl Read for Restless<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            match self.0.read(buf)? {
                0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "cut")),
                count => Ok(count),
            }
        }
    }
    for length in [0, 50, 120, BODY.len()] {
        let reader = BufReader::with_capacity(7, Restless(&BODY[..length], false));
        let mut parts = Parts::new(KIND, reader, MultipartLimits::DEFAULT).unwrap();
        let error = drain(&mut parts).unwrap_err();
        assert!(matches!(&error, Error::Body(_)), "{error}");
        let error = io::Error::from(error);
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert!(error.to_string().contains("cut"));
    }
}

#[test]
fn errors_of_reading_a_part_carry_ours() {
    let limits = MultipartLimits {
        value: 5,
        ..MultipartLimits::DEFAULT
    };
    let mut parts = Parts::new(KIND, BODY, limits).unwrap();
    let mut part = parts.next_part().unwrap().unwrap();
    let mut text = Vec::new();
    let error = part.read_to_end(&mut text).unwrap_err();
    assert_eq!(text, b"one\r\n");
    let inner = error.get_ref().unwrap().downcast_ref::<Error>().unwrap();
    let Error::Form(FormError::ValueTooLong { part: 1, limit: 5 }) = inner else {
        panic!("{inner}");
    };
    assert!(part.read(&mut [0]).is_err());
    assert!(parts.next_part().is_err());
}

#[test]
fn another_type_is_refused() {
    for (kind, error) in [
        ("text/plain", FormError::NotMultipart),
        ("", FormError::NotMultipart),
        ("multipart/form-data", FormError::NoBoundary),
    ] {
        let refused = Parts::new(kind, BODY, MultipartLimits::DEFAULT).unwrap_err();
        assert!(
            matches!(refused, Error::Form(found) if found == error),
            "{kind}"
        );
    }
}
