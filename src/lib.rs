//! Stepwell: a WebAssembly engine for C, C++ and Python hosts that can be stopped anywhere.
//!
//! The rooms, top floor first, and what each may use are in `ARCHITECTURE.md`; a test holds the table.
#![warn(missing_docs)]
// Heads of rooms speak to those who build them.
#![allow(rustdoc::private_intra_doc_links)]

// Where there is no port, this is the one error, in place of hundreds about names that are not there.
#[cfg(not(stepwell_ported))]
compile_error!(
    "Stepwell runs on x86-64 Linux; there is no port to this machine or system yet.

A port to another machine is a folder of src/isa/ with ARCHITECTURE, ARGUMENT_REGISTERS, ARMED_BYTE, C_CONVENTION, CALL_DISTANCE_BYTES, \
     DETOUR_BYTE, DETOUR_BYTES, DWARF_RETURN_ADDRESS, ELF_MACHINE, ENTRY_RULES, FILL, FLOAT_FLAGS, FRAME_HEAD, FUNCTION_ALIGN, GUEST_FLOATS, HostToWasm, LEVELS, MAX_DISTANCE, NEEDED_FEATURES, PAGE_SIZE, PAGE_TABLE_SPAN, \
     PreservedRegister, RESULT_REGISTERS, ResumeJump, SITE_BYTES, SITE_NOP, STACK_ALIGN, STUB_BYTES, StopContext, TRAP_BYTES, armed_site, \
     builtin_shim, call_distance, call_from_fault, caller_of, check_processor, detour, disassemble, enter, fault_place, feature_name, float_control, frame_rules, is_call, is_write_fault, land, prefetch, preserving_shim, return_place, \
     relaxed, set_float_control, set_single_step, stop_at_fault, stop_handler, stop_stub, unwind and unwound_parts.
A port to another system is a folder of src/sys/ with IN_PIECES, NO_MEMORY, NOT_ALLOWED, SealedFile, Unmoved, address_space_limit, cache, \
     changes, discard, files, map_anonymous, map_anonymous_at, move_mapping, move_pages, profile, protect_failed, put_executable_at, refused, set_last_error, signals, \
     stack_bounds, symbol_at, thread_id, touched, unmap and watching.
What each has to be stands in src/isa/mod.rs and src/sys/mod.rs; build.rs lists the ports."
);

#[cfg(stepwell_ported)]
mod abi;
#[cfg(stepwell_ported)]
pub mod base;
#[cfg(stepwell_ported)]
mod capi;
#[cfg(stepwell_ported)]
mod code;
#[cfg(stepwell_ported)]
mod compile;
#[cfg(stepwell_ported)]
pub mod debug;
#[cfg(stepwell_ported)]
pub mod dwarf;
#[cfg(stepwell_ported)]
mod image;
#[cfg(stepwell_ported)]
#[doc(hidden)]
#[allow(missing_docs)]
pub mod internals;
#[cfg(stepwell_ported)]
mod isa;
#[cfg(stepwell_ported)]
pub mod remote;
#[cfg(stepwell_ported)]
pub mod runtime;
#[cfg(stepwell_ported)]
mod sys;
#[cfg(stepwell_ported)]
pub mod wasi;
#[cfg(stepwell_ported)]
mod wasm;

#[cfg(stepwell_ported)]
pub use base::{Error, ErrorKind, Result};
#[cfg(stepwell_ported)]
pub use dwarf::Location;
#[cfg(stepwell_ported)]
pub use runtime::{
    Answer, AnyRef, AsStore, AsStoreMut, AtDeadline, Blocked, BlockedOn, Cache, Call, CallStatus, Caller, Catcher,
    Collected, Config, Engine, Event, EventSink, ExceptionInfo, ExnRef, Extern, ExternRef, Fallbacks, FrameInfo, Func,
    Global, Growing, Grown, Growth, HostCalled, HostStack, Instance, IntoFunc, Linker, LogLevel, Logger, Memory,
    Module, ModuleId, NotYet, Processor, Profiler, RawFrame, Replacement, Root, Rooted, SharedMemory, StopInfo, Store,
    StoreId, StoreLimits, StoreMut, StorePtr, StoreRef, StoreUsage, Table, Tag, Told, Touched, Trap, TrapCode,
    TrapInfo, TypedFunc, Val, ValRaw, VirtualFrame,
};
#[cfg(stepwell_ported)]
pub use wasm::{
    ArrayType, DefinedType, ExternType, Features, FieldType, FuncType, GlobalType, HeapType, IndexType, Limits,
    MemoryType, PageSize, RefType, StorageType, StructType, TableType, ValType, readable, wat2wasm,
};
