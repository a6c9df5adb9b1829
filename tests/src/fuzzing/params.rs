//! Any bytes as a PARAMS stream, in pieces and within limits.

use fcgi_core::params::{self as core_params, Collector, Held, Limits, Params};
use fcgi_core::{MAX_CONTENT, Refusal};

use super::byte;
use crate::hand::{self, Pair};

/// The collector against a reader by hand. The first bytes are the limits and the sizes of slices
/// and pieces, the rest is the stream.
pub fn params(mut input: &[u8]) {
    let limits = Limits {
        bytes: 16 * usize::from(byte(&mut input)),
        pairs: usize::from(byte(&mut input)),
    };
    let slice = 1 + usize::from(byte(&mut input));
    let piece = 1 + usize::from(byte(&mut input));
    let stream = input;

    let expected = by_hand(stream, limits);
    let mut collector = Collector::new(Vec::new(), limits);
    let collected = collect(&mut collector, stream, slice, piece);
    assert_eq!(collected, expected);
    assert!(collector.stored() <= limits.bytes);
    // With everything in one slice, nothing needs to be stored.
    let mut in_one = Collector::new(heapless::Vec::<u8, 0>::new(), limits);
    assert_eq!(
        collect(&mut in_one, stream, usize::MAX, usize::MAX),
        expected
    );

    // Unchecked, the pairs end before the first one that is not whole.
    let mut rest = stream;
    for pair in Params::assume_whole(stream) {
        let (by_hand, after) = hand::first_pair(rest).expect("a whole pair");
        assert_eq!((pair.name, pair.value), (&*by_hand.0, &*by_hand.1));
        rest = after;
    }
    assert_eq!(hand::first_pair(rest), None);

    let chunks: Vec<_> = core_params::chunks(stream).collect();
    assert_eq!(chunks.concat(), stream);
    assert!(
        chunks
            .iter()
            .all(|chunk| (1..=MAX_CONTENT).contains(&chunk.len()))
    );
    if let (Ok(pairs), Ok(params)) = (expected, Params::parse(stream, limits.pairs)) {
        look_up(&params, &pairs);
    }
}

/// As a frontend does it: each slice holds some pieces, and what is left at its end is kept.
fn collect<S: fcgi_core::Storage>(
    collector: &mut Collector<S>,
    stream: &[u8],
    slice: usize,
    piece: usize,
) -> Result<Vec<Pair>, Refusal> {
    let owned = |params: Params<'_>| {
        let pairs = params.iter();
        pairs
            .map(|pair| (pair.name.to_vec(), pair.value.to_vec()))
            .collect()
    };
    let mut slices = stream.chunks(slice).peekable();
    let mut held = Held::new();
    while let Some(bytes) = slices.next() {
        for piece in bytes.chunks(piece) {
            collector.push(&mut held, piece)?;
        }
        if slices.peek().is_some() {
            collector.keep(std::mem::take(&mut held))?;
        }
    }
    collector.finish(&mut held).map(owned)
}

fn by_hand(stream: &[u8], limits: Limits) -> Result<Vec<Pair>, Refusal> {
    if stream.len() > limits.bytes {
        return Err(Refusal::ParamsTooLong {
            limit: limits.bytes,
        });
    }
    let mut pairs = Vec::new();
    let mut rest = stream;
    while !rest.is_empty() {
        let at = stream.len() - rest.len();
        let (pair, after) = hand::first_pair(rest).ok_or(Refusal::MalformedParams { at })?;
        pairs.push(pair);
        rest = after;
    }
    if pairs.len() > limits.pairs {
        return Err(Refusal::TooManyParams {
            limit: limits.pairs,
        });
    }
    Ok(pairs)
}

fn look_up(params: &Params<'_>, pairs: &[Pair]) {
    for (name, _) in pairs {
        let same = pairs.iter().filter(|(other, _)| other == name);
        let values: Vec<&[u8]> = same.map(|(_, value)| &value[..]).collect();
        assert_eq!(params.get(name), values.first().copied());
        assert!(params.get_all(name).eq(values));
    }
    let headers = pairs
        .iter()
        .filter(|(name, _)| name.starts_with(b"HTTP_") && name != b"HTTP_PROXY");
    assert!(
        params
            .headers()
            .map(|pair| pair.name)
            .eq(headers.map(|(name, _)| &name[5..]))
    );
    for (name, found) in [
        ("CONTENT_LENGTH", params.content_length()),
        ("FCGI_DATA_LENGTH", params.data_length()),
        ("FCGI_DATA_LAST_MOD", params.data_last_mod()),
    ] {
        assert_eq!(found, first(pairs, name).and_then(number), "{name}");
    }
    let framing = params.framing();
    assert_eq!(framing.content_length, params.content_length());
    assert_eq!(
        framing.is_head,
        first(pairs, "REQUEST_METHOD") == Some(b"HEAD")
    );
    assert!(format!("{params:?}").is_ascii());

    // Built again in the shortest form, it says the same and is no longer.
    let mut built = Vec::new();
    for pair in params {
        core_params::append(&mut built, pair.name, pair.value).expect("a Vec grows");
    }
    assert!(built.len() <= params.as_bytes().len());
    assert_eq!(built, hand::pair_bytes(pairs));
    assert_eq!(hand::pairs(&built), pairs);
}

/// The value of the first pair with this name.
fn first<'p>(pairs: &'p [Pair], name: &str) -> Option<&'p [u8]> {
    let found = pairs.iter().find(|(other, _)| other == name.as_bytes());
    found.map(|(_, value)| &value[..])
}

/// Digits and nothing else, read by the standard library.
fn number(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}
