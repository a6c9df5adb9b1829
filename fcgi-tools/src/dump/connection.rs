//! One connection of the web server, and the one to the application that goes with it.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use fcgi_core::Error;
use fcgi_listen::Stream;

use super::faults::Judge;
use super::output::Output;
use super::records::{Found, Records};
use super::style::{Printer, Style};

/// So many bytes are passed on at once, at most.
const BUFFER: usize = 64 * 1024;

/// What the threads of a connection share.
pub(super) struct Connection<'p> {
    pub(super) number: u64,
    pub(super) started: Instant,
    pub(super) output: &'p Output,
    pub(super) style: Style,
    pub(super) counts: &'p Counts,
    pub(super) judge: Mutex<Judge>,
}

/// What all connections count together.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) records: AtomicU64,
    pub(super) faults: AtomicU64,
    pub(super) bytes: AtomicU64,
}

/// Which way bytes go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Direction {
    ToApplication,
    ToWebServer,
}

impl Direction {
    fn sign(self) -> char {
        match self {
            Direction::ToApplication => '>',
            Direction::ToWebServer => '<',
        }
    }
}

impl Connection<'_> {
    /// Prints a note about the connection; further lines of it stand further to the right.
    pub(super) fn note(&self, text: impl Display) {
        let time = self.started.elapsed().as_secs_f64();
        let line = format!("{time:12.6} #{} {text}", self.number);
        self.output.add(&line.replace('\n', "\n            "));
    }

    /// Passes everything on that comes, until one of the two ends.
    pub(super) fn pass(
        &self,
        direction: Direction,
        from: &Stream,
        to: &Stream,
        file: Option<File>,
    ) {
        let mut watch = Watch {
            connection: self,
            direction,
            records: Records::default(),
            printer: Printer::new(self.style),
            file,
        };
        let outcome = pass(&mut watch, from, to);
        watch.end();
        // A shutdown fails where the connection has gone, and then nothing is left to be done.
        match outcome {
            Ok(()) => {
                watch.note("(end)");
                let _ = to.shutdown(Shutdown::Write);
            }
            Err(Failure::Read(error)) => {
                watch.note(format_args!("(lost: {error})"));
                let _ = from.shutdown(Shutdown::Both);
                let _ = to.shutdown(Shutdown::Both);
            }
            Err(Failure::Write(error)) => {
                watch.note(format_args!("(the other side takes no more: {error})"));
                // The sender shall notice, as it would without us. Its answer may still be on the
                // way.
                let _ = from.shutdown(Shutdown::Read);
            }
        }
    }
}

enum Failure {
    Read(io::Error),
    Write(io::Error),
}

fn pass(watch: &mut Watch<'_>, mut from: &Stream, mut to: &Stream) -> Result<(), Failure> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let length = match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Failure::Read(error)),
        };
        let bytes = &buffer[..length];
        // Before they are passed on, so that no answer is printed before its request.
        watch.see(bytes);
        to.write_all(bytes).map_err(Failure::Write)?;
    }
}

/// Sees what passes in one direction.
struct Watch<'c> {
    connection: &'c Connection<'c>,
    direction: Direction,
    records: Records,
    printer: Printer,
    file: Option<File>,
}

impl Watch<'_> {
    fn see(&mut self, bytes: &[u8]) {
        let saved = self.file.as_mut().map(|file| file.write_all(bytes));
        if let Some(Err(error)) = saved {
            self.file = None;
            self.note(format_args!("(not saved any more: {error})"));
        }
        let (connection, direction) = (self.connection, self.direction);
        let counts = connection.counts;
        counts
            .bytes
            .fetch_add(bytes.len() as u64, Ordering::Relaxed);
        let printer = &mut self.printer;
        self.records.push(bytes, |found| match found {
            Found::Record { record, bytes } => {
                counts.records.fetch_add(1, Ordering::Relaxed);
                note(connection, direction, printer.print(&record));
                let judge = connection.judge.lock();
                let mut judge = judge.unwrap_or_else(PoisonError::into_inner);
                let fault = match direction {
                    Direction::ToApplication => judge.web_server_sent(bytes),
                    Direction::ToWebServer => judge.application_sent(&record),
                };
                drop(judge);
                if let Some(error) = fault {
                    broken(connection, direction, &error);
                }
            }
            Found::Broken { at, why } => {
                counts.faults.fetch_add(1, Ordering::Relaxed);
                let rest = "what follows is passed on unread";
                let text = format_args!("(broken: {why} at byte {at}; {rest})");
                note(connection, direction, text);
            }
        });
    }

    fn end(&self) {
        if let Some(truncated) = self.records.truncated() {
            self.note(truncated);
        }
    }

    fn note(&self, text: impl Display) {
        note(self.connection, self.direction, text);
    }
}

fn note(connection: &Connection<'_>, direction: Direction, text: impl Display) {
    connection.note(format_args!("{} {text}", direction.sign()));
}

fn broken(connection: &Connection<'_>, direction: Direction, error: &Error) {
    connection.counts.faults.fetch_add(1, Ordering::Relaxed);
    note(connection, direction, format_args!("(broken: {error})"));
}
