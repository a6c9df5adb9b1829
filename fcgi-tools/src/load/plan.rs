//! What a run does.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use fcgi_listen::Address;

/// The most requests at a time on one connection.
pub const MAX_DEPTH: usize = 64;

/// What a run does. Start from [`Plan::new`] and change what has to be different.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where the application listens.
    pub address: Address,
    /// How many connections there are at a time; 1 unless set.
    pub connections: usize,
    /// Whether connections are kept for more requests (FCGI_KEEP_CONN, FastCGI §5.1), or each
    /// request takes a new one; kept unless set.
    pub keep: bool,
    /// How many requests are on their way at a time on each connection, 1 to [`MAX_DEPTH`]; 1
    /// unless set, and always 1 where connections are not kept.
    pub depth: usize,
    /// The request's parameters, in the order in which they are sent, as names and values; none
    /// unless set. A request with a body should have a CONTENT_LENGTH among them.
    pub params: Vec<(Vec<u8>, Vec<u8>)>,
    /// What is sent on STDIN; nothing unless set. Held once for each of [`depth`](field@Plan::depth).
    pub body: Vec<u8>,
    /// The status that every answer has to have; `None` takes any. 200 unless set.
    pub status: Option<u16>,
    /// The body that every answer has to have; any unless set.
    pub answer: Body,
    /// What is done before the measured part, and not counted; nothing unless set.
    pub warm_up: Option<Extent>,
    /// What is measured; ten seconds unless set.
    pub extent: Extent,
    /// For how long no byte may move, either way, before the run is given up, as it must be where
    /// an application serves none of the connections any more; ten seconds unless set.
    pub patience: Duration,
}

/// How long a part of a run goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extent {
    /// Until so many requests have ended, one way or another.
    Requests(u64),
    /// For so long. Requests that are on their way then are cut off, and counted as
    /// [`unfinished`](super::Report::unfinished).
    Time(Duration),
}

/// What the body of an answer has to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body {
    /// Anything.
    Any,
    /// So many bytes, whatever they are.
    Length(u64),
    /// These bytes.
    Bytes(Arc<[u8]>),
}

impl Plan {
    /// Requests without parameters over one kept connection, for ten seconds.
    #[must_use]
    pub fn new(address: Address) -> Plan {
        Plan {
            address,
            connections: 1,
            keep: true,
            depth: 1,
            params: Vec::new(),
            body: Vec::new(),
            status: Some(200),
            answer: Body::Any,
            warm_up: None,
            extent: Extent::Time(Duration::from_secs(10)),
            patience: Duration::from_secs(10),
        }
    }

    /// Requests that are really on their way at a time on each connection.
    pub(super) fn depth(&self) -> usize {
        if self.keep { self.depth } else { 1 }
    }

    pub(super) fn check(&self) -> io::Result<()> {
        let problem = if self.connections == 0 {
            "a run needs a connection"
        } else if !(1..=MAX_DEPTH).contains(&self.depth) {
            "a connection has 1 to 64 requests on their way"
        } else if self.patience.is_zero() {
            "a run needs patience"
        } else {
            return Ok(());
        };
        Err(io::Error::new(io::ErrorKind::InvalidInput, problem))
    }
}
