//! What a host without a debugger sees: modules, instances, values, limits, and code compared with code. One program,
//! which is linked once; what needs a process of its own, for signals, mappings or limits of the system, is a file
//! beside this folder.

mod broken;
mod cache;
mod code_image;
mod collect;
mod configurations;
#[path = "../support/smith.rs"]
mod features;
mod growth;
mod heap;
mod limits;
mod linking;
#[allow(dead_code, reason = "shared with other programs, which use all of it")]
#[path = "../common/machine.rs"]
mod machine;
mod memories;
mod module_limits;
mod processor;
mod proposals;
mod rerun;
mod runtime;
mod suspended;
mod typed_references;
