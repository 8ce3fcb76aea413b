//! Frames that wait for a call and were changed: the store keeps what is to be in them, and here is seen to that the
//! guest stops where such a frame goes on, so that it does with that. Behind the call stands one of the debugger's own
//! breakpoints ([`Breakpoints::add_own`]). Where an exception lands is not known before: all stop points are armed up
//! to the next that the guest comes to.
//!
//! A frame that is left without going on takes with it what was made of it. The store sees that; what was armed for it
//! is taken back at the next look: where the guest stops, where it traps or throws, and where the host enters a guest
//! or returns to one.

use super::breakpoint_id::BreakpointId;
use super::breakpoints::Breakpoints;
use super::layers::{Layer, Layers};
use super::places::target_at;
use crate::base::{Error, ErrorKind, Result};
use crate::code::StepScope;
use crate::runtime::{AsStore, Catcher, KeptFrame, Room, StopInfo, StoreMut, VirtualFrame};

/// The frames that wait and were changed.
#[derive(Default)]
pub(super) struct Callers {
    /// Each by its id, with the debugger's own breakpoint behind its call.
    waiting: Vec<(usize, BreakpointId)>,
    /// Whether all stop points are armed, for an exception that is about to land in one of them.
    landing: bool,
}

impl Callers {
    /// Whether nothing was changed, or armed.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Changes a frame that waits for a call, by `work`.
    ///
    /// # Errors
    /// Those of `work`; of compiling debug code and patching it. Nothing is changed then.
    pub(super) fn change(
        &mut self,
        breakpoints: &mut Breakpoints,
        layers: &mut Layers,
        store: &mut StoreMut<'_>,
        frame: &KeptFrame,
        work: impl FnOnce(&mut StoreMut<'_>) -> Result<()>,
    ) -> Result<()> {
        self.look(breakpoints, layers, store)?;
        let id = store.as_store().id_of(frame);
        work(store)?;
        if self.waiting.iter().any(|waiting| waiting.0 == id) {
            return Ok(());
        }
        match arm(breakpoints, store, frame) {
            Ok(own) => self.waiting.push((id, own)),
            Err(error) => {
                store.forget_caller(id);
                store.end_changed();
                return Err(error);
            }
        }
        Ok(())
    }

    /// The guest has come to a stop point: its frame as it is to go on, if that was changed while it waited.
    #[inline(never)]
    pub(super) fn arrived(
        &mut self,
        breakpoints: &mut Breakpoints,
        layers: &mut Layers,
        store: &mut StoreMut<'_>,
        at: &StopInfo,
        room: Option<Room>,
    ) -> Result<Option<Box<VirtualFrame>>> {
        let inside = store.take_changed(at, room)?;
        self.look(breakpoints, layers, store)?;
        Ok(inside)
    }

    /// Frames are about to be left, up to one that catches an exception, or all up to the host.
    pub(super) fn left(
        &mut self,
        breakpoints: &mut Breakpoints,
        layers: &mut Layers,
        store: &mut StoreMut<'_>,
        caught: Option<Catcher>,
    ) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        store.leave_changed(caught);
        self.look(breakpoints, layers, store)?;
        if store.as_store().changed_callers().any(|(_, lands)| lands) {
            layers.set_scope(store, Layer::Landing, StepScope::All)?;
            self.landing = true;
        }
        Ok(())
    }

    /// Takes back what was armed for frames that have gone on, or are gone.
    pub(super) fn look(
        &mut self,
        breakpoints: &mut Breakpoints,
        layers: &mut Layers,
        store: &mut StoreMut<'_>,
    ) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        let there: Vec<(usize, bool)> = store.as_store().changed_callers().collect();
        if self.landing && !there.iter().any(|(_, lands)| *lands) {
            layers.set_scope(store, Layer::Landing, StepScope::Off)?;
            self.landing = false;
        }
        let is_there = |id: usize| there.iter().any(|there| there.0 == id);
        let over: Vec<BreakpointId> =
            self.waiting.iter().filter(|waiting| !is_there(waiting.0)).map(|waiting| waiting.1).collect();
        if !over.is_empty() {
            breakpoints.remove_own(store, &over)?;
            self.waiting.retain(|waiting| is_there(waiting.0));
        }
        if self.is_empty() {
            store.end_changed();
        }
        Ok(())
    }
}

/// Has the guest stop behind the call that a frame waits for.
fn arm(breakpoints: &mut Breakpoints, store: &mut StoreMut<'_>, frame: &KeptFrame) -> Result<BreakpointId> {
    let module = store.module_in(frame.slot()).cloned();
    let found = module.and_then(|module| Some((module.info().defined(frame.func())?, module)));
    let (func, module) = found.ok_or_else(|| Error::new(ErrorKind::State, "the frame is not there any more"))?;
    // Behind a call that is no tail call is an instruction that can be reached.
    let graph = module.region_graph(func)?;
    let behind = graph.instructions.partition_point(|at| *at <= frame.wasm());
    let behind = graph.instructions.get(behind).copied().unwrap_or(frame.wasm());
    let target = target_at(&module, func, behind)?;
    breakpoints.add_own(store, &module, &[(module.clone(), target)])
}
