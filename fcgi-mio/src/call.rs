//! Calls of the application's code, which may fail and may panic.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

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
        &self,
        id: RequestId,
        code: impl FnOnce() -> io::Result<()>,
    ) -> Result<(), Status> {
        guard(&self.shared, &self.settings, id, code)
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
        Draft { start, result }
    }
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
        failure => Err(explain(shared, settings, id, failure)),
    }
}

/// Reports why a handler failed, and decides what the client is told.
#[cold]
fn explain(
    shared: &Shared,
    settings: &Settings,
    id: RequestId,
    failure: thread::Result<io::Result<()>>,
) -> Status {
    let mut status = Status::INTERNAL_SERVER_ERROR;
    let incident = match failure {
        Ok(Ok(())) => return status,
        Ok(Err(error)) => {
            let form = error.get_ref().and_then(|e| e.downcast_ref::<FormError>());
            status = form.map_or(status, |form| form.status());
            Incident::HandlerFailed { id, error }
        }
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            let message = text.unwrap_or_else(|| "a value that is no text".to_owned());
            Incident::HandlerPanicked { id, message }
        }
    };
    shared.cells.failed.add(1);
    settings.tell(&incident);
    status
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
