//! The example that receives forms with files of any size, in an event loop.

use std::io::{self, Read};
use std::process::{Command, Stdio};

use fcgi_tests::blocking::WebServer;
use fcgi_tests::hand::*;
use fcgi_tests::http::{self, Client};
use fcgi_tests::pattern;
use fcgi_tests::process::memory;

use crate::examples::Example;
use crate::site::{Frontend, Way, four_ways};

four_ways! { form_is_summed_up, form_is_refused }

const MIB: u64 = 1 << 20;

const TYPE: &str = "multipart/form-data; boundary=----Form0123456789";
const DELIMITER: &str = "------Form0123456789";

/// The checksum that `sum` prints of these bytes.
fn sum(mut bytes: impl Read) -> String {
    let mut sum = Command::new("sum")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("coreutils are everywhere");
    io::copy(&mut bytes, &mut sum.stdin.take().unwrap()).unwrap();
    let line = String::from_utf8(sum.wait_with_output().unwrap().stdout).unwrap();
    line.split(' ').next().unwrap().to_owned()
}

fn head(parameters: &str) -> Vec<u8> {
    let disposition = format!("Content-Disposition: form-data; {parameters}\r\n\r\n");
    format!("{DELIMITER}\r\n{disposition}").into_bytes()
}

fn part(parameters: &str, bytes: &[u8]) -> Vec<u8> {
    [&head(parameters), bytes, b"\r\n"].concat()
}

fn end() -> Vec<u8> {
    format!("{DELIMITER}--\r\n").into_bytes()
}

fn form_is_summed_up(way: Way) {
    let form = Example::start(way, "mio-form");
    let mut client = Client::connect(form.address());
    let page = client.call(&http::Request::get("/"));
    assert!(page.text().contains("<form method=post"), "{}", page.text());
    let large = pattern::bytes(3 << 20);
    let almost = format!("\r\n{DELIMITER}.\r\r\n--")
        .repeat(1000)
        .into_bytes();
    let body = [
        part("name=note", "grüße".as_bytes()),
        part(r#"name="f[]"; filename="a b.bin""#, &large),
        part(r#"name="f[]"; filename="%0D%0A.txt""#, &almost),
        part(r#"name=unused; filename="""#, b""),
        end(),
    ];
    let request = http::Request::post("/", body.concat()).header("Content-Type", TYPE);
    let page = client.call(&request);
    let lines = [
        format!("{} 7 note\n", sum("grüße".as_bytes())),
        format!("{} {} f[] a b.bin\n", sum(&*large), large.len()),
        format!("{} {} f[] \\r\\n.txt\n", sum(&*almost), almost.len()),
        "00000 0 unused\n".to_owned(),
    ];
    assert_eq!((page.status, page.text()), (200, lines.concat()));
}

fn form_is_refused(way: Way) {
    let form = Example::start(way, "mio-form");
    let good = [part("name=a", b"1"), end()].concat();
    let cut = &good[..good.len() - 4];
    let many = [part("name=a", b"1").repeat(101), end()].concat();
    for (status, content_type, body) in [
        (415, "application/json", &b"{}"[..]),
        (400, "multipart/form-data", &good),
        (400, TYPE, cut),
        (413, TYPE, &many),
        (200, TYPE, &good),
    ] {
        let request = http::Request::post("/", body).header("Content-Type", content_type);
        let page = Client::connect(form.address()).call(&request);
        assert_eq!(page.status, status, "{content_type}");
    }
}

/// Sends a form with a file of so many bytes straight to the application.
fn send_file(peer: &mut WebServer, length: u64) {
    let (before, after) = (head("name=f; filename=zeros"), [b"\r\n", &*end()].concat());
    let announced = (before.len() + after.len()) as u64 + length;
    let pairs = [
        ("REQUEST_METHOD", "POST"),
        ("CONTENT_TYPE", TYPE),
        ("CONTENT_LENGTH", &announced.to_string()),
    ];
    let beginning = [
        begin(1, RESPONDER, KEEP),
        params(1, &pairs),
        end_of(PARAMS, 1),
        stream(STDIN, 1, &before),
    ];
    peer.send(beginning.concat());
    let piece = stream(STDIN, 1, &[0; 32_768]);
    for _ in 0..length / 32_768 {
        peer.send(&piece);
    }
    let answer = peer.ask(1, [stream(STDIN, 1, &after), end_of(STDIN, 1)].concat());
    assert_eq!(answer.end, Some((0, REQUEST_COMPLETE)));
    let text = String::from_utf8_lossy(answer.body()).into_owned();
    assert_eq!(text, format!("00000 {length} f zeros\n"));
}

/// Uploads a file of a MiB and then one of `length`, which costs no more memory.
fn takes_no_memory(length: u64) {
    let way = Way {
        frontend: Frontend::Mio,
        unix: true,
        kept: true,
    };
    let form = Example::start(way, "mio-form");
    let mut peer = WebServer {
        connection: form.application.connect().unwrap(),
    };
    // The code has been loaded and the buffers filled by then.
    send_file(&mut peer, MIB);
    let figures = || ["VmHWM", "RssAnon"].map(|line| memory(form.process.id(), line));
    let before = figures();
    send_file(&mut peer, length);
    let after = figures();
    for (before, after) in before.into_iter().zip(after) {
        assert!(after < before + 1024, "{before} to {after} KiB");
    }
    println!("{length} bytes: VmHWM and RssAnon {before:?}, then {after:?} KiB");
}

#[test]
fn memory_does_not_grow_with_a_form() {
    takes_no_memory(256 * MIB);
}

#[test]
#[ignore = "takes a while in a debug build: for `cargo test --release`"]
fn memory_does_not_grow_with_a_form_of_a_gibibyte() {
    takes_no_memory(1024 * MIB);
}
