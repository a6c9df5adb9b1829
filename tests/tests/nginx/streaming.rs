//! Bodies that flow: each piece arrives before the next one is made.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use fcgi_std::Request;
use fcgi_tests::http::{self, Client};

use crate::exchange::{Upload, text};
use crate::site::{App, PATIENCE, Way, eight_ways, four_ways};

eight_ways! { pieces_of_an_upload, question_and_answer, slow_reader_of_a_large_page }

four_ways! { pieces_of_a_response }

/// Waits for the other side's word, so that nothing is a matter of time.
fn wait<T>(receiver: &Mutex<Receiver<T>>) -> io::Result<T> {
    let word = receiver.lock().unwrap().recv_timeout(PATIENCE);
    word.map_err(|_| io::Error::other("the client did not get the piece"))
}

fn pieces_of_a_response(way: Way) {
    let (got, gotten) = channel();
    let gotten = Mutex::new(gotten);
    let serve = move |request: &mut Request| {
        request.header("Content-Type", "text/event-stream")?;
        for number in 0..5 {
            write!(request.stdout, "data: {number}\n\n")?;
            request.stdout.flush()?;
            wait(&gotten)?;
        }
        Ok(())
    };
    let app = App::threads(way, |server| server, |server| server.serve(serve));
    let nginx = app.nginx().unbuffered_response().start();
    let mut client = Client::connect(nginx.address());
    for _ in 0..2 {
        client.send(&http::Request::get("/").head_bytes()).unwrap();
        let head = client.receive_head().unwrap();
        assert_eq!(head.field("Transfer-Encoding").as_deref(), Some("chunked"));
        for number in 0..5 {
            let piece = format!("9\r\ndata: {number}\n\n\r\n");
            assert_eq!(client.receive_bytes(piece.len()).unwrap(), piece.as_bytes());
            got.send(()).unwrap();
        }
        assert_eq!(client.receive_bytes(5).unwrap(), b"0\r\n\r\n");
    }
}

/// Tells what comes as it comes.
struct Pieces(usize, Sender<String>);

impl Upload for Pieces {
    fn piece(&mut self, bytes: &[u8]) -> bool {
        self.0 += bytes.len();
        let piece = String::from_utf8_lossy(bytes).into_owned();
        self.1.send(piece).is_ok()
    }

    fn answer(&mut self) -> String {
        format!("{} bytes", self.0)
    }
}

fn pieces_of_an_upload(way: Way) {
    let (got, gotten) = channel();
    let app = App::uploads(way, move |_| Pieces(0, got.clone()));
    let nginx = app.nginx().unbuffered_request().start();
    for chunked in [false, true] {
        let mut client = Client::connect(nginx.address());
        let upload = http::Request::new("PUT", "/");
        let upload = match chunked {
            true => upload.chunked(),
            false => upload.header("Content-Length", "35"),
        };
        client.send(&upload.head_bytes()).unwrap();
        for number in 0..5 {
            let piece = format!("piece {number}");
            match chunked {
                true => client.send(format!("7\r\n{piece}\r\n").as_bytes()).unwrap(),
                false => client.send(piece.as_bytes()).unwrap(),
            }
            assert_eq!(gotten.recv_timeout(PATIENCE).unwrap(), piece);
        }
        if chunked {
            client.send(b"0\r\n\r\n").unwrap();
        }
        let mut body = Vec::new();
        client.receive(false, &mut body).unwrap();
        assert_eq!(String::from_utf8_lossy(&body), "35 bytes");
    }
}

/// Long polling: a second request ends the first.
fn question_and_answer(way: Way) {
    let (tell, told) = channel();
    let told = Arc::new(Mutex::new(told));
    let app = App::start(way, move |request| {
        if request.text_param("REQUEST_METHOD") == "POST" {
            let message = request.body()?;
            tell.send(String::from_utf8(message).unwrap()).unwrap();
            return text(request, "");
        }
        let told = Arc::clone(&told);
        request.wait(Box::new(move || wait(&told).unwrap()))
    });
    let nginx = app.nginx().start();
    for round in 0..5 {
        let message = format!("message {round}");
        let asked = thread::scope(|scope| {
            let asks = scope.spawn(|| {
                Client::connect(nginx.address())
                    .call(&http::Request::get("/"))
                    .text()
            });
            Client::connect(nginx.address()).call(&http::Request::post("/", &message));
            asks.join().unwrap()
        });
        assert_eq!(asked, message);
    }
}

/// A client that takes nothing for a while holds up its own request and no other.
fn slow_reader_of_a_large_page(way: Way) {
    let length: u64 = 16 << 20;
    let app = App::start(way, move |request| {
        if request.text_param("QUERY_STRING") == "small" {
            return text(request, "small");
        }
        request.pour(Box::new(fcgi_tests::pattern::Source::new(length)))
    });
    let nginx = app.nginx().unbuffered_response().start();
    let mut slow = Client::connect(nginx.address());
    let mut check = fcgi_tests::pattern::Check::new();
    slow.send(&http::Request::get("/large").head_bytes())
        .unwrap();
    let begun = Instant::now();
    let mut other = Client::connect(nginx.address());
    while begun.elapsed() < Duration::from_millis(300) {
        assert_eq!(other.call(&http::Request::get("/?small")).text(), "small");
    }
    slow.receive(false, &mut check).unwrap();
    check.assert(length);
}
