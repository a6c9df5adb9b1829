//! What holds for a whole comparison.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use fcgi_tools::load::Extent;

use crate::process::{Cores, Running, Transport};
use crate::scenarios::Scenario;
use crate::servers::Built;

/// How long a server runs before it is measured.
const WARM_UP: Duration = Duration::from_millis(150);

/// Where and how long things run.
pub(crate) struct Setting {
    pub(crate) built: Built,
    pub(crate) scratch: PathBuf,
    pub(crate) cores: Option<Cores>,
    pub(crate) transport: Transport,
    /// How long each measurement takes; `None` for a few requests instead.
    pub(crate) time: Option<Duration>,
    /// How long a server that moves no byte any more is waited for.
    pub(crate) patience: Duration,
}

impl Setting {
    pub(crate) fn start(&self, words: &[String], blocks: bool) -> io::Result<Running> {
        Running::start(words, blocks, self.transport, &self.scratch, self.cores)
    }

    pub(crate) fn warm_up(&self) -> Extent {
        match self.time {
            Some(_) => Extent::Time(WARM_UP),
            None => Extent::Requests(1),
        }
    }

    pub(crate) fn extent(&self, scenario: &Scenario) -> Extent {
        match self.time {
            Some(time) => Extent::Time(time),
            None => Extent::Requests(scenario.requests(self.fewer())),
        }
    }

    /// By what the number of requests that are counted is divided.
    pub(crate) fn fewer(&self) -> u64 {
        if self.time.is_some() { 1 } else { 20 }
    }
}
