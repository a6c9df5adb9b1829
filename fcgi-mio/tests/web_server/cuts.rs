//! Applications that close at any byte of an answer.

use fcgi_mio::web_server::{Cause, Settings};

use crate::peer::{Peer, page};
use crate::world::*;

/// On a connection that is to be kept only END_REQUEST ends a request; on others the end of STDOUT
/// is enough.
#[test]
fn an_answer_that_is_cut_at_any_byte_is_complete_or_an_error() {
    let whole = page(1, "x");
    let length = whole.len();
    let stdout_end = length - 16;
    for keep in [true, false] {
        let whole = whole.clone();
        let peer = Peer::unix(move |door| {
            for cut in 0..=length {
                let mut line = door.accept();
                line.request();
                line.send(&whole[..cut]);
            }
        });
        let mut world = World::new(Settings::new());
        let application = world.application(&peer.address);
        for cut in 0..=length {
            let mut request = get("/");
            request.keep_conn(keep);
            let (_call, log) = send(&application, request);
            world.run(&[&log]);
            if cut == length {
                assert_eq!(log.app_status(), Some(0));
            } else if cut == stdout_end && !keep {
                assert_eq!(log.app_status(), None);
            } else {
                let cause = log.failure().2;
                let is_expected = match cause {
                    Cause::NotAnswered => cut == 0,
                    Cause::CutShort => cut > 0,
                    _ => false,
                };
                assert!(is_expected, "{keep}, {cut}: {cause}");
            }
            world.run_until("it is closed", |outgoing| {
                outgoing.counters().closed == outgoing.counters().opened
            });
        }
        peer.finish();
    }
}
