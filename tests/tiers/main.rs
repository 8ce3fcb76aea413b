//! The tiers of code held against each other; `support/tiers` says how.

mod regions;
#[path = "../support/tiers/mod.rs"]
mod tiers;
mod traps;
