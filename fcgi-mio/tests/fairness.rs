//! Requests of one connection take turns, whatever their bodies are.

mod kit;

use std::sync::Arc;

use fcgi_mio::{Body, Settings, whole};
use fcgi_tests::blocking::WebServer;
use fcgi_tests::hand::*;
use kit::*;

/// Each request gets as much as its QUERY_STRING says: in memory, or from a producer.
fn pouring(settings: Settings) -> App {
    let memory: Arc<[u8]> = vec![b'm'; 6 << 20].into();
    App::unix(settings, move || {
        whole(
            move |request, response| match request.param("QUERY_STRING") {
                Some(b"large") => response.body(Arc::clone(&memory)),
                Some(b"small") => response.body(vec![b's'; 100_000]),
                Some(b"produced") => response.body(Body::producer(Lots(6 << 20))),
                _ => echo(request, response),
            },
        )
    })
}

/// In which order these end, when they are sent at once.
fn order(peer: &mut WebServer, queries: &[&str]) -> Vec<u16> {
    let requests = (1..).zip(queries);
    let requests =
        requests.flat_map(|(id, query)| responder(id, KEEP, &[("QUERY_STRING", query)], b""));
    peer.send(requests.collect::<Vec<u8>>());
    let mut order = Vec::new();
    while order.len() < queries.len() {
        let record = peer.record();
        if record.kind == END_REQUEST {
            order.push(record.id);
        }
    }
    order
}

#[test]
fn a_small_body_does_not_wait_for_large_ones() {
    let app = pouring(Settings::new());
    for queries in [
        &["large", "large", "large", "large", "small"][..],
        &[
            "small", "large", "large", "large", "large", "large", "small",
        ],
        &["produced", "small"],
        &["small", "produced"],
        &["large", "produced", "produced", "large", "small"],
        &[
            "large", "small", "large", "large", "produced", "large", "large", "large", "small",
        ],
    ] {
        let mut peer = app.connect();
        let order = order(&mut peer, queries);
        let small = queries.iter().filter(|&&query| query == "small").count();
        for &id in &order[..small] {
            assert_eq!(
                queries[usize::from(id) - 1],
                "small",
                "{queries:?}: {order:?}"
            );
        }
        lives(&mut peer);
    }
}
