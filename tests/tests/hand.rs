//! The hand-made builders against bytes written down from the specification, and the strictness of
//! the hand-made parser.

use std::panic::catch_unwind;

use fcgi_tests::hand::*;

#[test]
fn records_have_the_specified_bytes() {
    let table: &[(Vec<u8>, &[u8])] = &[
        (
            begin(1, RESPONDER, KEEP),
            &[1, 1, 0, 1, 0, 8, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0],
        ),
        (
            begin(0x102, FILTER, CLOSE),
            &[1, 1, 1, 2, 0, 8, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0],
        ),
        (abort(7), &[1, 2, 0, 7, 0, 0, 0, 0]),
        (
            padded(4, &params(1, &[("A", "b")])),
            &[1, 4, 0, 1, 0, 4, 4, 0, 1, 1, b'A', b'b', 0, 0, 0, 0],
        ),
        (end_of(STDIN, 0xfffe), &[1, 5, 0xff, 0xfe, 0, 0, 0, 0]),
        (
            aligned(&stream(STDOUT, 1, b"hi")),
            &[1, 6, 0, 1, 0, 2, 6, 0, b'h', b'i', 0, 0, 0, 0, 0, 0],
        ),
        (
            aligned(&stream(STDOUT, 1, b"12345678")),
            b"\x01\x06\0\x01\0\x08\0\x0012345678",
        ),
        (
            end_request(1, 0xfeff_0001, UNKNOWN_ROLE),
            &[1, 3, 0, 1, 0, 8, 0, 0, 0xfe, 0xff, 0, 1, 3, 0, 0, 0],
        ),
        (
            get_values(&["FCGI_MAX_CONNS", "FCGI_MAX_REQS", "FCGI_MPXS_CONNS"]),
            b"\x01\x09\0\0\0\x30\0\0\x0e\0FCGI_MAX_CONNS\x0d\0FCGI_MAX_REQS\x0f\0FCGI_MPXS_CONNS",
        ),
        (
            get_values_result(&[("FCGI_MPXS_CONNS", "1")]),
            b"\x01\x0a\0\0\0\x12\0\0\x0f\x01FCGI_MPXS_CONNS1",
        ),
        (
            unknown_type(42),
            &[1, 11, 0, 0, 0, 8, 0, 0, 42, 0, 0, 0, 0, 0, 0, 0],
        ),
        (
            record_of_version(2, 99, 5, b"x", 1),
            &[2, 99, 0, 5, 0, 1, 1, 0, b'x', 0],
        ),
    ];
    for (built, expected) in table {
        assert_eq!(built, expected);
    }
}

#[test]
fn pairs_have_all_four_layouts() {
    use Length::{Long, Minimal};
    assert_eq!(pair("N", "vv"), b"\x01\x02Nvv");
    assert_eq!(pair_as(Long, Minimal, "N", "vv"), b"\x80\0\0\x01\x02Nvv");
    assert_eq!(pair_as(Minimal, Long, "N", "vv"), b"\x01\x80\0\0\x02Nvv");
    assert_eq!(
        pair_as(Long, Long, "N", "vv"),
        b"\x80\0\0\x01\x80\0\0\x02Nvv"
    );
    assert_eq!(pair("N", [b'v'; 127])[..3], [1, 127, b'N']);
    assert_eq!(pair("N", [b'v'; 128])[..6], [1, 0x80, 0, 0, 128, b'N']);
    assert_eq!(pair("N", [b'v'; 300])[..6], [1, 0x80, 0, 1, 44, b'N']);
    assert_eq!(long_length((1 << 31) - 1), [0xff; 4]);

    let all = [
        pair_as(Long, Minimal, "A", "1"),
        pair("B", [b'v'; 300]),
        pair("", ""),
    ]
    .concat();
    let expected = [
        (b"A".to_vec(), b"1".to_vec()),
        (b"B".to_vec(), vec![b'v'; 300]),
        (vec![], vec![]),
    ];
    assert_eq!(pairs(&all), expected);
}

#[test]
fn long_streams_are_cut_at_the_largest_record() {
    let bytes = vec![b'x'; 65_535 + 1];
    let records = parse(&stream(STDIN, 3, &bytes));
    assert_eq!(
        records.iter().map(|r| r.content.len()).collect::<Vec<_>>(),
        [65_535, 1]
    );
    assert!(stream(STDIN, 3, b"").is_empty());
    let records = parse(&stream_of(STDIN, 3, b"abcde", 2));
    assert_eq!(format!("{:?}", records[2]), r#"{FCGI_STDIN, 3, "e"}"#);
}

#[test]
fn dirt_goes_to_reserved_bytes_and_padding_only() {
    let clean = [
        padded(2, &begin(1, RESPONDER, KEEP)),
        padded(1, &stream(STDIN, 1, b"a")),
    ]
    .concat();
    assert_eq!(
        dirty(&clean),
        [
            &[1, 1, 0, 1, 0, 8, 2, 0xa5, 0, 1, 1][..],
            &[0xa5; 5 + 2],
            &[1, 5, 0, 1, 0, 1, 1, 0xa5, b'a', 0xa5]
        ]
        .concat()
    );
}

#[test]
fn answers_are_sorted_by_request() {
    let sent = [
        stream(STDOUT, 1, b"Status: 204\r\n"),
        stream(STDERR, 2, b"oh"),
        get_values_result(&[("FCGI_MAX_REQS", "1")]),
        stream(STDOUT, 1, b"\r\n"),
        end_request(2, 7, OVERLOADED),
        end_of(STDOUT, 1),
        end_request(1, 0, REQUEST_COMPLETE),
    ]
    .concat();
    let answers = answers(&sent);
    assert_eq!(answers[&1].head(), "Status: 204");
    assert_eq!(answers[&1].body(), b"");
    assert_eq!(answers[&1].order, [STDOUT, STDOUT, STDOUT, END_REQUEST]);
    assert_eq!(
        (answers[&1].stdout_ended, answers[&1].end),
        (true, Some((0, REQUEST_COMPLETE)))
    );
    assert_eq!(
        (&*answers[&2].stderr, answers[&2].stderr_ended),
        (&b"oh"[..], false)
    );
    assert_eq!(answers[&2].end, Some((7, OVERLOADED)));
    assert_eq!(answers.len(), 2);
    assert_eq!(management(&sent).len(), 1);
}

#[test]
fn an_id_may_be_reused_after_its_end() {
    let once = [
        stream(STDOUT, 1, b"a\n\nb"),
        end_request(1, 0, REQUEST_COMPLETE),
    ]
    .concat();
    let exchanges = exchanges(&once.repeat(2));
    assert_eq!(exchanges.len(), 2);
    assert!(
        exchanges
            .iter()
            .all(|(id, answer)| *id == 1 && answer.body() == b"b")
    );
}

#[test]
fn records_are_read_from_a_connection_one_by_one() {
    let sent = [padded(255, &stream(STDOUT, 1, b"a")), end_request(1, 0, 0)].concat();
    let mut connection = &*sent;
    let first = read_record(&mut connection).unwrap().unwrap();
    assert_eq!(
        (first.kind, &*first.content, first.padding),
        (STDOUT, &b"a"[..], 255)
    );
    assert_eq!(
        read_record(&mut connection).unwrap().unwrap().kind,
        END_REQUEST
    );
    assert_eq!(read_record(&mut connection).unwrap(), None);
    assert!(read_record(&mut &sent[..9]).is_err());

    let mut connection = &*[&*sent, b"next"].concat();
    assert_eq!(
        (read_to_end_of(&mut connection, 1), connection),
        (sent, &b"next"[..])
    );
}

#[test]
fn the_parser_is_strict() {
    let end = end_request(1, 0, 0);
    let table: &[(&str, Vec<u8>)] = &[
        ("a header is cut at offset 16", [&*end, &[1, 6, 0]].concat()),
        (
            "is cut: 3 of 5 bytes",
            record(STDOUT, 1, b"hello", 0)[..11].to_vec(),
        ),
        (
            "is cut: 5 of 6 bytes",
            record(STDOUT, 1, b"hello", 1)[..13].to_vec(),
        ),
        (
            "version of the record",
            record_of_version(2, STDOUT, 1, b"", 0),
        ),
        ("reserved byte", dirty(&end_of(STDOUT, 1))),
        (
            "padding of the record",
            [&record(STDOUT, 1, b"", 1)[..8], &[1]].concat(),
        ),
        ("an application does not send", begin(1, RESPONDER, KEEP)),
        ("the id is of the wrong kind", end_of(STDOUT, 0)),
        (
            "the id is of the wrong kind",
            record(UNKNOWN_TYPE, 1, &[0; 8], 0),
        ),
        (
            "not the content of an UNKNOWN_TYPE",
            record(UNKNOWN_TYPE, 0, &[42; 8], 0),
        ),
        (
            "not the content of an END_REQUEST",
            record(END_REQUEST, 1, &[0; 7], 0),
        ),
        (
            "after its stream's end",
            [end_of(STDOUT, 1), stream(STDOUT, 1, b"x")].concat(),
        ),
        (
            "after the request's end",
            [end.clone(), end_of(STDOUT, 1)].concat(),
        ),
        ("after the request's end", end.repeat(2)),
    ];
    for (message, bytes) in table {
        let panic = catch_unwind(|| answers(bytes)).expect_err(message);
        let text = panic.downcast_ref::<String>().expect("a formatted message");
        assert!(text.contains(message), "{text:?} does not say {message:?}");
    }
}
