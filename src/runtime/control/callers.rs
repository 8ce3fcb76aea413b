//! Frames that wait for a call, and were given other values by a listener. Such a frame is not written to: its
//! registers may be saved anywhere, and hold what is in its slots. What is to be in it is kept beside it, and shown to
//! whoever looks at it; where it goes on, behind the call or where an exception lands, a listener takes it from here
//! ([`StoreMut::take_changed`]), and answers as if the frame had been changed there.
//!
//! What is kept here is of frames that are there, and have not gone on: it goes with them, whatever they are left by.
//! Which values may be written is decided above; that the guest stops where such a frame goes on is the listener's
//! care.

use crate::base::{Error, ErrorKind, Family, Result, ValType};
use crate::image::RerunImage;
use crate::runtime::control::frames::{self, KeptFrame, shape_at};
use crate::runtime::control::virtual_frame::{AtPoint, look_inside, tables};
use crate::runtime::store::events::{Catcher, StopInfo};
use crate::runtime::store::inner::StoreInner;
use crate::runtime::store::views::{AsStore, StoreMut, StoreRef};
use crate::runtime::store::virtual_frame::{ChangedCaller, Landed, Looked, Room, VALUES, VirtualFrame};
use crate::wasm::{ModuleInfo, call_operands};
use std::ops::ControlFlow;

/// The newest entry's frames below this frame pointer are left: an exception lands in the frame that has it.
#[cold]
pub(in crate::runtime) fn left_for(store: &mut StoreInner, fp: usize) {
    let activation = store.vm.activation;
    store.forget_changed(activation, fp);
    // Where nobody was told of the exception, nobody looks where the frame goes on.
    store.changed.retain(|changed| changed.frame.fp != fp || changed.lands.is_some());
}

impl StoreInner {
    /// A frame of the newest event that waits for a call, as it is to go on: what was made of it before is in it, and
    /// is still kept.
    ///
    /// # Errors
    /// [`ErrorKind::State`] where that event is not a stop and the one that has shown the frame, or the frame waits for
    /// no call or runs production code; those of compiling rerun code.
    pub(in crate::runtime) fn caller(&mut self, kept: &KeptFrame) -> Result<ChangedCaller> {
        let stands = self.newest_event().is_some_and(|event| !event.stop.is_null() && event.id == kept.event());
        let (mut found, mut production) = (None, false);
        frames::walk(self, |frame| {
            if frame.fp != kept.fp() {
                return ControlFlow::Continue(());
            }
            // Events nest: that of a frame further out is told, too.
            let waits = frame.after_call && self.events().all(|event| event.fp != frame.fp);
            let func = frame.module.info().defined(frame.func).filter(|_| waits);
            found = func.map(|func| (frame.module.clone(), frame.slot, func, frame.wasm, frame.activation));
            production = frame.is_production();
            ControlFlow::Break(())
        });
        if production {
            let message = "the frame runs production code, which it ran before the debugger was attached: what is in \
                           it is not known";
            return Err(Error::new(ErrorKind::State, message));
        }
        let Some((module, slot, func, wasm, activation)) = found.filter(|_| stands) else { return Err(no_call()) };
        let takes = call_operands(module.info(), module.binary(), func, wasm)?.ok_or_else(no_call)?;
        let id = self.event_ids.next();
        let tables = tables(self, slot)?;
        let at = AtPoint { slot, func, fp: kept.fp(), wasm, shape: shape_at(tables, wasm), paid: 0 };
        // SAFETY: the frame is live; in a call, its slots hold its state.
        let (Looked::Inside(mut frame) | Looked::OfGuest(Room(mut frame))) =
            unsafe { look_inside(self, id, &at, None, true) }?;
        if let Some(before) = self.changed_caller(frame.fp) {
            frame.state.clone_from(&before.frame.state);
        }
        let stays = frame.operands().count().saturating_sub(takes);
        Ok(ChangedCaller { frame, activation, stays, lands: None })
    }

    /// Keeps what is to be in a frame that waits.
    pub(in crate::runtime) fn keep_changed(&mut self, caller: ChangedCaller) {
        self.changed.retain(|changed| changed.frame.fp != caller.frame.fp);
        self.changed.push(caller);
        self.callers_changed = true;
        self.say_watched();
    }
}

#[cold]
fn no_call() -> Error {
    let message = "the frame waits for no call: it is that of an event further out, and can be changed only there";
    Error::new(ErrorKind::State, message)
}

impl StoreRef<'_> {
    /// The ids of the frames that wait and were changed, and whether an exception is about to land there.
    pub fn changed_callers(self) -> impl Iterator<Item = (usize, bool)> {
        self.inner().changed.iter().map(move |changed| {
            let frame = &changed.frame;
            (self.frame_id(frame.slot, frame.func, frame.fp), changed.lands.is_some())
        })
    }
}

impl StoreMut<'_> {
    /// The guest has come to a stop point: if its frame was changed while it waited, the frame as it is to go on. It is
    /// kept no more. The room is for that.
    ///
    /// # Errors
    /// As of [`StoreMut::look_inside`].
    pub fn take_changed(&mut self, at: &StopInfo, room: Option<Room>) -> Result<Option<Box<VirtualFrame>>> {
        let inner = self.inner();
        let activation = inner.vm.activation;
        let is_it = |changed: &ChangedCaller| changed.frame.fp == at.fp && std::ptr::eq(changed.activation, activation);
        let changed = inner.changed.iter().position(is_it).map(|index| inner.changed.swap_remove(index));
        // Those further in are gone, by whatever way.
        inner.forget_changed(activation, at.fp);
        let Some(changed) = changed else { return Ok(None) };
        let mut inside = self.look_inside(room)?;
        let info = self.module_in(at.slot).map(|module| module.info());
        let stays = match (changed.lands, info) {
            (Some(landed), Some(info)) => below_caught(info, inside.code.image(), inside.position, landed),
            _ => changed.stays,
        };
        inside.take_values(&changed.frame, stays.min(changed.stays));
        Ok(Some(inside))
    }

    /// Frames are about to be left, of the newest entry: up to one that catches what is thrown, or all. What was made
    /// of them is kept no more; what was made of that one is what it goes on with where the exception lands.
    pub fn leave_changed(&mut self, caught: Option<Catcher>) {
        let inner = self.inner();
        let activation = inner.vm.activation;
        inner.forget_changed(activation, caught.map_or(usize::MAX, |catcher| catcher.fp));
        if let Some(Catcher { fp, tag, .. }) = caught {
            let caught = inner.changed.iter_mut().find(|changed| changed.frame.fp == fp);
            caught.into_iter().for_each(|changed| changed.lands = Some(Landed { tag }));
        }
    }

    /// What was made of a frame that waits, by its id, is kept no more.
    pub fn forget_caller(&mut self, id: usize) {
        let ids: Vec<usize> = self.as_store().changed_callers().map(|(id, _)| id).collect();
        let mut ids = ids.into_iter();
        self.inner().changed.retain(|_| ids.next() != Some(id));
    }

    /// Nothing is left to be seen of frames that were changed: see [`StoreMut::set_watched`], which this is a reason
    /// for.
    pub fn end_changed(&mut self) {
        let inner = self.inner();
        inner.callers_changed = !inner.changed.is_empty();
        inner.say_watched();
    }
}

/// How many operands are there where an exception lands beneath what it carries.
fn below_caught(info: &ModuleInfo, image: &RerunImage, position: u32, landed: Landed) -> usize {
    let is_exception = |ty: &ValType| matches!(ty, ValType::Ref(ty) if ty.heap.family() == Family::Exn);
    let values = landed.tag.map_or(&[][..], |tag| info.tag_values(tag));
    let carried = || values.iter().rev().map(|ty| ty.in_slots());
    let count = image.operand_types(position).count();
    // A clause that hands on the exception itself has it on top. Where the types leave that open, it does: an exception
    // beneath is then what the frame had.
    let mut top = image.operand_types(position);
    let by_ref = top.next().as_ref().is_some_and(is_exception) && top.take(values.len()).eq(carried());
    count.saturating_sub(values.len() + usize::from(by_ref))
}

impl VirtualFrame {
    /// Takes what the guest declares as locals, and so many operands from the bottom, from another state of the frame.
    fn take_values(&mut self, from: &VirtualFrame, operands: usize) {
        let image = self.code.image();
        let locals = image.declared_locals().words() as usize;
        let count = image.operand_types(self.position).count();
        let types = image.operand_types(self.position).skip(count.saturating_sub(operands));
        let words = types.map(ValType::words).sum::<u32>() as usize;
        let first = image.locals.words() as usize;
        for words in [0..locals, first..first + words] {
            self.state[VALUES..][words.clone()].copy_from_slice(&from.state[VALUES..][words]);
        }
    }
}
