//! Inputs that can be made twice as long, those that have cost others quadratic time among them.
//!
//! The program `doubling` does the work on ever larger ones under callgrind, and `cargo xtask
//! instructions --doubling` compares the numbers.

use std::hint::black_box;

use fcgi_core::form::cookie::cookies;
use fcgi_core::form::multipart::Limits;
use fcgi_core::form::tree::{self, Tree};
use fcgi_core::form::urlencoded::pairs;

use super::receive;

/// A kind of input, and what is done with it.
pub struct Kind {
    /// `area/case`, and the length of the slices where it comes in slices.
    pub name: &'static str,
    /// Makes about so many bytes of it, and the boundary if it is a body with parts.
    make: fn(usize) -> Vec<u8>,
    work: fn(&[u8]) -> usize,
}

/// Every kind.
pub const KINDS: &[Kind] = &[
    Kind::new("query/one-value", |n| fill("v=", "%41+a%zz", n), decode),
    Kind::new("query/pairs", |n| fill("", "a=1&", n), decode),
    Kind::new("query/no-values", |n| fill("", "&", n), decode),
    Kind::new("query/equals", |n| fill("", "=", n), decode),
    Kind::new("tree/same-name", |n| fill("", "a=1&", n), tree),
    Kind::new(
        "tree/distinct",
        |n| number(n, |i| format!("{i:x}=1&")),
        tree,
    ),
    Kind::new(
        "tree/falling",
        |n| number(n, |i| format!("{:x}=1&", !i)),
        tree,
    ),
    Kind::new("tree/a[]", |n| fill("", "a[]=1&", n), tree),
    Kind::new("tree/a[i]", |n| number(n, |i| format!("a[{i:x}]=1&")), tree),
    Kind::new("tree/deep", |n| number(n, deep), tree),
    Kind::new("tree/long-keys", |n| number(n, long_key), tree),
    Kind::new("tree/a[[[", |n| fill("a", "[", n), tree),
    Kind::new(
        "tree/a[][][",
        |n| [fill("a", "[]", n), b"[".to_vec()].concat(),
        tree,
    ),
    Kind::new("tree/too-deep", |n| fill("a", "[]", n), refused),
    Kind::new("cookies/pairs", |n| fill("", "a=1; ", n), count),
    Kind::new("cookies/blanks", |n| fill("a=1", " ", n), count),
    Kind::new("cookies/separators", |n| fill("", "; ", n), count),
    Kind::new("parts/8k", many_parts, large),
    Kind::new("parts/1", many_parts, small),
    Kind::new("fields/8k", |n| head("X: y\r\n", n), large),
    Kind::new("fields/1", |n| head("X: y\r\n", n), small),
    Kind::new("long-head/8k", |n| head("X: ", n), large),
    Kind::new("long-head/1", |n| head("X: ", n), small),
    Kind::new("parameters/8k", |n| disposition("; x=y", n), large),
    Kind::new("quotes/8k", |n| disposition("; x=\"\\\"\"", n), large),
    Kind::new("preamble/8k", |n| preamble("\r\n--Y", n), large),
    Kind::new("preamble/1", |n| preamble("\r\n--Y", n), small),
    Kind::new("body/8k", |n| body("x", n), large),
    Kind::new("body/1", |n| body("x", n), small),
    Kind::new("almost/8k", |n| body("\r\n--X.", n), large),
    Kind::new("almost/1", |n| body("\r\n--X.", n), small),
    Kind::new("almost-long/8k", almost, large_long),
    Kind::new("almost-long/1", almost, small_long),
    Kind::new("cr/8k", |n| body("\r", n), large),
    Kind::new("cr/1", |n| body("\r", n), small),
    Kind::new("crlf/8k", |n| body("\r\n", n), large),
    Kind::new("crlf/1", |n| body("\r\n", n), small),
    Kind::new("dashes/8k", |n| body("\r\n--", n), large),
    Kind::new(
        "epilogue/8k",
        |n| [body("", 0), fill("", "\r\n--X", n)].concat(),
        large,
    ),
];

impl Kind {
    const fn new(name: &'static str, make: fn(usize) -> Vec<u8>, work: fn(&[u8]) -> usize) -> Kind {
        Kind { name, make, work }
    }

    /// About so many bytes of this kind.
    #[must_use]
    pub fn input(&self, length: usize) -> Vec<u8> {
        (self.make)(length)
    }

    /// Does the work on an input of this kind. This is the function that is measured: it is called
    /// once for each input, and never inlined.
    #[inline(never)]
    #[must_use]
    pub fn measured(&self, input: &[u8]) -> usize {
        black_box((self.work)(black_box(input)))
    }

    /// Whether the input comes byte by byte, so that each costs much.
    #[must_use]
    pub fn is_slow(&self) -> bool {
        self.name.ends_with("/1")
    }
}

/// Nothing is too much: it is the growth that is measured.
const LIMITS: Limits = Limits {
    parts: usize::MAX,
    head: usize::MAX,
    fields: usize::MAX,
    value: u64::MAX,
    file: u64::MAX,
    total: u64::MAX,
    preamble: u64::MAX,
    epilogue: u64::MAX,
    bare_lf: false,
};

const TREE: tree::Limits = tree::Limits {
    values: usize::MAX,
    depth: 64,
};

const DISPOSITION: &str = "Content-Disposition: form-data; name=a";

/// The longest boundary.
const LONG: &str = "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX";

fn fill(start: &str, piece: &str, length: usize) -> Vec<u8> {
    let times = length / piece.len();
    [start.as_bytes(), &piece.as_bytes().repeat(times)].concat()
}

fn number(length: usize, piece: impl Fn(u32) -> String) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 200);
    let mut pieces = (0..).map(piece);
    while bytes.len() < length {
        bytes.extend_from_slice(pieces.next().unwrap_or_default().as_bytes());
    }
    bytes
}

/// Sixty levels of the same names, and a new one below.
fn deep(number: u32) -> String {
    format!("a{}[{number:x}]=1&", "[b]".repeat(60))
}

/// Keys that differ only at their end.
fn long_key(number: u32) -> String {
    format!("{}{number:08x}=1&", "k".repeat(100))
}

fn many_parts(length: usize) -> Vec<u8> {
    let part = format!("--X\r\n{DISPOSITION}\r\n\r\n1\r\n");
    [fill("", &part, length), b"--X--\r\n".to_vec()].concat()
}

/// One part with such lines in its head.
fn head(piece: &str, length: usize) -> Vec<u8> {
    let start = format!("--X\r\n{DISPOSITION}\r\n");
    [
        fill(&start, piece, length),
        b"\r\n\r\n\r\n--X--\r\n".to_vec(),
    ]
    .concat()
}

/// One part with so many parameters.
fn disposition(piece: &str, length: usize) -> Vec<u8> {
    let start = format!("--X\r\n{DISPOSITION}");
    [
        fill(&start, piece, length),
        b"\r\n\r\n\r\n--X--\r\n".to_vec(),
    ]
    .concat()
}

fn preamble(piece: &str, length: usize) -> Vec<u8> {
    let end = format!("\r\n--X\r\n{DISPOSITION}\r\n\r\n\r\n--X--\r\n");
    [fill("", piece, length), end.into_bytes()].concat()
}

/// One file that consists of these pieces.
fn body(piece: &str, length: usize) -> Vec<u8> {
    let start = format!("--X\r\n{DISPOSITION}; filename=b\r\n\r\n");
    let times = length / piece.len().max(1);
    [
        start.as_bytes(),
        &piece.as_bytes().repeat(times),
        b"\r\n--X--\r\n",
    ]
    .concat()
}

/// A file of lines that are nearly the longest delimiter.
fn almost(length: usize) -> Vec<u8> {
    let line = format!("\r\n--{}.", &LONG[1..]);
    let start = format!("--{LONG}\r\n{DISPOSITION}; filename=b\r\n\r\n");
    let end = format!("\r\n--{LONG}--\r\n");
    [fill(&start, &line, length), end.into_bytes()].concat()
}

fn decode(input: &[u8]) -> usize {
    let lengths = pairs(input).map(|pair| pair.name.decode().len() + pair.value.decode().len());
    lengths.sum()
}

fn tree(input: &[u8]) -> usize {
    let tree = Tree::from_urlencoded(input, TREE).expect("a form without clashes");
    tree.len()
}

/// A name that is too deep for a tree: the work is to find that out.
fn refused(input: &[u8]) -> usize {
    usize::from(Tree::from_urlencoded(input, TREE).is_err())
}

fn count(input: &[u8]) -> usize {
    cookies(input).count()
}

fn large(input: &[u8]) -> usize {
    receive(input, "X", 8192, LIMITS)
}

fn small(input: &[u8]) -> usize {
    receive(input, "X", 1, LIMITS)
}

fn large_long(input: &[u8]) -> usize {
    receive(input, LONG, 8192, LIMITS)
}

fn small_long(input: &[u8]) -> usize {
    receive(input, LONG, 1, LIMITS)
}

#[cfg(test)]
mod tests {
    use super::{KINDS, count, decode, large, many_parts, number, small, tree};

    #[test]
    fn inputs_are_as_long_as_they_are_said_to_be() {
        for kind in KINDS {
            for length in [1000, 2000, 4000] {
                let input = kind.input(length);
                let about = length.saturating_sub(100)..length + 500;
                assert!(
                    about.contains(&input.len()),
                    "{}: {}",
                    kind.name,
                    input.len()
                );
                assert!(kind.measured(&input) < 2 * input.len(), "{}", kind.name);
            }
        }
    }

    /// The work is done to the end, and the cut of the input does not matter to it.
    #[test]
    fn the_work_is_what_it_is_said_to_be() {
        assert_eq!(decode(b"v=%41+a%zz&b"), 1 + 6 + 1);
        assert_eq!(tree(&number(100, |i| format!("{i:x}=1&"))), 24);
        assert_eq!(count(b"a=1; b=2"), 2);
        let parts = many_parts(5000);
        assert!(large(&parts) > 200);
        for kind in KINDS {
            let Some(case) = kind.name.strip_suffix("/1") else {
                continue;
            };
            let input = kind.input(5000);
            let other = KINDS
                .iter()
                .find(|other| other.name == format!("{case}/8k"));
            let other = other.expect("each has its counterpart").measured(&input);
            assert_eq!(kind.measured(&input), other, "{case}");
        }
        assert_eq!(small(&parts), large(&parts));
    }
}
