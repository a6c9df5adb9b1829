//! Several requests on one connection, if the application says that it can do that.

use std::net::Shutdown;
use std::time::Duration;

use fcgi_mio::web_server::{Cause, Settings};
use fcgi_mio::{Settings as ServerSettings, whole};
use fcgi_tests::hand::*;

use crate::peer::{Door, Line, Peer, page};
use crate::server::{App, echo};
use crate::world::*;

fn listen_address(app: &App) -> fcgi_listen::Address {
    app.address.to_string().parse().unwrap()
}

#[test]
fn our_own_server_gets_sixteen_at_a_time() {
    for (most, multiplexes) in [(16, true), (1, false)] {
        let settings = ServerSettings::new().multiplex(16);
        let app = App::unix(settings, || whole(echo));
        let mut world = World::new(Settings::new().multiplex(most).max_connections(2));
        let application = world.application(&listen_address(&app));
        let sent: Vec<_> = (0..100)
            .map(|n| {
                let body = vec![b'0' + n % 10; usize::from(n) * 1000 % 60_000];
                (
                    body.clone(),
                    send(&application, post(&format!("/{n}"), body)),
                )
            })
            .collect();
        let logs: Vec<_> = sent.iter().map(|(_, (_, log))| log).collect();
        world.run(&logs);
        for (n, (body, (_, log))) in sent.iter().enumerate() {
            let expected = [format!("[/{n}]").as_bytes(), body].concat();
            assert!(log.stdout().ends_with(&expected), "{n}");
            assert_eq!(log.app_status(), Some(0));
        }
        assert_eq!(app.counters().multiplexed > 0, multiplexes);
        assert_eq!(world.outgoing.counters().multiplexed > 0, multiplexes);
        assert!(app.counters().accepted <= 2);
        assert_eq!(app.counters().begun, 100);
    }
}

#[test]
fn large_bodies_take_turns() {
    let settings = ServerSettings::new().max_body(8 << 20);
    let app = App::unix(settings, || {
        whole(|request, response| response.body(request.body().to_vec()))
    });
    let mut world = World::new(Settings::new().multiplex(4).max_connections(1));
    let application = world.application(&listen_address(&app));
    let bodies: Vec<_> = (0..8u8).map(|n| vec![n; 2 << 20]).collect();
    let sent: Vec<_> = bodies
        .iter()
        .map(|body| send(&application, post("/", body.clone())))
        .collect();
    let logs: Vec<_> = sent.iter().map(|(_, log)| log).collect();
    world.run(&logs);
    for (body, log) in bodies.iter().zip(logs) {
        assert!(log.stdout().ends_with(body));
    }
    assert_eq!(app.counters().accepted, 1);
    assert!(world.outgoing.counters().multiplexed >= 3);
}

#[test]
fn a_small_body_does_not_wait_for_a_large_one() {
    let peer = Peer::unix(|door| {
        let mut line = says_yes(door);
        let mut order = Vec::new();
        while order.len() < 3 {
            let record = line.record();
            if record.kind == STDIN && record.content.is_empty() {
                line.send(page(record.id, "x"));
                order.push(record.id);
            }
        }
        order
    });
    let mut world = World::new(Settings::new().multiplex(16).max_connections(1));
    let application = world.application(&peer.address);
    let sizes = [8 << 20, 200_000, 10];
    let sent = sizes.map(|size| send(&application, post("/", vec![0; size])));
    world.run(&sent.each_ref().map(|(_, log)| log));
    assert_eq!(peer.finish(), [3, 2, 1]);
}

/// How many requests come at a time after this answer to the question, which must not be more than
/// `most`.
#[track_caller]
fn come_at_a_time(answer: fn(&mut Line), most: u16) {
    let peer = Peer::unix(move |door| {
        let mut line = door.accept();
        let question = line.record();
        assert_eq!((question.kind, question.id), (GET_VALUES, 0));
        assert_eq!(pairs(&question.content).len(), 3);
        answer(&mut line);
        for id in 1..=most {
            assert_eq!(line.request()[0].id, id);
        }
        line.0
            .set_read_patience(Duration::from_millis(100))
            .unwrap();
        assert!(read_record(&mut line.0).is_err(), "one more");
        line.0.set_read_patience(PATIENCE).unwrap();
        for id in [most, 1, 1] {
            line.send(page(id, "x"));
            assert_eq!(line.request()[0].id, id);
        }
        for id in 1..=most {
            line.send(page(id, "x"));
        }
    });
    let mut world = World::new(Settings::new().multiplex(16).max_connections(1));
    let application = world.application(&peer.address);
    let sent: Vec<_> = (0..most + 3)
        .map(|_| send(&application, get("/")))
        .collect();
    let logs: Vec<_> = sent.iter().map(|(_, log)| log).collect();
    world.run(&logs);
    peer.finish();
}

#[test]
fn as_many_as_the_application_says() {
    let yes: fn(&mut Line) = |line| {
        let values = [("FCGI_MPXS_CONNS", "1"), ("FCGI_MAX_REQS", "5")];
        line.send(get_values_result(&values));
    };
    come_at_a_time(yes, 5);
    let many: fn(&mut Line) = |line| {
        let values = [("FCGI_MAX_REQS", "1000"), ("FCGI_MPXS_CONNS", "1")];
        line.send(get_values_result(&values));
    };
    come_at_a_time(many, 16);
}

/// A no, and a hang-up after it; an unknown type; a hang-up; and no answer.
#[test]
fn applications_that_do_not_multiplex_are_served_one_by_one() {
    let no: fn(&mut Line) = |line| line.send(get_values_result(&[("FCGI_MPXS_CONNS", "0")]));
    let unknown: fn(&mut Line) = |line| line.send(unknown_type(GET_VALUES));
    let wait: fn(&mut Line) = |line| assert!(line.is_closed());
    let hang_up: fn(&mut Line) = |line| line.0.shutdown(Shutdown::Both).unwrap();
    for (answer, is_patient) in [(no, true), (unknown, true), (hang_up, true), (wait, false)] {
        for waits in [true, false] {
            let peer = Peer::unix(move |door| {
                let mut line = door.accept();
                assert_eq!(line.record().kind, GET_VALUES);
                answer(&mut line);
                if waits {
                    // It is not used again.
                    assert!(line.is_closed());
                }
                drop(line);
                let mut line = door.accept();
                for _ in 0..6 {
                    line.serve("x");
                }
            });
            let timeout = Duration::from_millis(if is_patient { 20_000 } else { 100 });
            let settings = Settings::new().multiplex(16).max_connections(1);
            let mut world = World::new(settings.connect_timeout(timeout));
            let application = world.application(&peer.address);
            let sent: Vec<_> = (0..6).map(|_| send(&application, get("/"))).collect();
            let logs: Vec<_> = sent.iter().map(|(_, log)| log).collect();
            world.run(&logs);
            assert!(logs.iter().all(|log| log.app_status() == Some(0)));
            assert_eq!(world.outgoing.counters().multiplexed, 0);
            assert_eq!(world.outgoing.counters().opened, 2);
            peer.finish();
        }
    }
}

#[test]
fn nobody_is_asked_unless_that_is_wanted() {
    let peer = Peer::unix(|door| door.accept().serve("x")[0].kind);
    let mut world = World::new(Settings::new());
    let (_call, log) = send(&world.application(&peer.address), get("/"));
    world.run(&[&log]);
    assert_eq!(peer.finish(), BEGIN_REQUEST);
}

pub(crate) fn says_yes(door: &Door) -> Line {
    let mut line = door.accept();
    assert_eq!(line.record().kind, GET_VALUES);
    line.send(get_values_result(&[("FCGI_MPXS_CONNS", "1")]));
    line
}

#[test]
fn an_abort_among_others_leaves_them_alone() {
    let peer = Peer::unix(|door| {
        let mut line = says_yes(door);
        line.request();
        line.request();
        line.send(stream(STDOUT, 1, b"to be aborted"));
        assert_eq!(line.record().kind, ABORT_REQUEST);
        line.send(page(2, "the other"));
        // Its id is taken until it has ended.
        assert_eq!(line.request()[0].id, 2);
        line.send([page(1, ""), page(2, "the third")].concat());
    });
    let mut world = World::new(Settings::new().multiplex(2).max_connections(1));
    let application = world.application(&peer.address);
    let (call, aborted) = send(&application, get("/1"));
    let (_call, other) = send(&application, get("/2"));
    world.run_until("a piece", |_| aborted.stdout_len() > 0);
    drop(call);
    world.run(&[&other]);
    let (_call, third) = send(&application, get("/3"));
    world.run(&[&third]);
    assert!(other.stdout().ends_with(b"the other") && third.stdout().ends_with(b"the third"));
    peer.finish();
}

#[test]
fn a_silent_request_is_aborted_and_the_others_go_on() {
    let peer = Peer::unix(|door| {
        let mut line = says_yes(door);
        let [silent, busy] = [line.request()[0].id, line.request()[0].id];
        line.0.set_read_patience(Duration::from_millis(20)).unwrap();
        loop {
            line.send(stream(STDOUT, busy, b"."));
            if let Ok(Some(record)) = read_record(&mut line.0) {
                assert_eq!((record.kind, record.id), (ABORT_REQUEST, silent));
                break;
            }
        }
        line.send([end_request(silent, 0, 0), page(busy, "x")].concat());
    });
    let timeout = Duration::from_millis(400);
    let settings = Settings::new().multiplex(2).max_connections(1);
    let mut world = World::new(settings.response_timeout(timeout));
    let application = world.application(&peer.address);
    let (_call, silent) = send(&application, get("/silent"));
    let (_call, busy) = send(&application, get("/busy"));
    world.run(&[&silent, &busy]);
    assert!(matches!(silent.failure().2, Cause::ResponseTimedOut));
    assert_eq!(busy.app_status(), Some(0));
    peer.finish();
}

#[test]
fn cant_mpx_conn_ends_multiplexing_and_the_request_goes_out_again() {
    let peer = Peer::unix(|door| {
        let mut line = says_yes(door);
        line.request();
        line.request();
        line.send(end_request(2, 0, CANT_MPX_CONN));
        let mut other = door.accept();
        assert_eq!(other.serve("two")[0].id, 1);
        line.send(page(1, "one"));
    });
    let mut world = World::new(Settings::new().multiplex(16).max_connections(2));
    let application = world.application(&peer.address);
    let (_call, one) = send(&application, get("/1"));
    let (_call, two) = send(&application, get("/2"));
    world.run(&[&one, &two]);
    assert!(one.stdout().ends_with(b"one") && two.stdout().ends_with(b"two"));
    peer.finish();
}

#[test]
fn a_breach_fails_all_that_were_sent() {
    let peer = Peer::unix(|door| {
        let mut line = says_yes(door);
        line.request();
        line.request();
        line.send(page(2, "well"));
        line.request();
        line.send([0; 8]);
        line.is_closed()
    });
    let mut world = World::new(Settings::new().multiplex(2).max_connections(1));
    let application = world.application(&peer.address);
    let sent = ["/1", "/2", "/3"].map(|path| send(&application, get(path)));
    let logs = sent.each_ref().map(|(_, log)| log);
    world.run(&logs);
    assert!(peer.finish());
    assert_eq!(logs[1].app_status(), Some(0));
    for log in [logs[0], logs[2]] {
        assert!(matches!(log.failure().2, Cause::Protocol(_)));
    }
}
