//! Parameters that nobody should send: an application sees all of a valid stream, or a refusal.

use fcgi_core::Refusal;
use fcgi_core::application::{Connection, Event};
use fcgi_core::params::{Collector, Held, Limits, Params};
use fcgi_tests::hand::*;
use fcgi_tests::machines::observe::rid;

use crate::{check_bystander, with_bystander};

/// Collects request 1's PARAMS from slices as a frontend does; with the refusal sent, if there is
/// one, the number of pairs that the application got to see, and the bytes that were kept.
fn collect<const N: usize>(
    connection: &mut Connection<N>,
    slices: &[&[u8]],
    limits: Limits,
) -> (Result<usize, Refusal>, Vec<u8>, usize) {
    let mut collector = Collector::new(Vec::new(), limits);
    let mut outcome = Ok(0);
    let mut output = Vec::new();
    for slice in slices {
        let mut rest = *slice;
        let mut held = Held::new();
        while let Some(event) = connection.receive(&mut rest).unwrap() {
            let step = match event {
                Event::Params { bytes, .. } => collector.push(&mut held, bytes).map(|()| 0),
                Event::ParamsEnd { .. } => collector
                    .finish(&mut held)
                    .map(|params| params.iter().count()),
                _ => continue,
            };
            match step {
                Ok(pairs) => outcome = Ok(pairs),
                Err(refusal) => {
                    outcome = Err(refusal);
                    let reply = connection.refuse(rid(1), refusal).unwrap();
                    output.extend_from_slice(&reply.encode(1, 1));
                }
            }
        }
        if outcome.is_ok() {
            collector.keep(held).unwrap();
        }
    }
    (outcome, output, collector.into_storage().capacity())
}

/// The stream comes in records of `piece` bytes, each in a read of its own.
fn check(stream: &[u8], piece: usize, limits: Limits, expected: Result<usize, Refusal>) {
    let mut connection = with_bystander::<2>();
    let records: Vec<_> = stream
        .chunks(piece)
        .map(|part| record(PARAMS, 1, part, 3))
        .collect();
    let begin = begin(1, RESPONDER, KEEP);
    let late = [end_of(PARAMS, 1), record(STDIN, 1, b"body", 0)].concat();
    let mut slices = vec![&*begin];
    slices.extend(records.iter().map(|record| &**record));
    slices.push(&*late);
    let (outcome, output, capacity) = collect(&mut connection, &slices, limits);
    assert_eq!(outcome, expected);
    assert!(
        capacity <= 2 * stream.len() + 64,
        "{capacity} for {}",
        stream.len()
    );
    match expected {
        Ok(_) => assert!(!connection.end(rid(1), 0).unwrap().is_empty()),
        Err(Refusal::MalformedParams { .. }) => assert_eq!(output, end_request(1, 1, 0)),
        Err(_) => assert_eq!(output, end_request(1, 0, OVERLOADED)),
    }
    check_bystander(&mut connection);
}

const WIDE: Limits = Limits {
    bytes: 1 << 20,
    pairs: 200_000,
};

#[test]
fn pairs_that_run_past_their_stream() {
    let good = pair("GOOD", "pair");
    let bad: [&[u8]; 12] = [
        b"\x01",
        b"\x80",
        b"\x80\0\0",
        b"\x80\0\0\x01",
        b"\x01\x80\0\0",
        b"\x01\x00",
        b"\x01\x01A",
        b"\x7f\x7fname",
        b"\x00\x01",
        b"\x04\x04NAMEval",
        b"\x84\0\0\0\0name",
        b"\xff\xff\xff\xff\xff\xff\xff\xff",
    ];
    for bad in bad {
        for (stream, at) in [(bad.to_vec(), 0), ([&*good, bad].concat(), good.len())] {
            for piece in [1, 2, 7, 1000] {
                check(&stream, piece, WIDE, Err(Refusal::MalformedParams { at }));
            }
        }
    }
}

/// Two lengths whose sum does not fit 31, 32 bits, or either with what was there before.
#[test]
fn lengths_near_two_to_the_31st() {
    let borders = [
        0,
        1,
        2,
        127,
        128,
        0x4000_0000,
        0x7fff_fff0,
        0x7fff_fffe,
        0x7fff_ffff,
    ];
    for name_length in borders {
        for value_length in borders {
            if name_length + value_length < 20 {
                continue;
            }
            let lengths = [long_length(name_length), long_length(value_length)].concat();
            let stream = [&*pair("A", "b"), &lengths, b"some bytes"].concat();
            check(&stream, 1000, WIDE, Err(Refusal::MalformedParams { at: 4 }));
        }
    }
}

#[test]
fn streams_over_the_caps() {
    let stream = pair("N", "v").repeat(100);
    for piece in [1, 7, 399, 1000] {
        for (limits, expected) in [
            (
                Limits {
                    bytes: 400,
                    pairs: 100,
                },
                Ok(100),
            ),
            (
                Limits {
                    bytes: 399,
                    pairs: 100,
                },
                Err(Refusal::ParamsTooLong { limit: 399 }),
            ),
            (
                Limits {
                    bytes: 400,
                    pairs: 99,
                },
                Err(Refusal::TooManyParams { limit: 99 }),
            ),
            (
                Limits {
                    bytes: 0,
                    pairs: 100,
                },
                Err(Refusal::ParamsTooLong { limit: 0 }),
            ),
            (
                Limits {
                    bytes: 400,
                    pairs: 0,
                },
                Err(Refusal::TooManyParams { limit: 0 }),
            ),
        ] {
            check(&stream, piece, limits, expected);
        }
    }
    check(&[], 1, Limits { bytes: 0, pairs: 0 }, Ok(0));
    check(&[0, 0], 1, Limits { bytes: 2, pairs: 1 }, Ok(1));
}

/// On a stack so small that a recursion for each pair would end the process.
#[test]
fn a_hundred_thousand_pairs_on_a_small_stack() {
    let run = || {
        let stream = pair("NAME", "v").repeat(100_000);
        check(&stream, 65_535, WIDE, Ok(100_000));
        let few = Limits {
            pairs: 99_999,
            ..WIDE
        };
        check(
            &stream,
            65_535,
            few,
            Err(Refusal::TooManyParams { limit: 99_999 }),
        );
        let params = Params::parse(&stream, 100_000).unwrap();
        assert_eq!(params.get_all("NAME").count(), 100_000);
        assert_eq!(params.get("OTHER"), None);
        assert_eq!(params.headers().count(), 0);
    };
    let small = std::thread::Builder::new().stack_size(96 * 1024);
    small.spawn(run).unwrap().join().unwrap();
}

#[test]
fn names_and_values_are_any_bytes() {
    let all: Vec<u8> = (0..=255).collect();
    let stream = [
        pair(&all, &all),
        pair("", ""),
        pair("\0", "=\n\0"),
        pair("", "v"),
    ]
    .concat();
    check(&stream, 9, WIDE, Ok(4));
    let params = Params::parse(&stream, 4).unwrap();
    assert_eq!(params.get(&all), Some(&*all));
    assert_eq!(params.get("\0"), Some(&b"=\n\0"[..]));
    assert_eq!(params.get_all("").collect::<Vec<_>>(), [&b""[..], b"v"]);
    let printed = format!("{params:?}");
    assert!(
        printed.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
        "{printed}"
    );
}
