//! Leaving the stack of a call, and coming back to it. What calls are is in `calls.rs`; when this is done is decided in
//! `control/suspended.rs`.
//!
//! A guest on such a stack has called nothing but what is ours: host functions and callbacks are called *outside*, on
//! the stack of whoever runs the call. So when a call is left in the middle, there is no frame of anybody else's on
//! its stack, and another thread may go on with it.

use crate::abi::{Activation, ValRaw};
use crate::base::{Error, ErrorKind, Result, ValType};
use crate::runtime::compiled::config::LEAST_BELOW_FLOOR;
use crate::runtime::store::calls::{Awaited, CallName, CallState, LeftAt, Outer, Phase, StackLimits};
use crate::runtime::store::events::Told;
use crate::runtime::store::inner::StoreInner;
use crate::runtime::store::record::EventRecord;
use crate::runtime::store::views::{AsStoreMut, StoreMut};
use crate::sys::activation;
use crate::sys::floats::{self, HostFloats};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::{NonNull, null_mut};

impl StoreInner {
    /// Those calls whose stacks were left, with frames of guests on them.
    pub(in crate::runtime) fn waiting_calls(&self) -> impl Iterator<Item = &CallState> {
        // SAFETY: the store owns them.
        self.calls.all().map(|call| unsafe { call.as_ref() }).filter(|call| call.waits_at().is_some())
    }

    /// The entries into guests of the store that have not been left, the newest first.
    pub(in crate::runtime) fn entries(&self) -> impl Iterator<Item = &Activation> {
        // SAFETY: linked activations are live.
        let all =
            std::iter::successors(unsafe { self.vm.activation.as_ref() }, |entry| unsafe { entry.previous.as_ref() });
        all.filter(|entry| std::ptr::eq(entry.store, &raw const self.vm))
    }

    /// The events in which guests wait whose stacks were left.
    pub(in crate::runtime) fn waiting_events(&self) -> impl Iterator<Item = &EventRecord> {
        self.waiting_calls().flat_map(CallState::events)
    }

    /// Whether a guest function of the store is on a stack.
    pub(in crate::runtime) fn has_frames(&self) -> bool {
        !self.vm.activation.is_null() || self.waiting_calls().next().is_some()
    }

    /// Calls `see` with all values that calls hold and nobody else does.
    pub(in crate::runtime) fn held_by_calls(&self, see: &mut dyn FnMut(ValType, ValRaw)) {
        for call in self.calls.all() {
            // SAFETY: the store owns it.
            let call = unsafe { call.as_ref() };
            call.held.iter().for_each(|(ty, value)| see(*ty, *value));
            call.handed_out.iter().for_each(|word| see(ValType::ANYREF, ValRaw::from_words([u64::from(*word), 0])));
        }
    }

    /// Bytes of stack that guests may use.
    #[inline]
    pub(in crate::runtime) fn guest_stack(&self) -> usize {
        let most = self.engine.config().max_stack;
        match &self.attachment {
            None => most,
            Some(attachment) => attachment.stack_ratio.scale(most),
        }
    }

    /// Down to where the guest of a call may be on the stack that it has to itself, and the floor below.
    fn limits_on(&self, stack: &Range<usize>) -> StackLimits {
        let reserve = self.engine.config().stack_reserve();
        let limit = stack.end.saturating_sub(self.guest_stack()).max(stack.start + reserve);
        StackLimits { limit, floor: limit - reserve + LEAST_BELOW_FLOOR.max(reserve / 2) }
    }

    /// Gives up all calls: what their guests hold of the store is let go.
    ///
    /// # Safety
    /// No guest runs, and none is called.
    pub(in crate::runtime) unsafe fn give_up_calls(store: NonNull<StoreInner>) {
        // SAFETY: the caller's promise; the reference ends before the call is gone to.
        unsafe {
            let waiting: Vec<_> = (&*store.as_ptr()).waiting_calls().map(NonNull::from).collect();
            waiting.into_iter().for_each(|call| give_up(store, call));
        }
    }

    /// The call of this name.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where it was deleted.
    pub(in crate::runtime) fn call_of(&self, name: CallName) -> Result<NonNull<CallState>> {
        self.calls.get(name).ok_or_else(|| Error::new(ErrorKind::Argument, "the call was deleted"))
    }

    /// Whether what had this number, [`StoreInner::run`], is there still, whatever runs now: a call that waits, or one
    /// within which others run.
    pub(in crate::runtime) fn is_run_live(&self, run: u64) -> bool {
        // SAFETY: the store owns its calls.
        let mut calls = self.calls.all().map(|call| unsafe { call.as_ref() });
        calls.any(|call| {
            let begun = matches!(call.phase, Phase::Runs | Phase::Waits(_));
            let within = call.gone_to && !call.outer.activation.is_null() && call.outer.run == run;
            begun && call.run == run || within
        })
    }

    /// The call on whose stack the thread is that has the store, if it is on one.
    pub(in crate::runtime) fn call_here(&self) -> Option<NonNull<CallState>> {
        // SAFETY: an activation that a store knows is live, and its call is as long as it.
        unsafe {
            let call = NonNull::new(self.vm.activation.as_ref()?.call)?.cast::<CallState>();
            ((*call.as_ptr()).outside == 0).then_some(call)
        }
    }
}

/// Has the store, and this thread, be where a call was left: its guest is the newest that waits, and what it can be
/// shown in is as it was. To be followed by [`leave`] on the same stack.
///
/// # Safety
/// The store is alive, the call is one of it that has not been gone to, and no reference to the inside of either is
/// held.
pub(in crate::runtime) unsafe fn go_to(store: NonNull<StoreInner>, call: NonNull<CallState>, limits: StackLimits) {
    // SAFETY: the caller's promise.
    unsafe {
        let (at, call) = (store.as_ptr(), call.as_ptr());
        let vm = &raw mut (*at).vm;
        (*call).outer = Outer {
            activation: (*vm).activation,
            events: (*at).events,
            limits: StackLimits { limit: (*vm).stack_limit, floor: (*at).stack_floor },
            run: (*at).run,
        };
        (*at).run = (*call).run;
        (*call).gone_to = true;
        let act = &raw mut (*call).activation;
        (*act).previous = activation::current();
        ((*act).saved_exit_fp, (*act).saved_exit_pc, (*act).saved_exit_head) =
            ((*vm).exit_fp, (*vm).exit_pc, (*vm).exit_head);
        activation::set(act);
        (*vm).activation = act;
        let LeftAt { fp, pc, head } = (*call).left;
        ((*vm).exit_fp, (*vm).exit_pc, (*vm).exit_head) = (fp, pc, head);
        ((*vm).stack_limit, (*at).stack_floor) = (limits.limit, limits.floor);
        if let Some(oldest) = oldest((*call).events, null_mut()) {
            (*oldest).previous = (*at).events;
            (*at).events = (*call).events;
        }
    }
}

/// Has the store, and this thread, be as before [`go_to`].
///
/// # Safety
/// As there; the call is the one that was gone to last.
pub(in crate::runtime) unsafe fn leave(store: NonNull<StoreInner>, call: NonNull<CallState>) {
    // SAFETY: the caller's promise.
    unsafe {
        let (at, call) = (store.as_ptr(), call.as_ptr());
        let vm = &raw mut (*at).vm;
        let act = &raw mut (*call).activation;
        (*call).gone_to = false;
        (*call).left = LeftAt { fp: (*vm).exit_fp, pc: (*vm).exit_pc, head: (*vm).exit_head };
        ((*vm).exit_fp, (*vm).exit_pc, (*vm).exit_head) =
            ((*act).saved_exit_fp, (*act).saved_exit_pc, (*act).saved_exit_head);
        let outer = (*call).outer;
        ((*vm).activation, (*at).run) = (outer.activation, outer.run);
        activation::set((*act).previous);
        ((*vm).stack_limit, (*at).stack_floor) = (outer.limits.limit, outer.limits.floor);
        (*call).events = null_mut();
        if let Some(oldest) = oldest((*at).events, outer.events) {
            (*call).events = (*at).events;
            (*oldest).previous = null_mut();
        }
        (*at).events = outer.events;
        // Whoever walks over the frames of a call that waits finds no others behind them.
        ((*act).previous, (*act).saved_exit_fp, (*act).saved_exit_pc, (*act).saved_exit_head) = (null_mut(), 0, 0, 0);
    }
}

/// The last of the records before `end`, if there is one.
///
/// # Safety
/// They are live.
unsafe fn oldest(newest: *mut EventRecord, end: *mut EventRecord) -> Option<*mut EventRecord> {
    let mut at = newest;
    if at == end {
        return None;
    }
    // SAFETY: the caller's promise.
    while let previous = unsafe { (*at).previous }
        && previous != end
    {
        at = previous;
    }
    Some(at)
}

/// Goes on with a call; whether it is done, with its stack given back.
///
/// # Safety
/// As [`go_to`]; it has a stack, and what it waits for is there.
// Behind a switch of stacks no return is where the processor expects it, so there are few of them.
#[inline(always)]
pub(in crate::runtime) unsafe fn go_on(store: NonNull<StoreInner>, call: NonNull<CallState>) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        let (at, state) = (store.as_ptr(), call.as_ptr());
        let limits = (*at).limits_on(&(*state).stack);
        let handed_out = (*at).roots.scope();
        go_to(store, call, limits);
        (*state).phase = Phase::Runs;
        (*state).activation.host_floats = floats::enter_guest();
        let Some(fiber) = &mut (*state).fiber else { unreachable!("it was given a stack") };
        let done = fiber.resume();
        floats::leave_guest((*state).activation.host_floats);
        leave(store, call);
        match done {
            true => {
                (*state).phase = Phase::Done;
                (*state).stack = 0..0;
                (*state).handed_out = Vec::new();
                if let Some(fiber) = (*state).fiber.take() {
                    (*at).engine.stacks().put_back(fiber.into_stack());
                }
            }
            // Those who are told of a stop are, for as long as it is told.
            false => (*at).roots.park(handed_out, &mut (*state).handed_out),
        }
        (*at).roots.end_scope(handed_out);
        done
    }
}

/// Leaves the frames of a call's guest where it waits, as by a trap; and no call of it is to be.
///
/// # Safety
/// As [`go_to`]; its guest does not run.
#[cold]
pub(in crate::runtime) unsafe fn give_up(store: NonNull<StoreInner>, call: NonNull<CallState>) {
    // SAFETY: the caller's promise.
    unsafe {
        let (at, state) = (store.as_ptr(), call.as_ptr());
        if !matches!((*state).phase, Phase::Waits(_)) {
            return;
        }
        (*state).cancelled = true;
        let pending = (*at).pending.take();
        while !go_on(store, call) {}
        // Why it was left is known.
        (*at).pending = pending;
    }
}

/// Calls the host on the stack of whoever runs the call on whose stack this is; here, if it is on none.
///
/// # Safety
/// The store is alive, and no reference to its inside is held.
#[inline]
pub(in crate::runtime) unsafe fn outside<R>(store: NonNull<StoreInner>, call: impl FnOnce() -> R) -> R {
    // SAFETY: the caller's promise; an activation that a store knows is live.
    unsafe {
        let act = (*store.as_ptr()).vm.activation;
        if act.is_null() || (*act).call.is_null() { call() } else { outside_caught(store, call) }
    }
}

/// The same of a store whose newest entry is that of a call on a stack of its own. A panic does not leave the stack on
/// which it comes up: it is caught there and goes on here.
///
/// # Safety
/// As [`outside_of`], but that `call` may unwind.
#[cold]
#[inline(never)]
unsafe fn outside_caught<R>(store: NonNull<StoreInner>, call: impl FnOnce() -> R) -> R {
    // SAFETY: the caller's promise.
    let outcome = unsafe { outside_of(store, || catch_unwind(AssertUnwindSafe(call))) };
    outcome.unwrap_or_else(|payload| resume_unwind(payload))
}

/// The same, with what does not unwind: on the stack of whoever runs the call; here, if that is where this is already.
///
/// # Safety
/// As [`outside`], of such a store; `work` does not unwind.
#[cold]
#[inline(never)]
pub(in crate::runtime) unsafe fn outside_of<R>(store: NonNull<StoreInner>, work: impl FnOnce() -> R) -> R {
    // SAFETY: the caller's promise; while the call runs it is live, and so is its switch.
    unsafe {
        let at = store.as_ptr();
        let call = (*(*at).vm.activation).call.cast::<CallState>();
        if (*call).outside > 0 {
            return work();
        }
        let inside = StackLimits { limit: (*at).vm.stack_limit, floor: (*at).stack_floor };
        let limits = (*call).outer.limits;
        ((*at).vm.stack_limit, (*at).stack_floor) = (limits.limit, limits.floor);
        (*call).outside += 1;
        let done = (*(*call).switch).outside(work);
        (*call).outside -= 1;
        (*call).outer.limits = StackLimits { limit: (*at).vm.stack_limit, floor: (*at).stack_floor };
        ((*at).vm.stack_limit, (*at).stack_floor) = (inside.limit, inside.floor);
        done
    }
}

/// Leaves the stack of the call that runs, until it is gone on with.
///
/// # Errors
/// [`ErrorKind::State`] where nobody can wait: the guest was called as usual, or by a host function inside of such a
/// call; [`ErrorKind::Cancelled`] where the call was given up meanwhile. Then the guest is to be left.
///
/// # Safety
/// The store is alive, and no reference to its inside is held. Where its guest has been left is noted. Whatever is on
/// the stack may change threads.
#[cold]
#[inline(never)]
pub(in crate::runtime) unsafe fn wait_for(store: NonNull<StoreInner>, what: Awaited) -> Result<()> {
    // SAFETY: the caller's promise; while the call runs it is live, and so is its switch.
    unsafe {
        let Some(call) = (*store.as_ptr()).call_here() else { return Err(cannot_wait()) };
        let call = call.as_ptr();
        if !(*call).cancelled {
            (*call).phase = Phase::Waits(what);
            (*store.as_ptr()).waits += 1;
            (*(*call).switch).leave();
        }
        // Whoever has gone on with it has said so.
        if (*call).cancelled { Err(given_up()) } else { Ok(()) }
    }
}

/// The error of a guest that is to wait and cannot.
#[cold]
pub(in crate::runtime) fn cannot_wait() -> Error {
    let message = "this guest cannot wait: it was called as usual, or by a host function; call it by a call on a stack \
                   of its own";
    Error::new(ErrorKind::State, message)
}

#[cold]
fn given_up() -> Error {
    Error::new(ErrorKind::Cancelled, "the call was given up while its guest waited")
}

impl<T> Told<'_, T> {
    /// Calls the host, for which floats are computed with as it has set. What listens does so the guest's way, and so
    /// runs regions again.
    #[inline]
    pub fn call_host<R>(&mut self, call: impl FnOnce(StoreMut<'_>) -> R) -> R {
        let activation = self.store.inner().vm.activation;
        if activation.is_null() {
            return call(self.store.as_store_mut());
        }
        let (at, of_guest) = (self.store.ptr(), self.of_guest);
        let store = self.store.as_store_mut();
        let call = || {
            // SAFETY: an activation that a store knows is live, and what is called here waits for all that it calls.
            let _floats = of_guest.then(|| unsafe { HostFloats::of(activation) });
            call(store)
        };
        // SAFETY: the store is lent to us, and nobody looks into it.
        unsafe { outside(at, call) }
    }

    /// Leaves the guest where it stands, until its call is gone on with: see
    /// [`CallStatus::Stopped`](crate::runtime::CallStatus::Stopped). What listens may be on another thread then.
    ///
    /// # Errors
    /// [`ErrorKind::State`] where the guest cannot wait: [`StoreRef::current_call`](StoreRef::current_call) is none;
    /// [`ErrorKind::Cancelled`] where its call was given up: it is to be left.
    pub fn wait(&mut self) -> Result<()> {
        // SAFETY: the store is lent to us, and nobody looks into it; events of guests note where those were left.
        // Listeners are `Send`.
        unsafe { wait_for(self.store.ptr(), Awaited::Stop) }
    }
}
