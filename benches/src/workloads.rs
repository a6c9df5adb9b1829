//! Every measured piece of work, by name. Each call of [`Workload::run`] does it once.

use std::hint::black_box;

use fcgi_core::Reply;
use fcgi_core::application::{Connection, Event};
use fcgi_core::params::{self, Collector, Held, Limits, Params};
use fcgi_tests::hand;
use fcgi_tests::nginx_request::{self, Site};

use crate::floor;
use crate::peer::Peer;

/// Requests at a time on the measured connections.
const REQUESTS: usize = 16;

/// A piece of work that can be done again and again, each time the same.
pub struct Workload {
    /// What is measured, as `area/case`.
    pub name: &'static str,
    /// How many bytes of the wire or of a body it handles.
    pub bytes: usize,
    work: Box<dyn FnMut() -> usize>,
}

impl Workload {
    pub(crate) fn new(
        name: &'static str,
        bytes: usize,
        work: impl FnMut() -> usize + 'static,
    ) -> Self {
        Self {
            name,
            bytes,
            work: Box::new(work),
        }
    }

    /// Does the work once. The result depends on all of it, so that none can be left out.
    pub fn run(&mut self) -> usize {
        (self.work)()
    }
}

/// All workloads.
#[must_use]
pub fn all() -> Vec<Workload> {
    [receive(), params(), encode()]
        .into_iter()
        .flatten()
        .collect()
}

/// A browser's request as nginx sends it, from its first byte to the end of STDIN.
fn receive() -> Vec<Workload> {
    let request: &'static [u8] = nginx_request::bytes(&Site::default()).leak();
    let length = request.len();
    let (first, second) = request.split_at(length / 2);
    let mut peer = Peer::new(request.to_vec());
    let mut validated = Application::new();
    let mut walked = Application::new();
    let mut cut = Application::new();
    vec![
        Workload::new("receive/floor", length, move || {
            floor::walk(black_box(request)).map_or(0, |seen| seen.pairs + seen.lengths)
        }),
        Workload::new("receive/machine", length, move || events(request)),
        Workload::new("receive/validated", length, move || {
            let length = |params: Params<'_>| black_box(params).as_bytes().len();
            validated.receive([request], length).unwrap_or(0)
        }),
        Workload::new("receive/walked", length, move || {
            walked.receive([request], walk).unwrap_or(0)
        }),
        Workload::new("receive/cut", length, move || {
            let length = |params: Params<'_>| black_box(params).as_bytes().len();
            cut.receive([first, second], length).unwrap_or(0)
        }),
        Workload::new("receive/tokio-fastcgi", length, move || {
            peer.next().get_request_id().into()
        }),
    ]
}

/// The parameters of the same request: read, and built.
fn params() -> Vec<Workload> {
    let site = Site::default();
    let stream: &'static [u8] = nginx_request::params(&site).leak();
    let pairs = nginx_request::pairs(&site);
    let valid = Params::parse(stream, pairs.len()).expect("the test kit builds whole pairs");
    let mut built = Vec::with_capacity(stream.len());
    vec![
        Workload::new("params/validate", stream.len(), move || {
            Params::parse(black_box(stream), 1024).map_or(0, |params| params.as_bytes().len())
        }),
        Workload::new("params/walk", stream.len(), move || walk(black_box(valid))),
        Workload::new("params/look-up", stream.len(), move || {
            let name = black_box("HTTP_COOKIE");
            black_box(valid).get(name).map_or(0, <[u8]>::len)
        }),
        Workload::new("params/build", stream.len(), move || {
            built.clear();
            for (name, value) in &pairs {
                let appended = params::append(&mut built, name, value);
                assert!(appended.is_ok(), "short pairs fit into a Vec");
            }
            params::chunks(&built).map(<[u8]>::len).sum()
        }),
    ]
}

/// Answers, as gather lists around bodies that nobody copies.
fn encode() -> Vec<Workload> {
    const PAGE: &[u8] = b"Content-Type: text/plain\r\n\r\nhello\n";
    let body: &'static [u8] = vec![b'x'; 64 * 1024].leak();
    let reply = owed_reply();
    vec![
        Workload::new("encode/page", PAGE.len(), response(PAGE)),
        Workload::new("encode/body", body.len(), response(body)),
        Workload::new("encode/reply", reply.encode(64, 16).len(), move || {
            let encoded = black_box(reply).encode(black_box(64), black_box(16));
            black_box(&encoded).len()
        }),
    ]
}

/// An application's buffers, used again for every request.
struct Application {
    collector: Collector<Vec<u8>>,
}

impl Application {
    fn new() -> Self {
        Self {
            collector: Collector::new(Vec::with_capacity(8192), Limits::default()),
        }
    }

    /// Receives one request that comes in `slices`, and hands its parameters to `use_params`.
    #[inline]
    fn receive<const SLICES: usize>(
        &mut self,
        slices: [&'static [u8]; SLICES],
        use_params: impl Fn(Params<'_>) -> usize,
    ) -> Option<usize> {
        let mut connection = Connection::<REQUESTS>::new();
        // Nobody knows its state from here on, the compiler included.
        black_box((&mut connection, &mut self.collector));
        let mut seen = None;
        self.collector.clear();
        for slice in slices {
            let mut rest = slice;
            let mut held = Held::new();
            while let Some(event) = connection.receive(&mut rest).ok()? {
                match event {
                    Event::Params { bytes, .. } => self.collector.push(&mut held, bytes).ok()?,
                    Event::ParamsEnd { .. } => {
                        seen = Some(use_params(self.collector.finish(&mut held).ok()?));
                    }
                    _ => {}
                }
            }
            self.collector.keep(held).ok()?;
        }
        seen
    }
}

/// Receives one request and only counts the events.
fn events(request: &'static [u8]) -> usize {
    let mut connection = Connection::<REQUESTS>::new();
    // Nobody knows its state from here on, the compiler included.
    black_box(&mut connection);
    let mut rest = request;
    let mut events = 0;
    while let Ok(Some(event)) = connection.receive(&mut rest) {
        black_box(&event);
        events += 1;
    }
    events
}

/// Looks at every name and every value, as the floor does.
fn walk(params: Params<'_>) -> usize {
    params
        .iter()
        .map(|pair| 1 + pair.name.len() + pair.value.len())
        .sum()
}

/// Sends `body` and ends the request, on a connection where one waits for its response.
fn response(body: &'static [u8]) -> impl FnMut() -> usize {
    let mut waiting = Connection::<REQUESTS>::new();
    let request = nginx_request::bytes(&Site::default());
    let mut rest = &request[..];
    let mut active = None;
    while let Ok(Some(event)) = waiting.receive(&mut rest) {
        if let Event::StdinEnd { id } = event {
            active = Some(id);
        }
    }
    let id = active.expect("the test kit builds a whole request");
    move || {
        let mut connection = waiting.clone();
        let mut bytes = black_box(body);
        let mut sent = 0;
        while let Ok(Some(record)) = connection.stdout(id, &mut bytes) {
            sent += black_box(record.parts())
                .map(<[u8]>::len)
                .iter()
                .sum::<usize>();
        }
        sent + connection.end(id, 0).map_or(0, |end| black_box(&end).len())
    }
}

/// The reply that a web server's question for all three variables (§4.1) calls for.
fn owed_reply() -> Reply {
    let question = hand::get_values(&["FCGI_MAX_CONNS", "FCGI_MAX_REQS", "FCGI_MPXS_CONNS"]);
    match Connection::<REQUESTS>::new().receive(&mut &question[..]) {
        Ok(Some(Event::Reply(reply))) => reply,
        other => panic!("a question was taken for {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_workload_does_its_work_and_does_it_again() {
        let site = Site::default();
        let stream = nginx_request::params(&site).len();
        let pairs = nginx_request::pairs(&site);
        let cookie = pairs.iter().find(|(name, _)| name == "HTTP_COOKIE");
        let seen = pairs
            .iter()
            .map(|(name, value)| 1 + name.len() + value.len())
            .sum::<usize>();
        let expected = [
            ("receive/floor", seen),
            ("receive/machine", 4),
            ("receive/validated", stream),
            ("receive/walked", seen),
            ("receive/cut", stream),
            ("receive/tokio-fastcgi", 1),
            ("params/validate", stream),
            ("params/walk", seen),
            ("params/look-up", cookie.unwrap().1.len()),
            ("params/build", stream),
            // Contents, padding, a header for each record, and 24 bytes of end.
            ("encode/page", 8 + 40 + 24),
            ("encode/body", 8 + 65_528 + 8 + 8 + 24),
            ("encode/reply", 64),
        ];
        let mut workloads = all();
        assert_eq!(workloads.len(), expected.len());
        for (workload, (name, result)) in workloads.iter_mut().zip(expected) {
            assert_eq!(workload.name, name);
            for _ in 0..3 {
                assert_eq!(workload.run(), result, "{name}");
            }
        }
    }
}
