//! The opaque types of the C ABI: what C has pointers to. What stands behind each is said where its functions are
//! (`handle!`).

/// An error: a code, a message, and the offset in the Wasm binary where there is one.
///
/// A function that returns `own stepwell_error_t *` returns NULL on success. Otherwise the caller owns the error and
/// deletes it.
pub struct stepwell_error_t {
    _opaque: [u8; 0],
}

/// How an engine is made: `stepwell.h` has the settings.
pub struct wasm_config_t {
    _opaque: [u8; 0],
}

/// An engine: compiles modules, and is shared by stores. Any thread may use it at any time.
pub struct wasm_engine_t {
    _opaque: [u8; 0],
}

/// A store: instances and all they own. It belongs to one thread at a time.
///
/// Every object made in a store keeps it alive: handles may be deleted in any order.
pub struct wasm_store_t {
    _opaque: [u8; 0],
}

/// A stack of the host's own making, a coroutine's. On such a stack the system cannot tell the library how far guests
/// may go, so the host does, with `stepwell_thread_stack_set` at each switch. One that was not told of works as well,
/// if all of the guests' stack (`stepwell_config_max_stack_set`) and of the reserve below it is there, and if no
/// coroutine is left while a guest waits on it.
pub struct stepwell_stack_t {
    _opaque: [u8; 0],
}

/// Ends the guests of a store from other threads. It may outlive the store; then it does nothing.
pub struct stepwell_interrupt_t {
    _opaque: [u8; 0],
}

/// Breakpoints that are prepared once and set in many stores.
pub struct stepwell_breakpoint_set_t {
    _opaque: [u8; 0],
}

/// A call on a stack of its own, which can be left in the middle.
pub struct stepwell_call_t {
    _opaque: [u8; 0],
}

/// Has guests that compute in a debugged store stop, from other threads. It may outlive the store; then it does
/// nothing.
pub struct stepwell_pauser_t {
    _opaque: [u8; 0],
}

/// Has a store call back, at other threads' request, so that a debugger is attached to guests that run. It may outlive
/// the store; then it does nothing.
pub struct stepwell_attacher_t {
    _opaque: [u8; 0],
}

/// How a store is served to debuggers of other programs.
pub struct stepwell_serve_options_t {
    _opaque: [u8; 0],
}

/// A store that debuggers of other programs come to. It keeps its store alive.
pub struct stepwell_server_t {
    _opaque: [u8; 0],
}

/// Stops that wait for another thread to look at them and answer.
pub struct stepwell_stop_queue_t {
    _opaque: [u8; 0],
}

/// A value's type.
pub struct wasm_valtype_t {
    _opaque: [u8; 0],
}

/// A function's type.
pub struct wasm_functype_t {
    _opaque: [u8; 0],
}

/// A global's type.
pub struct wasm_globaltype_t {
    _opaque: [u8; 0],
}

/// A table's type.
pub struct wasm_tabletype_t {
    _opaque: [u8; 0],
}

/// A memory's type.
pub struct wasm_memorytype_t {
    _opaque: [u8; 0],
}

/// A tag's type: a function type without results.
pub struct wasm_tagtype_t {
    _opaque: [u8; 0],
}

/// The type of something imported or exported.
pub struct wasm_externtype_t {
    _opaque: [u8; 0],
}

/// An import: its name and its type.
pub struct wasm_importtype_t {
    _opaque: [u8; 0],
}

/// An export: its name and its type.
pub struct wasm_exporttype_t {
    _opaque: [u8; 0],
}

/// A reference to an object of any kind.
pub struct wasm_ref_t {
    _opaque: [u8; 0],
}

/// A Wasm frame of a trap.
pub struct wasm_frame_t {
    _opaque: [u8; 0],
}

/// A trap: a message, and the Wasm frames that were live.
pub struct wasm_trap_t {
    _opaque: [u8; 0],
}

/// An object of the host's: nothing but an identity, for guests to hold as an `externref`.
pub struct wasm_foreign_t {
    _opaque: [u8; 0],
}

/// A compiled module. It can be instantiated in every store of its engine.
pub struct wasm_module_t {
    _opaque: [u8; 0],
}

/// A module that is of no store: what threads pass each other.
pub struct wasm_shared_module_t {
    _opaque: [u8; 0],
}

/// A function: a guest's or the host's.
pub struct wasm_func_t {
    _opaque: [u8; 0],
}

/// Who called a host function. It is borrowed, for as long as the host function runs.
pub struct stepwell_caller_t {
    _opaque: [u8; 0],
}

/// A function whose type was compared once, for fast calls. It keeps its function and store alive.
pub struct stepwell_typed_func_t {
    _opaque: [u8; 0],
}

/// A global.
pub struct wasm_global_t {
    _opaque: [u8; 0],
}

/// A table of references.
pub struct wasm_table_t {
    _opaque: [u8; 0],
}

/// A linear memory.
pub struct wasm_memory_t {
    _opaque: [u8; 0],
}

/// A memory that stores of one engine, on several threads, have at once. It belongs to no store; a store gets it by
/// `stepwell_memory_from_shared`. Any thread may use it at any time.
pub struct stepwell_sharedmemory_t {
    _opaque: [u8; 0],
}

/// A tag: what kind of exception it is, and what those carry.
pub struct stepwell_tag_t {
    _opaque: [u8; 0],
}

/// An exception: a tag, and values of its type.
pub struct stepwell_exception_t {
    _opaque: [u8; 0],
}

/// Something imported or exported: a function, a global, a table, a memory or a tag.
pub struct wasm_extern_t {
    _opaque: [u8; 0],
}

/// An instance of a module.
pub struct wasm_instance_t {
    _opaque: [u8; 0],
}

/// Names and what they stand for, from which a module's imports are found. Functions defined by
/// `stepwell_linker_define_func` are of no store; other objects are of one, and a linker that has some instantiates in
/// that store only. It belongs to one thread at a time.
pub struct stepwell_linker_t {
    _opaque: [u8; 0],
}

/// A module with its imports found by a linker. What the linker is told later does not change it. Where all imports
/// were defined by `stepwell_linker_define_func` and its kin, it makes instances in any store of the engine, on several
/// threads at once.
pub struct stepwell_instance_pre_t {
    _opaque: [u8; 0],
}

/// What a program gets of the host by WASI preview 1. At first it is nothing: no arguments, no environment, an empty
/// standard input, standard output and error that swallow everything, and no directory.
pub struct stepwell_wasi_config_t {
    _opaque: [u8; 0],
}

/// What programs wrote, kept in memory: given to a configuration as standard output, standard error or both, and read
/// whenever the host likes, also when the store is gone. Programs that fill it up to its limit get `ENOSPC`.
pub struct stepwell_wasi_buffer_t {
    _opaque: [u8; 0],
}

/// A debugger attached to one store. Other stores never notice.
pub struct stepwell_debugger_t {
    _opaque: [u8; 0],
}

/// A guest that was stopped: valid until the stop callback returns. Used later, it is an error.
pub struct stepwell_stop_t {
    _opaque: [u8; 0],
}

/// A Wasm frame of a stopped guest: valid until the stop callback returns. Used later, it is an error: functions return
/// what they say, and `stepwell_last_error()` is set.
pub struct stepwell_frame_t {
    _opaque: [u8; 0],
}

/// A variable of the source in a frame of a stop, what is inside of one, or all variables of a scope. What it is called
/// can be asked for as long as it is there; the rest until the stop callback returns: used later, it is an error.
pub struct stepwell_variable_t {
    _opaque: [u8; 0],
}
