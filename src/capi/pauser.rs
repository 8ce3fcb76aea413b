//! `stepwell_pauser_t`: what stops a guest that computes, from another thread.

use super::plumbing::guard::{or_abort, or_error, or_null};
use super::plumbing::handles::{stepwell_debugger_t, stepwell_error_t, stepwell_pauser_t};
use super::plumbing::own::{Out, Own, borrow, handle};
use crate::debug::Pauser;

handle!(stepwell_pauser_t => Pauser);

/// A new handle by which other threads have guests of the debugger's store stop. What the store's code looks like with
/// every stop point armed is made now, and for modules that come later; the code that runs does nothing for it. It may
/// be used longer than the debugger and the store, and does nothing then.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_pauser_new(
    debugger: *mut stepwell_debugger_t,
    out: Out<Own<stepwell_pauser_t>>,
) -> Own<stepwell_error_t> {
    or_error("stepwell_pauser_new", || {
        let out = out.check("out")?;
        // SAFETY: C passes a live debugger or NULL.
        let object = unsafe { borrow(debugger, "debugger") }?;
        let pauser = object.debugger.pauser(&mut *object.cell.enter()?)?;
        // SAFETY: `out` is C's.
        unsafe { out.write(Own::new(pauser)) };
        Ok(())
    })
}

/// Deletes the handle. NULL does nothing.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_pauser_delete(pauser: Own<stepwell_pauser_t>) {
    // SAFETY: C gives it back.
    unsafe { pauser.delete("stepwell_pauser_delete", "pauser") }
}

/// Has the guest that computes in the store stop, with the reason `STEPWELL_STOP_PAUSE`: at the instruction at which
/// its debug code can be stopped next, mostly within microseconds. If it is in a host function, that returns first; but
/// where it waits for input or time by WASI, it stops there, shown in its call, and its frames cannot be changed. If
/// none runs, the next one stops at its first instruction, unless `stepwell_pauser_cancel` is called before. Where a
/// breakpoint stands at that instruction, the stop is the breakpoint's, and the pause comes behind it. Called again
/// before the stop, it is one stop.
///
/// False where the system refuses to put other machine code in the place of what runs: the guest then stops behind the
/// next stop of another kind.
///
/// Thread: any, async-signal-safe (`errno` may change).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_pauser_pause(pauser: *const stepwell_pauser_t) -> bool {
    // SAFETY: C passes a live handle or NULL.
    or_null("stepwell_pauser_pause", || Ok(unsafe { borrow(pauser, "pauser") }?.pause()))
}

/// Takes a pause back that no guest has stopped for yet.
///
/// Thread: any, async-signal-safe.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_pauser_cancel(pauser: *const stepwell_pauser_t) {
    or_abort("stepwell_pauser_cancel", || {
        // SAFETY: C passes a live handle or NULL.
        unsafe { borrow(pauser, "pauser") }?.cancel();
        Ok(())
    });
}
