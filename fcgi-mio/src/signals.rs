//! The signals by which FastCGI processes are stopped (§7).

use std::array;
use std::ffi::c_int;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::handle::Handle;

/// Those of this process that heed signals. One thread waits for all: each by itself could not tell
/// whether there is another one whom a signal may concern.
static HEEDING: Mutex<Heeding> = Mutex::new(Heeding {
    heeders: Vec::new(),
    has_thread: false,
});

struct Heeding {
    heeders: Vec<Heeder>,
    has_thread: bool,
}

/// Loops that heed signals together.
struct Heeder {
    handle: Handle,
    /// That of their stop at the first signal, and at the second.
    patience: array::IntoIter<Duration, 2>,
}

impl Heeding {
    fn forget_the_dead(&mut self) {
        self.heeders.retain(|heeder| !heeder.handle.is_over());
    }
}

impl Heeder {
    /// Whether the signal changes anything.
    fn heed(&mut self) -> bool {
        let patience = self.patience.next();
        patience.map(|it| self.handle.stop(it)).is_some()
    }
}

/// Stops loops at signals, with so much patience at the first one.
pub(crate) fn watch(handle: Handle, patience: Duration) -> io::Result<()> {
    let mut heeding = HEEDING.lock().unwrap_or_else(PoisonError::into_inner);
    if !heeding.has_thread {
        let mut signals = Signals::new([SIGTERM, SIGINT, SIGUSR1])?;
        let name = String::from("fastcgi signals");
        thread::Builder::new()
            .name(name)
            .spawn(move || signals.forever().for_each(heed))?;
        heeding.has_thread = true;
    }
    heeding.forget_the_dead();
    let patience = [patience, Duration::ZERO].into_iter();
    heeding.heeders.push(Heeder { handle, patience });
    Ok(())
}

/// A signal came.
fn heed(signal: c_int) {
    let mut heeding = HEEDING.lock().unwrap_or_else(PoisonError::into_inner);
    heeding.forget_the_dead();
    let mut is_heeded = false;
    for heeder in &mut heeding.heeders {
        is_heeded |= heeder.heed();
    }
    if !is_heeded {
        // Whatever it is that still runs, it is to end now.
        let _ = emulate_default_handler(signal);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::deferred::Shared;
    use crate::settings::FOREVER;

    const HOUR: Duration = Duration::from_secs(3600);

    /// As one that the program began, or the last request before a retirement.
    #[test]
    fn the_first_signal_has_its_patience_in_a_stop_too() {
        let (shared, inbox) = Shared::new().unwrap();
        let handle = Handle::new(vec![shared.clone()], None);
        watch(handle.clone(), HOUR).unwrap();
        handle.stop(FOREVER);
        let left = || {
            let (_, until) = shared.collect(&mut Vec::new());
            until.unwrap().saturating_duration_since(Instant::now())
        };
        assert!(left() > HOUR);
        heed(SIGTERM);
        assert!(left() > HOUR / 2 && left() <= HOUR);
        heed(SIGTERM);
        assert!(left().is_zero());
        assert!(!handle.is_over());
        drop(inbox);
        assert!(handle.is_over());
    }
}
