//! What a guest does that finds its deadline over, or what was laid out of its fuel used up.

use crate::abi::TrapCode;
use crate::code::broken;
use crate::runtime::control::{attachers, call, trap};
use crate::runtime::objects::deadline::{AtDeadline, Verdict};
use crate::runtime::store::calls::{Awaited, CallState};
use crate::runtime::store::events::PcKind;
use crate::runtime::store::inner::StoreInner;
use crate::runtime::store::leaving::{outside, wait_for};
use crate::sys::floats::HostFloats;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::NonNull;

/// What a guest does that finds its deadline over: true if it goes on; else it is to be left, for the reason that is in
/// the store.
///
/// # Safety
/// The store is alive, no reference to its inside is held, and the exit frame is noted.
pub(in crate::runtime) unsafe fn due(store: NonNull<StoreInner>) -> bool {
    // SAFETY: handed on to the caller.
    unsafe { look(store, goes_on_or_waits, TrapCode::Interrupt) }
}

/// The same of a guest that waits for another thread, and cannot leave its stack meanwhile.
///
/// # Safety
/// As [`due`].
pub(in crate::runtime) unsafe fn due_in_wait(store: NonNull<StoreInner>) -> bool {
    // SAFETY: handed on to the caller.
    unsafe { look(store, may_go_on, TrapCode::Interrupt) }
}

/// What a guest does that finds used up what was laid out of its fuel: true if it goes on, with more; else as [`due`].
///
/// # Safety
/// As [`due`].
pub(in crate::runtime) unsafe fn refuel(store: NonNull<StoreInner>) -> bool {
    // SAFETY: handed on to the caller.
    unsafe { look(store, has_more_fuel, TrapCode::OutOfFuel) }
}

impl StoreInner {
    /// Guests may run until the engine's epoch is so many further than it is now, but for one more at least.
    fn extend_deadline(&mut self, epochs: u64) {
        let until = self.engine.epoch().saturating_add(epochs.max(1));
        // There is a deadline, or nobody would have been asked.
        let _ = self.deadline.set(until);
    }
}

/// Whether the guest goes on, by `may`; if not, it is left with the host's error, if there is one, or with this trap.
///
/// # Safety
/// As [`due`].
#[inline(always)]
unsafe fn look(store: NonNull<StoreInner>, may: unsafe fn(NonNull<StoreInner>) -> bool, code: TrapCode) -> bool {
    // SAFETY: the caller's promise; each reference to the inside ends before the host is called.
    unsafe {
        let at = store.as_ptr();
        let goes_on = match catch_unwind(AssertUnwindSafe(|| may(store))) {
            Ok(goes_on) => goes_on,
            Err(payload) => return call::leave_with_panic(store, payload),
        };
        if (*at).registry.is_broken() {
            return call::leave_with_error(store, broken());
        }
        if goes_on {
            return true;
        }
        if let Some(error) = (*at).deadline.take_refusal() {
            return call::leave_with_error(store, error);
        }
        // Where it has been left now: a debugger may have been attached meanwhile.
        let (pc, fp) = ((*at).vm.exit_pc, (*at).vm.exit_fp);
        trap::raise(store, code, pc, fp, PcKind::Return);
        false
    }
}

/// Whether there is more fuel, which is laid out; calls the host first if somebody wants that.
///
/// # Safety
/// The store is alive, and no reference to its inside is held.
#[inline(always)]
unsafe fn has_more_fuel(store: NonNull<StoreInner>) -> bool {
    // SAFETY: the caller's promise; each reference to the inside ends before the host is called.
    unsafe {
        let at = store.as_ptr();
        let had = (*at).fuel_laid_out();
        if (*at).attachers.are_asked() && !attachers::serve_at_check(store) {
            return false;
        }
        if (*at).slice_is_over() && (*at).fuel_left() > had {
            if (*at).call_here().is_none() {
                (*at).stretch_slice();
            } else if !waits(store, Awaited::Slice) {
                return false;
            } else if (*at).fuel_laid_out() > had {
                return true;
            }
        }
        // The host may have said what there is, even that it is what it was: then more, or less, is laid out by now.
        let goes_on = (*at).lay_out_more_than(had);
        if !goes_on {
            (*at).use_fuel_up();
        }
        goes_on
    }
}

/// Has the guest wait: false if it is to be left, for the reason that is left where the host's reasons for that are.
///
/// # Safety
/// The store is alive, no reference to its inside is held, the guest's stack is one that can be left, and the exit
/// frame is noted.
#[inline(always)]
unsafe fn waits(store: NonNull<StoreInner>, what: Awaited) -> bool {
    // SAFETY: the caller's promise.
    match unsafe { wait_for(store, what) } {
        Ok(()) => true,
        Err(error) => {
            // SAFETY: as above.
            unsafe { (*store.as_ptr()).deadline.refuse(error) };
            false
        }
    }
}

/// Whether a guest goes on: it waits where its call is one that waits at deadlines, or where the host says so that is
/// asked. One that goes on then finds a deadline that is still over to be the next epoch's.
///
/// # Safety
/// As [`due`].
unsafe fn goes_on_or_waits(store: NonNull<StoreInner>) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        let at = store.as_ptr();
        loop {
            let yields = (*at).call_here().is_some_and(|call| (*call.as_ptr()).yields);
            if yields && (*at).deadline.is_reached((*at).engine.epoch()) {
                if (*at).attachers.are_asked() && !attachers::serve_at_check(store) {
                    return false;
                }
            } else {
                if !asks_and_goes_on(store) {
                    return false;
                }
                if !std::mem::take(&mut (*at).waits_at_deadline) {
                    return true;
                }
            }
            if !waits(store, Awaited::Deadline) {
                return false;
            }
            let epoch = (*at).engine.epoch();
            if (*at).deadline.is_reached(epoch) {
                (*at).deadline.put_off(epoch.saturating_add(1));
            }
            // There may be another reason to look.
        }
    }
}

/// Whether guests may go on; asks the host if somebody wants that. A call that yields at deadlines goes on to where it
/// can.
///
/// # Safety
/// The store is alive, and no reference to its inside is held.
pub(in crate::runtime) unsafe fn may_go_on(store: NonNull<StoreInner>) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        let at = store.as_ptr();
        let newest = (*at).vm.activation.as_ref();
        let call = newest.and_then(|newest| newest.call.cast::<CallState>().as_ref());
        if call.is_some_and(|call| call.yields) && (*at).deadline.is_reached((*at).engine.epoch()) {
            return true;
        }
        let goes_on = asks_and_goes_on(store);
        // The host is asked again where the guest can wait.
        (*at).waits_at_deadline = false;
        goes_on
    }
}

/// Whether guests may go on; asks the host if somebody wants that, which may say that the guest is to wait.
///
/// # Safety
/// As [`may_go_on`].
unsafe fn asks_and_goes_on(store: NonNull<StoreInner>) -> bool {
    // SAFETY: the caller's promise; each reference to the inside ends before the host is called.
    unsafe {
        let at = store.as_ptr();
        if (*at).attachers.are_asked() && !attachers::serve_at_check(store) {
            return false;
        }
        let epoch = (*at).engine.epoch();
        let verdict = (*at).deadline.judge(epoch);
        if matches!(verdict, Verdict::GoOn | Verdict::End) {
            return matches!(verdict, Verdict::GoOn);
        }
        let floats = HostFloats::of((*at).vm.activation);
        let ask = || match &verdict {
            Verdict::Ask(ask) => ask().map(|()| None),
            Verdict::Over(at_deadline) => at_deadline().map(Some),
            Verdict::GoOn | Verdict::End => Ok(None),
        };
        let answer = catch_unwind(AssertUnwindSafe(|| outside(store, ask)));
        drop(floats);
        let (answer, refusal, panic) = match answer {
            Ok(Ok(answer)) => (answer, None, None),
            Ok(Err(error)) => (None, Some(error), None),
            Err(payload) => (None, None, Some(payload)),
        };
        let goes_on = refusal.is_none() && answer != Some(AtDeadline::End);
        (*at).deadline.answer(refusal);
        if let Some(payload) = panic {
            resume_unwind(payload);
        }
        match answer {
            Some(AtDeadline::Extend(epochs)) => (*at).extend_deadline(epochs),
            // Where the guest cannot leave its stack, it goes on to where it can.
            Some(AtDeadline::Wait) => (*at).waits_at_deadline = true,
            Some(AtDeadline::End) | None => {}
        }
        goes_on
    }
}
