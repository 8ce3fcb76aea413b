//! WASI preview 1 as host functions: arguments, environment, clocks, random bytes, standard streams, and files of preopened
//! directories. A [`WasiConfig`] says what a guest gets, and [`WasiConfig::add_to`] defines the functions in a linker.
//!
//! Defined are `args_*`, `environ_*`, `clock_*`, `random_get`, `fd_read`, `fd_write`, `fd_seek`, `fd_tell`, `fd_close`,
//! `fd_fdstat_get`, `fd_filestat_get`, `fd_prestat_*`, `path_open`, `path_filestat_get` and `proc_exit`. A module that imports
//! another function of preview 1 is told so when it is linked.
//!
//! # Rules
//!
//! * A guest has nothing that its configuration does not give it: no file is opened except through a preopened directory, and
//!   `cap-std` keeps paths (`..`, symbolic links, absolute ones) inside it.
//! * Whatever a guest passes in yields an error number for the guest, never a panic, and no allocation of a size that the guest
//!   chooses.
//! * No lock is held and no slice of guest memory is borrowed while a callback of the host's runs.
//! * The room uses `runtime` through its public interface and knows nothing of machine code or debugging.

mod calls;
mod config;
mod errno;
mod files;
mod guest;
mod rights;

pub use config::{Access, OutputFn, WasiConfig};

/// The module that guests import the functions from.
pub const MODULE: &str = "wasi_snapshot_preview1";
