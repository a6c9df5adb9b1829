//! Peers that answer wrongly, or not at all.

use std::io::Write;
use std::net::{Shutdown, TcpListener};
use std::time::Duration;

use fcgi_tests::hand::{
    END_REQUEST, OVERLOADED, REQUEST_COMPLETE, STDOUT, end_of, end_request, stream,
};
use fcgi_tools::load::{self, Body, Failure, Plan};

use crate::peer::{Peer, answer_all};
use crate::plan;

fn answer(id: u16, stdout: &[u8], app_status: u32) -> Vec<u8> {
    let end = end_request(id, app_status, REQUEST_COMPLETE);
    [stream(STDOUT, id, stdout), end_of(STDOUT, id), end].concat()
}

fn good(id: u16) -> Vec<u8> {
    answer(id, b"Content-Type: text/plain\r\n\r\nhello", 0)
}

fn hello(peer: &Peer, requests: u64) -> Plan {
    Plan {
        answer: Body::Bytes((*b"hello").into()),
        connections: 3,
        ..plan(&peer.address(), requests)
    }
}

/// Every request fails in the same way, on kept connections and on new ones.
#[track_caller]
fn all_fail(failure: Failure, make: impl Fn(u16) -> Vec<u8> + Clone + Send + 'static) {
    let peer = Peer::answering(make);
    for keep in [true, false] {
        let plan = Plan {
            keep,
            ..hello(&peer, 30)
        };
        let report = load::run(&plan, &mut ()).unwrap();
        let all = format!("{} {failure}", report.ended());
        assert_eq!(report.failures.to_string(), all, "kept: {keep}");
        assert!(report.ended() >= 30 && report.answers == 0);
        assert!(!report.gave_up);
    }
}

#[test]
fn a_peer_that_answers_well_is_one_for_the_others_to_be_compared_with() {
    let peer = Peer::answering(good);
    for keep in [true, false] {
        let plan = Plan {
            keep,
            ..hello(&peer, 30)
        };
        let report = load::run(&plan, &mut ()).unwrap();
        assert_eq!((report.answers, report.failures.total()), (30, 0));
    }
}

#[test]
fn wrong_bodies() {
    all_fail(Failure::Body, |id| {
        answer(id, b"Content-Type: text/plain\r\n\r\nhallo", 0)
    });
    all_fail(Failure::Body, |id| {
        answer(id, b"Content-Type: text/plain\r\n\r\nhell", 0)
    });
    all_fail(Failure::Body, |id| {
        answer(id, b"Content-Type: text/plain\r\n\r\nhello!", 0)
    });
}

#[test]
fn wrong_heads() {
    all_fail(Failure::Status, |id| {
        answer(id, b"Status: 500 No\r\n\r\nhello", 0)
    });
    all_fail(Failure::Head, |id| answer(id, b"hello", 0));
    all_fail(Failure::Head, |id| answer(id, b"", 0));
}

#[test]
fn wrong_ends() {
    all_fail(Failure::Refused, |id| end_request(id, 0, OVERLOADED));
    all_fail(Failure::AppStatus, |id| {
        answer(id, b"Content-Type: text/plain\r\n\r\nhello", 1)
    });
    all_fail(Failure::Protocol, |_| vec![7; 8]);
}

#[test]
fn a_right_answer_among_wrong_ones_counts() {
    let peer = Peer::answering(|id| match id {
        2 => answer(id, b"Content-Type: text/plain\r\n\r\nhallo", 0),
        _ => good(id),
    });
    let plan = Plan {
        depth: 3,
        connections: 1,
        ..hello(&peer, 300)
    };
    let report = load::run(&plan, &mut ()).unwrap();
    assert_eq!(report.ended(), 300);
    assert_eq!(report.failures.total(), report.failures.of(Failure::Body));
    assert!(report.answers > 0 && report.failures.total() > 0);
}

#[test]
fn a_peer_that_closes_in_the_middle_of_the_answer() {
    let peer = Peer::start(|_, stream| {
        let copy = stream.try_clone().unwrap();
        answer_all(stream, |id| {
            let whole = good(id);
            // The generator may have closed its end already, when it has seen enough.
            let _ = (&copy).write_all(&whole[..whole.len() / 2]);
            let _ = copy.shutdown(Shutdown::Both);
            Vec::new()
        });
    });
    let report = load::run(&hello(&peer, 20), &mut ()).unwrap();
    assert_eq!(report.failures.of(Failure::Closed), report.failures.total());
    assert!(report.ended() >= 20 && report.answers == 0);
    assert_eq!(report.never_served, 3);
}

#[test]
fn an_answer_without_an_end_counts_where_the_connection_was_not_to_be_kept() {
    let peer = Peer::answering(|id| {
        let whole = good(id);
        let end = end_request(id, 0, REQUEST_COMPLETE);
        assert_eq!(whole[whole.len() - end.len() + 1], END_REQUEST);
        whole[..whole.len() - end.len()].to_vec()
    });
    let plan = Plan {
        keep: false,
        ..hello(&peer, 20)
    };
    let report = load::run(&plan, &mut ()).unwrap();
    assert_eq!((report.answers, report.failures.total()), (20, 0));
}

#[test]
fn nobody_listens() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("nobody.sock");
    let report = load::run(&plan(path.to_str().unwrap(), 5), &mut ()).unwrap();
    assert_eq!(report.failures.to_string(), "5 not connected");
    assert_eq!(report.never_served, 1);
    let error = report.connect_error.unwrap();
    assert!(error.contains("No such file"), "{error}");

    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let report = load::run(&plan(&port.to_string(), 5), &mut ()).unwrap();
    assert_eq!(report.failures.to_string(), "5 not connected");
    let error = report.connect_error.unwrap();
    assert!(error.contains("refused"), "{error}");
}

#[test]
fn a_peer_that_serves_one_connection_alone() {
    let peer = Peer::start(|number, stream| {
        if number == 0 {
            answer_all(stream, good);
        } else {
            // Open, and never looked at.
            std::mem::forget(stream);
        }
    });
    let plan = Plan {
        patience: Duration::from_millis(200),
        ..hello(&peer, 50)
    };
    let report = load::run(&plan, &mut ()).unwrap();
    assert!(report.gave_up);
    assert_eq!((report.never_served, report.unfinished), (2, 2));
    assert_eq!((report.answers, report.failures.total()), (48, 0));
}
