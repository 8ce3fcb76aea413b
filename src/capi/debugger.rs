//! `stepwell_debugger_t`: debugging one store, and the breakpoints in it.

use super::module;
use super::plumbing::cell::{Entered, StoreCell};
use super::plumbing::env::{Env, stepwell_finalizer_t};
use super::plumbing::guard::{or_abort, or_error, or_last_error, or_null, or_value};
use super::plumbing::handles::{stepwell_debugger_t, stepwell_error_t, stepwell_stop_t, wasm_module_t, wasm_store_t};
use super::plumbing::own::{Out, Own, borrow, handle, null, string};
use super::progress::{Progress, stepwell_progress_callback_t};
use super::source::{stepwell_source_t, write_source};
use super::stop::{self, stepwell_action_t, stepwell_stop_callback_t};
use crate::base::{Error, ErrorKind, FuncIndex, Result, WasmOffset};
use crate::debug::{Breakpoint, BreakpointId, Debugger, ExceptionStops};
use crate::runtime::Module;
use std::ffi::{c_char, c_void};
use std::ptr::null_mut;
use std::sync::Arc;

handle!(stepwell_debugger_t => DebuggerObject);

/// A breakpoint's number: unique in its debugger, never 0, never reused.
pub type stepwell_breakpoint_t = u32;

/// What stands behind [`stepwell_debugger_t`].
pub(super) struct DebuggerObject {
    /// The store, kept alive.
    pub(super) cell: Arc<StoreCell>,
    /// The debugger.
    pub(super) debugger: Debugger,
}

/// Attaches a debugger to a store of an engine that is configured for debugging (`stepwell_config_debug_set`), while no
/// guest runs in it. From the next call on, the store runs debug code in a private copy of its own, and `callback` is
/// called at every stop, on the guest's thread. `finalizer(env)` runs when the debugger is gone, or when this fails; it
/// may be NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_debugger_attach(
    store: *mut wasm_store_t,
    callback: stepwell_stop_callback_t,
    env: *mut c_void,
    finalizer: stepwell_finalizer_t,
    out: Out<Own<stepwell_debugger_t>>,
) -> Own<stepwell_error_t> {
    // SAFETY: as our own contract.
    unsafe {
        attach_plain("stepwell_debugger_attach", store, callback, env, finalizer, Progress::new(None, null_mut()), out)
    }
}

/// The same, for stores whose modules may have no debug code yet: `progress` is told how many functions of how many are
/// compiled, and returns whether to go on. Where it returns false, attaching ends with `STEPWELL_ERROR_CANCELLED`; the
/// store is as it was, and attaching can be begun again. `progress` may be NULL.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_debugger_attach_with_progress(
    store: *mut wasm_store_t,
    callback: stepwell_stop_callback_t,
    env: *mut c_void,
    finalizer: stepwell_finalizer_t,
    progress: stepwell_progress_callback_t,
    progress_env: *mut c_void,
    out: Out<Own<stepwell_debugger_t>>,
) -> Own<stepwell_error_t> {
    let progress = Progress::new(progress, progress_env);
    // SAFETY: as our own contract.
    unsafe { attach_plain("stepwell_debugger_attach_with_progress", store, callback, env, finalizer, progress, out) }
}

/// Attaches a debugger with a plain callback, for the C function of this name.
///
/// # Safety
/// As [`attach`], and the callback takes its environment.
unsafe fn attach_plain(
    function: &'static str,
    store: *mut wasm_store_t,
    callback: stepwell_stop_callback_t,
    env: *mut c_void,
    finalizer: stepwell_finalizer_t,
    progress: Progress,
    out: Out<Own<stepwell_debugger_t>>,
) -> Own<stepwell_error_t> {
    let env = Env::new(env, finalizer);
    or_error(function, move || {
        let out = out.check("out")?;
        let callback = callback.ok_or_else(|| null("callback"))?;
        // SAFETY: C registered the callback with this environment.
        let call = move |stop: *mut stepwell_stop_t| Ok(unsafe { callback(env.get(), stop) });
        // SAFETY: by the contract.
        unsafe { out.write(attach(store, call, progress)?) };
        Ok(())
    })
}

/// Attaches a debugger that calls `call` at every stop.
///
/// # Safety
/// The store is NULL or live.
pub(super) unsafe fn attach(
    store: *mut wasm_store_t,
    call: impl Fn(*mut stepwell_stop_t) -> Result<stepwell_action_t> + Send + Sync + 'static,
    progress: Progress,
) -> Result<Own<stepwell_debugger_t>> {
    // SAFETY: by the contract.
    let cell = unsafe { borrow(store, "store") }?.clone();
    let weak = Arc::downgrade(&cell);
    let handler = move |stop: &mut crate::debug::Stop<'_>| stop::call_back(stop, &weak, &call);
    let progress = |done, total| progress.tell(done, total);
    let debugger = Debugger::attach_with_progress(&mut *cell.enter()?, handler, &progress)?;
    Ok(Own::new(DebuggerObject { cell, debugger }))
}

/// Detaches the debugger and deletes it: breakpoints are gone, and the store runs production code again. NULL does
/// nothing.
///
/// Refused while a guest runs in the store, that is, inside a callback of it: the handle stays valid, and
/// `stepwell_last_error()` says so.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_debugger_delete(debugger: Own<stepwell_debugger_t>) {
    or_last_error("stepwell_debugger_delete", || {
        if debugger.is_null() {
            return Ok(());
        }
        {
            // SAFETY: C passes a live debugger.
            let DebuggerObject { cell, debugger } = unsafe { borrow(debugger.as_ptr(), "debugger") }?;
            if cell.in_use() {
                let message = "the debugger cannot be deleted inside a callback of its store; the handle stays valid";
                return Err(Error::new(ErrorKind::State, message));
            }
            debugger.detach(&mut *cell.enter()?)?;
        }
        // SAFETY: C gives it back.
        unsafe { debugger.delete("stepwell_debugger_delete", "debugger") };
        Ok(())
    });
}

/// Sets a breakpoint and writes its number to `out`, unless that is NULL.
///
/// # Safety
/// The pointers are NULL or live, `out` is C's.
unsafe fn set(
    debugger: *mut stepwell_debugger_t,
    module: *const wasm_module_t,
    out: *mut stepwell_breakpoint_t,
    place: impl FnOnce(&Debugger, &mut Entered<'_>, &Module) -> Result<Breakpoint>,
) -> Result<()> {
    // SAFETY: by the contract.
    let (object, module) = unsafe { (borrow(debugger, "debugger")?, module::get(module)?) };
    let breakpoint = place(&object.debugger, &mut object.cell.enter()?, module)?;
    if let Some(out) = Out::plain(out).optional() {
        // SAFETY: by the contract.
        unsafe { out.write(breakpoint.id.get()) };
    }
    Ok(())
}

/// Sets a breakpoint at the instruction at `offset` bytes from the start of `module`, or the next one that can be
/// reached in the same function: `stepwell_breakpoint_offset` says where. An offset outside every function's body is an
/// error. The module need not be instantiated yet. The breakpoint's number is written to `out`, which may be NULL. Also
/// allowed inside a stop; it takes effect before the guest goes on.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_breakpoint_add(
    debugger: *mut stepwell_debugger_t,
    module: *const wasm_module_t,
    offset: usize,
    out: *mut stepwell_breakpoint_t,
) -> Own<stepwell_error_t> {
    or_error("stepwell_breakpoint_add", || {
        let offset = u32::try_from(offset).map_err(|_| {
            Error::new(ErrorKind::Argument, format!("`offset` is {offset}; a module has less than 4 GiB"))
        })?;
        // SAFETY: C passes live objects or NULL, and `out` is C's.
        unsafe {
            set(debugger, module, out, |debugger, store, module| {
                debugger.break_at(&mut **store, module, WasmOffset::new(offset))
            })
        }
    })
}

/// Sets a breakpoint at the first instruction of the function of this name: an export's, else one of the module's name
/// section. Otherwise as `stepwell_breakpoint_add`.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_breakpoint_add_at_function(
    debugger: *mut stepwell_debugger_t,
    module: *const wasm_module_t,
    name: *const c_char,
    out: *mut stepwell_breakpoint_t,
) -> Own<stepwell_error_t> {
    or_error("stepwell_breakpoint_add_at_function", || {
        // SAFETY: C passes a C string or NULL.
        let name = unsafe { string(name, "name") }?;
        // SAFETY: C passes live objects or NULL, and `out` is C's.
        unsafe {
            set(debugger, module, out, |debugger, store, module| debugger.break_at_name(&mut **store, module, name))
        }
    })
}

/// Sets a breakpoint at the first instruction of a function by its index, imports counted. Otherwise as
/// `stepwell_breakpoint_add`.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_breakpoint_add_at_function_index(
    debugger: *mut stepwell_debugger_t,
    module: *const wasm_module_t,
    index: u32,
    out: *mut stepwell_breakpoint_t,
) -> Own<stepwell_error_t> {
    or_error("stepwell_breakpoint_add_at_function_index", || {
        // SAFETY: C passes live objects or NULL, and `out` is C's.
        unsafe {
            set(debugger, module, out, |debugger, store, module| {
                debugger.break_at_function(&mut **store, module, FuncIndex::new(index))
            })
        }
    })
}

/// Removes a breakpoint. Also allowed inside a stop; it takes effect before the guest goes on.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_breakpoint_remove(
    debugger: *mut stepwell_debugger_t,
    breakpoint: stepwell_breakpoint_t,
) -> Own<stepwell_error_t> {
    or_error("stepwell_breakpoint_remove", || {
        // SAFETY: C passes a live debugger or NULL.
        let object = unsafe { borrow(debugger, "debugger") }?;
        object.debugger.remove(&mut *object.cell.enter()?, BreakpointId::new(breakpoint))
    })
}

/// With `on`, every instruction of every call stops from now on, whatever the callback answers, beginning with the
/// first one; without, that ends. Also allowed inside a stop.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_debugger_step_always_set(
    debugger: *mut stepwell_debugger_t,
    on: bool,
) -> Own<stepwell_error_t> {
    or_error("stepwell_debugger_step_always_set", || {
        // SAFETY: C passes a live debugger or NULL.
        let object = unsafe { borrow(debugger, "debugger") }?;
        object.debugger.step_always(&mut *object.cell.enter()?, on)
    })
}

/// Which exceptions are stops, one of `enum stepwell_exception_stops_enum`.
pub type stepwell_exception_stops_t = i32;

/// Which exceptions are stops.
#[repr(C)]
pub enum stepwell_exception_stops_enum {
    /// None.
    STEPWELL_EXCEPTION_STOPS_NONE = 0,
    /// Those that no frame catches, up to the last that the host has entered.
    STEPWELL_EXCEPTION_STOPS_UNCAUGHT = 1,
    /// All.
    STEPWELL_EXCEPTION_STOPS_ALL = 2,
}

/// Says which exceptions are stops from now on, with the reason `STEPWELL_STOP_EXCEPTION`; none are at first. Those
/// that are none still end a step where they are caught. Also allowed inside a stop.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_debugger_stop_at_exceptions_set(
    debugger: *mut stepwell_debugger_t,
    which: stepwell_exception_stops_t,
) -> Own<stepwell_error_t> {
    or_error("stepwell_debugger_stop_at_exceptions_set", || {
        use stepwell_exception_stops_enum as e;
        // SAFETY: C passes a live debugger or NULL.
        let object = unsafe { borrow(debugger, "debugger") }?;
        let which = match which {
            _ if which == e::STEPWELL_EXCEPTION_STOPS_NONE as i32 => ExceptionStops::None,
            _ if which == e::STEPWELL_EXCEPTION_STOPS_UNCAUGHT as i32 => ExceptionStops::Uncaught,
            _ if which == e::STEPWELL_EXCEPTION_STOPS_ALL as i32 => ExceptionStops::All,
            _ => return Err(Error::new(ErrorKind::Argument, format!("{which} says nothing of exceptions"))),
        };
        object.debugger.stop_at_exceptions(&mut *object.cell.enter()?, which)
    })
}

/// How many breakpoints there are.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_debugger_breakpoint_count(debugger: *const stepwell_debugger_t) -> usize {
    or_abort("stepwell_debugger_breakpoint_count", || {
        // SAFETY: C passes a live debugger or NULL.
        let DebuggerObject { cell, debugger } = unsafe { borrow(debugger, "debugger") }?;
        debugger.breakpoint_count(&*cell.enter_to_look()?)
    })
}

/// A breakpoint by its number.
///
/// # Safety
/// The pointer is NULL or live.
unsafe fn find(debugger: *const stepwell_debugger_t, breakpoint: stepwell_breakpoint_t) -> Result<Breakpoint> {
    // SAFETY: by the contract.
    let DebuggerObject { cell, debugger } = unsafe { borrow(debugger, "debugger") }?;
    let found = debugger.breakpoint(&*cell.enter_to_look()?, BreakpointId::new(breakpoint))?;
    found.ok_or_else(|| Error::new(ErrorKind::Argument, format!("the debugger has no breakpoint {breakpoint}")))
}

/// Where a breakpoint stands: the byte offset of its instruction from the start of its module. `SIZE_MAX` if there is
/// no such breakpoint.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_breakpoint_offset(
    debugger: *const stepwell_debugger_t,
    breakpoint: stepwell_breakpoint_t,
) -> usize {
    // SAFETY: C passes a live debugger or NULL.
    or_value("stepwell_breakpoint_offset", usize::MAX, || Ok(unsafe { find(debugger, breakpoint) }?.offset.index()))
}

/// The index of the function a breakpoint stands in, imports counted. `UINT32_MAX` if there is no such breakpoint.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_breakpoint_func_index(
    debugger: *const stepwell_debugger_t,
    breakpoint: stepwell_breakpoint_t,
) -> u32 {
    // SAFETY: C passes a live debugger or NULL.
    or_value("stepwell_breakpoint_func_index", u32::MAX, || Ok(unsafe { find(debugger, breakpoint) }?.func.get()))
}

/// Writes where in the source a breakpoint stands to `out`, as `stepwell_module_source` does for its instruction: with
/// `index` 0 the place itself, whose line is the one that the breakpoint really is at. False, and nothing written,
/// beyond the last, where it is not known, or if there is no such breakpoint.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_breakpoint_source(
    debugger: *const stepwell_debugger_t,
    breakpoint: stepwell_breakpoint_t,
    index: usize,
    out: *mut stepwell_source_t,
) -> bool {
    or_null("stepwell_breakpoint_source", || {
        // SAFETY: C passes a live debugger or NULL.
        let breakpoint = unsafe { find(debugger, breakpoint) }?;
        // SAFETY: `out` is C's.
        unsafe { write_source(&breakpoint.module.locations(breakpoint.offset), index, out) }
    })
}
