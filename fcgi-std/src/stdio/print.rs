//! Printing, as the macros of `std` do it.

use std::cell::Cell;
use std::fmt;
use std::io::{self, Write};

use super::current;

thread_local! {
    /// Where text is formatted, so that what formats it may use this module as well.
    static TEXT: Cell<String> = const { Cell::new(String::new()) };
}

/// More bytes than this are not held on to from one text to the next.
const MOST_KEPT: usize = 64 * 1024;

/// What the macros do.
#[doc(hidden)]
pub fn print_to(mut stream: impl Write, args: fmt::Arguments<'_>) {
    // There is none any more while the thread ends.
    let mut text = TEXT.try_with(Cell::take).unwrap_or_default();
    let formatted = fmt::write(&mut text, args).map_err(|_| io::ErrorKind::InvalidInput.into());
    let printed = formatted.and_then(|()| stream.write_all(text.as_bytes()));
    if text.capacity() <= MOST_KEPT {
        text.clear();
        let _ = TEXT.try_with(|kept| kept.set(text));
    }
    if let Err(error) = printed {
        current(|current| _ = current.failed.get_or_insert(error));
    }
}

/// Prints to the response of the current request.
///
/// As [`std`'s](std::print), but without a panic when it fails: [`finish`](crate::stdio::finish)
/// tells that.
#[doc(hidden)]
#[macro_export]
macro_rules! __stdio_print {
    ($($args:tt)*) => {
        $crate::stdio::print_to($crate::stdio::stdout(), ::core::format_args!($($args)*))
    };
}

/// Prints a line to the response of the current request.
///
/// As [`std`'s](std::print), but without a panic when it fails: [`finish`](crate::stdio::finish)
/// tells that.
#[doc(hidden)]
#[macro_export]
macro_rules! __stdio_println {
    () => { $crate::stdio::print!("\n") };
    ($($args:tt)*) => {
        $crate::stdio::print!("{}\n", ::core::format_args!($($args)*))
    };
}

/// Prints to the web server's error log.
///
/// As [`std`'s](std::print), but without a panic when it fails: [`finish`](crate::stdio::finish)
/// tells that.
#[doc(hidden)]
#[macro_export]
macro_rules! __stdio_eprint {
    ($($args:tt)*) => {
        $crate::stdio::print_to($crate::stdio::stderr(), ::core::format_args!($($args)*))
    };
}

/// Prints a line to the web server's error log.
///
/// As [`std`'s](std::print), but without a panic when it fails: [`finish`](crate::stdio::finish)
/// tells that.
#[doc(hidden)]
#[macro_export]
macro_rules! __stdio_eprintln {
    () => { $crate::stdio::eprint!("\n") };
    ($($args:tt)*) => {
        $crate::stdio::eprint!("{}\n", ::core::format_args!($($args)*))
    };
}
