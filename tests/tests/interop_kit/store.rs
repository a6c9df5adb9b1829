//! The sample store: what a customer has put into the basket is there after a crash.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use fcgi_tests::address::Address;
use fcgi_tests::http::{Client, Request};
use fcgi_tests::nginx::Nginx;
use fcgi_tests::process::{Running, example};
use rustix::process::Signal;

use crate::supervised::PATIENCE;

/// Starts it again where one was before, or for the first time.
#[track_caller]
fn start(log: &Path, address: &Address) -> Running {
    let mut command = example("sample-store");
    command.arg(log).arg(address.to_string());
    let mut store = Running::start(&mut command);
    store.wait_for(address);
    store
}

/// As after a crash.
#[track_caller]
fn kill(mut store: Running) {
    store.signal(Signal::KILL);
    assert!(store.wait(PATIENCE).is_some());
}

struct Customer {
    client: Client,
    /// `None` before the first purchase.
    cookie: Option<String>,
}

impl Customer {
    fn new(address: SocketAddr) -> Customer {
        Customer {
            client: Client::connect(address),
            cookie: None,
        }
    }

    fn known(&self, request: Request) -> Request {
        match &self.cookie {
            Some(cookie) => request.header("Cookie", cookie),
            None => request,
        }
    }

    #[track_caller]
    fn buy(&mut self, item: &str) {
        let order = Request::post("/store.fcgi", format!("item={item}"));
        let order = order.header("Content-Type", "application/x-www-form-urlencoded");
        let answer = self.client.call(&self.known(order));
        assert_eq!(answer.status, 303, "{}", answer.text());
        let cookie = answer.field("Set-Cookie").unwrap();
        let (pair, attributes) = cookie.split_once("; ").unwrap();
        assert_eq!(attributes, "Path=/; HttpOnly; SameSite=Lax");
        assert!(self.cookie.as_deref().is_none_or(|known| known == pair));
        self.cookie = Some(pair.to_owned());
    }

    #[track_caller]
    fn basket(&mut self) -> BTreeMap<String, u32> {
        let page = self.client.call(&self.known(Request::get("/store.fcgi")));
        assert_eq!(page.status, 200);
        let text = page.text();
        let (_, basket) = text.split_once("<h2>Your basket</h2><ul>\n").expect(&text);
        let lines = basket.lines().filter_map(|line| line.strip_prefix("<li>"));
        lines
            .map(|line| {
                let (count, item) = line.split_once(' ').expect(&text);
                (item.to_owned(), count.parse().expect(&text))
            })
            .collect()
    }
}

fn basket<const N: usize>(items: [(&str, u32); N]) -> BTreeMap<String, u32> {
    items
        .into_iter()
        .map(|(item, count)| (item.to_owned(), count))
        .collect()
}

#[test]
fn a_basket_survives_a_crash() {
    let directory = tempfile::tempdir().unwrap();
    let (log, address) = (
        directory.path().join("store.log"),
        Address::from(directory.path().join("store.sock")),
    );
    let store = start(&log, &address);
    let nginx = Nginx::before(address.clone()).start();
    let (mut one, mut other) = (
        Customer::new(nginx.address()),
        Customer::new(nginx.address()),
    );
    assert_eq!(one.basket(), basket([]));
    for item in ["apples", "apples", "dates"] {
        one.buy(item);
    }
    other.buy("bread");
    assert_ne!(one.cookie, other.cookie);
    kill(store);
    let customer = one.cookie.clone().unwrap();
    let customer = customer.strip_prefix("customer=").unwrap();
    // Crashes in the middle of a line, also of its number: nobody was told that this is bought.
    for cut in ["cand", "candles", "dates 1", "dates 14"] {
        let text = fs::read_to_string(&log).unwrap();
        fs::write(&log, format!("{text}\n{customer} {cut}")).unwrap();
        let store = start(&log, &address);
        assert_eq!(one.basket(), basket([("apples", 2), ("dates", 1)]));
        assert_eq!(other.basket(), basket([("bread", 1)]));
        kill(store);
    }
    let store = start(&log, &address);
    one.buy("candles");
    kill(store);
    let _store = start(&log, &address);
    assert_eq!(
        one.basket(),
        basket([("apples", 2), ("candles", 1), ("dates", 1)])
    );
    assert_eq!(other.basket(), basket([("bread", 1)]));
    let order = Request::post("/store.fcgi", "item=elephants")
        .header("Content-Type", "application/x-www-form-urlencoded");
    assert_eq!(one.client.call(&order).status, 400);
    // Somebody who guesses a number is nobody's.
    let mut stranger = Customer::new(nginx.address());
    stranger.cookie = Some("customer=00000000000000000000000000000001".to_owned());
    assert_eq!(stranger.basket(), basket([]));
}

#[test]
fn a_long_log_is_rewritten() {
    const MANY: u32 = 700;

    let directory = tempfile::tempdir().unwrap();
    let (log, address) = (
        directory.path().join("store.log"),
        Address::from(directory.path().join("store.sock")),
    );
    let store = start(&log, &address);
    let nginx = Nginx::before(address.clone()).keep_conn(1).start();
    let (mut one, mut other) = (
        Customer::new(nginx.address()),
        Customer::new(nginx.address()),
    );
    other.buy("bread");
    for _ in 0..MANY {
        one.buy("apples");
    }
    // Two lines for each purchase would be 1402.
    let lines = fs::read_to_string(&log).unwrap().lines().count();
    assert!(lines < 1100, "{lines} lines");
    assert!(!log.with_extension("new").exists());
    kill(store);
    let _store = start(&log, &address);
    assert_eq!(one.basket(), basket([("apples", MANY)]));
    assert_eq!(other.basket(), basket([("bread", 1)]));
}
