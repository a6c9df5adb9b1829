//! One request over descriptors: applications played by hand at the other end of a socket pair.

mod flows;
mod played;
mod verdicts;
