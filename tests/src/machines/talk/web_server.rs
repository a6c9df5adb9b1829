//! The end that sends requests.

use std::collections::{BTreeSet, VecDeque};

use fcgi_core::web_server::{Connection, Event, Values};
use fcgi_core::wire::{ProtocolStatus, Role};
use fcgi_core::{RequestId, SendError, params};

use super::application::{MAX_CONNS, MAX_REQS};
use super::wire::{Choices, Pipe};
use super::{Script, Summary};
use crate::hand::{DATA, PARAMS, STDIN};

/// One active request: the streams that are still to be sent, and what came back.
struct Active<'p> {
    id: RequestId,
    index: usize,
    streams: VecDeque<(u8, &'p [u8])>,
    aborted: bool,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

pub(super) struct WebServer<'p, const W: usize> {
    connection: Connection<W>,
    scripts: &'p [Script],
    waiting: VecDeque<usize>,
    active: Vec<Active<'p>>,
    questions: usize,
    used: BTreeSet<RequestId>,
    summary: Summary,
}

impl<'p, const W: usize> WebServer<'p, W> {
    pub(super) fn new(scripts: &'p [Script]) -> Self {
        WebServer {
            connection: Connection::new(),
            scripts,
            waiting: (0..scripts.len()).collect(),
            active: Vec::new(),
            questions: 0,
            used: BTreeSet::new(),
            summary: Summary::default(),
        }
    }

    pub(super) fn is_done(&self) -> bool {
        assert_eq!(self.connection.active(), self.active.len());
        self.waiting.is_empty() && self.active.is_empty() && self.questions == 0
    }

    pub(super) fn summary(&self) -> Summary {
        assert!(self.connection.is_between_records());
        self.summary
    }

    /// Begins the next request, or asks for values.
    pub(super) fn begin(&mut self, pipe: &mut Pipe<'p>, choices: &mut Choices<'_>) {
        if pipe.is_full() {
            return;
        }
        if !self.is_done() && choices.one_in(8) {
            pipe.bytes(&self.connection.get_values());
            self.questions += 1;
        }
        let Some(&index) = self.waiting.front() else {
            return;
        };
        let script = &self.scripts[index];
        let (id, begin) = match self.connection.begin(script.plan.role, true) {
            Ok(begun) => begun,
            Err(error) => {
                assert_eq!((error, self.active.len()), (SendError::Full, W));
                return;
            }
        };
        self.waiting.pop_front();
        pipe.bytes(&begin);
        let mut streams: VecDeque<_> = params::chunks(&script.params)
            .map(|chunk| (PARAMS, chunk))
            .collect();
        streams.push_back((PARAMS, &[]));
        let bodies = [(STDIN, &script.stdin), (DATA, &script.data)];
        let used = match script.plan.role {
            Role::Authorizer => 0,
            Role::Responder => 1,
            Role::Filter => 2,
        };
        for (kind, body) in &bodies[..used] {
            if !body.is_empty() {
                streams.push_back((*kind, body));
            }
            streams.push_back((*kind, &[]));
        }
        self.summary.ids_reused += usize::from(!self.used.insert(id));
        self.active.push(Active {
            id,
            index,
            streams,
            aborted: false,
            stdout: Vec::new(),
            stderr: Vec::new(),
        });
        self.summary.most_active = self.summary.most_active.max(self.active.len());
    }

    /// Sends one record of some request, or aborts it.
    pub(super) fn send(&mut self, pipe: &mut Pipe<'p>, choices: &mut Choices<'_>) {
        if pipe.is_full() || self.active.is_empty() {
            return;
        }
        let turn = choices.below(self.active.len());
        let Active {
            id,
            index,
            streams,
            aborted,
            ..
        } = &mut self.active[turn];
        if self.scripts[*index].plan.abort && !*aborted && choices.one_in(4) {
            *aborted = true;
            pipe.bytes(&self.connection.abort(*id).expect("it is active"));
            if choices.one_in(2) {
                streams.clear();
            }
            return;
        }
        let Some((kind, bytes)) = streams.front_mut() else {
            return;
        };
        let connection = &mut self.connection;
        let record = if bytes.is_empty() {
            match *kind {
                PARAMS => connection.params_end(*id),
                STDIN => connection.stdin_end(*id),
                _ => connection.data_end(*id),
            }
        } else {
            let (mut piece, _) = bytes.split_at(choices.part_of(bytes.len()));
            let before = piece.len();
            let record = match *kind {
                PARAMS => connection.params(*id, &mut piece),
                STDIN => connection.stdin(*id, &mut piece),
                _ => connection.data(*id, &mut piece),
            };
            *bytes = &bytes[before - piece.len()..];
            record.map(|record| record.expect("there are bytes"))
        };
        pipe.record(record.expect("it is this stream's turn"));
        // What is left empty was a body, which its end follows, or the end itself.
        if bytes.is_empty() {
            streams.pop_front();
        }
    }

    pub(super) fn receive(&mut self, mut slice: &[u8]) {
        while let Some(event) = self.connection.receive(&mut slice).expect("all is legal") {
            match event {
                Event::Stdout { id, bytes } => self.of(id).stdout.extend(bytes),
                Event::Stderr { id, bytes } => self.of(id).stderr.extend(bytes),
                Event::StdoutEnd { .. } | Event::StderrEnd { .. } => {}
                Event::End {
                    id,
                    app_status,
                    protocol_status,
                } => self.ended(id, app_status, protocol_status),
                Event::Values(values) => {
                    self.questions -= 1;
                    let expected = Values {
                        max_conns: Some(MAX_CONNS),
                        max_reqs: Some(MAX_REQS),
                        mpxs_conns: Some(true),
                    };
                    assert_eq!(values, expected);
                }
                Event::UnknownType { record_type } => panic!("nobody sent {record_type}"),
            }
        }
        assert!(slice.is_empty());
    }

    fn of(&mut self, id: RequestId) -> &mut Active<'p> {
        let active = self.active.iter_mut().find(|active| active.id == id);
        active.expect("events are of active requests only")
    }

    fn ended(&mut self, id: RequestId, app_status: u32, protocol_status: ProtocolStatus) {
        let at = self.active.iter().position(|active| active.id == id);
        let active = self
            .active
            .swap_remove(at.expect("only an active request ends"));
        if protocol_status != ProtocolStatus::REQUEST_COMPLETE {
            assert!(active.stdout.is_empty() && active.stderr.is_empty());
            self.summary.refused += 1;
            self.waiting.push_back(active.index);
            return;
        }
        let script = &self.scripts[active.index];
        if script.is_whole() {
            assert_eq!(app_status, script.plan.app_status);
            assert!(
                active.stdout == script.stdout,
                "STDOUT of {:?}",
                script.plan
            );
            assert!(
                active.stderr == script.stderr,
                "STDERR of {:?}",
                script.plan
            );
            self.summary.served += 1;
        } else {
            assert!(script.stdout.starts_with(&active.stdout));
            assert!(script.stderr.starts_with(&active.stderr));
            self.summary.cut_short += 1;
        }
    }
}
