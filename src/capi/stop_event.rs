//! What a stop is about that is an event: a module, an instance, a memory, or a call of a host function.

use super::debugger::DebuggerObject;
use super::plumbing::guard::{or_abort, or_error, or_null, or_value};
use super::plumbing::handles::{
    stepwell_debugger_t, stepwell_error_t, stepwell_stop_t, wasm_func_t, wasm_instance_t, wasm_memory_t, wasm_module_t,
};
use super::plumbing::object::Object;
use super::plumbing::own::{Out, Own, borrow};
use super::stop::{with_import, with_reason, with_stop_to_change};
use super::stop_frame::write_list;
use super::val::wasm_val_t;
use crate::base::{Error, ErrorKind};
use crate::debug::{Events, Reason};
use std::ffi::c_char;

/// A set of events, of `enum stepwell_event_enum`.
pub type stepwell_events_t = u32;

/// Events that are stops where they are asked for. More may come.
#[repr(C)]
pub enum stepwell_event_enum {
    /// A guest traps: `STEPWELL_STOP_TRAP`. This alone is on at first.
    STEPWELL_EVENT_TRAP = 1,
    /// The store has a module that it had not: `STEPWELL_STOP_MODULE`.
    STEPWELL_EVENT_MODULE = 2,
    /// An instance has been made: `STEPWELL_STOP_INSTANCE`.
    STEPWELL_EVENT_INSTANCE = 4,
    /// A memory has grown: `STEPWELL_STOP_MEMORY_GROWN`.
    STEPWELL_EVENT_MEMORY_GROWN = 8,
    /// A guest calls a host function: `STEPWELL_STOP_HOST_CALL`.
    STEPWELL_EVENT_HOST_CALL = 16,
    /// A host function returns to a guest: `STEPWELL_STOP_HOST_RETURN`.
    STEPWELL_EVENT_HOST_RETURN = 32,
}

const _: () = {
    use stepwell_event_enum::*;
    assert!(STEPWELL_EVENT_TRAP as u32 == Events::TRAP.bits());
    assert!(STEPWELL_EVENT_MODULE as u32 == Events::MODULE.bits());
    assert!(STEPWELL_EVENT_INSTANCE as u32 == Events::INSTANCE.bits());
    assert!(STEPWELL_EVENT_MEMORY_GROWN as u32 == Events::MEMORY_GROWN.bits());
    assert!(STEPWELL_EVENT_HOST_CALL as u32 == Events::HOST_CALL.bits());
    assert!(STEPWELL_EVENT_HOST_RETURN as u32 == Events::HOST_RETURN.bits());
};

/// Says which events are stops from now on, as a set: `STEPWELL_EVENT_TRAP | STEPWELL_EVENT_HOST_CALL`. What is not in
/// it costs nothing.
///
/// A guest may wait at such a stop, for a host function or in `memory.grow`: its frames are shown, cannot be changed,
/// and a step starts there. A step that was under way is over. Where no guest waits there are no frames, and nothing
/// can be stepped. What runs within the callback is not told of by these events, but for traps.
/// `STEPWELL_ACTION_TRAP` fails what is told of: the instantiation, the growing, the call. Also allowed inside a stop.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_debugger_events_set(
    debugger: *mut stepwell_debugger_t,
    events: stepwell_events_t,
) -> Own<stepwell_error_t> {
    or_error("stepwell_debugger_events_set", || {
        // SAFETY: C passes a live debugger or NULL.
        let DebuggerObject { cell, debugger } = unsafe { borrow(debugger, "debugger") }?;
        let set = Events::from_bits(events).ok_or_else(|| {
            let message = format!("`events` is {events:#x}, of which {:#x} is no event", events & !Events::ALL.bits());
            Error::new(ErrorKind::Argument, message)
        })?;
        debugger.set_events(&mut *cell.enter()?, set)
    })
}

/// Which events are stops.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_debugger_events(debugger: *const stepwell_debugger_t) -> stepwell_events_t {
    or_abort("stepwell_debugger_events", || {
        // SAFETY: C passes a live debugger or NULL.
        let DebuggerObject { cell, debugger } = unsafe { borrow(debugger, "debugger") }?;
        Ok(debugger.events(&*cell.enter_to_look()?)?.bits())
    })
}

/// The module that the store has now, or of which there is another instance; NULL if neither is the reason.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_stop_module(stop: *mut stepwell_stop_t) -> Own<wasm_module_t> {
    or_null("stepwell_stop_module", || {
        with_stop_to_change(stop, |cell, stop| {
            let store = cell.enter_to_look()?;
            let module = match stop.reason() {
                Reason::Module(id) => store.modules().find(|module| module.id() == *id).cloned(),
                Reason::Instance(instance) => Some(instance.module(&*store)?.clone()),
                _ => None,
            };
            Ok(module.map_or(Own::null(), |module| Own::new(Object::new(cell, module))))
        })
    })
}

/// The instance that has been made; NULL if that is not the reason.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_stop_instance(stop: *mut stepwell_stop_t) -> Own<wasm_instance_t> {
    or_null("stepwell_stop_instance", || {
        with_stop_to_change(stop, |cell, stop| match stop.reason() {
            Reason::Instance(instance) => Ok(Own::new(Object::new(cell, *instance))),
            _ => Ok(Own::null()),
        })
    })
}

/// The memory that has grown; NULL if that is not the reason.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_stop_memory(stop: *mut stepwell_stop_t) -> Own<wasm_memory_t> {
    or_null("stepwell_stop_memory", || {
        with_stop_to_change(stop, |cell, stop| match stop.reason() {
            Reason::MemoryGrown(grown) => Ok(Own::new(Object::new(cell, grown.memory))),
            _ => Ok(Own::null()),
        })
    })
}

/// How many pages the memory had before; 0 if that is not the reason.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_stop_memory_old_size(stop: *const stepwell_stop_t) -> u64 {
    or_value("stepwell_stop_memory_old_size", 0, || {
        with_reason(stop, |reason| if let Reason::MemoryGrown(grown) = reason { grown.before } else { 0 })
    })
}

/// The host function that is called, or that returns; NULL if neither is the reason.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_stop_host_func(stop: *mut stepwell_stop_t) -> Own<wasm_func_t> {
    or_null("stepwell_stop_host_func", || {
        with_stop_to_change(stop, |cell, stop| {
            let called = stop.reason().host_call();
            Ok(called.map_or(Own::null(), |called| Own::new(Object::new(cell, called.func))))
        })
    })
}

/// The module from which the guest that calls imports the host function; NULL if it does not import it, or no call of a
/// host function is the reason. Borrowed: valid until the stop callback returns.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_stop_import_module(stop: *mut stepwell_stop_t) -> *const c_char {
    or_null("stepwell_stop_import_module", || with_import(stop, |(module, _)| module.as_ptr()))
}

/// The name by which it imports it; NULL and borrowed as by `stepwell_stop_import_module`.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_stop_import_name(stop: *mut stepwell_stop_t) -> *const c_char {
    or_null("stepwell_stop_import_name", || with_import(stop, |(_, name)| name.as_ptr()))
}

/// Writes what the host function is called with to `out`, or where it returns, its results: the first `capacity` of
/// them, if there are more. Returns how many there are; 0 if no call of a host function is the reason. What is written
/// is the caller's: give each that may be a reference or a `v128` to `wasm_val_delete`. With a `capacity` of 0, `out`
/// may be NULL.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_stop_host_values(
    stop: *mut stepwell_stop_t,
    out: Out<wasm_val_t>,
    capacity: usize,
) -> usize {
    or_value("stepwell_stop_host_values", 0, || {
        with_stop_to_change(stop, |cell, stop| {
            let values = stop.reason().host_call().map_or(&[][..], |called| &called.values);
            // SAFETY: C has room for `capacity` values at `out`, or passes NULL.
            unsafe { write_list(cell, values, &out, capacity) }
        })
    })
}

/// Whether the host function has failed, so that it returns with a trap or an exception and without results.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_stop_host_failed(stop: *const stepwell_stop_t) -> bool {
    or_null("stepwell_stop_host_failed", || {
        with_reason(stop, |reason| reason.host_call().is_some_and(|called| called.failed))
    })
}
