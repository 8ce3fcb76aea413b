//! Running modules: engines, modules, stores, instances and what they hold; calls both ways, traps, the walk over
//! frames, and what a debugger needs below itself: attaching to a store, and events. Machine code is made in `compile/`
//! and owned in `code/`; what a breakpoint or a step is, nothing here knows.
//!
//! # Parts
//!
//! From the top: `handle` (what hosts can do), `control` (how guests are entered and left), `store` (what a store
//! owns), `objects` (what instances are made of), `compiled` (engines and modules). None uses one above it;
//! `tests/layering` holds that.
//!
//! A call, for example: `Func::call` (`handle/func.rs`) checks the values and hands them to `control/call.rs`, which
//! notes the activation in the store's inside (`store/inner.rs`) and enters. A trap on its way out: the signal's
//! landing (`control/trap.rs`) tells those who listen (`control/tell.rs`, `store/events.rs`), walks the frames
//! (`control/frames.rs`), leaves the trap (`objects/trap.rs`) in the store, and unwinds to the activation; `call.rs`
//! takes it from there to the host.
//!
//! # Rules
//!
//! * A handle ([`Func`], [`Memory`], ...) is a pointer with its store's id: used with another store it is an error, and
//!   with its own store in hand the pointer is valid, since a store's objects stay at one address as long as the store
//!   lives, or until a collection ([`Store::collect`]) that was not told of them.
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
pub use crate::compile::{DebugTier, Processor};
pub use crate::sys::profile::Profiler;
pub use crate::sys::stack::HostStack;
pub use compiled::cache::Cache;
pub use compiled::config::Config;
pub use compiled::engine::Engine;
pub use compiled::log::{Fallbacks, LogLevel, Logger};
pub use compiled::machine_code::MachineCode;
pub use compiled::module::{Instruction, Module, ModuleId};
pub use compiled::rerun::{LastRun, RerunCode, RerunRun};
pub use control::frames::{FrameState, KeptFrame, RawFrame};
pub use handle::call::{Call, CallStatus};
pub use handle::func::{RawFunc, TypedFunc};
pub use handle::host::{IntoFunc, KnownType, MakeFunc};
pub use handle::linker::{InstancePre, Linker};
pub use handle::typed::{WasmRet, WasmTy, WasmValues};
pub use objects::attachers::Attacher;
pub use objects::deadline::{Ask, AtDeadline, Interrupter, OnDeadline};
pub use objects::dumped::DumpedFrame;
pub use objects::handles::{
    AnyRef, ExnRef, Extern, ExternRef, Func, Global, Instance, InstanceId, Memory, Root, Table, Tag,
};
pub use objects::host::HostOrigin;
pub use objects::limiter::{Growing, Growth, Limiter};
pub(crate) use objects::not_yet::WouldBlock;
pub use objects::not_yet::{Blocked, BlockedOn, NotYet};
pub use objects::owned::{EventId, StoreId};
pub(crate) use objects::roots::Scope;
pub use objects::roots::{Rooted, Roots};
pub use objects::shared::SharedMemory;
pub use objects::trap::{FrameInfo, Trap};
pub use objects::values::Val;
pub use objects::watched::WATCHED_PAGE;
pub use store::collect::{Collected, StoreUsage};
pub use store::events::{
    Answer, Catcher, Event, EventSink, ExceptionInfo, Grown, HostCalled, Replacement, Side, StandingFrame, StopInfo,
    Told, Touched, TrapInfo,
};
pub use store::inner::StoreLimits;
pub use store::views::{AsStore, AsStoreMut, Caller, Store, StoreMut, StorePtr, StoreRef};
pub use store::virtual_frame::{Looked, Room, VirtualFrame};
