//! What is asked of every server.

use std::sync::Arc;

use fcgi_benches::serving::{PARAM, TEXT, Workload, body};
use fcgi_listen::Address;
use fcgi_tests::nginx_request::{self, Site};
use fcgi_tools::load::{Body, Plan};

const MIB: usize = 1024 * 1024;

/// One way to ask.
pub(crate) struct Scenario {
    /// As on the command line.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) workload: Workload,
    pub(crate) connections: usize,
    pub(crate) depth: usize,
    pub(crate) keep: bool,
    /// How many requests are enough to count system calls.
    counted: u64,
}

const fn kept(
    name: &'static str,
    title: &'static str,
    connections: usize,
    workload: Workload,
) -> Scenario {
    Scenario {
        name,
        title,
        workload,
        connections,
        depth: 1,
        keep: true,
        counted: match workload {
            Workload::Page => 1000,
            Workload::Body(..MIB) => 300,
            Workload::Body(_) | Workload::Upload => 50,
        },
    }
}

/// All of them.
pub(crate) const ALL: [Scenario; 8] = [
    kept("kept-1", "1 kept connection", 1, Workload::Page),
    kept("kept-32", "32 kept connections", 32, Workload::Page),
    kept("kept-256", "256 kept connections", 256, Workload::Page),
    Scenario {
        keep: false,
        ..kept(
            "new-32",
            "a new connection per request, 32 at a time",
            32,
            Workload::Page,
        )
    },
    kept(
        "body-64k",
        "responses of 64 KiB on 8 kept connections",
        8,
        Workload::Body(64 * 1024),
    ),
    kept(
        "body-1m",
        "responses of 1 MiB on 8 kept connections",
        8,
        Workload::Body(MIB),
    ),
    kept(
        "upload-1m",
        "uploads of 1 MiB on 8 kept connections",
        8,
        Workload::Upload,
    ),
    Scenario {
        depth: 8,
        ..kept(
            "mpx-8x32",
            "8 multiplexed on each of 32 kept connections",
            32,
            Workload::Page,
        )
    },
];

impl Scenario {
    /// How many requests to send where they are counted: so many times `fewer` than usual, but some
    /// on each connection.
    pub(crate) fn requests(&self, fewer: u64) -> u64 {
        let at_a_time = (self.connections * self.depth) as u64;
        (self.counted / fewer.max(1)).max(2 * at_a_time)
    }

    /// The plan of its load: the request of a browser as nginx sends it.
    pub(crate) fn plan(&self, address: &Address) -> Plan {
        let mut pairs = nginx_request::pairs(&Site::default());
        let mut plan = Plan {
            connections: self.connections,
            keep: self.keep,
            depth: self.depth,
            ..Plan::new(address.clone())
        };
        let answer = match self.workload {
            Workload::Page => {
                let value = pairs.iter().find(|(name, _)| name == PARAM);
                let value = value.map_or("", |(_, value)| value);
                [value, TEXT].concat().into_bytes()
            }
            Workload::Body(length) => body(length),
            Workload::Upload => {
                plan.body = body(MIB);
                MIB.to_string().into_bytes()
            }
        };
        if self.workload == Workload::Upload {
            for (name, value) in &mut pairs {
                match name.as_str() {
                    "REQUEST_METHOD" => "POST".clone_into(value),
                    "CONTENT_TYPE" => "application/octet-stream".clone_into(value),
                    "CONTENT_LENGTH" => *value = MIB.to_string(),
                    _ => {}
                }
            }
        }
        plan.answer = Body::Bytes(Arc::from(answer));
        plan.params = pairs
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        plan
    }
}
