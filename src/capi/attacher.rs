//! `stepwell_attacher_t`: what has a store call back, at other threads' request, so that a debugger can be attached to
//! guests that run.

use super::limits::stepwell_ask_callback_t;
use super::outcome::stepwell_outcome_t;
use super::plumbing::env::{Env, stepwell_finalizer_t};
use super::plumbing::guard::{or_abort, or_error};
use super::plumbing::handles::{stepwell_attacher_t, stepwell_error_t, wasm_store_t};
use super::plumbing::own::{Out, Own, borrow, handle, null};
use crate::runtime::{Attacher, StoreMut};
use std::ffi::c_void;

handle!(stepwell_attacher_t => Attacher);

/// A new handle by which other threads have the store call `callback`, on the thread that uses the store: so that it
/// attaches a debugger, by `stepwell_debugger_attach`, whatever guests run. Where it is called in the middle of a
/// guest, calls of the store's guests are refused. A trap in the outcome ends the guest's call, and so does an outcome
/// that is not done. While nobody asks, it costs one look at a word where guests are entered and where host functions
/// return. An error where the engine is not configured for debugging (`stepwell_config_debug_set`).
///
/// `finalizer(env)` runs when the handle is deleted, or behind the callback if that runs then, or when this fails; it
/// may be NULL. The handle may be used longer than the store, and does nothing then.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_attacher_new(
    store: *mut wasm_store_t,
    callback: stepwell_ask_callback_t,
    env: *mut c_void,
    finalizer: stepwell_finalizer_t,
    out: Out<Own<stepwell_attacher_t>>,
) -> Own<stepwell_error_t> {
    let env = Env::new(env, finalizer);
    or_error("stepwell_attacher_new", move || {
        let out = out.check("out")?;
        // SAFETY: C passes a live store or NULL.
        let cell = unsafe { borrow(store, "store") }?;
        let callback = callback.ok_or_else(|| null("callback"))?;
        let call = move |_: &mut StoreMut<'_>| {
            // SAFETY: C registered the callback with this environment.
            stepwell_outcome_t::of("attach callback", |out| unsafe { callback(env.get(), out) }).map(drop)
        };
        let attacher = cell.enter()?.attacher(call)?;
        // SAFETY: `out` is C's.
        unsafe { out.write(Own::new(attacher)) };
        Ok(())
    })
}

/// Deletes the handle. What was asked for and not called is not called any more. NULL does nothing.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_attacher_delete(attacher: Own<stepwell_attacher_t>) {
    // SAFETY: C gives it back.
    unsafe { attacher.delete("stepwell_attacher_delete", "attacher") }
}

/// Has the store call the callback at the next of these: the host enters a guest of the store; a host function returns
/// to the guest that has called it; the guest begins a function or a turn of a loop, or waits for another thread, where
/// the engine was configured with `stepwell_config_epoch_set` or `stepwell_config_fuel_set`. With fuel and no epochs
/// that may be some thousand turns later. Asked again before that, it is called once.
///
/// Thread: any, async-signal-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_attacher_request(attacher: *const stepwell_attacher_t) {
    or_abort("stepwell_attacher_request", || {
        // SAFETY: C passes a live handle or NULL.
        unsafe { borrow(attacher, "attacher") }?.request();
        Ok(())
    });
}

/// Takes a request back for which the store has not begun to call.
///
/// Thread: any, async-signal-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_attacher_cancel(attacher: *const stepwell_attacher_t) {
    or_abort("stepwell_attacher_cancel", || {
        // SAFETY: C passes a live handle or NULL.
        unsafe { borrow(attacher, "attacher") }?.cancel();
        Ok(())
    });
}
