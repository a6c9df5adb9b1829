//! Records around bodies that lie in memory, for one vectored write.

use fcgi_core::application::Connection;
use fcgi_core::{Encoded, Record};

use crate::requests::Req;
use crate::settings::REQUESTS;

/// The most records with borrowed bodies in one write, each of up to 64 KiB.
pub(crate) const GATHER: usize = 4;

/// The most bytes that such a write can leave behind.
pub(crate) const SPILL: usize = GATHER * (64 * 1024 + 32);

/// Records around bodies that lie in memory, and the ends of requests that are complete with them.
pub(crate) struct Gathered<'b> {
    records: [Option<Framed<'b>>; GATHER],
    /// How far each request comes by them.
    pub(crate) progress: [Progress; REQUESTS],
    /// Whose turn it is then.
    pub(crate) next: usize,
}

/// One record, and the end of its request if it is the last one.
struct Framed<'b> {
    /// Which request.
    at: usize,
    record: Record<'b>,
    end: Option<Encoded<32>>,
}

/// What one write takes from a request's body.
#[derive(Clone, Copy, Default)]
pub(crate) struct Progress {
    pub(crate) taken: usize,
    /// Whether the request has ended with that.
    pub(crate) is_over: bool,
    /// Whether it has ended before its input did.
    pub(crate) is_early: bool,
}

impl Framed<'_> {
    fn parts(&self) -> [&[u8]; 4] {
        let [header, content, padding] = self.record.parts();
        [
            header,
            content,
            padding,
            self.end.as_deref().unwrap_or_default(),
        ]
    }
}

impl Gathered<'_> {
    /// What to write, in order.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &[u8]> {
        self.records.iter().flatten().flat_map(Framed::parts)
    }

    /// Notes that `written` bytes of them went out. What is left of a record that was begun, and
    /// all of a request that has ended, goes to `spill`; other records are as if they had not been
    /// made. `true` if everything went out.
    pub(crate) fn went_out(&mut self, mut written: usize, spill: &mut Vec<u8>) -> bool {
        let mut all = true;
        for framed in self.records.iter().flatten() {
            let progress = &mut self.progress[framed.at];
            if written == 0 && !progress.is_over {
                let [_, content, _] = framed.record.parts();
                progress.taken -= content.len();
                all = false;
                continue;
            }
            if all {
                self.next = framed.at + 1;
            }
            for part in framed.parts() {
                let gone = written.min(part.len());
                written -= gone;
                spill.extend_from_slice(&part[gone..]);
            }
        }
        all && spill.is_empty()
    }
}

/// Takes records from the bodies of all requests in turn, so that none waits for another's end.
pub(crate) fn gather<'b, T>(
    requests: &'b [Req<T>],
    next: usize,
    machine: &mut Connection<REQUESTS>,
) -> Gathered<'b> {
    let mut gathered = Gathered {
        records: [const { None }; GATHER],
        progress: [Progress::default(); REQUESTS],
        next,
    };
    let mut count = 0;
    // Every body may be visited as often as there are records to make.
    for turn in 0..GATHER * requests.len() {
        let at = (next + turn) % requests.len();
        let request = &requests[at];
        let progress = &mut gathered.progress[at];
        let mut rest = &request.out.body_bytes()[progress.taken..];
        let length = rest.len();
        let Ok(Some(record)) = machine.stdout(request.id, &mut rest) else {
            continue;
        };
        progress.taken += length - rest.len();
        let mut end = None;
        if rest.is_empty() && request.out.ended {
            progress.is_over = true;
            progress.is_early = !machine.is_input_done(request.id);
            end = machine.end(request.id, request.out.app_status).ok();
        }
        gathered.records[count] = Some(Framed { at, record, end });
        count += 1;
        if count == GATHER {
            break;
        }
    }
    gathered
}
