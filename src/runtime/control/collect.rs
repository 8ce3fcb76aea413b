//! Collecting what guests have made while they run: everything else of the store stays, and is looked at. What frames
//! hold is said by the tables of their code: for a call during which something may be collected, where the frame has
//! written down what it still needs; of debug code also all locals and operands at its last point, which is what a
//! debugger shows and what regions are rerun from. Where a frame is shown by an event at another place, with another
//! state, that is looked at as well: the guest may go on from there.

use crate::abi::ValRaw;
use crate::base::{Family, ValType};
use crate::image::{Slot, Tier};
use crate::runtime::control::frames::{self, RawFrame};
use crate::runtime::objects::heap::Marking;
use crate::runtime::store::inner::StoreInner;
use crate::runtime::store::slots::read_slot;
use std::ops::ControlFlow;

/// Gives back what guests have made and nobody can reach any more.
///
/// # Safety
/// The guest has left its innermost frame by a call, a trap or a stop, if one runs; no reference to the inside of an
/// object of the store is held, and nobody but the store, its frames and what its host holds has a reference to
/// anything on the heap.
#[cold]
#[inline(never)]
pub(super) unsafe fn collect(store: &mut StoreInner) {
    let Some(mut heap) = store.heap.take() else { return };
    // A heap that turns out to be damaged does not come back.
    let poisoned = std::mem::replace(&mut store.poisoned, true);
    let mut marking = heap.begin(&mut store.vm.heap);
    // SAFETY: the caller's promise.
    unsafe { store.held_references(&mut |ty, value| see(&mut marking, ty, value)) };
    frames::walk_waiting(store, |frame| {
        // SAFETY: the frame is live, and not running.
        unsafe { frame_references(store, frame, |ty, value| see(&mut marking, ty, value)) };
        ControlFlow::Continue(())
    });
    let shown = store.events().filter_map(|event| event.shown.as_deref());
    for shown in shown.chain(store.changed.iter().map(|changed| &*changed.frame)) {
        shown.locals().chain(shown.operands()).for_each(|(ty, value)| see(&mut marking, ty, value));
    }
    marking.follow(&mut ());
    marking.end();
    if store.engine.config().force_collections {
        heap.scribble();
    }
    store.heap = Some(heap);
    store.poisoned = poisoned;
    store.modules.flip_marks();
}

/// Something has this value.
fn see(marking: &mut Marking<'_>, ty: ValType, value: ValRaw) {
    let ValType::Ref(ty) = ty else { return };
    // SAFETY: the field read is the one of the type.
    unsafe {
        match ty.heap.family() {
            Family::Any => marking.any(value.anyref, &mut ()),
            Family::Extern => marking.external(value.externref, &mut ()),
            Family::Func | Family::Exn => {}
        }
    }
}

/// Calls `see` with the references that a frame has.
///
/// # Safety
/// The frame is live, and does not run.
unsafe fn frame_references(store: &StoreInner, frame: &RawFrame<'_>, mut see: impl FnMut(ValType, ValRaw)) {
    let tables = store.registry.entry(frame.slot).engine.tables();
    let Some(func) = frame.module.info().defined(frame.func) else { return };
    // SAFETY: the caller's promise; the tables place the slot in the frame.
    let mut see_slot = |slot: Slot| see(slot.ty, ValRaw::from_words(unsafe { read_slot(frame.fp, slot) }));
    if frame.after_call {
        tables.references_of(func, frame.at).for_each(&mut see_slot);
    }
    if tables.tier == Tier::Debug && frame.set_up {
        // It may be shown elsewhere, or as it is to be: here counts where its code stands.
        let wasm = match frame.virtual_frame {
            Some(shown) => shown.begun(),
            None => frame.wasm,
        };
        if let Some(point) = tables.complete_before(func, wasm) {
            tables.roots(func, point).for_each(&mut see_slot);
        }
    }
}
