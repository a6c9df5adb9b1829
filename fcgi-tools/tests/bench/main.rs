//! `fcgi bench`: its numbers, its two forms of a report, its exit codes.

#[path = "../cli/tool.rs"]
mod tool;

use std::io::{BufRead, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use fcgi_tests::blocking::{App, eventually, unix};
use tool::{end, fcgi, interrupt, start};

/// Tells its path and the length of its body, and counts.
fn app() -> (App, Arc<AtomicU64>) {
    let count = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&count);
    let app = unix(
        |server| server.workers(2, 2),
        move |request| {
            counted.fetch_add(1, Ordering::Relaxed);
            let mut length = 0;
            while let count @ 1.. = request.stdin.fill_buf()?.len() {
                request.stdin.consume(count);
                length += count;
            }
            let name = request.params.text("SCRIPT_NAME").into_owned();
            if name == "/missing" {
                request.status(404)?;
            }
            request.header("Content-Type", "text/plain")?;
            write!(request.stdout, "{name} {length}")
        },
    );
    (app, count)
}

fn address(app: &App) -> String {
    app.address().to_string()
}

#[test]
fn so_many_requests() {
    let (app, count) = app();
    let ran = fcgi([
        "bench",
        &address(&app),
        "/upload?x=1",
        "-n",
        "200",
        "--connections",
        "2",
        "--data-size",
        "100000",
        "--expect-length",
        "14",
        "--json",
    ]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.stderr, "", "no progress where no terminal is");
    assert_eq!(count.load(Ordering::Relaxed), 200);
    let report = ran.json();
    for (name, expected) in [
        ("requests", 200),
        ("answers", 200),
        ("unfinished", 0),
        ("depth", 1),
    ] {
        assert_eq!(report[name], expected, "{name} in {report:#}");
    }
    assert_eq!(report["failures"]["total"], 0);
    assert_eq!(report["keep_conn"], true);
    assert_eq!(report["interrupted"], false);
    assert_eq!(report["address"], address(&app));
    assert!(report["bytes_sent"].as_u64().unwrap() > 200 * 100_000);
    let latency = |name: &str| report["latency_seconds"][name].as_f64().unwrap();
    let sorted = ["p50", "p90", "p99", "p99_9", "max"].map(latency);
    assert!(sorted.is_sorted() && sorted[0] > 0.0, "{sorted:?}");
    assert!(latency("mean") <= latency("max"));
    assert!(report["requests_per_second"].as_f64().unwrap() > 0.0);
}

/// Several requests at a time on one connection, which the application says it takes.
#[test]
fn multiplexed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mio.sock");
    let address = path.to_str().unwrap();
    let server = fcgi_mio::Server::bind(address).unwrap();
    let handle = server.handle();
    let server = thread::spawn(move || {
        server.serve(|_, response| {
            response.header("Content-Type", "text/plain")?;
            response.write("page")
        })
    });
    let values = fcgi(["request", address, "--values", "--json"]).json();
    assert_eq!(values["FCGI_MPXS_CONNS"], 1, "{values}");
    let plan = [
        "bench",
        address,
        "-n",
        "300",
        "--depth",
        "8",
        "--expect-length",
        "4",
        "--json",
    ];
    let ran = fcgi(plan);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let report = ran.json();
    assert_eq!(
        (&report["answers"], &report["depth"]),
        (&300.into(), &8.into())
    );
    handle.stop(Duration::from_secs(10));
    server.join().unwrap().unwrap();
}

#[test]
fn a_report_for_people() {
    let (app, count) = app();
    let ran = fcgi([
        "bench",
        &address(&app),
        "-n",
        "20",
        "--no-keep-alive",
        "-w",
        "50ms",
    ]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(count.load(Ordering::Relaxed) >= 20);
    let text = ran.text();
    assert!(text.starts_with("20 requests in "), "{text}");
    for line in [
        "\nfailures    none\n",
        "\nlatency     mean ",
        "99.9 % ",
        "\n             max ",
    ] {
        assert!(text.contains(line), "{line:?} in {text}");
    }
}

#[test]
fn failures_are_told_by_kind() {
    let (app, _) = app();
    let ran = fcgi(["bench", &address(&app), "/missing", "-n", "30", "--json"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let report = ran.json();
    assert_eq!(report["failures"]["status"], 30);
    assert_eq!(report["failures"]["total"], 30);
    assert_eq!(report["latency_seconds"], serde_json::Value::Null);

    let ran = fcgi([
        "bench",
        &address(&app),
        "/missing",
        "-n",
        "5",
        "--expect-status",
        "404",
    ]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let ran = fcgi([
        "bench",
        &address(&app),
        "/missing",
        "-n",
        "5",
        "--expect-status",
        "any",
    ]);
    assert_eq!(ran.code, Some(0), "{ran:?}");

    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"/page 0").unwrap();
    let file = file.path().to_str().unwrap();
    let address = address(&app);
    let ran = fcgi(["bench", &address, "/page", "-n", "5", "--expect-file", file]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let ran = fcgi([
        "bench",
        &address,
        "/other",
        "-n",
        "5",
        "--expect-file",
        file,
    ]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.text().contains("5 other body"), "{ran:?}");
}

#[test]
fn nobody_there() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("none.sock");
    let ran = fcgi(["bench", path.to_str().unwrap(), "-n", "3", "--json"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(ran.json()["failures"]["connect"], 3);
    let ran = fcgi(["bench", path.to_str().unwrap(), "-n", "3"]);
    let told = format!("cannot connect to unix:{}: No such file", path.display());
    assert!(ran.text().contains(&told), "{ran:?}");
}

#[test]
fn ctrl_c_ends_with_a_report() {
    let (app, count) = app();
    let child = start(&["bench", &address(&app), "--duration", "60m", "--json"]);
    eventually(
        || count.load(Ordering::Relaxed) > 10,
        || "nothing is asked".to_owned(),
    );
    interrupt(&child);
    let ran = end(child);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let report = ran.json();
    assert_eq!(report["interrupted"], true);
    assert!(report["answers"].as_u64().unwrap() > 0);
}

/// The body of a request from a file, and from a pipe.
#[test]
fn bodies_of_files() {
    let (app, _) = app();
    let address = address(&app);
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&[b'x'; 5000]).unwrap();
    let name = file.path().to_str().unwrap();
    let length = ["--expect-length", "9", "-n", "3"];
    let of_file = ["bench", &address, "/up", "--data-file", name];
    let ran = tool::fcgi_with(b"", &[&of_file[..], &length].concat());
    assert_eq!(ran.code, Some(1), "/up 5000 has 8 bytes: {ran:?}");
    let length = ["--expect-length", "8", "-n", "3"];
    let ran = tool::fcgi_with(b"", &[&of_file[..], &length].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let mut body = Vec::new();
    std::io::repeat(b'y')
        .take(5000)
        .read_to_end(&mut body)
        .unwrap();
    let of_pipe = ["bench", &address, "/up", "--data-file", "-"];
    let ran = tool::fcgi_with(&body, &[&of_pipe[..], &length].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
}
