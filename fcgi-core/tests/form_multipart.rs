//! Multipart forms as browsers and as attackers send them, at every cut of the input.

use fcgi_core::form::FormError as E;
use fcgi_core::form::multipart::{Boundary, Event, Limits, Parser};

/// What a parser said: one line for each head and each body, and how it ended.
#[derive(Clone, Debug, PartialEq)]
struct Outcome {
    log: Vec<String>,
    end: Result<(), E>,
}

type Store = heapless::Vec<u8, 16_384>;

fn parser(boundary: &str, limits: Limits) -> Parser<Store> {
    Parser::new(&Boundary::new(boundary).unwrap(), Store::new(), limits)
}

/// Pieces of bodies are joined: they are all that a cut may change.
fn read<'i>(boundary: &str, limits: Limits, pieces: impl Iterator<Item = &'i [u8]>) -> Outcome {
    let mut parser = parser(boundary, limits);
    let mut log = Vec::new();
    let mut body = None;
    for mut input in pieces {
        loop {
            match parser.receive(&mut input) {
                Ok(None) => break,
                Ok(Some(Event::Part(head))) => {
                    let file = head.file_name().map(|name| name.raw().to_vec());
                    let name = String::from_utf8_lossy(head.name().raw()).into_owned();
                    let file = file.map(|file| format!(" {}", String::from_utf8_lossy(&file)));
                    log.push(format!("{name}{}", file.unwrap_or_default()));
                    assert_eq!(body.replace(Vec::new()), None, "a part in a part");
                }
                Ok(Some(Event::Body(bytes))) => {
                    assert!(!bytes.is_empty());
                    body.as_mut().expect("a part").extend_from_slice(bytes);
                }
                Ok(Some(Event::PartEnd)) => {
                    let body = body.take().expect("a part");
                    log.push(format!("={}", body.escape_ascii()));
                }
                Ok(Some(Event::End)) => log.push("end".into()),
                Err(error) => {
                    assert!(matches!(parser.receive(&mut input), Err(again) if again == error));
                    assert_eq!(parser.finish(), Err(error));
                    log.extend(body.map(|body| format!("~{}", body.escape_ascii())));
                    let end = Err(error);
                    return Outcome { log, end };
                }
            }
            let failed = !matches!(parser.finish(), Ok(()) | Err(E::UnexpectedEnd { .. }));
            assert_eq!(parser.part().is_some(), body.is_some() && !failed);
        }
        assert!(input.is_empty());
    }
    log.extend(body.map(|body| format!("~{}", body.escape_ascii())));
    let end = parser.finish();
    Outcome { log, end }
}

/// Reads it whole, and then cut at every place, in two, in three, and into single bytes.
fn read_all_ways(boundary: &str, limits: Limits, form: &[u8]) -> Outcome {
    let whole = read(boundary, limits, [form].into_iter());
    for at in 0..=form.len() {
        let (first, rest) = form.split_at(at);
        for next in [0, 1, 2, 7, 20] {
            let (second, third) = rest.split_at(next.min(rest.len()));
            let pieces = [first, second, third].into_iter();
            assert_eq!(
                read(boundary, limits, pieces),
                whole,
                "cut at {at}, then {next}"
            );
        }
    }
    for size in 1..12 {
        assert_eq!(
            read(boundary, limits, form.chunks(size)),
            whole,
            "in pieces of {size}"
        );
    }
    whole
}

fn expect(boundary: &str, limits: Limits, form: &str, log: &[&str], end: Result<(), E>) {
    let outcome = read_all_ways(boundary, limits, form.as_bytes());
    assert_eq!(
        (outcome.log, outcome.end),
        (to_strings(log), end),
        "{form:?}"
    );
}

fn to_strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

/// A part of `boundary=X` with this name and this body.
fn part(name: &str, body: &str) -> String {
    format!("--X\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{body}\r\n")
}

#[test]
fn a_browsers_form() {
    let boundary = "---------------------------735323031399963166993862150";
    let form = format!(
        "--{boundary}\r\n\
         Content-Disposition: form-data; name=\"text\"\r\n\r\n\
         two\r\nlines\r\n\
         --{boundary}\r\n\
         Content-Disposition: form-data; name=\"file\"; filename=\"a \u{e9}.bin\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n\
         \0\r\n--\r\n-----\r\r\n\n\x7f\r\n\
         --{boundary}\r\n\
         Content-Disposition: form-data; name=\"unused\"; filename=\"\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n\
         \r\n\
         --{boundary}--\r\n"
    );
    let log = [
        "text",
        "=two\\r\\nlines",
        "file a \u{e9}.bin",
        "=\\x00\\r\\n--\\r\\n-----\\r\\r\\n\\n\\x7f",
        "unused ",
        "=",
        "end",
    ];
    expect(boundary, Limits::default(), &form, &log, Ok(()));
}

#[test]
fn shapes_of_a_form() {
    let a = part("a", "1");
    let (head, none) = ("Content-Disposition: form-data; name=a\r\n", Ok(()));
    for (form, log) in [
        ("--X--".to_owned(), &["end"][..]),
        ("--X--\r\nepilogue\r\n--X\r\nmore".into(), &["end"]),
        ("preamble\r\n--X--".into(), &["end"]),
        ("\r\n--X--".into(), &["end"]),
        ("--Y\r\n--X\r--X\n--X--\r\n--X--".into(), &["end"]),
        (format!("{a}--X--"), &["a", "=1", "end"]),
        (
            format!("pre\r\namble\r\n{a}--X--epilogue"),
            &["a", "=1", "end"],
        ),
        (
            format!("{a}{}--X--", part("a", "2")),
            &["a", "=1", "a", "=2", "end"],
        ),
        // The line end behind the head is the delimiter's own.
        (format!("--X\r\n{head}\r\n--X--"), &["a", "=", "end"]),
        (
            format!("--X \t\r\n{head}\r\n\r\n--X\t--\r\n--X--"),
            &["a", "=\\r\\n--X\\t--", "end"],
        ),
        (
            format!("--X\r\n{head}\r\n\r\n\r\n--X--"),
            &["a", "=\\r\\n", "end"],
        ),
    ] {
        expect("X", Limits::default(), &form, log, none);
    }
}

#[test]
fn boundaries_inside_of_data() {
    for data in [
        "--X",
        "x--X\r\n",
        "--XY\r\n",
        "\r\n--XX--",
        "\r\n--X-\r\n",
        "\r\n--X- -",
        "\r\n--X x\r\n",
        "\r\n--X\tx",
        "\r\n--X\rx",
        "\r\n--X\n",
        "\n--X\n",
        "\n--X--",
        "\r--X--\r",
        "\r\n-\r\n--\r\n",
        "\r\n --X--",
        "\r\r\r\n\r\n\r",
        "\r\n--x\r\n",
    ] {
        let form = format!("{}--X--\r\n", part("a", &format!(".{data}")));
        let body = format!("=.{}", data.as_bytes().escape_ascii());
        expect("X", Limits::default(), &form, &["a", &body, "end"], Ok(()));
    }
    // A boundary that is the beginning of another one.
    let form = part("a", "\r\n--boundary--\r\n").replace("--X", "--bound");
    let log = ["a", "=\\r\\n--boundary--\\r\\n", "end"];
    expect(
        "bound",
        Limits::default(),
        &format!("{form}--bound--"),
        &log,
        Ok(()),
    );
}

#[test]
fn line_feeds_alone() {
    let form = "--X\nContent-Disposition: form-data; name=a\n\n1\n--X\r\n\
                Content-Disposition: form-data; name=b\r\n\n\n\r\n--X\r\r\n--X \n\
                Content-Disposition: form-data; name=c\n\n--X--\n";
    let bare_lf = Limits {
        bare_lf: true,
        ..Limits::default()
    };
    let log = ["a", "=1", "b", "=\\n\\r\\n--X\\r", "c", "=", "end"];
    expect("X", bare_lf, form, &log, Ok(()));
    // Strictly, the first line is preamble, and the delimiter after it does not begin a line.
    let none = Err(E::UnexpectedEnd { part: 0 });
    expect("X", Limits::default(), "--X\nabc\n--X\r\n", &[], none);
    let form = "--X\r\nContent-Disposition: form-data; name=a\n\r\n1\r\n--X--";
    let error = Err(E::BareLf { part: 1, line: 1 });
    expect("X", Limits::default(), form, &[], error);
    let form = "--X\r\nContent-Disposition: form-data; name=a\r\n\n1\r\n--X--";
    let error = Err(E::BareLf { part: 1, line: 2 });
    expect("X", Limits::default(), form, &[], error);
}

#[test]
fn an_early_end_is_an_error_at_every_byte() {
    let form = format!("{}{}--X--", part("a", "1"), part("b", "\r\n--Xy"));
    for length in 0..form.len() {
        let pieces = [&form.as_bytes()[..length]].into_iter();
        let outcome = read("X", Limits::default(), pieces);
        let Err(E::UnexpectedEnd { part }) = outcome.end else {
            panic!("{length}: {outcome:?}");
        };
        let begun = form[..length].matches("--X\r\n").count();
        assert_eq!(part, begun, "{length}");
        let ends = outcome.log.iter().filter(|line| line.starts_with('='));
        assert!(ends.count() < 2, "the last body is not whole");
        assert_ne!(outcome.log.last().map(String::as_str), Some("end"));
    }
    let whole = read("X", Limits::default(), [form.as_bytes()].into_iter());
    assert_eq!(whole.end, Ok(()));
}

#[test]
fn heads_that_are_refused() {
    for (head, error) in [
        ("\r\n", E::NoDisposition { part: 1 }),
        ("Content-Type: a/b\r\n\r\n", E::NoDisposition { part: 1 }),
        (
            "Content-Disposition: form-data\r\n\r\n",
            E::NoName { part: 1 },
        ),
        (
            "Content-Disposition: file; name=a\r\n\r\n",
            E::Disposition { part: 1 },
        ),
        ("nonsense\r\n\r\n", E::Field { part: 1, line: 1 }),
        ("A: b\r\n folded\r\n\r\n", E::Field { part: 1, line: 2 }),
        ("A: b\r\r\n\r\n", E::Field { part: 1, line: 1 }),
        ("A: \0\r\n\r\n", E::Field { part: 1, line: 1 }),
        ("--X--\r\n\r\n", E::Field { part: 1, line: 1 }),
    ] {
        let form = format!("--X\r\n{head}body\r\n--X--");
        expect("X", Limits::default(), &form, &[], Err(error));
    }
    let form = format!("{}--X\r\n\r\nbody\r\n--X--", part("a", "1"));
    let error = Err(E::NoDisposition { part: 2 });
    expect("X", Limits::default(), &form, &["a", "=1"], error);
}

#[test]
fn every_limit_at_its_border() {
    let head = "Content-Disposition: form-data; name=\"a\"\r\n\r\n".len();
    let form = format!(
        "pre\r\n{}{}--X--\r\nepi",
        part("a", "12345"),
        part("b", "1\r\n45")
    );
    let exact = Limits {
        parts: 2,
        head,
        fields: 1,
        value: 5,
        file: 0,
        total: form.len() as u64,
        preamble: 3,
        epilogue: 5,
        bare_lf: false,
    };
    let log = ["a", "=12345", "b", "=1\\r\\n45", "end"];
    expect("X", exact, &form, &log, Ok(()));
    let limit = head - 1;
    let (part, first) = (1, &["a", "~1234"][..]);
    for (limits, log, error) in [
        (
            Limits { parts: 1, ..exact },
            &log[..2],
            E::TooManyParts { limit: 1 },
        ),
        (
            Limits { parts: 0, ..exact },
            &[],
            E::TooManyParts { limit: 0 },
        ),
        (
            Limits {
                head: limit,
                ..exact
            },
            &[],
            E::HeadTooLong { part, limit },
        ),
        (
            Limits { fields: 0, ..exact },
            &[],
            E::TooManyFields { part, limit: 0 },
        ),
        (
            Limits { value: 4, ..exact },
            first,
            E::ValueTooLong { part, limit: 4 },
        ),
        (
            Limits { value: 0, ..exact },
            &["a", "~"],
            E::ValueTooLong { part, limit: 0 },
        ),
        (
            Limits {
                preamble: 2,
                ..exact
            },
            &[],
            E::PreambleTooLong { limit: 2 },
        ),
        (
            Limits {
                epilogue: 4,
                ..exact
            },
            &log,
            E::EpilogueTooLong { limit: 4 },
        ),
    ] {
        expect("X", limits, &form, log, Err(error));
    }
    for total in 0..exact.total {
        let limits = Limits { total, ..exact };
        let outcome = read_some_ways(&form, limits);
        assert_eq!(outcome.end, Err(E::FormTooLong { limit: total }));
    }
    let file = form
        .replace("\"b\"", "\"b\"; filename=c")
        .replace("1\r\n45", "\r\n--X-");
    let limits = Limits {
        file: 4,
        head: 99,
        total: 999,
        ..exact
    };
    let log = ["a", "=12345", "b c", "~\\r\\n--"];
    expect(
        "X",
        limits,
        &file,
        &log,
        Err(E::FileTooLong { part: 2, limit: 4 }),
    );
    let log = ["a", "=12345", "b c", "=\\r\\n--X-", "end"];
    expect("X", Limits { file: 6, ..limits }, &file, &log, Ok(()));
}

/// As [`read_all_ways`], with fewer cuts.
fn read_some_ways(form: &str, limits: Limits) -> Outcome {
    let whole = read("X", limits, [form.as_bytes()].into_iter());
    for size in [1, 2, 3, 17] {
        assert_eq!(read("X", limits, form.as_bytes().chunks(size)), whole);
    }
    whole
}

#[test]
fn padding_behind_a_boundary() {
    let padded = |blanks| part("a", "1").replacen("--X", &format!("--X{}", " ".repeat(blanks)), 1);
    let form = format!("{}--X--", padded(64));
    expect("X", Limits::default(), &form, &["a", "=1", "end"], Ok(()));
    let form = format!("{}--X--", padded(65));
    expect(
        "X",
        Limits::default(),
        &form,
        &[],
        Err(E::PaddingTooLong { limit: 64 }),
    );
    let form = format!("{}--X{}", part("a", "1"), "\t".repeat(100_000));
    let outcome = read("X", Limits::default(), form.as_bytes().chunks(1000));
    assert_eq!(outcome.end, Err(E::PaddingTooLong { limit: 64 }));
}

#[test]
fn ten_thousand_parts() {
    let form = part("a", "1").repeat(10_000) + "--X--";
    let limit = 1000;
    let outcome = read_some_ways(&form, Limits::default());
    assert_eq!(outcome.end, Err(E::TooManyParts { limit }));
    assert_eq!(outcome.log.len(), 2 * limit);
    let limits = Limits {
        parts: 10_000,
        ..Limits::default()
    };
    let outcome = read_some_ways(&form, limits);
    assert_eq!((outcome.end, outcome.log.len()), (Ok(()), 20_001));
}

#[test]
fn endless_heads_are_not_kept() {
    for line in ["X: y\r\n", "no line end at all", "\r", "X: "] {
        let mut parser = parser("X", Limits::default());
        let mut sent = 0;
        let error = core::iter::once("--X\r\n")
            .chain(core::iter::repeat(line))
            .find_map(|piece| {
                sent += piece.len();
                parser.receive(&mut piece.as_bytes()).err()
            });
        let expected = match line {
            "X: y\r\n" => E::TooManyFields { part: 1, limit: 16 },
            _ => E::HeadTooLong {
                part: 1,
                limit: 8192,
            },
        };
        assert_eq!(error, Some(expected), "{line:?}");
        assert!(sent <= 8192 + 5 + line.len());
    }
    let boundary = Boundary::new("X").unwrap();
    let mut small = Parser::new(&boundary, heapless::Vec::<u8, 32>::new(), Limits::default());
    let form = part("a", "1");
    let refused = small.receive(&mut form.as_bytes()).map(drop);
    assert_eq!(refused, Err(E::StorageFull { part: 1 }));
}

#[test]
fn floods_of_almost_boundaries() {
    let boundary = "b".repeat(70);
    let almost = format!("\r\n--{}", &boundary[1..]);
    for unit in [
        "\r",
        "\n",
        "\r\n",
        "\r\n-",
        "\r\n--",
        "-",
        &almost,
        "\r\r\n--b",
    ] {
        let data = unit.repeat((1 << 17) / unit.len());
        let form = part("a", &format!(".{data}.")).replace("--X", &format!("--{boundary}"));
        let form = format!("{form}--{boundary}--");
        for size in [1 << 20, 4096, 1] {
            let limits = Limits {
                value: 2 << 20,
                bare_lf: size == 4096,
                ..Limits::default()
            };
            let outcome = read(&boundary, limits, form.as_bytes().chunks(size));
            assert_eq!(outcome.end, Ok(()));
            let body = format!("=.{}.", data.as_bytes().escape_ascii());
            assert!(
                outcome.log == ["a", &body, "end"],
                "{unit:?} in pieces of {size}"
            );
        }
    }
    let preamble = "\r\n--bb".repeat(100_000);
    let outcome = read(
        &boundary,
        Limits::default(),
        preamble.as_bytes().chunks(999),
    );
    assert_eq!(outcome.end, Err(E::PreambleTooLong { limit: 8192 }));
}

#[test]
fn no_more_than_a_delimiter_is_kept_back() {
    let boundary = "b".repeat(70);
    let form = part("a", &format!("\r\n--{boundary}{}x", " ".repeat(64)))
        .replace("--X", &format!("--{boundary}"));
    let head = form.find("\r\n\r\n").unwrap() + 4;
    let mut parser = parser(&boundary, Limits::default());
    let mut out = 0;
    for (taken, byte) in form.as_bytes().chunks(1).enumerate() {
        let mut input = byte;
        while let Some(event) = parser.receive(&mut input).unwrap() {
            if let Event::Body(bytes) = event {
                out += bytes.len();
            }
        }
        let kept = (taken + 1).saturating_sub(head + out);
        assert!(kept <= 4 + 70 + 64, "{kept} bytes kept back");
    }
    assert!(out > 0);
    assert!(
        size_of::<Parser<()>>() <= 640,
        "{}",
        size_of::<Parser<()>>()
    );
}

#[test]
fn bodies_lie_in_the_input() {
    let form = format!("{}--X--", part("a", "one\r\ntwo\r\n--three"));
    let mut parser = parser("X", Limits::default());
    let mut input = form.as_bytes();
    let mut pieces = Vec::new();
    while let Some(event) = parser.receive(&mut input).unwrap() {
        if let Event::Body(bytes) = event {
            assert!(form.as_bytes().as_ptr_range().contains(&bytes.as_ptr()));
            pieces.push(bytes.to_vec());
        }
    }
    assert_eq!(pieces, [b"one\r\ntwo\r\n--three"], "in one piece");
}
