//! From events of the protocol to calls of the application.

use std::mem;

use fcgi_core::application::{self, Event};
use fcgi_core::cgi::{Status, error_response};
use fcgi_core::params::Params;
use fcgi_core::{ProtocolStatus, Refusal, RequestId, Role};

use crate::Incident;
use crate::connection::Active;
use crate::request::Request;
use crate::requests::Stage;
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
                if let Some(at) = self.active.requests.find(id) {
                    self.end(at, 1, Some(Abort::Requested));
                }
            }
            Event::Reply(reply) => {
                if let Some((id, status)) = reply.ends() {
                    // The rest of a refused request is still to come.
                    self.conn.is_clean = false;
                    let reason = match status {
                        ProtocolStatus::UNKNOWN_ROLE => Refusal::UnknownRole,
                        _ => Refusal::Overloaded,
                    };
                    self.refused_at_once(id, reason);
                }
                let most = u32::try_from(self.io.settings.max_connections).unwrap_or(u32::MAX);
                let requests = u32::try_from(self.io.settings.multiplex).unwrap_or(1);
                self.active
                    .outbox
                    .extend_from_slice(&reply.encode(most, requests));
            }
        }
    }

    /// Takes a request all of which is there.
    #[inline]
    pub(crate) fn whole(&mut self, whole: application::Whole<'_>) {
        let Some(at) = self.admit(whole.id, Role::Responder) else {
            return;
        };
        let limit = self.io.settings.params.bytes;
        if whole.params.len() > limit {
            return self.refuse(at, Refusal::ParamsTooLong { limit });
        }
        self.start(at, whole.params, Some(whole.stdin));
    }

    fn begin(&mut self, id: RequestId, role: Role) {
        if self.active.requests.len() < self.io.settings.multiplex {
            self.admit(id, role);
            return;
        }
        let refusal = match self.io.settings.multiplex {
            1 => Refusal::CantMultiplex,
            _ => Refusal::Overloaded,
        };
        self.refused_at_once(id, refusal);
        self.send_refusal(id, refusal);
    }

    /// Counts and reports a request that gets no place, and so does not begin.
    #[cold]
    fn refused_at_once(&self, id: RequestId, reason: Refusal) {
        self.io.shared.cells.refused.add(1);
        self.io.report(&Incident::Refused { id, reason });
    }

    /// Gives a request a place; `None` when it was refused at once.
    #[inline(always)] // It is a step of every small request.
    fn admit(&mut self, id: RequestId, role: Role) -> Option<usize> {
        let cells = &self.io.shared.cells;
        cells.begun.add(1);
        if !self.active.requests.is_empty() {
            cells.multiplexed.add(1);
        }
        self.conn.rests_in_stop = false;
        let at = self.active.requests.begin(id, role, self.io.now);
        if self.io.running >= self.io.settings.max_requests {
            self.refuse(at, Refusal::Overloaded);
            return None;
        }
        self.io.running += 1;
        self.active.requests[at].is_counted = true;
        Some(at)
    }

    fn params(&mut self, id: RequestId, slice: &[u8], from: usize, to: usize) {
        let Some(at) = self.active.requests.find(id) else {
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
        let Some(at) = self.active.requests.find(id) else {
            return;
        };
        let request = &mut self.active.requests[at];
        if !matches!(request.stage, Stage::Params) {
            self.answer_refused(at);
            return;
        }
        let params = mem::take(&mut request.params);
        let has_no_input = self.conn.machine.is_input_done(id);
        self.start(at, params.bytes(slice), has_no_input.then_some(&[]));
        match self.active.requests.get_mut(at) {
            Some(request) if request.id == id && matches!(request.stage, Stage::Collect) => {
                request.params = params;
            }
            _ => self.io.give_back(params.into_store()),
        }
    }

    /// Checks the parameters of a request and decides how it is served; `body` is its whole body
    /// if that is known.
    fn start(&mut self, at: usize, params: &[u8], body: Option<&[u8]>) {
        let params = match Params::parse(params, self.io.settings.params.pairs) {
            Ok(params) => params,
            Err(refusal) => return self.refuse(at, refusal),
        };
        let request = &mut self.active.requests[at];
        let id = request.id;
        let framing = params.framing();
        // An Authorizer has no body, whatever its parameters say.
        let has_body = request.role != Role::Authorizer;
        request.length = framing.content_length.filter(|_| has_body);
        request.out.is_head_request = framing.is_head;
        request.out.open = body.is_some() || self.conn.machine.may_answer(id);
        request.since = self.io.now;
        request.stage = Stage::Collect;
        let mut view = Request {
            params,
            body: &[],
            data: &[],
            id,
            role: request.role,
            peer: self.conn.peer,
        };
        let mut plan = Plan::Whole;
        if self.io.retirement.is_some() {
            self.io.count(self.conn.place);
        }
        let service = &mut *self.service;
        let result = self.io.guard(id, || {
            plan = service.begin(&view);
            Ok(())
        });
        if let Err(status) = result {
            request.stage = Stage::Refused {
                status,
                app_status: 1,
            };
            return self.answer_refused(at);
        }
        match (plan, body) {
            (Plan::Stream(task), body) => self.start_task(at, task, body),
            (Plan::Whole, body) => {
                let most = self.io.settings.max_body;
                let announced = request.length.unwrap_or(0);
                let is_too_long = announced > u64::try_from(most).unwrap_or(u64::MAX);
                match body {
                    _ if is_too_long => self.too_large(at),
                    Some(body) if body.len() > most => self.too_large(at),
                    Some(body) => {
                        view.body = body;
                        self.call_whole(at, view);
                    }
                    None => {}
                }
            }
        }
    }

    /// Hands a request over to a task, and its body if that is there.
    fn start_task(&mut self, at: usize, task: S::Task, body: Option<&[u8]>) {
        let request = &mut self.active.requests[at];
        let id = request.id;
        request.stage = Stage::Task {
            task,
            wants_room: true,
        };
        // An Authorizer has no input.
        let Some(body) = body.filter(|_| request.role != Role::Authorizer) else {
            return;
        };
        if !body.is_empty() {
            self.call_task(at, true, |task, response| task.input(body, response));
        }
        if self
            .active
            .requests
            .get(at)
            .is_some_and(|request| request.id == id)
        {
            self.call_task(at, true, Task::input_end);
        }
    }

    fn input_piece(&mut self, id: RequestId, is_data: bool, slice: &[u8], from: usize, to: usize) {
        let Some(at) = self.active.requests.find(id) else {
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
        let Some(at) = self.active.requests.find(id) else {
            return;
        };
        let request = &mut self.active.requests[at];
        request.out.open = self.conn.machine.may_answer(id);
        request.since = self.io.now;
        match request.stage {
            Stage::Collect if self.conn.machine.is_input_done(id) => {
                let [params, body, data] =
                    [&mut request.params, &mut request.body, &mut request.data].map(mem::take);
                let view = Request {
                    params: Params::assume_whole(params.bytes(slice)),
                    body: body.bytes(slice),
                    data: data.bytes(slice),
                    id,
                    role: request.role,
                    peer: self.conn.peer,
                };
                self.call_whole(at, view);
                for piece in [params, body, data] {
                    self.io.give_back(piece.into_store());
                }
            }
            Stage::Task { .. } => self.call_task(at, true, Task::input_end),
            Stage::Refused { .. } => self.answer_refused(at),
            Stage::Collect | Stage::Params | Stage::Answered => {}
        }
    }

    /// Calls the handler of whole requests.
    fn call_whole(&mut self, at: usize, mut view: Request<'_>) {
        let Active {
            requests, outbox, ..
        } = &mut *self.active;
        let request = &mut requests[at];
        let is_cut = !holds(&mut view.body, request.length)
            || (view.role == Role::Filter && !holds(&mut view.data, view.params.data_length()));
        if is_cut {
            // It must not pass for a short one.
            request.stage = Stage::Refused {
                status: Status::BAD_REQUEST,
                app_status: 1,
            };
            return self.answer_refused(at);
        }
        request.out.open = true;
        let service = &mut *self.service;
        let out = &mut request.out;
        let place = self.conn.place;
        let draft = self.io.call(request.id, place, out, outbox, |response| {
            service.whole(&view, response)?;
            response.finish()
        });
        request.stage = Stage::Answered;
        request.out.ended = request.out.ticket.is_none();
        self.after_call(at, draft);
    }

    /// A body is longer than it may be.
    #[cold]
    fn too_large(&mut self, at: usize) {
        self.active.requests[at].stage = Stage::Refused {
            status: Status::CONTENT_TOO_LARGE,
            app_status: 0,
        };
        self.answer_refused(at);
    }

    /// One request is not served.
    #[cold]
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
        self.send_refusal(id, refusal);
        self.dispose(at, None);
    }

    #[cold]
    fn send_refusal(&mut self, id: RequestId, refusal: Refusal) {
        self.conn.is_clean = false;
        if let Ok(reply) = self.conn.machine.refuse(id, refusal) {
            // Neither number is part of an END_REQUEST.
            self.active.outbox.extend_from_slice(&reply.encode(1, 1));
        }
    }

    /// Answers a request that is not served, if the protocol allows output by now.
    #[cold]
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
        self.end(at, app_status, None);
    }
}

/// Whether a stream is as long as it was announced; if it is longer, the rest does not count.
#[inline]
fn holds(bytes: &mut &[u8], announced: Option<u64>) -> bool {
    let Some(length) = announced else {
        return true;
    };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    match bytes.get(..length) {
        Some(announced) => {
            *bytes = announced;
            true
        }
        None => false,
    }
}
