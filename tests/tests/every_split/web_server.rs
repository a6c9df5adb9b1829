//! What an application sends, at the web server.

use fcgi_core::RequestId;
use fcgi_core::web_server::Connection;
use fcgi_core::wire::Role;
use fcgi_tests::hand::{
    END_REQUEST, GET_VALUES_RESULT, STDERR, STDOUT, UNKNOWN_TYPE, dirty, end_of, end_request,
    padded, pair, record, stream, unknown_type,
};
use fcgi_tests::machines::conversations::answers;
use fcgi_tests::machines::observe::{check_by_bytes, check_every_pair_of_cuts, feed};
use fcgi_tests::machines::{Log, Seen, Transcript};

#[test]
fn at_every_pair_of_positions() {
    check_every_pair_of_cuts(&Connection::<3>::new(), &answers(), 0);
}

#[test]
fn byte_by_byte_every_event_comes_at_once() {
    let mut connection = Connection::<3>::new();
    check_by_bytes(&mut connection, &answers());
    let ids: Vec<_> = connection.ids().map(RequestId::get).collect();
    assert_eq!(ids, [2]);
}

#[test]
fn padding_on_every_kind_of_record_at_every_pair_of_positions() {
    let mut begun = Connection::<2>::new();
    for _ in 0..2 {
        assert!(begun.begin(Role::Responder, true).is_ok());
    }
    let end = [0, 0, 0, 5, 3, 0, 0, 0];
    let longer = [&end[..], b"longer than needed"].concat();
    let known = (
        pair("FCGI_MAX_REQS", "007"),
        Seen::Values(None, Some(7), None),
    );
    let nothing = Seen::Values(None, None, None);
    for padding in [0, 1, 7, 255] {
        let mut all = vec![Transcript::new(); 11];
        all[0].stream(STDOUT, 1, b"ab", padding);
        all[1].stream(STDOUT, 1, b"", padding);
        all[2].stream(STDERR, 1, b"ab", padding);
        all[3].stream(STDERR, 1, b"", padding);
        all[4].discrete(END_REQUEST, 1, &end, padding, Seen::Ended(1, 5, 3));
        all[5].discrete(END_REQUEST, 1, &longer, padding, Seen::Ended(1, 5, 3));
        all[6].discrete(GET_VALUES_RESULT, 0, &known.0, padding, known.1.clone());
        all[7].discrete(GET_VALUES_RESULT, 0, b"", padding, nothing.clone());
        all[8].discrete(UNKNOWN_TYPE, 0, &[42; 8], padding, Seen::UnknownType(42));
        all[9].skipped(&record(99, 0, b"abc", padding));
        all[10].skipped(&record(STDOUT, 9, b"abc", padding));
        for mut transcript in all {
            transcript.stream(STDOUT, 2, b"next", 0);
            check_by_bytes(&mut begun.clone(), &transcript);
            check_every_pair_of_cuts(&begun, &transcript, 0);
        }
    }
}

#[test]
fn dirt_in_padding_and_reserved_bytes_is_not_looked_at() {
    let clean = [
        padded(255, &stream(STDOUT, 1, b"body")),
        padded(7, &end_of(STDOUT, 1)),
        padded(1, &unknown_type(9)),
        padded(2, &end_request(1, 3, 0)),
    ]
    .concat();
    let mut logs = [Log::new(), Log::new()];
    for (bytes, log) in [clean.clone(), dirty(&clean)].iter().zip(&mut logs) {
        let mut connection = Connection::<1>::new();
        assert!(connection.begin(Role::Responder, true).is_ok());
        feed(&mut connection, bytes, 0, log).unwrap();
    }
    assert_eq!(logs[0], logs[1]);
    assert_eq!(logs[0].len(), 4);
}
