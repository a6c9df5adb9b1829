//! The parameters of one request after those of another, through one collector.

use fcgi_core::Refusal;
use fcgi_core::params::{Collector, Held, Limits, Params};

const FIRST: &[u8] = b"\x04\x01USERa\x01\x01Xx";
const SECOND: &[u8] = b"\x04\x01USERb";
const LIMITS: Limits = Limits {
    bytes: 11,
    pairs: 2,
};

/// A stream that comes in these slices, each with one piece.
fn collect<'s>(
    collector: &'s mut Collector<heapless::Vec<u8, 16>>,
    slices: &[&'s [u8]],
) -> Result<Params<'s>, Refusal> {
    for slice in slices {
        let mut held = Held::new();
        collector.push(&mut held, slice)?;
        collector.keep(held)?;
    }
    collector.finish(&mut Held::new())
}

#[test]
fn no_request_sees_the_parameters_of_the_one_before() {
    for cut in 0..=FIRST.len() {
        for second_cut in 0..=SECOND.len() {
            let mut collector = Collector::new(heapless::Vec::new(), LIMITS);
            for _ in 0..2 {
                let (front, back) = FIRST.split_at(cut);
                let params = collect(&mut collector, &[front, back]).unwrap();
                assert_eq!(params.as_bytes(), FIRST, "{cut}");
                let (front, back) = SECOND.split_at(second_cut);
                let params = collect(&mut collector, &[front, back]).unwrap();
                assert_eq!(params.as_bytes(), SECOND, "{cut} {second_cut}");
                let params = collect(&mut collector, &[]).unwrap();
                assert_eq!(params.as_bytes(), b"", "{cut} {second_cut}");
            }
        }
    }
}

/// Nor those of one that was refused at its end.
#[test]
fn a_refused_stream_is_forgotten() {
    for refused in [&b"\x09\x01USER"[..], b"\0\0\0\0\0\0"] {
        let mut collector = Collector::new(heapless::Vec::new(), LIMITS);
        assert!(collect(&mut collector, &[refused]).is_err());
        let params = collect(&mut collector, &[SECOND]).unwrap();
        assert_eq!(params.as_bytes(), SECOND, "{refused:?}");
        let long = Err(Refusal::ParamsTooLong { limit: 11 });
        assert_eq!(collect(&mut collector, &[SECOND, SECOND]), long);
    }
}

/// Nor those of one that fills the storage at its end.
#[test]
fn a_stream_without_room_is_forgotten() {
    let limits = Limits {
        bytes: 100,
        pairs: 2,
    };
    let mut collector = Collector::new(heapless::Vec::<u8, 16>::new(), limits);
    let mut held = Held::new();
    collector.push(&mut held, FIRST).unwrap();
    collector.push(&mut held, SECOND).unwrap();
    let refused = collector.finish(&mut held).map(drop);
    assert_eq!(refused, Err(Refusal::ParamsTooLong { limit: 100 }));
    let params = collect(&mut collector, &[SECOND]).unwrap();
    assert_eq!(params.as_bytes(), SECOND);
}
