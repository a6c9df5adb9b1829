//! What one side writes the other side reads: random heads, random cuts, random bytes.

use fcgi_core::cgi::{HeadLimits, HeadParser, Kind, ResponseHead, Status};

/// xorshift64*: the same numbers on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).unwrap() % limit
    }

    fn pick<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        choices[self.below(choices.len())]
    }

    fn bytes(&mut self, alphabet: &[u8], longest: usize) -> Vec<u8> {
        let length = self.below(longest + 1);
        (0..length)
            .map(|_| alphabet[self.below(alphabet.len())])
            .collect()
    }
}

type Store = heapless::Vec<u8, 4096>;
type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// What a parser made of `stream` in random pieces: the result of the last push, the status, kind,
/// length and fields if there is a head, and what was left.
fn read(stream: &[u8], random: &mut Random, longest: usize) -> Outcome {
    let mut parser = HeadParser::new(Store::new(), HeadLimits::default());
    let mut rest = stream;
    let mut pushed = Ok(false);
    while !rest.is_empty() && pushed == Ok(false) {
        let (mut piece, following) = rest.split_at(1 + random.below(rest.len().min(longest)));
        let cut = piece.len();
        pushed = parser.push(&mut piece);
        let taken = cut - piece.len();
        rest = if pushed == Ok(true) {
            &rest[taken..]
        } else {
            following
        };
    }
    let head = parser.head().map(|head| {
        let fields = head
            .fields()
            .map(|(name, value)| (name.to_vec(), value.to_vec()))
            .collect();
        (head.status(), head.kind(), head.content_length(), fields)
    });
    let body = head.is_some().then(|| rest.to_vec());
    Outcome {
        end: parser.finish().map_err(|error| error.to_string()),
        head,
        body,
    }
}

#[derive(Debug, PartialEq)]
struct Outcome {
    end: Result<(), String>,
    head: Option<(Status, Kind, Option<u64>, Fields)>,
    body: Option<Vec<u8>>,
}

#[test]
fn what_is_written_is_read() {
    let random = &mut Random(0x5eed_0001);
    let name_bytes = b"abcXYZ019-_!~";
    let value_bytes: Vec<u8> = (b'!'..=b'~').chain(0x80..=0xff).collect();
    let mut kinds = [0; 3];
    for round in 0..3000 {
        let mut head = ResponseHead::new(Store::new());
        let mut status = None;
        let mut fields = Fields::new();
        for _ in 0..random.below(6) {
            let value = random.bytes(&value_bytes, 12);
            let (name, value) = match random.below(6) {
                0 => (b"Content-Type".to_vec(), b"text/x".to_vec()),
                1 => (
                    b"Location".to_vec(),
                    random.pick(&["/a", "//b", "http://c/"]).into(),
                ),
                2 => {
                    status = Status::new(u16::try_from(200 + random.below(800)).unwrap());
                    let reason = random.pick(&["", "Odd", "Other words"]);
                    head.set_status_with_reason(status.unwrap(), reason)
                        .unwrap();
                    continue;
                }
                _ => ([b"X".to_vec(), random.bytes(name_bytes, 8)].concat(), value),
            };
            match head.add(&name, [b" ", &value[..], b"\t"].concat()) {
                Ok(()) => fields.push((name, value)),
                Err(error) => assert!(error.to_string().contains("before"), "{error}"),
            }
        }
        let mut stream = Store::new();
        head.write(&mut stream).unwrap();
        stream.extend_from_slice(b"\r\nbody: 1\n\n").unwrap();

        let longest = 1 + random.below(40);
        let outcome = read(&stream, random, longest);
        assert_eq!(outcome.end, Ok(()), "round {round}: {stream:?}");
        assert_eq!(outcome.body.as_deref(), Some(&b"\r\nbody: 1\n\n"[..]));
        let (seen_status, kind, length, mut seen) = outcome.head.unwrap();

        let location = fields.iter().find(|(name, _)| name == b"Location");
        let default = if location.is_some() {
            Status::FOUND
        } else {
            Status::OK
        };
        assert_eq!(seen_status, status.unwrap_or(default));
        assert_eq!(seen_status, head.status());
        assert_eq!(length, None);
        if fields.iter().all(|(name, _)| name != b"Content-Type") {
            let may_have_body = head.body_allowed(false);
            let added = (
                b"Content-Type".to_vec(),
                b"application/octet-stream".to_vec(),
            );
            assert_eq!(seen.last() == Some(&added), may_have_body, "round {round}");
            seen.truncate(fields.len());
        }
        assert_eq!(seen, fields, "round {round}");
        let local = status.is_none() && fields.len() == 1 && location.is_some_and(|l| l.1 == b"/a");
        assert_eq!(kind == Kind::LocalRedirect, local, "round {round}");
        kinds[match kind {
            Kind::Document => 0,
            Kind::LocalRedirect => 1,
            Kind::ClientRedirect => 2,
        }] += 1;
    }
    assert!(kinds.iter().all(|&count| count > 10), "{kinds:?}");
}

#[test]
fn random_streams_read_the_same_in_pieces() {
    let random = &mut Random(0x5eed_0002);
    let pieces = [
        "Status: 200",
        "Status: 103 x",
        "Content-Type: a",
        "Location: /",
        "X: y",
        "X:",
        "\n",
        "\n",
        "\r\n",
        "\r\n",
        "\r",
        ":",
        " ",
        "\t",
        "\0",
        "HTTP/1.1 200 OK",
        "Content-Length: 7",
        "Z",
    ];
    let (mut good, mut bad) = (0, 0);
    for round in 0..20_000 {
        let stream: String = (0..random.below(14))
            .map(|_| random.pick(&pieces))
            .collect();
        let whole = read(stream.as_bytes(), &mut Random(1), 1);
        let longest = 2 + random.below(30);
        let cut = read(stream.as_bytes(), random, longest);
        assert_eq!(whole, cut, "round {round}: {stream:?}");
        *(if whole.end.is_ok() {
            &mut good
        } else {
            &mut bad
        }) += 1;
    }
    assert!(good > 200 && bad > 200, "{good} good, {bad} bad");
}

#[test]
fn heads_with_one_line_for_each_field_cannot_be_split() {
    // Whatever a handler is made to pass on, the number of lines is the number of fields.
    let random = &mut Random(0x5eed_0003);
    let all: Vec<u8> = (0..=u8::MAX).chain(*b"\r\n\r\n\r\n::  ").collect();
    let mut refused = 0;
    for _ in 0..5000 {
        let mut head = ResponseHead::new(Store::new());
        head.add("Content-Type", "a/b").unwrap();
        let added = head.add("X", random.bytes(&all, 20));
        let named = head.add(random.bytes(&all, 3), "x");
        refused += usize::from(added.is_err());
        let mut stream = Store::new();
        head.write(&mut stream).unwrap();
        let expected = 1 + usize::from(added.is_ok()) + usize::from(named.is_ok());
        assert_eq!(
            read(&stream, random, 9).head.unwrap().3.len(),
            expected,
            "{stream:?}"
        );
        assert_eq!(
            stream.iter().filter(|&&byte| byte == b'\n').count(),
            expected + 1
        );
    }
    assert!((500..4500).contains(&refused), "{refused}");
}
