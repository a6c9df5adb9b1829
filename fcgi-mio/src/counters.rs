//! What a loop has done so far.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that one thread changes and others read.
#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Only the loop's thread adds, so this needs no locked instruction.
    #[inline]
    pub(crate) fn add(&self, count: u64) {
        let sum = self.0.load(Ordering::Relaxed).wrapping_add(count);
        self.0.store(sum, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What a loop has done since it began: a snapshot, each number exact by itself.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Counters {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Counters {
            /// Adds what another loop has done.
            pub(crate) fn add(&mut self, other: &Counters) {
                $(self.$name = self.$name.wrapping_add(other.$name);)*
            }
        }

        #[derive(Default)]
        pub(crate) struct Cells {
            $(pub(crate) $name: Counter,)*
        }

        impl Cells {
            pub(crate) fn snapshot(&self) -> Counters {
                Counters { $($name: self.$name.get(),)* }
            }
        }
    };
}

counters! {
    /// Connections that were accepted.
    accepted,
    /// Connections that have ended.
    closed,
    /// Requests that were begun: BEGIN_REQUEST was taken, and not refused at once.
    begun,
    /// Requests that began while another one was active on their connection.
    multiplexed,
    /// Requests that were begun and have ended, however that was.
    ended,
    /// Requests that were refused or answered with an error page by the loop itself.
    refused,
    /// Requests that ended before their answer did: aborted, cut off by a hang-up, or incomplete.
    aborted,
    /// Calls of handlers, tasks and producers that failed or panicked.
    failed,
    /// Connections that were closed for breaking the protocol.
    protocol_errors,
    /// Connections that were closed by a deadline, idle ones not counted.
    timed_out,
    /// Times that reading paused because the web server did not take what was answered.
    paused,
    /// Bytes read.
    bytes_in,
    /// Bytes written.
    bytes_out,
}
