//! `stepwell_debugger_t`: debugging one store.

use super::plumbing::cell::StoreCell;
use super::plumbing::env::{Env, stepwell_finalizer_t};
use super::plumbing::guard::{or_abort, or_error, or_last_error};
use super::plumbing::handles::{stepwell_debugger_t, stepwell_error_t, stepwell_stop_t, wasm_store_t};
use super::plumbing::own::{Out, Own, borrow, handle, null};
use super::progress::{Progress, stepwell_progress_callback_t};
use super::stop::{self, stepwell_action_t, stepwell_stop_callback_t};
use crate::base::{Error, ErrorKind, Result};
use crate::debug::{Debugger, ExceptionStops};
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::Arc;

handle!(stepwell_debugger_t => DebuggerObject);

/// What stands behind [`stepwell_debugger_t`].
pub(super) struct DebuggerObject {
    /// The store, kept alive.
    pub(super) cell: Arc<StoreCell>,
    /// The debugger.
    pub(super) debugger: Debugger,
}

/// Attaches a debugger to a store of an engine that is configured for debugging (`stepwell_config_debug_set`). From the
/// next call on, the store runs debug code in a private copy of its own, and `callback` is called at every stop, on the
/// guest's thread. `finalizer(env)` runs when the debugger is gone, or when this fails; it may be NULL.
///
/// Guests may be running, which have called the host function in which this is called. Their frames go on in production
/// code until they return (`stepwell_frame_is_production`); what they call is debug code.
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
