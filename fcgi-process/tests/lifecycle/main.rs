//! Children's lives under a supervisor without signals: real processes, seen through its events.
#![cfg(target_os = "linux")]

mod identity;
mod kit;
mod replacement;
mod restart;
mod stop;
