//! Forms: [`doubling`] shows that work grows with the input and not faster, [`throughput`] how fast
//! it is beside others.

mod peers;

pub mod doubling;
pub mod throughput;

use fcgi_core::form::multipart::{Boundary, Event, Limits, Parser};

/// Takes a body to pieces in slices of `slice` bytes. The result depends on every event.
///
/// # Panics
///
/// If the form is not accepted: what is measured would not be what was meant.
fn receive(body: &[u8], boundary: &str, slice: usize, limits: Limits) -> usize {
    let boundary = Boundary::new(boundary).expect("a valid boundary");
    let mut parser = Parser::new(&boundary, Vec::new(), limits);
    let mut seen = 0;
    for mut piece in body.chunks(slice) {
        while let Some(event) = parser.receive(&mut piece).expect("a form within limits") {
            seen += match event {
                Event::Part(head) => head.name().raw().len(),
                Event::Body(bytes) => bytes.len(),
                Event::PartEnd | Event::End => 1,
            };
        }
    }
    parser.finish().expect("a whole form");
    seen
}
