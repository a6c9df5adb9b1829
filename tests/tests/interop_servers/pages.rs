//! Responses of each kind, and many at a time.

use std::collections::BTreeSet;
use std::thread;

use fcgi_tests::http::Request;

use crate::site::{Frontend, Site, everywhere};

everywhere! { a_page, responses_of_each_kind, many_at_once }

fn a_page(site: &Site) {
    let mut client = site.client();
    for number in 0..10 {
        let target = format!("/app.fcgi?{number}");
        let page = client.call(&Request::get(&target));
        assert_eq!((page.status, page.reason.as_str()), (200, "OK"));
        assert_eq!(page.all("Content-Type"), ["text/plain"]);
        assert_eq!(page.all("X-Query"), [number.to_string()]);
        assert_eq!(page.all("X-Served-With"), [site.frontend.name()]);
        assert_eq!(page.text(), format!("GET {target}"));
    }
}

/// After each of them the client's connection goes on with the next.
fn responses_of_each_kind(site: &Site) {
    let mut client = site.client();
    for _ in 0..3 {
        let missing = client.call(&Request::get("/app.fcgi?missing"));
        assert_eq!(
            (missing.status, missing.text().as_str()),
            (404, "nothing here")
        );
        let head = client.call(&Request::head("/app.fcgi?1"));
        assert_eq!((head.status, head.length), (200, 0));
        assert_eq!(head.all("X-Query"), ["1"]);
        let there = client.call(&Request::get("/app.fcgi?there=https://example.com/a?b"));
        assert_eq!(there.status, 302);
        assert_eq!(there.all("Location"), ["https://example.com/a?b"]);
        let none = client.call(&Request::get("/app.fcgi?none"));
        assert_eq!((none.status, none.length), (204, 0));
        let head = client.call(&Request::head("/app.fcgi?large"));
        assert_eq!((head.status, head.length), (200, 0));
    }
    let page = client.call(&Request::get("/app.fcgi?2"));
    assert_eq!(page.text(), "GET /app.fcgi?2");
}

fn many_at_once(site: &Site) {
    thread::scope(|scope| {
        for number in 0..8 {
            scope.spawn(move || {
                let mut client = site.client();
                for turn in 0..12 {
                    let body = format!("{number} {turn} ").repeat(1 + 700 * (turn % 3));
                    let target = format!("/app.fcgi?{number}.{turn}");
                    let page = client.call(&Request::post(&target, &body));
                    assert_eq!(page.all("X-Query"), [format!("{number}.{turn}")]);
                    assert_eq!((page.status, page.text()), (200, body));
                    let page = client.call(&Request::get(&target));
                    assert_eq!((page.status, page.text()), (200, format!("GET {target}")));
                }
            });
        }
    });
}

/// How many connections the application has seen in twenty requests, one after the other.
fn connections(site: &Site) -> usize {
    let mut client = site.client();
    let peers = (0..20).map(|_| {
        let page = client.call(&Request::get("/app.fcgi?peer"));
        assert_eq!(page.status, 200);
        page.text()
    });
    peers.collect::<BTreeSet<_>>().len()
}

#[test]
fn apache_keeps_connections_when_told_to() {
    for frontend in [Frontend::Std, Frontend::Mio] {
        let kept = Site::proxy(false, frontend, "enablereuse=on");
        assert_eq!(connections(&kept), 1, "{frontend:?}");
        let closed = Site::proxy(false, frontend, "enablereuse=off");
        assert_eq!(connections(&closed), 20, "{frontend:?}");
    }
}
