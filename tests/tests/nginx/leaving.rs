//! Clients that leave in the middle. nginx closes its connection to the application then, and never
//! sends ABORT_REQUEST.

use std::io::{self, Read, Write};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use fcgi_std::Request;
use fcgi_tests::http::{self, Client};

use crate::site::{App, PATIENCE, Way, four_ways, text};

four_ways! {
    download_is_left, upload_is_left, upload_without_length_is_left, is_aborted_tells,
}

/// Writes until it fails; the error.
fn write_for_ever(request: &mut Request) -> io::Error {
    let piece = vec![b'x'; 100_000];
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if let Err(error) = request.stdout.write_all(&piece) {
            return error;
        }
    }
    io::Error::other("nobody stopped it")
}

fn serve_the_next(nginx: &fcgi_tests::nginx::Nginx) {
    for _ in 0..3 {
        let page = Client::connect(nginx.address()).call(&http::Request::get("/"));
        assert_eq!((page.status, page.text().as_str()), (200, "fine"));
    }
}

fn download_is_left(way: Way) {
    let (failed, failures) = channel();
    let app = App::start(way, move |request| {
        if request.params.text("QUERY_STRING").is_empty() {
            return text(request, "fine");
        }
        let error = write_for_ever(request);
        failed.send(error.to_string()).unwrap();
        Err(error)
    });
    for (buffered, reset) in [(true, false), (true, true), (false, false), (false, true)] {
        let setup = app.nginx();
        let nginx = match buffered {
            true => setup.start(),
            false => setup.unbuffered_response().start(),
        };
        let mut client = Client::connect(nginx.address());
        client
            .send(&http::Request::get("/?endless").head_bytes())
            .unwrap();
        assert_eq!(client.receive_head().unwrap().status, 200);
        client.receive_bytes(200_000).unwrap();
        match reset {
            true => client.reset().unwrap(),
            false => drop(client),
        }
        let error = failures.recv_timeout(PATIENCE + PATIENCE).unwrap();
        assert!(
            !error.contains("nobody"),
            "{error}, buffered {buffered}, reset {reset}"
        );
        serve_the_next(&nginx);
    }
    let incidents = app.stop();
    assert_eq!(incidents.len(), 4, "{incidents:#?}");
}

/// A client sends its request up to `beginning`, 1000 bytes of the body, and leaves.
fn leave_an_upload(way: Way, request: &http::Request, beginning: &[u8]) {
    let (told, tells) = channel();
    let app = App::start(way, move |request| {
        if request.params.text("REQUEST_METHOD") == "GET" {
            return text(request, "fine");
        }
        request.stdin.read_exact(&mut [0; 1000])?;
        told.send(None).unwrap();
        let rest = request.stdin.read_to_end(&mut Vec::new());
        told.send(rest.err().map(|error| error.kind())).unwrap();
        Ok(())
    });
    let nginx = app.nginx().unbuffered_request().start();
    for reset in [false, true] {
        let mut client = Client::connect(nginx.address());
        client.send(&request.head_bytes()).unwrap();
        client.send(beginning).unwrap();
        assert_eq!(tells.recv_timeout(PATIENCE), Ok(None), "the beginning");
        match reset {
            true => client.reset().unwrap(),
            false => drop(client),
        }
        let error = tells.recv_timeout(PATIENCE).unwrap();
        let error = error.expect("a cut body does not pass for a whole one");
        let expected = [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset];
        assert!(expected.contains(&error), "{error:?}");
        serve_the_next(&nginx);
    }
    // Nobody was there for the answers to the cut uploads, which may have been noticed.
    app.stop();
}

fn upload_is_left(way: Way) {
    let request = http::Request::new("POST", "/").header("Content-Length", "2000");
    leave_an_upload(way, &request, &[b'x'; 1000]);
}

fn upload_without_length_is_left(way: Way) {
    let request = http::Request::new("POST", "/").chunked();
    let chunk = [&b"3e8\r\n"[..], &[b'x'; 1000], b"\r\n"].concat();
    leave_an_upload(way, &request, &chunk);
}

/// A handler that waits for something else can see that nobody waits for it any more.
fn is_aborted_tells(way: Way) {
    let (told, tells) = channel();
    let app = App::start(way, move |request| {
        text(request, "a beginning")?;
        request.stdout.flush()?;
        let begun = Instant::now();
        while !request.is_aborted() && begun.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(5));
        }
        told.send(begun.elapsed()).unwrap();
        Ok(())
    });
    let nginx = app.nginx().unbuffered_response().start();
    let mut client = Client::connect(nginx.address());
    client.send(&http::Request::get("/").head_bytes()).unwrap();
    assert_eq!(client.receive_head().unwrap().status, 200);
    assert!(
        tells.recv_timeout(Duration::from_millis(100)).is_err(),
        "nobody has left yet"
    );
    drop(client);
    let noticed = tells.recv_timeout(PATIENCE + PATIENCE).unwrap();
    assert!(noticed < PATIENCE, "not noticed within {noticed:?}");
    // Nobody was there for the end of the answer.
    app.stop();
}
