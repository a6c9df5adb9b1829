//! What happens to the children, for the operator.

use std::fmt;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

/// Something happened to a child, or to all of them. `Display` gives one line.
///
/// A `slot` is a child's place, from 1 to the number of children; during a replacement the old and
/// the new child of a place have the same. A `pid` is a process id.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A child was started.
    Started {
        /// Its place.
        slot: usize,
        /// Its process.
        pid: u32,
    },
    /// A child could not be started.
    NotStarted {
        /// Its place.
        slot: usize,
        /// Why.
        error: io::Error,
        /// When it is tried again; `None` in a replacement, which is given up.
        restart: Option<Duration>,
    },
    /// A child has ended.
    Ended {
        /// Its place.
        slot: usize,
        /// Its former process.
        pid: u32,
        /// How; `None` if other code in this process has taken the status.
        status: Option<ExitStatus>,
        /// How long it lived.
        after: Duration,
        /// When another takes its place, zero for at once; `None` if it was told to end, or the
        /// replacement that it was part of is given up.
        restart: Option<Duration>,
    },
    /// New children are about to be started beside the old ones.
    ReplacementBegun,
    /// The new children have settled; the old ones were told to end.
    ReplacementSettled,
    /// The old children have ended.
    ReplacementDone,
    /// One of the new children ended too early or could not be started. The new ones were told to
    /// end; the old ones stay.
    ReplacementGivenUp,
    /// All children were told to end.
    Stopping {
        /// How long they may take before they are killed.
        patience: Duration,
    },
    /// A child that did not end in time was killed, with all of its process group.
    Killed {
        /// Its place.
        slot: usize,
        /// Its process.
        pid: u32,
    },
    /// All children have ended; the supervisor ends.
    Stopped,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Started { slot, pid } => write!(f, "child {slot} started, process {pid}"),
            Event::NotStarted {
                slot,
                error,
                restart,
            } => {
                write!(f, "child {slot} not started: {error}")?;
                next_start(f, *restart)
            }
            Event::Ended {
                slot,
                pid,
                status,
                after,
                restart,
            } => {
                write!(f, "child {slot}, process {pid}, ended after {after:.1?}, ")?;
                how(f, *status)?;
                next_start(f, *restart)
            }
            Event::ReplacementBegun => f.write_str("replacement of the children begun"),
            Event::ReplacementSettled => {
                f.write_str("new children have settled, old ones told to end")
            }
            Event::ReplacementDone => f.write_str("replacement of the children done"),
            Event::ReplacementGivenUp => {
                f.write_str("replacement of the children given up, the old ones stay")
            }
            Event::Stopping { patience } => {
                write!(f, "children told to end, within {patience:?}")
            }
            Event::Killed { slot, pid } => {
                write!(f, "child {slot}, process {pid}, killed, as it did not end")
            }
            Event::Stopped => f.write_str("all children have ended"),
        }
    }
}

fn how(f: &mut fmt::Formatter<'_>, status: Option<ExitStatus>) -> fmt::Result {
    let Some(status) = status else {
        return f.write_str("status unknown");
    };
    match (status.code(), status.signal()) {
        (Some(code), _) => write!(f, "status {code}"),
        (None, Some(signal)) => write!(f, "by signal {signal}"),
        (None, None) => write!(f, "{status}"),
    }
}

fn next_start(f: &mut fmt::Formatter<'_>, restart: Option<Duration>) -> fmt::Result {
    match restart {
        None => Ok(()),
        Some(Duration::ZERO) => f.write_str("; restarting at once"),
        Some(pause) => write!(f, "; restarting in {pause:.1?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(status: Option<i32>, restart: Option<Duration>) -> String {
        Event::Ended {
            slot: 2,
            pid: 77,
            status: status.map(ExitStatus::from_raw),
            after: Duration::from_millis(3_210),
            restart,
        }
        .to_string()
    }

    #[test]
    fn ends_are_told_in_one_line() {
        let pause = Duration::from_millis(100);
        for (line, wanted) in [
            (
                ended(Some(3 << 8), Some(pause)),
                "child 2, process 77, ended after 3.2s, status 3; restarting in 100.0ms",
            ),
            (
                ended(Some(0), Some(Duration::ZERO)),
                "child 2, process 77, ended after 3.2s, status 0; restarting at once",
            ),
            (
                ended(Some(15), None),
                "child 2, process 77, ended after 3.2s, by signal 15",
            ),
            (
                ended(None, None),
                "child 2, process 77, ended after 3.2s, status unknown",
            ),
        ] {
            assert_eq!(line, wanted);
        }
    }
}
