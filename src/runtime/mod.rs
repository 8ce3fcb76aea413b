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

mod compiled;
mod control;
mod handle;
mod objects;
mod store;

pub use crate::abi::VMContext;
pub use crate::abi::{TrapCode, ValRaw};
pub use crate::compile::DebugTier;
pub use crate::sys::profile::Profiler;
pub use crate::sys::stack::HostStack;
pub use compiled::config::Config;
pub use compiled::engine::Engine;
pub use compiled::log::{Fallbacks, LogLevel, Logger};
pub use compiled::module::{Module, ModuleId};
pub use compiled::replay::{LastRun, ReplayCode, ReplayRun};
pub use control::frames::{FramesFrom, RawFrame};
pub use handle::func::{RawFunc, TypedFunc};
pub use handle::host::{IntoFunc, MakeFunc};
pub use handle::linker::{InstancePre, Linker};
pub use handle::typed::{WasmRet, WasmTy, WasmValues};
pub use objects::deadline::{Ask, Interrupter};
pub use objects::handles::{Extern, ExternRef, Func, Global, Instance, Memory, Root, Table};
pub use objects::owned::StoreId;
pub use objects::roots::{Rooted, Roots};
pub use objects::trap::{FrameInfo, Trap};
pub use objects::values::Val;
pub use store::collect::{Collected, StoreUsage};
pub use store::events::{EventSink, Replacement, Resume, StopInfo, TrapInfo, VirtualFrame};
pub use store::inner::StoreLimits;
pub use store::views::{AsStore, AsStoreMut, Caller, Store, StoreMut, StorePtr, StoreRef};
