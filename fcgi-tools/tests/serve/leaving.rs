//! Clients that go away.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fcgi_tests::http::Request;

use crate::app::{App, Way, both_ways, text};

both_ways! {
    in_the_middle_of_a_download, in_the_middle_of_an_upload, before_an_answer, many_at_once,
}

/// Waits until the application has seen so many requests end early.
#[track_caller]
fn wait_for(count: &AtomicUsize, expected: usize) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while count.load(Ordering::SeqCst) < expected {
        assert!(Instant::now() < deadline, "{count:?} of {expected}");
        thread::sleep(Duration::from_millis(2));
    }
}

fn in_the_middle_of_a_download(way: Way) {
    let broken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&broken);
    let app = App::start(way, move |request| {
        if request.params.text("PATH_INFO") == "/small" {
            return text(request, "small");
        }
        request.header("Content-Type", "text/plain")?;
        // Endless, unless somebody tells the application.
        while request.stdout.write_all(&[b'x'; 10_000]).is_ok() {}
        count.fetch_add(1, Ordering::SeqCst);
        Ok(())
    });
    let gateway = app.gateway();
    for round in 1..=5 {
        let mut client = gateway.client();
        client.send(&Request::get("/endless").head_bytes()).unwrap();
        client.receive_head().unwrap();
        client.receive_bytes(100_000).unwrap();
        if round % 2 == 0 {
            client.reset().unwrap();
        } else {
            drop(client);
        }
        wait_for(&broken, round);
        let line = gateway.line("access: GET /endless 200 ");
        assert!(line.ends_with("(the client has gone)"), "{line}");
        let page = gateway.client().call(&Request::get("/small"));
        assert_eq!(page.text(), "small");
    }
}

fn in_the_middle_of_an_upload(way: Way) {
    let broken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&broken);
    let app = App::start(way, move |request| {
        match io::copy(&mut request.stdin, &mut io::sink()) {
            Ok(_) => text(request, "whole"),
            Err(_) => {
                count.fetch_add(1, Ordering::SeqCst);
                Ok(())
            }
        }
    });
    let gateway = app.gateway();
    for round in 1..=5 {
        let mut client = gateway.client();
        let upload = Request::post_pattern("/", 1 << 20);
        client.send(&upload.head_bytes()).unwrap();
        client.send(&[b'x'; 100_000]).unwrap();
        drop(client);
        wait_for(&broken, round);
    }
    // Of a chunked one the application never hears.
    let mut client = gateway.client();
    let upload = Request::post_pattern("/chunked", 1 << 20).chunked();
    client.send(&upload.head_bytes()).unwrap();
    client.send(b"5\r\nhello\r\n").unwrap();
    drop(client);
    gateway.line("access: POST /chunked ");
    assert_eq!(
        gateway.client().call(&Request::post("/", "x")).text(),
        "whole"
    );
    assert_eq!(broken.load(Ordering::SeqCst), 5);
}

fn before_an_answer(way: Way) {
    let [begun, aborted] = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
    let (first, count) = (Arc::clone(&begun), Arc::clone(&aborted));
    let app = App::start(way, move |request| {
        if request.params.text("PATH_INFO") == "/small" {
            return text(request, "small");
        }
        first.fetch_add(1, Ordering::SeqCst);
        while !request.is_aborted() {
            thread::sleep(Duration::from_millis(1));
        }
        count.fetch_add(1, Ordering::SeqCst);
        Ok(())
    });
    let gateway = app.gateway();
    for round in 1..=5 {
        let mut client = gateway.client();
        client.send(&Request::get("/wait").head_bytes()).unwrap();
        wait_for(&begun, round);
        assert!(!client.closed_within(Duration::from_millis(50)).unwrap());
        drop(client);
        wait_for(&aborted, round);
        assert_eq!(
            gateway.client().call(&Request::get("/small")).text(),
            "small"
        );
    }
    gateway.line("access: GET /wait - 0 B");
}

fn many_at_once(way: Way) {
    let app = App::start(way, |request| {
        request.header("Content-Type", "text/plain")?;
        // Errors of those who have gone are theirs.
        let _ = request.stdout.write_all(&[b'x'; 1_000_000]);
        Ok(())
    });
    let gateway = app.gateway();
    thread::scope(|scope| {
        for number in 0..50 {
            let mut client = gateway.client();
            scope.spawn(move || {
                client.send(&Request::get("/").head_bytes()).unwrap();
                if number % 2 == 0 {
                    client.receive_head().unwrap();
                    let _ = client.reset();
                } else {
                    let mut body = Vec::new();
                    client.receive(false, &mut body).unwrap();
                    assert_eq!(body.len(), 1_000_000);
                }
            });
        }
    });
    assert_eq!(gateway.client().call(&Request::get("/")).length, 1_000_000);
}
