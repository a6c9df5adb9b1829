//! Bugs that other implementations of FastCGI had, each of which this core must not have.

use fcgi_core::application::{Connection, Event};
use fcgi_core::params::{self, Collector, Held, Limits, Params};
use fcgi_core::wire::{Role, encode_length};
use fcgi_core::{Error, Record, Refusal, SendError, web_server};
use fcgi_tests::hand::*;
use fcgi_tests::machines::observe::{Side, check_by_bytes, check_every_pair_of_cuts, feed, rid};
use fcgi_tests::machines::{Log, Seen, Transcript, joined};

/// What a machine sees of legal bytes, in one piece.
fn seen<S: Side>(side: &mut S, bytes: &[u8]) -> Vec<Seen> {
    let mut log = Log::new();
    feed(side, bytes, 0, &mut log).unwrap();
    joined(log).into_iter().map(|(_, seen)| seen).collect()
}

fn malformed(stream: &[u8]) -> bool {
    matches!(
        Params::parse(stream, 1000),
        Err(Refusal::MalformedParams { .. })
    )
}

/// A web server with one active request.
fn begun() -> web_server::Connection<2> {
    let mut connection = web_server::Connection::new();
    assert!(connection.begin(Role::Responder, true).is_ok());
    connection
}

/// libfcgi, CVE-2025-23016: two lengths of up to 2³¹−1 added in 32 bits, and a heap overflow.
#[test]
fn lengths_are_not_added_in_32_bits() {
    for (name, value) in [
        (0x7fff_ffff, 0x7fff_ffff),
        (0x7fff_ffff, 1),
        (0x7fff_ffff, 2),
        (0x4000_0000, 0x4000_0000),
    ] {
        let stream = [long_length(name), long_length(value), *b"name"].concat();
        assert!(malformed(&stream), "{name} + {value}");
    }
}

/// libfcgi 2.4.2-2+deb12u1, after the first fix of CVE-2025-23016: 127 + (2³¹−129) was still an
/// overflow, then a huge allocation, then an assertion.
#[test]
fn no_memory_is_allocated_on_a_length_alone() {
    let stream = [&[127][..], &long_length((1 << 31) - 129), &[b'x'; 200]].concat();
    let mut collector = Collector::new(Vec::new(), Limits::default());
    for piece in stream.chunks(10) {
        let mut held = Held::new();
        collector.push(&mut held, piece).unwrap();
        collector.keep(held).unwrap();
    }
    let refused = collector.finish(&mut Held::new());
    assert_eq!(refused, Err(Refusal::MalformedParams { at: 0 }));
    assert!(collector.into_storage().capacity() < 1000);
}

/// HAProxy, fixed in 2026: a length was checked against the record without the bytes that had been
/// consumed of it.
#[test]
fn lengths_are_checked_against_what_is_left() {
    let first = pair("FIRST", "pair");
    for excess in 1..=first.len() + 3 {
        let length = u8::try_from(4 + excess).unwrap();
        let stream = [&first[..], &[1, length, b'N'], b"four"].concat();
        assert!(malformed(&stream), "{excess} more than there are");
    }
    assert!(!malformed(&[&first[..], b"\x01\x04N", b"four"].concat()));
}

/// HAProxy, fixed in 2026: contentLength + paddingLength wrapped to 0 in 16 bits, and content was
/// parsed as headers.
#[test]
fn content_and_padding_are_not_added_in_16_bits() {
    let begin_77 = begin(77, RESPONDER, KEEP);
    let evil = begin_77.repeat(65_535 / begin_77.len() + 1);
    for padding in [1, 2, 7, 255] {
        let mut t = Transcript::new();
        t.begin(1, RESPONDER, true, 0)
            .stream(PARAMS, 1, b"", 0)
            .stream(STDIN, 1, &evil[..65_535], padding)
            .stream(STDIN, 1, b"", 0);
        check_by_bytes(&mut Connection::<4>::new(), &t);
        assert_eq!(seen(&mut Connection::<4>::new(), t.bytes()).len(), 4);
    }
}

/// HAProxy (2026), ferron, tokio-fastcgi: a length above 65,535 cut to 16 bits while all of the
/// data is sent, which smuggles requests into the application.
#[test]
fn a_body_of_more_than_65535_bytes_is_many_records() {
    let smuggled = responder(2, KEEP, &[("EVIL", "1")], b"");
    for length in [65_528, 65_529, 65_535, 65_536, 65_537, 131_072, 200_000] {
        let body: Vec<u8> = smuggled.iter().copied().cycle().take(length).collect();
        let mut connection = begun();
        let mut sent = connection.params_end(rid(1)).unwrap().parts().concat();
        let mut rest = &body[..];
        while let Some(record) = connection.stdin(rid(1), &mut rest).unwrap() {
            sent.extend(record.parts().concat());
        }
        let records = parse(&sent);
        assert!(records.iter().all(|record| record.id == 1));
        let contents: Vec<_> = records
            .into_iter()
            .flat_map(|record| record.content)
            .collect();
        assert_eq!(contents, body);
    }
}

/// nginx, fixed in 2026: a name's length was cut to one byte.
#[test]
fn names_have_lengths_of_31_bits() {
    for length in [0, 1, 126, 127, 128, 129, 255, 256, 257, 65_535, 65_536] {
        let name = vec![b'N'; length];
        let mut stream = Vec::new();
        params::append(&mut stream, &name, "v").unwrap();
        assert_eq!(stream, pair(&name, "v"));
        assert_eq!(
            Params::parse(&stream, 1).unwrap().get(&name),
            Some(&b"v"[..])
        );
    }
    assert_eq!(*encode_length(0x7fff_ffff).unwrap(), [0xff; 4]);
    assert!(encode_length(0x8000_0000).is_err());
}

/// nginx (2012), libfcgi 2.4.2: the padding of END_REQUEST and of empty STDOUT and STDERR records
/// was not skipped.
#[test]
fn padding_of_end_records_is_skipped() {
    let bytes = [
        padded(3, &end_of(STDERR, 1)),
        padded(7, &end_of(STDOUT, 1)),
        padded(8, &end_request(1, 0, 0)),
        padded(255, &unknown_type(9)),
    ]
    .concat();
    let mut connection = begun();
    assert_eq!(seen(&mut connection, &bytes).len(), 4);
    assert!(connection.is_between_records());
}

/// nginx, OpenBSD httpd: a header or an END_REQUEST that came in two reads was an error.
#[test]
fn headers_and_end_requests_may_come_in_pieces() {
    let mut t = Transcript::new();
    t.stream(STDOUT, 1, b"x", 7).discrete(
        END_REQUEST,
        1,
        &[0, 0, 0, 9, 0, 0, 0, 0],
        3,
        Seen::Ended(1, 9, 0),
    );
    check_every_pair_of_cuts(&begun(), &t, 0);
}

/// HAProxy, fixed in 2026: an application record with id 0 reached the stream of the connection
/// itself.
#[test]
fn id_0_is_for_management_records_only() {
    for kind in BEGIN_REQUEST..=DATA {
        let bytes = record(kind, 0, &[0; 8], 0);
        let error = feed(&mut Connection::<1>::new(), &bytes, 0, &mut Log::new());
        assert!(matches!(error, Err(Error::NullRequestId { .. })));
    }
}

/// tokio-fastcgi 1.3: a BEGIN_REQUEST of 0 or 1 byte was a panic.
#[test]
fn a_short_begin_is_an_error() {
    for length in 0..8 {
        let bytes = record(BEGIN_REQUEST, 1, &[0; 8][..length], 0);
        let error = feed(&mut Connection::<1>::new(), &bytes, 0, &mut Log::new());
        assert!(matches!(error, Err(Error::ShortBody { .. })));
    }
}

/// The crate fastcgi 1.0: a recursion for each pair, and 100,000 of them overflowed the stack.
#[test]
fn many_pairs_need_no_stack() {
    let count = || {
        let stream = pair("N", "v").repeat(100_000);
        Params::parse(&stream, 100_000).unwrap().iter().count()
    };
    let small = std::thread::Builder::new().stack_size(64 * 1024);
    assert_eq!(small.spawn(count).unwrap().join().unwrap(), 100_000);
}

/// tokio-fastcgi 1.3: pairs were parsed record by record, so one that spans two broke the
/// connection.
#[test]
fn pairs_do_not_end_with_records() {
    let stream = [pair("NAME", "value"), pair("LONG", [b'v'; 300])].concat();
    for piece in 1..stream.len() {
        let mut collector = Collector::new(Vec::new(), Limits::default());
        for piece in stream.chunks(piece) {
            let mut held = Held::new();
            collector.push(&mut held, piece).unwrap();
            collector.keep(held).unwrap();
        }
        let mut held = Held::new();
        let params = collector.finish(&mut held).unwrap();
        assert_eq!(pairs(params.as_bytes()), pairs(&stream));
    }
}

/// libfcgi: an error within PARAMS looked like their normal end, and the application ran without
/// the rest of its environment: without REMOTE_USER, or without HTTPS.
#[test]
fn half_an_environment_is_none() {
    let public = pair("REQUEST_METHOD", "GET");
    let secret = pair("REMOTE_USER", "nobody");
    for cut in 1..secret.len() {
        let mut collector = Collector::new(Vec::new(), Limits::default());
        let stream = [&*public, &secret[..cut]].concat();
        let mut held = Held::new();
        collector.push(&mut held, &stream).unwrap();
        let at = public.len();
        assert_eq!(
            collector.finish(&mut held),
            Err(Refusal::MalformedParams { at })
        );
    }
}

/// A C library: the answer to GET_VALUES went into a buffer of fixed size, and a name that was
/// asked for again and again overran it.
#[test]
fn a_repeated_question_is_answered_once() {
    let question = get_values(&vec!["FCGI_MPXS_CONNS"; 3855]);
    let answer = aligned(&get_values_result(&[("FCGI_MPXS_CONNS", "1")]));
    let seen = seen(&mut Connection::<1>::new(), &question);
    assert_eq!(seen, [Seen::Reply(answer)]);
}

/// libfcgi: GET_VALUES was not answered before more bytes came.
#[test]
fn a_question_is_answered_with_its_last_byte() {
    let question = get_values(&["FCGI_MAX_REQS"]);
    // The padding is still on its way.
    let padded = padded(9, &question);
    let seen = seen(&mut Connection::<1>::new(), &padded[..question.len()]);
    assert!(matches!(seen[..], [Seen::Reply(_)]));
}

/// libfcgi: an empty record of another id made it throw the next record of the live request away,
/// and a body of 10 bytes was counted as 5.
#[test]
fn a_skipped_record_takes_no_other_with_it() {
    let mut t = Transcript::new();
    t.begin(1, RESPONDER, true, 0)
        .stream(PARAMS, 1, b"", 0)
        .stream(STDIN, 1, b"first", 3)
        .skipped(&end_of(STDIN, 2))
        .stream(STDIN, 1, b"again", 3)
        .skipped(&padded(5, &stream(STDIN, 2, b"late")))
        .stream(STDIN, 1, b"", 0);
    check_every_pair_of_cuts(&Connection::<1>::new(), &t, 0);
}

/// Go net/http/fcgi: one GET_VALUES got two GET_VALUES_RESULTs, as if they were a stream.
#[test]
fn one_question_gets_one_answer() {
    let question = get_values(&["FCGI_MPXS_CONNS"]);
    for count in [1, 2, 5] {
        let seen = seen(&mut Connection::<1>::new(), &question.repeat(count));
        assert_eq!(seen.len(), count);
    }
    assert_eq!(
        seen(&mut Connection::<1>::new(), &end_of(GET_VALUES, 0)).len(),
        1
    );
}

/// Go net/http/fcgi: management records of unknown type were never answered.
#[test]
fn unknown_management_types_are_answered() {
    let seen = seen(&mut Connection::<1>::new(), &record(42, 0, b"?", 7));
    assert_eq!(seen, [Seen::Reply(unknown_type(42))]);
}

/// Go #81548: 65,535 requests begun on one connection and never finished took a kilobyte each.
#[test]
fn requests_without_end_take_no_memory() {
    let mut connection = Connection::<16>::new();
    let mut refused = 0;
    for id in 1..=u16::MAX {
        match &seen(&mut connection, &begin(id, RESPONDER, KEEP))[..] {
            [Seen::Begin { .. }] => assert!(id <= 16),
            [Seen::Reply(reply)] => {
                assert_eq!(*reply, end_request(id, 0, OVERLOADED));
                refused += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((connection.active(), refused), (16, 65_535 - 16));
    assert!(size_of_val(&connection) <= 128);
}

/// libfcgi, Go, Perl's FCGI, tokio-fastcgi: parameters without any limit.
#[test]
fn parameters_over_the_limit_are_not_kept() {
    let limits = Limits {
        bytes: 10_000,
        pairs: 100,
    };
    let mut collector = Collector::new(Vec::new(), limits);
    let mut taken = 0;
    let refused = (0..100_000).find_map(|_| {
        let mut held = Held::new();
        let pushed = collector.push(&mut held, &[b'x'; 999]);
        taken += usize::from(pushed.is_ok()) * 999;
        pushed.and_then(|()| collector.keep(held)).err()
    });
    assert_eq!(refused, Some(Refusal::ParamsTooLong { limit: 10_000 }));
    assert_eq!((taken, collector.stored()), (9990, 9990));
    collector.clear();
    assert_eq!(collector.stored(), 0);
}

/// HTTP/2's rapid reset, CVE-2023-44487: what is aborted made room before its handler was gone.
#[test]
fn an_aborted_request_keeps_its_slot_until_it_ends() {
    let mut connection = Connection::<4>::new();
    let mut taken = 0;
    for id in 1..=1000 {
        let begun = seen(
            &mut connection,
            &[begin(id, RESPONDER, KEEP), abort(id)].concat(),
        );
        taken += usize::from(matches!(begun[..], [Seen::Begin { .. }, Seen::Abort(_)]));
    }
    assert_eq!((taken, connection.active()), (4, 4));
}

/// tokio-fastcgi, HAProxy: what a short write left over was lost.
#[test]
fn short_writes_lose_nothing() {
    let write = |mut record: Record<'_>| {
        let mut wire = Vec::new();
        while !record.is_empty() {
            // Would block, every other time.
            assert_eq!(record.advance(0), 0);
            let first = record.parts().concat()[0];
            wire.push(first);
            assert_eq!(record.advance(1), 0);
        }
        assert_eq!((record.len(), record.advance(3)), (0, 3), "nothing is left");
        wire
    };
    let mut connection = begun();
    let mut sent = write(connection.params_end(rid(1)).unwrap());
    sent.extend(write(
        connection
            .stdin(rid(1), &mut &b"hello"[..])
            .unwrap()
            .unwrap(),
    ));
    sent.extend(write(connection.stdin_end(rid(1)).unwrap()));
    let hello = aligned(&stream(STDIN, 1, b"hello"));
    assert_eq!(sent, [end_of(PARAMS, 1), hello, end_of(STDIN, 1)].concat());
}

/// HAProxy and C libraries: reserved bytes and padding held what was in the memory before.
#[test]
fn nothing_leaks_in_reserved_bytes_and_padding() {
    let mut connection = begun();
    let mut sent = connection.params_end(rid(1)).unwrap().parts().concat();
    let memory = [0xa5; 64];
    for length in 1..40 {
        let (mut body, _) = memory.split_at(length);
        let record = connection.stdin(rid(1), &mut body).unwrap();
        sent.extend(record.unwrap().parts().concat());
    }
    sent.extend_from_slice(&connection.abort(rid(1)).unwrap());
    sent.extend_from_slice(&connection.get_values());
    // The parser panics at dirt.
    assert_eq!(parse(&sent).len(), 42);

    // After input that is dirty everywhere.
    let mut application = Connection::<1>::new();
    let mut input =
        &dirty(&[begin(1, RESPONDER, KEEP), get_values(&["FCGI_MAX_REQS"])].concat())[..];
    let mut sent = Vec::new();
    while let Some(event) = application.receive(&mut input).unwrap() {
        if let Event::Reply(reply) = event {
            sent.extend_from_slice(&reply.encode(1, 1));
        }
    }
    sent.extend_from_slice(&application.end(rid(1), u32::MAX).unwrap());
    assert_eq!(parse(&sent).len(), 3);
}

/// tokio-fastcgi, Go: two END_REQUESTs for one id when ABORT_REQUEST crossed the answer, so that
/// the next request with this id was ended.
#[test]
fn an_abort_that_crosses_the_answer_ends_nothing() {
    let mut connection = Connection::<1>::new();
    let request = responder(1, KEEP, &[("A", "b")], b"");
    assert_eq!(seen(&mut connection, &request).len(), 4);
    assert!(!connection.end(rid(1), 0).unwrap().is_empty());
    let crossed = [abort(1), begin(1, RESPONDER, KEEP)].concat();
    let seen = seen(&mut connection, &crossed);
    assert!(matches!(seen[..], [Seen::Begin { id: 1, .. }]), "no abort");
    assert!(!connection.end(rid(1), 0).unwrap().is_empty());
    let again = connection.end(rid(1), 0);
    assert_eq!(again, Err(SendError::NotActive { id: rid(1) }));
}

/// httpoxy, CVE-2016-5385 and others: a client's `Proxy` header became the variable HTTP_PROXY.
#[test]
fn the_proxy_header_is_no_header() {
    let stream = pair_bytes(&[("HTTP_PROXY", "http://evil"), ("HTTP_HOST", "good")]);
    let params = Params::parse(&stream, 2).unwrap();
    let names: Vec<_> = params.headers().map(|pair| pair.name).collect();
    assert_eq!(names, [b"HOST"]);
}

/// lighttpd, fixed in 2026: headers that differ in `-` and `_` get one name, and one hid the other.
#[test]
fn repeated_names_are_all_visible() {
    let forwarded = "HTTP_X_FORWARDED_FOR";
    let stream = pair_bytes(&[(forwarded, "proxy"), ("A", "b"), (forwarded, "client")]);
    let params = Params::parse(&stream, 3).unwrap();
    assert_eq!(params.get(forwarded), Some(&b"proxy"[..]), "the first wins");
    assert_eq!(params.get_all(forwarded).count(), 2);
}
