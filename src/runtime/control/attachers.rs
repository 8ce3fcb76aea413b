//! Calling the host back that has asked for it from another thread, with the store at rest: no guest of it runs, or all
//! wait, and where they do is noted. So a debugger can be attached.

use crate::base::Result;
use crate::runtime::store::inner::StoreInner;
use crate::runtime::store::leaving::outside;
use crate::sys::floats::HostFloats;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::NonNull;

/// Calls all that is asked for. A panic poisons the store and goes on.
///
/// # Safety
/// The store is alive, and no reference to its inside is held. If guests of it wait, where they have been left is
/// noted, and others may be called within.
#[cold]
#[inline(never)]
pub(in crate::runtime) unsafe fn serve(store: NonNull<StoreInner>) -> Result<()> {
    // SAFETY: the caller's promise; each reference to the inside ends before the host is called. What comes out of the
    // store and is kept by nobody is given up behind each call.
    unsafe {
        let at = store.as_ptr();
        while let Some(due) = (*at).attachers.next() {
            let scope = (*at).roots.scope();
            let outcome = catch_unwind(AssertUnwindSafe(|| outside(store, || due.call(store.cast()))));
            (*at).roots.end_scope(scope);
            match outcome {
                Ok(outcome) => outcome?,
                Err(payload) => {
                    (*at).poisoned = true;
                    resume_unwind(payload)
                }
            }
        }
        Ok(())
    }
}

/// The same where a guest looks whether its deadline is over, or for more fuel: it waits where no other may be called.
/// False if an error ends it, which is left where the host's reasons for that are.
///
/// # Safety
/// As [`serve`], but for what may be called within.
#[cold]
#[inline(never)]
pub(in crate::runtime) unsafe fn serve_at_check(store: NonNull<StoreInner>) -> bool {
    // SAFETY: handed on to the caller.
    unsafe {
        let at = store.as_ptr();
        if !(*at).deadline.begin_asking() {
            return true;
        }
        let floats = HostFloats::of((*at).vm.activation);
        let outcome = catch_unwind(AssertUnwindSafe(|| serve(store)));
        drop(floats);
        match outcome {
            Ok(outcome) => {
                let goes_on = outcome.is_ok();
                (*at).deadline.answer(outcome.err());
                goes_on
            }
            Err(payload) => {
                (*at).deadline.answer(None);
                resume_unwind(payload)
            }
        }
    }
}
