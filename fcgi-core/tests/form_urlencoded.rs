//! Urlencoded forms against the crate `form_urlencoded`, which reads and writes them for browsers.

use fcgi_core::form::decode_in_place;
use fcgi_core::form::urlencoded::pairs;
use proptest::prelude::*;
use proptest::sample::select;

type Pair = (Vec<u8>, Vec<u8>);

fn ours(input: &[u8]) -> Vec<Pair> {
    let pairs = pairs(input);
    pairs
        .map(|pair| (pair.name.bytes().collect(), pair.value.bytes().collect()))
        .collect()
}

/// In place, and into a buffer; both must say what the iterator says.
fn in_other_ways(input: &[u8]) -> [Vec<Pair>; 2] {
    let mut room = vec![0; input.len()];
    let buffered = pairs(input)
        .map(|pair| {
            let name = pair.name.decode_to(&mut room).unwrap().to_vec();
            (name, pair.value.decode_to(&mut room).unwrap().to_vec())
        })
        .collect();
    let in_place = pairs(input)
        .map(|pair| {
            let mut name = pair.name.raw().to_vec();
            let mut value = pair.value.raw().to_vec();
            (
                decode_in_place(&mut name).to_vec(),
                decode_in_place(&mut value).to_vec(),
            )
        })
        .collect();
    [buffered, in_place]
}

/// Its names and values are text, with replacements.
fn theirs(input: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(input).into_owned().collect()
}

fn as_text(pairs: &[Pair]) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| (text(name), text(value)))
        .collect()
}

fn encode(pairs: &[Pair]) -> String {
    let encode = |bytes: &[u8]| form_urlencoded::byte_serialize(bytes).collect::<String>();
    let pairs = pairs.iter();
    let pairs: Vec<_> = pairs
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
        .collect();
    pairs.join("&")
}

fn pieces_of_forms() -> impl Strategy<Value = Vec<u8>> {
    let piece = select(vec![
        &b"&"[..],
        b"=",
        b"+",
        b"%",
        b"%2",
        b"%26",
        b"%3d",
        b"%C3%A9",
        b"%ff",
        b"a",
        b"\xc3",
        b";",
    ]);
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn what_is_encoded_is_read(
        sent in proptest::collection::vec(any::<Pair>(), 0..20)
    ) {
        let form = encode(&sent);
        prop_assert_eq!(&ours(form.as_bytes()), &sent);
        for other in in_other_ways(form.as_bytes()) {
            prop_assert_eq!(&other, &sent);
        }
    }

    #[test]
    fn any_bytes_are_read_as_by_browsers(input in any::<Vec<u8>>()) {
        prop_assert_eq!(as_text(&ours(&input)), theirs(&input));
    }

    #[test]
    fn pieces_of_forms_are_read_as_by_browsers(input in pieces_of_forms()) {
        let read = ours(&input);
        prop_assert_eq!(as_text(&read), theirs(&input));
        for other in in_other_ways(&input) {
            prop_assert_eq!(&other, &read);
        }
    }
}
