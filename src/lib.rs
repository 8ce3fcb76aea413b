//! Stepwell: a WebAssembly engine for C, C++ and Python hosts that can be stopped anywhere.
//!
//! The rooms, top floor first, and what each may use are in `ARCHITECTURE.md`; a test holds the table.
#![warn(missing_docs)]

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
compile_error!(
    "Stepwell supports x86-64 Linux only: its code ownership, signals and frames are written for that target"
);

pub mod abi;
pub mod base;
pub mod capi;
pub mod code;
pub mod compile;
pub mod debug;
pub mod image;
pub mod runtime;
pub mod sys;
pub mod wasi;
pub mod wasm;

pub use base::{Error, ErrorKind, Result};
pub use runtime::{
    Answer, AsStore, AsStoreMut, Caller, Collected, Config, Engine, Event, EventSink, Extern, ExternRef, Fallbacks,
    FrameInfo, Func, Global, HostStack, Instance, IntoFunc, Linker, LogLevel, Logger, Memory, Module, ModuleId,
    Profiler, RawFrame, Replacement, Root, Rooted, StopInfo, Store, StoreId, StoreLimits, StoreMut, StorePtr, StoreRef,
    StoreUsage, Table, Told, Trap, TrapCode, TrapInfo, TypedFunc, Val, ValRaw, VirtualFrame,
};
pub use wasm::{ExternType, Features, FuncType, GlobalType, Limits, MemoryType, TableType, ValType};
