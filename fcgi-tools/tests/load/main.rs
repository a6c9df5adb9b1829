//! The load generator: against applications that serve well, and against peers that do not.

mod measuring;
mod peer;
mod served;
mod wrong;

use std::time::Duration;

use fcgi_tools::load::{Extent, Plan};

/// Long enough for a loaded machine; nothing in a test that passes waits for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// A plan for so many requests to a path or address.
fn plan(address: &str, requests: u64) -> Plan {
    Plan {
        extent: Extent::Requests(requests),
        patience: PATIENCE,
        ..Plan::new(address.parse().unwrap())
    }
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let bytes = pairs
        .iter()
        .map(|(name, value)| ((*name).into(), (*value).into()));
    bytes.collect()
}
