//! Any bytes as the STDOUT of an application.

use fcgi_core::cgi::{Head, HeadError, HeadLimits, HeadParser, ParseError, ResponseHead};

use super::byte;

/// The fields of a head, in order.
type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// The parser in one piece and in many; what it took is made into a head again, and says the same.
/// The first bytes are the size of the pieces and the limits, the rest is STDOUT.
pub fn cgi_head(mut input: &[u8]) {
    let piece = 1 + usize::from(byte(&mut input));
    let limits = HeadLimits {
        bytes: 32 * usize::from(byte(&mut input)),
        fields: usize::from(byte(&mut input)),
        interim: 2,
    };
    let reporting = byte(&mut input) & 1 == 1;
    let whole = parse([input].into_iter(), limits, reporting);
    let pieces = parse(input.chunks(piece), limits, reporting);
    assert_eq!(whole.0, pieces.0);
    assert_eq!(whole.1.head().is_some(), pieces.1.head().is_some());
    let (Some(head), Some(other)) = (whole.1.head(), pieces.1.head()) else {
        assert!(whole.0.is_err());
        return;
    };
    assert_eq!(fields(&head), fields(&other));
    assert_eq!((head.status(), head.kind()), (other.status(), other.kind()));
    assert_eq!(head.content_length(), other.content_length());
    make_again(&head);
}

/// How many bytes are the head, and its parser.
fn parse<'i>(
    pieces: impl Iterator<Item = &'i [u8]>,
    limits: HeadLimits,
    reporting: bool,
) -> (Result<usize, ParseError>, HeadParser<Vec<u8>>) {
    let mut parser = HeadParser::new(Vec::new(), limits);
    if reporting {
        parser = parser.reporting_interim();
    }
    let mut taken = 0;
    for piece in pieces {
        let mut rest = piece;
        loop {
            match parser.push(&mut rest) {
                Ok(true) if parser.finish().is_err() => parser.skip_interim(),
                Ok(true) => return (Ok(taken + piece.len() - rest.len()), parser),
                Ok(false) => {
                    assert!(rest.is_empty());
                    break;
                }
                Err(error) => {
                    assert_eq!(parser.push(&mut rest), Err(error), "the same again");
                    return (Err(error), parser);
                }
            }
        }
        taken += piece.len();
    }
    let outcome = parser.finish().map(|()| taken);
    assert!(outcome.is_err(), "a complete head is seen at once");
    (outcome, parser)
}

fn fields(head: &Head<'_>) -> Fields {
    let fields = head.fields();
    fields
        .map(|(name, value)| (name.to_vec(), value.to_vec()))
        .collect()
}

/// Leaves out what the maker of a head puts elsewhere, or adds by itself.
fn others(fields: Fields) -> Fields {
    let own = |name: &[u8]| {
        name.eq_ignore_ascii_case(b"content-type") || name.eq_ignore_ascii_case(b"content-length")
    };
    fields.into_iter().filter(|(name, _)| !own(name)).collect()
}

fn make_again(head: &Head<'_>) {
    let mut made = ResponseHead::new(Vec::new());
    made.set_status(head.status());
    for (name, value) in head.fields() {
        match made.add(name, value) {
            Ok(()) => {}
            // The application's problem, not this web server's.
            Err(HeadError::EmptyValue { .. }) => return,
            Err(error) => panic!("{error}: {:?}", fields(head)),
        }
    }
    let mut written = Vec::new();
    made.write(&mut written).expect("a Vec grows");
    let limits = HeadLimits {
        bytes: usize::MAX,
        fields: usize::MAX,
        interim: 0,
    };
    let (outcome, parser) = parse([&*written].into_iter(), limits, false);
    assert_eq!(outcome, Ok(written.len()));
    let again = parser.head().expect("it is complete");
    assert_eq!(again.status(), head.status());
    assert_eq!(others(fields(&again)), others(fields(head)));
}
