//! A graceful stop while nginx sends requests.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use fcgi_tests::http::{self, Client};
use fcgi_tests::pattern::{self, Source};

use crate::exchange::text;
use crate::site::{App, PATIENCE, Way, eight_ways};

eight_ways! { stop_in_the_middle_of_many_requests, stop_waits_for_what_runs, a_stopped_site }

/// What reached a handler is answered completely; everything else gets nginx's 502, and none does
/// before the stop has begun.
fn stop_in_the_middle_of_many_requests(way: Way) {
    const CLIENTS: usize = 8;
    let handled = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&handled);
    let (reached, middle) = channel();
    let body = Arc::new(pattern::bytes(100_000));
    let page = Arc::clone(&body);
    let app = App::start(way, move |request| {
        if count.fetch_add(1, Ordering::SeqCst) == 60 {
            reached.send(()).unwrap();
        }
        // Without a Content-Length, so that only a whole answer ends well.
        request.pour(Box::new(Source::new(page.len() as u64)))
    });
    let nginx = app.nginx().start();
    let stopping = AtomicBool::new(false);
    let good = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut client = Client::connect(nginx.address());
                let begun = Instant::now();
                while begun.elapsed() < PATIENCE {
                    let page = client.call(&http::Request::get("/"));
                    match page.status {
                        200 => {
                            assert!(page.body == *body, "{} bytes", page.body.len());
                            good.fetch_add(1, Ordering::SeqCst);
                        }
                        502 => {
                            assert!(stopping.load(Ordering::SeqCst), "a 502 before the stop");
                            return;
                        }
                        status => panic!("status {status}: {}", page.text()),
                    }
                }
                panic!("served for {PATIENCE:?}");
            });
        }
        middle.recv_timeout(PATIENCE).unwrap();
        stopping.store(true, Ordering::SeqCst);
        app.handle().stop(PATIENCE);
    });
    let incidents = app.stop();
    let (good, handled) = (good.into_inner(), handled.load(Ordering::SeqCst));
    assert_eq!(good, handled, "answers and requests; {incidents:#?}");
    assert!(good > 60, "{good} good answers");
    // Requests that were on their way may have been told that the server is full.
    assert!(
        incidents
            .iter()
            .all(|incident| incident.contains("refused")),
        "{incidents:#?}"
    );
}

/// A handler that is at work goes on, and its client gets everything; soon no other request is
/// served.
fn stop_waits_for_what_runs(way: Way) {
    let (arrived, arrivals) = channel();
    let (go, gone) = channel();
    let gone = Arc::new(Mutex::new(gone));
    let app = App::start(way, move |request| {
        if request.text_param("QUERY_STRING") != "long" {
            return text(request, "not stopped yet");
        }
        arrived.send(()).unwrap();
        let gone = Arc::clone(&gone);
        request.wait(Box::new(move || {
            gone.lock().unwrap().recv_timeout(PATIENCE).unwrap();
            "after the stop".to_owned()
        }))
    });
    let nginx = app.nginx().start();
    let handle = app.handle();
    let running = thread::scope(|scope| {
        let running =
            scope.spawn(|| Client::connect(nginx.address()).call(&http::Request::get("/?long")));
        arrivals.recv_timeout(PATIENCE).unwrap();
        handle.stop(PATIENCE);
        thread::scope(|scope| {
            scope.spawn(|| {
                let begun = Instant::now();
                let call = || Client::connect(nginx.address()).call(&http::Request::get("/"));
                while call().status != 502 {
                    assert!(begun.elapsed() < PATIENCE, "still served");
                }
            });
            // Once the first is through, serving is over and the listener closed.
            go.send(()).unwrap();
            let begun = Instant::now();
            assert!(app.stop().is_empty());
            assert!(begun.elapsed() < PATIENCE / 2);
        });
        running.join().unwrap()
    });
    assert_eq!(
        (running.status, running.text().as_str()),
        (200, "after the stop")
    );
}

/// What nginx says when the application has gone, also on a connection that was kept.
fn a_stopped_site(way: Way) {
    let app = App::start(way, |request| text(request, "fine"));
    let nginx = app.nginx().start();
    let mut client = Client::connect(nginx.address());
    assert_eq!(client.call(&http::Request::get("/")).text(), "fine");
    assert!(app.stop().is_empty());
    assert_eq!(client.call(&http::Request::get("/")).status, 502);
}
