//! Waiting for what happens in other processes.

use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take: far longer than it does, so that only a fault gets there.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long to sleep between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Looks until there is something, and gives it back.
///
/// # Panics
///
/// If there is nothing after 20 seconds.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(
            Instant::now() < deadline,
            "waited {PATIENCE:?} in vain for {what}"
        );
        thread::sleep(PAUSE);
    }
}
