//! The work that the benches measure: [`floor`] is the least that reading a request can cost, and
//! [`workloads`] lists it beside what the core does with the same bytes.
//!
//! `benches/core.rs` measures the time of each workload; the program `count` repeats one of them
//! under callgrind, which `cargo xtask instructions` turns into instructions per repetition.
//!
//! [`forms`] has the inputs of forms: those that double, and those whose throughput is compared.
//!
//! [`serving`] is what the servers have in common that the program `compare` puts under load: what
//! they answer, and how they are started.

#![forbid(unsafe_code)]

pub mod floor;
pub mod forms;
mod peer;
pub mod serving;
pub mod workloads;
