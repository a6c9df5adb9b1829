//! What the fuzz targets do with an input, as functions that plain tests can call too.
//!
//! Each takes any bytes, of which it makes its own plan, and panics when the core does anything
//! that it promises not to do.

mod cgi_head;
mod form;
mod form_seeds;
mod pair_talk;
mod params;
mod receive;
pub mod seeds;

pub use cgi_head::cgi_head;
pub use form::{form_cookie, form_multipart, form_urlencoded};
pub use pair_talk::pair_talk;
pub use params::params;
pub use receive::{application_receive, web_server_receive};

/// A fuzz target: a function of any bytes.
pub type Target = fn(&[u8]);

/// All targets, by the names of their programs and of their corpora.
pub const TARGETS: [(&str, Target); 8] = [
    ("application_receive", application_receive),
    ("web_server_receive", web_server_receive),
    ("params", params),
    ("cgi_head", cgi_head),
    ("pair_talk", pair_talk),
    ("form_urlencoded", form_urlencoded),
    ("form_multipart", form_multipart),
    ("form_cookie", form_cookie),
];

/// The target of this name.
///
/// # Panics
///
/// If there is none.
#[must_use]
pub fn target(name: &str) -> Target {
    let found = TARGETS.iter().find(|(other, _)| *other == name);
    found.expect("the name of a target").1
}

/// Takes a byte from the front; 0 when there is none.
fn byte(input: &mut &[u8]) -> u8 {
    let Some((&first, rest)) = input.split_first() else {
        return 0;
    };
    *input = rest;
    first
}

/// Takes up to `count` bytes from the front.
fn part<'i>(input: &mut &'i [u8], count: usize) -> &'i [u8] {
    let (part, rest) = input.split_at(count.min(input.len()));
    *input = rest;
    part
}

/// Cuts an input into a list of operations, one byte each, and what is on the wire: the first byte
/// is the length of the list.
fn operations(mut input: &[u8]) -> (&[u8], &[u8]) {
    let count = byte(&mut input);
    let operations = part(&mut input, count.into());
    (operations, input)
}
