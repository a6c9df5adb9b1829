//! Clients that leave in the middle. nginx closes its connection to the application then, and never
//! sends ABORT_REQUEST.

use std::io::{self, Read, Write};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use fcgi_std::Request;
use fcgi_tests::http::{self, Client};

use crate::exchange::{Upload, text};
use crate::site::{App, Frontend, PATIENCE, Way, eight_ways, four_ways};

eight_ways! { download_is_left, upload_is_left, upload_without_length_is_left }

four_ways! { is_aborted_tells }

/// A body that ends when it is dropped, and tells that it was.
struct Endless(Sender<()>);

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        buffer.fill(b'x');
        Ok(buffer.len())
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        self.0.send(()).unwrap();
    }
}

fn serve_the_next(nginx: &fcgi_tests::nginx::Nginx) {
    for _ in 0..3 {
        let page = Client::connect(nginx.address()).call(&http::Request::get("/"));
        assert_eq!((page.status, page.text().as_str()), (200, "fine"));
    }
}

fn download_is_left(way: Way) {
    let (left, leavings) = channel();
    let app = App::start(way, move |request| {
        if request.text_param("QUERY_STRING").is_empty() {
            return text(request, "fine");
        }
        request.pour(Box::new(Endless(left.clone())))
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
        let noticed = leavings.recv_timeout(PATIENCE);
        assert!(noticed.is_ok(), "buffered {buffered}, reset {reset}");
        serve_the_next(&nginx);
    }
    // A producer is dropped; a handler that writes sees an error and returns it.
    let expected = match way.frontend {
        Frontend::Std => 4,
        Frontend::Mio => 0,
    };
    let incidents = app.stop();
    assert_eq!(incidents.len(), expected, "{incidents:#?}");
}

/// Tells about a body of 2000 bytes: that the first half is there, and that there is no more.
struct Half {
    is_upload: bool,
    length: usize,
    told: Sender<&'static str>,
}

impl Upload for Half {
    fn piece(&mut self, bytes: &[u8]) -> bool {
        self.length += bytes.len();
        if self.length == 1000 {
            self.told.send("half").unwrap();
        }
        true
    }

    fn answer(&mut self) -> String {
        if self.is_upload {
            self.told.send("whole").unwrap();
        }
        "fine".to_owned()
    }

    fn cut(&mut self) {
        self.told.send("cut").unwrap();
    }
}

/// A client sends its request up to `beginning`, 1000 bytes of the body, and leaves.
fn leave_an_upload(way: Way, request: &http::Request, beginning: &[u8]) {
    let (told, tells) = channel();
    let app = App::uploads(way, move |params| Half {
        is_upload: params.get("REQUEST_METHOD") != Some(b"GET"),
        length: 0,
        told: told.clone(),
    });
    let nginx = app.nginx().unbuffered_request().start();
    for reset in [false, true] {
        let mut client = Client::connect(nginx.address());
        client.send(&request.head_bytes()).unwrap();
        client.send(beginning).unwrap();
        assert_eq!(tells.recv_timeout(PATIENCE), Ok("half"));
        match reset {
            true => client.reset().unwrap(),
            false => drop(client),
        }
        assert_eq!(tells.recv_timeout(PATIENCE), Ok("cut"));
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
    let wait = move |request: &mut Request| {
        text(request, "a beginning")?;
        request.stdout.flush()?;
        let begun = Instant::now();
        while !request.is_aborted() && begun.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(5));
        }
        told.send(begun.elapsed()).unwrap();
        Ok(())
    };
    let app = App::threads(way, |server| server, |server| server.serve(wait));
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
