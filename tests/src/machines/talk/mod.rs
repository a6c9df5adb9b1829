//! A web server and an application that talk in memory, through cuts and writers of any size.
//!
//! Every request of a list of [`Plan`]s is sent by `web_server::Connection`, served by
//! `application::Connection`, and checked byte for byte at both ends. Who does what next, and how
//! much of it, is decided by [`Choices`].

mod application;
mod web_server;
mod wire;

use fcgi_core::wire::Role;

use application::Application;
use web_server::WebServer;

pub use wire::Choices;
use wire::Pipe;

/// One request and its answer. Bodies are lengths in bytes; their contents follow from the plan's
/// place in the list.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What is asked for.
    pub role: Role,
    /// The parameters, beside one that says which plan this is.
    pub params: Vec<(Vec<u8>, Vec<u8>)>,
    /// Length of STDIN; an Authorizer gets none.
    pub stdin: usize,
    /// Length of DATA; only a Filter gets any.
    pub data: usize,
    /// Length of STDOUT.
    pub stdout: usize,
    /// Length of STDERR.
    pub stderr: usize,
    /// The exit status.
    pub app_status: u32,
    /// The web server aborts the request at some moment, unless it is over before.
    pub abort: bool,
    /// The application ends the request at some moment after PARAMS, whatever is missing.
    pub early: bool,
}

/// A plan with its bytes made.
#[derive(Debug)]
struct Script {
    plan: Plan,
    pairs: Vec<(Vec<u8>, Vec<u8>)>,
    params: Vec<u8>,
    stdin: Vec<u8>,
    data: Vec<u8>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

/// The name of the parameter that says which plan a request follows.
const PLAN: &[u8] = b"PLAN";

impl Script {
    fn new(index: usize, plan: &Plan) -> Self {
        let mut pairs = vec![(PLAN.to_vec(), index.to_string().into_bytes())];
        pairs.extend(plan.params.iter().cloned());
        let mut params = Vec::new();
        for (name, value) in &pairs {
            fcgi_core::params::append(&mut params, name, value).expect("a Vec grows");
        }
        assert_eq!(params, crate::hand::pair_bytes(&pairs));
        let body = |stream: usize, length| body(index * 4 + stream, length);
        let has_stdin = plan.role != Role::Authorizer;
        let has_data = plan.role == Role::Filter;
        Script {
            pairs,
            params,
            stdin: body(0, if has_stdin { plan.stdin } else { 0 }),
            data: body(1, if has_data { plan.data } else { 0 }),
            stdout: body(2, plan.stdout),
            stderr: body(3, plan.stderr),
            plan: plan.clone(),
        }
    }

    /// Whether nothing is cut short.
    fn is_whole(&self) -> bool {
        !self.plan.abort && !self.plan.early
    }
}

/// A body that repeats itself every 256 × 251 bytes, which is no length of a record.
fn body(which: usize, length: usize) -> Vec<u8> {
    let all_bytes: Vec<u8> = (0..=255).collect();
    let mut body = Vec::with_capacity(length + 256);
    while body.len() < length {
        let turn = body.len() / 256 + which;
        body.extend(&all_bytes[turn % 251..]);
        body.extend(&all_bytes[..turn % 251]);
    }
    body.truncate(length);
    body
}

/// What happened in a conversation, for tests that must have seen something.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summary {
    /// Requests that were answered to their end.
    pub served: usize,
    /// Requests that were aborted or ended early.
    pub cut_short: usize,
    /// Refusals; a refused request is sent again.
    pub refused: usize,
    /// The most requests that were active at the web server at the same time.
    pub most_active: usize,
    /// Requests whose id had been used before.
    pub ids_reused: usize,
}

/// Carries out all plans on one connection: up to `W` at the same time at the web server, up to `A`
/// at the application.
///
/// # Panics
///
/// When a byte is lost, doubled or changed, a request is not ended exactly once, or one of the
/// machines refuses what is legal.
pub fn talk<const W: usize, const A: usize>(plans: &[Plan], choices: &mut Choices<'_>) -> Summary {
    let scripts: Vec<_> = plans
        .iter()
        .enumerate()
        .map(|(index, plan)| Script::new(index, plan))
        .collect();
    let mut web_server = WebServer::<W>::new(&scripts);
    let mut application = Application::<A>::new(&scripts);
    let mut requests = Pipe::new(choices);
    let mut answers = Pipe::new(choices);
    let mut steps = 0u32;
    while !(web_server.is_done() && requests.is_empty() && answers.is_empty()) {
        match choices.below(7) {
            0 => web_server.begin(&mut requests, choices),
            1 => web_server.send(&mut requests, choices),
            2 => requests.write(choices),
            3 => {
                let slice = requests.read(choices);
                application.receive(&slice, &mut answers);
            }
            4 => application.send(&mut answers, choices),
            5 => answers.write(choices),
            _ => {
                let slice = answers.read(choices);
                web_server.receive(&slice);
            }
        }
        steps += 1;
        assert!(steps < 20_000_000, "the conversation does not end");
    }
    application.check_idle();
    web_server.summary()
}
