//! Telling those who listen of what is no stop: modules and instances that come, memories that grow, and calls of the
//! host. A guest may wait meanwhile, and is shown in its call; or none runs.

use crate::abi::{VMFuncRef, ValRaw};
use crate::base::Result;
use crate::runtime::control::suspended::call_of_newest;
use crate::runtime::control::tell::tell;
use crate::runtime::objects::handles::{Func, Instance, Memory};
use crate::runtime::objects::instance::InstanceData;
use crate::runtime::objects::memory::MemoryData;
use crate::runtime::objects::values::Val;
use crate::runtime::store::events::{Event, EventRecord, Grown, HostCalled, PcKind};
use crate::runtime::store::inner::StoreInner;
use crate::runtime::store::watch;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::{NonNull, null};

/// Tells all who listen. A guest that waits for the host is shown in its call, unless one of its events is being told:
/// then that is what is shown. A panic of those who listen poisons the store and goes on.
///
/// # Safety
/// The store is alive, and no reference to its inside is held. If a guest of it waits, where it has been left is noted.
#[cold]
pub(in crate::runtime) unsafe fn announce(store: NonNull<StoreInner>, event: &Event<'_>) -> Result<()> {
    // SAFETY: the caller's promise; each reference to the store's inside ends before anybody is told.
    unsafe {
        let at = store.as_ptr();
        if (*at).attachment.is_none() {
            return Ok(());
        }
        let (activation, previous) = ((*at).vm.activation, (*at).events);
        let is_shown = |newest: &EventRecord| std::ptr::eq(newest.activation, activation);
        let mut record = EventRecord {
            id: (*at).event_ids.next(),
            activation,
            pc: (*at).vm.exit_pc,
            fp: (*at).vm.exit_fp,
            kind: PcKind::Return,
            set_up: true,
            paid: 0,
            stop: null(),
            shown: None,
            previous,
        };
        let waits = !activation.is_null() && !(*at).newest_event().is_some_and(is_shown);
        if waits {
            (*at).events = &raw mut record;
        }
        let told = catch_unwind(AssertUnwindSafe(|| tell(store, event)));
        (*at).events = previous;
        match told {
            Ok(told) => told.map(drop),
            Err(payload) => {
                (*at).poisoned = true;
                resume_unwind(payload)
            }
        }
    }
}

/// Tells of an instance whose segments have been applied.
///
/// # Safety
/// As [`announce`]; the instance is one of the store.
pub(in crate::runtime) unsafe fn instance(store: NonNull<StoreInner>, instance: NonNull<InstanceData>) -> Result<()> {
    // SAFETY: the caller's promise.
    unsafe {
        let instance = Instance { store: (*store.as_ptr()).id, ptr: instance };
        announce(store, &Event::Instance(instance))
    }
}

/// Tells of a memory that had so many pages before, if it has grown.
///
/// # Safety
/// As [`announce`]; the memory is one of the store.
pub(in crate::runtime) unsafe fn grown(
    store: NonNull<StoreInner>,
    memory: NonNull<MemoryData>,
    before: u64,
) -> Result<()> {
    // SAFETY: the caller's promise.
    unsafe {
        if (*store.as_ptr()).attachment.is_none() {
            return Ok(());
        }
        let pages = memory.as_ref().pages();
        if pages == before {
            return Ok(());
        }
        let memory = Memory { store: (*store.as_ptr()).id, ptr: memory };
        announce(store, &Event::Grown(&Grown { memory, before, pages }))
    }
}

/// A guest calls a host function with these parameters, and what is watched is protected: that ends; and it is told, if
/// that is asked for.
///
/// # Safety
/// As [`announce`]; the function is a host function of the store, and the values are of its type.
#[cold]
#[inline(never)]
pub(in crate::runtime) unsafe fn calling(
    store: NonNull<StoreInner>,
    func: NonNull<VMFuncRef>,
    values: *const ValRaw,
) -> Result<()> {
    // SAFETY: handed on to the caller.
    unsafe {
        watch::lift(store)?;
        // Who is called again since it would have blocked has been told of.
        let again = call_of_newest(store).is_some_and(|call| call.blocked.is_some());
        if !(*store.as_ptr()).calls_told || again {
            return Ok(());
        }
        let values = values_of(store, func, values, false);
        let func = Func { store: (*store.as_ptr()).id, ptr: func };
        announce(store, &Event::Calling(&HostCalled { func, values, failed: false }))
    }
}

/// A host function has done what a guest has called it for, with these results, or has failed: tells of it, if that is
/// asked for. What is wrong there is the host function's error.
///
/// # Safety
/// As [`calling`].
#[cold]
#[inline(never)]
pub(in crate::runtime) unsafe fn called(
    store: NonNull<StoreInner>,
    func: NonNull<VMFuncRef>,
    values: *const ValRaw,
    outcome: Result<()>,
) -> Result<()> {
    // SAFETY: handed on to the caller.
    let told = unsafe {
        watch::end_quiet(store);
        let told = tell(store, &Event::Returning).and_then(|_| {
            if !(*store.as_ptr()).calls_told {
                return Ok(());
            }
            let failed = outcome.is_err();
            let values = if failed { Vec::new() } else { values_of(store, func, values, true) };
            let func = Func { store: (*store.as_ptr()).id, ptr: func };
            announce(store, &Event::Called(&HostCalled { func, values, failed }))
        });
        told.and_then(|()| watch::protect(store))
    };
    outcome.and(told)
}

/// The parameters or results of a host function. What they refer to is held until it has returned.
///
/// # Safety
/// As [`calling`].
unsafe fn values_of(
    store: NonNull<StoreInner>,
    func: NonNull<VMFuncRef>,
    values: *const ValRaw,
    results: bool,
) -> Vec<Val> {
    // SAFETY: the caller's promise; the reference ends here.
    unsafe {
        let inner = &*store.as_ptr();
        let signature = inner.engine.signature(func.as_ref().sig);
        let types = if results { &signature.func().results } else { &signature.func().params };
        let read = |(index, ty): (usize, &_)| Val::from_raw_in(inner.giving(), *values.add(index), *ty);
        types.iter().enumerate().map(read).collect()
    }
}
