//! The event loop behind a real nginx: over unix and TCP, its connections kept or not.

use std::io;
use std::thread;
use std::time::Duration;

use fcgi_mio::{Body, Chunk, Producer, Request, Response, Server};
use fcgi_tests::http::{self, Client};
use fcgi_tests::nginx::{Nginx, Setup};
use fcgi_tests::pattern::{self, Check};

const LARGE: u64 = 64 * 1024 * 1024;

/// A body of `LARGE` bytes, made as the loop asks for it.
struct Pattern(u64);

impl Producer for Pattern {
    fn produce(&mut self, chunk: &mut Chunk<'_>) -> io::Result<bool> {
        let left = usize::try_from(LARGE - self.0).unwrap_or(usize::MAX);
        let mut piece = vec![0; chunk.room().min(left)];
        pattern::fill(self.0, &mut piece);
        self.0 += chunk.write(&piece) as u64;
        Ok(self.0 < LARGE)
    }
}

fn answer(request: &Request<'_>, response: &mut Response<'_>) -> io::Result<()> {
    response.header("Content-Type", "application/octet-stream")?;
    match request.param("QUERY_STRING").unwrap_or_default() {
        b"large" => response.body(Body::producer(Pattern(0))),
        b"later" => {
            let deferred = response.defer()?;
            thread::spawn(move || {
                thread::sleep(Duration::from_millis(5));
                // The client may have left.
                let _ = deferred.complete("later");
            });
            Ok(())
        }
        b"panic" => panic!("on purpose"),
        _ => response.write(request.body()),
    }
}

/// Runs `test` against a loop in each of the four ways.
fn four_ways(test: impl Fn(&Nginx)) {
    let directory = tempfile::TempDir::new().unwrap();
    let socket = directory.path().join("app.sock");
    for address in ["127.0.0.1:0", socket.to_str().unwrap()] {
        let server = Server::bind(address).unwrap();
        let at = server.addresses().unwrap().remove(0).to_string();
        let handle = server.handle();
        let running = thread::spawn(move || server.serve(answer));
        let application = match at.strip_prefix("unix:") {
            Some(path) => fcgi_tests::address::Address::Unix(path.into()),
            None => fcgi_tests::address::Address::Tcp(at.parse().unwrap()),
        };
        let setups: [fn(Setup) -> Setup; 2] = [|setup| setup, |setup| setup.keep_conn(8)];
        for set_up in setups {
            test(&set_up(Nginx::before(application.clone())).start());
        }
        handle.stop(Duration::from_secs(5));
        running.join().unwrap().unwrap();
    }
}

#[test]
fn pages_posts_and_heads() {
    four_ways(|nginx| {
        let mut client = Client::connect(nginx.address());
        for length in [0, 1, 1000, 64 * 1024] {
            let body = pattern::bytes(length);
            let page = client.call(&http::Request::post("/", &body));
            assert_eq!(
                (page.status, page.body == body),
                (200, true),
                "{length} bytes"
            );
        }
        let head = client.call(&http::Request::head("/"));
        assert_eq!((head.status, head.body.len()), (200, 0));
        let page = client.call(&http::Request::get("/?later"));
        assert_eq!(page.text(), "later");
    });
}

#[test]
fn a_large_response_comes_whole() {
    four_ways(|nginx| {
        let mut check = Check::new();
        let request = http::Request::get("/?large");
        let page = Client::connect(nginx.address()).exchange(&request, &mut check);
        assert_eq!(page.unwrap().status, 200);
        check.assert(LARGE);
    });
}

#[test]
fn what_cannot_be_served_is_said_and_others_go_on() {
    four_ways(|nginx| {
        let mut client = Client::connect(nginx.address());
        let panicked = client.call(&http::Request::get("/?panic"));
        assert_eq!(panicked.status, 500);
        let body = pattern::bytes(64 * 1024 + 1);
        let too_long = Client::connect(nginx.address()).call(&http::Request::post("/", &body));
        assert_eq!(too_long.status, 413);
        let page = Client::connect(nginx.address()).call(&http::Request::get("/"));
        assert_eq!(page.status, 200);
    });
}

#[test]
fn a_hundred_clients_at_once() {
    four_ways(|nginx| {
        thread::scope(|scope| {
            for number in 0..100 {
                scope.spawn(move || {
                    let body = format!("client {number}");
                    let page =
                        Client::connect(nginx.address()).call(&http::Request::post("/", &body));
                    assert_eq!(page.text(), body);
                });
            }
        });
    });
}
