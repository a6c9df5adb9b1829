//! Requests that share a connection, or wait for their own handle: whose turn it is, and whose time
//! runs.

use std::time::{Duration, Instant};

use fcgi_core::Role;
use fcgi_mio::Body;
use fcgi_mio::web_server::{Request, Settings};
use fcgi_tests::hand::*;

use crate::multiplexing::says_yes;
use crate::peer::{Peer, page};
use crate::server::Lots;
use crate::world::*;

#[test]
fn a_small_body_waits_for_none_of_many() {
    const LARGE: usize = 4 << 20;
    let memory: fn() -> Body = || vec![b'm'; LARGE].into();
    let produced: fn() -> Body = || Body::producer(Lots(LARGE));
    let small: fn() -> Body = || vec![b's'; 200_000].into();
    for bodies in [
        &[memory, memory, memory, memory, memory, small][..],
        &[produced, small],
        &[memory, produced, produced, memory, memory, small],
    ] {
        let count = bodies.len();
        let peer = Peer::unix(move |door| {
            let mut line = says_yes(door);
            let mut order = Vec::new();
            while order.len() < count {
                let record = line.record();
                if record.kind == STDIN && record.content.is_empty() {
                    line.send(page(record.id, "x"));
                    order.push(usize::from(record.id));
                }
            }
            order
        });
        let mut world = World::new(Settings::new().multiplex(16).max_connections(1));
        let application = world.application(&peer.address);
        let sent: Vec<_> = bodies
            .iter()
            .map(|body| {
                let mut request = Request::new(Role::Responder);
                request.body(body());
                send(&application, request)
            })
            .collect();
        let logs: Vec<_> = sent.iter().map(|(_, log)| log).collect();
        world.run(&logs);
        let order = peer.finish();
        assert_eq!(order[0], count, "{order:?}");
    }
}

/// Lets so much time pass.
fn pass(world: &mut World, time: Duration) {
    let end = Instant::now() + time;
    world.run_until("the time", |_| Instant::now() > end);
}

const TIMEOUT: Duration = Duration::from_secs(2);

#[test]
fn the_time_until_a_body_is_finished_does_not_count() {
    let peer = Peer::unix(|door| {
        door.accept().serve("x");
    });
    let mut world = World::new(Settings::new().response_timeout(TIMEOUT));
    let mut request = Request::new(Role::Responder);
    request.stream();
    let (call, log) = send(&world.application(&peer.address), request);
    world.run_until("room", |_| call.room() > 0);
    call.write("a piece").unwrap();
    pass(&mut world, TIMEOUT * 3 / 2);
    assert!(!log.is_over());
    call.finish();
    world.run(&[&log]);
    assert_eq!(log.app_status(), Some(0));
    peer.finish();
}

#[test]
fn a_pause_that_ends_with_its_request_does_not_count_for_others() {
    let peer = Peer::unix(|door| {
        let mut line = says_yes(door);
        line.request();
        line.request();
        line.send(stream(STDOUT, 1, b"a piece"));
        assert_eq!(line.record().kind, ABORT_REQUEST);
        std::thread::sleep(Duration::from_millis(50));
        line.send([page(2, "x"), end_request(1, 0, 0)].concat());
    });
    let settings = Settings::new().multiplex(2).max_connections(1);
    let mut world = World::new(settings.response_timeout(TIMEOUT));
    let application = world.application(&peer.address);
    let paused = Log::default().paused();
    let call = application.send(get("/1"), paused.receiver());
    let (_call, other) = send(&application, get("/2"));
    world.run_until("a piece", |_| paused.stdout_len() > 0);
    pass(&mut world, TIMEOUT * 3 / 2);
    drop(call);
    world.run(&[&other]);
    assert_eq!(other.app_status(), Some(0));
    peer.finish();
}
