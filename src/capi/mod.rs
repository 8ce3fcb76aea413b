//! The C ABI: every exported function, one file per C noun. `include/wasm.h` and `include/stepwell.h` are generated
//! from this room by `cargo xtask headers`; `docs/c-api-conventions.md` has the rules.
//!
//! Signatures are spelled out, never made by a macro: cbindgen would not see them, and a function would be exported
//! that no header declares. `vecs.rs` and `refs.rs` are written by `cargo xtask headers` too.
//!
//! `plumbing/` is what all of them stand on: it knows the opaque types, and no noun's functions.
//!
//! No logic lives here: functions check what C passed, translate, and call the rooms below.

// The names are C's, and the safety contract of all functions is one: what the header says of each parameter.
#![allow(non_camel_case_types, clippy::missing_safety_doc)]
// Signatures name the ownership types; what they can do is this room's affair.
#![allow(private_bounds)]

mod plumbing;

pub mod attacher;
pub mod breakpoint;
pub mod breakpoint_options;
pub mod breakpoint_set;
pub mod bytes;
pub mod call;
pub mod caller;
pub mod collect;
pub mod config;
mod core_dump;
pub mod coverage;
pub mod debugger;
pub mod engine;
pub mod error;
pub mod exception;
pub mod exporttype;
pub mod external;
pub mod externtype;
pub mod foreign;
pub mod frame;
mod frame_variable;
pub mod func;
pub mod functype;
pub mod global;
pub mod globaltype;
pub mod guarded;
pub mod heap_object;
mod host_func;
pub mod importtype;
pub mod instance;
pub mod instance_pre;
pub mod limits;
pub mod linker;
pub mod log;
pub mod memory;
pub mod memorytype;
pub mod module;
pub mod module_about;
pub mod module_function;
pub mod module_serialize;
pub mod module_source;
pub mod outcome;
pub mod pauser;
pub mod profile;
pub mod progress;
pub mod reference;
pub mod refs;
pub mod server;
pub mod sharedmemory;
pub mod source;
pub mod stop;
mod stop_change;
pub mod stop_event;
pub mod stop_frame;
pub mod stop_later;
pub mod stop_queue;
mod stop_step;
pub mod store;
pub mod table;
pub mod tabletype;
pub mod tagtype;
pub mod thread;
pub mod trap;
pub mod type_object;
pub mod typed_func;
pub mod v128;
pub mod val;
pub mod valtype;
pub mod variable;
pub mod vecs;
pub mod version;
pub mod wasi;
pub mod wat;
pub mod watchpoint;
