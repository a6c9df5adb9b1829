//! Taking in heads of requests while no handler works on the connection.

use std::mem;
use std::time::Instant;

use fcgi_core::application::{Connection, Event};
use fcgi_core::cgi::{Status, error_response};
use fcgi_core::params::{Collector, Held, Limits};
use fcgi_core::{Refusal, RequestId, Role};

use crate::buffer::Outbox;
use crate::context::Context;
use crate::gate::Admission;
use crate::incident::Incident;
use crate::params::Params;

/// The part of a connection that takes in heads, one at a time.
pub(crate) struct Intake {
    current: Option<Current>,
    /// Whether a request has begun since somebody asked.
    has_begun: bool,
    collector: Collector<Vec<u8>>,
    limits: Limits,
}

struct Current {
    id: RequestId,
    role: Role,
    since: Instant,
    stage: Stage,
}

enum Stage {
    /// The parameters come.
    Params(Admission),
    /// The parameters are there; the body is collected before a handler gets the request.
    Body {
        admission: Admission,
        params: Params,
        body: Vec<u8>,
    },
    /// The request is not served: it gets this answer as soon as the protocol allows one.
    Refused { status: Status, app_status: u32 },
}

/// A request that is ready for a handler.
pub(crate) struct Ready {
    pub(crate) id: RequestId,
    pub(crate) role: Role,
    pub(crate) params: Params,
    /// The beginning of STDIN, or all of it.
    pub(crate) body: Vec<u8>,
    pub(crate) admission: Admission,
}

/// What a head waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pending {
    Nothing,
    Params { since: Instant },
    Body { since: Instant },
}

/// The other parts of the connection, which an event may concern.
pub(crate) struct Parts<'a> {
    pub(crate) machine: &'a mut Connection<1>,
    pub(crate) outbox: &'a mut Outbox,
    pub(crate) max_conns: u32,
    /// Whether the last request that was refused had sent all its input.
    pub(crate) clean: &'a mut bool,
}

impl Intake {
    pub(crate) fn new(limits: Limits) -> Intake {
        Intake {
            current: None,
            has_begun: false,
            collector: Collector::new(Vec::new(), limits),
            limits,
        }
    }

    /// Parses `rest` up to the end of a head; `None` when it is used up, or when no more answers
    /// may queue.
    pub(crate) fn take_in(
        &mut self,
        rest: &mut &[u8],
        parts: &mut Parts<'_>,
        context: &Context,
    ) -> Result<Option<Ready>, fcgi_core::Error> {
        let mut held = Held::new();
        let mut ready = Ok(None);
        while matches!(ready, Ok(None)) && parts.outbox.len() <= Outbox::HIGH {
            let Some(event) = parts.machine.receive(rest)? else {
                break;
            };
            ready = self.event(event, &mut held, parts, context);
            if let Err(refusal) = ready {
                self.refuse(refusal, parts, context);
                ready = Ok(None);
            }
        }
        if let Pending::Params { .. } = self.pending() {
            if let Err(refusal) = self.collector.keep(held) {
                self.refuse(refusal, parts, context);
            }
        }
        Ok(ready.ok().flatten())
    }

    /// Whether a request has begun since this was asked last.
    pub(crate) fn has_begun(&mut self) -> bool {
        mem::take(&mut self.has_begun)
    }

    /// What the head that is being taken in waits for.
    pub(crate) fn pending(&self) -> Pending {
        match &self.current {
            None => Pending::Nothing,
            Some(Current {
                since,
                stage: Stage::Params(_),
                ..
            }) => Pending::Params { since: *since },
            Some(Current { since, .. }) => Pending::Body { since: *since },
        }
    }

    fn event<'i>(
        &mut self,
        event: Event<'i>,
        held: &mut Held<'i>,
        parts: &mut Parts<'_>,
        context: &Context,
    ) -> Result<Option<Ready>, Refusal> {
        match event {
            Event::Reply(reply) => {
                // The rest of a refused request is still to come.
                *parts.clean &= reply.ends().is_none();
                parts.outbox.push(&reply.encode(parts.max_conns, 1));
            }
            Event::Begin { id, role, .. } => {
                // What is held may be the rest of a request that was refused or aborted.
                *held = Held::new();
                return self.begin(id, role, context).map(|()| None);
            }
            Event::Params { bytes, .. } => {
                if let Some(Current {
                    stage: Stage::Params(_),
                    ..
                }) = self.current
                {
                    self.collector.push(held, bytes)?;
                }
            }
            Event::ParamsEnd { .. } => return self.params_end(held, parts, context),
            Event::Stdin { bytes, .. } => return Ok(self.stdin(bytes, context)),
            Event::StdinEnd { .. } => {
                self.answer(parts);
                return Ok(self.body_is_there());
            }
            // A handler has the request before its DATA come.
            Event::Data { .. } | Event::DataEnd { .. } => {}
            // Nobody works on the request yet, so it is answered here (§5.4).
            Event::Abort { id } => {
                self.clear();
                *parts.clean = parts.machine.is_input_done(id);
                if let Ok(end) = parts.machine.end(id, 1) {
                    parts.outbox.push(&end);
                }
            }
        }
        Ok(None)
    }

    fn begin(&mut self, id: RequestId, role: Role, context: &Context) -> Result<(), Refusal> {
        self.has_begun = true;
        let admission = context.gate.enter();
        let refused = Stage::Refused {
            status: Status::SERVICE_UNAVAILABLE,
            app_status: 0,
        };
        let admitted = admission.is_some();
        let stage = admission.map_or(refused, Stage::Params);
        self.current = Some(Current {
            id,
            role,
            since: Instant::now(),
            stage,
        });
        if !context.rules.roles.contains(&role) {
            Err(Refusal::UnknownRole)
        } else if admitted {
            Ok(())
        } else {
            Err(Refusal::Overloaded)
        }
    }

    fn params_end(
        &mut self,
        held: &mut Held<'_>,
        parts: &mut Parts<'_>,
        context: &Context,
    ) -> Result<Option<Ready>, Refusal> {
        let Some(current) = self.current.take() else {
            return Ok(None);
        };
        let Stage::Params(admission) = current.stage else {
            self.current = Some(current);
            self.answer(parts);
            return Ok(None);
        };
        let params = self
            .collector
            .finish(held)
            .map(|params| Params::copy(&params));
        self.drop_params();
        let (id, role) = (current.id, current.role);
        // Kept in case it is refused now.
        let stage = Stage::Refused {
            status: Status::CONTENT_TOO_LARGE,
            app_status: 0,
        };
        self.current = Some(Current { stage, ..current });
        let params = params?;
        if is_too_long(role, &params, context) {
            self.answer(parts);
            return Ok(None);
        }
        let body = Vec::new();
        if context.rules.buffer_body > 0 && !parts.machine.is_input_done(id) {
            let stage = Stage::Body {
                admission,
                params,
                body,
            };
            self.current = Some(Current {
                id,
                role,
                since: Instant::now(),
                stage,
            });
            return Ok(None);
        }
        self.current = None;
        Ok(Some(Ready {
            id,
            role,
            params,
            body,
            admission,
        }))
    }

    /// Collects a body; one that is longer than it may be goes to the handler with what is there.
    fn stdin(&mut self, bytes: &[u8], context: &Context) -> Option<Ready> {
        let Some(Current {
            stage: Stage::Body { body, .. },
            ..
        }) = &mut self.current
        else {
            return None;
        };
        body.extend_from_slice(bytes);
        if body.len() > context.rules.buffer_body {
            self.body_is_there()
        } else {
            None
        }
    }

    fn body_is_there(&mut self) -> Option<Ready> {
        match self.current.take()? {
            Current {
                id,
                role,
                stage:
                    Stage::Body {
                        admission,
                        params,
                        body,
                    },
                ..
            } => Some(Ready {
                id,
                role,
                params,
                body,
                admission,
            }),
            other => {
                self.current = Some(other);
                None
            }
        }
    }

    /// One request is not served; see the table of answers in ARCHITECTURE.md.
    fn refuse(&mut self, refusal: Refusal, parts: &mut Parts<'_>, context: &Context) {
        self.drop_params();
        let Some(current) = &mut self.current else {
            return;
        };
        let id = current.id;
        context.report(&Incident::Refused {
            id,
            reason: refusal,
        });
        let status = refusal.status();
        let bare = refusal == Refusal::UnknownRole
            || (!context.rules.readable_refusals && status != Status::BAD_REQUEST);
        if bare {
            self.clear();
            *parts.clean = false;
            if let Ok(reply) = parts.machine.refuse(id, refusal) {
                parts.outbox.push(&reply.encode(parts.max_conns, 1));
            }
            return;
        }
        current.stage = Stage::Refused {
            status,
            app_status: refusal.app_status(),
        };
        self.answer(parts);
    }

    /// Answers a refused request, if the protocol allows output by now.
    fn answer(&mut self, parts: &mut Parts<'_>) {
        let Some(Current {
            id,
            stage: Stage::Refused { status, app_status },
            ..
        }) = self.current
        else {
            return;
        };
        if !parts.machine.may_answer(id) {
            return;
        }
        self.clear();
        *parts.clean = parts.machine.is_input_done(id);
        let mut response = error_response(status);
        // The response fits into one record, and the protocol allows both calls.
        if let Ok(Some(record)) = parts.machine.stdout(id, &mut response) {
            record
                .parts()
                .into_iter()
                .for_each(|part| parts.outbox.push(part));
        }
        if let Ok(end) = parts.machine.end(id, app_status) {
            parts.outbox.push(&end);
        }
    }

    fn clear(&mut self) {
        self.current = None;
        self.drop_params();
    }

    /// Forgets the parameters, and their storage: a connection may rest for long.
    fn drop_params(&mut self) {
        if self.collector.stored() > 0 {
            self.collector = Collector::new(Vec::new(), self.limits);
        }
    }
}

/// Whether the body is announced to be longer than it may be. An Authorizer has none.
fn is_too_long(role: Role, params: &Params, context: &Context) -> bool {
    let length = params.content_length().filter(|_| role != Role::Authorizer);
    length
        .zip(context.rules.max_body)
        .is_some_and(|(length, most)| length > most)
}
