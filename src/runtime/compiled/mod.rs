//! Engines and modules: what is compiled, and shared by all stores. No store is known here.

pub(in crate::runtime) mod binary;
pub(in crate::runtime) mod cache;
pub(in crate::runtime) mod config;
pub(in crate::runtime) mod engine;
pub(in crate::runtime) mod initial;
pub(in crate::runtime) mod kept_pages;
pub(in crate::runtime) mod log;
pub(in crate::runtime) mod machine_code;
pub(in crate::runtime) mod manifest;
pub(in crate::runtime) mod module;
pub(in crate::runtime) mod pool;
pub(in crate::runtime) mod profile;
pub(in crate::runtime) mod rerun;
pub(in crate::runtime) mod serialize;
pub(in crate::runtime) mod stacks;
