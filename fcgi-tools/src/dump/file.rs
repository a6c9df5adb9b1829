//! A file of records.

use std::io::{self, Read, Write};

use super::faults;
use super::records::{Found, Records};
use super::style::{Printer, Style};

const BUFFER: usize = 64 * 1024;

/// What a file held.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Contents {
    /// How many bytes of it were read.
    pub bytes: u64,
    /// Whole records.
    pub records: u64,
    /// Whether something in it breaks the protocol.
    pub is_broken: bool,
    /// Whether it ends inside a record.
    pub is_truncated: bool,
}

/// Prints the records of one direction of a connection, as [`Proxy`](super::Proxy) saves it: its
/// bytes and nothing else. One record is one line, with `style.decode` a paragraph; what has come
/// is printed before more is waited for. Nothing is read behind a header that is none.
///
/// # Errors
///
/// `input` cannot be read, or `out` not be written.
pub fn read(mut input: impl Read, style: Style, mut out: impl Write) -> io::Result<Contents> {
    let mut contents = Contents::default();
    let mut records = Records::default();
    let mut printer = Printer::new(style);
    let mut buffer = vec![0; BUFFER];
    loop {
        let length = match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        contents.bytes += length as u64;
        let mut written = Ok(());
        let mut is_readable = true;
        records.push(&buffer[..length], |found| {
            is_readable = matches!(found, Found::Record { .. });
            if written.is_ok() {
                written = print(&mut contents, &mut printer, &found, &mut out);
            }
        });
        written?;
        out.flush()?;
        if !is_readable {
            break;
        }
    }
    if let Some(truncated) = records.truncated() {
        contents.is_truncated = true;
        writeln!(out, "{truncated}")?;
    }
    out.flush()?;
    Ok(contents)
}

fn print(
    contents: &mut Contents,
    printer: &mut Printer,
    found: &Found<'_>,
    out: &mut impl Write,
) -> io::Result<()> {
    match found {
        Found::Record { record, .. } => {
            contents.records += 1;
            writeln!(out, "{}", printer.print(record))?;
            if let Some(error) = faults::alone(record) {
                contents.is_broken = true;
                writeln!(out, "(broken: {error})")?;
            }
        }
        Found::Broken { at, why } => {
            contents.is_broken = true;
            writeln!(
                out,
                "(broken: {why} at byte {at}; what follows is not read)"
            )?;
        }
    }
    Ok(())
}
