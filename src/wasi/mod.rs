//! WASI preview 1 as host functions: arguments, environment, clocks, random bytes, standard streams, and files of
//! preopened directories. A [`WasiConfig`] says what a guest gets. [`define`] defines the functions in a linker, once
//! for all stores, and [`WasiConfig::give_to`] gives a store what its guests get. Or [`WasiConfig::add_to`] does both
//! for one store.
//!
//! All functions of `wasi_snapshot_preview1` are there. Sockets are not: no descriptor is one, and the `sock_*`
//! functions say so. `proc_raise` is refused. Threads, by `thread-spawn` of the proposal wasi-threads, are there for
//! those that are given some.
//!
//! # Rules
//!
//! * A guest has nothing that its configuration does not give it: no file is opened except through a preopened
//!   directory, and `cap-std` keeps paths (`..`, symbolic links, absolute ones) inside it.
//! * Whatever a guest passes in yields an error number for the guest, never a panic, and no allocation of a size that
//!   the guest chooses.
//! * The table of descriptors is not locked and no slice of guest memory is borrowed while a callback of the host's
//!   runs, or while one is dropped. A callback's own lock is only ever tried.
//! * Threads of a program share the table of descriptors. It is not locked while a thread sleeps; one that waits to
//!   read
//!   keeps the others from it, and is looked after as all that may be ended.
//! * The room uses `runtime` through its public interface and knows nothing of machine code or debugging.

mod calls;
mod config;
mod errno;
mod files;
mod guest;
mod listing;
mod program;
mod rights;
mod streams;
mod threads;

use crate::base::Result;
use crate::runtime::Linker;

pub use config::{Access, WasiConfig};
pub use streams::{InputFn, OutputBuffer, OutputFn};

/// The module that guests import the functions from.
pub const MODULE: &str = "wasi_snapshot_preview1";

/// Defines the functions of [`MODULE`] in a linker, for instances of every store of its engine, and `thread-spawn` of
/// the proposal wasi-threads. What they give a guest is that of the store it calls from: [`WasiConfig::give_to`]. A
/// call in a store that has nothing is a trap, which says so; `thread-spawn` where there may be no threads yields
/// `EAGAIN`.
///
/// # Errors
/// [`ErrorKind::Argument`](crate::base::ErrorKind::Argument) where one is defined already.
pub fn define(linker: &mut Linker) -> Result<()> {
    threads::define_for_stores(linker)?;
    calls::define(linker, None, &program::Source::Store)
}
