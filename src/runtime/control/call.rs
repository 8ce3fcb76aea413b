//! Entering guest code and leaving it again: activations, the stack limit, errors and panics on their way out.

use crate::abi::{Activation, HOST_FUNC, VMFuncRef, ValRaw};
use crate::base::{Error, ErrorKind, Result};
use crate::isa::{self, HostToWasm};
use crate::runtime::compiled::config::{Config, LEAST_BELOW_FLOOR, LEAST_RESERVE};
use crate::runtime::control::{attachers, dump, tell, trap};
use crate::runtime::objects::host::HostHead;
use crate::runtime::store::events::Event;
use crate::runtime::store::inner::{Exit, StoreInner};
use crate::runtime::store::watch;
use crate::sys::{activation, floats, signals, stack};
use std::any::Any;
use std::panic::resume_unwind;
use std::ptr::{NonNull, null_mut};

/// Leaves `error` in the store for the Rust call that entered the guest. Returns false, as a failed host call does.
///
/// # Safety
/// The store is alive and no reference to its inside is held.
#[cold]
pub(in crate::runtime) unsafe fn leave_with_error(store: NonNull<StoreInner>, error: Error) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        let error = trap::add_frames(&*store.as_ptr(), error);
        dump::note(store, Some(&error));
        (*store.as_ptr()).pending = Some(Exit::Error(error));
    }
    false
}

/// Leaves a panic in the store, which is poisoned by it. Returns false.
///
/// # Safety
/// As [`leave_with_error`].
#[cold]
pub(in crate::runtime) unsafe fn leave_with_panic(store: NonNull<StoreInner>, payload: Box<dyn Any + Send>) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        (*store.as_ptr()).poisoned = true;
        (*store.as_ptr()).pending = Some(Exit::Panic(payload));
    }
    false
}

/// Calls a function: a guest's through its trampoline, the host's directly.
///
/// # Safety
/// The function is one of the store, the trampoline the one for its signature (or none for a host function), the values
/// are parameters of its type with room for the results, and no reference to the store's inside is held.
#[inline]
pub(in crate::runtime) unsafe fn invoke(
    store: NonNull<StoreInner>,
    func: NonNull<VMFuncRef>,
    trampoline: Option<HostToWasm>,
    values: *mut ValRaw,
) -> Result<()> {
    // SAFETY: the caller's promise.
    unsafe {
        (*store.as_ptr()).check_poison()?;
        let fine = match trampoline {
            Some(trampoline) => enter(store, func, trampoline, values)?,
            None => {
                debug_assert_eq!((*func.as_ptr()).func, HOST_FUNC);
                let head = (*func.as_ptr()).vmctx.cast::<HostHead>();
                ((*head).call)(head.cast(), null_mut(), values)
            }
        };
        if fine { Ok(()) } else { Err(left(store)) }
    }
}

/// Enters the guest with a new activation; false if its frames were left by unwinding.
#[inline]
unsafe fn enter(
    store: NonNull<StoreInner>,
    func: NonNull<VMFuncRef>,
    trampoline: HostToWasm,
    values: *mut ValRaw,
) -> Result<bool> {
    // SAFETY: the store is alive; its context is written through raw pointers only, by us and by the guest.
    unsafe {
        let vm = &raw mut (*store.as_ptr()).vm;
        let outer = (*vm).activation;
        check_entry(store)?;
        if outer.is_null() {
            prepare(&mut *store.as_ptr())?;
        }
        if (*store.as_ptr()).watched {
            tell_entry(store)?;
        }
        let mut act = Activation {
            host_floats: floats::enter_guest(),
            entry_sp: 0,
            previous: activation::current(),
            store: vm,
            saved_exit_fp: (*vm).exit_fp,
            saved_exit_pc: (*vm).exit_pc,
            saved_exit_head: (*vm).exit_head,
            call: null_mut(),
        };
        let at = &raw mut act;
        activation::set(at);
        (*vm).activation = at;
        let watched = (*store.as_ptr()).watched;
        let fine = match watched {
            false => isa::enter(at, trampoline, func.as_ptr(), null_mut(), values),
            true => match watch::protect(store) {
                Ok(()) => isa::enter(at, trampoline, func.as_ptr(), null_mut(), values),
                Err(error) => leave_with_error(store, error),
            },
        };
        (*vm).activation = outer;
        activation::set((*at).previous);
        floats::leave_guest((*at).host_floats);
        (*vm).exit_fp = (*at).saved_exit_fp;
        (*vm).exit_pc = (*at).saved_exit_pc;
        (*vm).exit_head = (*at).saved_exit_head;
        if watched || (*store.as_ptr()).watched {
            // All frames of the entry are gone.
            (*store.as_ptr()).forget_changed(at, usize::MAX);
            watch::end_quiet(store);
            watch::lift(store)?;
        }
        Ok(fine)
    }
}

/// Refuses to enter a store whose guests cannot be called here or now, and calls back who has asked for it.
///
/// # Safety
/// The store is alive, and no reference to its inside is held.
#[inline(always)]
pub(in crate::runtime) unsafe fn check_entry(store: NonNull<StoreInner>) -> Result<()> {
    // SAFETY: the caller's promise.
    unsafe {
        check_stack(store)?;
        if !(*store.as_ptr()).vm.activation.is_null() {
            if (*store.as_ptr()).deadline.is_asking() {
                return Err(being_asked());
            }
            if stack_pointer() < (*store.as_ptr()).stack_floor {
                return Err(trap::no_stack(&*store.as_ptr()));
            }
        }
        if (*store.as_ptr()).attachers.are_asked() {
            attachers::serve(store)?;
        }
        Ok(())
    }
}

/// Refuses a store whose guests wait on another stack than those of this thread.
///
/// # Safety
/// The store is alive.
#[inline(always)]
pub(in crate::runtime) unsafe fn check_stack(store: NonNull<StoreInner>) -> Result<()> {
    // SAFETY: the caller's promise.
    let outer = unsafe { (*store.as_ptr()).vm.activation };
    if outer.is_null() || activation::current() == outer { Ok(()) } else { check_nesting(outer) }
}

/// Tells those who listen that a guest is about to be entered.
///
/// # Safety
/// The store is alive, and no reference to its inside is held.
#[cold]
pub(in crate::runtime) unsafe fn tell_entry(store: NonNull<StoreInner>) -> Result<()> {
    // SAFETY: the caller's promise; the reference ends before anybody is told.
    let within_call = unsafe {
        let inner = &*store.as_ptr();
        let outer = inner.vm.activation;
        // Where an event of the newest entry is told, who listens calls.
        !outer.is_null() && inner.newest_event().is_none_or(|event| !std::ptr::eq(event.activation, outer))
    };
    // SAFETY: as above.
    unsafe { tell::tell(store, &Event::Entering { within_call }) }.map(drop)
}

/// The guest that waits for an answer stands where no other may be called.
#[cold]
fn being_asked() -> Error {
    let message = "no guest can be called while the host is asked whether one may go on";
    Error::new(ErrorKind::State, message)
}

/// Refuses to enter a store whose newest entry is not below this one on the same stack.
#[cold]
fn check_nesting(outer: *mut Activation) -> Result<()> {
    let mut at = activation::current();
    while !at.is_null() {
        if at == outer {
            return Ok(());
        }
        // SAFETY: linked activations are live.
        at = unsafe { (*at).previous };
    }
    Err(Error::new(
        ErrorKind::State,
        "a guest of this store waits on another stack; the store can be called again when that has gone on to its end",
    ))
}

/// Bytes, at least, that a guest is given, or it is not entered.
const LEAST_FOR_GUEST: usize = 4 << 10;

/// Where this thread's stack is, about.
#[inline]
fn stack_pointer() -> usize {
    let here = 0u8;
    std::ptr::from_ref(&here) as usize
}

/// What the outermost entry into a store's guests needs: a stack limit, and on a thread's first, a signal stack.
#[inline]
pub(in crate::runtime) fn prepare(store: &mut StoreInner) -> Result<()> {
    let config = store.engine.config();
    if config.signals {
        signals::prepare_thread()?;
    }
    let sp = stack_pointer();
    let size = store.guest_stack();
    let (limit, floor) = limits_for(config, sp, size);
    if limit + LEAST_FOR_GUEST > sp {
        return Err(trap::no_stack(store));
    }
    store.runs += 1;
    store.run = store.runs;
    (store.vm.stack_limit, store.stack_floor) = (limit, floor);
    Ok(())
}

/// Down to where guests that are entered at `sp` may be that are to have so many bytes, and the floor below.
#[inline(always)]
fn limits_for(config: &Config, sp: usize, size: usize) -> (usize, usize) {
    let limits = stack::limits();
    let wanted = sp.saturating_sub(size);
    let (limit, reserve) = if limits.contains(&sp) {
        // On a thread with little stack, half of what is left is the guest's, or what is beyond the least that is kept.
        let reserve = config.stop_reserve.min((sp - limits.start) / 2).max(LEAST_RESERVE);
        (wanted.max(limits.start + reserve), reserve)
    } else {
        // A stack of the host's own making that it has not stated: the configuration alone says how much the guest may
        // take.
        (wanted, config.stack_reserve())
    };
    // Half of the reserve is for what runs within events.
    (limit, limit.saturating_sub(reserve) + LEAST_BELOW_FLOOR.max(reserve / 2))
}

/// Gives the guests that wait more stack, if there are any: what they still have is to be enough for as many frames of
/// debug code as it was for.
#[cold]
#[inline(never)]
pub(in crate::runtime) fn widen_stack(store: &mut StoreInner) {
    let Some(ratio) = store.attachment.as_ref().map(|attachment| attachment.stack_ratio) else { return };
    if store.vm.activation.is_null() {
        return;
    }
    let (sp, old) = (store.vm.exit_fp, store.vm.stack_limit);
    let (limit, floor) = limits_for(store.engine.config(), sp, ratio.scale(sp.saturating_sub(old)));
    if limit < old {
        (store.vm.stack_limit, store.stack_floor) = (limit, floor);
    }
}

/// The error with which the guest was left; a panic goes on from here.
#[cold]
#[inline(never)]
pub(in crate::runtime) unsafe fn left(store: NonNull<StoreInner>) -> Error {
    // SAFETY: the store is alive, and the guest that used it is gone.
    match unsafe { (*store.as_ptr()).pending.take() } {
        // SAFETY: as above, and nobody has come to the store since.
        Some(Exit::Error(error)) => unsafe { dump::add(store, error) },
        Some(Exit::Panic(payload)) => resume_unwind(payload),
        None => Error::new(ErrorKind::Panic, "guest frames were left without a reason: this is a fault of Stepwell"),
    }
}
