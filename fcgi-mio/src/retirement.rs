//! The end of a process that has served enough requests.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::handle::Handle;
use crate::settings::FOREVER;

/// Counts the requests of all loops that run together, and stops these when it is enough.
pub(crate) struct Retirement {
    most: NonZeroU64,
    begun: AtomicU64,
    handle: Handle,
}

impl Retirement {
    /// Nothing is counted where there is no maximum.
    pub(crate) fn after(most: Option<NonZeroU64>, handle: Handle) -> Option<Arc<Retirement>> {
        let begun = AtomicU64::new(0);
        most.map(|most| {
            Arc::new(Retirement {
                most,
                begun,
                handle,
            })
        })
    }

    /// Counts a request that begins. `true` for the one that is the last: a stop of all loops has
    /// begun, of which each learns when it looks at its messages.
    pub(crate) fn count(&self) -> bool {
        let begun = self.begun.fetch_add(1, Ordering::Relaxed) + 1;
        let is_last = begun == self.most.get();
        if is_last {
            self.handle.stop(FOREVER);
        }
        is_last
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::deferred::Shared;

    #[test]
    fn one_request_of_all_is_the_last() {
        let (shared, _inbox) = Shared::new().unwrap();
        let retirement =
            Retirement::after(NonZeroU64::new(300), Handle::new(vec![shared], None)).unwrap();
        let count = || (0..100).filter(|_| retirement.count()).count();
        let last: usize = thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(count)).collect();
            threads.into_iter().map(|it| it.join().unwrap()).sum()
        });
        assert_eq!(last, 1);
    }
}
