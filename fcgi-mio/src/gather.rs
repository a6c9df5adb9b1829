//! Records around bodies that lie in memory, for one vectored write.

use fcgi_core::application::Connection;
use fcgi_core::{Encoded, Record};

use crate::connection::Req;
use crate::settings::REQUESTS;

/// The most records with borrowed bodies in one write, each of up to 64 KiB.
pub(crate) const GATHER: usize = 4;

/// The most bytes that such a write can leave behind.
pub(crate) const SPILL: usize = GATHER * (64 * 1024 + 32);

/// Records around bodies that lie in memory, and the ends of requests that are complete with them.
pub(crate) struct Gathered<'b> {
    records: [Option<Record<'b>>; GATHER],
    ends: [Option<Encoded<32>>; GATHER],
    pub(crate) count: usize,
    /// How many bytes were taken from each request's body.
    pub(crate) taken: [usize; REQUESTS],
    /// Which requests are over with that.
    pub(crate) finished: [bool; REQUESTS],
}

impl Gathered<'_> {
    /// What to write, in order.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let pairs = self.records[..self.count].iter().zip(&self.ends);
        pairs.flat_map(|(record, end)| {
            let [head, content, padding] = record.as_ref().map_or([&[][..]; 3], Record::parts);
            [head, content, padding, end.as_deref().unwrap_or(&[])]
        })
    }
}

/// Takes records from the bodies of all requests in turn, so that none waits for another's end, if
/// the outbox has room for what the write may leave of them.
pub(crate) fn gather<'b, T>(
    requests: &'b [Req<T>],
    next: usize,
    has_room: bool,
    machine: &mut Connection<REQUESTS>,
) -> Gathered<'b> {
    let mut gathered = Gathered {
        records: [const { None }; GATHER],
        ends: [const { None }; GATHER],
        count: 0,
        taken: [0; REQUESTS],
        finished: [false; REQUESTS],
    };
    let with_body = requests
        .iter()
        .filter(|request| !request.out.body_bytes().is_empty())
        .count();
    if with_body == 0 || !has_room {
        return gathered;
    }
    // Every body may be visited as often as there are records to make.
    for turn in 0..GATHER * requests.len() {
        let at = (next + turn) % requests.len();
        let request = &requests[at];
        let mut rest = &request.out.body_bytes()[gathered.taken[at]..];
        let length = rest.len();
        let Ok(Some(record)) = machine.stdout(request.id, &mut rest) else {
            continue;
        };
        gathered.taken[at] += length - rest.len();
        gathered.records[gathered.count] = Some(record);
        if rest.is_empty() && request.out.ended {
            gathered.finished[at] = true;
            gathered.ends[gathered.count] = machine.end(request.id, request.out.app_status).ok();
        }
        gathered.count += 1;
        if gathered.count == GATHER {
            break;
        }
    }
    gathered
}
