//! What is measured in bytes per second, beside libraries of the same purpose.

use std::hint::black_box;

use bytes::Bytes;
use fcgi_core::form::cookie::cookies;
use fcgi_core::form::multipart::Limits;
use fcgi_core::form::tree::{self, Tree};
use fcgi_core::form::urlencoded::pairs;
use fcgi_tests::pattern;

use super::{peers, receive};
use crate::workloads::Workload;

const KIB: usize = 1024;

/// A body comes in slices of so many bytes, to us and to others.
const SLICE: usize = 8 * KIB;

/// As browsers make them.
const BOUNDARY: &str = "----WebKitFormBoundary7MA4YWxkTrZu0gW";

/// All workloads, each of ours followed by those of others on the same bytes.
#[must_use]
pub fn all() -> Vec<Workload> {
    let names = "page=2&sort=price&colour=dark-blue&size=xl&session=8f14e45fceea167a&";
    let text =
        "q=caf%C3%A9+au+lait%21&name=Fran%C3%A7oise+M%C3%BCller&user%5Bmail%5D=a%40b.example&";
    let cookie = "session=8f14e45fceea167a5a36dedd4bea2543; theme=dark; _ga=GA1.1.1234567890.1; ";
    let line = format!("{}\r\n", "forms are older than most of the web ".repeat(2));
    let mut workloads = vec![];
    workloads.extend(urlencoded(
        ["urlencoded/plain", "urlencoded/plain-by-form_urlencoded"],
        repeated(names, 64 * KIB),
    ));
    workloads.extend(urlencoded(
        [
            "urlencoded/escaped",
            "urlencoded/escaped-by-form_urlencoded",
        ],
        repeated(text, 64 * KIB),
    ));
    let form = repeated(text, 16 * KIB);
    workloads.push(Workload::new("tree/escaped", form.len(), move || {
        let tree = Tree::from_urlencoded(black_box(&form), tree::Limits::DEFAULT);
        tree.map_or(0, |tree| tree.len())
    }));
    let header = repeated(cookie, 4 * KIB);
    workloads.push(Workload::new("cookies/typical", header.len(), move || {
        let lengths = cookies(black_box(&header)).map(|one| one.name.len() + one.value.len());
        lengths.sum()
    }));
    workloads.extend(multipart(
        ["multipart/file", "multipart/file-by-multer"],
        &file(&pattern::bytes(KIB * KIB)),
    ));
    workloads.extend(multipart(
        ["multipart/lines", "multipart/lines-by-multer"],
        &file(&repeated(&line, KIB * KIB)),
    ));
    workloads.extend(multipart(
        ["multipart/fields", "multipart/fields-by-multer"],
        &fields(500),
    ));
    workloads
}

/// Whole repetitions, up to about so many bytes.
fn repeated(piece: &str, length: usize) -> Vec<u8> {
    piece.repeat(length / piece.len()).into_bytes()
}

/// A form with one file.
fn file(bytes: &[u8]) -> Vec<u8> {
    let head = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    );
    [
        head.as_bytes(),
        bytes,
        format!("\r\n--{BOUNDARY}--\r\n").as_bytes(),
    ]
    .concat()
}

/// A form with so many short values.
fn fields(count: usize) -> Vec<u8> {
    let field = |number| {
        format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"field{number:03}\"\r\n\r\n\
             value of {number}\r\n"
        )
    };
    let fields: String = (0..count).map(field).collect();
    format!("{fields}--{BOUNDARY}--\r\n").into_bytes()
}

fn urlencoded([ours, other]: [&'static str; 2], input: Vec<u8>) -> [Workload; 2] {
    let copy = input.clone();
    [
        Workload::new(ours, input.len(), move || {
            let pairs = pairs(black_box(&input));
            let lengths = pairs.map(|pair| pair.name.to_text().len() + pair.value.to_text().len());
            lengths.sum()
        }),
        Workload::new(other, copy.len(), move || {
            peers::form_urlencoded(black_box(&copy))
        }),
    ]
}

fn multipart([ours, other]: [&'static str; 2], body: &[u8]) -> [Workload; 2] {
    let slices: Vec<_> = body.chunks(SLICE).map(Bytes::copy_from_slice).collect();
    let bytes = body.to_vec();
    [
        Workload::new(ours, body.len(), move || {
            receive(black_box(&bytes), BOUNDARY, SLICE, Limits::DEFAULT)
        }),
        Workload::new(other, body.len(), move || {
            peers::multer(black_box(&slices), BOUNDARY)
        }),
    ]
}

#[cfg(test)]
mod tests {
    use super::all;

    /// So the same work is compared, on the same bytes.
    #[test]
    fn each_gives_what_the_other_gives() {
        let mut others = 0;
        let mut ours = ("", 0, 0);
        for workload in &mut all() {
            let (name, result) = (workload.name, workload.run());
            assert!(result > 0, "{name}");
            assert_eq!(workload.run(), result, "{name} again");
            if let Some((same, _)) = name.split_once("-by-") {
                assert_eq!((same, workload.bytes, result), ours);
                others += 1;
            }
            ours = (name, workload.bytes, result);
        }
        assert_eq!(others, 5);
    }
}
