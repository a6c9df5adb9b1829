//! From what the application answers to records in the outbox.

use std::io;

use fcgi_core::cgi::{Status, error_response};
use fcgi_core::{MAX_CONTENT, Record, RequestId};

use crate::call::{Draft, discard};
use crate::connection::Active;
use crate::deferred::Completion;
use crate::requests::Stage;
use crate::response::Response;
use crate::service::{Abort, Service};
use crate::turn::Turn;

impl<S: Service> Turn<'_, S> {
    /// Calls a task; whether it is asked for output afterwards unless it has written something.
    pub(crate) fn call_task(
        &mut self,
        at: usize,
        ask_again: bool,
        call: impl FnOnce(&mut S::Task, &mut Response<'_>) -> io::Result<()>,
    ) {
        let Active {
            requests, outbox, ..
        } = &mut *self.active;
        let request = &mut requests[at];
        let out = &mut request.out;
        let Stage::Task { task, wants_room } = &mut request.stage else {
            return;
        };
        if out.ended {
            // Its last body is on its way.
            return;
        }
        let before = out.written();
        let place = self.conn.place;
        let draft = self.io.call(request.id, place, out, outbox, |response| {
            call(task, response)?;
            if response.out.ended {
                response.finish()?;
            }
            Ok(())
        });
        // What HEAD swallows counts as written, or the task would never come to its end.
        let has_written = outbox.len() > draft.start + Record::HEADER_LEN || out.written() > before;
        *wants_room = out.ticket.is_none() && (ask_again || has_written || out.body.is_some());
        self.after_call(at, draft);
    }

    /// Puts on its way what a handler has written; ends the request if it is complete or failed.
    pub(crate) fn after_call(&mut self, at: usize, draft: Draft) {
        if draft.result.is_ok() {
            self.seal(at, draft.start);
        } else {
            self.active.outbox.truncate(draft.start);
        }
        if !self.io.errors.is_empty() {
            self.send_errors(at);
        }
        let out = &self.active.requests[at].out;
        if let Err(status) = draft.result {
            self.fail(at, status);
        } else if out.ended && out.body.is_none() {
            self.end(at, out.app_status, None);
        }
    }

    /// Makes a record of what lies at the end of the outbox.
    fn seal(&mut self, at: usize, start: usize) {
        let Active {
            requests, outbox, ..
        } = &mut *self.active;
        let request = &mut requests[at];
        let mut content = &outbox[start + Record::HEADER_LEN..];
        if content.is_empty() {
            outbox.truncate(start);
            return;
        }
        request.out.sent = true;
        if content.len() > MAX_CONTENT {
            // A head can be as long as its fields are.
            let content = content.to_vec();
            outbox.truncate(start);
            let id = request.id;
            return self.send_stdout(id, &content);
        }
        if let Ok(Some(record)) = self.conn.machine.stdout(request.id, &mut content) {
            let (header, padding) = (record.header(), record.padding());
            outbox[start..start + header.len()].copy_from_slice(&header);
            outbox.extend_from_slice(padding);
        } else {
            // The request is over, and then nothing is owed to anybody.
            outbox.truncate(start);
        }
    }

    /// Sends what a handler has written to STDERR.
    #[cold]
    fn send_errors(&mut self, at: usize) {
        let id = self.active.requests[at].id;
        let mut rest = &self.io.errors[..];
        while let Ok(Some(record)) = self.conn.machine.stderr(id, &mut rest) {
            push(&mut self.active.outbox, &record);
        }
        self.io.errors.clear();
    }

    /// A handler, task or producer has failed.
    #[cold]
    fn fail(&mut self, at: usize, status: Status) {
        let out = &self.active.requests[at].out;
        if !out.open {
            // A Filter's client is told when STDIN has ended.
            self.drop_code(at);
            self.active.requests[at].stage = Stage::Refused {
                status,
                app_status: 1,
            };
            return;
        }
        if !out.sent {
            let id = self.active.requests[at].id;
            self.send_stdout(id, error_response(status));
        }
        self.end(at, 1, None);
    }

    /// Ends a request, with its answer complete or not.
    #[inline(always)] // It is a step of every small request.
    pub(crate) fn end(&mut self, at: usize, app_status: u32, aborted: Option<Abort>) {
        let id = self.active.requests[at].id;
        self.conn.is_clean &= self.conn.machine.is_input_done(id);
        if let Ok(end) = self.conn.machine.end(id, app_status) {
            self.active.outbox.extend_from_slice(&end);
        }
        self.dispose(at, aborted);
    }

    pub(crate) fn send_stdout(&mut self, id: RequestId, mut bytes: &[u8]) {
        // An error would mean that the request is over, and then nothing is owed to anybody.
        while let Ok(Some(record)) = self.conn.machine.stdout(id, &mut bytes) {
            push(&mut self.active.outbox, &record);
        }
    }

    /// Takes over what another thread has completed.
    pub(crate) fn complete(&mut self, completion: Completion) {
        let ticket = Some(completion.ticket);
        let mut requests = self.active.requests.iter();
        let Some(at) = requests.position(|request| request.out.ticket == ticket) else {
            return discard(completion);
        };
        self.drop_code(at);
        let Active {
            requests, outbox, ..
        } = &mut *self.active;
        let request = &mut requests[at];
        let (id, place) = (request.id, self.conn.place);
        let out = &mut request.out;
        out.ticket = None;
        out.head = completion.head;
        out.app_status = completion.app_status;
        out.ended = true;
        let draft = self.io.call(id, place, out, outbox, |response| {
            let body = completion
                .body
                .ok_or_else(|| io::Error::other("the deferred request was dropped"))?;
            response.out.attach(body, response.outbox, response.start)?;
            response.finish()
        });
        self.after_call(at, draft);
    }
}

fn push(outbox: &mut Vec<u8>, record: &Record<'_>) {
    for part in record.parts() {
        outbox.extend_from_slice(part);
    }
}
