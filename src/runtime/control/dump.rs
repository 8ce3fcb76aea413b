//! Core dumps of traps, where a store is asked for them. The frames are noted while they are there, on the guest's
//! stack; the dump is made when they have been left, by the call that has entered the guest, where there is stack
//! enough and before anybody else comes to the store: its memories are those of the trap.
//!
//! A store that is not asked pays one look where a guest is left.

use crate::base::Error;
use crate::runtime::control::frames;
use crate::runtime::objects::dumped::{DumpedFrame, MOST_NOTED};
use crate::runtime::objects::trap::Trap;
use crate::runtime::store::inner::StoreInner;
use std::ops::ControlFlow;
use std::ptr::NonNull;
use std::sync::Arc;

/// Notes the frames that are live, if a dump is to be made of what they are left for: of a trap, or of this error.
///
/// # Safety
/// The store is alive, and no reference to its inside is held. A guest of it has been left, where that is noted.
#[inline]
pub(super) unsafe fn note(store: NonNull<StoreInner>, error: Option<&Error>) {
    // SAFETY: the caller's promise.
    unsafe {
        if (*store.as_ptr()).dumping.is_some() {
            note_frames(&mut *store.as_ptr(), error.is_none_or(is_wanted));
        }
    }
}

fn is_wanted(error: &Error) -> bool {
    error.payload::<Trap>().is_some_and(Trap::wants_core_dump)
}

#[cold]
#[inline(never)]
fn note_frames(store: &mut StoreInner, wanted: bool) {
    let mut noted = Vec::new();
    let mut count = 0;
    if wanted {
        frames::walk(store, |frame| {
            let values = frame.state().map(|state| (state.locals(), state.operands()));
            count += 1 + values.as_ref().map_or(0, |(locals, operands)| locals.len() + operands.len());
            if count > MOST_NOTED {
                return ControlFlow::Break(());
            }
            let (slot, func, offset, instance) = (frame.slot, frame.func, frame.wasm, frame.instance());
            noted.push(DumpedFrame { slot, func, offset, instance, values });
            ControlFlow::Continue(())
        });
    }
    if let Some(dumping) = &mut store.dumping {
        dumping.frames = noted;
    }
}

/// Gives the trap with which a guest was left its core dump, if the store is asked for one and it has none. A trap that
/// has come from a guest further in keeps the dump of that.
///
/// # Safety
/// The store is alive, no reference to its inside is held, and nobody has used it since the guest was left.
#[inline]
pub(super) unsafe fn add(store: NonNull<StoreInner>, error: Error) -> Error {
    // SAFETY: the caller's promise.
    unsafe { if (*store.as_ptr()).dumping.is_some() { add_dump(&mut *store.as_ptr(), error) } else { error } }
}

#[cold]
#[inline(never)]
fn add_dump(store: &mut StoreInner, mut error: Error) -> Error {
    let Some(dumping) = &mut store.dumping else { return error };
    let (make, frames) = (dumping.make, std::mem::take(&mut dumping.frames));
    // A host function that the host has called, and no guest, leaves none.
    if frames.is_empty() || !is_wanted(&error) {
        return error;
    }
    let dump = make(store.view(), frames);
    if let Some(trap) = error.payload_mut::<Trap>() {
        trap.core_dump = Some(Arc::new(dump));
    }
    error
}
