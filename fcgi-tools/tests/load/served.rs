//! Our own frontends under load.

use std::io::{BufRead, Write};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use fcgi_tools::load::{self, Body, Plan, Report};

use crate::{pairs, plan};

/// What the applications answer: 100,000 bytes for /large, the length of the body for /upload.
fn large() -> Arc<[u8]> {
    fcgi_tests::pattern::bytes(100_000).into()
}

/// Runs plans against an application on `fcgi-std`.
fn against_std(address: &str, run: impl FnOnce(&str)) {
    let server = fcgi_std::Server::bind(address).unwrap().workers(2, 2);
    let address = server.addresses().unwrap()[0].to_string();
    let handle = server.handle();
    let body = large();
    let server = thread::spawn(move || {
        server.serve(move |request| {
            request.header("Content-Type", "text/plain")?;
            match &*request.params.text("SCRIPT_NAME") {
                "/large" => request.stdout.write_all(&body),
                "/upload" => {
                    let mut length = 0;
                    while let count @ 1.. = request.stdin.fill_buf()?.len() {
                        request.stdin.consume(count);
                        length += count;
                    }
                    write!(request.stdout, "{length}")
                }
                name => write!(request.stdout, "you asked for {name}"),
            }
        })
    });
    run(&address);
    handle.stop(Duration::from_secs(10));
    server.join().unwrap().unwrap();
}

/// The same on `fcgi-mio`.
fn against_mio(address: &str, run: impl FnOnce(&str)) {
    let settings = fcgi_mio::Settings::new().max_body(1 << 20);
    let server = fcgi_mio::Server::bind(address).unwrap().settings(settings);
    let address = server.addresses().unwrap()[0].to_string();
    let handle = server.handle();
    let body = large();
    let server = thread::spawn(move || {
        server.serve(move |request, response| {
            response.header("Content-Type", "text/plain")?;
            match request.param("SCRIPT_NAME") {
                Some(b"/large") => response.body(Arc::clone(&body)),
                Some(b"/upload") => response.write(request.body().len().to_string()),
                name => {
                    response.write("you asked for ")?;
                    response.write(name.unwrap_or_default())
                }
            }
        })
    });
    run(&address);
    handle.stop(Duration::from_secs(10));
    server.join().unwrap().unwrap();
}

fn small(address: &str) -> Plan {
    Plan {
        params: pairs(&[("SCRIPT_NAME", "/small")]),
        answer: Body::Bytes((*b"you asked for /small").into()),
        connections: 8,
        ..plan(address, 400)
    }
}

#[track_caller]
fn all_right(plan: &Plan) -> Report {
    let report = load::run(plan, &mut ()).unwrap();
    assert_eq!(report.failures.to_string(), "none");
    assert!(!report.gave_up);
    assert_eq!((report.never_served, report.unfinished), (0, 0));
    report
}

/// Kept and new connections, large answers and uploads.
fn every_shape(address: &str) {
    let kept = all_right(&small(address));
    assert_eq!((kept.answers, kept.ended()), (400, 400));
    assert!(kept.latencies.percentile(50.0) <= kept.latencies.percentile(99.0));
    assert!(kept.latencies.percentile(99.0) <= kept.latencies.max());
    assert!(kept.per_second() > 0.0);
    // A begin, some parameters, two ends; and on the way back a head, a body, an end.
    assert!(kept.bytes_sent > 400 * 40 && kept.bytes_received > 400 * 40);

    let new = Plan {
        keep: false,
        ..small(address)
    };
    assert_eq!(all_right(&new).answers, 400);

    let large = Plan {
        params: pairs(&[("SCRIPT_NAME", "/large")]),
        answer: Body::Bytes(large()),
        ..plan(address, 20)
    };
    assert!(all_right(&large).bytes_received > 20 * 100_000);

    let upload = Plan {
        params: pairs(&[("SCRIPT_NAME", "/upload"), ("CONTENT_LENGTH", "1000000")]),
        body: vec![b'x'; 1_000_000],
        answer: Body::Bytes((*b"1000000").into()),
        connections: 2,
        ..plan(address, 10)
    };
    assert!(all_right(&upload).bytes_sent > 10 * 1_000_000);
}

fn socket(name: &str) -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name).to_str().unwrap().to_owned();
    (directory, path)
}

#[test]
fn std_on_a_unix_socket() {
    let (_directory, path) = socket("std.sock");
    against_std(&path, every_shape);
}

#[test]
fn std_on_tcp() {
    against_std("127.0.0.1:0", every_shape);
}

#[test]
fn mio_on_a_unix_socket() {
    let (_directory, path) = socket("mio.sock");
    against_mio(&path, every_shape);
}

#[test]
fn mio_on_tcp() {
    against_mio("127.0.0.1:0", every_shape);
}

#[test]
fn many_on_one_connection() {
    let (_directory, path) = socket("mio.sock");
    against_mio(&path, |address| {
        let plan = Plan {
            depth: 8,
            connections: 4,
            ..small(address)
        };
        assert_eq!(all_right(&plan).answers, 400);
        // One more at a time than the application has room for waits there, or is refused.
        let plan = Plan {
            depth: 8,
            params: pairs(&[("SCRIPT_NAME", "/large")]),
            answer: Body::Bytes(large()),
            ..plan
        };
        assert_eq!(all_right(&plan).answers, 400);
    });
}
