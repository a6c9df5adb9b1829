//! From events of the protocol to calls of the application.

use fcgi_core::application::Event;
use fcgi_core::cgi::{Status, error_response};
use fcgi_core::params::Params;
use fcgi_core::{Refusal, RequestId, Role};

use crate::Incident;
use crate::connection::{Piece, Req, Stage};
use crate::request::Request;
use crate::response::Out;
use crate::service::{Abort, Plan, Service, Task};
use crate::turn::Turn;

impl<S: Service> Turn<'_, S> {
    /// Acts on an event whose bytes, if it has any, end at `end` of the slice.
    pub(crate) fn event(&mut self, event: Event<'_>, slice: &[u8], end: usize) {
        match event {
            Event::Begin { id, role, .. } => self.begin(id, role),
            Event::Params { id, bytes } => self.params(id, slice, end - bytes.len(), end),
            Event::ParamsEnd { id } => self.params_end(id, slice),
            Event::Stdin { id, bytes } | Event::Data { id, bytes } => {
                let is_data = matches!(event, Event::Data { .. });
                self.input_piece(id, is_data, slice, end - bytes.len(), end);
            }
            Event::StdinEnd { id } | Event::DataEnd { id } => self.input_end(id, slice),
            Event::Abort { id } => {
                if let Some(at) = self.active.find(id) {
                    self.abort(at, Abort::Requested);
                }
            }
            Event::Reply(reply) => {
                if reply.ends().is_some() {
                    // The rest of a refused request is still to come.
                    self.conn.is_clean = false;
                    self.io.shared.cells.refused.add(1);
                }
                let most = u32::try_from(self.io.settings.max_connections).unwrap_or(u32::MAX);
                let requests = u32::try_from(self.io.settings.multiplex).unwrap_or(1);
                self.active
                    .outbox
                    .extend_from_slice(&reply.encode(most, requests));
            }
        }
    }

    fn begin(&mut self, id: RequestId, role: Role) {
        let cells = &self.io.shared.cells;
        cells.begun.add(1);
        if !self.active.requests.is_empty() {
            cells.multiplexed.add(1);
        }
        if self.active.requests.len() >= self.io.settings.multiplex {
            let refusal = match self.io.settings.multiplex {
                1 => Refusal::CantMultiplex,
                _ => Refusal::Overloaded,
            };
            cells.refused.add(1);
            cells.ended.add(1);
            self.io.report(&Incident::Refused {
                id,
                reason: refusal,
            });
            self.send_refusal(id, refusal);
            return;
        }
        let is_counted = self.io.running < self.io.settings.max_requests;
        self.io.running += usize::from(is_counted);
        let store = self.io.buffer();
        self.active.requests.push(Req {
            id,
            role,
            since: self.io.now,
            stage: Stage::Params,
            params: Piece::default(),
            body: Piece::default(),
            data: Piece::default(),
            length: None,
            out: Out::new(store),
            is_counted,
        });
        if !is_counted {
            self.refuse(self.active.requests.len() - 1, Refusal::Overloaded);
        }
    }

    fn params(&mut self, id: RequestId, slice: &[u8], from: usize, to: usize) {
        let Some(at) = self.active.find(id) else {
            return;
        };
        let request = &mut self.active.requests[at];
        if !matches!(request.stage, Stage::Params) {
            return;
        }
        let limit = self.io.settings.params.bytes;
        if request.params.len() + (to - from) > limit {
            self.refuse(at, Refusal::ParamsTooLong { limit });
            return;
        }
        request.params.push(slice, from..to, &mut self.io.buffers);
    }

    fn params_end(&mut self, id: RequestId, slice: &[u8]) {
        let Some(at) = self.active.find(id) else {
            return;
        };
        if !matches!(self.active.requests[at].stage, Stage::Params) {
            self.answer_refused(at);
            return;
        }
        let request = &mut self.active.requests[at];
        let bytes = request.params.bytes(slice);
        let params = match Params::parse(bytes, self.io.settings.params.pairs) {
            Ok(params) => params,
            Err(refusal) => return self.refuse(at, refusal),
        };
        let facts = Facts::of(params);
        request.length = facts.length;
        request.out.is_head_request = facts.is_head_request;
        request.out.open = self.conn.machine.may_answer(id);
        request.since = self.io.now;
        request.stage = Stage::Collect;
        let view = Request {
            params,
            body: &[],
            data: &[],
            id,
            role: request.role,
            peer: self.conn.peer,
        };
        let mut plan = Plan::Whole;
        let service = &mut *self.service;
        let went_well = self.io.guard(id, || {
            plan = service.begin(&view);
            Ok(())
        });
        if !went_well {
            request.stage = Stage::Refused {
                status: Status::INTERNAL_SERVER_ERROR,
                app_status: 1,
            };
            return self.answer_refused(at);
        }
        match plan {
            Plan::Stream(task) => {
                request.stage = Stage::Task {
                    task,
                    wants_room: true,
                };
                let params = std::mem::take(&mut request.params);
                self.io.give_back(params.store);
            }
            Plan::Whole => {
                let most = u64::try_from(self.io.settings.max_body).unwrap_or(u64::MAX);
                if request.length.is_some_and(|length| length > most) {
                    self.too_large(at);
                } else if self.conn.machine.is_input_done(id) {
                    self.call_whole(at, slice);
                }
            }
        }
    }

    fn input_piece(&mut self, id: RequestId, is_data: bool, slice: &[u8], from: usize, to: usize) {
        let Some(at) = self.active.find(id) else {
            return;
        };
        let request = &mut self.active.requests[at];
        request.since = self.io.now;
        match &mut request.stage {
            Stage::Collect => {
                let piece = if is_data {
                    &mut request.data
                } else {
                    &mut request.body
                };
                if piece.len() + (to - from) > self.io.settings.max_body {
                    self.too_large(at);
                } else {
                    piece.push(slice, from..to, &mut self.io.buffers);
                }
            }
            Stage::Task { .. } => {
                self.call_task(at, true, |task, response| {
                    task.input(&slice[from..to], response)
                });
            }
            Stage::Params | Stage::Refused { .. } | Stage::Answered => {}
        }
    }

    fn input_end(&mut self, id: RequestId, slice: &[u8]) {
        let Some(at) = self.active.find(id) else {
            return;
        };
        let request = &mut self.active.requests[at];
        request.out.open = self.conn.machine.may_answer(id);
        request.since = self.io.now;
        match request.stage {
            Stage::Collect if self.conn.machine.is_input_done(id) => self.call_whole(at, slice),
            Stage::Task { .. } => self.call_task(at, true, Task::input_end),
            Stage::Refused { .. } => self.answer_refused(at),
            Stage::Collect | Stage::Params | Stage::Answered => {}
        }
    }

    /// Calls the handler of whole requests.
    fn call_whole(&mut self, at: usize, slice: &[u8]) {
        let request = &mut self.active.requests[at];
        request.out.open = true;
        let mut body = request.body.bytes(slice);
        if let Some(length) = request.length {
            // A cut upload must not pass for a short one.
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            let Some(announced) = body.get(..length) else {
                request.stage = Stage::Refused {
                    status: Status::BAD_REQUEST,
                    app_status: 1,
                };
                return self.answer_refused(at);
            };
            body = announced;
        }
        let view = Request {
            params: Params::assume_whole(request.params.bytes(slice)),
            body,
            data: request.data.bytes(slice),
            id: request.id,
            role: request.role,
            peer: self.conn.peer,
        };
        let service = &mut *self.service;
        let out = &mut request.out;
        let went_well = self.io.call(request.id, self.conn.place, out, |response| {
            service.whole(&view, response)?;
            response.finish()
        });
        request.stage = Stage::Answered;
        request.out.ended = request.out.ticket.is_none();
        self.after_call(at, went_well);
    }

    /// A body is longer than it may be.
    fn too_large(&mut self, at: usize) {
        self.active.requests[at].stage = Stage::Refused {
            status: Status::CONTENT_TOO_LARGE,
            app_status: 0,
        };
        self.answer_refused(at);
    }

    /// One request is not served.
    fn refuse(&mut self, at: usize, refusal: Refusal) {
        let request = &mut self.active.requests[at];
        let id = request.id;
        self.io.report(&Incident::Refused {
            id,
            reason: refusal,
        });
        let status = refusal.status();
        if self.io.settings.readable_refusals || status == Status::BAD_REQUEST {
            request.stage = Stage::Refused {
                status,
                app_status: refusal.app_status(),
            };
            self.answer_refused(at);
            return;
        }
        self.io.shared.cells.refused.add(1);
        let request = self.active.requests.swap_remove(at);
        self.send_refusal(id, refusal);
        self.dispose(request, None);
    }

    fn send_refusal(&mut self, id: RequestId, refusal: Refusal) {
        self.conn.is_clean = false;
        if let Ok(reply) = self.conn.machine.refuse(id, refusal) {
            // Neither number is part of an END_REQUEST.
            self.active.outbox.extend_from_slice(&reply.encode(1, 1));
        }
    }

    /// Answers a request that is not served, if the protocol allows output by now.
    pub(crate) fn answer_refused(&mut self, at: usize) {
        let request = &self.active.requests[at];
        let Stage::Refused { status, app_status } = request.stage else {
            return;
        };
        let id = request.id;
        if !self.conn.machine.may_answer(id) {
            return;
        }
        self.io.shared.cells.refused.add(1);
        if !request.out.sent {
            self.send_stdout(id, error_response(status));
        }
        let request = self.active.requests.swap_remove(at);
        self.send_end(id, app_status);
        self.dispose(request, None);
    }
}

/// What the loop itself wants to know of the parameters, found in one pass that ends when both are.
struct Facts {
    /// CONTENT_LENGTH (RFC 3875 §4.1.2), if it is a number.
    length: Option<u64>,
    is_head_request: bool,
}

impl Facts {
    fn of(params: Params<'_>) -> Facts {
        let (mut length, mut method) = (None, None);
        for pair in params {
            // Both names have the same length, which few others have; the first of each counts.
            let Ok(name) = <&[u8; 14]>::try_from(pair.name) else {
                continue;
            };
            if name == b"CONTENT_LENGTH" {
                length = length.or(Some(pair.value));
            } else if name == b"REQUEST_METHOD" {
                method = method.or(Some(pair.value));
            }
            // Web servers send both early.
            if length.is_some() && method.is_some() {
                break;
            }
        }
        Facts {
            length: length.and_then(number),
            is_head_request: method == Some(b"HEAD"),
        }
    }
}

/// Digits and nothing else.
fn number(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

impl<T> Req<T> {
    pub(crate) fn waits_for_params(&self) -> bool {
        matches!(self.stage, Stage::Params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_those_that_the_core_finds() {
        let values = [
            "",
            "0",
            "17",
            "-1",
            "+1",
            " 1",
            "1 ",
            "18446744073709551616",
            "0x1",
        ];
        for first in values {
            let mut stream = Vec::new();
            for (name, value) in [
                ("REQUEST_METHOX", "POST"),
                ("CONTENT_LENGTH", first),
                ("REQUEST_METHOD", "HEAD"),
                ("CONTENT_LENGTH", "5"),
                ("REQUEST_METHOD", "GET"),
            ] {
                fcgi_core::params::append(&mut stream, name, value).unwrap();
            }
            let params = Params::parse(&stream, 9).unwrap();
            let facts = Facts::of(params);
            assert_eq!(facts.length, params.content_length(), "{first:?}");
            assert!(facts.is_head_request);
        }
    }
}
