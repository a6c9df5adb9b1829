//! All of the core that needs no allocator, called on input that the optimizer knows nothing about.
//!
//! Nobody runs this. `cargo xtask no-std` links it without any library, throws away what the entry
//! point does not reach, and looks at what is left: no std, no allocator, no panic.

#![no_std]

mod application;
mod cgi;
mod form;
mod params;
mod sink;
mod web_server;
mod wire;

use core::hint::black_box;
use core::panic::PanicInfo;

use crate::sink::Sink;

/// The entry point, kept by its address: exported names count as unsafe code. Whoever calls it
/// could hand over anything, so no branch of the core can be left out.
#[used]
static KEPT_ROOT: fn(&Input<'_>) -> u64 = drive;

/// What comes from outside.
struct Input<'a> {
    /// Bytes as they were read from a socket, one slice for each read.
    pieces: &'a [&'a [u8]],
    /// A name and a value of some sort.
    name: &'a [u8],
    value: &'a [u8],
    /// A number of some sort.
    number: u32,
}

fn drive(input: &Input<'_>) -> u64 {
    let mut sink = Sink::default();
    application::drive::<1>(input, &mut sink);
    application::drive::<16>(input, &mut sink);
    web_server::drive::<1>(input, &mut sink);
    web_server::drive::<16>(input, &mut sink);
    params::drive(input, &mut sink);
    cgi::drive(input, &mut sink);
    form::drive(input, &mut sink);
    wire::drive(input, &mut sink);
    if cfg!(feature = "reachable-panic") {
        sink.bytes(input.pieces[0]);
    }
    sink.value()
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    panic_is_reachable()
}

/// Has a name to look for, and an effect, so that it is neither inlined nor merged away.
#[inline(never)]
fn panic_is_reachable() -> ! {
    loop {
        black_box(());
    }
}
