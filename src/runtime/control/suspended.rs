//! Calls on stacks of their own: running them, what a guest does there that waits for a host function, and giving them
//! up. What they are is in `store/calls.rs`.

use crate::abi::{TrapCode, VMContext, VMFuncRef, ValRaw};
use crate::base::{Error, ErrorKind, Result};
use crate::isa;
use crate::runtime::control::{announce, call};
use crate::runtime::objects::host::HostHead;
use crate::runtime::objects::not_yet::{NotYet, WouldBlock};
use crate::runtime::objects::trap::Trap;
use crate::runtime::store::calls::{Awaited, CallName, CallState, Phase, StackLimits};
use crate::runtime::store::inner::{Exit, StoreInner};
use crate::runtime::store::leaving::{go_on, go_to, leave, outside_of, wait_for};
use crate::runtime::store::watch;
use crate::sys::fiber::{Fiber, Switch};
use crate::sys::floats;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::{NonNull, null_mut};

/// Runs a call until it is done, or until its guest waits: then for what. `slice` is how much fuel it may take this
/// time.
///
/// # Errors
/// What the guest has ended with, and then it is done; [`ErrorKind::State`] where it cannot be run now, and what keeps
/// guests from being entered: then it is as before. [`ErrorKind::Argument`] where it was deleted.
///
/// # Panics
/// When a host function or a callback panicked: the panic goes on here, and the store is poisoned.
///
/// # Safety
/// The store is alive, and no reference to its inside is held.
pub(in crate::runtime) unsafe fn run(
    store: NonNull<StoreInner>,
    name: CallName,
    slice: Option<i64>,
) -> Result<Option<Awaited>> {
    // SAFETY: the caller's promise; references to the insides end where they are made.
    unsafe {
        let at = store.as_ptr();
        (*at).check_poison()?;
        // The host may be called here, and may run or delete the call.
        call::check_entry(store).map_err(not_begun)?;
        let call = (*at).call_of(name)?;
        let state = call.as_ptr();
        let awaited = match (*state).phase {
            Phase::New => None,
            Phase::Waits(awaited) => Some(awaited),
            Phase::Runs => return Err(refused("the call runs already: it waits for what has been called in turn")),
            Phase::Done => return Err(refused("the call is done")),
        };
        if matches!(awaited, Some(Awaited::Answer(_))) && (*state).answer.is_none() {
            return Err(refused("a host function that the guest waits for has not been answered"));
        }
        if slice.is_some() && !(*at).has_guests_ask_for_fuel() {
            return Err(refused(
                "guests of this store do not wait where a slice of fuel ends: their code is to be made by an engine \
                 with fuel and slices of it in its configuration",
            ));
        }
        match (*at).vm.activation.is_null() {
            true => call::prepare(&mut *at).map_err(not_begun)?,
            // What was touched before a guest was entered is known by their number.
            false => (*at).runs += 1,
        }
        if (*state).run == 0 {
            (*state).run = (*at).runs;
        }
        // What a host function has changed that the guest waits for is told when it goes on.
        if (*at).watched && !matches!(awaited, Some(Awaited::Answer(_) | Awaited::Io)) {
            call::tell_entry(store)?;
        }
        if (*state).fiber.is_none() {
            begin(store, call)?;
        }
        let outer_slice = (*at).slice;
        let carried = std::mem::take(&mut (*state).carried);
        match slice {
            Some(units) => (*at).begin_slice(units, carried),
            None if outer_slice.is_some() => {
                (*at).slice = None;
                (*at).lay_fuel_out();
            }
            None => {}
        }
        let done = go_on(store, call);
        let laid_out = (*at).end_slice();
        if matches!((*state).phase, Phase::Waits(Awaited::Slice)) {
            (*state).carried = laid_out;
        }
        if let Some(units) = outer_slice {
            (*at).begin_slice(units, 0);
        }
        match (*state).phase {
            Phase::Waits(awaited) if !done => Ok(Some(awaited)),
            _ if (*state).returned => Ok(None),
            _ => Err(call::left(store)),
        }
    }
}

/// Does something while the store, and this thread, is where a call's guest stands at a stop: it is the newest, and
/// guests that are called meanwhile are called within it, on this stack. The work is done once, if there is no error.
///
/// # Errors
/// [`ErrorKind::State`] where it stands at none, and what keeps guests from being entered.
///
/// # Safety
/// As [`run`].
pub(in crate::runtime) unsafe fn visit(
    store: NonNull<StoreInner>,
    name: CallName,
    work: &mut dyn FnMut(),
) -> Result<()> {
    // SAFETY: the caller's promise.
    unsafe {
        let at = store.as_ptr();
        (*at).check_poison()?;
        // The host may be called here, and may run or delete the call.
        call::check_entry(store).map_err(not_begun)?;
        let call = (*at).call_of(name)?;
        let state = call.as_ptr();
        if (*state).phase != Phase::Waits(Awaited::Stop) {
            return Err(refused("the call's guest does not stand at a stop that is to be answered"));
        }
        if (*at).vm.activation.is_null() {
            call::prepare(&mut *at).map_err(not_begun)?;
        }
        let here = StackLimits { limit: (*at).vm.stack_limit, floor: (*at).stack_floor };
        go_to(store, call, here);
        (*state).phase = Phase::Runs;
        (*state).outside += 1;
        let act = &raw mut (*state).activation;
        (*act).host_floats = floats::enter_guest();
        let done = catch_unwind(AssertUnwindSafe(|| {
            let _floats = floats::HostFloats::of(act);
            work();
        }));
        floats::leave_guest((*act).host_floats);
        (*state).outside -= 1;
        (*state).phase = Phase::Waits(Awaited::Stop);
        leave(store, call);
        done.map_or_else(|payload| resume_unwind(payload), Ok)
    }
}

/// Gives a call a stack.
///
/// # Safety
/// As [`run`].
unsafe fn begin(store: NonNull<StoreInner>, call: NonNull<CallState>) -> Result<()> {
    // SAFETY: the caller's promise. The work is run to its end before the call goes, and unwinds nowhere; of what it
    // holds while it waits nothing is a thread's.
    unsafe {
        let state = call.as_ptr();
        let stack = (*store.as_ptr()).engine.stacks().take()?;
        (*state).stack = stack.bounds();
        let newest = (&*store.as_ptr()).entries().find_map(|entry| entry.call.cast::<CallState>().as_ref());
        // Its own, and that of who runs it.
        (*state).depth = newest.map_or(0, |call| call.depth + 1) + 1;
        ((*state).activation.store, (*state).activation.call) = (store.as_ptr().cast(), state.cast());
        (*state).fiber = Some(Fiber::new(stack, move |switch| work(store, call, switch)));
        Ok(())
    }
}

/// What is done on the stack of a call: its guest is called.
///
/// # Safety
/// For [`begin`].
unsafe fn work(store: NonNull<StoreInner>, call: NonNull<CallState>, switch: &Switch) {
    // SAFETY: the caller's promise. Nothing here asks which thread it is on.
    unsafe {
        let (at, state) = (store.as_ptr(), call.as_ptr());
        (*state).switch = switch;
        for (to, (_, value)) in (*state).values.iter_mut().zip(std::mem::take(&mut (*state).held)) {
            *to = value;
        }
        let (func, values) = ((*state).func, (*state).values.as_mut_ptr());
        let act = &raw mut (*state).activation;
        let watched = (*at).watched;
        let returned = match (*state).trampoline {
            None => {
                let head = (*func.as_ptr()).vmctx.cast::<HostHead>();
                let call_it = || {
                    (*state).calls_host = true;
                    ((*head).call)(head.cast(), null_mut(), values)
                };
                outside_or_wait(store, (func, values), false, call_it)
            }
            Some(trampoline) => match if watched { watch::protect(store) } else { Ok(()) } {
                Ok(()) => isa::enter(act, trampoline, func.as_ptr(), null_mut(), values),
                Err(error) => call::leave_with_error(store, error),
            },
        };
        (*state).returned = returned;
        if watched || (*at).watched {
            (*at).forget_changed(act, usize::MAX);
            watch::end_quiet(store);
            if let Err(error) = watch::lift(store) {
                (*state).returned = call::leave_with_error(store, error);
            }
        }
        if (*state).returned {
            let signature = (*at).engine.signature((*func.as_ptr()).sig);
            let results = signature.func().results.iter().zip(&(*state).values);
            (*state).held = results.map(|(ty, value)| (*ty, *value)).collect();
        }
    }
}

/// Calls a host function, `call`, for a guest on a stack of its own: on the stack of whoever runs that; and waits where
/// it has no answer yet. False, with the reason in the store, where the guest is to be left.
///
/// # Safety
/// The store is alive, its newest entry is that of a call on a stack of its own, and no reference to its inside is
/// held. The values are those with which the function is called.
pub(in crate::runtime) unsafe fn outside_or_wait(
    store: NonNull<StoreInner>,
    (func, values): (NonNull<VMFuncRef>, *mut ValRaw),
    from_guest: bool,
    mut call: impl FnMut() -> bool,
) -> bool {
    // SAFETY: the caller's promise; host functions do not unwind.
    unsafe {
        let at = store.as_ptr();
        let Some(state) = (*at).call_here().map(NonNull::as_ptr) else { return call() };
        let number = loop {
            (*state).may_block = (*state).leaves_to_block;
            let done = outside_of(store, &mut call);
            (*state).may_block = false;
            if done {
                (*state).blocked = None;
                return true;
            }
            let Some(Exit::Error(error)) = &(*at).pending else { return false };
            (*state).blocked = error.payload::<WouldBlock>().cloned();
            if let Some(NotYet(number)) = error.payload() {
                break *number;
            }
            if (*state).blocked.is_none() {
                return false;
            }
            (*at).pending = None;
            if let Err(error) = wait_for(store, Awaited::Io) {
                (*state).blocked = None;
                return call::leave_with_error(store, error);
            }
        };
        (*at).pending = None;
        (*state).asked = Some(func);
        if let Err(error) = wait_for(store, Awaited::Answer(number)) {
            // Whoever has given the call up wants to hear nothing of it.
            return call::leave_with_error(store, error);
        }
        let outcome = answered(store, values);
        let outcome = match catch_unwind(AssertUnwindSafe(|| {
            if from_guest && (*at).watched { announce::called(store, func, values, outcome) } else { outcome }
        })) {
            Ok(outcome) => outcome,
            Err(payload) => return call::leave_with_panic(store, payload),
        };
        match outcome {
            Ok(()) => true,
            Err(error) => call::leave_with_error(store, error),
        }
    }
}

/// Puts what a host function was answered where its results are looked for.
///
/// # Safety
/// As [`outside_or_wait`]; the call has been gone on with.
unsafe fn answered(store: NonNull<StoreInner>, values: *mut ValRaw) -> Result<()> {
    // SAFETY: the caller's promise; the results are of the function's type.
    unsafe {
        let Some(call) = (*store.as_ptr()).call_here() else { return Err(refused("the call was lost")) };
        let call = &mut *call.as_ptr();
        call.asked = None;
        call.answer.take().unwrap_or_else(|| Err(refused("the call was not answered")))?;
        for (index, (_, value)) in call.held.drain(..).enumerate() {
            *values.add(index) = value;
        }
        Ok(())
    }
}

/// The call whose entry is the newest of a store, if that is one.
///
/// # Safety
/// The store is alive; nobody changes the call while this is used.
#[inline(always)]
pub(in crate::runtime) unsafe fn call_of_newest<'a>(store: NonNull<StoreInner>) -> Option<&'a mut CallState> {
    // SAFETY: the caller's promise; an activation that a store knows is live, and so is its call.
    unsafe { (*store.as_ptr()).vm.activation.as_ref()?.call.cast::<CallState>().as_mut() }
}

/// Calls a host function again, for a guest that has called it on a stack of its own: from outside.
///
/// # Safety
/// As [`outside_or_wait`]; the function is live, and was called by the guest with this vmctx.
#[cold]
#[inline(never)]
pub(in crate::runtime) unsafe fn call_outside(
    store: NonNull<StoreInner>,
    func: NonNull<VMFuncRef>,
    caller: *mut VMContext,
    values: *mut ValRaw,
) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        let head = (*func.as_ptr()).vmctx.cast::<HostHead>();
        outside_or_wait(store, (func, values), true, || ((*head).call)(head.cast(), caller, values))
    }
}

/// Whether a host function is called by a call of it on a stack of its own. To be asked once.
///
/// # Safety
/// The store is alive.
pub(in crate::runtime) unsafe fn calls_host(store: NonNull<StoreInner>) -> bool {
    // SAFETY: the caller's promise.
    unsafe { call_of_newest(store) }.is_some_and(|call| {
        let calls_host = std::mem::take(&mut call.calls_host);
        // Whom a host function calls in turn has nobody wait for him.
        call.may_block &= calls_host;
        calls_host
    })
}

/// A host function's error, and whether it is that there is no answer yet, for which whoever has called waits. Who
/// cannot wait gets it as an error like any other: nobody further out is to wait in his place.
#[cold]
#[inline(never)]
pub(in crate::runtime) fn is_to_wait(error: Error, waits: bool) -> (Error, bool) {
    match error.payload::<NotYet>().is_some() || error.payload::<WouldBlock>().is_some() {
        false => (error, false),
        true if waits => (error, true),
        true => (Error::new(error.kind(), error.message()), false),
    }
}

/// Why a call was not begun or gone on with, which is no trap of a guest's: too little stack is left where it was to be
/// run.
#[cold]
fn not_begun(error: Error) -> Error {
    match error.payload::<Trap>().and_then(Trap::code) {
        Some(TrapCode::StackOverflow) => refused("there is too little stack left here for what the call's guest calls"),
        _ => error,
    }
}

#[cold]
fn refused(why: &str) -> Error {
    Error::new(ErrorKind::State, why)
}
