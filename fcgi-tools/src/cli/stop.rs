//! Ctrl-C.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use fcgi_tools::stop;
use signal_hook::flag;

/// A flag that [`stop::signals`] set. The second signal ends the process at once.
pub(super) fn flag_of_signals() -> io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in stop::signals() {
        // Before the flag is set by the same signal.
        flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&stop))?;
        flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}
