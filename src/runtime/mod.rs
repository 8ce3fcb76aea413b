//! Running modules: engines, modules, stores, instances and what they hold; calls both ways, traps, the walk over
//! frames, and what a debugger needs below itself: attaching to a store, and events. Machine code is made in `compile/` and owned in
//! `code/`; what a breakpoint or a step is, nothing here knows.
//!
//! # Rules
//!
//! * A handle ([`Func`], [`Memory`], ...) is a pointer with its store's id: used with another store it is an error, and with its own
//!   store in hand the pointer is valid, since a store's objects stay at one address as long as the store lives, or until a
//!   collection ([`Store::collect`]) that was not told of them.
//! * No reference to the inside of a store is held while a guest runs.
//! * A code address lives in a function's `VMFuncRef` and nowhere else.
//! * No Rust unwinding and no Rust destructor crosses guest frames: errors and panics wait in the store.

mod builtins;
mod call;
mod collect;
mod config;
mod engine;
mod events;
mod frames;
mod func;
mod global;
mod host;
mod instance;
mod instantiate;
mod limits;
mod linker;
mod log;
mod manifest;
mod memory;
mod module;
mod pool;
mod profile;
mod replay;
mod resume;
mod roots;
mod serialize;
mod store;
mod table;
mod trap;
mod typed;
mod values;

pub use crate::abi::VMContext;
pub use crate::abi::{TrapCode, ValRaw};
pub use crate::compile::DebugTier;
pub use crate::sys::profile::Profiler;
pub use crate::sys::stack::HostStack;
pub use collect::{Collected, Root, StoreUsage};
pub use config::Config;
pub use engine::Engine;
pub use events::{EventSink, StopInfo, TrapInfo};
pub use frames::{FramesFrom, RawFrame, VirtualFrame};
pub use func::{Func, RawFunc, TypedFunc};
pub use global::Global;
pub use host::{IntoFunc, MakeFunc};
pub use instance::Instance;
pub use limits::{Ask, Interrupter};
pub use linker::{InstancePre, Linker};
pub use log::{Fallbacks, LogLevel, Logger};
pub use memory::Memory;
pub use module::{Module, ModuleId};
pub use replay::{LastRun, ReplayCode, ReplayRun};
pub use resume::{Replacement, Resume};
pub use roots::{Rooted, Roots};
pub use store::{AsStore, AsStoreMut, Caller, Store, StoreId, StoreLimits, StoreMut, StorePtr, StoreRef};
pub use table::Table;
pub use trap::{FrameInfo, Trap};
pub use typed::{WasmRet, WasmTy, WasmValues};
pub use values::{Extern, ExternRef, Val};

/// The most parameters or results of a host function.
const MAX_HOST_VALUES: usize = 1000;
