//! The protocol core's two machines under test: what they must see, what they saw, and a
//! conversation between them.
//!
//! Expectations ([`Transcript`]) are built by hand; only [`observe`] and [`talk`] know the core.

pub mod conversations;
pub mod observe;
pub mod talk;
mod transcript;

pub use transcript::{Log, Seen, Transcript, joined};
