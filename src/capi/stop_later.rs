//! `stepwell_stop_t`: stops that are answered later, while the call's stack was left.

use super::plumbing::guard::{or_error, or_null};
use super::plumbing::handles::{stepwell_call_t, stepwell_debugger_t, stepwell_error_t, stepwell_stop_t};
use super::plumbing::own::{Own, borrow};
use super::stop::{self, stepwell_action_t};

/// The stop at which a call's guest stands, whose callback has said `STEPWELL_ACTION_LATER`. It is lent, until the call
/// is run or deleted, or its stop is asked for again: till then all that can be done with a stop in its callback, but
/// to serve other threads, can be done with it, on any thread that has the store. NULL where it stands at none;
/// `stepwell_last_error()` says so.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_debugger_stop_of(
    debugger: *const stepwell_debugger_t,
    call: *const stepwell_call_t,
) -> *mut stepwell_stop_t {
    or_null("stepwell_debugger_stop_of", || {
        // SAFETY: C passes live objects or NULL.
        let (debugger, object) = unsafe { (borrow(debugger, "debugger")?, borrow(call, "call")?.clone()) };
        let (id, stop) = stop::stand(&object.cell, &debugger.debugger, object.call)?;
        object.set_stop(Some(id));
        Ok(stop)
    })
}

/// Says what a call's guest that stands at a stop is to do when the call is run next; what the action needs is said
/// before, by the stop of `stepwell_debugger_stop_of`. Without an answer it goes on; what was said last counts.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_debugger_answer(
    debugger: *const stepwell_debugger_t,
    call: *const stepwell_call_t,
    action: stepwell_action_t,
) -> Own<stepwell_error_t> {
    or_error("stepwell_debugger_answer", || {
        // SAFETY: C passes live objects or NULL.
        let (debugger, object) = unsafe { (borrow(debugger, "debugger")?, borrow(call, "call")?.clone()) };
        let action = stop::later_action(object.stop(), action);
        debugger.debugger.answer(&mut *object.cell.enter_to_look()?, object.call, action)
    })
}
