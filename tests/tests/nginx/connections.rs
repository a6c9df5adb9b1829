//! Many requests at the same time, many on one connection, and the ways to serve them.

use std::collections::HashMap;
use std::io;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use fcgi_listen::Peer;
use fcgi_std::{Request, Requests, Server};
use fcgi_tests::http::{self, Client};
use fcgi_tests::pattern;

use crate::exchange::{Exchange, bytes, text};
use crate::site::{App, PATIENCE, Rules, Way, eight_ways, four_ways};

eight_ways! { a_hundred_clients, a_hundred_wait_at_once, kept_connections_are_used_again }

four_ways! { one_thread, a_fixed_crew, a_loop_of_ones_own }

/// A large page for some, and the body back for the others.
fn mixed(request: &mut (impl Exchange + ?Sized)) -> io::Result<()> {
    match request.text_param("QUERY_STRING").as_str() {
        "large" => bytes(request, &pattern::bytes(300_000)),
        query => {
            let body = request.body()?;
            let body = String::from_utf8_lossy(&body).into_owned();
            text(request, &format!("{query}: {body}"))
        }
    }
}

/// So many clients at the same time, each with its own requests and answers.
fn mixed_clients(address: std::net::SocketAddr, clients: usize, rounds: usize) {
    thread::scope(|scope| {
        for number in 0..clients {
            scope.spawn(move || {
                let mut client = Client::connect(address);
                for round in 0..rounds {
                    let target = format!("/a.fcgi?{number}-{round}");
                    let answer = format!("{number}-{round}: ");
                    assert_eq!(client.call(&http::Request::get(&target)).text(), answer);
                    let body = format!("body {round} of {number} ").repeat(1000);
                    let page = client.call(&http::Request::post(&target, &body));
                    assert!(page.text() == answer + &body, "{target}: another body");
                    let page = client.call(&http::Request::get("/?large"));
                    assert!(page.body == pattern::bytes(300_000), "another large page");
                }
            });
        }
    });
}

fn a_hundred_clients(way: Way) {
    let app = App::start(way, |request| mixed(request));
    let nginx = app.nginx().start();
    mixed_clients(nginx.address(), 100, 2);
}

/// Each waits in a thread of its own, while one thread serves or as many as there have to be.
fn a_hundred_wait_at_once(way: Way) {
    let meeting = Arc::new((Mutex::new(0), Condvar::new()));
    let rules = Rules {
        workers: Some((2, 100)),
        ..Rules::default()
    };
    let app = App::with(way, rules, move |request| {
        let meeting = Arc::clone(&meeting);
        request.wait(Box::new(move || {
            let (count, changed) = &*meeting;
            let mut count = count.lock().unwrap();
            *count += 1;
            changed.notify_all();
            let (count, _) = changed
                .wait_timeout_while(count, PATIENCE, |count| *count < 100)
                .unwrap();
            let all = *count >= 100;
            (if all { "all are here" } else { "alone" }).to_owned()
        }))
    });
    let nginx = app.nginx().start();
    thread::scope(|scope| {
        for _ in 0..100 {
            scope.spawn(|| {
                let page = Client::connect(nginx.address()).call(&http::Request::get("/"));
                assert_eq!(page.text(), "all are here");
            });
        }
    });
}

fn crew(way: Way, count: usize) -> App {
    let rules = Rules {
        workers: Some((count, count)),
        ..Rules::default()
    };
    App::with(way, rules, |request| mixed(request))
}

fn one_thread(way: Way) {
    let app = crew(way, 1);
    let nginx = app.nginx().start();
    mixed_clients(nginx.address(), 10, 3);
}

fn a_fixed_crew(way: Way) {
    let app = crew(way, 3);
    let nginx = app
        .nginx()
        .unbuffered_response()
        .unbuffered_request()
        .start();
    mixed_clients(nginx.address(), 10, 3);
}

/// Answers requests; every other one is finished elsewhere.
fn answer(requests: &Requests, later: &Sender<Request>) -> io::Result<()> {
    let mut number = 0;
    while let Some(mut request) = requests.accept()? {
        mixed(&mut request)?;
        number += 1;
        if number % 2 == 0 {
            request.finish()?;
        } else {
            later.send(request).expect("somebody receives to the end");
        }
    }
    Ok(())
}

/// Two threads share the requests; a third one finishes some of them.
fn a_loop_of_ones_own(way: Way) {
    let run = |server: Server| {
        let requests = Arc::new(server.requests()?);
        let (later, late) = channel();
        let finisher = thread::spawn(move || late.into_iter().try_for_each(Request::finish));
        let other = thread::spawn({
            let (requests, later) = (Arc::clone(&requests), later.clone());
            move || answer(&requests, &later)
        });
        answer(&requests, &later)?;
        other.join().unwrap()?;
        drop(later);
        finisher.join().unwrap()
    };
    let app = App::threads(way, |server| server, run);
    let nginx = app.nginx().start();
    mixed_clients(nginx.address(), 10, 3);
}

/// Over TCP each connection of nginx shows as a peer of its own.
fn kept_connections_are_used_again(way: Way) {
    let peers = Arc::new(Mutex::new(HashMap::new()));
    let seen = Arc::clone(&peers);
    let app = App::start(way, move |request| {
        if let Some(Peer::Ip(address)) = request.peer() {
            assert!(address.ip().is_loopback());
            *seen.lock().unwrap().entry(address).or_insert(0) += 1;
        }
        mixed(request)
    });
    let nginx = app.nginx().start();
    mixed_clients(nginx.address(), 1, 20);
    let one_client = peers.lock().unwrap().len();
    mixed_clients(nginx.address(), 8, 10);
    drop(nginx);
    let peers = peers.lock().unwrap();
    let requests: usize = peers.values().sum();
    match (way.unix, way.kept) {
        (true, _) => assert!(peers.is_empty(), "{peers:?}"),
        (false, true) => {
            assert_eq!((requests, one_client), (300, 1));
            assert!(
                peers.len() <= 8,
                "{} connections for 8 clients",
                peers.len()
            );
        }
        // The system may hand out a port again.
        (false, false) => {
            assert_eq!(requests, 300);
            let connections = peers.len();
            assert!(
                one_client > 50 && connections > 200,
                "{one_client}, {connections}"
            );
        }
    }
}
