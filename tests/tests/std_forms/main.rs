//! `fcgi-std`: forms as a browser sends them, read by a handler: queries, cookies, bodies, files.

mod answers;
mod files;
mod streamed;
mod values;

use std::io::{self, Write};

use fcgi_std::Request;
use fcgi_std::form::tree::{Node, Tree};
use fcgi_tests::hand::*;

const URLENCODED: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data; boundary=XxX";

/// A tree on one line: values as they are, lists in brackets, maps in braces.
fn shown(tree: &Tree) -> String {
    let entries = tree.as_map().iter();
    let entries = entries.map(|(key, node)| entry(key, node));
    entries.collect::<Vec<_>>().join(" ")
}

fn entry(key: &[u8], node: &Node<fcgi_std::form::tree::Value>) -> String {
    format!("{}={}", String::from_utf8_lossy(key), node_shown(node))
}

fn node_shown(node: &Node<fcgi_std::form::tree::Value>) -> String {
    match node {
        Node::Leaf(value) => value.to_text().into_owned(),
        Node::List(list) => {
            let items: Vec<_> = list.iter().map(node_shown).collect();
            format!("[{}]", items.join(","))
        }
        Node::Map(map) => {
            let entries: Vec<_> = map.iter().map(|(key, node)| entry(key, node)).collect();
            format!("{{{}}}", entries.join(","))
        }
    }
}

/// The parameters of a request with a body.
fn post(content_type: &str, length: usize) -> Vec<(&'static str, String)> {
    vec![
        ("REQUEST_METHOD", "POST".to_owned()),
        ("CONTENT_TYPE", content_type.to_owned()),
        ("CONTENT_LENGTH", length.to_string()),
    ]
}

/// A whole request whose body comes in records of `piece` bytes.
fn request(pairs: &[(&str, String)], body: &[u8], piece: usize) -> Vec<u8> {
    [
        begin(1, RESPONDER, KEEP),
        params(1, pairs),
        end_of(PARAMS, 1),
        stream_of(STDIN, 1, body, piece),
        end_of(STDIN, 1),
    ]
    .concat()
}

/// A `multipart/form-data` body: head lines behind `form-data`, and bytes, of each part.
fn multipart(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (head, bytes) in parts {
        let head = format!("--XxX\r\nContent-Disposition: form-data; {head}\r\n\r\n");
        body.extend([head.as_bytes(), bytes, b"\r\n"].concat());
    }
    body.extend(b"--XxX--\r\n");
    body
}

/// Begins a page that shows something.
fn page(request: &mut Request, text: impl AsRef<str>) -> io::Result<()> {
    request.header("Content-Type", "text/plain; charset=utf-8")?;
    request.stdout.write_all(text.as_ref().as_bytes())
}

/// What a page shows that came with a 200 and an appStatus of 0.
#[track_caller]
fn text(answer: &Answer) -> String {
    assert!(!answer.head().contains("Status:"), "{}", answer.head());
    assert_eq!(answer.end, Some((0, REQUEST_COMPLETE)));
    String::from_utf8(answer.body().to_vec()).unwrap()
}

/// A ready response with this status.
#[track_caller]
fn is_page(answer: &Answer, status: &str) {
    let head = answer.head();
    assert!(
        head.starts_with(&format!("Status: {status} ")),
        "{status}: {head}"
    );
    assert!(answer.body().starts_with(status.as_bytes()));
    assert_eq!(answer.end, Some((1, REQUEST_COMPLETE)));
}
