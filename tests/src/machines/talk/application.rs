//! The end that serves requests.

use std::collections::BTreeMap;

use fcgi_core::RequestId;
use fcgi_core::application::{Connection, Event};
use fcgi_core::params::{Collector, Held, Limits};

use super::wire::{Choices, Pipe};
use super::{PLAN, Script};

/// What the application answers to FCGI_MAX_CONNS.
pub(super) const MAX_CONNS: u32 = 3;
/// What it answers to FCGI_MAX_REQS.
pub(super) const MAX_REQS: u32 = 5;

/// One active request: what came so far, and what is still to be sent.
struct Served<'p> {
    id: RequestId,
    collector: Collector<Vec<u8>>,
    script: Option<&'p Script>,
    stdin: Vec<u8>,
    data: Vec<u8>,
    stdin_ended: bool,
    data_ended: bool,
    aborted: bool,
    stdout: &'p [u8],
    stderr: &'p [u8],
}

pub(super) struct Application<'p, const A: usize> {
    connection: Connection<A>,
    scripts: &'p [Script],
    served: Vec<Served<'p>>,
}

impl<'p, const A: usize> Application<'p, A> {
    pub(super) fn new(scripts: &'p [Script]) -> Self {
        Application {
            connection: Connection::new(),
            scripts,
            served: Vec::new(),
        }
    }

    pub(super) fn check_idle(&self) {
        assert_eq!(self.connection.active(), 0);
        assert!(self.served.is_empty());
        assert!(self.connection.is_between_records());
        assert!(!self.connection.should_close(), "all requests keep it");
    }

    pub(super) fn receive(&mut self, slice: &[u8], pipe: &mut Pipe<'p>) {
        let mut rest = slice;
        let mut held = BTreeMap::<RequestId, Held<'_>>::new();
        while let Some(event) = self.connection.receive(&mut rest).expect("all is legal") {
            match event {
                Event::Begin { id, keep_conn, .. } => {
                    assert!(keep_conn);
                    self.served.push(Served::new(id));
                }
                Event::Params { id, bytes } => {
                    let collector = &mut self.of(id).collector;
                    let pushed = collector.push(held.entry(id).or_default(), bytes);
                    pushed.expect("within the limits");
                }
                Event::ParamsEnd { id } => {
                    self.begun(id, held.remove(&id).unwrap_or_default());
                }
                Event::Stdin { id, bytes } => self.of(id).stdin.extend(bytes),
                Event::StdinEnd { id } => self.of(id).stdin_ended = true,
                Event::Data { id, bytes } => self.of(id).data.extend(bytes),
                Event::DataEnd { id } => self.of(id).data_ended = true,
                Event::Abort { id } => self.of(id).aborted = true,
                Event::Reply(reply) => pipe.bytes(&reply.encode(MAX_CONNS, MAX_REQS)),
            }
        }
        assert!(rest.is_empty());
        for (id, held) in held {
            let kept = self.of(id).collector.keep(held);
            kept.expect("within the limits");
        }
        assert_eq!(self.connection.active(), self.served.len());
    }

    /// PARAMS are complete: finds out which request this is.
    fn begun(&mut self, id: RequestId, mut held: Held<'_>) {
        let scripts = self.scripts;
        let role = self.connection.role(id);
        let served = self.of(id);
        let params = served.collector.finish(&mut held).expect("whole pairs");
        let plan = params.get(PLAN).expect("sent first");
        let index: usize = String::from_utf8_lossy(plan).parse().expect("a number");
        let script = &scripts[index];
        assert_eq!(role, Some(script.plan.role));
        let sent = script
            .pairs
            .iter()
            .map(|(name, value)| (&name[..], &value[..]));
        assert!(sent.eq(params.iter().map(|pair| (pair.name, pair.value))));
        served.script = Some(script);
        served.stdout = &script.stdout;
        served.stderr = &script.stderr;
    }

    fn of(&mut self, id: RequestId) -> &mut Served<'p> {
        let served = self.served.iter_mut().find(|served| served.id == id);
        served.expect("events are of active requests only")
    }

    /// Sends one record of some request's answer, or ends it.
    pub(super) fn send(&mut self, pipe: &mut Pipe<'p>, choices: &mut Choices<'_>) {
        if pipe.is_full() || self.served.is_empty() {
            return;
        }
        let turn = choices.below(self.served.len());
        let served = &mut self.served[turn];
        let id = served.id;
        let early = served.script.is_some_and(|script| script.plan.early);
        if served.aborted || (early && choices.one_in(6)) {
            self.end(turn, pipe);
            return;
        }
        if !self.connection.may_answer(id) {
            return;
        }
        let to_stderr = choices.one_in(3);
        let body = if to_stderr {
            &mut served.stderr
        } else {
            &mut served.stdout
        };
        if !body.is_empty() {
            let (mut piece, _) = body.split_at(choices.part_of(body.len()));
            let before = piece.len();
            let record = if to_stderr {
                self.connection.stderr(id, &mut piece)
            } else {
                self.connection.stdout(id, &mut piece)
            };
            *body = &body[before - piece.len()..];
            pipe.record(record.expect("it may answer").expect("there are bytes"));
        } else if served.stdout.is_empty()
            && served.stderr.is_empty()
            && self.connection.is_input_done(id)
        {
            if choices.one_in(2) {
                pipe.record(self.connection.stdout_end(id).expect("it may answer"));
            }
            self.end(turn, pipe);
        }
    }

    fn end(&mut self, turn: usize, pipe: &mut Pipe<'p>) {
        let served = self.served.swap_remove(turn);
        let app_status = served.check();
        let end = self.connection.end(served.id, app_status);
        pipe.bytes(&end.expect("it is active"));
        assert!(self.connection.end(served.id, app_status).is_err());
    }
}

impl<'p> Served<'p> {
    fn new(id: RequestId) -> Self {
        Served {
            id,
            collector: Collector::new(Vec::new(), Limits::default()),
            script: None,
            stdin: Vec::new(),
            data: Vec::new(),
            stdin_ended: false,
            data_ended: false,
            aborted: false,
            stdout: &[],
            stderr: &[],
        }
    }

    /// Compares what came with what was sent, and gives the exit status.
    fn check(&self) -> u32 {
        let Some(script) = self.script else {
            assert!(self.aborted && self.stdin.is_empty() && self.data.is_empty());
            return 0;
        };
        assert!(script.stdin.starts_with(&self.stdin));
        assert!(script.data.starts_with(&self.data));
        if script.is_whole() {
            assert_eq!(self.stdin.len(), script.stdin.len());
            assert_eq!(self.data.len(), script.data.len());
            assert_eq!(self.stdin_ended, script.plan.role.number() != 2);
            assert_eq!(self.data_ended, script.plan.role.number() == 3);
        }
        script.plan.app_status
    }
}
