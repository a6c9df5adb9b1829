//! One module for each kind of check.

pub(crate) mod bench;
pub(crate) mod checks;
pub(crate) mod compare;
pub(crate) mod doubling;
pub(crate) mod fuzz;
pub(crate) mod instructions;
pub(crate) mod layers;
pub(crate) mod no_std;
pub(crate) mod packages;
pub(crate) mod tests;
