//! Calls of the application's code, which may fail and may panic.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use fcgi_core::cgi::Status;
use fcgi_core::form::FormError;
use fcgi_core::{Record, RequestId};

use crate::Incident;
use crate::deferred::{Place, Shared};
use crate::io_state::Io;
use crate::response::{Out, Response};
use crate::settings::Settings;

impl<T> Io<T> {
    /// Runs code of the application; if it failed, what the client is to be told.
    pub(crate) fn guard(
        &mut self,
        id: RequestId,
        code: impl FnOnce() -> io::Result<()>,
    ) -> Result<(), Status> {
        let result = guard(&self.shared, &self.settings, id, code);
        // It may have taken its time, which is nobody else's.
        self.look_at_clock();
        result
    }

    /// Calls a handler with a response that is written into the outbox, behind room for a record's
    /// header.
    pub(crate) fn call(
        &mut self,
        id: RequestId,
        place: Place,
        out: &mut Out,
        outbox: &mut Vec<u8>,
        handler: impl FnOnce(&mut Response<'_>) -> io::Result<()>,
    ) -> Draft {
        let start = leave_room(outbox);
        let Io {
            errors,
            shared,
            settings,
            ..
        } = self;
        let result = guard(shared, settings, id, || {
            let mut response = Response {
                out,
                outbox,
                start,
                errors,
                shared,
                place,
            };
            handler(&mut response)
        });
        self.look_at_clock();
        Draft { start, result }
    }
}

/// Drops something of the application's that belongs to no request any more.
pub(crate) fn discard<V>(value: V) {
    // There is nobody whom a panic in its destructor could concern.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(value)));
}

/// See [`Io::guard`].
fn guard(
    shared: &Shared,
    settings: &Settings,
    id: RequestId,
    code: impl FnOnce() -> io::Result<()>,
) -> Result<(), Status> {
    match catch_unwind(AssertUnwindSafe(code)) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(failed(shared, settings, id, error)),
        Err(panic) => Err(panicked(shared, settings, id, panic)),
    }
}

/// Reports a handler's error, and decides what the client is told.
#[cold]
fn failed(shared: &Shared, settings: &Settings, id: RequestId, error: io::Error) -> Status {
    let form = error.get_ref().and_then(|e| e.downcast_ref::<FormError>());
    let status = form.map_or(Status::INTERNAL_SERVER_ERROR, |form| form.status());
    shared.cells.failed.add(1);
    settings.tell(&Incident::HandlerFailed { id, error });
    status
}

/// Reports a handler's panic; the client is told nothing of it.
#[cold]
fn panicked(
    shared: &Shared,
    settings: &Settings,
    id: RequestId,
    panic: Box<dyn Any + Send>,
) -> Status {
    let text = panic.downcast::<String>().map(|text| *text);
    let text = text.or_else(|panic| panic.downcast::<&str>().map(|text| (*text).to_owned()));
    let message = text.unwrap_or_else(|_| "a value that is no text".to_owned());
    shared.cells.failed.add(1);
    settings.tell(&Incident::HandlerPanicked { id, message });
    Status::INTERNAL_SERVER_ERROR
}

/// What one call of a handler has left at the end of the outbox.
#[derive(Clone, Copy)]
pub(crate) struct Draft {
    /// Where room for a header begins, and behind it the content.
    pub(crate) start: usize,
    /// How it went: see [`Io::guard`].
    pub(crate) result: Result<(), Status>,
}

/// Makes room for the header of a record whose content comes now; where it begins.
pub(crate) fn leave_room(outbox: &mut Vec<u8>) -> usize {
    let start = outbox.len();
    outbox.extend_from_slice(&[0; Record::HEADER_LEN]);
    start
}
