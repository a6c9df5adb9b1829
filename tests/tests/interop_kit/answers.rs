//! The other examples behind nginx: sizes, primes, threads.

use std::thread;

use fcgi_tests::http::{Client, Request};
use fcgi_tests::nginx::Nginx;

use crate::site::Inherited;

/// Around the sizes of lines, records and buffers, and some MiB.
#[test]
fn size_has_the_size() {
    let app = Inherited::start("size");
    let nginx = Nginx::before(app.address.clone()).keep_conn(1).start();
    let mut client = Client::connect(nginx.address());
    let edges = [80, 4096, 8192, 16_384, 32_768, 65_528, 65_535, 65_536];
    let near = edges
        .into_iter()
        .flat_map(|edge| [edge - 1, edge, edge + 1]);
    for size in [0, 1].into_iter().chain(near).chain([1 << 20, 9_999_999]) {
        let page = client.call(&Request::get(format!("/size.fcgi/{size}")));
        assert_eq!(page.status, 200);
        assert_eq!(page.all("Content-Length"), [size.to_string()]);
        assert_eq!(page.body.len(), size);
        for (number, line) in page.body.chunks(80).enumerate() {
            let whole = format!("{number:>9}:{:.<69}\n", "");
            assert_eq!(*line, whole.as_bytes()[..line.len()]);
        }
        let head = client.call(&Request::head(format!("/size.fcgi/{size}")));
        assert_eq!((head.status, head.length), (200, 0));
        assert_eq!(head.all("Content-Length"), [size.to_string()]);
    }
    assert_eq!(client.call(&Request::get("/size.fcgi")).body.len(), 500);
    for wrong in ["many", "-1", "1/2", "99999999999999999999"] {
        let page = client.call(&Request::get(format!("/size.fcgi/{wrong}")));
        assert_eq!(page.status, 404, "{wrong}");
    }
}

#[test]
fn prime_goes_on_from_page_to_page() {
    let app = Inherited::start("prime");
    let nginx = Nginx::before(app.address.clone()).start();
    let mut client = Client::connect(nginx.address());
    let mut ask = |target: &str| -> Vec<u32> {
        let page = client.call(&Request::get(target));
        assert_eq!(page.status, 200);
        let text = page.text();
        let numbers = text.split_whitespace().map(str::parse);
        numbers.collect::<Result<_, _>>().unwrap()
    };
    let is_prime =
        |number: u32| number > 1 && (2..number).all(|divisor| !number.is_multiple_of(divisor));
    let first = ask("/prime.fcgi");
    assert_eq!(first, (2..230).filter(|n| is_prime(*n)).collect::<Vec<_>>());
    let second = ask("/prime.fcgi");
    assert_eq!((second.len(), second[0], second[49]), (50, 233, 541));
    assert_eq!(ask("/prime.fcgi?from=0"), first);
    assert_eq!(ask("/prime.fcgi?from=229"), second);
    assert_eq!(ask("/prime.fcgi?from=nowhere")[0], 547);
    // The last of those that it knows; then from the beginning.
    assert_eq!(ask("/prime.fcgi?from=999960"), [999_961, 999_979, 999_983]);
    assert_eq!(ask("/prime.fcgi"), first);
    assert_eq!(ask("/prime.fcgi?from=999983"), []);
    assert_eq!(ask("/prime.fcgi"), first);
}

/// Whichever of the twenty threads answers, each request counts once.
#[test]
fn threaded_counts_every_request() {
    const CLIENTS: usize = 8;
    const EACH: usize = 100;

    for kept in [false, true] {
        let app = Inherited::start("threaded");
        let nginx = Nginx::before(app.address.clone());
        let nginx = if kept { nginx.keep_conn(4) } else { nginx }.start();
        let ask = |client: &mut Client| {
            let page = client.call(&Request::get("/threaded.fcgi"));
            let text = page.text();
            assert_eq!(page.status, 200, "{text}");
            let process = format!(" of process {}.\n", app.process.id());
            let (thread, counts) = text.split_once(&process).expect(&text);
            let number: usize = thread.strip_prefix("Thread ").unwrap().parse().unwrap();
            let counts: Vec<usize> = counts
                .lines()
                .map(|line| line.rsplit_once(' ').unwrap().1.parse().unwrap())
                .collect();
            assert_eq!(counts.len(), 20);
            assert!(counts[number] > 0, "{text}");
            counts
        };
        thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| {
                    let mut client = Client::connect(nginx.address());
                    for _ in 0..EACH {
                        ask(&mut client);
                    }
                });
            }
        });
        let counts = ask(&mut Client::connect(nginx.address()));
        assert_eq!(
            counts.iter().sum::<usize>(),
            CLIENTS * EACH + 1,
            "{counts:?}"
        );
        let busy = counts.iter().filter(|count| **count > 0).count();
        assert!(busy > 1, "{counts:?}");
    }
}
